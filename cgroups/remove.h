#ifndef CGROUPS_REMOVE_H
#define CGROUPS_REMOVE_H

#include "base/err.h"

/* What the names of groups we make begin with; no other group is ever removed. */
#define CGROUP_PREFIX "berth-"

/**
 * cgroup_remove() - Kill what is left in a group and remove it with all below it
 * @parent:	directory of a cgroup2 mount
 * @name:	the group in @parent; begins with CGROUP_PREFIX
 * @err:	names the group that could not be removed
 *
 * The processes go by cgroup.kill (Linux 5.14); without it only a group that is empty
 * can be removed. Waits for their end, two seconds at most. Groups that root inside
 * gave to another ID can be removed only from a user namespace that maps it.
 *
 * Return: 0, also where there is no such group; -EINVAL for a name that is not ours;
 * -EBUSY where processes are still there; -EACCES for another owner's group; else
 * -errno.
 */
int cgroup_remove(int parent, const char *name, struct err *err);

#endif
