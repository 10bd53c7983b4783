#ifndef POLICY_PATH_H
#define POLICY_PATH_H

#include "base/arena.h"
#include "base/err.h"
#include "config.h"
#include "policies/policy.h"

/**
 * policy_path_explain() - Tell what lies at a path inside, and what may be done there
 * @policy:	its settings, for where a value is from
 * @config:	of the policy
 * @path:	absolute, of the workspace
 * @arena:	for words
 * @err:	quotes @path
 *
 * Of what the policy attaches the deepest counts that the path is, or lies in; of the kernel's own
 * files whether berth covers it.
 *
 * Return: 0; -EINVAL for a path with "." or "..".
 */
int policy_path_explain(const struct policy *policy, const struct config *config,
                        const char *path, struct arena *arena, struct err *err);

#endif
