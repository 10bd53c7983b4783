#ifndef PROBE_H
#define PROBE_H

#include "base/arena.h"
#include "base/err.h"
#include "config.h"
#include "facts.h"

/**
 * probe() - Look at the pod, once, changing nothing
 * @config:	says what is worth looking at
 * @arena:	owns the strings and arrays of @ret
 * @ret:	filled in on success
 * @err:	filled in on failure
 *
 * Return: 0; -ENOENT or -ENOTDIR for a root file system or a volume's source that is
 * not there; -errno where a kernel file cannot be read.
 */
int probe(const struct config *config, struct arena *arena, struct facts *ret,
          struct err *err);

/**
 * probe_ids() - The part of probe() about IDs, for who needs no more
 * @arena:	owns the strings
 * @ret:	only the fields about IDs and clone3 are touched
 * @err:	filled in on failure
 *
 * Return: 0 or -errno.
 */
int probe_ids(struct arena *arena, struct facts *ret, struct err *err);

/**
 * probe_cgroup1() - The part of probe() about cgroup v1
 * @arena:	owns the strings
 * @facts:	@mount is filled in
 *
 * Costs a look at each hierarchy, on machines that have them: probe() itself asks only
 * where there are limits.
 */
void probe_cgroup1(struct arena *arena, struct facts *facts);

/**
 * probe_tree() - List the host's root where mounts lie below
 * @facts:	@mount is filled in
 * @arena:	owns the result
 * @ret:	"/" itself, set on success only
 * @err:	filled in on failure
 *
 * Return: 0 or -errno.
 */
int probe_tree(const struct facts *facts, struct arena *arena,
               const struct tree_fact **ret, struct err *err);

#endif
