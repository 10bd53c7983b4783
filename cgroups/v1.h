#ifndef CGROUPS_V1_H
#define CGROUPS_V1_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "cgroups/events.h"
#include "cgroups/knobs.h"

/* The hierarchies of cgroup v1 that have a controller of the knob table. */
#define CGROUP1_MAX 6

/**
 * struct cgroup1_fact - A hierarchy of cgroup v1, and our own group in it
 * @controllers: of the hierarchy, as mounted: "cpu,cpuacct"
 * @mount:	where it is mounted
 * @own:	our own group below @mount, "/" for its root; NULL where it is out of sight
 * @ours:	we may make groups in it
 * @swap:	its group has memory.memsw.limit_in_bytes
 */
struct cgroup1_fact {
	const char *controllers, *mount, *own;
	bool ours, swap;
};

/**
 * cgroup1_detect() - Look at one mount of cgroup v1
 * @mount:	mount point
 * @root:	the mount's root within the hierarchy
 * @options:	of the file system, from mountinfo: "rw,cpu,cpuacct"
 * @arena:	owns the strings of @ret
 * @ret:	filled in where true is returned
 *
 * Return: whether the hierarchy has a controller of the knob table.
 */
bool cgroup1_detect(const char *mount, const char *root, const char *options,
                    struct arena *arena, struct cgroup1_fact *ret);

/* The hierarchy with a controller, NULL where v1 does not have it. */
const struct cgroup1_fact *cgroup1_find(const struct cgroup1_fact *fact, size_t n,
                                        const char *controller);

/* How many files of v1 one limit of v2 may be: io, with all its keys. */
#define KNOB_V1_WRITES 4

/**
 * struct knob_write - What is written for a limit on cgroup v1
 * @file:	of the group
 * @value:	in v1's own terms
 * @flat:	it counts in the group itself only, not in those below
 */
struct knob_write {
	const char *file, *value;
	bool flat;
};

/**
 * knob_v1() - A limit in the terms of cgroup v1
 * @limit:	the limit; @value of KNOB_IO begins with "MAJ:MIN "
 * @memory:	that of KNOB_MEMORY where there is one, else NULL: v1 counts swap with it
 * @arena:	owns the strings of @ret
 * @ret:	filled in
 * @ret_why:	where 0 is returned: why v1 cannot hold it, a clause
 *
 * Pure.
 *
 * Return: how many of @ret, in the order in which they are to be written.
 */
size_t knob_v1(const struct limit *limit, const struct limit *memory, struct arena *arena,
               struct knob_write ret[KNOB_V1_WRITES], const char **ret_why);

/**
 * cgroup1_make() - Make a group
 * @own:	our own group's directory
 * @path:	of the new group, below @own
 * @err:	filled in on failure
 *
 * In a hierarchy with cpuset it gets the CPUs and memory nodes of the group above, since
 * nobody may enter it without (cpusets(7)). One of this name is left by a killed berth,
 * where it is empty, and is removed.
 *
 * Return: its directory; -EBUSY where there is one with processes; else -errno.
 */
int cgroup1_make(int own, const char *path, struct err *err);

/**
 * cgroup1_limit() - Write a value through libcgroup, and see that it holds
 * @writer:	path of berth-cgroup1, the program that links libcgroup
 * @fact:	the hierarchy
 * @own:	our own group's directory
 * @path:	of the file, below @own: "berth-x/memory.limit_in_bytes"
 * @knob:	which limit
 * @value:	what is written
 * @err:	filled in on failure
 *
 * libcgroup goes by names, and by what it takes for the mount: the program compares the
 * directory that it finds with ours before it writes. What the file says afterwards
 * counts, not what libcgroup says.
 *
 * Return: 0; -EOPNOTSUPP where another value holds; -ESTALE where libcgroup would write
 * elsewhere; else -errno, of the write where there was one.
 */
int cgroup1_limit(const char *writer, const struct cgroup1_fact *fact, int own,
                  const char *path, enum knob knob, const char *value, struct err *err);

/**
 * struct cgroup1_group - The workspace's groups in one hierarchy of cgroup v1
 * @fact:	the hierarchy, borrowed; NULL: unused
 * @own:	our own group's directory
 * @limits, @payload: "berth-NAME", and its child in which the processes are
 */
struct cgroup1_group {
	const struct cgroup1_fact *fact;
	int own, limits, payload;
};

/* Adds what @group met. v1 counts kills and refused forks where they happened. */
void cgroup1_events(const struct cgroup1_group *group, struct cgroup_events *ret);

#endif
