#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "apply.h"
#include "base/fd.h"
#include "cgroups/tree.h"
#include "pidfd.h"

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

int apply_cgroup_enable(struct launch *launch, const struct step *step, struct err *err)
{
	int r = base(launch, err);

	return r < 0 ? r : cgroup_enable(launch->cgroup, step->target, step->value, err);
}

int apply_cgroup_make(struct launch *launch, const struct step *step, struct err *err)
{
	int *fd = launch->limits < 0 ? &launch->limits : &launch->payload;
	int r = base(launch, err);

	if (r < 0)
		return r;
	*fd = cgroup_make(launch->cgroup, step->target, err);
	return *fd < 0 ? -err->code : 0;
}

int apply_cgroup_own(struct launch *launch, const struct step *step, struct err *err)
{
	return cgroup_delegate(launch->payload, (uid_t)step->number, err);
}

int apply_cgroup_join(struct launch *launch, const struct step *step, struct err *err)
{
	pid_t pid = pidfd_pid(AT_FDCWD, launch->init_pidfd, err);
	int r;

	(void)step;
	if (pid < 0)
		return pid;
	r = cgroup_attach(launch->payload, pid, err);
	if (r < 0)
		return r;
	return sync_send(launch->sync.init[0], SYNC_JOINED, 0, NULL, 0, err);
}
