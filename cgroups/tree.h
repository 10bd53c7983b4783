#ifndef CGROUPS_TREE_H
#define CGROUPS_TREE_H

#include <sys/types.h>

#include "base/err.h"

/*
 * The tree of groups, by plain file access: libcgroup writes subtree_control of
 * ancestors that are not ours, and moves processes to the parent when it deletes.
 * Directories are O_PATH|O_DIRECTORY descriptors owned by the caller.
 */

/**
 * cgroup_open() - Open our own group
 * @mount:	mount point of cgroup2
 * @own:	the group below it, "/" for the mount's root
 * @err:	filled in on failure
 *
 * Return: a descriptor; -ENOENT when the group was removed under us; else -errno.
 */
int cgroup_open(const char *mount, const char *own, struct err *err);

/**
 * cgroup_open_fresh() - Open our own group through a cgroup2 mount of our own
 * @err:	filled in on failure
 *
 * A child makes a user, mount and cgroup namespace, mounts cgroup2 detached and
 * passes the descriptor back: the pod's own mount may be read-only while the groups
 * belong to its root. The child's cgroup namespace, and so the mount, begins at our
 * own group.
 *
 * Return: a descriptor; -EPERM where user namespaces are refused; else -errno.
 */
int cgroup_open_fresh(struct err *err);

/**
 * cgroup_empty_into() - Move every process of a group to a leaf of it
 * @dir:	the group
 * @leaf:	name of the leaf, made where it is missing
 * @err:	filled in on failure
 *
 * cgroup v2: a group that hands controllers down may hold no process ("No Internal
 * Process Constraint", cgroup-v2.rst). Processes that fork meanwhile are met by
 * trying again, for 5 s. So is who cannot be moved, being of a PID namespace that we do
 * not see (cgroup.procs shows 0, kernel/cgroup/cgroup.c): crun and runc put what they
 * exec into a container, as for a probe, in its group before its PID namespace.
 *
 * Return: 0; -EBUSY when new processes keep coming, or such a process stays; else
 * -errno.
 */
int cgroup_empty_into(int dir, const char *leaf, struct err *err);

/**
 * cgroup_enable() - Enable controllers for the children of a group
 * @dir:	a group
 * @path:	of the group meant, below @dir, or "."
 * @controllers: "+cpu +memory"
 * @err:	filled in on failure
 *
 * Tries all at once, then one by one: a controller that the kernel will not give
 * (cpu with real-time processes, say) must not take the others along.
 *
 * Return: 0 if at least one was enabled; -EBUSY where @path holds processes or became
 * "domain threaded"; else -errno.
 */
int cgroup_enable(int dir, const char *path, const char *controllers, struct err *err);

/**
 * cgroup_populated() - Whether there are processes in a group or below it
 * @dir:	a group
 * @path:	of the group meant, below @dir
 * @err:	filled in on failure
 *
 * Return: 1 or 0; -ENOENT where there is no such group; else -errno.
 */
int cgroup_populated(int dir, const char *path, struct err *err);

/**
 * cgroup_make() - Make a group and open it
 * @dir:	a group
 * @path:	below @dir
 * @err:	filled in on failure
 *
 * Return: a descriptor; -EEXIST where there is one; -EAGAIN where the limit of groups
 * is reached (cgroup.max.*); -EOPNOTSUPP where the new group is not of type "domain";
 * else -errno.
 */
int cgroup_make(int dir, const char *path, struct err *err);

/* Give a group to another user: cgroups(7), "Delegation". Return: 0 or -errno. */
int cgroup_delegate(int dir, uid_t uid, struct err *err);

/* Move a process into a group. Return: 0; -EBUSY where it hands controllers down. */
int cgroup_attach(int dir, pid_t pid, struct err *err);

#endif
