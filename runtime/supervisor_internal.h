#ifndef SUPERVISOR_INTERNAL_H
#define SUPERVISOR_INTERNAL_H

/* What the supervisor's files share: supervisor.c, supervisor_requests.c, supervisor_end.c. */

#include <signal.h>
#include <stdint.h>

#include "control.h"
#include "launch.h"
#include "logfile.h"
#include "loop.h"
#include "ports.h"
#include "stdio.h"
#include "supervisor.h"
#include "traffic.h"
#include "watch.h"

/**
 * struct supervisor - A workspace from the supervisor's side
 * @ws:		as given
 * @status:	init's wait status, once @exited
 * @lost:	the warden died without telling it
 * @stopping:	the end was asked for: no restart
 * @killed:	by us, with SIGKILL
 * @reason:	why it ended, where that takes more than a word
 * @resting:	between two starts; nothing of the workspace is left
 * @signals:	signalfd
 * @stop_timer:	armed while a stop waits for its end
 * @notify:	systemd's READY=1 comes here
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
	struct watch watch;
	struct ports ports;
	struct arena listed; /* what the record says of ports */
	struct traffic traffic;
	sigset_t old_mask;
	int signals, stop_timer, notify;
	int ns[NS_MAX];
	bool exited, lost, stopping, resting, killed;
	int status;
	char reason[128];
};

/* Milliseconds since 1970, for the record. */
int64_t supervisor_now_ms(void);

/* The entry's state.json; what cannot be written is warned of. */
void supervisor_write_record(struct supervisor *sup);

/* The counts of the group's events, into the record. */
void supervisor_record_events(struct supervisor *sup);

/* A line on standard error and, where nobody reads that, in the log. */
void supervisor_say(void *sup, const char *line);

/* Who answers what other berth commands ask. */
void supervisor_requests(struct supervisor *sup);

/* As berth stop: politely now, with SIGKILL after @timeout_s seconds. */
int supervisor_stop(void *sup, uint64_t timeout_s, struct err *err);

/* What is open on the pod, into the record. */
void supervisor_list_ports(struct supervisor *sup);
void supervisor_ports_changed(void *sup);

/* Kills and reaps the warden; everything below ends with it, by the kernel's hand. */
void supervisor_end_warden(struct supervisor *sup);

/* Removes the workspace's groups, of cgroup v1, too. */
void supervisor_remove_group(struct supervisor *sup);

/* The exit status for the caller, and why, for inspect; SUPERVISE_RESTART after a reboot. */
int supervisor_judge(struct supervisor *sup);

/* A pause before an image that reboots at once; what judge() said, or 0 where a stop came. */
int supervisor_rest(struct supervisor *sup);

/* The record of an end with @code. */
void supervisor_finish(struct supervisor *sup, int code);

#endif
