#ifndef SEAL_H
#define SEAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "idmap.h"

/**
 * struct seal_fact - Who could write to our binary
 * @never:	nobody: it is sealed, or its mount is read-only, as it is through /proc/PID/exe, too
 * @others:	more than its owner, by its mode; or that cannot be told
 * @foreign:	its owner has no ID in our user namespace, nor in any below
 * @owner:	else that ID
 */
struct seal_fact {
	bool never, others, foreign;
	uint32_t owner;
};

struct seal_fact seal_look(void);

/**
 * seal_exposed() - Whether root inside could write to our binary through /proc/PID/exe
 * @fact:	who could at all
 * @uids:	L1's map: whom root inside can be
 *
 * The file itself is out of its sight, but a process of ours in the workspace's namespaces leads to
 * it (CVE-2019-5736). There root can be each user that is mapped, and has power over the files of
 * those alone (kernel/capability.c, privileged_wrt_inode_uidgid()).
 */
bool seal_exposed(const struct seal_fact *fact, const struct idmap *uids);

/**
 * seal_needed() - The same of a workspace whose map we don't know
 *
 * Return: true unless nobody inside can: a file of root's, where we are not root, is not lent to
 * anybody.
 */
bool seal_needed(void);

/**
 * seal_new() - Make an empty file in memory, for a program
 * @err:	filled in on failure
 *
 * Return: a close-on-exec descriptor to write to, owned by the caller; -EACCES where
 * vm.memfd_noexec is 2; else -errno of memfd_create(2).
 */
int seal_new(struct err *err);

/* Make its content final. Return: 0, or -errno of fcntl(2). */
int seal_close(int fd, struct err *err);

/**
 * seal_self() - Run from a sealed copy in memory
 * @argv:	of main()
 * @err:	filled in on failure, with the step "seal"
 *
 * Copies /proc/self/exe to a memfd, seals it against every change and executes it with
 * the same words. Called again there, it finds the seals on /proc/self/exe and returns:
 * no variable of the environment, which a caller could set, decides.
 *
 * To be called first in main(): everything done before is done twice.
 *
 * Return: 0 when we run sealed; -errno of memfd_create(2), fcntl(2) or execveat(2).
 */
int seal_self(char **argv, struct err *err);

#endif
