#include "entries.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/number.h"
#include "pidfd.h"
#include "state.h"

#define PAUSE_MS 5

/* How long a launch may take, and how often to look whether it is over. */
#define LAUNCH_MS 2000
#define LAUNCH_PAUSE_MS 20

/* A year: above, a timer in milliseconds could overflow somewhere. */
#define SECONDS_MAX (366 * 24 * 3600)

int entries_options(const struct options *options, void *into, int argc, char **argv,
                    int max, struct entries *ret, struct err *err)
{
	int first = options_parse(options, into, argc, argv, err);

	if (first == OPTIONS_HELP)
		return first;
	if (first < 0)
		return err_step(err, "options");
	if (first == argc && options->words[0] != '[') {
		(void)err_set(err, EINVAL, "%s: the name of a workspace is missing",
		              argv[0]);
		(void)err_hint(err, "'berth ps -a' lists them");
		return err_step(err, "options");
	}
	if (max > 0 && argc - first > max) {
		(void)err_set(err, EINVAL, "%s: unexpected '%s'", argv[0],
		              argv[first + max]);
		return err_step(err, "options");
	}
	*ret = (struct entries){ .command = argv[0],
		                 .name = argv + first,
		                 .n = argc - first };
	return 0;
}

int entries_open(struct err *err)
{
	int state = state_open(false, err);

	if (state >= 0)
		state_tidy(state);
	return state;
}

int entries_only(int state, struct arena *arena, const char **ret, struct err *err)
{
	const char **name = NULL, *alive = "", *only = NULL;
	int n = state_each(state, arena, &name, err), running = 0;

	for (int i = 0; i < n; i++) {
		struct err ignored = { 0 };
		cleanup_close int entry = state_entry(state, name[i], &ignored);

		if (entry < 0 || !state_alive(entry))
			continue;
		running++;
		only = name[i];
		alive = arena_printf(arena, "%s%s%s", alive, *alive ? ", " : "", only);
	}
	if (n < 0)
		return n;
	if (running == 0) {
		(void)err_set(err, ESRCH, "no workspace runs here");
		return err_hint(err, "'berth ps -a' lists those there were");
	}
	if (running > 1) {
		(void)err_set(err, EINVAL, "no name was given, and several run: %s",
		              alive);
		return err_hint(err, "name one of them");
	}
	*ret = only;
	return 0;
}

int entries_stopped(const char *name, struct err *err)
{
	return err->code == ESRCH ? err_hint(err, "'berth start %s' starts it", name)
	                          : -err->code;
}

/* Opens the state directory; where there is none, no workspace has ever been. */
static int open_for(const struct entries *entries, struct err *err)
{
	int state = entries_open(err);

	if (state != -ENOENT)
		return state < 0 ? err_step(err, entries->command) : state;
	err_clear(err);
	if (entries->missing_ok || entries->n == 0)
		return -ENOENT;
	(void)err_set(err, ENOENT, "no workspace '%s'", entries->name[0]);
	(void)err_hint(err, "'berth ps -a' lists them");
	return err_step(err, entries->command);
}

static int walk_one(const struct entries *entries, int state, const char *name,
                    entries_fn *fn, void *ctx, struct err *err)
{
	cleanup_close int entry = state_entry(state, name, err);
	int r;

	if (entry == -ENOENT && entries->missing_ok) {
		err_clear(err);
		return 0;
	}
	r = entry < 0 ? entry : fn(ctx, state, entry, name, err);
	return r < 0 ? err_step(err, entries->command) : r;
}

/* Those that run. Return: 0 or -errno. */
static int list_running(int state, struct arena *arena, struct entries *ret,
                        struct err *err)
{
	const char **name = NULL;
	int n = state_each(state, arena, &name, err), running = 0;

	for (int i = 0; i < n; i++) {
		struct err ignored = { 0 };
		cleanup_close int entry = state_entry(state, name[i], &ignored);

		if (entry >= 0 && state_alive(entry))
			name[running++] = name[i];
	}
	ret->name = (char *const *)name;
	ret->n = running;
	/* Any of them may end before its turn comes. */
	ret->missing_ok = true;
	return n < 0 ? err_step(err, ret->command) : 0;
}

int entries_walk(const struct entries *wanted, entries_fn *fn, void *ctx, struct err *err)
{
	cleanup_close int state = open_for(wanted, err);
	cleanup_arena struct arena arena = { 0 };
	struct entries entries = *wanted;
	int ret = 0;

	if (state == -ENOENT && err->code == 0)
		return 0;
	if (state < 0)
		return state;
	if (entries.n == 0 && list_running(state, &arena, &entries, err) < 0)
		return -err->code;
	for (int i = 0; i < entries.n; i++) {
		struct err mine = { 0 };
		int r = walk_one(&entries, state, entries.name[i], fn, ctx, &mine);

		if (r < 0) {
			if (err->code > 0)
				log_err(err);
			*err = mine;
		} else if (ret == 0) {
			ret = r;
		}
	}
	return err->code > 0 ? -err->code : ret;
}

bool entries_wait_dead(int entry, unsigned int timeout_ms)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };

	for (unsigned int ms = 0; state_alive(entry); ms += PAUSE_MS) {
		if (ms >= timeout_ms)
			return false;
		(void)nanosleep(&pause, NULL);
	}
	return true;
}

int entries_ask(int entry, const struct control_request *request, struct err *err)
{
	struct control_reply reply;
	int r = control_ask(entry, request, &reply, NULL, err);

	for (unsigned int ms = 0; r == -ESRCH && ms < LAUNCH_MS; ms += LAUNCH_PAUSE_MS) {
		if (entries_wait_dead(entry, LAUNCH_PAUSE_MS))
			return r;
		err_clear(err);
		r = control_ask(entry, request, &reply, NULL, err);
	}
	return r;
}

pid_t entries_init(int entry, struct err *err)
{
	const struct control_request request = { .verb = CONTROL_JOIN, .unattended = 1 };
	struct control_reply reply;
	int fd[CONTROL_FDS];
	pid_t pid = control_ask(entry, &request, &reply, fd, err);

	if (pid == 0)
		pid = pidfd_pid(AT_FDCWD, fd[CONTROL_INIT], err);
	for (size_t i = 0; i < CONTROL_FDS; i++)
		drop_fd(&fd[i]);
	return pid;
}

int option_seconds(void *field, const char *value, struct err *err)
{
	return number_parse(value, 0, SECONDS_MAX, field, err);
}

int option_table_or_json(void *field, const char *value, struct err *err)
{
	if (strcmp(value, "json") != 0 && strcmp(value, "table") != 0)
		return err_set(err, EINVAL, "'%s' is not table or json", value);
	*(bool *)field = !strcmp(value, "json");
	return 0;
}
