#ifndef WATCHERS_PRINT_H
#define WATCHERS_PRINT_H

#include "policies/json.h"
#include "state.h"
#include "watchers.h"

/* What a workspace may have of each kind, by its record; LIMIT_UNSET where nothing was asked
 * for, or is not enforced. */
void watchers_most(const struct record *record, uint64_t ret[WATCHER_KINDS]);

/* The member "watchers" of an object; null where @watchers is NULL. */
void watchers_put(struct json *json, const struct watchers *watchers,
                  const uint64_t most[WATCHER_KINDS]);

#endif
