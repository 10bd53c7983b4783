#include "plan.h"

/*
 * By what is known without trying, which is what the rows of berth check would find as
 * well; tests/run/check.bats compares the two. There is none for D: nothing is planned
 * where nothing can be started.
 */
const char *plan_tier(const struct plan *plan, const struct facts *facts)
{
	if (idmap_width(&plan->outer_uid) < IDMAP_FULL ||
	    idmap_width(&plan->outer_gid) < IDMAP_FULL || plan->deny_setgroups ||
	    facts->proc_masked || facts->sys_masked || facts->ucounts_read_only)
		return "C";
	return facts->cgroup.ours || facts->user_manager ? "A" : "B";
}
