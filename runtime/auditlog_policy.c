#include <errno.h>
#include <stdio.h>

#include "auditlog.h"
#include "policies/policy.h"
#include "run.h"

int auditlog_policy(const struct config *config, char **ret, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	struct policy policy;
	size_t size;
	FILE *out;
	int r = config_settings(config, &arena, &policy, err);

	if (r < 0)
		return r;
	out = open_memstream(ret, &size);
	if (!out)
		return err_set(err, ENOMEM, "write down the policy");
	r = policy_print(&policy, out, err);
	if (fclose(out) != 0 && r == 0)
		r = err_set(err, ENOMEM, "write down the policy");
	return r;
}
