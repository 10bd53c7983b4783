#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "mounts.h"
#include "plan.h"

/* What volumes and upper layers lie on, and whose they are: said before anything is made. */

/* An ID as the workspace sees it; UINT32_MAX: it has none such. */
static uint32_t inside(const struct idmap *map, uint32_t outside)
{
	for (size_t i = 0; i < map->n; i++)
		if (outside >= map->extent[i].outside &&
		    outside - map->extent[i].outside < map->extent[i].count)
			return map->extent[i].inside + (outside - map->extent[i].outside);
	return UINT32_MAX;
}

static const char *name(struct arena *arena, uint32_t id)
{
	return id == UINT32_MAX ? "nobody" : arena_printf(arena, "%" PRIu32, id);
}

const char *plan_owner(struct plan *plan, const struct source_fact *fact)
{
	return arena_printf(&plan->arena, "%s:%s",
	                    name(&plan->arena, inside(&plan->outer_uid, fact->uid)),
	                    name(&plan->arena, inside(&plan->outer_gid, fact->gid)));
}

static void note_room(struct plan *plan, const char *what, const char *path, bool layers,
                      const struct storage_fact *fact)
{
	struct arena *arena = &plan->arena;

	if (fact->bytes < (layers ? STORAGE_LAYERS_BYTES : STORAGE_FEW_BYTES))
		plan_note(plan, arena_printf(arena, "%s '%s': %" PRIu64 " MiB are free",
		                             what, path, fact->bytes >> 20));
	if (fact->inodes < (layers ? STORAGE_LAYERS_INODES : STORAGE_FEW_INODES))
		plan_note(plan,
		          arena_printf(arena, "%s '%s': %" PRIu64 " inodes are free",
		                       what, path, fact->inodes));
}

static void note_volume(struct plan *plan, const struct volume *v,
                        const struct source_fact *fact)
{
	const struct storage_fact *on = &fact->storage;
	struct arena *arena = &plan->arena;

	if (v->seed && inside(&plan->outer_uid, fact->uid) == UINT32_MAX)
		plan_note(plan, arena_printf(arena,
		                             "-v '%s': the seed belongs to uid %u, whom "
		                             "the workspace does not have: it may be "
		                             "unreadable inside; make it in a workspace "
		                             "of this user",
		                             v->source, fact->uid));
	if (v->read_only)
		return;
	if (fact->directory && inside(&plan->outer_uid, fact->uid) == UINT32_MAX)
		plan_note(
			plan,
			arena_printf(arena,
		                     "-v '%s': it belongs to uid %u, whom the workspace "
		                     "does not have: to root inside it is somebody "
		                     "else's; give it to uid %" PRIu32
		                     " outside, who is root inside",
		                     v->source, fact->uid,
		                     plan->outer_uid.extent[0].outside));
	if (on->read_only)
		plan_note(plan, arena_printf(arena,
		                             "-v '%s': it is mounted read-only here, and "
		                             "so it is inside, as with :ro",
		                             v->source));
	else
		note_room(plan, "-v", v->source, storage_has_layers(v->target), on);
	if (on->noexec)
		plan_note(plan, arena_printf(arena,
		                             "-v '%s': it is mounted noexec here, and so "
		                             "nothing in it can be executed inside",
		                             v->source));
}

/* Why layers cannot lie there, or NULL. */
static const char *obstacle(struct arena *arena, const struct storage_fact *on)
{
	if (storage_refuses_layers(on))
		return arena_printf(arena, "%s cannot carry the layers of overlay",
		                    on->fstype);
	return on->read_only ? "it is mounted read-only" : NULL;
}

/* File systems between machines lock files there, and directories here. */
static bool locks_here_only(const struct storage_fact *on)
{
	return storage_refuses_layers(on) && strcmp(on->fstype, "overlay") != 0;
}

/* Docker would go on with vfs, a full copy for each layer, and say so in its log only. */
static int check_layers(struct plan *plan, const struct config *config,
                        const struct volume *v, const struct source_fact *fact,
                        struct err *err)
{
	const char *why = obstacle(&plan->arena, &fact->storage);

