#include <errno.h>
#include <inttypes.h>

#include "plan.h"

/*
 * What L1 counts of the launch's own namespaces, which the workspace gets on top: all
 * of L2's, and those of L1 itself where the user who made them is its root.
 */
static uint64_t own_namespaces(const struct plan *plan, enum budget budget)
{
	const struct budget_info *info = &budget_info[budget];

	/* pasta makes them for itself, as L1's root; our child before it, one of mounts. */
	const bool by_pasta = plan->net == NET_PASTA &&
	                      (budget == BUDGET_MOUNT_NS || budget == BUDGET_IPC_NS ||
	                       budget == BUDGET_UTS_NS);

	if (budget == BUDGET_NET_NS && !plan_has_gateway(plan))
		return plan->net == NET_NONE;
	return info->own + (info->above && !plan->become_root) +
	       (by_pasta ? budget == BUDGET_MOUNT_NS ? 2 : 1 : 0);
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

int plan_budgets(struct plan *plan, const struct config *config,
                 const struct facts *facts, struct err *err)
{
	const struct limit *pids = config_limit(config, KNOB_PIDS);

	if (pids && pids->number > facts->nproc_hard &&
	    config_best_effort(config, knob_info[KNOB_PIDS].name)) {
		plan_note(plan, arena_printf(&plan->arena,
		                             "--pids %" PRIu64
		                             ": our own hard limit is less, and holds: "
		                             "%" PRIu64,
		                             pids->number, facts->nproc_hard));
	} else if (pids && pids->number > facts->nproc_hard) {
		(void)err_set(err, ERANGE,
		              "--pids %" PRIu64 ": our own hard limit is %" PRIu64,
		              pids->number, facts->nproc_hard);
		(void)err_hint(
			err,
			"ask for at most that, raise RLIMIT_NPROC (ulimit -Hu), or take "
			"what there is: --best-effort pids");
		return err_step(err, "rlimit");
	}
	for (enum budget i = 0; i < BUDGET_N; i++)
		if (config->budget[i] != LIMIT_UNSET &&
		    plan_budget(plan, config, facts, i, err) < 0)
			return err_step(err, budget_info[i].file ? "ucount" : "rlimit");
	return 0;
}

/*
 * RLIMIT_NPROC of the workspace. Behind pids.max it is a second fence a little further
 * out, so that the one that counts its refusals is met first.
 */
static uint64_t nproc(const struct plan *plan, const struct facts *facts,
                      const struct limit *pids)
{
	const uint64_t further = plan_has_limit(plan, KNOB_PIDS) ? 8 : 0;
	const uint64_t want = pids->number + further;

	return want < facts->nproc_hard ? want : facts->nproc_hard;
}

/* What holds all of L2 is the soft limit that it is made under. */
void plan_lower_limits(struct plan *plan, const struct config *config,
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

/* What is a number of pages to the kernel would hold init's own processes as bytes. */
void plan_restore_inside(struct plan *plan, const struct config *config)
{
	for (size_t i = 0; i < BUDGET_N; i++) {
		struct step *s;

		if (!budget_info[i].pages || config->budget[i] == LIMIT_UNSET)
			continue;
		s = plan_add(plan, ACTOR_INIT, STEP_RLIMIT,
		             "each process by itself may lock what it could before");
		s->target = budget_info[i].limit;
		s->value = "restore";
	}
}

void plan_restore_limits(struct plan *plan)
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
