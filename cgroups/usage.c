#include "cgroups/usage.h"

#include <stdlib.h>

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

void cgroup_usage_read(int dir, struct cgroup_usage *ret)
{
	struct cgroup_usage now = { .memory_max = UINT64_MAX, .pids_max = UINT64_MAX };
	struct err ignored = { 0 };
	char text[1024];

	now.has_cpu = file_read(dir, "cpu.stat", text, sizeof(text), &ignored) >= 0;
	if (now.has_cpu) {
		now.cpu_us = cgroup_events_number(text, NULL, "usage_usec");
		now.throttled_us = cgroup_events_number(text, NULL, "throttled_usec");
	}
	now.has_memory = read_number(dir, "memory.current", &now.memory);
	(void)read_number(dir, "memory.max", &now.memory_max);
	now.has_pids = read_number(dir, "pids.current", &now.pids);
	(void)read_number(dir, "pids.max", &now.pids_max);
	*ret = now;
}
