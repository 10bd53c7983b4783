#ifndef MOUNTS_H
#define MOUNTS_H

#include "base/arena.h"
#include "base/err.h"
#include "facts.h"

/**
 * mounts_parse() - Read a mount table
 * @text:	of /proc/PID/mountinfo, proc(5); lines that are none are passed over
 * @arena:	owns the result
 * @ret, @ret_n: in the order of the file, a mount that covers another one behind it
 * @err:	filled in on failure
 *
 * Return: 0 or -ENOMEM.
 */
int mounts_parse(const char *text, struct arena *arena, const struct mount_fact **ret,
                 size_t *ret_n, struct err *err);

/* Whether @path, absolute and without links, is @above or lies below it. */
bool path_in(const char *path, const char *above);

/**
 * mounts_at() - By which mount a path is reached
 * @mount, @n:	a mount table, in the order of the file
 * @path:	absolute, without links
 *
 * Return: the last one at the longest point that is @path or lies above it, borrowed from
 * @mount; NULL without one.
 */
const struct mount_fact *mounts_at(const struct mount_fact *mount, size_t n,
                                   const char *path);

/* @path, which @mount reaches, in the file system of that: "" for its root. */
const char *mounts_inner(const struct mount_fact *mount, const char *path,
                         struct arena *arena);

/**
 * struct mounts_part - What a directory shows of one file system
 * @place:	from here on, absolute
 * @begin:	the same in the file system
 */
struct mounts_part {
	const char *place, *begin;
};

/**
 * mounts_part() - What a directory shows by one mount: by its own, or one that lies in it
 * @mount, @n:	a mount table, in the order of the file
 * @at:		which of them
 * @dir:	absolute, without links
 * @arena:	owns the strings
 * @ret:	set where it shows something
 *
 * Return: whether it does.
 */
bool mounts_part(const struct mount_fact *mount, size_t n, size_t at, const char *dir,
                 struct arena *arena, struct mounts_part *ret);

/**
 * mounts_show() - Whether a directory has the files of a path among its own, by whatever mount
 * @mount, @n:	a mount table, in the order of the file
 * @dir, @path:	absolute, without links
 * @arena:	for strings that are of no use any more
 */
bool mounts_show(const struct mount_fact *mount, size_t n, const char *dir,
                 const char *path, struct arena *arena);

#endif
