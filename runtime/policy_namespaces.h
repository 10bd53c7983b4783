#ifndef POLICY_NAMESPACES_H
#define POLICY_NAMESPACES_H

#include "config.h"

/* Tell of each kind of namespace whether it is the workspace's own, which keys decide, and how many
 * more may be made inside. */
void policy_namespaces_explain(const struct config *config);

/* The same on one line: whose they are. */
void policy_namespaces_sum_up(const struct config *config);

#endif
