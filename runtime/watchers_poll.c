#include "watchers_poll.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/syscall.h"

#define SELDOM_S 30
#define OFTEN_S 5
/* One part of so many of a processor's time. */
#define SHARE 100
#define US_PER_S 1000000L

/* Below so many percent it was free again, and is worth another line. */
#define FREE_AGAIN 90

static bool asked(const struct config *config)
{
	if (config->metrics_listen)
		return true;
	for (int i = 0; i < WATCHER_KINDS; i++)
		if (config->budget[watcher_kind[i].budget] != LIMIT_UNSET)
			return true;
	return false;
}

bool watchers_poll_judge(struct watchers_poll *poll, const struct watchers *seen)
{
	bool often = false;

	for (int i = 0; i < WATCHER_KINDS; i++) {
		const uint64_t most = poll->config->budget[watcher_kind[i].budget];
		const uint64_t use = seen->use[i];
		char who[256], line[512];

		if (most == LIMIT_UNSET || most == 0)
			continue;
		often |= use > most / 2;
		if (use < most) {
			poll->told[i] &= use * 100 >= most * FREE_AGAIN;
			continue;
		}
		if (poll->told[i])
			continue;
		poll->told[i] = true;
		watchers_text(seen, (enum watcher_kind)i, who, sizeof(who));
		(void)snprintf(
			line, sizeof(line), "watchers: %s at 100 %% of %" PRIu64 "%s%s",
			watcher_kind[i].words, most, *who ? ", of them " : "", who);
		poll->say(poll->ctx, line);
	}
	return often;
}

static int set_timer(struct watchers_poll *poll, long seconds, struct err *err)
{
	const struct itimerspec when = { .it_value.tv_sec = seconds };

	if (timerfd_settime(poll->timer, 0, &when, NULL) < 0)
		return err_set(err, errno, "set a timer");
	return LOOP_GO;
}

/* The child: what a read of /proc takes nobody can bound, so nobody waits for it. */
static void look(pid_t init, int output)
{
	struct err ignored = { 0 };
	struct watchers seen;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Less than PIPE_BUF: all of it or nothing. */
	if (watchers_count(init, &seen, &ignored) == 0)
		(void)!write(output, &seen, sizeof(seen));
	_exit(0);
}

/* Takes the child's end. Return: the seconds of CPU time it took, rounded up, times SHARE. */
static long reap(struct watchers_poll *poll)
{
	struct rusage use = { 0 };

	while (wait4(poll->pid, NULL, 0, &use) < 0 && errno == EINTR)
		continue;
	poll->pid = 0;
	return ((use.ru_utime.tv_sec + use.ru_stime.tv_sec) * US_PER_S +
	        use.ru_utime.tv_usec + use.ru_stime.tv_usec) *
	               SHARE / US_PER_S +
	       1;
}

static void forget_look(struct watchers_poll *poll)
{
	if (poll->pidfd >= 0)
		loop_remove(poll->loop, poll->pidfd);
	drop_fd(&poll->pidfd);
	drop_fd(&poll->output);
	if (poll->pid <= 0)
		return;
	(void)kill(poll->pid, SIGKILL);
	(void)reap(poll);
}

static int on_look(void *ctx, int fd, short revents, struct err *err)
{
	struct watchers_poll *poll = ctx;
	const long least = reap(poll);
	struct watchers *seen = &poll->last;
	long pause = SELDOM_S;

	(void)fd;
	(void)revents;
	/* The workspace's end is told by others. */
	if (read(poll->output, seen, sizeof(*seen)) == sizeof(*seen)) {
		poll->seen = true;
		if (watchers_poll_judge(poll, seen))
			pause = OFTEN_S;
	}
	forget_look(poll);
	return set_timer(poll, pause > least ? pause : least, err);
}

static int start_look(struct watchers_poll *poll, struct err *err)
{
	cleanup_close int far = -EBADF;
	int pair[2];

	_Static_assert(sizeof(struct watchers) <= 4096, "PIPE_BUF");
	if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_set(err, errno, "make a pipe");
	poll->output = pair[0];
	far = pair[1];
	poll->pid = fork();
	if (poll->pid == 0)
		look(poll->init, far);
	if (poll->pid < 0)
		return err_set(err, errno, "start a process");
	poll->pidfd = sys_pidfd_open(poll->pid, 0);
	if (poll->pidfd < 0)
		return err_set(err, errno, "watch a process");
	return loop_add(poll->loop, poll->pidfd, POLLIN, on_look, poll, err);
}

static int on_timer(void *ctx, int fd, short revents, struct err *err)
{
	struct watchers_poll *poll = ctx;
	struct err ignored = { 0 };
	uint64_t ticks;

	(void)revents;
	if (read(fd, &ticks, sizeof(ticks)) != sizeof(ticks))
		return LOOP_GO;
	if (start_look(poll, &ignored) == 0)
		return LOOP_GO;
	/* The pod has no room for one more process: later, then. */
	forget_look(poll);
	return set_timer(poll, SELDOM_S, err);
}

int watchers_poll_start(struct watchers_poll *poll, struct loop *loop, struct err *err)
{
	poll->timer = poll->pidfd = poll->output = -EBADF;
	if (!asked(poll->config))
		return 0;
	poll->loop = loop;
	poll->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (poll->timer < 0)
		return err_set(err, errno, "make a timer");
	if (loop_add(loop, poll->timer, POLLIN, on_timer, poll, err) < 0)
		return -err->code;
	return set_timer(poll, OFTEN_S, err);
}

void watchers_poll_close(struct watchers_poll *poll)
{
	if (!poll->loop)
		return;
	forget_look(poll);
	loop_remove(poll->loop, poll->timer);
	drop_fd(&poll->timer);
}