	if (v->read_only || !storage_has_layers(v->target) || !why)
		return 0;
	if (config_best_effort(config, "storage")) {
		plan_note(plan, arena_printf(&plan->arena,
		                             "-v '%s' on '%s': %s: Docker may do with "
		                             "another storage driver%s",
		                             v->source, v->target, why,
		                             locks_here_only(&fact->storage)
		                                     ? "; it is locked on this "
		                                       "machine only, against no "
		                                       "workspace of another one"
		                                     : ""));
		return 0;
	}
	(void)err_set(err, EINVAL, "-v '%s' on '%s': %s", v->source, v->target, why);
	(void)err_hint(err,
	               "give a directory on ext4 or xfs, an emptyDir or a volume of "
	               "block storage; or --best-effort storage, and tell Docker its "
	               "storage driver: vfs, fuse-overlayfs");
	return err_step(err, "storage");
}

/* The workspaces of envbox are a user namespace whose root is this user outside, in files, too. */
#define ENVBOX_IDS 100000
/* What the kernel shows a pod of whom it has not got. */
#define NOBODY 65534

/*
 * What envbox wrote belongs to IDs that no pod with IDs of its own has, and nobody in there could
 * change it, or even tell whose it is. This user's own IDs may begin where envbox's do.
 */
static bool left_by_envbox(const struct plan *plan, const struct source_fact *fact)
{
	const uint32_t id = inside(&plan->outer_uid, fact->uid);

	if (fact->uid == NOBODY)
		return true;
	return fact->uid >= ENVBOX_IDS && fact->uid < ENVBOX_IDS + IDMAP_FULL &&
	       (id == UINT32_MAX || id == fact->uid);
}

static int check_envbox(const struct plan *plan, const struct config *config,
                        const struct volume *v, const struct source_fact *fact,
                        struct err *err)
{
	if (!config->envbox || v->read_only || !left_by_envbox(plan, fact))
		return 0;
	(void)err_set(err, EPERM, "-v '%s': it belongs to uid %u, as what envbox wrote",
	              v->source, fact->uid);
	(void)err_hint(err, "give it back its own IDs once, from outside: "
	                    "docs/from-envbox.md, \"Volumes that envbox filled\"");
	return err_step(err, "volume");
}

static int refuse_read_only(const char *volume, const char *how, const char *by,
                            struct err *err)
{
	(void)err_set(err, EINVAL, "volume '%s' is to be read-only, and %s '%s'", volume,
	              how, by);
	(void)err_hint(err, "who can write to that one can change it there: make that "
	                    "one :ro, too, or attach directories beside it");
	return err_step(err, "volume");
}

/*
 * How what is at @path, which is to be read-only, is shown for writing by @dir, or NULL: in a mount
 * namespace of his own root inside renames what lies in that, and finds it there without the mount
 * that keeps it read-only; and what another mount shows he has twice.
 */
static const char *shown_by(struct plan *plan, const struct facts *facts,
                            const char *path, const char *dir)
{
	/* The same one twice promises nothing. */
	if (!strcmp(path, dir))
		return NULL;
	if (path_in(path, dir))
		return "lies in";
	return mounts_show(facts->mount, facts->mount_n, dir, path, &plan->arena)
	               ? "lies, by another mount, in"
	               : NULL;
}

/* What shows a volume, which is to be read-only, for writing, and how; NULL for nothing. */
static const char *find_writer(struct plan *plan, const struct config *config,
                               const struct facts *facts, size_t at, const char **ret_how)
{
	const char *const *real = facts->source_real;

	if (!real || !config->volume[at].read_only)
		return NULL;
	for (size_t i = 0; i < config->volume_n; i++) {
		if (config->volume[i].read_only)
			continue;
		*ret_how = shown_by(plan, facts, real[at], real[i]);
		if (*ret_how)
			return config->volume[i].source;
	}
	*ret_how = facts->root_real ? shown_by(plan, facts, real[at], facts->root_real)
	                            : NULL;
	return *ret_how ? config->rootfs : NULL;
}

