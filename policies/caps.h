#ifndef POLICIES_CAPS_H
#define POLICIES_CAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
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

/* Every capability, as a mask of bits 1 << CAP_*. */
#define CAPS_ALL UINT64_MAX

/**
 * caps_parse() - Read names of capabilities
 * @text:	"NET_RAW,cap_sys_ptrace", or "all"
 * @ret:	the bits are added, on success only
 * @err:	quotes the name that is none, and hints at the nearest one
 *
 * Return: 0; -EINVAL.
 */
int caps_parse(const char *text, uint64_t *ret, struct err *err);

/* The names of @mask, "net_raw,sys_ptrace" or "all", in @arena; of "all" without some
 * there are names for those only that libcap knew. */
const char *caps_text(uint64_t mask, struct arena *arena);

/**
 * caps_unbind() - Take capabilities out of our bounding and inheritable sets
 * @drop:	bits 1 << CAP_*; those that the kernel does not know are ignored
 * @err:	filled in on failure
 *
 * What we have is not touched; what we execute, also as root, and whatever comes from
 * that gets none of them (capabilities(7)). Only in a user namespace that is made below
 * they are there again, over what belongs to that one.
 *
 * Return: 0; -EPERM without CAP_SETPCAP; else -errno.
 */
int caps_unbind(uint64_t drop, struct err *err);

/* Whether we may use @cap now; false where that cannot be told. */
bool caps_effective(int cap);

#endif
