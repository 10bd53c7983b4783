#include "idle.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "cgroups/usage.h"
#include "processes.h"

/* So many looks in the time, within bounds. */
#define LOOKS 20
#define LOOK_MIN_MS 100
#define LOOK_MAX_MS 30000

#define WARN_SHARE 10

/* Of our own processor time, to add up that of processes. */
#define LOOK_NS INT64_C(100000000)

#define US_PER_S UINT64_C(1000000)

uint64_t idle_warn_s(uint64_t stop_s)
{
	return stop_s / WARN_SHARE < IDLE_WARN_MAX_S ? stop_s / WARN_SHARE
	                                             : IDLE_WARN_MAX_S;
}

int64_t idle_look_ms(uint64_t stop_s)
{
	const int64_t ms = (int64_t)(stop_s * 1000 / LOOKS);

	return ms < LOOK_MIN_MS ? LOOK_MIN_MS : ms > LOOK_MAX_MS ? LOOK_MAX_MS : ms;
}

enum idle_verdict idle_judge(struct idle_clock *clock, int64_t now_ms, bool used)
{
	const int64_t stop_ms = (int64_t)clock->stop_s * 1000;
	const int64_t warn_ms = stop_ms - (int64_t)idle_warn_s(clock->stop_s) * 1000;
	const bool warned = clock->warned;

	if (used) {
		clock->used_ms = now_ms;
		clock->warned = false;
		return warned ? IDLE_AGAIN : IDLE_GO_ON;
	}
	if (now_ms - clock->used_ms >= stop_ms)
		return IDLE_STOP;
	if (warned || now_ms - clock->used_ms < warn_ms)
		return IDLE_GO_ON;
	clock->warned = true;
	return IDLE_WARN;
}

bool idle_cpu_used(uint64_t cpu_us, uint64_t us, uint64_t percent)
{
	return cpu_us > UINT64_MAX / 100 || cpu_us * 100 >= us * percent;
}

void idle_init(struct idle *idle)
{
	idle->limits = idle->timer = idle->session = -EBADF;
}

/* What all processes that are there have used, and those that they waited for. */
static int add_up_processes(const struct idle *idle, uint64_t *ret, struct err *err)
{
	cleanup_close int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_arena struct arena arena = { 0 };
	struct processes list = { .proc = proc,
		                  .init = idle->init,
		                  .pidns = idle->pidns };
	const long per_s = sysconf(_SC_CLK_TCK);
	uint64_t ticks = 0;
	bool found = false;
	int64_t until;
	int r;

	if (proc < 0)
		return err_set(err, errno, "open '/proc'");
	until = clock_ns(CLOCK_THREAD_CPUTIME_ID) + LOOK_NS;
	r = processes_list(&list, until, &arena, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < list.n; i++) {
		struct process *process = &list.process[i];

		if (list.partial || clock_ns(CLOCK_THREAD_CPUTIME_ID) > until)
			return err_set(err, E2BIG, "add up what so many processes use");
		found |= process->pid == list.init;
		if (processes_inside(&list, process))
			ticks += process->ticks;
	}
	if (!found)
		return err_set(err, ESRCH, "find the workspace's init in '/proc'");
	*ret = ticks * US_PER_S / (uint64_t)(per_s > 0 ? per_s : 100);
	return 0;
}

/*
 * Processor time so far. That of the group counts all that ever ran in it; that of processes
 * falls where one ends for which nobody waits.
 */
static int read_cpu(const struct idle *idle, uint64_t *ret, struct err *err)
{
	struct cgroup_usage usage;

	if (idle->limits < 0)
		return add_up_processes(idle, ret, err);
	cgroup_usage_read(idle->limits, &usage);
	if (!usage.has_cpu)
		return err_set(err, ENODATA, "read the cpu.stat of the group");
	*ret = usage.cpu_us;
	return 0;
}

/* Who cannot see stops nobody. */
static bool cpu_was_used(struct idle *idle, int64_t now)
{
	const uint64_t us = (uint64_t)(now - idle->looked_ms) * 1000;
	const uint64_t before = idle->cpu_us;
	struct err err = { 0 };
	char line[512];

	if (read_cpu(idle, &idle->cpu_us, &err) == 0) {
		idle->blind = false;
		return idle->cpu_us > before &&
		       idle_cpu_used(idle->cpu_us - before, us, idle->config->idle_cpu);
	}
	if (!idle->blind) {
		(void)snprintf(line, sizeof(line),
		               "idle: %.300s: %s: taken for use until it can be seen",
		               err.text, strerror(err.code));
		idle->say(idle->ctx, line);
	}
	idle->blind = true;
	return true;
}

