#include "ns.h"

#include <sched.h>

/* clang-format off */
const struct ns_info ns_info[NS_MAX] = {
	[NS_USER]   = { "user",   CLONE_NEWUSER,   "root inside, nobody outside" },
	[NS_MOUNT]  = { "mnt",    CLONE_NEWNS,     "the image becomes /" },
	[NS_PID]    = { "pid",    CLONE_NEWPID,    "systemd insists on being PID 1, and its end is the end of all" },
	[NS_NET]    = { "net",    CLONE_NEWNET,    "dockerd makes bridges and nat rules" },
	[NS_IPC]    = { "ipc",    CLONE_NEWIPC,    "own mqueue and SysV objects" },
	[NS_UTS]    = { "uts",    CLONE_NEWUTS,    "own hostname" },
	[NS_CGROUP] = { "cgroup", CLONE_NEWCGROUP, "/sys/fs/cgroup starts at the payload" },
};
/* clang-format on */

unsigned long ns_clone_flags(unsigned int set)
{
	unsigned long flags = 0;

	for (unsigned int i = 0; i < NS_MAX; i++)
		if (set & NS_BIT(i))
			flags |= ns_info[i].flag;
	return flags;
}

const char *ns_names(struct arena *arena, unsigned int set)
{
	const char *text = "";

	for (unsigned int i = 0; i < NS_MAX; i++)
		if (set & NS_BIT(i))
			text = arena_printf(arena, "%s%s%s", text, *text ? " " : "",
			                    ns_info[i].name);
	return text;
}
