#ifndef SUPERVISOR_H
#define SUPERVISOR_H

#include <signal.h>

#include "auditlog.h"
#include "config.h"
#include "facts.h"
#include "plan.h"
#include "state.h"

/**
 * struct workspace - What the supervisor is given
 * @config, @facts, @plan: borrowed
 * @state:	directory of entries
 * @entry:	ours in it, locked
 * @lock:	keeps it locked
 * @state_path:	the same as @state, as a path
 * @arena:	owns what is added to @record; lives as long as that
 * @record:	what is written to state.json; its strings are borrowed
 * @audit_rate:	of each kind of event, over all of its lives
 * @short_lives: how many there were in a row, each ended by a reboot
 * @masked:	signals are blocked, and stay so between two lives; @old_mask is what they were
 * @unwritten:	the record is not in @entry yet: while the warden is being born there is time for it
 * @left:	a group could not be removed, which was said: the record leads to it
 * @warden:	killed, and not reaped yet: supervise_end(); else 0
 * @started:	called once the payload runs, before it is waited for; may be NULL
 * @ctx:	for @started
 */
struct workspace {
	const struct config *config;
	const struct facts *facts;
	const struct plan *plan;
	int state, entry, lock;
	const char *state_path;
	struct arena *arena;
	struct record record;
	struct auditlog_rate audit_rate[EVENT_MAX];
	unsigned int short_lives;
	bool masked, unwritten, left;
	pid_t warden;
	sigset_t old_mask;
	void (*started)(void *ctx);
	void *ctx;
};

/* The workspace ended by reboot(2), which asks for another start. */
#define SUPERVISE_RESTART 256

/**
 * supervise() - Launch a workspace and serve it until its end
 * @ws:		what and where
 * @err:	why it could not be launched
 *
 * Everything made on the way is undone, in a failure as at the end: processes, groups,
 * the control socket. The entry's record is written at each change; whether the entry
 * stays is the caller's business. With SUPERVISE_RESTART signals stay blocked: one that comes before
 * the next life is the caller's to see.
 *
 * After an end that needs no other life, the kernel may still be taking down the namespaces of the
 * warden, who was killed: the caller clears up meanwhile, and calls supervise_end().
 *
 * Return: the exit status of the workspace, 0 to 255, or SUPERVISE_RESTART; -errno
 * where it was never started.
 */
int supervise(struct workspace *ws, struct err *err);

/*
 * Wait until the kernel has taken down all of it, and let signals through again, but those that came
 * until now: they are not to change how it ended.
 */
void supervise_end(struct workspace *ws);

#endif
