#include <string.h>

#include "plan.h"

/*
 * Limits on cgroup v1. Each hierarchy gets "berth-NAME", which is limited, and in it
 * "payload", where the processes are: a workspace whose root has our own uid would see
 * that one as the root, if it mounted the hierarchy. Nothing is delegated there.
 */

static const char *group_dir(struct arena *arena, const struct cgroup1_fact *fact)
{
	return arena_printf(arena, "%s%s", fact->mount, fact->own[1] ? fact->own : "");
}

static bool is_made(const struct plan *plan, const char *dir, const char *group)
{
	for (size_t i = 0; i < plan->n; i++)
		if (plan->step[i].kind == STEP_CGROUP1_MAKE &&
		    !strcmp(plan->step[i].source, dir) &&
		    !strcmp(plan->step[i].target, group))
			return true;
	return false;
}

bool plan_cgroup1_uses(const struct plan *plan, const struct cgroup1_fact *fact)
{
	size_t len = strlen(fact->mount);

	for (size_t i = 0; fact->own && i < plan->n; i++) {
		const char *dir = plan->step[i].source;

		if (plan->step[i].kind == STEP_CGROUP1_MAKE &&
		    !strncmp(dir, fact->mount, len) &&
		    !strcmp(dir + len, fact->own[1] ? fact->own : ""))
			return true;
	}
	return false;
}

static void make(struct plan *plan, const char *dir, const char *controllers,
                 const char *group, const char *why)
{
	struct step *s;

	if (is_made(plan, dir, group))
		return;
	s = plan_add(plan, ACTOR_SUPERVISOR, STEP_CGROUP1_MAKE, why);
	s->target = group;
	s->source = dir;
	s->value = controllers;
}

static void make_payload(struct plan *plan, const struct config *config, const char *dir,
                         const char *controllers)
{
	make(plan, dir, controllers,
	     arena_printf(&plan->arena, "berth-%s/payload", config->name),
	     "the workspace's processes are moved there, a level below the limits");
}

const char *plan_cgroup1_obstacle(const struct facts *facts, const struct idmap *outer,
                                  enum knob knob, struct arena *arena,
                                  const char **ret_remedy)
{
	const struct knob_info *info = &knob_info[knob];
	const struct cgroup1_fact *fact =
		cgroup1_find(facts->cgroup1, facts->cgroup1_n, info->controller_v1);
	const char *on_v1 = arena_printf(
		arena, "the controller '%s' is mounted as cgroup v1", info->controller);

	*ret_remedy = "start the node with cgroup v2 alone (cgroup_no_v1=all)";
	if (!fact->own)
		return arena_printf(arena, "%s, and our own group there is out of sight",
		                    on_v1);
	if (!fact->ours) {
		*ret_remedy = arena_printf(
			arena,
			"start the node with cgroup v2 alone (cgroup_no_v1=all), or have "
			"the directory '%s' given to this user",
			group_dir(arena, fact));
		return arena_printf(arena, "%s, and our own group '%s' there is not ours",
		                    on_v1, fact->own);
	}
	if (!facts->cgroup1_writer) {
		*ret_remedy = "install the program berth-cgroup1 beside berth";
		return arena_printf(
			arena, "%s, and berth-cgroup1, which writes there, is missing",
			on_v1);
	}
	if (!info->file_v1)
		return "cgroup v1 has nothing like it";
	if (knob == KNOB_SWAP && !fact->swap) {
		*ret_remedy = "start the node with swapaccount=1";
		return "the kernel does not count swap";
	}
	if (knob == KNOB_IO && idmap_covers_outside(outer, facts->uid))
		return "cgroup v1 counts it in one group only, which root inside would "
		       "own";
	return NULL;
}

size_t plan_cgroup1_limit(struct plan *plan, const struct config *config,
                          const struct facts *facts, const struct limit *limit,
                          const char **ret_how, const char **ret_why,
                          const char **ret_remedy)
{
	const struct knob_info *info = &knob_info[limit->knob];
	const struct cgroup1_fact *fact =
		cgroup1_find(facts->cgroup1, facts->cgroup1_n, info->controller_v1);
	const struct limit *memory = plan_has_limit(plan, KNOB_MEMORY)
	                                     ? config_limit(config, KNOB_MEMORY)
	                                     : NULL;
	struct knob_write write[KNOB_V1_WRITES];
	const char *group, *why, *how = "";
	size_t n;

	if (!fact)
		return 0;
	why = plan_cgroup1_obstacle(facts, &plan->outer_uid, limit->knob, &plan->arena,
	                            ret_remedy);
	n = why ? 0 : knob_v1(limit, memory, &plan->arena, write, &why);
	if (n == 0) {
		*ret_why = why;
		return 0;
	}

	plan->cgroup1 = true;
	group = arena_printf(&plan->arena, "berth-%s", config->name);
	make(plan, group_dir(&plan->arena, fact), fact->controllers, group,
	     "limits are written here, out of reach of root inside");
	if (write[0].flat)
		make_payload(plan, config, group_dir(&plan->arena, fact),
		             fact->controllers);
	for (size_t i = 0; i < n; i++) {
		struct step *s = plan_add(plan, ACTOR_SUPERVISOR, STEP_CGROUP1_LIMIT,
		                          "asked for; cgroup v1 has this controller");

		s->target = arena_printf(&plan->arena, "%s%s/%s", group,
		                         write[i].flat ? "/payload" : "", write[i].file);
		s->source = info->name;
		s->value = write[i].value;
		s->via = group_dir(&plan->arena, fact);
		s->optional = config_best_effort(config, info->name);
		how = arena_printf(&plan->arena, "%s%s%s = %s", how, *how ? ", " : "",
		                   write[i].file, write[i].value);
	}
	*ret_how = arena_printf(&plan->arena, "%s (cgroup v1)", how);
	return n;
}

void plan_cgroup1_payload(struct plan *plan, const struct config *config)
{
	/* As they are by now: plan_add() appends to what is walked. */
	const size_t n = plan->n;

	for (size_t i = 0; i < n; i++) {
		const struct step s = plan->step[i];

		if (s.kind == STEP_CGROUP1_MAKE)
			make_payload(plan, config, s.source, s.value);
	}
}
