#include "cgroups/events.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

static const char *const event_files[CGROUP_EVENT_FILES] = { "memory.events",
	                                                     "pids.events" };

uint64_t cgroup_events_number(const char *text, const char *line, const char *key)
{
	size_t line_len = line ? strlen(line) : 0, key_len = strlen(key);

	while (*text) {
		size_t len = strcspn(text, "\n");
		const char *at = text;

		if (line && !strncmp(text, line, line_len) && text[line_len] == ' ') {
			at = strstr(text, key);
			if (at && at < text + len)
				return strtoull(at + key_len, NULL, 10);
		} else if (!line && !strncmp(text, key, key_len) &&
		           text[key_len] == ' ') {
			return strtoull(text + key_len + 1, NULL, 10);
		}
		text += len + (text[len] == '\n');
	}
	return 0;
}

void cgroup_events_read(int dir, struct cgroup_events *ret)
{
	const struct {
		const char *file, *line, *key;
		uint64_t *ret;
	} rows[] = {
		{ "memory.events.local", NULL, "max", &ret->memory_max },
		{ "memory.events.local", NULL, "oom", &ret->oom },
		{ "memory.events", NULL, "oom_kill", &ret->oom_kill },
		{ "pids.events", NULL, "max", &ret->pids_max },
		{ "cpu.pressure", "some", "total=", &ret->cpu_us },
		{ "memory.pressure", "some", "total=", &ret->memory_us },
		{ "io.pressure", "some", "total=", &ret->io_us },
	};
	const char *last = "";
	char text[1024] = "";

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err ignored = { 0 };

		if (strcmp(last, rows[i].file) != 0 && dir >= 0 &&
		    file_read(dir, rows[i].file, text, sizeof(text), &ignored) < 0)
			text[0] = '\0';
		last = rows[i].file;
		*rows[i].ret = cgroup_events_number(text, rows[i].line, rows[i].key);
	}
}

void cgroup_events_open(int dir, int ret[CGROUP_EVENT_FILES])
{
	for (size_t i = 0; i < CGROUP_EVENT_FILES; i++) {
		ret[i] = openat(dir, event_files[i], O_RDONLY | O_CLOEXEC);
		if (ret[i] < 0)
			ret[i] = -EBADF;
		else
			cgroup_events_seen(ret[i]);
	}
}

void cgroup_events_seen(int fd)
{
	char text[1024];

	(void)!pread(fd, text, sizeof(text), 0);
}
