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

static struct check_limit by_cgroup(const struct facts *facts,
                                    const struct check_result *result, bool pod,
                                    struct arena *arena, const char *name,
                                    const char *have)
{
	const enum check_id why = result[CHECK_CGROUP_OWN].outcome == OUTCOME_YES
	                                  ? CHECK_CONTROLLERS
	                                  : CHECK_CGROUP_OWN;

	if (why == CHECK_CONTROLLERS && check_has_word(have, name))
		return (struct check_limit){ name, true, "cgroup", NULL };
	if (!strcmp(name, "pids") && nproc_counts(facts, result))
		return (struct check_limit){ name, true,
			                     "RLIMIT_NPROC of the first level", NULL };
	return (struct check_limit){
		.name = name,
		.by = why == CHECK_CONTROLLERS
		              ? "its controller is not handed to our group"
		              : "there is no cgroup that we may write",
		.remedy = check_remedy(why, &result[why], pod, arena),
	};
}

void check_limits(const struct facts *facts, const struct check_result *result,
                  const char *controllers, bool pod, struct arena *arena,
                  struct check_limit *ret)
{
	static const char *const budgets[] = { "watches", "inotify-instances" };
	const struct check_result *ucounts = &result[CHECK_UCOUNTS];
	size_t n = 0;

	for (size_t i = 0; i < CHECK_CONTROLLERS_N; i++)
		ret[n++] = by_cgroup(facts, result, pod, arena, check_controller[i],
		                     controllers);
	for (size_t i = 0; i < sizeof(budgets) / sizeof(budgets[0]); i++) {
		bool holds = ucounts->outcome == OUTCOME_YES;

		ret[n++] = (struct check_limit){
			.name = budgets[i],
			.enforced = holds,
			.by = holds ? "/proc/sys/user of the first level"
			      : ucounts->outcome == OUTCOME_NO
			              ? "/proc/sys/user cannot be written"
			              : "there is no user namespace",
			.remedy =
				ucounts->outcome == OUTCOME_NO
					? check_remedy(CHECK_UCOUNTS, ucounts, pod, arena)
					: NULL,
		};
	}
}
