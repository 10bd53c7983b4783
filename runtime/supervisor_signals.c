#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "control.h"
#include "pidfd.h"
#include "signals.h"
#include "stdio.h"
#include "story.h"
#include "supervisor_internal.h"

/* What ends a workspace from outside: signals, and the time of a stop. */

/* Every signal is blocked before the first child is born, and read from here. */
int supervisor_block_signals(struct supervisor *sup, struct err *err)
{
	static const int faults[] = { SIGSEGV, SIGBUS,  SIGILL, SIGFPE,
		                      SIGABRT, SIGTRAP, SIGSYS, SIGPIPE,
		                      SIGTSTP, SIGTTIN, SIGTTOU };
	sigset_t all;

	(void)sigfillset(&all);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		(void)sigdelset(&all, faults[i]);
	if (sigprocmask(SIG_BLOCK, &all, &sup->old_mask) < 0)
		return err_set(err, errno, "block signals");
	/* After a reboot they still are. */
	if (!sup->ws->masked)
		sup->ws->old_mask = sup->old_mask;
	sup->old_mask = sup->ws->old_mask;
	sup->ws->masked = true;
	sup->signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	sup->stop_timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (sup->signals < 0 || sup->stop_timer < 0)
		return err_set(err, errno, "receive signals");
	return 0;
}

/* Hooks of the begin may take as long as they like; those of the end clear up. */
static int break_hook(struct supervisor *sup, struct err *err)
{
	const struct hook *hook = &sup->ws->config->hook[sup->hooks.at];

	(void)err_set(err, ECANCELED,
	              "the workspace was stopped while the %s hook '%s' ran",
	              hook_kind_name[hook->kind], hook->argv[0]);
	return err_step(err, "hook");
}

int supervisor_end_due(struct supervisor *sup, struct err *err)
{
	if (!sup->hooks.busy)
		return LOOP_STOP;
	return sup->hooks.kind == HOOK_POSTSTOP ? LOOP_GO : break_hook(sup, err);
}

/* init's own idea of a polite end (docker's STOPSIGNAL, systemd(1)). */
static int polite_signal(const struct supervisor *sup)
{
	struct err ignored = { 0 };
	int signal;

	if (sup->ws->config->stop_signal &&
	    signal_parse(sup->ws->config->stop_signal, &signal, &ignored) == 0)
		return signal;
	return sup->ws->plan->init == INIT_SYSTEMD ? SIGRTMIN + 3 : SIGTERM;
}

static int wait_until(const struct supervisor *sup, const struct timespec *when,
                      struct err *err)
{
	const struct itimerspec timer = { .it_value = *when };

	return timerfd_settime(sup->stop_timer, TFD_TIMER_ABSTIME, &timer, NULL) < 0
	               ? err_set(err, errno, "set a timer")
	               : 0;
}

static int ask_init(struct supervisor *sup, struct err *err)
{
	int r = wait_until(sup, &sup->deadline, err);

	sup->held = false;
	return r < 0 ? r : pidfd_kill(sup->launch.init_pidfd, polite_signal(sup), err);
}

void supervisor_bootstrap_left(void *ctx)
{
	struct supervisor *sup = ctx;
	struct err err = { 0 };

	if (sup->held && ask_init(sup, &err) < 0)
		log_warn("%s: %s", err.text, strerror(err.code));
}

/*
 * What a script has to clear up takes network, files and daemons, so it is asked while they are
 * there. One that does not end leaves init half of the time.
 */
int supervisor_stop(void *ctx, uint64_t timeout_s, struct err *err)
{
	struct supervisor *sup = ctx;
	struct timespec half;

	sup->stopping = true;
	if (sup->resting)
		timeout_s = 0;
	else if (timeout_s == CONTROL_DEFAULT_TIMEOUT)
		timeout_s = sup->ws->config->stop_timeout_s;
	(void)clock_gettime(CLOCK_MONOTONIC, &half);
	sup->deadline = half;
	sup->deadline.tv_sec += (time_t)timeout_s;
	/* Once only: another stop while it runs gives another time. */
	if (timeout_s > 0 && !sup->exited &&
	    (sup->held || bootstrap_stop(&sup->bootstrap))) {
		sup->held = true;
		half.tv_sec += (time_t)timeout_s / 2;
		half.tv_nsec += timeout_s % 2 ? 500000000 : 0;
		half.tv_sec += half.tv_nsec / 1000000000;
		half.tv_nsec %= 1000000000;
		return wait_until(sup, &half, err);
	}
	return ask_init(sup, err);
}

int supervisor_on_stop_timer(void *ctx, int fd, short revents, struct err *err)
{
	struct supervisor *sup = ctx;
	uint64_t ticks;

	(void)revents;
	if (read(fd, &ticks, sizeof(ticks)) != sizeof(ticks))
		return LOOP_GO;
	if (sup->held)
		return ask_init(sup, err);
	sup->overdue = true;
	if (sup->exited)
		return supervisor_end_due(sup, err);
	sup->killed = true;
	return pidfd_kill(sup->launch.init_pidfd, SIGKILL, err);
}

/* For init there is nothing in it any more. */
static int end_by_signal(struct supervisor *sup, const struct signalfd_siginfo *info,
                         struct err *err)
{
	const int signal = (int)info->ssi_signo;

	if (signal != SIGTERM && signal != SIGINT && signal != SIGHUP &&
	    signal != SIGQUIT)
		return LOOP_GO;
	supervisor_audit_stop(sup, info->ssi_pid, info->ssi_uid, 0);
	return supervisor_stop(sup, 0, err);
}

/* To systemd these mean other things than to a user; daemons get their time, and no more;
 * and a pod ends by SIGTERM, whatever its command makes of that, and an image may say that
 * it ends by another signal. */
static bool means_stop(const struct supervisor *sup, int signal)
{
	if (signal == SIGTERM &&
	    (sup->ws->config->entrypoint || sup->ws->config->stop_signal))
		return true;
	return (sup->ws->plan->init == INIT_SYSTEMD || sup->ws->plan->service_n > 0) &&
	       (signal == SIGTERM || signal == SIGINT || signal == SIGHUP);
}

static int stop_by_signal(struct supervisor *sup, int signal, struct err *err)
{
	story_stop(sup->ws->config, signal);
	return supervisor_stop(sup, CONTROL_DEFAULT_TIMEOUT, err);
}

int supervisor_on_signal(void *ctx, int fd, short revents, struct err *err)
{
	struct supervisor *sup = ctx;
	struct signalfd_siginfo info;

	(void)revents;
	while (read(fd, &info, sizeof(info)) == sizeof(info)) {
		int signal = (int)info.ssi_signo, r = 0;

		if (signal == SIGWINCH || signal == SIGCONT)
			stdio_winch(&sup->stdio);
		else if (signal == SIGCHLD)
			continue; /* the warden's end comes by its socket */
		else if (sup->exited)
			r = end_by_signal(sup, &info, err);
		else if (means_stop(sup, signal)) {
			supervisor_audit_stop(sup, info.ssi_pid, info.ssi_uid, 0);
			r = stop_by_signal(sup, signal, err);
		} else {
			supervisor_audit_stop(sup, info.ssi_pid, info.ssi_uid, signal);
			r = pidfd_kill(sup->launch.init_pidfd, signal, err);
		}
		sup->stopping |= signal == SIGTERM;
		if (r < 0)
			return r;
	}
	return LOOP_GO;
}
