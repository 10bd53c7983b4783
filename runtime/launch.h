#ifndef LAUNCH_H
#define LAUNCH_H

#include <sys/resource.h>
#include <sys/types.h>

#include "config.h"
#include "facts.h"
#include "plan.h"
#include "ports.h"
#include "sync.h"

struct hooks;
struct metrics_server;

/* Something of the workspace that is used again and again: target_above(), target_source(). */
struct target_dir {
	const char *path; /* of the plan; the first @len bytes of it */
	size_t len;
	int fd;
};

/**
 * struct launch - A launch under way, as one of its processes sees it
 * @config, @facts, @plan: what is wanted, what is, what is done; never changed
 * @stage:	path of a directory of ours that the warden may mount over in its own
 *		mount namespace; not the entry, which it has to rename(2) away at the
 *		end: EBUSY for a mount point
 * @cursor:	per actor: the next step it looks at
 *
 * @state, @lock: directory of entries, and what keeps ours alive: the warden has them
 *		too, since it cleans up when the supervisor is killed
 *
 * supervisor:
 * @sync:	the pairs; each process closes the ends of the others
 * @unenforced:	bit i: the step of the plan's limit i failed, and was optional
 * @cgroup:	our own group; @limits and @payload: the workspace's
 * @relay_group: beside @payload, what the relay is born in; the warden has it too
 * @cgroup1:	the workspace's groups in cgroup v1
 * @warden, @warden_pidfd: the process itself
 * @init_pidfd:	from SYNC_BORN
 * @ended:	by [1] our own init tells the supervisor how its command ended, before it ends itself
 * @ports:	borrowed; in the warden and the relay, only the latter's end of its link
 * @metrics, @hooks: borrowed
 *
 * warden and init, each in its own mount namespace:
 * @proc:	the pod's /proc, O_PATH
 * @root:	the workspace's root, O_PATH
 * @above, @source: what the last entry was made in, and the last cover is of
 * @store:	where upper layers and volumes lie
 * @rlimit:	those that are lowered, as they were
 * @init:	the warden's child
 * @relay_pid, @pasta_pid: likewise, once they serve; 0 without one
 * @relay:	the warden's end of the pair with the relay, by which it asks for sockets
 *		(netns/maker.h); in the relay, its own
 * @pasta:	the same of pasta, until it serves
 * @report:	what the relay denied, from it to the supervisor ([0])
 * @counters:	a socket of NETLINK_ROUTE of the gateway's, from the warden to the supervisor
 * @denials, @rules: with pasta, likewise: what it denies, and its counters (netns/denied.h)
 * @gateway:	the warden is in the gateway's network namespace
 * @stdin_to_stderr: what the payload gets as 0, 1 and 2 when it has no pty
 * @airlock:	what init becomes before the payload, -EBADF where it need not
 * @pty_master, @pty_slave, @notify, @routes, @lookout, @links: made by init, handed to the
 *		supervisor, but for the slave
 * @service:	sockets at which services say READY=1, init's own
 *
 * The children are cloned, not executed: they start with a copy of the supervisor's.
 * Descriptors are owned by the process that holds them, -EBADF when not there.
 */
struct launch {
	const struct config *config;
	const struct facts *facts;
	const struct plan *plan;
	const char *stage;
	size_t cursor[ACTOR_MAX];
	int state, lock;

	struct sync_pairs sync;
	uint64_t unenforced;
	int cgroup, limits, payload, relay_group;
	struct cgroup1_group cgroup1[CGROUP1_MAX];
	pid_t warden;
	int warden_pidfd, init_pidfd;
	int ended[2];
	struct ports *ports;
	struct metrics_server *metrics;
	struct hooks *hooks;

	int proc, root, store;
	struct target_dir above, source;
	struct rlimit rlimit[RLIM_NLIMITS];
	pid_t init, relay_pid, pasta_pid;
	int relay, pasta;
	int report[2], counters, denials, rules;
	bool gateway;
	int stdin_to_stderr[3];
	int pty_master, pty_slave, notify, airlock;
	int routes, lookout, links;
	int service[SERVICES_MAX];
};

/* All descriptors -EBADF. */
void launch_init(struct launch *launch);

/**
 * apply_until() - Do an actor's next steps
 * @launch:	the launch
 * @actor:	who we are
 * @stop:	stop before the first own step of this kind; STEP_MAX for all of them
 * @err:	names the step that failed, with a hint where one is known
 *
 * A step marked optional that fails is logged, and the launch goes on.
 *
 * Return: 0 or -errno.
 */
int apply_until(struct launch *launch, enum actor actor, enum step_kind stop,
                struct err *err);

/* The warden's and init's whole lives, for spawn(); @arg is the struct launch. */
int warden_main(void *arg);
int init_main(void *arg);

/* The relay's; relay_process.c. */
int relay_process(void *arg);

/* Of a directory that nothing can be made in, whoever is root inside. */
extern const char *const hint_foreign;

/**
 * hint_for() - Give a failure its remedy
 * @err:	holds a failure with its step; kept as it is when it has a hint already
 *
 * Return: -err->code.
 */
int hint_for(struct err *err);

#endif
