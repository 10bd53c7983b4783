#include "budget.h"

#include <string.h>
#include <sys/resource.h>

#define NS "all that is made inside counts here, in nested ones, too"

/* clang-format off */
const struct budget_info budget_info[BUDGET_N] = {
	[BUDGET_WATCHES] = { "watches", "N", "inotify watches, all of the workspace together", .min = 1, .file = "max_inotify_watches",
		.why = "all watchers inside share this number, whatever their user or container" },
	[BUDGET_INOTIFY_INSTANCES] = { "inotify-instances", "N", "inotify instances, all of the workspace together", .min = 1, .file = "max_inotify_instances",
		.why = "all inotify instances inside share this number" },
	[BUDGET_FANOTIFY_GROUPS] = { "fanotify-groups", "N", "fanotify groups, all together", .min = 1, .file = "max_fanotify_groups",
		.why = "all fanotify groups inside share this number" },
	[BUDGET_FANOTIFY_MARKS] = { "fanotify-marks", "N", "fanotify marks, all together", .min = 1, .file = "max_fanotify_marks",
		.why = "all fanotify marks inside share this number" },
	[BUDGET_USER_NS]   = { "user-namespaces", "N", "nested user namespaces; 0 for none", .file = "max_user_namespaces", .own = 1, .why = NS },
	[BUDGET_PID_NS]    = { "pid-namespaces", "N", "nested PID namespaces; 0 for none", .file = "max_pid_namespaces", .own = 1, .above = 1, .why = NS },
	[BUDGET_MOUNT_NS]  = { "mount-namespaces", "N", "nested mount namespaces", .min = 1, .file = "max_mnt_namespaces", .own = 1, .above = 1, .why = NS },
	[BUDGET_NET_NS]    = { "net-namespaces", "N", "nested network namespaces; 0 for none", .file = "max_net_namespaces", .own = 1, .above = 1, .why = NS },
	[BUDGET_IPC_NS]    = { "ipc-namespaces", "N", "nested IPC namespaces; 0 for none", .file = "max_ipc_namespaces", .own = 1, .why = NS },
	[BUDGET_UTS_NS]    = { "uts-namespaces", "N", "nested UTS namespaces; 0 for none", .file = "max_uts_namespaces", .own = 1, .why = NS },
	[BUDGET_CGROUP_NS] = { "cgroup-namespaces", "N", "nested cgroup namespaces; 0 for none", .file = "max_cgroup_namespaces", .own = 1, .why = NS },
	[BUDGET_TIME_NS]   = { "time-namespaces", "N", "time namespaces; 0 for none", .file = "max_time_namespaces", .why = NS },
	[BUDGET_SIGNALS] = { "pending-signals", "N", "queued signals, all together", .min = 1, .rlimit = RLIMIT_SIGPENDING, .limit = "sigpending",
		.why = "all of the workspace together may queue as many signals" },
	[BUDGET_QUEUES] = { "message-queues", "SIZE", "POSIX message queues, all together", .rlimit = RLIMIT_MSGQUEUE, .limit = "msgqueue", .bytes = true,
		.why = "all POSIX message queues inside take that many bytes" },
	[BUDGET_LOCKED] = { "locked-shm", "SIZE", "locked System V shared memory, all together", .rlimit = RLIMIT_MEMLOCK, .limit = "memlock", .bytes = true, .pages = true,
		.why = "all System V segments inside that are locked, or of huge pages, take that many bytes" },
};
/* clang-format on */

int budget_rlimit(const char *limit)
{
	if (!strcmp(limit, "nproc"))
		return RLIMIT_NPROC;
	for (int i = 0; i < BUDGET_N; i++)
		if (budget_info[i].limit && !strcmp(budget_info[i].limit, limit))
			return budget_info[i].rlimit;
	return -1;
}

bool budget_known(const char *name, unsigned long len)
{
	for (int i = 0; i < BUDGET_N; i++)
		if (strlen(budget_info[i].name) == len &&
		    !strncmp(budget_info[i].name, name, len))
			return true;
	return false;
}
