#ifndef BASE_TREE_H
#define BASE_TREE_H

#include "base/err.h"

/**
 * tree_open() - Open a directory by one name, without leaving its parent
 * @dir:	directory descriptor
 * @name:	one component: no "/", "." or ".."
 * @err:	filled in on failure
 *
 * No symbolic link is followed and no mount point crossed, also where the kernel, or
 * the seccomp profile around us, has no openat2(2).
 *
 * Return: a descriptor for reading, owned by the caller; -ENOENT; -ENOTDIR or -ELOOP
 * for what is no directory; -EXDEV for a mount point; else -errno.
 */
int tree_open(int dir, const char *name, struct err *err);

/**
 * tree_remove() - Remove a file, or a directory with everything below it
 * @dir:	directory descriptor
 * @name:	one component, as in tree_open()
 * @err:	names what could not be removed
 *
 * Works by descriptors, a bounded number of them, whatever the depth. What is below
 * may be hostile: links are removed, not followed; a mount point stops the removal.
 * Nobody else may be adding files at the same time.
 *
 * Return: 0; -ENOENT where there is none; -EXDEV for a mount point; -EACCES or -EPERM
 * for what belongs to another user (go into a user namespace that maps it); else
 * -errno.
 */
int tree_remove(int dir, const char *name, struct err *err);

#endif
