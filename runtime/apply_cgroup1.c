#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "apply.h"
#include "cgroups/v1.h"

/* Whether @dir is our own group's directory in this hierarchy. */
static bool is_own(const struct cgroup1_fact *fact, const char *dir)
{
	size_t len = strlen(fact->mount);

	return fact->own && !strncmp(dir, fact->mount, len) &&
	       !strcmp(dir + len, fact->own[1] ? fact->own : "");
}

/* The groups below our own one @dir, which is opened when the first step needs it. */
static struct cgroup1_group *find(struct launch *launch, const char *dir, struct err *err)
{
	for (size_t i = 0; i < launch->facts->cgroup1_n; i++) {
		const struct cgroup1_fact *fact = &launch->facts->cgroup1[i];
		struct cgroup1_group *group = &launch->cgroup1[i];

		if (!is_own(fact, dir))
			continue;
		group->fact = fact;
		if (group->own < 0)
			group->own = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (group->own < 0)
			(void)err_set(err, errno, "open our own group '%s'", dir);
		return group->own < 0 ? NULL : group;
	}
	(void)err_set(err, ENOENT, "find the hierarchy of '%s'", dir);
	return NULL;
}

int apply_cgroup1_make(struct launch *launch, const struct step *step, struct err *err)
{
	struct cgroup1_group *group = find(launch, step->source, err);
	int *fd;

	if (!group)
		return -err->code;
	fd = strchr(step->target, '/') ? &group->payload : &group->limits;
	*fd = cgroup1_make(group->own, step->target, err);
	return *fd < 0 ? err_wrap(err, "below '%s'", step->source) : 0;
}

int apply_cgroup1_limit(struct launch *launch, const struct step *step, struct err *err)
{
	struct cgroup1_group *group = find(launch, step->via, err);

	if (!group)
		return -err->code;
	return cgroup1_limit(launch->facts->cgroup1_writer, group->fact, group->own,
	                     step->target, knob_find(step->source, strlen(step->source)),
	                     step->value, err);
}
