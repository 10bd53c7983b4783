#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "commands.h"
#include "control.h"
#include "entries.h"
#include "state.h"

/* How long to wait for the socket of a workspace that is being launched before asking
 * whether it still lives. */
#define SOCKET_MS 200

/**
 * struct wait - What to wait for
 * @ready:	readiness, else the end
 * @exit:	--exit was said
 * @timeout_s:	UINT64_MAX for none
 */
struct wait {
	bool ready, exit;
	uint64_t timeout_s;
};

static const struct option rows[] = {
	{ "ready", '\0', NULL, "until it is ready: its init said so, or its command runs",
	  option_flag, offsetof(struct wait, ready) },
	{ "exit", '\0', NULL, "until it has ended, and print its exit code; the default",
	  option_flag, offsetof(struct wait, exit) },
	{ "timeout", '\0', "SECONDS", "fail when that takes longer", option_seconds,
	  offsetof(struct wait, timeout_s) },
};

static const struct options options = {
	.words = "NAME...",
	.about =
		"Wait for workspaces. The exit status is 1 where one was never ready, or "
		"where\nthe time was over.",
	.row = rows,
	.n = sizeof(rows) / sizeof(rows[0]),
};

/* Waits for @fd until @end. Return: 0; -ETIMEDOUT. */
static int wait_for(int fd, int64_t end, struct err *err)
{
	for (;;) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		int64_t left = end == INT64_MAX ? -1 : end - clock_ms(CLOCK_MONOTONIC);
		int n;

		if (end != INT64_MAX && left < 0)
			left = 0;
		n = poll(&pfd, 1, left > 3600000 ? 3600000 : (int)left);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return err_set(err, errno, "wait");
		if (n == 0 && left <= 3600000)
			return err_set(err, ETIMEDOUT, "the time is over");
	}
}

/* Asks, also a workspace that has no socket yet. Return: a connection or -errno. */
static int ask(int entry, const struct control_request *request, int64_t end,
               struct err *err)
{
	cleanup_close int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", entry);
	if (watch >= 0)
		(void)inotify_add_watch(watch, path, IN_CREATE | IN_MOVED_TO);
	for (;;) {
		struct pollfd pfd = { .fd = watch, .events = POLLIN };
		/* Before the question: who ends between the two has had a socket. */
		bool alive = state_alive(entry);
		int sock = control_send(entry, request, err);
		char events[4096];

		if (sock >= 0 || !alive || sock != -ESRCH)
			return sock;
		if (clock_ms(CLOCK_MONOTONIC) >= end) {
			err_clear(err);
			return err_set(err, ETIMEDOUT, "the time is over");
		}
		err_clear(err);
		(void)poll(&pfd, 1, SOCKET_MS);
		(void)!read(watch, events, sizeof(events));
	}
}

/* What the record says of one that nobody can be asked about any more. */
static int from_record(int entry, const char *name, int *ret_code, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	struct record record;
	struct err unread = { 0 };

	(void)entries_wait_dead(entry, ENTRIES_END_MS);
	if (state_read(entry, name, &arena, &record, &unread) < 0)
		return -err->code; /* started with --rm: what control_ask() said counts */
	err_clear(err);
	if (record.status != STATUS_EXITED)
		return err_set(err, EBUSY, "workspace '%s' is being started again", name);
	*ret_code = record.exit_code;
	return 0;
}

static int wait_exit(int entry, const char *name, int64_t end, struct err *err)
{
	const struct control_request request = { .verb = CONTROL_EXIT };
	cleanup_close int sock = ask(entry, &request, end, err);
	struct control_reply reply = { .exit_code = 0 };
	int r = sock;

	if (sock >= 0)
		r = wait_for(sock, end, err);
	if (r == 0)
		r = control_receive(sock, &reply, NULL, err);
	if (r == -ESRCH || r == -ECONNRESET)
		r = from_record(entry, name, &reply.exit_code, err);
	if (r < 0)
		return r;
	(void)entries_wait_dead(entry, ENTRIES_END_MS);
	(void)printf("%d\n", reply.exit_code);
	return 0;
}

static int wait_ready(int entry, int64_t end, struct err *err)
{
	const struct control_request request = { .verb = CONTROL_READY };
	cleanup_close int sock = ask(entry, &request, end, err);
	struct control_reply reply;
	int r = sock;

	if (sock >= 0)
		r = wait_for(sock, end, err);
	return r < 0 ? r : control_receive(sock, &reply, NULL, err);
}

static int wait_one(void *ctx, int state, int entry, const char *name, struct err *err)
{
	const struct wait *wait = ctx;
	int64_t end = INT64_MAX;
	int r;

	(void)state;
	if (wait->timeout_s != UINT64_MAX)
		end = clock_ms(CLOCK_MONOTONIC) + (int64_t)wait->timeout_s * 1000;
	r = wait->ready ? wait_ready(entry, end, err) : wait_exit(entry, name, end, err);
	if (r == 0)
		return 0;
	(void)err_wrap(err, "wait for '%s'", name);
	if (r != -ETIMEDOUT && !wait->ready)
		return r;
	/* No failure of ours, so not 125; the reason is to be seen all the same. */
	(void)err_step(err, "wait");
	log_err(err);
	err_clear(err);
	return 1;
}

int cmd_wait(int argc, char **argv, struct err *err)
{
	struct wait wait = { .timeout_s = UINT64_MAX };
	struct entries entries;
	int r = entries_options(&options, &wait, argc, argv, 0, &entries, err);

	if (r != 0)
		return r == OPTIONS_HELP ? 0 : r;
	if (wait.ready && wait.exit) {
		(void)err_set(err, EINVAL, "--ready and --exit exclude each other");
		return err_step(err, "options");
	}
	return entries_walk(&entries, wait_one, &wait, err);
}
