#include "cgroups/usage.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cgroups/events.h"

/* A file of one number, or of "max". */
static bool read_number(int dir, const char *file, uint64_t *ret)
{
	struct err ignored = { 0 };
	char text[32];

	if (file_read(dir, file, text, sizeof(text), &ignored) < 0)
		return false;
	*ret = text[0] == 'm' ? UINT64_MAX : strtoull(text, NULL, 10);
	return true;
}

/* "200000 100000" is two processors, "max 100000" all of them. */
static uint64_t read_quota(int dir)
{
	struct err ignored = { 0 };
	uint64_t quota, period;
	char text[64];

	if (file_read(dir, "cpu.max", text, sizeof(text), &ignored) < 0 ||
	    sscanf(text, "%" SCNu64 " %" SCNu64, &quota, &period) != 2 || period == 0)
		return UINT64_MAX;
	return quota * 1000 / period;
}

static void read_cpu(int dir, struct cgroup_usage *now)
{
	struct err ignored = { 0 };
	char text[4096];

	now->has_cpu = file_read(dir, "cpu.stat", text, sizeof(text), &ignored) >= 0;
	if (!now->has_cpu)
		return;
	now->cpu_us = cgroup_events_number(text, NULL, "usage_usec");
	now->user_us = cgroup_events_number(text, NULL, "user_usec");
	now->system_us = cgroup_events_number(text, NULL, "system_usec");
	now->has_quota = strstr(text, "nr_periods ");
	now->periods = cgroup_events_number(text, NULL, "nr_periods");
	now->throttled = cgroup_events_number(text, NULL, "nr_throttled");
	now->throttled_us = cgroup_events_number(text, NULL, "throttled_usec");
	now->cpu_milli = read_quota(dir);
}

/* A number of a line "8:0 rbytes=1 wbytes=2": of its end on nothing is seen. */
static uint64_t number_in(const char *line, size_t len, const char *key)
{
	const char *at = strstr(line, key);

	return at && at < line + len ? strtoull(at + strlen(key), NULL, 10) : 0;
}

uint32_t cgroup_io_parse(const char *text, struct cgroup_io ret[CGROUP_IO_MAX])
{
	uint32_t n = 0;

	while (*text && n < CGROUP_IO_MAX) {
		const size_t len = strcspn(text, "\n");
		struct cgroup_io io = { .read = number_in(text, len, " rbytes="),
			                .written = number_in(text, len, " wbytes="),
			                .reads = number_in(text, len, " rios="),
			                .writes = number_in(text, len, " wios=") };

		if (sscanf(text, "%" SCNu32 ":%" SCNu32, &io.major, &io.minor) == 2)
			ret[n++] = io;
		text += len + (text[len] == '\n');
	}
	return n;
}

void cgroup_usage_read(int dir, struct cgroup_usage *ret)
{
	struct cgroup_usage now = { .cpu_milli = UINT64_MAX,
		                    .memory_max = UINT64_MAX,
		                    .swap_max = UINT64_MAX,
		                    .pids_max = UINT64_MAX };
	struct err ignored = { 0 };
	char text[16384];

	read_cpu(dir, &now);
	now.has_memory = read_number(dir, "memory.current", &now.memory);
	(void)read_number(dir, "memory.max", &now.memory_max);
	now.has_swap = read_number(dir, "memory.swap.current", &now.swap);
	(void)read_number(dir, "memory.swap.max", &now.swap_max);
	now.has_pids = read_number(dir, "pids.current", &now.pids);
	(void)read_number(dir, "pids.max", &now.pids_max);
	now.has_io = file_read(dir, "io.stat", text, sizeof(text), &ignored) >= 0;
	if (now.has_io)
		now.io_n = cgroup_io_parse(text, now.io);
	*ret = now;
}
