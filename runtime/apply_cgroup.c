#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "apply.h"
#include "base/fd.h"
#include "cgroups/detect.h"
#include "cgroups/limit.h"
#include "cgroups/remove.h"
#include "cgroups/tree.h"
#include "pidfd.h"
#include "unshare.h"

/* Our own group, opened when the first step needs it. */
static int base(struct launch *launch, struct err *err)
{
	if (launch->cgroup < 0)
		launch->cgroup = cgroup_open(launch->facts->cgroup.mount,
		                             launch->plan->cgroup, err);
	return launch->cgroup < 0 ? -err->code : 0;
}

int apply_cgroup_view(struct launch *launch, const struct step *step, struct err *err)
{
	(void)step;
	launch->cgroup = cgroup_open_fresh(err);
	return launch->cgroup < 0 ? -err->code : 0;
}

int apply_cgroup_leaf(struct launch *launch, const struct step *step, struct err *err)
{
	int r = base(launch, err);

	return r < 0 ? r : cgroup_empty_into(launch->cgroup, step->target, err);
}

#define ENABLE_TRIES 20

/* A process that came to our group since it was emptied, or was born in it, is in the way. */
int apply_cgroup_enable(struct launch *launch, const struct step *step, struct err *err)
{
	int r = base(launch, err);

	if (r < 0)
		return r;
	for (int i = 0;; i++) {
		r = cgroup_enable(launch->cgroup, step->target, step->value, err);
		if (r != -EBUSY || strcmp(step->target, ".") != 0 || i == ENABLE_TRIES)
			return r;
		err_clear(err);
		r = cgroup_empty_into(launch->cgroup, CGROUP_LEAF, err);
		if (r < 0)
			return r;
	}
}

struct group {
	int dir;
	const char *path;
};

static int remove_group(void *arg, struct err *err)
{
	const struct group *group = arg;

	return cgroup_remove(group->dir, group->path, err);
}

/* Removes what a killed berth left; a group with processes is somebody's. */
static int make_room(int dir, const char *path, struct err *err)
{
	struct group group = { dir, path };
	int r = cgroup_populated(dir, path, err);

	if (r == -ENOENT) {
		err_clear(err);
		return 0;
	}
	if (r > 0) {
		(void)err_set(err, EBUSY, "the group '%s' has processes already", path);
		return err_hint(err, "a workspace of this name runs with another runtime "
		                     "directory: choose another name");
	}
	return r < 0 ? r : unshare_retry(remove_group, &group, err);
}

int apply_cgroup_make(struct launch *launch, const struct step *step, struct err *err)
{
	/* In the order of the plan. */
	int *fd = launch->limits < 0    ? &launch->limits
	          : launch->payload < 0 ? &launch->payload
	                                : &launch->relay_group;
	int r = base(launch, err);

	if (r == 0 && fd == &launch->limits)
		r = make_room(launch->cgroup, step->target, err);
	if (r < 0)
		return r;
	*fd = cgroup_make(launch->cgroup, step->target, err);
	return *fd < 0 ? -err->code : 0;
}

int apply_cgroup_limit(struct launch *launch, const struct step *step, struct err *err)
{
	return cgroup_limit(launch->cgroup, step->target,
	                    knob_find(step->source, strlen(step->source)), step->value,
	                    err);
}

int apply_cgroup_own(struct launch *launch, const struct step *step, struct err *err)
{
	return cgroup_delegate(launch->payload, (uid_t)step->number, err);
}

int apply_cgroup_join(struct launch *launch, const struct step *step, struct err *err)
{
	pid_t pid = pidfd_pid(AT_FDCWD, launch->init_pidfd, err);
	int r;

	if (pid < 0)
		return pid;
	r = step->target ? cgroup_attach(launch->payload, pid, err) : 0;
	for (size_t i = 0; r == 0 && i < CGROUP1_MAX; i++)
		if (launch->cgroup1[i].fact)
			r = cgroup_attach(launch->cgroup1[i].payload, pid, err);
	if (r < 0)
		return r;
	return sync_send(launch->sync.init[0], SYNC_JOINED, 0, NULL, 0, err);
}
