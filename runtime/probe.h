#ifndef PROBE_H
#define PROBE_H

#include "base/arena.h"
#include "base/err.h"
#include "config.h"
#include "facts.h"
#include "netns/survey.h"

/**
 * probe() - Look at the pod, once, changing nothing
 * @config:	says what is worth looking at
 * @image:	whose tree @config's root is, NULL for none
 * @arena:	owns the strings and arrays of @ret
 * @ret:	all zero before: of its 9 KiB few are touched; of no use on failure
 * @err:	filled in on failure
 *
 * Return: 0; -ENOENT or -ENOTDIR for a root file system or a volume's source that is
 * not there; -errno where a kernel file cannot be read.
 */
int probe(const struct config *config, const struct image_tree *image,
          struct arena *arena, struct facts *ret, struct err *err);

/**
 * probe_ids() - The part of probe() about IDs, for who needs no more
 * @arena:	owns the strings
 * @ret:	only the fields about IDs and clone3 are touched; of no use on failure
 * @err:	filled in on failure
 *
 * Return: 0 or -errno.
 */
int probe_ids(struct arena *arena, struct facts *ret, struct err *err);

/**
 * probe_root() - The part of probe() about the root file system
 * @config:	where it is, and what else is asked for
 * @arena:	owns what is found
 * @facts:	@root and, as far as asked for, @hosts and @zone are filled in
 * @err:	filled in on failure
 *
 * Return: 0; -errno with the step "root" where it cannot be opened.
 */
int probe_root(const struct config *config, struct arena *arena, struct facts *facts,
               struct err *err);

/* Whether it may come to a gateway, so that the pod's network is to be looked at. */
bool probe_wants_gateway(const struct config *config);

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
 * probe_hidden() - Look at what volumes would show of berth's own directories
 * @config:	complete
 * @arena:	owns what is found
 * @facts:	@mount is there; @hidden is filled in
 * @err:	filled in on failure
 *
 * Return: 0; -ELOOP; -ENOTDIR; -ENAMETOOLONG; -ENOMEM; else -errno.
 */
int probe_hidden(const struct config *config, struct arena *arena, struct facts *facts,
                 struct err *err);

/**
 * probe_exposed() - Look which files of the pod, that options name, the workspace could change
 * @config:	complete
 * @arena:	owns what is found
 * @facts:	@mount is there; @exposed is filled in
 * @err:	filled in on failure
 *
 * A script, the audit log, a socket: what berth reads or writes, outside, as long as the workspace
 * runs. One that is not there yet counts, too.
 *
 * Return: 0; -ENAMETOOLONG; -ENOMEM; else -errno.
 */
int probe_exposed(const struct config *config, struct arena *arena, struct facts *facts,
                  struct err *err);

/* What the hooks are: @facts.hook. Return: 0; -ENOMEM; -errno where a volume cannot be opened. */
int probe_hooks(const struct config *config, struct arena *arena, struct facts *facts,
                struct err *err);

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

/**
 * probe_pasta() - What the other way out needs
 * @automatic:	look whether the relay can run, too, where pasta could
 * @foresees:	or where it could not
 * @clone3:	as of spawn()
 * @arena:	owns the path
 * @net:	filled in
 */
void probe_pasta(bool automatic, bool foresees, bool clone3, struct arena *arena,
                 struct net_facts *net);

/* Where the system has a program, whatever our PATH says: it may get root of the first level.
 * NULL where it has not. */
const char *probe_program(const char *name, struct arena *arena);

/* Whether the kernel cannot lead uploads through an ifb; false where that cannot be tried. */
bool probe_undiverted(bool clone3);

#endif
