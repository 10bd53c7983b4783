#ifndef VERIFY_H
#define VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "budget.h"
#include "control.h"
#include "facts.h"
#include "netns/portrait.h"
#include "pack.h"
#include "state.h"

/*
 * Whether a running workspace is what its plan says, step by step, by what the kernel says to
 * somebody outside. Nothing inside takes part in an answer.
 */

enum verify_state {
	VERIFY_HOLDS,
	VERIFY_DIFFERS, /* what has to hold against root inside does not */
	VERIFY_CHANGED, /* otherwise, and root inside may */
	VERIFY_ABSENT,  /* optional, and it was not done at the launch */
	VERIFY_UNSEEN,  /* the kernel does not show it */
	VERIFY_STATES,
};

extern const char *const verify_state_name[VERIFY_STATES];

/**
 * struct verify_row - One thing that was looked at
 * @step:	of the plan
 * @what:	"max_inotify_watches", "/srv/data"
 * @wanted, @real: as texts; what the workspace can choose is not escaped
 */
struct verify_row {
	const struct packed_step *step;
	const char *what, *wanted, *real;
	enum verify_state state;
};

/**
 * struct verify - A workspace under examination
 * @arena:	owns the texts
 * @record:	what is known of it
 * @plan:	what was done at its launch
 * @fd:		by enum control_fd, owned; init's pidfd among them
 * @outer:	L1's user namespace, owned
 * @init, @warden, @supervisor: processes, by their number here; they live while the pidfd does
 * @status:	/proc/PID/status of each
 * @limits, @own: groups above the workspace's, owned, or -EBADF
 * @budget:	L1's /proc/sys/user, NULL where it could not be read
 * @mount, @mount_n: of the mount namespace that init got, seen from its root
 * @pod, @pod_n: of the supervisor's
 * @real, @posed: the gateway, and another one made of the same plan
 * @has_gateway: there is one
 * @row, @n, @room: what was found
 */
struct verify {
	struct arena *arena;
	const struct record *record;
	struct packed_plan plan;
	int fd[CONTROL_FDS], outer, limits, own;
	pid_t init, warden, supervisor;
	const char *init_status, *warden_status, *supervisor_status;
	const char *budget[BUDGET_N];
	const struct mount_fact *mount, *pod;
	size_t mount_n, pod_n;
	struct portrait real, posed;
	bool has_gateway;
	struct verify_row *row;
	size_t n, room;
};

/**
 * verify_open() - Get hold of all that can be looked at
 * @verify:	@arena and @record are set; to be closed in any case
 * @entry:	of the workspace
 * @err:	filled in on failure
 *
 * Return: 0; -ESRCH where it does not run; -EPROTO where another berth started it; else
 * -errno.
 */
int verify_open(struct verify *verify, int entry, struct err *err);
void verify_close(struct verify *verify);

/**
 * verify_run() - Look at every step
 * @verify:	opened
 * @err:	filled in on failure
 *
 * Return: how many rows differ; -ESRCH where it ended meanwhile; -errno.
 */
int verify_run(struct verify *verify, struct err *err);

/* How a step of this kind is looked at; NULL for those that leave nothing to be seen. */
typedef int verify_fn(struct verify *verify, const struct packed_step *step,
                      struct err *err);
verify_fn *verify_of(enum step_kind kind);

/* For the verifiers. */

/* A row whose state is whether the texts are the same. */
void verify_same(struct verify *verify, const struct packed_step *step, const char *what,
                 const char *wanted, const char *real);
void verify_add(struct verify *verify, const struct packed_step *step,
                enum verify_state state, const char *what, const char *wanted,
                const char *real);
/* What is not there at all: a difference, unless the launch went on without it. */
void verify_absent(struct verify *verify, const struct packed_step *step,
                   const char *what, const char *wanted, const char *real);

/* A field of /proc/PID/status, "" where there is none. */
const char *verify_status(struct verify *verify, const char *status, const char *field);

/* That init, by /proc/PID/cgroup, is in the workspace's groups; @two: of cgroup v2, too. */
int verify_in_group(struct verify *verify, const struct packed_step *step, bool two,
                    struct err *err);
/* The same by the @text of such a file, which is cut. */
void verify_groups(struct verify *verify, const struct packed_step *step, bool two,
                   char *text);

verify_fn verify_spawn, verify_map, verify_ucount, verify_rlimit, verify_ulimit,
	verify_unshare, verify_oom, verify_capabilities, verify_seccomp, verify_relay,
	verify_pasta, verify_metrics;
verify_fn verify_cgroup_leaf, verify_cgroup_enable, verify_cgroup_make,
	verify_cgroup_limit, verify_cgroup_own, verify_cgroup1_make, verify_cgroup1_limit,
	verify_cgroup_join;
verify_fn verify_private, verify_hide, verify_root, verify_mount, verify_bind,
	verify_device, verify_overlay, verify_detach;
verify_fn verify_gateway, verify_veth, verify_shape, verify_uplink, verify_publish;

#endif
