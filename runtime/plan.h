#ifndef PLAN_H
#define PLAN_H

#include <stdio.h>

#include "base/arena.h"
#include "base/err.h"
#include "config.h"
#include "facts.h"
#include "netns/gateway.h"
#include "netns/pasta.h"
#include "netns/relay.h"
#include "services.h"
#include "step.h"

/**
 * struct plan_limit - What becomes of a limit that was asked for
 * @name, @text: the option without dashes, and its value
 * @how:	where it is written, or why it is not enforced
 * @enforced:	if its step succeeds
 * @step:	index of that step, the last of @steps
 */
struct plan_limit {
	const char *name, *text, *how;
	bool enforced;
	size_t step, steps;
};

#define PLAN_LIMITS_MAX 64 /* a bit each in struct launch */

/**
 * struct plan - Everything a launch will do, in order
 * @step, @n:	the steps; each actor walks its own, in this order
 * @room:	of @step
 * @spare:	what plan_add() hands out after memory ran out
 * @tier:	what kind of pod this is, plan_tier()
 * @init:	how PID 1 of the workspace is chosen, INIT_AUTO resolved
 * @outer_uid, @outer_gid: maps of L1
 * @inner_uid, @inner_gid: maps of L2
 * @by_helper:	newuidmap(1) and newgidmap(1) write L1's maps
 * @deny_setgroups: one ID by an unprivileged writer (user_namespaces(7))
 * @become_root: L1's root is not our own uid; the warden has to change its IDs
 * @cgroup:	our own group below the hierarchy, NULL where there is none of ours
 * @cgroup1:	limits are held by cgroup v1, too
 * @service, @service_n: what our own init keeps running where there is no command
 * @command:	what is executed, NULL-terminated; the services' names where
 *		those run
 * @env:	its environment, "K=V", NULL-terminated
 * @net:	NET_AUTO resolved
 * @net_optional: the workspace starts without one, too
 * @gateway, @relay: what the steps of NET_RELAY set up, and of NET_PASTA, where the relay serves
 *		published ports alone
 * @pasta:	likewise, of NET_PASTA
 * @pty:	the workspace gets a pty: /dev/console, and stdin to stderr
 * @limit:	what becomes of the limits
 * @notes:	what this pod does not permit, one sentence each
 */
struct plan {
	struct arena arena;
	struct step *step;
	size_t n, room;
	struct step spare;
	const char *tier;
	enum init_mode init;
	struct idmap outer_uid, outer_gid, inner_uid, inner_gid;
	bool by_helper, deny_setgroups, become_root;
	const char *cgroup;
	bool cgroup1;
	const struct service *service;
	size_t service_n;
	const char *const *command;
	const char *const *env;
	enum net_mode net;
	bool net_optional;
	struct gateway gateway;
	struct relay_config relay;
	struct pasta pasta;
	bool pty;
	struct plan_limit limit[PLAN_LIMITS_MAX];
	size_t limit_n;
	const char *notes[16];
	size_t notes_n;
};

/**
 * plan_build() - Turn what is wanted and what is into the steps of a launch
 * @config:	what is wanted
 * @facts:	what the pod is
 * @ret:	the plan, to be freed with plan_done(); on failure it is empty
 * @err:	filled in on failure, with a hint that says what to change
 *
 * Pure: no system call, the same arguments always give the same plan.
 *
 * Return: 0; -EPERM where the pod cannot do what is wanted; -EINVAL where the
 * options contradict each other; -ENOENT for an init that the image lacks; -ENOMEM.
 */
int plan_build(const struct config *config, const struct facts *facts, struct plan *ret,
               struct err *err);

/* Whether init is our own, above one command: it tells how that ended before it ends itself. */
static inline bool plan_tells_end(const struct plan *plan)
{
	return plan->init == INIT_BERTH && plan->service_n == 0;
}

/* Whether the workspace has a gateway of its own. */
static inline bool plan_has_gateway(const struct plan *plan)
{
	return plan->net == NET_RELAY || plan->net == NET_PASTA;
}

void plan_done(struct plan *plan);
#define cleanup_plan __attribute__((cleanup(plan_done)))

/*
 * Who init is to become, or NULL for root: a whole system is root's, and --user then says who
 * exec and a script of --bootstrap run as.
 */
const char *plan_user(const struct plan *plan, const struct config *config);

/* One line a step and one for its why, and with --policy the origin of each value. The
 * golden tests hold this text. */
void plan_print(const struct plan *plan, const struct config *config, FILE *out);

