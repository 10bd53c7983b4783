#include <errno.h>
#include <string.h>

#include "launch.h"

/* What to change, by the step that failed and its errno. The man page lists the same. */
#define NO_USERNS                                                                      \
	"user namespaces are forbidden here: by the pod's seccomp profile (set "       \
	"seccompProfile to one that allows them), by AppArmor (set appArmorProfile: "  \
	"Unconfined, or kernel.apparmor_restrict_unprivileged_userns=0 on the node), " \
	"or by "                                                                       \
	"kernel.unprivileged_userns_clone=0"
#define NO_MORE_USERNS                                                             \
	"user.max_user_namespaces is used up or 0 on the node, or namespaces are " \
	"nested too "                                                              \
	"deep (32)"

#define READ_ONLY_CGROUP                                                                \
	"the cgroup mount became read-only: make it writable again, or see berth plan " \
	"for what this pod allows"

#define FOREIGN                                                                         \
	"the directory above it belongs to a user whom this one was not lent, so that " \
	"nothing can be made in it: unpack the tree with 'berth unshare', which makes " \
	"it yours; or AppArmor refuses it: set appArmorProfile: Unconfined"

const char *const hint_foreign = FOREIGN;

static const struct {
	const char *step; /* NULL: any */
	int code;
	const char *text;
} hints[] = {
	{ "spawn", EPERM, NO_USERNS },
	{ "cgroup-view", EPERM, NO_USERNS },
	{ "spawn", ENOSPC, NO_MORE_USERNS },
	{ "cgroup-view", ENOSPC, NO_MORE_USERNS },
	{ "spawn", ENOSYS,
	  "the pod's seccomp profile hides clone: set one that allows it" },
	{ "spawn", EACCES,
	  "AppArmor denies user namespaces: set appArmorProfile: Unconfined, or a "
	  "Localhost profile; or the cgroup is not delegated to us: see berth plan" },
	{ "cgroup-view", EACCES,
	  "AppArmor denies mount: set appArmorProfile: Unconfined, or a Localhost "
	  "profile" },
	{ "spawn", ENOENT,
	  "somebody removed the workspace's cgroup while it was made: try again" },
	{ "spawn", EAGAIN, "pids.max of the pod, or RLIMIT_NPROC, is used up: raise it" },
	{ "map", EPERM,
	  "newuidmap and newgidmap need their setuid bit and lines for this user in "
	  "/etc/subuid and /etc/subgid; a pod's root needs the capabilities SETUID, "
	  "SETGID and "
	  "SETFCAP" },
	{ "ucount", EROFS, "set procMount: Unmasked (with hostUsers: false) in the pod" },
	{ "ucount", EACCES,
	  "set procMount: Unmasked (with hostUsers: false) in the pod" },
	{ "veth", EOPNOTSUPP,
	  "the kernel has no veth and may load none: have the module loaded on the node, "
	  "or "
	  "use --net none" },
	{ "shape", ENOENT,
	  "the kernel lacks sch_tbf, ifb, act_mirred or cls_u32, and may load none: have "
	  "the "
	  "modules loaded on the node, or leave the rate out" },
	{ "shape", EOPNOTSUPP,
	  "the kernel lacks ifb and may load none: have the module loaded on the node, "
	  "or "
	  "leave --rate-up out" },
	{ "uplink", ENOENT,
	  "the kernel lacks nft_tproxy, or both nft_queue and xt_NFQUEUE, and may load "
	  "none: "
	  "have the modules loaded on the node, or use --net none" },
	{ "uplink", EOPNOTSUPP,
	  "the kernel lacks a part of nf_tables, and may load none: 'berth check' says "
	  "which "
	  "modules; have them loaded on the node, or use --net none" },
	{ "uplink", EPROTONOSUPPORT,
	  "the kernel has no nf_tables, or no nfnetlink_queue: have the modules loaded "
	  "on the "
	  "node, or use --net none" },
	{ "mount", EPERM,
	  "a covered /proc or /sys forbids new ones: set procMount: Unmasked (with "
	  "hostUsers: "
	  "false) in the pod; or a seccomp profile refuses mounts: set seccompProfile to "
	  "one that allows them" },
	{ "mount", EACCES, "AppArmor denies mount: set appArmorProfile: Unconfined" },
	{ "file", EACCES, FOREIGN },
	{ "own", EPERM,
	  "what is there belongs to a user whom this one was not lent: leave U or own "
	  "out, or "
	  "attach a directory of your own; or a seccomp profile refuses chown: set "
	  "seccompProfile to one that allows it" },
	{ "own", EINVAL,
	  "the workspace has no such ID, 'berth plan' shows which it has: get a range in "
	  "/etc/subuid and /etc/subgid, or hostUsers: false in the pod; or name a user "
	  "whom it has" },
	{ "private", EACCES, "AppArmor denies mount: set appArmorProfile: Unconfined" },
	{ "private", EPERM,
	  "user namespaces here come without capabilities: "
	  "kernel.apparmor_restrict_unprivileged_userns=0 on the node, or a profile that "
	  "allows userns; or a seccomp profile refuses mount: set seccompProfile to one "
	  "that allows it" },
	{ "root", EACCES, "AppArmor denies mount, or the directory may not be read" },
	{ "overlay", EINVAL,
	  "upper layers cannot lie on an overlay, such as a container's own root: give "
	  "--state "
	  "a directory on a volume" },
	{ "overlay", EPERM, "overlay in a user namespace needs Linux 5.11" },
	{ "cgroup-leaf", EBUSY, "stop what keeps forking in the pod, and try again" },
	{ "cgroup-enable", EBUSY, "stop what keeps forking in the pod, and try again" },
	{ "cgroup-leaf", EAGAIN,
	  "cgroup.max.descendants or cgroup.max.depth is reached" },
	{ "cgroup-make", EAGAIN,
	  "cgroup.max.descendants or cgroup.max.depth is reached" },
	{ "cgroup", EROFS, READ_ONLY_CGROUP },
	{ "cgroup-leaf", EROFS, READ_ONLY_CGROUP },
	{ "cgroup-enable", EROFS, READ_ONLY_CGROUP },
	{ "cgroup-make", EROFS, READ_ONLY_CGROUP },
	{ "cgroup-limit", ENOENT,
	  "the controller could not be enabled in our own group: stop processes that "
	  "sit in it, or say --best-effort" },
	{ "cgroup-limit", ENODEV,
	  "--io takes a whole disk, MAJOR:MINOR as lsblk shows it, and no partition" },
	{ "cgroup-limit", EOPNOTSUPP,
	  "ask for what the group above has to give, or say --best-effort" },
	{ "cgroup-limit", ERANGE, "ask for what this machine has, or say --best-effort" },
	{ "cgroup-limit", EROFS, READ_ONLY_CGROUP },
	{ "cgroup1-limit", ESTALE,
	  "several mounts of the hierarchy are in sight: unmount the others, or say "
	  "--best-effort" },
	{ "cgroup1-limit", EINVAL,
	  "ask for what the group above has to give, or say --best-effort" },
	{ "cgroup1-limit", ERANGE,
	  "ask for what this machine has, or say --best-effort" },
	{ "cgroup1-limit", EOPNOTSUPP,
	  "ask for what the group above has to give, or say --best-effort" },
	{ "hostname", EPERM,
	  "set seccompProfile to one that allows sethostname, or go without --hostname" },
	{ "hook", ECANCELED,
	  "a hook that fails before the start, or at it, ends the workspace: its output "
	  "tells why" },
	{ "hook", ETIME, "give it more time with --hook-timeout, or have it do less" },
	{ "hook", ESTALE, "somebody changed the program meanwhile: try again" },
	{ "exec", ENOENT, "the command is looked up in the workspace, with its PATH" },
	{ "exec", EACCES,
	  "a command is a file with the execute bit, on a mount without noexec" },
	{ NULL, ENOSYS,
	  "the kernel, or the pod's seccomp profile, lacks a system call: berth needs "
	  "Linux "
	  "5.12 and a profile that knows it" },
	{ NULL, EPERM,
	  "a seccomp or AppArmor profile around berth refuses a system call: set "
	  "seccompProfile and appArmorProfile to ones that allow it" },
	{ NULL, EAGAIN, "pids.max of the pod, or RLIMIT_NPROC, is used up: raise it" },
	{ NULL, EMFILE, "this user's limit of open files is used up: raise ulimit -n" },
	{ NULL, ENOMEM, "memory is used up, or the pod's limit of it: raise that" },
	{ NULL, ENOSPC, "the disk is full: make room, or put --state on another one" },
	{ NULL, EDQUOT, "the disk quota is used up: make room" },
};

int hint_for(struct err *err)
{
	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if (hints[i].code == err->code &&
		    (!hints[i].step || !strcmp(hints[i].step, err->step)))
			return err_hint(err, "%s", hints[i].text);
	return -err->code;
}
