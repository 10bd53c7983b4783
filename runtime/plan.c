#include "plan.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "exec.h"
#include "ns.h"
#include "policies/caps.h"

const char *const init_mode_name[INIT_MODE_MAX] = {
	[INIT_AUTO] = "auto",
	[INIT_SYSTEMD] = "systemd",
	[INIT_BERTH] = "berth",
	[INIT_NONE] = "none",
};

const char *const net_mode_name[NET_MODE_MAX] = {
	[NET_NONE] = "none",
	[NET_HOST] = "host",
	[NET_RELAY] = "relay",
	[NET_AUTO] = "auto",
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

static void plan_warden_birth(struct plan *plan)
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
		plan->become_root ? "IDs that were lent to us; the node's own stay out"
		: idmap_width(&plan->outer_uid) == 1 ? "one ID: ours becomes root"
		: plan->by_helper ? "ours becomes root, the rest is what was lent to us"
				  : "the same IDs as in the pod");
	s->target = actor_name[ACTOR_WARDEN];
	s->value = idmap_text(arena, &plan->outer_uid);
	s->source = idmap_text(arena, &plan->outer_gid);
	s->via = plan->by_helper ? "newuidmap" : "write";
}

/*
 * What L1 counts of the launch's own namespaces, which the workspace gets on top: all
 * of L2's, and those of L1 itself where the user who made them is its root.
 */
static uint64_t own_namespaces(const struct plan *plan, enum budget budget)
{
	const struct budget_info *info = &budget_info[budget];

	if (budget == BUDGET_NET_NS && plan->net != NET_RELAY)
		return plan->net == NET_NONE;
	return info->own + (info->above && !plan->become_root);
}

static int plan_budget(struct plan *plan, const struct config *config,
                       const struct facts *facts, enum budget budget, struct err *err)
{
	const struct budget_info *info = &budget_info[budget];
	const uint64_t want = config->budget[budget];
	const char *text = arena_printf(&plan->arena, "%" PRIu64, want), *value;
	struct step *s;

	if (want > facts->node_budget[budget]) {
		(void)err_set(err, ERANGE, "--%s %" PRIu64 ": this node allows %" PRIu64,
		              info->name, want, facts->node_budget[budget]);
		return err_hint(err, "ask for at most that, or raise it: %s%s",
		                info->file ? "/proc/sys/user/" : "prlimit --",
		                info->file ? info->file : info->limit);
	}
	if (!info->file) /* plan_init_birth() lowers it */
		return 0;
	if (facts->ucounts_read_only)
		return plan_unenforced(plan, config, info->name, text,
		                       "/proc/sys/user is read-only here",
		                       "set procMount: Unmasked (with hostUsers: "
		                       "false) in the pod",
		                       err);
	value = arena_printf(&plan->arena, "%" PRIu64,
	                     want + own_namespaces(plan, budget));
	s = plan_add(plan, ACTOR_WARDEN, STEP_UCOUNT, info->why);
	s->target = info->file;
	s->value = value;
	plan_enforced(plan, info->name, text,
	              arena_printf(&plan->arena, "%s = %s", info->file, value));
	return 0;
}

static int plan_budgets(struct plan *plan, const struct config *config,
                        const struct facts *facts, struct err *err)
{
	const struct limit *pids = config_limit(config, KNOB_PIDS);

	if (pids && pids->number > facts->nproc_hard) {
		(void)err_set(err, ERANGE,
		              "--pids %" PRIu64 ": our own hard limit is %" PRIu64,
		              pids->number, facts->nproc_hard);
		(void)err_hint(
			err, "ask for at most that, or raise RLIMIT_NPROC (ulimit -Hu)");
		return err_step(err, "rlimit");
	}
	for (enum budget i = 0; i < BUDGET_N; i++)
		if (config->budget[i] != LIMIT_UNSET &&
		    plan_budget(plan, config, facts, i, err) < 0)
			return err_step(err, budget_info[i].file ? "ucount" : "rlimit");
	return 0;
}

