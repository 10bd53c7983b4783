#include <errno.h>
#include <string.h>

#include "plan.h"

/* What the workspace's root is made of, and what of berth's own it must not show. */

/* The root is what the pod has there, and no overlay over it. */
static bool in_place(const struct config *config)
{
	return !config->overlay && strcmp(config->rootfs, "host") != 0;
}

/* Where a cover does not help the launch is refused: docs/decisions.md, 96. */
static int plan_hide(struct plan *plan, const struct config *config,
                     const struct facts *facts, enum hidden which, const char *why,
                     struct err *err)
{
	const struct hidden_fact *hidden = facts->hidden ? &facts->hidden[which] : NULL;
	struct step *s;

	if (!hidden)
		return 0;
	if (hidden->problem && !config_best_effort(config, "stores")) {
		(void)err_set(err, EPERM, "'%s' %s berth's %s", hidden->by,
		              hidden->problem, hidden->what);
		(void)err_hint(err,
		               "who can write to it is no longer inside: attach a "
		               "directory beside it, or put it elsewhere (--store, "
		               "--state, XDG_RUNTIME_DIR); --best-effort stores says "
		               "that root inside may change it");
		return err_step(err, "hide");
	}
	if (hidden->problem)
		plan_note(plan, arena_printf(&plan->arena,
		                             "'%s' %s berth's %s, which root inside can "
		                             "change",
		                             hidden->by, hidden->problem, hidden->what));
	if (!hidden->path || !hidden->shown)
		return 0;
	s = plan_add(plan, ACTOR_WARDEN, STEP_HIDE, why);
	s->target = hidden->path;
	s->value = hidden->what;
	s->flags = PLAN_READ_ONLY | PLAN_NOSUID | PLAN_NODEV | PLAN_NOEXEC;
	return 0;
}

static int plan_hide_stores(struct plan *plan, const struct config *config,
                            const struct facts *facts, struct err *err)
{
	int r = plan_hide(plan, config, facts, HIDDEN_IMAGES,
	                  "other workspaces are made of it: none may change it, even "
	                  "where a volume holds it",
	                  err);

	return r < 0 ? r
	             : plan_hide(plan, config, facts, HIDDEN_LAYERS,
	                         "who changes an upper layer changes the workspace that "
	                         "it is of, even where a volume holds it",
	                         err);
}

static void plan_overlay_root(struct plan *plan, const struct config *config)
{
	struct step *s;

	plan_layered_root(plan, config);
	s = plan_add(plan, ACTOR_WARDEN, STEP_OVERLAY,
	             config->image ? "the image's tree is shared and stays as it is, "
	                             "changes go to the upper layer"
	                           : "the directory stays as it is, changes go to the "
	                             "upper layer");
	s->target = "/";
	s->source = config->rootfs;
	s->value = "upper";
	s->via = "work";
}

int plan_root(struct plan *plan, const struct config *config, const struct facts *facts,
              struct err *err)
{
	struct step *s;
	int r = 0;

	(void)plan_add(
		plan, ACTOR_WARDEN, STEP_PRIVATE,
		"the workspace's tree is its own: no mount of the pod appears later");

	/* Before anything is bound, so that each copy of the pod's tree has it. */
	r = plan_hide(plan, config, facts, HIDDEN_RECORDS,
	              "what start, exec and rm go by is not for a workspace to change, "
	              "even where a volume holds it",
	              err);
	if (r < 0)
		return r;
	if (in_place(config)) {
		r = plan_hide_stores(plan, config, facts, err);
		s = plan_add(
			plan, ACTOR_WARDEN, STEP_ROOT,
			"the workspace's root, used in place; device nodes in it are "
			"dead");
		s->source = config->rootfs;
		s->flags = PLAN_NODEV;
		return r;
	}
	/* What the root is made of has to be in sight until it is mounted. */
	if (!strcmp(config->rootfs, "host"))
		r = plan_host_root(plan, config, facts, err);
	else
		plan_overlay_root(plan, config);
	return r < 0 ? r : plan_hide_stores(plan, config, facts, err);
}
