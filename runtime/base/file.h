#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"

/**
 * file_read() - Read a small file whole
 * @dir:	directory descriptor or AT_FDCWD
 * @path:	below @dir
 * @buf:	filled in and NUL-terminated
 * @size:	of @buf, bytes, at least 1
 * @err:	filled in on failure
 *
 * For kernel files: one open, read until the end.
 *
 * Return: length in bytes; -EFBIG where @size - 1 is not enough; else what
 * openat(2) or read(2) said, negative.
 */
ssize_t file_read(int dir, const char *path, char *buf, size_t size, struct err *err);

/**
 * file_slurp() - Read a file of unknown size into an arena
 * @dir:	directory descriptor or AT_FDCWD
 * @path:	below @dir
 * @max:	largest size accepted, bytes
 * @arena:	owns the result
 * @ret:	NUL-terminated text, set on success only
 * @err:	filled in on failure
 *
 * Return: length in bytes; -EFBIG above @max; -ENOMEM; else errno, negative.
 */
ssize_t file_slurp(int dir, const char *path, size_t max, struct arena *arena,
                   const char **ret, struct err *err);

/**
 * file_status() - Read /proc/PID/status but for the line "Groups:"
 * @dir, @path, @buf, @size, @err: as for file_read()
 *
 * A process may have 65536 supplementary groups (getgroups(2)), which is most of a megabyte,
 * and root inside may choose so.
 *
 * Return: as file_read().
 */
ssize_t file_status(int dir, const char *path, char *buf, size_t size, struct err *err);

/**
 * file_write() - Write a kernel file in one write(2)
 * @dir:	directory descriptor or AT_FDCWD
 * @path:	below @dir, must exist
 * @value:	what to write, without newline
 * @err:	quotes @value and @path on failure
 *
 * The kernel parses each write(2) by itself, so the value goes out in one call
 * and a short write cannot happen.
 *
 * Return: 0 or -errno of openat(2) or write(2).
 */
int file_write(int dir, const char *path, const char *value, struct err *err);

/**
 * file_create() - Make a file with a content, whole or not at all
 * @dir:	directory descriptor
 * @name:	a name in @dir; an existing file is replaced by rename(2)
 * @mode:	permission bits
 * @data:	content
 * @size:	of @data, bytes
 * @err:	filled in on failure
 *
 * Return: 0 or -errno.
 */
int file_create(int dir, const char *name, mode_t mode, const void *data, size_t size,
                struct err *err);

/**
 * write_all() - Write everything, through short writes and EINTR
 * @fd:		blocking descriptor
 * @data:	what to write
 * @size:	of @data, bytes
 *
 * Return: 0 or -errno of write(2).
 */
int write_all(int fd, const void *data, size_t size);

#endif
