#ifndef CGROUPS_USAGE_H
#define CGROUPS_USAGE_H

#include <stdbool.h>
#include <stdint.h>

/* Devices beyond that many are not told. */
#define CGROUP_IO_MAX 16

/**
 * struct cgroup_io - What went to and from a device so far
 * @major, @minor: which
 * @read, @written: bytes
 * @reads, @writes: requests
 */
struct cgroup_io {
	uint32_t major, minor;
	uint64_t read, written, reads, writes;
};

/**
 * struct cgroup_usage - What a group uses now; plain data of a fixed size
 * @has_cpu, @has_memory, @has_swap, @has_pids, @has_io: whether the kernel counts it here
 * @has_quota:	whether it counts the periods of cpu.max
 * @cpu_us:	processor time used so far; @user_us and @system_us are its parts
 * @throttled_us: time in which it had to wait for its cpu.max; 0 without the controller
 * @periods, @throttled: of cpu.max that began so far, and in how many of them it had to wait
 * @cpu_milli:	what it may use of a processor, in thousandths
 * @memory, @swap: bytes
 * @pids:	processes and threads
 * @cpu_milli, @memory_max, @swap_max, @pids_max: at most; UINT64_MAX for no limit of its own
 * @io, @io_n:	by device
 */
struct cgroup_usage {
	bool has_cpu, has_quota, has_memory, has_swap, has_pids, has_io;
	uint64_t cpu_us, user_us, system_us, throttled_us, periods, throttled, cpu_milli;
	uint64_t memory, memory_max, swap, swap_max;
	uint64_t pids, pids_max;
	struct cgroup_io io[CGROUP_IO_MAX];
	uint32_t io_n;
};

/* Reads it. @dir: the group on cgroup v2; @ret: always filled in. */
void cgroup_usage_read(int dir, struct cgroup_usage *ret);

/* For tests: the lines of an io.stat. Return: how many are in @ret, CGROUP_IO_MAX at most. */
uint32_t cgroup_io_parse(const char *text, struct cgroup_io ret[CGROUP_IO_MAX]);

#endif
