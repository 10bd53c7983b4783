#ifndef CGROUPS_DETECT_H
#define CGROUPS_DETECT_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"

/**
 * struct cgroup_facts - Our own cgroup v2 group
 * @mount:	where the cgroup2 hierarchy is mounted, NULL where it is not
 * @own:	our own group below @mount, "/" for its root; the leaf
 *		CGROUP_LEAF is taken off: this is the group we build in
 * @in_leaf:	we sit in CGROUP_LEAF of @own already
 * @ours:	processes may be moved and controllers enabled in @own
 * @fresh:	@mount is read-only, but a mount of our own would not be
 * @managed:	systemd runs this machine and did not delegate @own to us
 * @threaded:	@own is not of type "domain": no group of processes can be made below it
 * @controllers: what @own has to give, as in cgroup.controllers: "cpu memory pids"
 */
struct cgroup_facts {
	const char *mount, *own;
	bool in_leaf, ours, fresh, managed, threaded;
	const char *controllers;
};

/* The leaf that the processes of our own group are moved to. */
#define CGROUP_LEAF "berth.supervisor"

/**
 * cgroup_detect() - Find our own cgroup v2 group and whether it is ours
 * @mount:	mount point of cgroup2, NULL where there is none
 * @root:	the mount's root within the hierarchy, "/" for all of it
 * @read_only:	the mount is read-only
 * @scope:	name of a group that we asked the service manager to delegate; a user's
 *		manager marks none (systemd 252). NULL where we did not
 * @arena:	owns the strings of @ret
 * @ret:	always filled in; a hierarchy that cannot be used is a fact, no error
 *
 * Reads /proc/self/cgroup and asks the kernel by faccessat(2) and the group's
 * owner, changes nothing. Where systemd runs the machine a group counts as ours
 * only where the unit it is in has the "user.delegate" attribute
 * (systemd.resource-control(5), Delegate=).
 */
void cgroup_detect(const char *mount, const char *root, bool read_only, const char *scope,
                   struct arena *arena, struct cgroup_facts *ret);

#endif
