#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "mounts.h"
#include "verify.h"

/* A mount as it has to be; NULL for what may be anything. */
struct wanted {
	const char *point, *fstype, *device, *root;
	uint64_t flags;
};

static const struct {
	uint64_t flag;
	const char *word;
} flag_words[] = {
	{ PLAN_READ_ONLY, "ro" },
	{ PLAN_NOSUID, "nosuid" },
	{ PLAN_NODEV, "nodev" },
	{ PLAN_NOEXEC, "noexec" },
};
#define FLAGS_N (sizeof(flag_words) / sizeof(flag_words[0]))

static bool has_word(const char *list, const char *word)
{
	const size_t len = strlen(word);

	for (const char *p = list; *p; p += strcspn(p, ",")) {
		p += *p == ',';
		if (!strncmp(p, word, len) && (p[len] == ',' || p[len] == '\0'))
			return true;
	}
	return false;
}

/* What was bound may have been replaced since; the mount is what it was. */
static bool same_root(const char *wanted, const char *real)
{
	const size_t len = strlen(wanted);

	return !strncmp(wanted, real, len) &&
	       (real[len] == '\0' || !strcmp(real + len, "//deleted"));
}

static bool meets(const struct wanted *wanted, const struct mount_fact *m)
{
	for (size_t i = 0; i < FLAGS_N; i++)
		if ((wanted->flags & flag_words[i].flag) &&
		    !has_word(m->flags, flag_words[i].word))
			return false;
	return (!wanted->fstype || !strcmp(wanted->fstype, m->fstype)) &&
	       (!wanted->device || !strcmp(wanted->device, m->device)) &&
	       (!wanted->root || same_root(wanted->root, m->root));
}

/* "ext4 8:1 /srv/data ro,nosuid" */
static const char *describe(struct arena *arena, const struct wanted *w)
{
	const char *text = w->fstype ? w->fstype : "a bind";

	if (w->device)
		text = arena_printf(arena, "%s of %s", text, w->device);
	if (w->root && strcmp(w->root, "/") != 0)
		text = arena_printf(arena, "%s %s", text, w->root);
	for (size_t i = 0; i < FLAGS_N; i++)
		if (w->flags & flag_words[i].flag)
			text = arena_printf(arena, "%s,%s", text, flag_words[i].word);
	return text;
}

static const char *describe_real(struct arena *arena, const struct mount_fact *m)
{
	struct wanted w = { .fstype = m->fstype, .device = m->device, .root = m->root };

	for (size_t i = 0; i < FLAGS_N; i++)
		if (has_word(m->flags, flag_words[i].word))
			w.flags |= flag_words[i].flag;
	return describe(arena, &w);
}

/*
 * What the warden attached is locked: root inside can cover it, but neither take it away nor
 * loosen it. So one of the mounts at that point has to be it. What init mounted is the
 * workspace's own.
 */
static void look(struct verify *verify, const struct packed_step *step,
                 const struct wanted *wanted)
{
	const bool locked = step->step.actor == ACTOR_WARDEN;
	const struct mount_fact *there = NULL;
	const char *text = describe(verify->arena, wanted);

	for (size_t i = 0; i < verify->mount_n; i++) {
		const struct mount_fact *m = &verify->mount[i];

		if (strcmp(m->point, wanted->point) != 0)
			continue;
		there = m;
		if (!meets(wanted, m))
			continue;
		verify_add(verify, step, VERIFY_HOLDS, wanted->point, text,
		           describe_real(verify->arena, m));
		return;
	}
	verify_add(verify, step,
	           !locked                         ? VERIFY_CHANGED
	           : !there && step->step.optional ? VERIFY_ABSENT
	                                           : VERIFY_DIFFERS,
	           wanted->point, text,
	           there ? describe_real(verify->arena, there) : "not mounted");
}

/*
 * By which mount a path is reached: the last one at the longest point, or, of what may have
 * been covered since, the first one. Sets device and root of @ret.
 */
static void locate(struct verify *verify, const struct mount_fact *mount, size_t n,
                   const char *path, bool first, struct wanted *ret)
{
	const struct mount_fact *best = NULL;
	const char *below;

	for (size_t i = 0; i < n; i++) {
		const struct mount_fact *m = &mount[i];

		if (!path_in(path, m->point))
			continue;
		if (!best || strlen(m->point) > strlen(best->point) ||
		    (!first && !strcmp(m->point, best->point)))
			best = m;
	}
	if (!best)
		return;
	below = path + (strcmp(best->point, "/") ? strlen(best->point) : 0);
	ret->device = best->device;
	ret->root =
		!strcmp(below, "/") || !*below
			? best->root
			: arena_printf(verify->arena, "%s%s",
	                               strcmp(best->root, "/") ? best->root : "", below);
}

/* Of the pod, as the supervisor sees it. */
static void locate_in_pod(struct verify *verify, const char *path, struct wanted *ret)
{
	char real[PATH_MAX];

	locate(verify, verify->pod, verify->pod_n, realpath(path, real) ? real : path,
	       false, ret);
}

