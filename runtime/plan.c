#include "plan.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "exec.h"
#include "ns.h"
#include "policies/caps.h"
#include "policies/seccomp_choice.h"

const char *const init_mode_name[INIT_MODE_MAX] = {
	[INIT_AUTO] = "auto",
	[INIT_SYSTEMD] = "systemd",
	[INIT_BERTH] = "berth",
	[INIT_NONE] = "none",
};

const char *const net_mode_name[NET_MODE_MAX] = {
	[NET_NONE] = "none",   [NET_HOST] = "host", [NET_RELAY] = "relay",
	[NET_PASTA] = "pasta", [NET_AUTO] = "auto",
};

struct step *plan_add(struct plan *plan, enum actor actor, enum step_kind kind,
                      const char *why)
{
	struct step *step;

	if (plan->n == plan->room) {
		size_t room = plan->room ? plan->room * 2 : 128;
		struct step *bigger = arena_alloc(&plan->arena, room * sizeof(*bigger));

		if (!bigger)
			return &plan->spare;
		if (plan->n > 0)
			memcpy(bigger, plan->step, plan->n * sizeof(*bigger));
		plan->step = bigger;
		plan->room = room;
	}
	step = &plan->step[plan->n++];
	*step = (struct step){ .kind = kind, .actor = actor, .why = why };
	return step;
}

void plan_note(struct plan *plan, const char *text)
{
	if (plan->notes_n < sizeof(plan->notes) / sizeof(plan->notes[0]))
		plan->notes[plan->notes_n++] = text;
}

static void plan_warden_birth(struct plan *plan, const struct config *config)
{
	struct arena *arena = &plan->arena;
	struct step *s;

	s = plan_add(plan, ACTOR_SUPERVISOR, STEP_SPAWN,
	             "the level above the workspace: what it sets, root inside cannot "
	             "change");
	s->target = actor_name[ACTOR_WARDEN];
	s->flags = NS_BIT(NS_USER) | NS_BIT(NS_MOUNT) | NS_BIT(NS_PID);

	s = plan_add(
		plan, ACTOR_SUPERVISOR, STEP_MAP,
		config->uid_map || config->gid_map
			? "of the IDs that may be mapped, those asked for with --uidmap "
			  "and --gidmap"
		: plan->become_root ? "IDs that were lent to us; the node's own stay out"
		: idmap_width(&plan->outer_uid) == 1 ? "one ID: ours becomes root"
		: plan->by_helper ? "ours becomes root, the rest is what was lent to us"
				  : "the same IDs as in the pod");
	s->target = actor_name[ACTOR_WARDEN];
	s->value = idmap_text(arena, &plan->outer_uid);
	s->source = idmap_text(arena, &plan->outer_gid);
	s->via = plan->by_helper ? "newuidmap" : "write";
}

/* init mounts these anew: what lay below them would be out of sight without a word. */
bool plan_hidden(const char *target)
{
	static const char *const anew[] = { "/proc",    "/sys",        "/dev/pts",
		                            "/dev/shm", "/dev/mqueue", "/dev/.berth" };

	for (size_t i = 0; i < sizeof(anew) / sizeof(anew[0]); i++) {
		size_t len = strlen(anew[i]);

		if (!strncmp(target, anew[i], len) &&
		    (target[len] == '/' || target[len] == '\0'))
			return true;
	}
	return !strcmp(target, "/dev");
}

static int plan_volumes(struct plan *plan, const struct config *config,
                        const struct facts *facts, struct err *err)
{
	for (size_t i = 0; i < config->volume_n; i++) {
		const struct volume *v = &config->volume[i];

		if (plan_left_out(plan, config, facts, i))
			continue;
		if (plan_hidden(v->target)) {
			(void)err_set(err, EINVAL,
			              "volume target '%s' is mounted anew inside",
			              v->target);
			(void)err_hint(err,
			               "choose a target outside of /proc, /sys and the "
			               "file systems of /dev");
			return err_step(err, "volume");
		}
		struct step *s = plan_add(plan, ACTOR_WARDEN, STEP_BIND,
		                          v->gpu ? "of the GPUs asked for with --gpus"
		                                 : "asked for with -v; attached a level "
		                                   "above the workspace, which cannot "
		                                   "remount it");

		s->source = v->source;
		s->target = v->target;
		s->flags = PLAN_NOSUID | PLAN_NODEV | (v->read_only ? PLAN_READ_ONLY : 0);
		s->number = 1;
		s->value = plan_owner(plan, &facts->source[i]);
	}
	return 0;
}

