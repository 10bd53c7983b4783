#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/number.h"
#include "bootstrap.h"
#include "commands.h"
#include "control.h"
#include "entries.h"
#include "hooks.h"
#include "logfile.h"
#include "state.h"

/* How often to look where the user has no inotify instance left. */
#define LOOK_MS 250

struct logs {
	bool follow, bootstrap, idle_warn, hooks;
	uint64_t tail;
};

static int set_tail(void *field, const char *value, struct err *err)
{
	if (!strcmp(value, "all")) {
		*(uint64_t *)field = LOGFILE_ALL;
		return 0;
	}
	return number_parse(value, 0, UINT32_MAX, field, err);
}

static const struct option rows[] = {
	{ "follow", 'f', NULL, "go on until the workspace ends", option_flag,
	  offsetof(struct logs, follow) },
	{ "tail", 'n', "LINES", "begin so many lines before the end; all by default",
	  set_tail, offsetof(struct logs, tail) },
	{ "bootstrap", '\0', NULL, "what the script of --bootstrap wrote instead",
	  option_flag, offsetof(struct logs, bootstrap) },
	{ "hooks", '\0', NULL, "what hooks wrote instead", option_flag,
	  offsetof(struct logs, hooks) },
	{ "idle-warn", '\0', NULL, "what the script of --idle-warn wrote instead",
	  option_flag, offsetof(struct logs, idle_warn) },
};

static const struct options options = {
	.words = "NAME",
	.about = "Print what a workspace wrote to its console, or to its output.",
	.row = rows,
	.n = sizeof(rows) / sizeof(rows[0]),
};

/* Says when something is written to the log, or -EBADF. */
static int watch_log(int entry)
{
	cleanup_close int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", entry);
	if (watch < 0 ||
	    inotify_add_watch(watch, path, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
		return -EBADF;
	return take_fd(&watch);
}

static int follow(struct logreader *reader, struct err *err)
{
	const struct control_request request = { .verb = CONTROL_EXIT };
	cleanup_close int watch = watch_log(reader->entry);
	struct err ended = { 0 };
	cleanup_close int end = control_send(reader->entry, &request, &ended);
	struct pollfd pfd[] = { { .fd = watch, .events = POLLIN },
		                { .fd = end, .events = POLLIN },
		                { .fd = reader->out, .events = 0 } };

	/* Asked before the last look, so that nothing comes after it unseen. */
	for (;;) {
		int r = logreader_more(reader, err);
		char events[4096];

		if (r < 0 || end < 0)
			return r;
		if (pfd[1].revents)
			return logreader_more(reader, err);
		/* Whoever read us is gone: nothing else would tell while all is quiet. */
		if (pfd[2].revents & (POLLERR | POLLHUP))
			return 0;
		if (poll(pfd, 3, watch < 0 ? LOOK_MS : -1) < 0 && errno != EINTR)
			return err_set(err, errno, "wait for the log");
		if (watch >= 0)
			(void)!read(watch, events, sizeof(events));
	}
}

static int print_one(void *ctx, int state, int entry, const char *name, struct err *err)
{
	const struct logs *logs = ctx;
	struct logreader reader = { .entry = entry,
		                    .name = logs->bootstrap   ? BOOTSTRAP_LOG
		                            : logs->idle_warn ? IDLE_WARN_LOG
		                            : logs->hooks     ? HOOKS_LOG
		                                              : LOGFILE_NAME,
		                    .out = STDOUT_FILENO };
	int r = logreader_begin(&reader, logs->tail, err);

	(void)state;
	if (r == 0 && logs->follow)
		r = follow(&reader, err);
	logreader_end(&reader);
	return r < 0 ? err_wrap(err, "the log of '%s'", name) : 0;
}

int cmd_logs(int argc, char **argv, struct err *err)
{
	struct logs logs = { .tail = LOGFILE_ALL };
	struct entries entries;
	int r = entries_options(&options, &logs, argc, argv, 1, &entries, err);

	if (r != 0)
		return r == OPTIONS_HELP ? 0 : r;
	return entries_walk(&entries, print_one, &logs, err);
}
