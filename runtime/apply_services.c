#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apply.h"
#include "base/fd.h"
#include "base/file.h"
#include "services.h"

/* A copy of berth at @dir, with the names of the runtimes. */
static int put_ourselves(const struct launch *launch, int dir, struct err *err)
{
	cleanup_close int self = openat(launch->proc, "self/exe", O_RDONLY | O_CLOEXEC);
	cleanup_close int copy = -EBADF;
	int r;

	if (self < 0)
		return err_set(err, errno, "open berth itself");
	copy = openat(dir, "berth", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	if (copy < 0)
		return err_set(err, errno, "make a copy of berth");
	r = copy_content(self, copy, COPY_ANY);
	if (r < 0)
		return err_set(err, -r, "copy berth");
	if (symlinkat("berth", dir, "runc") < 0 || symlinkat("berth", dir, "crun") < 0)
		return err_set(err, errno, "make links to berth");
	return 0;
}

/*
 * A copy, in a file system that nobody can write to any more: our own file stays out
 * of reach of root inside, who can open what he executes (CVE-2019-5736). Attached by
 * the warden, so its flags are locked in the workspace.
 */
int apply_wrapper(struct launch *launch, const struct step *step, struct err *err)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
		                               MOUNT_ATTR_NODEV };
	cleanup_close int mnt = new_mount("tmpfs", "mode=0755", 0, err);
	cleanup_close int target = -EBADF;
	int r;

	if (mnt < 0)
		return mnt;
	r = put_ourselves(launch, mnt, err);
	if (r < 0)
		return r;
	if (mount_setattr(mnt, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return err_set(err, errno, "make '%s' read-only", step->target);
	target = target_open(launch->root, step->target, S_IFDIR, err);
	return target < 0 ? target : mount_attach(mnt, target, step->target, err);
}

int apply_group(struct launch *launch, const struct step *step, struct err *err)
{
	cleanup_close int dir = -EBADF;

	(void)launch;
	if (mkdir(step->target, 0755) < 0 && errno != EEXIST)
		return err_set(err, errno, "make the group '%s'", step->target);
	dir = open(step->target, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_set(err, errno, "open the group '%s'", step->target);
	return file_write(dir, "cgroup.procs", "0", err);
}

int apply_service(struct launch *launch, const struct step *step, struct err *err)
{
	const struct plan *plan = launch->plan;

	for (size_t i = 0; i < plan->service_n; i++)
		if (!strcmp(plan->service[i].name, step->target)) {
			launch->service[i] = services_open(&plan->service[i], err);
			return launch->service[i] < 0 ? -err->code : 0;
		}
	return err_set(err, EINVAL, "no service '%s'", step->target);
}

int apply_supervise(struct launch *launch, const struct step *step, struct err *err)
{
	const struct plan *plan = launch->plan;
	int r = payload_stdio(launch, err);

	(void)step;
	if (r < 0)
		return r;
	(void)setsid();
	_exit(services_run(plan->service, plan->service_n, launch->service, plan->env,
	                   launch->airlock, PLAN_NOTIFY));
}