static int check_read_only(struct plan *plan, const struct config *config,
                           const struct facts *facts, size_t at, struct err *err)
{
	const char *how, *by = find_writer(plan, config, facts, at, &how);

	return by ? refuse_read_only(config->volume[at].source, how, by, err) : 0;
}

const char *plan_left_out(struct plan *plan, const struct config *config,
                          const struct facts *facts, size_t at)
{
	const struct volume *v = &config->volume[at];
	const char *how, *by;

	if (!v->gpu)
		return NULL;
	if (plan_hidden(v->target))
		return arena_printf(&plan->arena, "'%s' is mounted anew inside",
		                    v->target);
	by = find_writer(plan, config, facts, at, &how);
	return by ? arena_printf(&plan->arena,
	                         "it %s '%s', which the workspace can write to", how, by)
	          : NULL;
}

/* What berth reads or writes outside as long as the workspace runs is not to be its own. */
static int check_exposed(const struct facts *facts, struct err *err)
{
	const struct exposed_fact *fact = facts->exposed;

	if (facts->exposed_n == 0)
		return 0;
	(void)err_set(err, EPERM, "%s '%s': %s '%s', which the workspace can write to",
	              fact->option, fact->path, fact->how, fact->by);
	(void)err_hint(err,
	               "root inside could put another one in its place: keep it "
	               "elsewhere in the pod%s%s",
	               fact->instead ? ", or " : "", fact->instead ? fact->instead : "");
	return err_step(err, "volume");
}

static int check_state(struct plan *plan, const struct config *config,
                       const struct facts *facts, struct err *err)
{
	const struct storage_fact *on = &facts->state;
	const char *why;

	if (!config->state || !facts->state_found)
		return 0;
	why = obstacle(&plan->arena, on);
	if (!why) {
		note_room(plan, "--state", config->state, true, on);
		return 0;
	}
	(void)err_set(err, EINVAL, "--state '%s': %s", config->state, why);
	(void)err_hint(err,
	               "give a directory on ext4 or xfs: an emptyDir, or a volume of "
	               "block storage");
	return err_step(err, "storage");
}

int plan_storage(struct plan *plan, const struct config *config,
                 const struct facts *facts, struct err *err)
{
	int r = check_state(plan, config, facts, err);

	if (r == 0)
		r = check_exposed(facts, err);
	for (size_t i = 0; r == 0 && i < config->volume_n; i++) {
		const struct source_fact *fact = &facts->source[i];
		const char *left_out = plan_left_out(plan, config, facts, i);

		if (left_out) {
			plan_note(plan,
			          arena_printf(&plan->arena,
			                       "--gpus: '%s' of the pod is left out: %s",
			                       config->volume[i].source, left_out));
			continue;
		}
		r = check_read_only(plan, config, facts, i, err);
		if (r == 0)
			r = check_envbox(plan, config, &config->volume[i], fact, err);
		if (r == 0)
			r = check_layers(plan, config, &config->volume[i], fact, err);
		if (r == 0)
			note_volume(plan, &config->volume[i], fact);
	}
	return r;
}

void plan_own_volumes(struct plan *plan, const struct config *config)
{
	for (size_t i = 0; i < config->volume_n; i++) {
		const struct volume *v = &config->volume[i];
		struct step *s;

		if (!v->own && !v->top)
			continue;
		s = plan_add(plan, ACTOR_INIT, STEP_OWN,
		             v->own ? "asked for with :U; done by root inside, who can "
		                      "give away what is his, and nothing else"
		                    : "asked for with :own; done by root inside, who "
		                      "can give away what is his, and nothing else");
		s->target = v->target;
		s->value = v->top && *v->top ? v->top : config->user ? config->user : "0";
		s->number = v->top != NULL;
	}
}

void plan_seed(struct plan *plan, const struct config *config)
{
	for (size_t i = 0; i < config->volume_n; i++) {
		struct step *s;

		if (!config->volume[i].seed)
			continue;
		s = plan_add(plan, ACTOR_INIT, STEP_SEED,
		             "asked for with :seed; links to layers that stay where they "
		             "are, where Docker has no images yet");
		s->source = config->volume[i].target;
		s->target = "/var/lib/docker";
		s->optional = config_best_effort(config, "seed");
	}
}