static void plan_init_birth(struct plan *plan, const struct config *config,
                            const struct facts *facts)
{
	bool into = plan->cgroup && facts->clone3 && !plan->become_root;
	bool joins = plan->cgroup1 || (plan->cgroup && !into);
	struct step *s;

	plan_lower_limits(plan, config, facts);
	s = plan_add(plan, ACTOR_WARDEN, STEP_SPAWN,
	             "the workspace; the kernel takes its time for it while we mount");
	s->target = actor_name[ACTOR_INIT];
	s->flags = NS_BIT(NS_USER) | NS_BIT(NS_PID) | NS_BIT(NS_UTS);
	if (config->net != NET_HOST && config->net != NET_NONE)
		s->flags |= NS_BIT(NS_NET);
	if (!joins)
		s->flags |= NS_BIT(NS_CGROUP);
	s->number = into;
	plan_restore_limits(plan);
	s = plan_add(plan, ACTOR_WARDEN, STEP_MAP, "the same IDs as in the level above");
	s->target = actor_name[ACTOR_INIT];
	s->value = idmap_text(&plan->arena, &plan->inner_uid);
	s->source = idmap_text(&plan->arena, &plan->inner_gid);
	s->via = "write";

	if (joins) {
		const char *payload =
			arena_printf(&plan->arena, "berth-%s/payload", config->name);

		s = plan_add(
			plan, ACTOR_SUPERVISOR, STEP_CGROUP_JOIN,
			plan->cgroup1 ? "nothing can be born into a group of cgroup v1; "
					"it has run nothing yet"
			: facts->clone3
				? "the warden is not the group's owner"
				: "clone3 is hidden here, so init is moved after its "
				  "birth");
		if (plan->cgroup && !into)
			s->target = payload;
		if (plan->cgroup1)
			s->value = arena_printf(&plan->arena, "%s of cgroup v1", payload);
		s = plan_add(plan, ACTOR_INIT, STEP_UNSHARE, ns_info[NS_CGROUP].why);
		s->flags = NS_BIT(NS_CGROUP);
	}
	s = plan_add(
		plan, ACTOR_INIT, STEP_UNSHARE,
		"nobody outside waits for them: init makes them while the warden mounts");
	s->flags = NS_BIT(NS_IPC) | (config->net == NET_NONE ? NS_BIT(NS_NET) : 0);
}

static void plan_capabilities(struct plan *plan, const struct config *config)
{
	const uint64_t drop = config->cap_drop & ~config->cap_add;
	struct step *s;

	if (!drop)
		return;
	s = plan_add(plan, ACTOR_INIT, STEP_CAPABILITIES,
	             "root inside has no use for them, and nothing that it executes");
	/* By no other name: the kernel may know more of them than we. */
	s->value =
		caps_text(config->cap_drop == CAPS_ALL ? CAPS_ALL : drop, &plan->arena);
	if (config->cap_drop == CAPS_ALL && config->cap_add)
		s->source = caps_text(config->cap_add, &plan->arena);
	if (config->budget[BUDGET_USER_NS] != 0)
		plan_note(plan, "root inside can make a user namespace, in which it has "
		                "the dropped capabilities again, over what belongs to "
		                "that one: --user-namespaces 0 forbids that");
}