/* The same as JSON; docs/plan-format.md describes it. */
int plan_print_json(const struct plan *plan, const struct config *config, FILE *out,
                    struct err *err);

/*
 * For the parts of the planner, plan_*.c: append a step and hand it back to be
 * filled in. Never NULL: when memory is out the arena remembers.
 */
struct step *plan_add(struct plan *plan, enum actor actor, enum step_kind kind,
                      const char *why);

/* Something this pod does not permit, for people; @text lives as long as the plan. */
void plan_note(struct plan *plan, const char *text);

/* A limit that has its step, which is the last one so far. */
void plan_enforced(struct plan *plan, const char *name, const char *text,
                   const char *how);

/*
 * A limit that cannot be had here for the reason @why: a note where it is best-effort,
 * else a failure with @remedy as its hint. Return: 0 or -EPERM.
 */
int plan_unenforced(struct plan *plan, const struct config *config, const char *name,
                    const char *text, const char *why, const char *remedy,
                    struct err *err);

/* Why we may not build groups, and what to do. */
const char *plan_no_group(const struct cgroup_facts *cg);
#define PLAN_NO_GROUP_HINT                                                    \
	"in a pod use a runtime that hands over the cgroup (crun, or "        \
	"containerd 2.1 with cgroup_writable); on a machine log in with a "   \
	"systemd user session, or start under systemd-run --user --scope -p " \
	"Delegate=yes"

/* Ends the hint of a refusal that is about the pod as a whole. */
#define PLAN_SEE_CHECK "; 'berth check' tells all that tier A needs"

/* What lies over a directory that the workspace has no use for. */
#define PLAN_EMPTY_DIRECTORY "/dev/.berth/empty"

/* Where systemd, or our own init, reports READY=1. */
#define PLAN_NOTIFY "/run/host/notify"

/* Directory of the OCI wrapper, which comes first in dockerd's PATH. */
#define PLAN_WRAPPER "/dev/.berth/oci"

/* What kind of pod this is, "A", "B" or "C" (docs/check-format.md), by the facts. */
const char *plan_tier(const struct plan *plan, const struct facts *facts);

/* What to do about a setuid newuidmap that the pod's bounding set makes useless. */
extern const char plan_helper_weak[];

/**
 * plan_image() - Put into a config what its image says, where the user said nothing
 * @config:	as the options say; afterwards as if they had said it all, so that start and
 *		exec go by the same
 * @facts:	as probe() found them, and the image
 * @arena:	owns what had to be made
 * @err:	filled in on failure
 *
 * Pure; does nothing without an image. Return: 0; -E2BIG for too many variables; -ENOMEM.
 */
int plan_image(struct config *config, const struct facts *facts, struct arena *arena,
               struct err *err);

/* The parts. */
int plan_ids(struct plan *plan, const struct config *config, const struct facts *facts,
             struct err *err);
int plan_cgroup(struct plan *plan, const struct config *config, const struct facts *facts,
                struct err *err);
/* @group: where the workspace's limits are held, NULL where there is none. */
int plan_limits(struct plan *plan, const struct config *config, const struct facts *facts,
                const char *group, struct err *err);
/*
 * plan_cgroup1.c: the steps of a limit that is held by cgroup v1. Return: how many; 0: why
 * there are none, and what to do, are filled in.
 */
size_t plan_cgroup1_limit(struct plan *plan, const struct config *config,
                          const struct facts *facts, const struct limit *limit,
                          const char **ret_how, const char **ret_why,
                          const char **ret_remedy);
/*
 * Why a limit, whose controller is in cgroup v1, cannot be held there, and what to do;
 * NULL where it can. @outer: L1's map.
 */
const char *plan_cgroup1_obstacle(const struct facts *facts, const struct idmap *outer,
                                  enum knob knob, struct arena *arena,
                                  const char **ret_remedy);
/* Whether the plan makes groups in this hierarchy. */
bool plan_cgroup1_uses(const struct plan *plan, const struct cgroup1_fact *fact);
/* The groups that the workspace's processes are moved to. */
void plan_cgroup1_payload(struct plan *plan, const struct config *config);
/* What programs inside read of the limits that have their steps. */
void plan_shown_limits(struct plan *plan, const struct config *config,
                       const char *payload);
bool plan_has_limit(const struct plan *plan, enum knob knob);
int plan_host_root(struct plan *plan, const struct config *config,
                   const struct facts *facts, struct err *err);
