#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "plan.h"

/* @steps: how many were just made for it. */
static void outcome(struct plan *plan, const char *name, const char *text, size_t steps,
                    const char *how)
{
	if (plan->limit_n == PLAN_LIMITS_MAX)
		return;
	plan->limit[plan->limit_n++] = (struct plan_limit){
		.name = name,
		.text = text,
		.how = how,
		.enforced = steps > 0,
		.step = plan->n - 1,
		.steps = steps,
	};
}

int plan_unenforced(struct plan *plan, const struct config *config, const char *name,
                    const char *text, const char *why, const char *remedy,
                    struct err *err)
{
	if (config_best_effort(config, name)) {
		plan_note(plan, arena_printf(&plan->arena, "--%s %s is not enforced: %s",
		                             name, text, why));
		outcome(plan, name, text, 0, why);
		return 0;
	}
	(void)err_set(err, EPERM, "--%s %s: %s", name, text, why);
	return err_hint(err, "%s; or go without it: --best-effort %s", remedy, name);
}

void plan_enforced(struct plan *plan, const char *name, const char *text, const char *how)
{
	outcome(plan, name, text, 1, how);
}

const char *plan_no_group(const struct cgroup_facts *cg)
{
	return !cg->mount     ? "no cgroup2 hierarchy is mounted"
	       : cg->threaded ? "our own group is threaded"
	       : cg->own      ? "our own group is not delegated to us"
	                      : "our own group is out of sight";
}

/* Whether "cpu memory pids" has @name. */
static bool has_word(const char *words, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = words; *p; p += strspn(p, " ")) {
		size_t n = strcspn(p, " ");

		if (n == len && !strncmp(p, name, n))
			return true;
		p += n;
	}
	return false;
}

static const char *no_controller(struct plan *plan, const struct facts *facts,
                                 const char *controller, const char **remedy)
{
	*remedy = "enable it above: with systemd by Delegate= of user@.service; in a "
		  "pod the node decides";
	return arena_printf(&plan->arena,
	                    "the controller '%s' is not handed down to our own group "
	                    "'%s'",
	                    controller, facts->cgroup.own);
}

/* "8:0 rbps=1048576": the device as the kernel wants it. */
static const char *limit_value(struct plan *plan, const struct limit *limit,
                               const struct device_fact *device)
{
	if (!limit->device)
		return limit->value;
	if (limit->device[0] != '/')
		return arena_printf(&plan->arena, "%s %s", limit->device, limit->value);
	return arena_printf(&plan->arena, "%u:%u %s", device->major, device->minor,
	                    limit->value);
}

static struct step *add_step(struct plan *plan, const char *group, const struct limit *l,
                             const char *why)
{
	struct step *s = plan_add(plan, ACTOR_SUPERVISOR, STEP_CGROUP_LIMIT, why);

	s->target = arena_printf(&plan->arena, "%s/%s", group, l->file);
	s->source = knob_info[l->knob].name;
	s->value = l->value;
	return s;
}

/* All that root inside could do without: 42 000 groups fit into 128 MiB (KEP-5474). */
static void plan_usual(struct plan *plan, const struct config *config, const char *group)
{
	for (enum knob knob = 0; knob < KNOB_N; knob++) {
		const struct knob_info *info = &knob_info[knob];
		const struct limit usual = { .knob = knob,
			                     .file = info->file,
			                     .value = info->usual };

		if (!info->usual || config_limit(config, knob))
			continue;
		add_step(plan, group, &usual,
		         "groups cost the pod's memory, and root inside makes them")
			->optional = true;
	}
}

static int check_device(const struct limit *limit, const struct device_fact *device,
                        struct err *err)
{
	if (!limit->device || limit->device[0] != '/' || device->found)
		return 0;
	(void)err_set(err, ENODEV, "--io %s: '%s' is no block device here", limit->text,
	              limit->device);
	return err_hint(err, "name the disk by its numbers, MAJOR:MINOR, as lsblk shows "
	                     "them on the node");
}

static bool has_step(const struct plan *plan, enum step_kind kind, enum knob knob)
{
	for (size_t i = 0; i < plan->n; i++)
		if (plan->step[i].kind == kind &&
		    !strcmp(plan->step[i].source, knob_info[knob].name))
			return true;
	return false;
}

/* Pages of 64 KiB are the largest. */
#define BEYOND 65536

void plan_shown_limits(struct plan *plan, const struct config *config,
                       const char *payload)
{
	static const enum knob shown[] = { KNOB_CPUS, KNOB_MEMORY };

	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
		const struct limit *asked = config_limit(config, shown[i]);
		struct limit limit;

		if (!asked || !has_step(plan, STEP_CGROUP_LIMIT, shown[i]))
			continue;
		limit = *asked;
		/* Further out, or this one would be met first, and its counters are
		 * root's inside. */
		if (shown[i] == KNOB_MEMORY)
			limit.value = arena_printf(&plan->arena, "%" PRIu64,
			                           limit.number + BEYOND);
		add_step(plan, payload, &limit,
		         "shown, not enforced: JVM, Go and .NET size themselves by what "
		         "they see here")
			->optional = true;
	}
}

bool plan_has_limit(const struct plan *plan, enum knob knob)
{
	return has_step(plan, STEP_CGROUP_LIMIT, knob) ||
	       has_step(plan, STEP_CGROUP1_LIMIT, knob);
}

int plan_limits(struct plan *plan, const struct config *config, const struct facts *facts,
                const char *group, struct err *err)
{
	const struct cgroup_facts *cg = &facts->cgroup;
	struct arena *arena = &plan->arena;

	for (size_t i = 0; i < config->limit_n; i++) {
		struct limit limit = config->limit[i];
		const struct knob_info *info = &knob_info[limit.knob];
		const char *name = info->name, *why = NULL, *remedy = PLAN_NO_GROUP_HINT;
		int r = check_device(&limit, &facts->device[i], err);

		if (r < 0)
			return err_step(err, "cgroup");
		if (!group) {
			why = plan_no_group(cg);
		} else if (info->controller &&
		           !has_word(cg->controllers, info->controller)) {
			why = no_controller(plan, facts, info->controller, &remedy);
		}
		limit.value = limit_value(plan, &limit, &facts->device[i]);
		if (why && info->controller_v1) {
			const char *how = NULL;
			size_t steps = plan_cgroup1_limit(plan, config, facts, &limit,
			                                  &how, &why, &remedy);

			if (steps > 0) {
				outcome(plan, name, limit.text, steps, how);
				continue;
			}
		}
		if (why && limit.knob == KNOB_PIDS) {
			/* What RLIMIT_NPROC does is planned with the workspace's birth. */
			if (!facts->node_root) {
				plan_enforced(plan, name, limit.text, "RLIMIT_NPROC");
				continue;
			}
			why = arena_printf(arena,
			                   "%s, and the kernel does not count the "
			                   "processes of the node's root",
			                   why);
		}
		if (why) {
			r = plan_unenforced(plan, config, name, limit.text, why, remedy,
			                    err);
			if (r < 0)
				return err_step(err, "cgroup");
			continue;
		}
		add_step(plan, group, &limit,
		         "asked for; held a level above the workspace")
			->optional = config_best_effort(config, name);
		plan_enforced(plan, name, limit.text,
		              arena_printf(arena, "%s = %s", limit.file, limit.value));
	}
	if (group)
		plan_usual(plan, config, group);
	plan_cgroup1_payload(plan, config);
	return 0;
}
