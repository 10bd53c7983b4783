#ifndef POLICIES_CAPS_H
#define POLICIES_CAPS_H

#include "base/err.h"

/**
 * caps_drop_all() - Give up every capability, for good
 * @err:	filled in on failure
 *
 * Clears the effective, permitted, inheritable and ambient sets; without a permitted
 * one nothing can be raised again, and without no_new_privs a setuid program still
 * could: set that too.
 *
 * Return: 0 or -errno of capset(2).
 */
int caps_drop_all(struct err *err);

#endif