static bool session_is_open(const struct idle *idle)
{
	struct pollfd pfd = { .fd = idle->session, .events = POLLIN };

	return poll(&pfd, 1, 0) >= 0 && !(pfd.revents & POLLHUP);
}

static void act(struct idle *idle, enum idle_verdict verdict)
{
	switch (verdict) {
	case IDLE_GO_ON:
		return;
	case IDLE_WARN:
		idle->warn(idle->ctx, idle_warn_s(idle->clock.stop_s));
		return;
	case IDLE_AGAIN:
		idle->again(idle->ctx);
		return;
	case IDLE_STOP:
		/* Once: it has its time to stop. */
		loop_remove(idle->loop, idle->timer);
		drop_fd(&idle->timer);
		idle->stop(idle->ctx);
		return;
	}
}

static void look(struct idle *idle, uint64_t connections)
{
	const int64_t now = clock_ms(CLOCK_MONOTONIC);
	/* Looked at in each case, since it is what was used since the last look. */
	bool used = cpu_was_used(idle, now);

	used |= idle->terminal || connections > 0 || session_is_open(idle);
	idle->looked_ms = now;
	act(idle, idle_judge(&idle->clock, now, used));
}

void idle_connections(struct idle *idle, uint64_t count)
{
	const bool asked = idle->asked;

	idle->asked = false;
	if (idle->timer < 0)
		return;
	if (asked)
		look(idle, count);
	else if (count > 0) /* an answer that came late: the look was without it */
		act(idle, idle_judge(&idle->clock, clock_ms(CLOCK_MONOTONIC), true));
}

static int on_timer(void *ctx, int fd, short revents, struct err *err)
{
	struct idle *idle = ctx;
	uint64_t ticks;

	(void)revents;
	(void)err;
	if (read(fd, &ticks, sizeof(ticks)) != sizeof(ticks))
		return LOOP_GO;
	/* A relay that has not answered for a whole pause does not serve anybody either; it is
	 * asked anew in the next one. */
	idle->asked = !idle->asked && idle->ask(idle->ctx);
	if (!idle->asked)
		look(idle, 0);
	return LOOP_GO;
}

/* The last one has left. */
static int on_session(void *ctx, int fd, short revents, struct err *err)
{
	struct idle *idle = ctx;

	(void)revents;
	(void)err;
	/* Unless somebody has come meanwhile. */
	if (session_is_open(idle))
		return LOOP_GO;
	loop_remove(idle->loop, fd);
	act(idle, idle_judge(&idle->clock, clock_ms(CLOCK_MONOTONIC), true));
	return LOOP_GO;
}

int idle_session(struct idle *idle)
{
	struct err ignored = { 0 };
	char path[40];
	int fd;

	if (idle->session < 0 || idle->timer < 0)
		return -EBADF;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", idle->session);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -EBADF;
	act(idle, idle_judge(&idle->clock, clock_ms(CLOCK_MONOTONIC), true));
	/* In already, where others are there. */
	(void)loop_add(idle->loop, idle->session, POLLIN, on_session, idle, &ignored);
	return fd;
}

/* All who are there hold its other end. */
static int open_session(struct idle *idle, struct err *err)
{
	int pair[2];

	if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_set(err, errno, "make a pipe");
	idle->session = pair[0];
	drop_fd(&pair[1]);
	return 0;
}

int idle_start(struct idle *idle, struct loop *loop, struct err *err)
{
	const int64_t ms = idle_look_ms(idle->config->idle_stop_s);
	const struct timespec pause = { ms / 1000, ms % 1000 * 1000000 };
	const struct itimerspec often = { pause, pause };

	idle->loop = loop;
	idle->looked_ms = clock_ms(CLOCK_MONOTONIC);
	idle->clock = (struct idle_clock){ .stop_s = idle->config->idle_stop_s,
		                           .used_ms = idle->looked_ms };
	if (read_cpu(idle, &idle->cpu_us, err) < 0) {
		(void)err_hint(err, "--idle-stop has to see the workspace's processor "
		                    "time: give the pod a cgroup of its own, or a /proc "
		                    "that shows all processes");
		return err_step(err, "idle");
	}
	if (open_session(idle, err) < 0)
		return err_step(err, "idle");
	idle->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (idle->timer < 0 || timerfd_settime(idle->timer, 0, &often, NULL) < 0)
		return err_set(err, errno, "set a timer");
	return loop_add(loop, idle->timer, POLLIN, on_timer, idle, err);
}

void idle_close(struct idle *idle)
{
	int *const fds[] = { &idle->timer, &idle->session };

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (*fds[i] >= 0 && idle->loop)
			loop_remove(idle->loop, *fds[i]);
		drop_fd(fds[i]);
	}
}
