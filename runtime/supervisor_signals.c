#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

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

void supervisor_unblock_signals(struct supervisor *sup)
{
	if (sup->ws->masked)
		signals_unblock(&sup->old_mask);
	sup->ws->masked = false;
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

int supervisor_on_stop_timer(void *ctx, int fd, short revents, struct err *err)
{
	struct supervisor *sup = ctx;
	uint64_t ticks;

	(void)revents;
	if (read(fd, &ticks, sizeof(ticks)) != sizeof(ticks))
		return LOOP_GO;
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
