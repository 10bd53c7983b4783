#include "supervisor_internal.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "cgroups/remove.h"
#include "exec.h"
#include "signals.h"
#include "unshare.h"

/*
 * An image that reboots again and again would else keep a processor busy outside its limits, and
 * fill the audit log with its starts.
 */
#define SHORT_LIFE_MS 600000
#define REST_MAX_S 300

void supervisor_kill_warden(const struct supervisor *sup)
{
	/* By number: nobody else has it before our waitpid(), and it takes no call that may
	 * be hidden, where we would wait for ever. */
	if (sup->launch.warden > 0)
		(void)kill(sup->launch.warden, SIGKILL);
}

void supervisor_close_ns(struct supervisor *sup)
{
	for (size_t i = 0; i < NS_MAX; i++)
		drop_fd(&sup->ns[i]);
}

void supervisor_dismiss_warden(struct supervisor *sup)
{
	struct launch *l = &sup->launch;

	/* After SYNC_EXITED it leaves by itself; killing it meanwhile changes nothing. */
	supervisor_kill_warden(sup);
	if (l->warden > 0)
		sup->ws->warden = l->warden;
	l->warden = 0;
	supervisor_close_ns(sup);
	ports_close(&sup->ports);
}

static void reap_warden(struct workspace *ws)
{
	int status;

	if (ws->warden <= 0)
		return;
	while (waitpid(ws->warden, &status, 0) < 0 && errno == EINTR)
		continue;
	ws->warden = 0;
}

void supervise_end(struct workspace *ws)
{
	reap_warden(ws);
	if (ws->masked)
		signals_unblock(&ws->old_mask);
	ws->masked = false;
}

void supervisor_end_warden(struct supervisor *sup)
{
	supervisor_dismiss_warden(sup);
	reap_warden(sup->ws);
}

void supervisor_heard_end(struct supervisor *sup)
{
	loop_remove(&sup->loop, sup->launch.sync.warden[0]);
	loop_remove(&sup->loop, sup->launch.ended[0]);
}

static int remove_group_in(void *arg, struct err *err)
{
	const struct supervisor *sup = arg;
	char name[sizeof(CGROUP_PREFIX) + STATE_NAME_MAX];

	(void)snprintf(name, sizeof(name), CGROUP_PREFIX "%s", sup->ws->config->name);
	return cgroup_remove(sup->launch.cgroup, name, err);
}

/* For whoever started us, and, of a detached one, for the log. */
static void say_left(struct supervisor *sup, const struct err *err)
{
	char line[512];

	(void)snprintf(line, sizeof(line), "%.400s: %s, left for the next berth command",
	               err->text, strerror(err->code));
	supervisor_say(sup, line);
}

/* Root inside cannot give any of these away. Return: whether none is left. */
static bool remove_cgroup1(struct supervisor *sup)
{
	char name[sizeof(CGROUP_PREFIX) + STATE_NAME_MAX];
	bool gone = true;

	(void)snprintf(name, sizeof(name), CGROUP_PREFIX "%s", sup->ws->config->name);
	for (size_t i = 0; i < CGROUP1_MAX; i++) {
		struct cgroup1_group *group = &sup->launch.cgroup1[i];
		struct err err = { 0 };

		drop_fd(&group->payload);
		drop_fd(&group->limits);
		if (group->own >= 0 && cgroup_remove(group->own, name, &err) < 0) {
			say_left(sup, &err);
			gone = false;
		}
		drop_fd(&group->own);
	}
	return gone;
}

void supervisor_remove_group(struct supervisor *sup)
{
	struct workspace *ws = sup->ws;
	const bool made = sup->launch.limits >= 0;
	const bool planned = *ws->record.cgroup;
	struct err err = { 0 };
	bool left;

	watch_close(&sup->watch);
	watchers_poll_close(&sup->watchers);
	drop_fd(&sup->launch.payload);
	drop_fd(&sup->launch.relay_group);
	drop_fd(&sup->launch.limits);
	left = !remove_cgroup1(sup) || (!made && ws->left);
	/* systemd inside gives groups to its users, whom only their namespace maps. */
	if (made && unshare_retry(remove_group_in, sup, &err) < 0) {
		say_left(sup, &err);
		left = true;
	}
	ws->left = left;
	if (left)
		return;
	ws->record.cgroup = "";
	ws->record.cgroup1_n = 0;
	/* A group of that name is somebody else's, then: nobody is to remove it by our record. */
	if (planned && !made && !ws->unwritten)
		supervisor_write_record(sup);
}

