#ifndef WATCH_H
#define WATCH_H

#include "cgroups/events.h"
#include "cgroups/v1.h"
#include "config.h"
#include "loop.h"
#include "plan.h"

/**
 * struct watch - The supervisor's eye on the counters of the workspace's group
 * @limits:	the group, borrowed; negative: there is none, and nothing happens
 * @cgroup1:	CGROUP1_MAX groups on cgroup v1, borrowed. They tell nobody of a change, so
 *		they are read whenever @limits are, and at the end
 * @config:	borrowed, for the limits in words
 * @changed:	called when something was killed or refused; @line is for people
 * @ctx:	for @changed
 * @now:	the counters as last read
 * @fd, @timer:	-EBADF when not there
 * @pause_s:	how long the files are left alone after an event
 */
struct watch {
	int limits;
	const struct cgroup1_group *cgroup1;
	const struct config *config;
	void (*changed)(void *ctx, const char *line);
	void *ctx;
	struct cgroup_events now;
	struct loop *loop;
	int fd[CGROUP_EVENT_FILES], timer;
	unsigned int pause_s;
};

/**
 * watch_start() - Watch from now on
 * @watch:	@limits, @config, @changed and @ctx are set
 * @loop:	borrowed
 * @err:	filled in on failure
 *
 * Bounded: a fork bomb changes its counter without end, so after each event the files
 * rest, for a second first and a minute at last.
 *
 * Return: 0 or -errno.
 */
int watch_start(struct watch *watch, struct loop *loop, struct err *err);

/* Reads the counters a last time, while the group is there. */
void watch_finish(struct watch *watch);

void watch_close(struct watch *watch);

/**
 * watch_oom() - Why a workspace that ended by SIGKILL did
 * @watch:	after watch_finish()
 * @plan:	whose command it was
 * @ret:	"OOM-killed at memory.max 512 MiB: process 'node'"
 * @size:	of @ret
 *
 * A process is named only where it is PID 1 itself; under berth's own init what is known
 * is whose command it was.
 *
 * Return: false where nothing was killed for want of memory.
 */
bool watch_oom(const struct watch *watch, const struct plan *plan, char *ret,
               size_t size);

#endif
