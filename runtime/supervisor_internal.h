#ifndef SUPERVISOR_INTERNAL_H
#define SUPERVISOR_INTERNAL_H

/* What the supervisor's files share: supervisor.c and the supervisor_*.c. */

#include <signal.h>
#include <stdint.h>
#include <time.h>

#include "auditlog.h"
#include "bootstrap.h"
#include "control.h"
#include "ear.h"
#include "hooks.h"
#include "idle.h"
#include "launch.h"
#include "logfile.h"
#include "loop.h"
#include "metrics_server.h"
#include "ports.h"
#include "refusals.h"
#include "stdio.h"
#include "supervisor.h"
#include "traffic.h"
#include "watch.h"
#include "watchers_poll.h"

/**
 * struct supervisor - A workspace from the supervisor's side
 * @ws:		as given
 * @status:	init's wait status, once @exited
 * @lost:	the warden died without telling it
 * @over:	the command ended, nobody sees that but by our own end, and the warden was killed by us
 * @unrecorded:	the record does not say yet that it runs
 * @stopping:	the end was asked for: no restart
 * @held:	the script of --bootstrap was asked to end, and init is when it has
 * @overdue:	the time that a stop gave is over
 * @killed:	by us, with SIGKILL
 * @idled:	stopped by us, since nobody used it
 * @idle_left:	what the script of --idle-warn is told: "BERTH_IDLE_LEFT=180"
 * @hooked:	hooks of its begin were due, and so are those of its end
 * @reason:	why it ended, where that takes more than a word
 * @group:	of the record, which has none any more when hooks of the end are told
 * @resting:	between two starts; nothing of the workspace is left
 * @signals:	signalfd
 * @stop_timer:	armed while a stop waits for its end
 * @deadline:	of that stop, CLOCK_MONOTONIC
 * @notify:	systemd's READY=1 comes here, by @ear
 * @notify_rest:	armed while @notify is not listened to, since too much came
 * @notify_rate:	of that
 * @ns:		the workspace's namespaces, for exec; opened before init hides its memory,
 *		and closed at its end, since a descriptor keeps a namespace alive
 */
struct supervisor {
	struct workspace *ws;
	struct launch launch;
	struct loop loop;
	struct stdio stdio;
	struct control control;
	struct logfile log;
	struct auditlog audit;
	struct watch watch;
	struct watchers_poll watchers;
	struct ports ports;
	struct arena listed; /* what the record says of ports */
	struct traffic traffic;
	struct metrics_server metrics;
	struct bootstrap bootstrap, idle_warn;
	struct hooks hooks;
	struct idle idle;
	char idle_left[40];
	struct refusals refusals;
	struct seccomp_chosen rules; /* for refusals */
	sigset_t old_mask;
	int signals, stop_timer, notify, notify_rest;
	struct ear ear;
	struct ear_rate notify_rate;
	struct timespec deadline;
	int ns[NS_MAX];
	const char *group;
	bool exited, lost, over, unrecorded, stopping, held, resting, overdue, killed,
		idled, hooked;
	int status;
	char reason[128];
};

/**
 * supervisor_launch() - From the warden's birth until init stands and waits
 * @sup:	signals are open; descriptors of the launch go to it
 * @err:	filled in on failure, with the reason of whoever failed
 *
 * Return: 0 or -errno.
 */
int supervisor_launch(struct supervisor *sup, struct err *err);

/* Waits until the peer at @sock speaks, or the user has had enough: a launch may hang on a dead
 * mount. Return: 0; -EINTR. */
int supervisor_patient(struct supervisor *sup, int sock, struct err *err);

/* From now on hears READY=1, where systemd says it. Return: 0 or -errno. */
int supervisor_listen_notify(struct supervisor *sup, struct err *err);

/* The entry's state.json; what cannot be written is warned of. */
void supervisor_write_record(struct supervisor *sup);

/* The counts of the group's events, into the record. */
void supervisor_record_events(struct supervisor *sup);

/* A line on standard error and, where nobody reads that, in the log. */
void supervisor_say(void *sup, const char *line);

/* The same, where it is news and no trouble. */
void supervisor_news(void *sup, const char *line);

/*
 * The audit log. Those that return a number are called before what they tell of, and with
 * -errno it is not to be done; the others tell of what happened.
 */
int supervisor_audit_start(struct supervisor *sup, struct err *err);
/* @code: the exit status, or -errno of a launch that failed, for the reason @err. */
void supervisor_audit_end(struct supervisor *sup, int code, const struct err *err);
/* @signal: 0 for a polite stop. */
void supervisor_audit_stop(struct supervisor *sup, int64_t pid, int64_t uid, int signal);
/* @words: user and command, each with its NUL; none where nothing is executed. */
int supervisor_audit_exec(struct supervisor *sup, const char *words, size_t n,
                          struct err *err);
int supervisor_audit_port(struct supervisor *sup, bool add, const char *text,
                          struct err *err);
int supervisor_audit_update(struct supervisor *sup, const char *const rate[DIRECTIONS],
                            struct err *err);
