#ifndef PROCESSES_H
#define PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"

/* Of /proc, as far as we see it: which processes there are, and whose they are. */

/* The most that are looked at. */
#define PROCESSES_MAX 65536

/**
 * struct process - One of /proc
 * @pid, @parent: as we see them
 * @ticks:	processor time of its own and of those that it waited for, in clock ticks
 * @where:	filled in by processes_inside()
 */
struct process {
	pid_t pid, parent;
	uint64_t ticks;
	enum { PROCESS_UNKNOWN, PROCESS_INSIDE, PROCESS_OUTSIDE } where;
};

/**
 * struct processes - All of them, by number
 * @proc:	directory of /proc, borrowed
 * @init:	PID 1 of a workspace, in our numbers
 * @pidns:	inode number of its PID namespace; 0: not known, and then processes that joined it
 *		from outside ("berth exec") are none of its own
 * @process, @n: sorted by @pid
 * @partial:	there were more than could be looked at
 */
struct processes {
	int proc;
	pid_t init;
	ino_t pidns;
	struct process *process;
	size_t n;
	bool partial;
};

/**
 * processes_list() - List them
 * @list:	@proc, @init and @pidns are set
 * @until_ns:	of CLOCK_THREAD_CPUTIME_ID: no longer than that
 * @arena:	owns the list
 * @err:	filled in on failure
 *
 * Return: 0; -ENOMEM; -errno.
 */
int processes_list(struct processes *list, int64_t until_ns, struct arena *arena,
                   struct err *err);

/* Whether it is one of the workspace's: its line of parents comes by init, or by one who is in
 * the same PID namespace. */
bool processes_inside(struct processes *list, struct process *process);

/* For tests: parent and ticks of a /proc/PID/stat. Return: whether it is one. */
bool processes_read_stat(const char *text, struct process *ret);

#endif