static const struct step *find(const struct verify *verify, enum step_kind kind)
{
	for (size_t i = 0; i < verify->plan.n; i++)
		if (verify->plan.step[i].step.kind == kind)
			return &verify->plan.step[i].step;
	return NULL;
}

int verify_bind(struct verify *verify, const struct packed_step *step, struct err *err)
{
	const struct step *s = &step->step, *root = find(verify, STEP_ROOT);
	struct wanted wanted = { .point = s->target, .flags = s->flags };

	(void)err;
	if (s->via && !strcmp(s->via, "inside"))
		locate(verify, verify->mount, verify->mount_n, s->source, true, &wanted);
	else if (s->via && root && root->via)
		locate_in_pod(
			verify,
			arena_printf(verify->arena, "%s/%s", root->value, s->source),
			&wanted);
	else if (s->via)
		wanted.root = arena_printf(verify->arena, "/store/%s", s->source);
	else
		locate_in_pod(verify, s->source, &wanted);
	look(verify, step, &wanted);
	return 0;
}

int verify_device(struct verify *verify, const struct packed_step *step, struct err *err)
{
	struct wanted wanted = { .point = step->step.target };

	(void)err;
	locate_in_pod(verify, step->step.source, &wanted);
	look(verify, step, &wanted);
	return 0;
}

int verify_mount(struct verify *verify, const struct packed_step *step, struct err *err)
{
	const struct wanted wanted = { .point = step->step.target,
		                       .fstype = step->step.via,
		                       .root = strcmp(step->step.via, "cgroup2") ? "/"
		                                                                 : NULL,
		                       .flags = step->step.flags };

	(void)err;
	look(verify, step, &wanted);
	return 0;
}

int verify_overlay(struct verify *verify, const struct packed_step *step, struct err *err)
{
	const struct wanted wanted = { .point = step->step.target,
		                       .fstype = "overlay",
		                       .flags = PLAN_NODEV };

	(void)err;
	look(verify, step, &wanted);
	return 0;
}

int verify_root(struct verify *verify, const struct packed_step *step, struct err *err)
{
	const struct step *s = &step->step;
	struct wanted wanted = { .point = "/", .flags = s->flags | PLAN_NODEV };

	(void)err;
	for (size_t i = 0; i < verify->plan.n; i++) {
		const struct step *other = &verify->plan.step[i].step;

		/* Where the layers lie, which nobody inside sees. */
		if (other->kind == STEP_OVERLAY && !strcmp(other->target, "/"))
			return 0;
	}
	if (!strcmp(s->source, "tmpfs")) {
		wanted.fstype = "tmpfs";
		wanted.root = "/root";
	} else {
		locate_in_pod(verify, s->source, &wanted);
	}
	look(verify, step, &wanted);
	return 0;
}

/* Peer groups have one number each on a machine. */
int verify_private(struct verify *verify, const struct packed_step *step, struct err *err)
{
	const char *real = "from none", *where = "mounts of the pod appear";

	(void)err;
	for (size_t i = 0; i < verify->mount_n; i++) {
		const struct mount_fact *m = &verify->mount[i];

		for (size_t j = 0; j < verify->pod_n && (m->master || m->shared); j++)
			if (verify->pod[j].shared &&
			    (m->master == verify->pod[j].shared ||
			     m->shared == verify->pod[j].shared))
				real = arena_printf(verify->arena, "at %s", m->point);
	}
	verify_same(verify, step, where, "from none", real);
	return 0;
}

/* Wherever a copy of the pod's tree has the records, or the images, they are covered. */
int verify_hide(struct verify *verify, const struct packed_step *step, struct err *err)
{
	const char *records = step->step.target;
	bool seen = false;

	(void)err;
	for (size_t i = 0; i < verify->plan.n; i++) {
		const struct step *s = &verify->plan.step[i].step;
		const bool root = s->kind == STEP_ROOT && strcmp(s->source, "tmpfs") != 0;
		const char *below, *target = root ? "" : s->target;
		char source[PATH_MAX];

		if (!root && (s->kind != STEP_BIND || s->via || !s->number))
			continue;
		if (!realpath(s->source, source) || !path_in(records, source))
			continue;
		below = records + (strcmp(source, "/") ? strlen(source) : 0);
		target = strcmp(target, "/") ? target : "";
		look(verify, step,
		     &(struct wanted){
			     .point = arena_printf(verify->arena, "%s%s", target, below),
			     .fstype = "tmpfs",
			     .flags = step->step.flags });
		seen = true;
	}
	if (!seen)
		verify_same(verify, step,
		            arena_printf(verify->arena, "berth's %s", step->step.value),
		            "out of sight", "out of sight");
	return 0;
}

int verify_detach(struct verify *verify, const struct packed_step *step, struct err *err)
{
	struct wanted pod = { .point = "/" };
	const char *real = "not the pod's";

	(void)err;
	locate(verify, verify->pod, verify->pod_n, "/", false, &pod);
	for (size_t i = 0; i < verify->mount_n; i++)
		if (!strcmp(verify->mount[i].point, "/") &&
		    meets(&pod, &verify->mount[i]))
			real = "the pod's";
	verify_same(verify, step, "/", "not the pod's", real);
	return 0;
}
