#include <errno.h>
#include <string.h>

#include "plan.h"

/* "+cpu +memory" from "cpu memory". */
static const char *enabling(struct arena *arena, const char *controllers)
{
	const char *text = "";

	for (const char *p = controllers; *p;) {
		size_t len = strcspn(p, " ");

		text = arena_printf(arena, "%s%s+%.*s", text, *text ? " " : "", (int)len,
		                    p);
		p += len + strspn(p + len, " ");
	}
	return text;
}

/*
 * A command that is waited for, with nobody at it, ends with its caller and shares the
 * caller's group: making one and taking it away would be a tenth of its launch. What
 * lives longer, or is worked in, has one of its own: to be stopped as a whole, and for a
 * dockerd that may be started in it. What is limited has one of necessity.
 */
static bool wants_group(const struct plan *plan, const struct config *config)
{
	return plan->init == INIT_SYSTEMD || plan->service_n > 0 || config->detach ||
	       config->interactive || config->tty || config->limit_n > 0;
}

/* Whether it is worth another start to get a group: RLIMIT_NPROC needs none. */
static bool needs_group(const struct plan *plan, const struct config *config,
                        const struct facts *facts)
{
	bool needs = plan->init == INIT_SYSTEMD || plan->service_n > 0;

	for (size_t i = 0; i < config->limit_n; i++)
		needs |= config->limit[i].knob != KNOB_PIDS || facts->node_root;
	return needs;
}

/* Root inside is somebody else than our caller, who may give nobody anything of his. */
static int give_no_group(struct err *err)
{
	(void)err_set(err, EPERM,
	              "--uidmap, --gidmap: root inside is not ourselves, and only "
	              "root can give it a cgroup");
	(void)err_hint(err,
	               "map 0 to our own IDs ($(id -u), $(id -g)); or leave out limits, "
	               "systemd, -d, -i and -t, which want a cgroup");
	return err_step(err, "cgroup");
}

int plan_cgroup(struct plan *plan, const struct config *config, const struct facts *facts,
                struct err *err)
{
	const struct cgroup_facts *cg = &facts->cgroup;
	struct arena *arena = &plan->arena;
	const char *limits, *payload, *all;
	struct step *s;

	if (!wants_group(plan, config))
		return 0;
	if (!cg->ours && needs_group(plan, config, facts) && facts->user_manager) {
		s = plan_add(plan, ACTOR_SUPERVISOR, STEP_SCOPE,
		             "our own group is not delegated to us: the service manager "
		             "gives us one that is, and berth starts again in it");
		s->value = facts->uid == 0 ? "systemd-run --scope -p Delegate=yes"
		                           : "systemd-run --user --scope "
		                             "-p Delegate=yes";
		plan_note(plan, "berth plan inside of such a scope shows the cgroup "
		                "steps, too");
		return 0;
	}
	if (!cg->ours && plan->init == INIT_SYSTEMD) {
		(void)err_set(err, EPERM, "systemd needs a cgroup it can write, and %s",
		              plan_no_group(cg));
		if (config->init == INIT_AUTO && plan_docker_possible(plan, facts))
			(void)err_hint(err,
			               "install crun in the image, and berth's own init "
			               "runs dockerd without a cgroup; or use a runtime "
			               "that hands over the cgroup (crun, or containerd "
			               "2.1 with cgroup_writable)");
		(void)err_hint(err, PLAN_NO_GROUP_HINT PLAN_SEE_CHECK);
		return err_step(err, "cgroup");
	}
	if (!cg->ours)
		return plan_limits(plan, config, facts, NULL, err);

	if (plan->become_root && facts->uid != 0)
		return give_no_group(err);
	plan->cgroup = cg->own;
	limits = arena_printf(arena, "berth-%s", config->name);
	payload = arena_printf(arena, "%s/payload", limits);
	all = enabling(arena, cg->controllers);

	if (cg->fresh)
		(void)plan_add(plan, ACTOR_SUPERVISOR, STEP_CGROUP_VIEW,
		               "the pod's own view of the cgroup tree is read-only");
	if (!cg->in_leaf) {
		s = plan_add(plan, ACTOR_SUPERVISOR, STEP_CGROUP_LEAF,
		             "a group that hands controllers down may hold no process "
		             "itself");
		s->target = CGROUP_LEAF;
		s->value = cg->own;
	}
	if (*all) {
		s = plan_add(plan, ACTOR_SUPERVISOR, STEP_CGROUP_ENABLE,
		             "so that the workspace can be limited");
		s->target = ".";
		s->value = all;
	}
	s = plan_add(plan, ACTOR_SUPERVISOR, STEP_CGROUP_MAKE,
	             "limits are written here, out of reach of root inside");
	s->target = limits;
	if (plan_limits(plan, config, facts, limits, err) < 0)
		return -err->code;
	if (*all) {
		s = plan_add(plan, ACTOR_SUPERVISOR, STEP_CGROUP_ENABLE,
		             "systemd and dockerd inside hand them further down");
		s->target = limits;
		s->value = all;
	}
	s = plan_add(plan, ACTOR_SUPERVISOR, STEP_CGROUP_MAKE,
	             "the workspace is born in it and sees it as the root");
	s->target = payload;
	plan_shown_limits(plan, config, payload);
	if (plan->become_root) {
		s = plan_add(plan, ACTOR_SUPERVISOR, STEP_CGROUP_OWN,
		             "delegated: root inside makes groups below it");
		s->target = payload;
		s->number = plan->outer_uid.extent[0].outside;
	}
	if (plan_has_gateway(plan)) {
		s = plan_add(
			plan, ACTOR_SUPERVISOR, STEP_CGROUP_MAKE,
			plan->net == NET_RELAY
				? "what the relay does for the workspace counts for its "
				  "limits"
				: "what pasta and the relay do for the workspace counts "
				  "for its limits");
		s->target = arena_printf(arena, "%s/relay", limits);
		s->optional = true;
	}
	return 0;
}
