#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "apply.h"
#include "base/fd.h"
#include "base/syscall.h"
#include "check.h"
#include "netns/loopback.h"
#include "netns/try.h"
#include "policies/seccomp.h"

/*
 * In L2. Mounts stay detached where that is enough: the kernel decides about a new proc or
 * sysfs at fsmount(2), not when it is attached. All of them go with the mount namespace.
 */

#define SAFE (PLAN_NOSUID | PLAN_NODEV | PLAN_NOEXEC)

static int can_mount(const char *fstype, const char *options, uint64_t flags,
                     struct err *err)
{
	cleanup_close int mnt = new_mount(fstype, options, flags, err);

	return mnt < 0 ? mnt : 0;
}

int check_unshare(struct check_env *env, char *detail, struct err *err)
{
	(void)env;
	(void)detail;
	return unshare(CLONE_NEWNS) < 0 ? err_set(err, errno, "unshare") : 0;
}

int check_tmpfs(struct check_env *env, char *detail, struct err *err)
{
	(void)env;
	(void)detail;
	return can_mount("tmpfs", "mode=0755", SAFE, err);
}

int check_proc(struct check_env *env, char *detail, struct err *err)
{
	(void)env;
	(void)detail;
	return can_mount("proc", NULL, SAFE, err);
}

int check_sysfs(struct check_env *env, char *detail, struct err *err)
{
	(void)env;
	(void)detail;
	return can_mount("sysfs", NULL, SAFE | PLAN_READ_ONLY, err);
}

int check_sysfs_rw(struct check_env *env, char *detail, struct err *err)
{
	if (env->result[CHECK_SYSFS].outcome != OUTCOME_YES)
		return CHECK_SKIP;
	(void)detail;
	return can_mount("sysfs", NULL, SAFE, err);
}

int check_cgroup2(struct check_env *env, char *detail, struct err *err)
{
	(void)env;
	(void)detail;
	return can_mount("cgroup2", NULL, SAFE, err);
}

int check_devpts(struct check_env *env, char *detail, struct err *err)
{
	(void)env;
	(void)detail;
	return can_mount("devpts", "newinstance,ptmxmode=0666,mode=0620",
	                 PLAN_NOSUID | PLAN_NOEXEC, err);
}

int check_mqueue(struct check_env *env, char *detail, struct err *err)
{
	(void)env;
	(void)detail;
	return can_mount("mqueue", NULL, SAFE, err);
}

int check_mount_api(struct check_env *env, char *detail, struct err *err)
{
	cleanup_close int mnt = -EBADF, dir = -EBADF, tree = -EBADF;
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	(void)env;
	(void)detail;
	mnt = new_mount("tmpfs", "mode=0755", SAFE, err);
	if (mnt < 0)
		return mnt;
	if (mkdirat(mnt, "a", 0755) < 0)
		return err_set(err, errno, "make a directory");
	/* A detached tree cannot be copied before 6.15: over the root, where nobody looks. */
	if (move_mount(mnt, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_set(err, errno, "move_mount");
	dir = openat(mnt, "a", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_set(err, errno, "open a directory");
	tree = open_tree(dir, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (tree < 0)
		return err_set(err, errno, "open_tree");
	if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) <
	    0)
		return err_set(err, errno, "mount_setattr");
	return 0;
}

/* Layers by descriptor, so that nothing of the pod is in it. */
static int layer(int fs, const char *key, int dir, const char *name, struct err *err)
{
	cleanup_close int fd = -EBADF;
	char path[64];

	if (mkdirat(dir, name, 0755) < 0 ||
	    (fd = openat(dir, name, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
		return err_set(err, errno, "make a directory");
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return fsconfig(fs, FSCONFIG_SET_STRING, key, path, 0) < 0
	               ? err_set(err, errno, "overlay: %s", key)
	               : 0;
}

int check_overlay(struct check_env *env, char *detail, struct err *err)
{
	cleanup_close int mnt = -EBADF, fs = -EBADF, overlay = -EBADF;
	int r;

	(void)env;
	(void)detail;
	mnt = new_mount("tmpfs", "mode=0755", PLAN_NODEV, err);
	if (mnt < 0)
		return mnt;
	/* Before 6.15 a layer has to lie on a mount of our own namespace. */
	if (move_mount(mnt, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_set(err, errno, "move_mount");
	fs = fsopen("overlay", FSOPEN_CLOEXEC);
	if (fs < 0)
		return err_set(err, errno, "open an 'overlay' file system");
	r = layer(fs, "lowerdir", mnt, "lower", err);
	if (r == 0)
		r = layer(fs, "upperdir", mnt, "upper", err);
	if (r == 0)
		r = layer(fs, "workdir", mnt, "work", err);
	if (r < 0)
		return r;
	if (fsconfig(fs, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0 ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ||
	    (overlay = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV)) < 0)
		return err_set(err, errno, "mount an overlay");
	return 0;
}

int check_pivot(struct check_env *env, char *detail, struct err *err)
{
	cleanup_close int mnt = new_mount("tmpfs", "mode=0755", SAFE, err);

	(void)env;
	(void)detail;
	if (mnt < 0)
		return mnt;
	if (move_mount(mnt, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_set(err, errno, "mount on '/'");
	if (fchdir(mnt) < 0)
		return err_set(err, errno, "enter the new root");
	if (sys_pivot_root(".", ".") < 0)
		return err_set(err, errno, "pivot_root");
	return umount2(".", MNT_DETACH) < 0 ? err_set(err, errno, "detach the old root")
	                                    : 0;
}

int check_hostname(struct check_env *env, char *detail, struct err *err)
{
	(void)env;
	(void)detail;
	return sethostname("berth", 5) < 0 ? err_set(err, errno, "sethostname") : 0;
}

int check_loopback(struct check_env *env, char *detail, struct err *err)
{
	(void)env;
	(void)detail;
	return loopback_up(err);
}

int check_veth(struct check_env *env, char *detail, struct err *err)
{
	(void)env;
	(void)detail;
	return netns_try_veth(err);
}

int check_nftables(struct check_env *env, char *detail, struct err *err)
{
	(void)env;
	(void)detail;
	return netns_try_nftables(err);
}

int check_relay(struct check_env *env, char *detail, struct err *err)
{
	(void)env;
	(void)detail;
	return netns_try_relay(err);
}

int check_shaping(struct check_env *env, char *detail, struct err *err)
{
	bool paced = false;
	int r = netns_try_shaping(&paced, err);

	(void)env;
	if (r == 0 && paced)
		(void)snprintf(detail, CHECK_DETAIL_MAX,
		               "uploads by the relay's reads: no ifb, or no way into it");
	return r;
}

int check_forwarding(struct check_env *env, char *detail, struct err *err)
{
	(void)env;
	(void)detail;
	return netns_try_forwarding(err);
}

/* The last one of its place: what comes after it is filtered. */
int check_seccomp(struct check_env *env, char *detail, struct err *err)
{
	(void)env;
	(void)detail;
	return seccomp_load(seccomp_find("workspace"), err);
}