void supervisor_audit_limit(struct supervisor *sup, const char *line);
/* Nobody used it for @idle_s seconds; 0 @left_s: it is stopped, else it will be then. */
void supervisor_audit_idle(struct supervisor *sup, uint64_t idle_s, uint64_t left_s);
/* Before a hook runs, and when it failed. */
int supervisor_audit_hook(struct supervisor *sup, const struct hook *hook,
                          struct err *err);
void supervisor_audit_hook_failed(struct supervisor *sup, const struct hook *hook,
                                  int status, const struct err *why);
void supervisor_audit_egress(void *sup, const struct traffic_denial *denial);
void supervisor_audit_refusal(void *sup, const struct refusal *refusal);
/* Whom a filter asks is gone, or was never heard: @text. */
void supervisor_audit_unheard(void *sup, const char *text);
/* @before, @n: the ports that were open. */
void supervisor_audit_ports(struct supervisor *sup, const char *const *before, size_t n);

/* It is ready: the record, who waits for that, and the script of --bootstrap. */
void supervisor_ready(struct supervisor *sup);

/* Its numbers as of now, for who serves them. */
void supervisor_metrics(void *sup, struct metrics *ret);

/* Starts who serves them, where somebody is to: before the command runs, so that who cannot be
 * served is told. Return: 0 or -errno. */
int supervisor_metrics_start(struct supervisor *sup, struct err *err);

/* Who answers what other berth commands ask. */
void supervisor_requests(struct supervisor *sup);

/* As berth stop: politely now, with SIGKILL after @timeout_s seconds. A script of --bootstrap that runs
 * is asked first, and has at most half of them to itself. */
int supervisor_stop(void *sup, uint64_t timeout_s, struct err *err);
/* It has ended: now init is asked. */
void supervisor_bootstrap_left(void *sup);

/* --idle-stop, where the config has it. Return: 0 or -errno. */
int supervisor_idle_start(struct supervisor *sup, struct err *err);
void supervisor_idle_close(struct supervisor *sup);
/* What the relay told of published ports. */
void supervisor_connections(void *sup, uint64_t count);

/*
 * Hooks. Those before the command runs have been waited for; those after it run in the loop,
 * and then ws->started is called; what of them still runs at the workspace's end is waited for,
 * unless it is to stop. Those of the end are run when all is gone and the record says so, where the
 * first ones were due. @code: what the workspace ended with, or -errno. Others are served meanwhile.
 */
void supervisor_hooks_init(struct supervisor *sup);
int supervisor_hooks_prestart(struct supervisor *sup, struct err *err);
int supervisor_hooks_poststart(struct supervisor *sup, struct err *err);
int supervisor_hooks_finish(struct supervisor *sup, struct err *err);
void supervisor_hooks_poststop(struct supervisor *sup, int code);

/* What is open on the pod, into the record. */
void supervisor_list_ports(struct supervisor *sup);
void supervisor_ports_changed(void *sup);
void supervisor_port_done(void *sup, uint64_t who, const struct err *err);

/* Starts who is asked of refused system calls, where somebody is to be: before the command runs. */
int supervisor_listen(struct supervisor *sup, struct err *err);

/*
 * Kills the warden; everything below ends with it, by the kernel's hand. Once dismissed it is ws->warden,
 * for supervise_end(). end_warden() reaps it, too.
 */
void supervisor_kill_warden(const struct supervisor *sup);
void supervisor_dismiss_warden(struct supervisor *sup);
void supervisor_end_warden(struct supervisor *sup);

/* Nobody joins it any more. */
void supervisor_close_ns(struct supervisor *sup);

/* From now on nobody in the loop hears of the workspace's end: it is known. */
void supervisor_heard_end(struct supervisor *sup);

/* Removes the workspace's groups, of cgroup v1, too; says which it could not, and keeps the record of them. */
void supervisor_remove_group(struct supervisor *sup);

/* The exit status for the caller, and why, for inspect; SUPERVISE_RESTART after a reboot. */
int supervisor_judge(struct supervisor *sup);

/* Pure: seconds to rest before the next life; 0 for none. @short_lives: in a row, counted on. */
int supervisor_rest_s(int64_t lived_ms, unsigned int *short_lives);

/* A pause before an image that reboots at once; what judge() said, or 0 where a stop came. */
int supervisor_rest(struct supervisor *sup);

/*
 * The record of an end with @code, of what ran; a negative one is for the reason @err. Before hooks
 * of the end, which may ask. Return: whether it ran.
 */
bool supervisor_finish(struct supervisor *sup, int code, const struct err *err);

/* From before the first child is born, signals come to the loop; supervise_end() undoes it. */
int supervisor_block_signals(struct supervisor *sup, struct err *err);

/*
 * For the loop: a signal, and the end of the time that a stop gave. When init has ended, and only
 * hooks run any more or it rests, a hook of the begin is ended by them; those of the end are not,
 * and no other life begins.
 */
int supervisor_on_signal(void *sup, int fd, short revents, struct err *err);
int supervisor_on_stop_timer(void *sup, int fd, short revents, struct err *err);

/* Whether a hook may go on that runs though the time of a stop is over. Return: for the loop. */
int supervisor_end_due(struct supervisor *sup, struct err *err);

#endif
