#ifndef CGROUPS_EVENTS_H
#define CGROUPS_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct cgroup_events - What a group met since it was made
 * @memory_max:	how often its own memory.max was about to be passed
 * @oom:	how often that ended with the choice of a victim
 * @oom_kill:	processes killed for want of memory, in it and in groups below, whichever
 *		group's limit it was: its own, one below, or one above
 * @pids_max:	forks that failed at its pids.max; before Linux 6.11 the kernel counts
 *		them in the group of who forked
 * @cpu_us, @memory_us, @io_us: time in which some process waited for it (PSI, "some")
 *
 * What the kernel or the controllers here do not tell is 0.
 */
struct cgroup_events {
	uint64_t memory_max, oom, oom_kill, pids_max;
	uint64_t cpu_us, memory_us, io_us;
};

/**
 * cgroup_events_read() - Read the counters of a group
 * @dir:	the group; negative: there is none
 * @ret:	always filled in
 */
void cgroup_events_read(int dir, struct cgroup_events *ret);

/* The files that poll(2) reports a change of, as POLLPRI (cgroup-v2.rst). */
#define CGROUP_EVENT_FILES 2

/**
 * cgroup_events_open() - Open what tells that a counter changed
 * @dir:	the group
 * @ret:	descriptors, owned by the caller; -EBADF where the controller is missing
 */
void cgroup_events_open(int dir, int ret[CGROUP_EVENT_FILES]);

/* Takes note of what the file says now: the next change is reported again. */
void cgroup_events_seen(int fd);

/**
 * cgroup_events_number() - One number of a text of keys
 * @text:	"KEY NUMBER" lines, or PSI's "some avg10=... total=NUMBER"
 * @key:	"oom_kill"; "total=" with @line "some"
 * @line:	what the line begins with, NULL for "KEY NUMBER" lines
 *
 * Return: the number, 0 where there is none.
 */
uint64_t cgroup_events_number(const char *text, const char *line, const char *key);

#endif
