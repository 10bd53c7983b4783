#include <string.h>

#include "check.h"

const char *const check_controller[CHECK_CONTROLLERS_N] = { "cpu", "memory",  "pids",
	                                                    "io",  "hugetlb", "cpuset" };

bool check_has_word(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = words; (p = strstr(p, word)); p += len)
		if ((p == words || p[-1] == ' ') && (p[len] == ' ' || p[len] == '\0'))
			return true;
	return false;
}

/* Since 5.14 it counts per user namespace (ucounts), but never for the node's uid 0. */
static bool nproc_counts(const struct facts *facts, const struct check_result *result)
{
	return !facts->node_root && result[CHECK_NESTED].outcome == OUTCOME_YES;
}

static struct check_limit by_cgroup(const struct facts *facts, const struct idmap *outer,
                                    const struct check_result *result, bool pod,
                                    struct arena *arena, enum knob knob, const char *have)
{
	const struct knob_info *info = &knob_info[knob];
	const bool ours = result[CHECK_CGROUP_OWN].outcome == OUTCOME_YES;
	const enum check_id why = ours ? CHECK_CONTROLLERS : CHECK_CGROUP_OWN;
	struct check_limit ret = { .name = info->name, .enforced = true, .by = "cgroup" };

	if (ours && (!info->controller || check_has_word(have, info->controller)))
		return ret;
	ret.by = ours ? "its controller is not handed to our group"
	              : "there is no cgroup that we may write";
	ret.remedy = check_remedy(why, &result[why], pod, arena);
	if (info->controller_v1 &&
	    cgroup1_find(facts->cgroup1, facts->cgroup1_n, info->controller_v1)) {
		ret.by = plan_cgroup1_obstacle(facts, outer, knob, arena, &ret.remedy);
		if (!ret.by)
			return (struct check_limit){ info->name, true, "cgroup v1",
				                     NULL };
	}
	if (knob == KNOB_PIDS && nproc_counts(facts, result))
		return (struct check_limit){ info->name, true,
			                     "RLIMIT_NPROC of the first level", NULL };
	ret.enforced = false;
	return ret;
}

static struct check_limit by_budget(enum budget budget,
                                    const struct check_result *ucounts, bool pod,
                                    struct arena *arena)
{
	const bool file = budget_info[budget].file;
	const bool holds = ucounts->outcome == OUTCOME_YES ||
	                   (!file && ucounts->outcome == OUTCOME_NO);

	return (struct check_limit){
		.name = budget_info[budget].name,
		.enforced = holds,
		.by = holds ? file ? "/proc/sys/user of the first level"
		                   : "a resource limit of the first level"
		      : ucounts->outcome == OUTCOME_NO
		              ? "/proc/sys/user cannot be written"
		              : "there is no user namespace",
		.remedy = file && ucounts->outcome == OUTCOME_NO
		                  ? check_remedy(CHECK_UCOUNTS, ucounts, pod, arena)
		                  : NULL,
	};
}

void check_limits(const struct facts *facts, const struct idmap *outer,
                  const struct check_result *result, const char *controllers, bool pod,
                  struct arena *arena, struct check_limit *ret)
{
	const struct check_result *ucounts = &result[CHECK_UCOUNTS];
	size_t n = 0;

	for (enum knob knob = 0; knob < KNOB_N; knob++)
		ret[n++] = by_cgroup(facts, outer, result, pod, arena, knob, controllers);
	for (enum budget i = 0; i < BUDGET_N; i++)
		ret[n++] = by_budget(i, ucounts, pod, arena);
}
