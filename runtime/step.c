#include "step.h"

/* clang-format off */
const char *const actor_name[ACTOR_MAX] = {
	[ACTOR_SUPERVISOR] = "supervisor",
	[ACTOR_WARDEN]     = "warden",
	[ACTOR_INIT]       = "init",
};

const char *const step_name[STEP_MAX] = {
	[STEP_SCOPE]         = "scope",
	[STEP_CGROUP_VIEW]   = "cgroup-view",
	[STEP_CGROUP_LEAF]   = "cgroup-leaf",
	[STEP_CGROUP_ENABLE] = "cgroup-enable",
	[STEP_CGROUP_MAKE]   = "cgroup-make",
	[STEP_CGROUP_LIMIT]  = "cgroup-limit",
	[STEP_CGROUP_OWN]    = "cgroup-own",
	[STEP_CGROUP_JOIN]   = "cgroup-join",
	[STEP_SPAWN]         = "spawn",
	[STEP_MAP]           = "map",
	[STEP_UCOUNT]        = "ucount",
	[STEP_PRIVATE]       = "private",
	[STEP_HIDE]          = "hide",
	[STEP_ROOT]          = "root",
	[STEP_RLIMIT]        = "rlimit",
	[STEP_MOUNT]         = "mount",
	[STEP_BIND]          = "bind",
	[STEP_DEVICE]        = "device",
	[STEP_OVERLAY]       = "overlay",
	[STEP_DIRECTORY]     = "directory",
	[STEP_FILE]          = "file",
	[STEP_LINK]          = "link",
	[STEP_COPY]          = "copy",
	[STEP_UNSHARE]       = "unshare",
	[STEP_HOSTNAME]      = "hostname",
	[STEP_LOOPBACK]      = "loopback",
	[STEP_OOM]           = "oom",
	[STEP_REROOT]        = "reroot",
	[STEP_PIVOT]         = "pivot",
	[STEP_CONSOLE]       = "console",
	[STEP_NOTIFY]        = "notify",
	[STEP_AIRLOCK]       = "airlock",
	[STEP_SECCOMP]       = "seccomp",
	[STEP_USER]          = "user",
	[STEP_EXEC]          = "exec",
};
/* clang-format on */