/* The exit status for the caller, and why, for inspect. */
int supervisor_judge(struct supervisor *sup)
{
	struct record *record = &sup->ws->record;
	int status = sup->status, signal;

	if (sup->lost) {
		record->reason = *sup->reason ? sup->reason : "the warden was killed";
		return 128 + SIGKILL;
	}
	/* An end that is meant: nobody is to start it again, as after a failure. */
	if (sup->idled) {
		record->reason = sup->reason;
		return 0;
	}
	/* berth's own init ends with 137 when its command was killed. */
	if (!sup->killed &&
	    (WIFEXITED(status) ? WEXITSTATUS(status) == 128 + SIGKILL
	                       : WTERMSIG(status) == SIGKILL) &&
	    watch_oom(&sup->watch, sup->ws->plan, sup->reason, sizeof(sup->reason))) {
		record->reason = sup->reason;
		return 128 + SIGKILL;
	}
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	signal = WTERMSIG(status);
	/* reboot(2) in a PID namespace: PID 1 never dies of these otherwise, since the
	 * kernel drops signals it has no handler for (kernel/pid_namespace.c). */
	if (signal == SIGINT) {
		record->reason = "powered off";
		return 0;
	}
	if (signal == SIGHUP) {
		record->reason = "rebooted";
		return sup->stopping ? 0 : SUPERVISE_RESTART;
	}
	record->reason = signal == SIGKILL ? "killed by signal 9" : "killed by a signal";
	return 128 + signal;
}

/* 1 s after a short life, then 2, 4, ... */
int supervisor_rest_s(int64_t lived_ms, unsigned int *short_lives)
{
	const unsigned int before = *short_lives;

	if (lived_ms > SHORT_LIFE_MS) {
		*short_lives = 0;
		return 0;
	}
	*short_lives += before < UINT_MAX;
	return before < 9 && 1 << before < REST_MAX_S ? 1 << before : REST_MAX_S;
}

/* Signals and requests still have their answer meanwhile. */
int supervisor_rest(struct supervisor *sup)
{
	struct itimerspec when = { 0 };
	struct err ignored = { 0 };

	if (sup->ws->config->remove)
		return SUPERVISE_RESTART;
	/* While hooks ran. */
	if (sup->stopping)
		return 0;
	when.it_value.tv_sec =
		supervisor_rest_s(clock_ms(CLOCK_REALTIME) - sup->ws->record.started_ms,
	                          &sup->ws->short_lives);
	if (when.it_value.tv_sec == 0)
		return SUPERVISE_RESTART;
	supervisor_end_warden(sup);
	sup->resting = true;
	supervisor_heard_end(sup);
	if (timerfd_settime(sup->stop_timer, 0, &when, NULL) == 0)
		(void)loop_run(&sup->loop, &ignored);
	/* Who asked for its end when the time was over was not heard yet. */
	control_catch_up(&sup->control);
	return sup->stopping ? 0 : SUPERVISE_RESTART;
}

bool supervisor_finish(struct supervisor *sup, int code, const struct err *err)
{
	struct record *record = &sup->ws->record;

	if (code < 0 && record->status != STATUS_RUNNING)
		return false;
	if (code < 0) {
		(void)snprintf(sup->reason, sizeof(sup->reason), "%.120s", err->text);
		record->reason = sup->reason;
	}
	record->status = STATUS_EXITED;
	record->ready = false;
	record->init = 0;
	record->finished_ms = clock_ms(CLOCK_REALTIME);
	record->exit_code = code < 0 ? EXEC_FAILED : code == SUPERVISE_RESTART ? 0 : code;
	record->ports_n = 0;
	/* Nobody else looks at one that is about to go. */
	if (!record->remove || hooks_any(&sup->hooks, HOOK_POSTSTOP))
		supervisor_write_record(sup);
	return true;
}