static void plan_inside(struct plan *plan, const struct config *config,
                        const struct facts *facts)
{
	struct arena *arena = &plan->arena;
	struct step *s;

	(void)plan_add(plan, ACTOR_WARDEN, STEP_HANDOVER,
	               "the root is whole, and init waits for it");
	plan_uplink(plan, config);
	if (facts->oom_score_adj < 1000) {
		int adj = facts->oom_score_adj + 100;

		s = plan_add(
			plan, ACTOR_INIT, STEP_OOM,
			"when memory is short the workspace goes before its supervisor");
		s->value = arena_printf(arena, "%d", adj > 1000 ? 1000 : adj);
		s->optional = true;
	}
	plan_restore_inside(plan, config);
	s = plan_add(plan, ACTOR_INIT, STEP_HOSTNAME, "own name");
	s->value = config->hostname;
	/* Podman's and CRI-O's seccomp profiles refuse it; only a name that was asked for is
	 * worth a launch. */
	s->optional = !strcmp(config->hostname, config->name);
	if (plan->net == NET_NONE)
		(void)plan_add(plan, ACTOR_INIT, STEP_LOOPBACK, "localhost");
	s = plan_add(plan, ACTOR_INIT, STEP_UNSHARE,
	             "the warden's mounts as copies that are locked");
	s->flags = NS_BIT(NS_MOUNT);
	plan_net_inside(plan);
	(void)plan_add(
		plan, ACTOR_INIT, STEP_REROOT,
		"the kernel refuses to pivot to a locked mount, but not to its copy");
	plan_kernel_mounts(plan, config, facts);
	(void)plan_add(plan, ACTOR_INIT, STEP_PIVOT,
	               "the workspace's root is '/' from here");

	plan_own_volumes(plan, config);
	plan_seed(plan, config);
	if (plan->pty) {
		s = plan_add(
			plan, ACTOR_INIT, STEP_CONSOLE,
			"a terminal of the workspace's own; the supervisor holds the "
			"other end");
		s->target = "/dev/console";
	}
	if (plan->init == INIT_SYSTEMD || plan->service_n > 0) {
		s = plan_add(plan, ACTOR_INIT, STEP_NOTIFY,
		             plan->init == INIT_SYSTEMD
		                     ? "systemd says READY=1 here"
		                     : "our init says READY=1 here, when all services "
		                       "are ready");
		s->target = PLAN_NOTIFY;
	}
	if (seal_exposed(&facts->self, &plan->outer_uid))
		(void)plan_add(plan, ACTOR_INIT, STEP_AIRLOCK,
		               "a program in sealed memory executes the command, since "
		               "'#!/proc/self/exe' leads to our own binary");
	plan_services(plan);
	plan_capabilities(plan, config);
	(void)plan_add(plan, ACTOR_INIT, STEP_DETACH,
	               "nothing of the pod stays in sight");
	s = plan_add(plan, ACTOR_INIT, STEP_SECCOMP,
	             "system calls that reach the node, and unknown ones, are refused");
	s->value = config->seccomp ? config->seccomp : SECCOMP_DEFAULT;
	s->source = config->seccomp_allow;
	s->via = config->seccomp_deny;
	s->number = config_listens(config);
	if (s->number)
		plan_note(plan, "refused system calls are told, so no program inside can "
		                "listen to another's: the kernel answers EBUSY");
	if (config->audit_permissive)
		plan_note(plan, "--audit-permissive: what the policy refuses is told, "
		                "and let through; take it for what you trust");
	if (plan_user(plan, config)) {
		s = plan_add(
			plan, ACTOR_INIT, STEP_USER,
			config->image
				? "asked for with -u or by the image, looked up inside"
				: "asked for with -u, looked up inside");
		s->value = config->user;
	}
}

