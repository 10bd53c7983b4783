#ifndef STATS_H
#define STATS_H

#include "entries.h"
#include "metrics.h"

/* Workspaces that one berth stats looks at. */
#define STATS_MAX 64

/**
 * struct sample - One workspace at one time
 * @at_ns:	CLOCK_MONOTONIC
 * @m:		its numbers
 * @no_group, @no_network: why there is none of it, or NULL
 * @watchers:	who watches files; NULL where that could not be seen, or nobody looked
 */
struct sample {
	uint64_t at_ns;
	struct metrics m;
	const char *no_group, *no_network;
	const struct watchers *watchers;
};

/**
 * struct stats - What was seen
 * @again:	who does not run is left out
 * @arena:	of the samples' watchers, which cost more than all the rest: NULL for a look of
 *		which nobody sees them
 */
struct stats {
	bool again;
	struct arena *arena;
	struct sample sample[STATS_MAX];
	size_t n;
};

/* For entries_walk(): adds a sample. @stats: the struct stats. */
entries_fn stats_sample;

#endif
