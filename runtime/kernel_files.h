#ifndef KERNEL_FILES_H
#define KERNEL_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum cover {
	COVER_FILE,      /* /dev/null in its place */
	COVER_DIRECTORY, /* an empty read-only directory in its place */
	COVER_READ_ONLY, /* itself, read-only */
};

/**
 * struct kernel_file - A file of /proc or /sys that a workspace has no use for
 *
 * Covering protects against accidents and curiosity. Security is the user
 * namespace: an unmasked proc lies in /dev/.berth for nested sandboxes.
 */
struct kernel_file {
	const char *path;
	enum cover cover;
	const char *why;
};

#define KERNEL_FILES_N 18
extern const struct kernel_file kernel_files[KERNEL_FILES_N];

/* All of them, as bits. */
#define KERNEL_FILES_ALL ((UINT64_C(1) << KERNEL_FILES_N) - 1)

/**
 * kernel_files_parse() - Read which of them is meant
 * @text:	a path, or "all"
 * @ret:	its bit, 1 << i, is added
 * @err:	quotes @text on failure, with the nearest path
 *
 * Return: 0; -EINVAL.
 */
int kernel_files_parse(const char *text, uint64_t *ret, struct err *err);

#endif
