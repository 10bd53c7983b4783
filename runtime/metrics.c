#include "metrics.h"

#include <stdio.h>
#include <string.h>

#include "watchers_print.h"

void metrics_begin(const struct record *record, struct metrics *ret)
{
	*ret = (struct metrics){ .ready = record->ready,
		                 .started_ms = record->started_ms };
	(void)snprintf(ret->workspace, sizeof(ret->workspace), "%s", record->name);
	(void)snprintf(ret->tier, sizeof(ret->tier), "%s",
	               record->tier ? record->tier : "");
	(void)snprintf(ret->init, sizeof(ret->init), "%s", record->init_mode);
	(void)snprintf(ret->net, sizeof(ret->net), "%s", record->net);
	ret->events = (struct cgroup_events){
		.memory_max = (uint64_t)record->memory_max,
		.oom_kill = (uint64_t)record->oom_kills,
		.pids_max = (uint64_t)record->pids_max,
		.cpu_us = (uint64_t)record->cpu_wait_us,
		.memory_us = (uint64_t)record->memory_wait_us,
		.io_us = (uint64_t)record->io_wait_us,
	};
	watchers_most(record, ret->watchers_max);
}

void metrics_group(struct metrics *metrics, int dir)
{
	if (dir < 0)
		return;
	metrics->has_group = true;
	cgroup_usage_read(dir, &metrics->group);
	cgroup_events_read(dir, &metrics->events);
}

void metrics_watchers(struct metrics *metrics, const struct watchers *watchers)
{
	metrics->has_watchers = true;
	memcpy(metrics->watchers, watchers->use, sizeof(metrics->watchers));
}