static int plan_root(struct plan *plan, const struct config *config,
                     const struct facts *facts, struct err *err)
{
	struct step *s;

	(void)plan_add(
		plan, ACTOR_WARDEN, STEP_PRIVATE,
		"the workspace's tree is its own: no mount of the pod appears later");

	/* Before anything is bound, so that each copy of the pod's tree has it. */
	if (config->volume_n > 0 ||
	    (!config->overlay && strcmp(config->rootfs, "host") != 0)) {
		s = plan_add(
			plan, ACTOR_WARDEN, STEP_HIDE,
			"what start, exec and rm go by is not for a workspace to change, "
			"even where a volume holds it");
		s->flags = PLAN_READ_ONLY | PLAN_NOSUID | PLAN_NODEV | PLAN_NOEXEC;
	}
	if (!strcmp(config->rootfs, "host"))
		return plan_host_root(plan, config, facts, err);

	if (config->overlay) {
		plan_layered_root(plan, config);
		s = plan_add(
			plan, ACTOR_WARDEN, STEP_OVERLAY,
			"the directory stays as it is, changes go to the upper layer");
		s->target = "/";
		s->source = config->rootfs;
		s->value = "upper";
		s->via = "work";
		return 0;
	}
	s = plan_add(plan, ACTOR_WARDEN, STEP_ROOT,
	             "the workspace's root, used in place; device nodes in it are dead");
	s->source = config->rootfs;
	s->flags = PLAN_NODEV;
	return 0;
}

/* init mounts these anew: what lay below them would be out of sight without a word. */
static bool hidden(const char *target)
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

static int plan_volumes(struct plan *plan, const struct config *config, struct err *err)
{
	for (size_t i = 0; i < config->volume_n; i++) {
		const struct volume *v = &config->volume[i];

		if (hidden(v->target)) {
			(void)err_set(err, EINVAL,
			              "volume target '%s' is mounted anew inside",
			              v->target);
			(void)err_hint(err,
			               "choose a target outside of /proc, /sys and the "
			               "file systems of /dev");
			return err_step(err, "volume");
		}
		struct step *s = plan_add(plan, ACTOR_WARDEN, STEP_BIND,
		                          "asked for with -v; attached a level above the "
		                          "workspace, which cannot remount it");

		s->source = v->source;
		s->target = v->target;
		s->flags = PLAN_NOSUID | PLAN_NODEV | (v->read_only ? PLAN_READ_ONLY : 0);
		s->number = 1;
	}
	return 0;
}

/*
 * RLIMIT_NPROC of the workspace. Behind pids.max it is a second fence a little further
 * out, so that the one that counts its refusals is met first.
 */
static uint64_t nproc(const struct plan *plan, const struct facts *facts,
                      const struct limit *pids)
{
	const uint64_t further = pids->number + 8;

	if (plan_has_limit(plan, KNOB_PIDS))
		return further < facts->nproc_hard ? further : facts->nproc_hard;
	return pids->number;
}

/* What holds all of L2 is the soft limit that it is made under. */
static void plan_lower_limits(struct plan *plan, const struct config *config,
                              const struct facts *facts)
{
	const struct limit *pids = config_limit(config, KNOB_PIDS);
	struct step *s;

	if (pids) {
		s = plan_add(
			plan, ACTOR_WARDEN, STEP_RLIMIT,
			facts->node_root
				? "all processes inside share this number (not enforced: "
				  "this is the node's root)"
				: "all processes inside share this number, whatever "
				  "their "
				  "user");
		s->target = "nproc";
		s->value =
			arena_printf(&plan->arena, "%" PRIu64, nproc(plan, facts, pids));
	}
	for (size_t i = 0; i < BUDGET_N; i++) {
		const struct budget_info *info = &budget_info[i];
		const char *text;

		if (info->file || config->budget[i] == LIMIT_UNSET)
			continue;
		text = arena_printf(&plan->arena, "%" PRIu64, config->budget[i]);
		s = plan_add(plan, ACTOR_WARDEN, STEP_RLIMIT, info->why);
		s->target = info->limit;
		s->value = text;
		plan_enforced(plan, info->name, text,
		              arena_printf(&plan->arena, "%s = %s", info->limit, text));
	}
}

static void plan_restore_limits(struct plan *plan)
{
	for (size_t i = 0, n = plan->n; i < n; i++) {
		const char *limit = plan->step[i].target;
		struct step *s;

		if (plan->step[i].kind != STEP_RLIMIT)
			continue;
		s = plan_add(plan, ACTOR_WARDEN, STEP_RLIMIT,
		             "the warden itself is not meant");
		s->target = limit;
		s->value = "restore";
	}
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
	s->flags = NS_BIT(NS_USER) | NS_BIT(NS_PID) | NS_BIT(NS_IPC) | NS_BIT(NS_UTS);
	if (config->net != NET_HOST)
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
	(void)plan_add(plan, ACTOR_INIT, STEP_PIVOT, "nothing of the pod stays in sight");

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
	if (facts->self_writable)
		(void)plan_add(plan, ACTOR_INIT, STEP_AIRLOCK,
		               "a program in sealed memory executes the command, since "
		               "'#!/proc/self/exe' leads to our own binary");
	plan_services(plan);
	plan_capabilities(plan, config);
	s = plan_add(plan, ACTOR_INIT, STEP_SECCOMP,
	             "system calls that reach the node, and unknown ones, are refused");
	s->value = "workspace";
	if (config->user) {
		s = plan_add(plan, ACTOR_INIT, STEP_USER,
		             "asked for with -u, looked up inside");
		s->value = config->user;
	}
}

