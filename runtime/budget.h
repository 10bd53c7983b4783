#ifndef BUDGET_H
#define BUDGET_H

#include <stdbool.h>

/* What the kernel counts for each user; the first level's count holds for all inside. */
enum budget {
	BUDGET_WATCHES,
	BUDGET_INOTIFY_INSTANCES,
	BUDGET_FANOTIFY_GROUPS,
	BUDGET_FANOTIFY_MARKS,
	BUDGET_USER_NS,
	BUDGET_PID_NS,
	BUDGET_MOUNT_NS,
	BUDGET_NET_NS,
	BUDGET_IPC_NS,
	BUDGET_UTS_NS,
	BUDGET_CGROUP_NS,
	BUDGET_TIME_NS,
	BUDGET_SIGNALS,
	BUDGET_QUEUES,
	BUDGET_LOCKED,
	BUDGET_N
};

/**
 * struct budget_info - How a budget is asked for and set
 * @name, @arg, @help: of the option
 * @min:	the smallest that makes sense: a launch needs one mount namespace for a moment
 * @file:	below /proc/sys/user, written in the first level (namespaces(7)); NULL for
 * @rlimit:	the resource limit that the second level is made under: its whole user
 *		namespace may take what its maker's soft limit was (getrlimit(2), since
 *		Linux 5.14)
 * @limit:	that one's name in a plan, as in prlimit(1)
 * @own, @above: namespaces of this kind that a launch makes in L2, and in L1
 * @bytes:	a size, not a number
 * @pages:	the kernel counts pages and compares them with the number that the resource limit
 *		has as bytes (mm/mlock.c, user_shm_lock()); init has its own limit again
 * @why:	for the plan
 */
struct budget_info {
	const char *name, *arg, *help;
	unsigned int min;
	const char *file;
	int rlimit;
	const char *limit;
	unsigned int own, above;
	bool bytes, pages;
	const char *why;
};

extern const struct budget_info budget_info[BUDGET_N];

/* The resource of a limit's name, also for "nproc"; -1 for an unknown one. */
int budget_rlimit(const char *limit);

/* Whether @name, @len bytes of it, is a budget's. */
bool budget_known(const char *name, unsigned long len);

#endif
