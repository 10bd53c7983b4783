#include <string.h>
#include <sys/stat.h>

#include "plan.h"

/* "/var/lib" as one name of the store: "var%lib". */
static const char *flat(struct arena *arena, const char *path)
{
	char *name = (char *)arena_dup(arena, path + 1);

	for (char *p = name; *p; p++)
		if (*p == '/')
			*p = '%';
	return name;
}

static void plan_entry(struct plan *plan, const struct tree_fact *entry);

static void plan_directory(struct plan *plan, const struct tree_fact *entry,
                           const char *why)
{
	struct step *s = plan_add(plan, ACTOR_WARDEN, STEP_DIRECTORY, why);

	s->target = entry->path;
	s->number = entry->mode & 07777;
}

static void plan_layer(struct plan *plan, const struct tree_fact *entry)
{
	const char *name = flat(&plan->arena, entry->path);
	struct step *s = plan_add(plan, ACTOR_WARDEN, STEP_OVERLAY,
	                          "the largest directory here without a mount below it");

	s->target = entry->path;
	s->source = entry->path;
	s->value = arena_printf(&plan->arena, "upper/%s", name);
	s->via = arena_printf(&plan->arena, "work/%s", name);
}

static void plan_copied(struct plan *plan, const struct tree_fact *entry, const char *why)
{
	struct step *s = plan_add(plan, ACTOR_WARDEN, STEP_COPY, why);

	s->source = entry->path;
	s->target = entry->path;
}

static void plan_entry(struct plan *plan, const struct tree_fact *entry)
{
	if (entry->link) {
		struct step *s =
			plan_add(plan, ACTOR_WARDEN, STEP_LINK, "as on the host");

		s->target = entry->path;
		s->value = entry->link;
	} else if (S_ISDIR(entry->mode) && entry->mounted) {
		plan_directory(plan, entry,
		               "the pod mounted something here, which was not asked for");
	} else if (S_ISDIR(entry->mode) && entry->mounts_below && entry->small) {
		plan_copied(
			plan, entry,
			"small, and an overlay refuses directories with mounts below");
	} else if (S_ISDIR(entry->mode) && entry->mounts_below) {
		plan_directory(plan, entry,
		               "rebuilt entry by entry: it has mounts below");
		for (size_t i = 0; i < entry->child_n; i++)
			plan_entry(plan, &entry->child[i]);
	} else if (S_ISDIR(entry->mode) && entry->empty) {
		plan_directory(plan, entry, "as on the host");
	} else if (S_ISDIR(entry->mode)) {
		plan_layer(plan, entry);
	} else if (S_ISREG(entry->mode) && !entry->mounted) {
		plan_copied(plan, entry, "a file beside directories");
	}
	/* Sockets, pipes and devices are of no use in another place; mounted files are
	 * the pod's secrets. */
}

void plan_layered_root(struct plan *plan, const struct config *config)
{
	struct step *s =
		plan_add(plan, ACTOR_WARDEN, STEP_ROOT,
	                 config->state ? "the layers, and what is copied, stay there"
	                               : "changes live in memory: they end with the "
	                                 "workspace");

	s->source = "tmpfs";
	if (!config->state)
		return;
	s->value = arena_printf(&plan->arena, "%s/%s", config->state, config->name);
	s->source = arena_printf(&plan->arena, "%s/root", s->value);
	s->via = "store";
	s->flags = PLAN_NODEV;
}

int plan_host_root(struct plan *plan, const struct config *config,
                   const struct facts *facts, struct err *err)
{
	static const struct {
		const char *path;
		uint64_t mode;
	} fresh[] = { { "/dev", 0755 }, { "/proc", 0555 },      { "/sys", 0555 },
		      { "/run", 0755 }, { "/run/lock", 01777 }, { "/tmp", 01777 } };
	struct arena *arena = &plan->arena;
	struct step *s;

	(void)err;
	plan_layered_root(plan, config);
	for (size_t i = 0; i < facts->tree->child_n; i++)
		plan_entry(plan, &facts->tree->child[i]);
	for (size_t i = 0; i < sizeof(fresh) / sizeof(fresh[0]); i++) {
		s = plan_add(plan, ACTOR_WARDEN, STEP_DIRECTORY,
		             "fresh for the workspace");
		s->target = fresh[i].path;
		s->number = fresh[i].mode;
	}
	s = plan_add(plan, ACTOR_WARDEN, STEP_FILE, "own name");
	s->target = "/etc/hostname";
	s->number = 0644;
	s->value = arena_printf(arena, "%s\n", config->hostname);
	s = plan_add(plan, ACTOR_WARDEN, STEP_FILE,
	             "localhost, own name, and those of --add-host");
	s->target = "/etc/hosts";
	s->number = 0644;
	s->value = plan_hosts_text(plan, config, facts);
	if (config->net == NET_HOST) {
		s = plan_add(plan, ACTOR_WARDEN, STEP_COPY,
		             "names resolve as in the pod whose network this is");
		s->source = "/etc/resolv.conf";
		s->target = "/etc/resolv.conf";
		s->number = 1;
		s->optional = true;
	}
	return 0;
}
