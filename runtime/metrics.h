#ifndef METRICS_H
#define METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "cgroups/events.h"
#include "cgroups/usage.h"
#include "state.h"
#include "traffic.h"
#include "watchers.h"

/**
 * struct metrics - What is told of a workspace in numbers; plain data of a fixed size
 * @workspace:	its name
 * @tier, @init, @net: as in its record
 * @ready:	its init said so, or its command runs
 * @started_ms:	CLOCK_REALTIME, 0 for not yet
 * @has_group, @group, @events: of its group; without one only what its record has of the
 *		events is told
 * @has_watchers, @watchers: when they were looked at last
 * @watchers_max: LIMIT_UNSET for no budget
 * @has_network, @network: of its own network
 *
 * It crosses from the supervisor to berth-metrics as it is, in one message.
 */
struct metrics {
	char workspace[STATE_NAME_MAX + 1], tier[8], init[16], net[16];
	bool ready, has_group, has_watchers, has_network;
	int64_t started_ms;
	struct cgroup_usage group;
	struct cgroup_events events;
	uint64_t watchers[WATCHER_KINDS], watchers_max[WATCHER_KINDS];
	struct traffic_numbers network;
};

/**
 * metrics_begin() - What a record tells of it
 * @record:	of the workspace
 * @ret:	set, without group, watchers and network
 */
void metrics_begin(const struct record *record, struct metrics *ret);

/* Adds what its group on cgroup v2 tells. @dir: negative for none. */
void metrics_group(struct metrics *metrics, int dir);

/* Adds what was seen of watchers. */
void metrics_watchers(struct metrics *metrics, const struct watchers *watchers);

/**
 * metrics_print() - Write them in the text format of Prometheus, version 0.0.4
 * @out:	where to
 * @metrics:	of @n workspaces, whose names differ
 *
 * What is not counted is left out, and so is a limit that nothing sets. Every name is there
 * in any case, with its type.
 */
void metrics_print(FILE *out, const struct metrics *metrics, size_t n);

#endif
