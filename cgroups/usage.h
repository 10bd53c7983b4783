#ifndef CGROUPS_USAGE_H
#define CGROUPS_USAGE_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct cgroup_usage - What a group uses now
 * @has_cpu, @has_memory, @has_pids: whether the kernel counts it here
 * @cpu_us:	processor time used so far
 * @throttled_us: time in which it had to wait for its cpu.max; 0 without the controller
 * @memory:	bytes
 * @pids:	processes and threads
 * @memory_max, @pids_max: at most; UINT64_MAX for no limit of its own
 */
struct cgroup_usage {
	bool has_cpu, has_memory, has_pids;
	uint64_t cpu_us, throttled_us;
	uint64_t memory, memory_max;
	uint64_t pids, pids_max;
};

/* Reads it. @dir: the group on cgroup v2; @ret: always filled in. */
void cgroup_usage_read(int dir, struct cgroup_usage *ret);

#endif
