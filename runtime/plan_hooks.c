#include <errno.h>
#include <inttypes.h>

#include "hook.h"
#include "plan.h"

/* clang-format off */
static const char *const why[HOOK_KINDS] = {
	[HOOK_PRESTART]  = "opened now, and run outside once all is made, before anything of "
	                   "the root is; where it fails nothing starts",
	[HOOK_POSTSTART] = "opened now, and run outside once the command runs; where it fails "
	                   "the workspace ends",
	[HOOK_POSTSTOP]  = "opened now, and run outside when nothing of the workspace is "
	                   "left; where it fails that is told",
};
/* clang-format on */

/* Bits of a mode: this file includes no <sys/stat.h>. */
#define GROUP_WRITES 020
#define OTHERS_WRITE 02

/* Root's files, in a user namespace that does not map him: those of the pod, but no hook. */
#define OVERFLOW_UID 65534

/* Who may change it may do what we may. */
static bool of_others(mode_t mode, uid_t uid, gid_t gid, const struct facts *facts)
{
	return (uid != 0 && uid != facts->uid) || (mode & OTHERS_WRITE) ||
	       ((mode & GROUP_WRITES) && gid != 0 && gid != facts->gid);
}

static int to_others(struct err *err)
{
	return err_hint(err, "it runs with your rights: let it be yours or root's, and "
	                     "chmod go-w");
}

static int to_inside(struct err *err)
{
	return err_hint(err, "root inside could write to it, and it runs outside: keep "
	                     "it where the workspace writes nothing, or attach that "
	                     "volume with :ro");
}

/* Unlike the hook it is not held open: the kernel looks it up whenever the hook runs. */
static int check_interpreter(const struct hook *hook, const struct interpreter_fact *fact,
                             const struct facts *facts, struct err *err)
{
	const char *kind = hook_kind_name[hook->kind], *path = hook->argv[0];
	const uid_t uid = fact->uid == OVERFLOW_UID ? 0 : fact->uid;

	if (fact->way.problem) {
		(void)err_set(err, EPERM, "'%s' %s '%s', which executes the %s hook '%s'",
		              fact->way.by, fact->way.problem, fact->way.path, kind,
		              path);
		return to_inside(err);
	}
	if (of_others(fact->mode, uid, fact->gid, facts))
		(void)err_set(err, EPERM,
		              "others than you and root may write to '%s', which "
		              "executes the %s hook '%s'",
		              fact->way.path, kind, path);
	else if (fact->loose)
		(void)err_set(err, EPERM,
		              "others than you and root may write to '%s', on the way to "
		              "'%s', which executes the %s hook '%s'",
		              fact->loose, fact->way.path, kind, path);
	else
		return 0;
	return to_others(err);
}

static int check(const struct hook *hook, const struct hook_fact *fact,
                 const struct facts *facts, struct err *err)
{
	const char *kind = hook_kind_name[hook->kind], *path = hook->argv[0];

	if (fact->error) {
		(void)err_set(err, fact->error, "execute the %s hook '%s'", kind, path);
		return err_hint(err,
		                "--hook-%s takes a program of the pod, not of the "
		                "workspace: a file that may be executed",
		                kind);
	}
	if (fact->program.problem) {
		(void)err_set(err, EPERM, "'%s' %s the %s hook '%s'", fact->program.by,
		              fact->program.problem, kind, path);
		return to_inside(err);
	}
	for (size_t i = 0; i < fact->interpreter_n; i++)
		if (check_interpreter(hook, &fact->interpreter[i], facts, err) < 0)
			return -err->code;
	if (!of_others(fact->mode, fact->uid, fact->gid, facts))
		return 0;
	(void)err_set(err, EPERM,
	              "others than you and root may write to the %s hook '%s'", kind,
	              path);
	return to_others(err);
}

int plan_hooks(struct plan *plan, const struct config *config, const struct facts *facts,
               struct err *err)
{
	struct arena *arena = &plan->arena;

	for (size_t i = 0; i < config->hook_n; i++) {
		const struct hook *hook = &config->hook[i];
		struct step *s;

		if (check(hook, &facts->hook[i], facts, err) < 0)
			return err_step(err, "hook");
		s = plan_add(plan, ACTOR_SUPERVISOR, STEP_HOOK, why[hook->kind]);
		s->target = hook_kind_name[hook->kind];
		s->source = arena_dup(arena, hook->text);
		s->value = arena_printf(arena, "%" PRIu64 " s", config->hook_timeout_s);
		s->number = i;
	}
	return 0;
}
