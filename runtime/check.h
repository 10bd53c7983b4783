#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/err.h"
#include "facts.h"
#include "launch.h"
#include "plan.h"

/* What a pod or machine is good for; docs/check-format.md has the same list. */
enum tier {
	TIER_A, /* everything */
	TIER_B, /* without a cgroup of our own: no systemd */
	TIER_C, /* one command or shell */
	TIER_D, /* nothing */
	TIER_MAX,
};

extern const char *const tier_name[TIER_MAX], *const tier_meaning[TIER_MAX];

/* Where a probe runs. Each of them is a process of its own, and they run side by side;
 * rows of one place are tried in the order of the table. */
enum check_place {
	PLACE_HERE,   /* a child in the pod's namespaces */
	PLACE_CGROUP, /* another one, which makes a group and removes it */
	PLACE_WORLD,  /* the parent of L1 */
	PLACE_L1,     /* L1: own user, mount and PID namespace */
	PLACE_L2,     /* L2: all namespaces, born from L1 */
	PLACE_MAX,
};

/* In the order they are printed. */
enum check_id {
	CHECK_KERNEL,
	CHECK_USERNS,
	CHECK_CAPABILITIES,
	CHECK_NESTED,
	CHECK_SUBIDS,
	CHECK_HELPERS,
	CHECK_MAP,
	CHECK_IDS,
	CHECK_SETGROUPS,
	CHECK_PIDFD,
	CHECK_CLONE3,
	CHECK_OPENAT2,
	CHECK_NO_NEW_PRIVS,
	CHECK_KEYCTL,
	CHECK_APPARMOR,
	CHECK_UNSHARE,
	CHECK_TMPFS,
	CHECK_MOUNT_API,
	CHECK_PROC,
	CHECK_SYSFS,
	CHECK_SYSFS_RW,
	CHECK_DEVPTS,
	CHECK_MQUEUE,
	CHECK_OVERLAY,
	CHECK_OVERLAY_ROOT,
	CHECK_PIVOT,
	CHECK_CGROUP2,
	CHECK_CGROUP_OWN,
	CHECK_CGROUP_BIRTH,
	CHECK_CGROUP_KILL,
	CHECK_CONTROLLERS,
	CHECK_MANAGER,
	CHECK_UCOUNTS,
	CHECK_NUMBERS,
	CHECK_HOSTNAME,
	CHECK_LOOPBACK,
	CHECK_VETH,
	CHECK_NFTABLES,
	CHECK_SECCOMP, /* what comes after it in this place is filtered, as the workspace is */
	/* The kernel may have to load modules for these, and what hangs costs what follows. */
	CHECK_RELAY,
	CHECK_SHAPING,
	CHECK_FORWARDING,
	CHECK_TUN,
	CHECK_PASTA,
	CHECK_FUSE,
	CHECK_SKOPEO,
	CHECK_UMOCI,
	CHECK_STATE_LAYERS,
	CHECK_STATE_ROOM,
	CHECK_STATE_EXEC,
	CHECK_MAX,
};

enum check_outcome {
	OUTCOME_UNTRIED, /* what it builds on failed */
	OUTCOME_TRYING,  /* the child was in it when it ended: never seen by readers */
	OUTCOME_YES,
	OUTCOME_NO,
	OUTCOME_MAX,
};

extern const char *const outcome_name[OUTCOME_MAX];

#define CHECK_DETAIL_MAX 256

/**
 * struct check_result - What came of a row; lies in memory shared with the children
 * @outcome:	an enum check_outcome
 * @code:	errno of OUTCOME_NO, positive; 0 where no call failed
 * @detail:	what was found, or what failed and why
 * @hint:	the remedy, where the probe knows better than check_remedy()
 */
struct check_result {
	int outcome, code;
	char detail[CHECK_DETAIL_MAX];
	char hint[ERR_HINT_MAX];
};

/**
 * struct check_env - What the probes of one run work with
 * @facts, @plan:	of this pod; of @plan only what plan_ids() sets
 * @no_ids:		what plan_ids() said, code 0 where it found maps
 * @launch:		L1 and L2 are made by the functions of a launch
 * @result:		shared, CHECK_MAX of them
 * @base:		our own group, O_PATH, -EBADF until CHECK_CGROUP_OWN opened it
 * @group:		the group made in it, likewise
 * @group_name:		its name; nobody else has it
 * @state:		where upper layers are to lie, NULL where nobody said
 * @pod:		we are in a container: remedies speak of pod specs
 */
struct check_env {
	const struct facts *facts;
	const struct plan *plan;
	struct err no_ids;
	struct launch launch;
	struct check_result *result;
	int base, group;
	char group_name[48];
	const char *state;
	bool pod;
};

/**
 * check_fn - Try one thing, and leave nothing of it
 * @env:	see there
 * @detail:	CHECK_DETAIL_MAX bytes, "" at first: what was found
 * @err:	filled in on failure; a hint in it is the remedy
 *
 * Return: 0; CHECK_SKIP where it cannot be tried; CHECK_LACKS where no call failed, but
 * what was found and is in @detail does not do; -errno, with @err and not @detail told.
 */
