#include <errno.h>
#include <string.h>

#include "plan.h"

/*
 * Root inside has no CAP_SYS_RESOURCE that counts, and init, who sets it, has none either:
 * above our own hard limit there is nothing to be had, whoever we are.
 */
static int too_much(struct plan *plan, const struct config *config, enum ulimit_kind kind,
                    const char *asked, const struct ulimit *most, struct err *err)
{
	const struct ulimit_info *info = &ulimit_info[kind];
	const char *own;
	char text[ULIMIT_TEXT_MAX];

	own = ulimit_text(most, text);
	if (config_best_effort(config, "ulimit")) {
		plan_note(
			plan,
			arena_printf(&plan->arena,
		                     "--ulimit %s=%s is above our own hard limit: it is "
		                     "%s",
		                     info->name, asked, own));
		return 0;
	}
	(void)err_set(err, EPERM, "--ulimit %s=%s: our own hard limit is %s", info->name,
	              asked, strchr(own, ':') + 1);
	(void)err_hint(err,
	               "ask for at most that, or raise it for who starts berth: %s of a "
	               "unit, /etc/security/limits.conf, or what the pod's container "
	               "runtime was started with; or take what there is: --best-effort "
	               "ulimit",
	               info->unit);
	return err_step(err, "ulimit");
}

int plan_ulimits(struct plan *plan, const struct config *config,
                 const struct facts *facts, struct err *err)
{
	for (enum ulimit_kind i = 0; i < ULIMIT_N; i++) {
		const struct ulimit *want = &config->ulimit[i];
		const struct ulimit mine = ulimit_within(*want, facts->ulimit_hard[i]);
		char text[ULIMIT_TEXT_MAX];
		const char *asked;
		struct step *s;

		if (!want->given)
			continue;
		asked = arena_dup(&plan->arena, ulimit_text(want, text));
		if (mine.hard < want->hard &&
		    too_much(plan, config, i, asked, &mine, err) < 0)
			return -err->code;
		s = plan_add(plan, ACTOR_INIT, STEP_ULIMIT, ulimit_info[i].why);
		s->target = ulimit_info[i].name;
		s->value = arena_dup(&plan->arena, ulimit_text(&mine, text));
		plan_enforced(plan, "ulimit",
		              arena_printf(&plan->arena, "%s=%s", s->target, s->value),
		              ulimit_info[i].how);
	}
	return 0;
}