void plan_layered_root(struct plan *plan, const struct config *config);
/* plan_docker.c: whether dockerd can run here, without systemd */
bool plan_docker_possible(const struct plan *plan, const struct facts *facts);
void plan_choose_services(struct plan *plan, const struct config *config,
                          const struct facts *facts, bool instead);
void plan_docker_dirs(struct plan *plan, const struct config *config);
void plan_wrapper(struct plan *plan, const struct config *config,
                  const struct facts *facts);
void plan_services(struct plan *plan);
/* plan_ulimits.c: what init takes upon itself before it executes anything of the image */
int plan_ulimits(struct plan *plan, const struct config *config,
                 const struct facts *facts, struct err *err);

/* plan_budgets.c: what the kernel counts for each user, and RLIMIT_NPROC */
int plan_budgets(struct plan *plan, const struct config *config,
                 const struct facts *facts, struct err *err);
/* The limits that L2 is made under, and back: what holds all of it is their soft value. */
void plan_lower_limits(struct plan *plan, const struct config *config,
                       const struct facts *facts);
void plan_restore_limits(struct plan *plan);
void plan_restore_inside(struct plan *plan, const struct config *config);
/* plan_command.c: what runs, and with which environment */
void plan_command(struct plan *plan, const struct config *config,
                  const struct facts *facts);
void plan_bootstrap(struct plan *plan, const struct config *config);
/* Return: 0; -ENOENT where the program is not installed. */
int plan_metrics(struct plan *plan, const struct config *config,
                 const struct facts *facts, struct err *err);
int plan_idle(struct plan *plan, const struct config *config, struct err *err);
/* plan_hooks.c. Return: 0; -EPERM where others may change one; as the fact says. */
int plan_hooks(struct plan *plan, const struct config *config, const struct facts *facts,
               struct err *err);
void plan_dev(struct plan *plan);
/* plan_image.c: what an image asks for beside its root */
void plan_upper(struct plan *plan, const struct config *config,
                const struct facts *facts);
/* Whether init mounts something anew at @target or above it. */
bool plan_hidden(const char *target);
void plan_image_steps(struct plan *plan, const struct config *config,
                      const struct facts *facts);

/* The nodes that --device names. Return: 0; -ENOENT, -ENODEV, -EEXIST with a remedy. */
int plan_devices(struct plan *plan, const struct config *config,
                 const struct facts *facts, struct err *err);

/* plan_net.c: chooses, then the steps of each place in the order. */
int plan_net(struct plan *plan, const struct config *config, const struct facts *facts,
             struct err *err);
/* plan_root.c: the workspace's root. Return: 0; -EPERM where it would show berth's own; else
 * -errno. */
int plan_root(struct plan *plan, const struct config *config, const struct facts *facts,
              struct err *err);
/* plan_storage.c: what volumes lie on, and what they show. Return: 0; -EINVAL, -EPERM with a
 * remedy. */
int plan_storage(struct plan *plan, const struct config *config,
                 const struct facts *facts, struct err *err);
/*
 * Why a volume that --gpus found is left out, or NULL: what nobody named is no reason to refuse a
 * launch. @at: which of @config.
 */
const char *plan_left_out(struct plan *plan, const struct config *config,
                          const struct facts *facts, size_t at);
/* Whose it is, "0:0", in the workspace's numbers. */
const char *plan_owner(struct plan *plan, const struct source_fact *fact);
void plan_own_volumes(struct plan *plan, const struct config *config);
void plan_seed(struct plan *plan, const struct config *config);
/* plan_zone.c. Return: 0; -ENOENT, -EINVAL with a remedy. */
int plan_zone(struct plan *plan, const struct config *config, const struct facts *facts,
              struct err *err);
/* plan_hosts.c: /etc/hosts. Return: 0; -EADDRNOTAVAIL, -ENOENT with a remedy. */
int plan_check_hosts(const struct plan *plan, const struct config *config,
                     const struct facts *facts, struct err *err);
const char *plan_hosts_text(struct plan *plan, const struct config *config,
                            const struct facts *facts);
void plan_names(struct plan *plan, const struct config *config,
                const struct facts *facts);
void plan_gateway(struct plan *plan, const struct facts *facts);
void plan_uplink(struct plan *plan, const struct config *config);
void plan_net_inside(struct plan *plan);
void plan_publish(struct plan *plan, const struct config *config);
void plan_pod_files(struct plan *plan, const struct config *config,
                    const struct facts *facts);
void plan_kernel_mounts(struct plan *plan, const struct config *config,
                        const struct facts *facts);

#endif
