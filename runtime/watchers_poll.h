#ifndef WATCHERS_POLL_H
#define WATCHERS_POLL_H

#include "config.h"
#include "loop.h"
#include "watchers.h"

/**
 * struct watchers_poll - The supervisor's eye on budgets of which the kernel tells nothing
 * @config:	borrowed, for the budgets
 * @init:	the workspace's PID 1, by its number in our /proc
 * @say:	called when all of a budget is used; @line is for people
 * @ctx:	for @say
 * @pid:	of the child that looks, 0 without one
 * @pidfd:	its
 * @output:	where it writes what it saw
 * @told:	of which kinds it was said, until their use fell
 * @seen, @last: what was seen, and whether anything was
 */
struct watchers_poll {
	const struct config *config;
	pid_t init;
	void (*say)(void *ctx, const char *line);
	void *ctx;
	struct loop *loop;
	int timer, pidfd, output; /* -EBADF when not there */
	pid_t pid;
	bool told[WATCHER_KINDS], seen;
	struct watchers last;
};

/**
 * watchers_poll_start() - Look from now on, where such a budget was asked for, or metrics were
 * @poll:	@config, @init, @say and @ctx are set
 * @loop:	borrowed
 * @err:	filled in on failure
 *
 * Every 5 s while more than half of a budget is used, else every 30 s; less often where a look
 * is expensive, so that looking takes at most a hundredth of one processor's time. A child
 * looks, so that the loop serves others meanwhile.
 *
 * Return: 0 or -errno.
 */
int watchers_poll_start(struct watchers_poll *poll, struct loop *loop, struct err *err);

void watchers_poll_close(struct watchers_poll *poll);

/* For tests: what is said of these, by kind; whether it is time to look often. */
bool watchers_poll_judge(struct watchers_poll *poll, const struct watchers *seen);

#endif
