#ifndef UNSHARE_H
#define UNSHARE_H

#include "base/err.h"

/**
 * unshare_call() - Call a function as root of the IDs that a workspace would have
 * @fn:		runs in a child, in a user and a mount namespace of its own, with L1's ID
 *		map; what it returns is the child's exit status, and what it leaves in its
 *		@err comes back
 * @arg:	for @fn
 * @err:	filled in on failure
 *
 * The file system stays the caller's. For what belongs to subordinate IDs, which only
 * root of a namespace that maps them may chown or delete.
 *
 * Return: the child's exit status, 128 + n when signal n ended it; -errno where there
 * is no such namespace to be had, or what @fn left in its @err.
 */
int unshare_call(int (*fn)(void *arg, struct err *err), void *arg, struct err *err);

/**
 * unshare_retry() - Call a function here, and where that is refused, there
 * @fn:		removes something that root inside may have given to any of its IDs
 * @arg:	for @fn
 * @err:	filled in on failure, with the first reason
 *
 * Return: 0; -EACCES or -EPERM where both were refused; else what @fn said.
 */
int unshare_retry(int (*fn)(void *arg, struct err *err), void *arg, struct err *err);

/* unshare_call() for a command, NULL-terminated, looked up with the caller's PATH. */
int unshare_run(const char *const *command, struct err *err);

#endif
