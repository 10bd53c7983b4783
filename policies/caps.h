#ifndef POLICIES_CAPS_H
#define POLICIES_CAPS_H

#include <stddef.h>

#include "base/err.h"

/**
 * caps_keep_only() - Give up every capability but these, for good
 * @keep:	CAP_* numbers
 * @n:		length of @keep, 0 for none
 * @err:	filled in on failure
 *
 * Those of them that were permitted stay permitted and become effective; the
 * inheritable and ambient sets are cleared.
 * What is not permitted cannot be raised again, but without no_new_privs a setuid
 * program still could: set that too.
 *
 * Return: 0; -ENOMEM; -EINVAL for a number that is none; else -errno of capset(2).
 */
int caps_keep_only(const int *keep, size_t n, struct err *err);

#endif