static const char *words(struct arena *arena, const char *const *argv)
{
	const char *text = "";

	for (; *argv; argv++)
		text = arena_printf(arena, "%s%s%s", text, *text ? " " : "", *argv);
	return text;
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
	if (plan->service_n > 0 && config->user) {
		(void)err_set(err, EINVAL,
		              "-u '%s' without a command: the services run as root",
		              config->user);
		(void)err_hint(err, "leave -u out, and give it to berth exec");
		return err_step(err, "init");
	}
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

/* What ps and inspect show in place of a command. */
static const char *const *service_names(struct plan *plan)
{
	const char **names =
		arena_alloc(&plan->arena, (plan->service_n + 1) * sizeof(*names));

	for (size_t i = 0; names && i < plan->service_n; i++)
		names[i] = plan->service[i].name;
	return names;
}

/* The PATH there is, with the wrapper's directory first. */
static const char *wrapped_path(struct arena *arena, const char *const *env)
{
	const char *path = EXEC_PATH;

	for (; *env; env++)
		if (!strncmp(*env, "PATH=", 5))
			path = *env + 5;
	return arena_printf(arena, "PATH=" PLAN_WRAPPER ":%s", path);
}

/* What runs, and with which environment. */
static void plan_command(struct plan *plan, const struct config *config,
                         const struct facts *facts)
{
	struct arena *arena = &plan->arena;
	const char **env = arena_alloc(arena, (config->env_n + 8) * sizeof(*env));
	const char **command = arena_alloc(arena, 2 * sizeof(*command));
	struct step *s;
	size_t n = 0;

	if (!env || !command)
		return;
	env[n++] = "PATH=" EXEC_PATH;
	env[n++] = "container=berth";
	env[n++] = arena_printf(arena, "HOSTNAME=%s", config->hostname);
	if (plan->init == INIT_SYSTEMD)
		env[n++] = "NOTIFY_SOCKET=" PLAN_NOTIFY;
	if (plan->pty)
		env[n++] = "TERM=xterm";
	/* Last, so that the user's word counts: exec_environment() lets later ones win. */
	for (size_t i = 0; i < config->env_n; i++)
		env[n++] = config->env[i];
	plan->env = env;
	if (plan->service_n > 0) {
		env[n] = wrapped_path(arena, env);
		plan->command = service_names(plan);
		(void)plan_add(plan, ACTOR_INIT, STEP_SUPERVISE,
		               "as PID 1: started in order, and again when one ends; "
		               "stopped in the reverse order");
		return;
	}

	if (plan->init == INIT_SYSTEMD)
		command[0] = facts->root.init;
	else
		command[0] = "/bin/sh";
	plan->command =
		config->command && plan->init != INIT_SYSTEMD ? config->command : command;

	s = plan_add(plan, ACTOR_INIT, STEP_EXEC,
	             plan->init == INIT_SYSTEMD ? "the image's own init"
	             : plan->init == INIT_BERTH
	                     ? "under berth's own small init, which reaps "
	                       "orphans and forwards signals"
	                     : "as PID 1 itself");
	s->value = words(arena, plan->command);
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
		r = plan_cgroup(&plan, config, facts, err);
	if (r == 0) {
		plan_publish(&plan, config);
		plan_warden_birth(&plan);
		r = plan_budgets(&plan, config, facts, err);
	}
	if (r == 0) {
		plan_init_birth(&plan, config, facts);
		r = plan_root(&plan, config, facts, err);
	}
	if (r == 0) {
		plan_docker_dirs(&plan, config);
		plan_dev(&plan);
		plan_pod_files(&plan, config, facts);
		plan_names(&plan, config, facts);
		plan_wrapper(&plan, config, facts);
		r = plan_volumes(&plan, config, err);
	}
	if (r == 0) {
		plan_gateway(&plan);
		plan_inside(&plan, config, facts);
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
