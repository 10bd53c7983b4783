#ifndef WATCHERS_H
#define WATCHERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "budget.h"

/* Those who have most, in that order; all others are in the sums only. */
#define WATCHERS_TOP 16

/* A name of 15 bytes, each of which may have become "\x1b". */
#define WATCHER_NAME_MAX 64

/* The kinds of budget that /proc/PID/fdinfo tells the use of. */
enum watcher_kind {
	WATCHER_WATCHES,
	WATCHER_INSTANCES,
	WATCHER_MARKS,
	WATCHER_GROUPS,
	WATCHER_KINDS,
};

extern const struct watcher_kind_info {
	const char *key; /* of the JSON */
	const char *words;
	enum budget budget;
} watcher_kind[WATCHER_KINDS];

/**
 * struct watcher - A process that watches files
 * @pid:	its number in the workspace
 * @name:	what it calls itself, escaped
 * @container:	first digits of the inner container it is in, or ""
 * @use:	what it has
 */
struct watcher {
	int pid;
	char name[WATCHER_NAME_MAX], container[13];
	uint64_t use[WATCHER_KINDS];
};

/**
 * struct watchers - Who watches files in a workspace
 * @use:	of all together
 * @top, @n:	who has most
 * @partial:	there was more than is looked at: the numbers are what was seen
 */
struct watchers {
	uint64_t use[WATCHER_KINDS];
	struct watcher top[WATCHERS_TOP];
	size_t n;
	bool partial;
};

/**
 * watchers_count() - Look at what the workspace's processes have open
 * @init:	its PID 1, by its number in our /proc
 * @ret:	set on success only
 * @err:	filled in on failure
 *
 * By /proc/PID/fdinfo, from outside. An instance counts once, however many descriptors there
 * are of it, where the kernel has kcmp(2). The cost is bounded, whatever the workspace opens:
 * processes, descriptors of each and of all, bytes, and a quarter of a second of CPU time. One
 * read of an instance with very many watches is not cut short: that is the kernel's.
 *
 * Return: 0; -ESRCH where init is gone; -ENOMEM; -errno.
 */
int watchers_count(pid_t init, struct watchers *ret, struct err *err);

/**
 * watchers_text() - Who has most of a kind, for people
 * @watchers:	counted
 * @kind:	of what
 * @ret:	"430 in node[123], 60 in find[77] of container 0123456789ab"
 * @size:	of @ret
 */
void watchers_text(const struct watchers *watchers, enum watcher_kind kind, char *ret,
                   size_t size);

/* For tests: the lines of a fdinfo that are watches or marks. */
uint64_t watchers_lines(const char *text, size_t n, bool fanotify);

/* For tests: the container of /proc/PID/cgroup: 64 hexadecimal digits in a name. */
void watchers_container(const char *text, char ret[13]);

#endif