typedef int check_fn(struct check_env *env, char *detail, struct err *err);
#define CHECK_SKIP 1
#define CHECK_LACKS 2

/**
 * struct check - A row of the table
 * @name:	as it is printed, a word
 * @what:	what is tried
 * @place:	where
 * @tier:	the lowest tier that needs it, TIER_MAX for a row that only informs
 * @step:	step of a launch that would fail, for the hint; NULL where none would
 * @probe:	see there
 */
struct check {
	const char *name, *what;
	enum check_place place;
	enum tier tier;
	const char *step;
	check_fn *probe;
};

extern const struct check checks[CHECK_MAX];

/* A limit, and who would hold root inside to it. */
struct check_limit {
	const char *name;
	bool enforced;
	const char *by;     /* "cgroup pids.max"; why not, where it is not */
	const char *remedy; /* NULL where it is enforced, or nothing can be done */
};

/* Those of the knob table, and the budgets of file watchers. */
#define CHECK_LIMITS_N (KNOB_N + BUDGET_N)

/**
 * struct report - What check found
 * @tier:	see there
 * @result:	CHECK_MAX results
 * @remedy:	of each row that failed, else NULL
 * @limit:	each limit
 * @pod:	we are in a container
 */
struct report {
	enum tier tier;
	const struct check_result *result;
	const char *remedy[CHECK_MAX];
	struct check_limit limit[CHECK_LIMITS_N];
	bool pod;
};

/**
 * check_run() - Try everything, in children
 * @facts:	of this pod
 * @state:	directory of --state, NULL where nobody said
 * @arena:	owns the strings of @ret
 * @ret:	set on success only
 * @err:	filled in on failure
 *
 * Bounded: where no row is decided for CHECK_SECONDS the children are killed, and the row
 * they were at has failed. Leaves no process, mount or group.
 *
 * Return: 0; -ENOMEM. What the pod does not permit is a result, no failure.
 */
int check_run(const struct facts *facts, const char *state, struct arena *arena,
              struct report *ret, struct err *err);
#define CHECK_SECONDS 5

/**
 * check_place() - Try the rows of one place, in their order
 * @env:	results are written to it
 * @place:	we are there
 */
void check_place(struct check_env *env, enum check_place place);

/* Pure, for check_run() and the tests. */

/* The best tier whose rows all succeeded. */
enum tier check_tier(const struct check_result *result);

/**
 * check_remedy() - What turns a row that failed into one that succeeds
 * @id:		the row
 * @result:	its result, OUTCOME_NO
 * @pod:	in terms of a pod spec, else of a machine
 * @arena:	owns what is not static
 *
 * Return: a sentence in the imperative; NULL where nobody has to do anything.
 */
const char *check_remedy(enum check_id id, const struct check_result *result, bool pod,
                         struct arena *arena);

/* Which limits hold, given L1's map and check_controllers(); @ret has CHECK_LIMITS_N elements. */
void check_limits(const struct facts *facts, const struct idmap *outer,
                  const struct check_result *result, const char *controllers, bool pod,
                  struct arena *arena, struct check_limit *ret);

/* Printing, check_print.c. @required: TIER_MAX where none was asked for. */
void check_print(const struct report *report, bool colour, FILE *out);
int check_print_json(const struct report *report, enum tier required, FILE *out,
                     struct err *err);

/* Controllers that a group of ours would have: our own group's, or those of a scope that
 * the service manager would make. "" where neither is known. */
const char *check_controllers(const struct facts *facts, struct arena *arena);

/* "cpu", "memory", ...: those whose lack is told. */
#define CHECK_CONTROLLERS_N 6
extern const char *const check_controller[CHECK_CONTROLLERS_N];
bool check_has_word(const char *words, const char *word);

/* Fill in @detail. Return: CHECK_LACKS. */
int check_lacks(char *detail, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The probes, in check_here.c, check_storage.c, check_cgroup.c, check_world.c and
 * check_inside.c. */
check_fn check_kernel, check_subids, check_helpers, check_pidfd, check_clone3,
	check_openat2, check_no_new_privs, check_keyctl, check_apparmor,
	check_overlay_root, check_manager, check_numbers, check_tun, check_pasta,
	check_fuse;
check_fn check_skopeo, check_umoci, check_state_layers, check_state_room,
	check_state_exec;
check_fn check_cgroup_own, check_cgroup_birth, check_cgroup_kill,
	check_cgroup_controllers;
check_fn check_userns, check_map, check_ids, check_capabilities, check_setgroups,
	check_ucounts, check_nested;
check_fn check_unshare, check_tmpfs, check_mount_api, check_proc, check_sysfs,
	check_sysfs_rw, check_devpts, check_mqueue, check_overlay, check_pivot,
	check_cgroup2, check_hostname, check_loopback, check_veth, check_nftables,
	check_relay, check_shaping, check_forwarding, check_seccomp;

/* The whole life of the child of PLACE_WORLD and PLACE_CGROUP; @arg is the check_env. */
int check_world_main(void *arg);
int check_cgroup_main(void *arg);

/* Removes the group of check_cgroup_own() where its child could not. */
void check_cgroup_tidy(struct check_env *env);

#endif
