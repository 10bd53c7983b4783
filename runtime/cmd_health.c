#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "commands.h"
#include "control.h"
#include "entries.h"
#include "options.h"
#include "state.h"

/* How long a supervisor may take that does nothing but answer. */
#define ANSWER_S 5

/**
 * struct health - What is asked
 * @ready:	for readiness, else for life
 * @timeout_s:	seconds that the supervisor has to answer
 */
struct health {
	bool ready;
	uint64_t timeout_s;
};

static const struct option rows[] = {
	{ "ready", '\0', NULL,
	  "whether it is ready, too: its init said so, or its command runs", option_flag,
	  offsetof(struct health, ready) },
	{ "timeout", '\0', "SECONDS", "how long its supervisor may take to answer (5)",
	  option_seconds, offsetof(struct health, timeout_s) },
};

static const struct options options = {
	.words = "[NAME]",
	.about = "Say how a workspace is, without waiting: for probes.\nThe exit status "
		 "is 1 "
		 "where it does not live, does not answer, or is not ready.",
	.row = rows,
	.n = sizeof(rows) / sizeof(rows[0]),
};

/* Whether the supervisor serves. Return: 0; -ETIMEDOUT; else -errno. */
static int ping(int entry, uint64_t timeout_s, struct err *err)
{
	const struct control_request request = { .verb = CONTROL_PING };
	cleanup_close int sock = control_send(entry, &request, err);
	struct pollfd pfd = { .fd = sock, .events = POLLIN };
	struct control_reply reply;
	int n;

	if (sock < 0)
		return sock;
	do
		n = poll(&pfd, 1, timeout_s > 3600 ? 3600000 : (int)timeout_s * 1000);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_set(err, errno, "wait for its supervisor");
	if (n == 0)
		return err_set(err, ETIMEDOUT, "its supervisor does not answer");
	return control_receive(sock, &reply, NULL, err);
}

/* Return: 0 where it is as it should be; -errno, and @err says what it is not. */
static int look(int entry, const char *name, const struct health *health, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	struct record record;
	int r;

	if (!state_alive(entry))
		return err_set(err, ESRCH, "it does not run");
	r = state_read(entry, name, &arena, &record, err);
	if (r == -ENOENT) { /* born a moment ago */
		err_clear(err);
		record.status = STATUS_CREATED;
	} else if (r < 0) {
		return r;
	}
	/* A launch takes its time, and is bounded by nobody but the probe's own patience. */
	if (record.status == STATUS_PULLING || record.status == STATUS_CREATED) {
		if (health->ready)
			return err_set(err, EAGAIN,
			               "it is not ready: it is being started");
		(void)puts("starting");
		return 0;
	}
	r = ping(entry, health->timeout_s, err);
	if (r < 0)
		return r;
	if (health->ready && !record.ready)
		return err_set(err, EAGAIN, "it is not ready");
	(void)puts(record.ready ? "ready" : "running");
	return 0;
}

static int ask(const char *name, const struct health *health, struct err *err)
{
	cleanup_close int state = entries_open(err), entry = -EBADF;
	cleanup_arena struct arena arena = { 0 };
	int r = state;

	if (state == -ENOENT) {
		err_clear(err);
		r = err_set(err, ESRCH, "no workspace runs here");
	}
	if (r >= 0 && !name)
		r = entries_only(state, &arena, &name, err);
	if (r >= 0)
		r = entry = state_entry(state, name, err);
	if (r >= 0)
		r = look(entry, name, health, err);
	return r < 0 && name ? err_wrap(err, "workspace '%s'", name) : r;
}

int cmd_health(int argc, char **argv, struct err *err)
{
	struct health health = { .timeout_s = ANSWER_S };
	int first = options_parse(&options, &health, argc, argv, err);

	if (first == OPTIONS_HELP)
		return 0;
	if (first >= 0 && first + 1 < argc)
		first = err_set(err, EINVAL, "health: unexpected '%s'", argv[first + 1]);
	if (first < 0)
		return err_step(err, "options");
	if (ask(first < argc ? argv[first] : NULL, &health, err) >= 0)
		return 0;
	/* No failure of ours, so not 125; the reason is to be seen all the same. */
	(void)err_step(err, "health");
	log_err(err);
	err_clear(err);
	return 1;
}
