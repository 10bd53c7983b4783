#include "watch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/fd.h"

#define PAUSE_MAX_S 64

/* The counters of cgroup v1 wake nobody up, so they are looked at that often. */
#define PAUSE_V1_S 5

/* The file that holds the limit of memory. */
static const char *memory_file(const struct watch *watch)
{
	for (size_t i = 0; i < CGROUP1_MAX; i++)
		if (watch->cgroup1[i].fact &&
		    cgroup1_find(watch->cgroup1[i].fact, 1, "memory"))
			return knob_info[KNOB_MEMORY].file_v1;
	return knob_info[KNOB_MEMORY].file;
}

/* "memory.max 512 MiB", in the largest unit that divides it. */
static void memory_words(const struct watch *watch, char *ret, size_t size)
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
	const struct limit *limit = config_limit(watch->config, KNOB_MEMORY);
	uint64_t number = limit ? limit->number : 0;
	size_t unit = 0;

	while (unit < 4 && number > 0 && number % 1024 == 0) {
		number /= 1024;
		unit++;
	}
	(void)snprintf(ret, size, "%s %" PRIu64 " %s", memory_file(watch), number,
	               units[unit]);
}

/*
 * Whose limit it was: the group's own where its counter rose, else that of a group
 * inside (docker run -m), or of the pod.
 */
static bool own_limit(const struct watch *watch)
{
	return watch->now.oom > 0 && config_limit(watch->config, KNOB_MEMORY);
}

static void look(struct watch *watch)
{
	struct cgroup_events old = watch->now;
	char line[256], limit[64];

	cgroup_events_read(watch->limits, &watch->now);
	for (size_t i = 0; i < CGROUP1_MAX; i++)
		if (watch->cgroup1[i].fact)
			cgroup1_events(&watch->cgroup1[i], &watch->now);
	if (watch->now.oom_kill > old.oom_kill) {
		memory_words(watch, limit, sizeof(limit));
		(void)snprintf(line, sizeof(line),
		               "memory: %" PRIu64
		               " of the workspace's processes OOM-killed %s%s",
		               watch->now.oom_kill - old.oom_kill,
		               own_limit(watch) ? "at "
		                                : "by a limit inside, or the pod's",
		               own_limit(watch) ? limit : "");
		watch->changed(watch->ctx, line);
	}
	if (watch->now.pids_max > old.pids_max) {
		const struct limit *pids = config_limit(watch->config, KNOB_PIDS);

		(void)snprintf(line, sizeof(line),
		               "pids: the workspace reached pids.max%s%s, %" PRIu64
		               " forks failed so far",
		               pids ? " " : "", pids ? pids->text : "",
		               watch->now.pids_max);
		watch->changed(watch->ctx, line);
	}
}

static bool has_v1(const struct watch *watch)
{
	for (size_t i = 0; i < CGROUP1_MAX; i++)
		if (watch->cgroup1[i].fact)
			return true;
	return false;
}

static int set_timer(struct watch *watch, int seconds, struct err *err)
{
	struct itimerspec when = { .it_value.tv_sec = seconds };

	if (timerfd_settime(watch->timer, 0, &when, NULL) < 0)
		return err_set(err, errno, "set a timer");
	return LOOP_GO;
}

static int on_event(void *ctx, int fd, short revents, struct err *err)
{
	struct watch *watch = ctx;
	const int pause = watch->pause_s;

	(void)revents;
	cgroup_events_seen(fd);
	look(watch);
	loop_set_events(watch->loop, fd, 0);
	if (watch->pause_s < PAUSE_MAX_S)
		watch->pause_s *= 2;
	return set_timer(watch, pause, err);
}

static int on_timer(void *ctx, int fd, short revents, struct err *err)
{
	struct watch *watch = ctx;
	uint64_t ticks;

	(void)revents;
	if (read(fd, &ticks, sizeof(ticks)) != sizeof(ticks))
		return LOOP_GO;
	look(watch);
	for (size_t i = 0; i < CGROUP_EVENT_FILES; i++)
		loop_set_events(watch->loop, watch->fd[i], POLLPRI);
	return has_v1(watch) ? set_timer(watch, PAUSE_V1_S, err) : LOOP_GO;
}

int watch_start(struct watch *watch, struct loop *loop, struct err *err)
{
	bool any = has_v1(watch);

	watch->timer = -EBADF;
	watch->pause_s = 1;
	watch->loop = loop;
	for (size_t i = 0; i < CGROUP_EVENT_FILES; i++)
		watch->fd[i] = -EBADF;
	if (watch->limits >= 0)
		cgroup_events_open(watch->limits, watch->fd);
	for (size_t i = 0; i < CGROUP_EVENT_FILES; i++) {
		if (watch->fd[i] < 0)
			continue;
		any = true;
		if (loop_add(loop, watch->fd[i], POLLPRI, on_event, watch, err) < 0)
			return -err->code;
	}
	if (!any)
		return 0;
	watch->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (watch->timer < 0)
		return err_set(err, errno, "make a timer");
	if (loop_add(loop, watch->timer, POLLIN, on_timer, watch, err) < 0)
		return -err->code;
	return has_v1(watch) ? set_timer(watch, PAUSE_V1_S, err) : 0;
}

void watch_finish(struct watch *watch)
{
	if (watch->loop)
		look(watch);
}

void watch_close(struct watch *watch)
{
	if (!watch->loop)
		return;
	for (size_t i = 0; i < CGROUP_EVENT_FILES; i++) {
		loop_remove(watch->loop, watch->fd[i]);
		drop_fd(&watch->fd[i]);
	}
	loop_remove(watch->loop, watch->timer);
	drop_fd(&watch->timer);
}

bool watch_oom(const struct watch *watch, const struct plan *plan, char *ret, size_t size)
{
	const char *slash = strrchr(plan->command[0], '/');
	char limit[64];

	if (watch->now.oom_kill == 0)
		return false;
	memory_words(watch, limit, sizeof(limit));
	(void)snprintf(ret, size, "OOM-killed %s%s: %s '%s'",
	               own_limit(watch) ? "at " : "by a limit inside, or the pod's",
	               own_limit(watch) ? limit : "",
	               plan->init == INIT_BERTH ? "command" : "process",
	               slash ? slash + 1 : plan->command[0]);
	return true;
}