/* Which PID 1, and whether this pod can carry it. */
static int choose_init(struct plan *plan, const struct config *config,
                       const struct facts *facts, struct err *err)
{
	bool host = !strcmp(config->rootfs, "host");
	uint64_t width = idmap_width(&plan->outer_uid);
	bool foreign = host && !idmap_covers_outside(&plan->outer_uid, facts->root.owner);
	enum init_mode init = config->init;
	/* Where systemd would need a group that nobody gives. */
	bool instead = init == INIT_AUTO && !config->command && !facts->cgroup.ours &&
	               !facts->user_manager && facts->root.init && facts->root.has_crun &&
	               plan_docker_possible(plan, facts);

	if (init == INIT_AUTO)
		init = config->command || foreign || !facts->root.init || instead
		               ? INIT_BERTH
		               : INIT_SYSTEMD;
	plan->init = init;
	plan_choose_services(plan, config, facts, instead);
	if (foreign)
		plan_note(plan, "the host's files belong to IDs that this user was not "
		                "lent: they "
		                "show as nobody's, so this is for single commands");
	if (facts->proc_masked)
		plan_note(
			plan,
			"parts of /proc are covered here, so the workspace has none: set "
			"procMount: Unmasked (with hostUsers: false) in the pod");
	if (init != INIT_SYSTEMD)
		return 0;

	if (foreign) {
		(void)err_set(err, EPERM,
		              "systemd on the host's own files: they belong to IDs "
		              "that this user was not lent");
		(void)err_hint(err,
		               "give --rootfs DIR with a root file system unpacked by "
		               "'berth unshare', or run single commands");
	} else if (!facts->root.init) {
		(void)err_set(err, ENOENT, "'%s' has no systemd", config->rootfs);
		(void)err_hint(err,
		               "install systemd-sysv in the image, or use --init berth "
		               "with a command");
	} else if (width < IDMAP_FULL && config->uid_map) {
		(void)err_set(err, EPERM,
		              "systemd needs %d IDs from 0 on, and --uidmap leaves "
		              "%" PRIu64,
		              IDMAP_FULL, width);
		(void)err_hint(err, "map as many, of groups, too; or run a command");
	} else if (width < IDMAP_FULL) {
		(void)err_set(err, EPERM,
		              "systemd needs %d IDs, and this user has %" PRIu64
		              " with its own",
		              IDMAP_FULL, width);
		(void)err_hint(err, "%s" PLAN_SEE_CHECK,
		               plan->notes_n > 0
		                       ? plan->notes[0]
		                       : "lend the user 65536 IDs in /etc/subuid "
		                         "and /etc/subgid");
	} else if (facts->proc_masked) {
		(void)err_set(err, EPERM,
		              "systemd needs a /proc of its own, and parts of this "
		              "one are covered");
		(void)err_hint(err,
		               "set procMount: Unmasked (with hostUsers: false) in the "
		               "pod" PLAN_SEE_CHECK);
	} else {
		return 0;
	}
	return err_step(err, "init");
}

int plan_build(const struct config *config, const struct facts *facts, struct plan *ret,
               struct err *err)
{
	struct plan plan = { 0 };
	int r;

	r = plan_ids(&plan, config, facts, err);
	if (r == 0)
		r = choose_init(&plan, config, facts, err);
	plan.pty = plan.init == INIT_SYSTEMD || config->tty;
	if (r == 0)
		r = plan_net(&plan, config, facts, err);
	if (r == 0)
		r = plan_check_hosts(&plan, config, facts, err);
	if (r == 0)
		r = plan_storage(&plan, config, facts, err);
	if (r == 0)
		r = plan_cgroup(&plan, config, facts, err);
	if (r == 0) {
		plan_publish(&plan, config);
		r = plan_metrics(&plan, config, facts, err);
	}
	if (r == 0) {
		plan_upper(&plan, config, facts);
		plan_bootstrap(&plan, config);
		r = plan_idle(&plan, config, err);
	}
	if (r == 0)
		r = plan_hooks(&plan, config, facts, err);
	if (r == 0) {
		plan_warden_birth(&plan, config);
		r = plan_budgets(&plan, config, facts, err);
	}
	if (r == 0) {
		plan_init_birth(&plan, config, facts);
		r = plan_root(&plan, config, facts, err);
	}
	if (r == 0) {
		plan_docker_dirs(&plan, config);
		plan_image_steps(&plan, config, facts);
		plan_dev(&plan);
		r = plan_devices(&plan, config, facts, err);
	}
	if (r == 0) {
		plan_pod_files(&plan, config, facts);
		plan_names(&plan, config, facts);
		r = plan_zone(&plan, config, facts, err);
	}
	if (r == 0) {
		plan_wrapper(&plan, config, facts);
		r = plan_volumes(&plan, config, facts, err);
	}
	if (r == 0) {
		plan_gateway(&plan, facts);
		plan_inside(&plan, config, facts);
		r = plan_ulimits(&plan, config, facts, err);
	}
	if (r == 0) {
		plan_command(&plan, config, facts);
		plan.tier = plan_tier(&plan, facts);
		if (plan.arena.failed)
			r = err_set(err, ENOMEM, "make the plan");
	}
	if (r < 0) {
		arena_done(&plan.arena);
		return err_step(err, "plan");
	}
	*ret = plan;
	return 0;
}

void plan_done(struct plan *plan)
{
	arena_done(&plan->arena);
	*plan = (struct plan){ 0 };
}
