#ifndef POLICY_DIFF_H
#define POLICY_DIFF_H

#include <stdbool.h>
#include <stdio.h>

#include "policies/policy.h"

/**
 * policy_diff() - What becomes possible from one policy to another, and what stops being
 * @a, @b:	the policies; their values were checked
 * @out:	"+ KEY: ..." for more, "- KEY: ..." for less, "~ KEY: ..." for neither
 * @ret_more:	@b allows something that @a does not
 * @err:	filled in on failure
 *
 * Return: 0, or -ENOMEM.
 */
int policy_diff(const struct policy *a, const struct policy *b, FILE *out, bool *ret_more,
                struct err *err);

#endif
