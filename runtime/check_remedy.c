#include <errno.h>
#include <string.h>

#include "check.h"

#define UNMASKED "set procMount: Unmasked (with hostUsers: false) in the pod"
#define SECCOMP(call)                                                              \
	"set seccompProfile to one that allows " call " (a Localhost profile, or " \
	"Unconfined)"
#define NO_NET_ADMIN                                                                     \
	"CAP_NET_ADMIN is refused: mend 'capabilities' first; where that says yes, set " \
	"appArmorProfile: Unconfined, or a Localhost profile"

/* What turns a row green; the first line that fits counts. Where none does, it is the hint
 * of the launch's step that would fail. */
/* clang-format off */
static const struct {
	enum check_id id;
	int code;        /* 0: any */
	const char *pod; /* in terms of a pod spec or node; NULL: nothing does */
	const char *machine; /* NULL: the same */
} remedies[] = {
	{ CHECK_PROC, EPERM, UNMASKED,
	  "something is mounted over parts of /proc: unmount it (findmnt -R /proc)" },
	{ CHECK_SYSFS, EPERM, UNMASKED,
	  "something is mounted over parts of /sys: unmount it (findmnt -R /sys)" },
	/* No field of a pod spec does. */
	{ CHECK_SYSFS_RW, 0, NULL, "mount /sys read-write" },
	{ CHECK_IDS, 0, "set hostUsers: false in the pod, and leave runAsUser at 0: its root has 65536 IDs",
	  "lend this user 65536 IDs: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER" },
	{ CHECK_SUBIDS, 0,
	  "set hostUsers: false and runAsUser: 0 in the pod, which then needs none",
	  "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER" },
	{ CHECK_HELPERS, ENOENT, "install the package uidmap in the image, or run as root with hostUsers: false",
	  "install the package uidmap" },
	{ CHECK_HELPERS, 0,
	  "run as root with hostUsers: false, which needs no helper; or set allowPrivilegeEscalation: true, "
	  "and in the image setcap cap_setuid=ep newuidmap, cap_setgid=ep newgidmap",
	  "reinstall the package uidmap, and start berth without no_new_privs" },
	{ CHECK_SETGROUPS, 0, "set hostUsers: false in the pod, and leave runAsUser at 0",
	  "lend this user 65536 IDs: with one ID the kernel denies setgroups" },
	{ CHECK_NO_NEW_PRIVS, 0, "set allowPrivilegeEscalation: true, if sudo inside is wanted",
	  "start berth without no_new_privs (setpriv --no-new-privs, NoNewPrivileges=), if sudo inside is wanted" },
	{ CHECK_CLONE3, 0, SECCOMP("clone3"), "Linux 5.3 has it; a seccomp filter may hide it" },
	{ CHECK_KEYCTL, EDQUOT, "kernel.keys.maxkeys of the node is used up: raise it", NULL },
	{ CHECK_KEYCTL, 0, "set seccompProfile: Unconfined; berth needs no keyrings, so its own profile has none", "a seccomp filter around berth refuses it" },
	{ CHECK_UNSHARE, EPERM, SECCOMP("unshare"), "a seccomp filter around berth refuses it" },
	{ CHECK_PIVOT, EPERM, SECCOMP("pivot_root"), "a seccomp filter around berth refuses it" },
	{ CHECK_OVERLAY, ENODEV, "load the module on the node: modprobe overlay", NULL },
	{ CHECK_OVERLAY_ROOT, 0,
	  "mount a volume (an emptyDir will do) and give --rootfs and --state directories on it", NULL },
	{ CHECK_CGROUP2, ENODEV, "boot a kernel with cgroup v2", NULL },
	{ CHECK_CGROUP_OWN, EAGAIN, "cgroup.max.descendants or cgroup.max.depth is reached: raise it", NULL },
	{ CHECK_CGROUP_OWN, EOPNOTSUPP, "the group is threaded: start berth in another one", NULL },
	{ CHECK_CGROUP_OWN, 0,
	  "use a runtime that hands over the cgroup: crun; containerd 2.1 with cgroup_writable = true; or "
	  "cgroupOptions.mountMode: Writable",
	  "log in with a systemd user session, or start under systemd-run --user --scope -p Delegate=yes" },
	{ CHECK_CGROUP_BIRTH, 0, SECCOMP("clone3"), "Linux 5.7 has it; a seccomp filter may hide clone3" },
	{ CHECK_CGROUP_KILL, 0, "Linux 5.14 has it; without it processes are killed one by one", NULL },
	{ CHECK_CONTROLLERS, 0,
	  "let the node hand the controllers down to its pods (cgroup v2 with the systemd cgroup driver)",
	  "hand them down: systemctl edit user@.service, [Service] Delegate=cpu cpuset io memory pids" },
	/* Pods have none: 'cgroup' says what to do. */
	{ CHECK_MANAGER, 0, NULL,
	  "install dbus-user-session and log in, or loginctl enable-linger USER" },
	{ CHECK_HOSTNAME, 0, SECCOMP("sethostname") ", or go without --hostname",
	  "a seccomp filter around berth refuses it: go without --hostname" },
	{ CHECK_UCOUNTS, ENOENT, "boot a kernel with inotify and user namespaces", NULL },
	{ CHECK_VETH, EPERM, NO_NET_ADMIN, NULL },
	{ CHECK_VETH, 0, "load the module on the node: modprobe veth", NULL },
	{ CHECK_NFTABLES, EPERM, NO_NET_ADMIN, NULL },
	{ CHECK_NFTABLES, 0, "load the module on the node: modprobe nf_tables", NULL },
	{ CHECK_RELAY, EPERM, NO_NET_ADMIN, NULL },
	{ CHECK_RELAY, 0, "load the modules on the node: modprobe -a nft_tproxy nft_socket nft_queue nft_reject_inet", NULL },
	{ CHECK_SHAPING, EPERM, NO_NET_ADMIN, NULL },
	{ CHECK_SHAPING, 0, "load the modules on the node: modprobe -a sch_tbf ifb sch_ingress cls_u32 act_mirred", NULL },
	{ CHECK_FORWARDING, EPERM, NO_NET_ADMIN, NULL },
	{ CHECK_FORWARDING, 0, "load the modules on the node: modprobe -a nft_masq nft_ct nft_limit nft_reject_inet", NULL },
	{ CHECK_TUN, 0, NULL, NULL },
	{ CHECK_PASTA, 0, NULL, NULL },
	{ CHECK_FUSE, 0,
	  "have a device plugin give the pod /dev/fuse, if fuse-overlayfs or the like is wanted inside",
	  "modprobe fuse, and chmod 0666 /dev/fuse, if fuse-overlayfs or the like is wanted inside" },
	{ CHECK_SKOPEO, 0, "install the package skopeo in the image, if --image is wanted",
	  "install the package skopeo, if --image is wanted" },
	{ CHECK_UMOCI, 0, "install the package umoci in the image, if --image is wanted",
	  "install the package umoci, if --image is wanted" },
	{ CHECK_STATE_LAYERS, EROFS, "leave readOnly out of the volumeMounts of --state", "mount --state for writing: mount -o remount,rw DIR" },
	{ CHECK_STATE_LAYERS, 0,
	  "mount an emptyDir, or a volume of block storage, and give --state a directory on it",
	  "give --state a directory on a file system of this machine: ext4, xfs" },
	{ CHECK_STATE_ROOM, 0, "make room in --state, or ask for a larger volume", "make room in --state, or give a directory on a larger file system" },
	{ CHECK_STATE_EXEC, 0, "leave noexec out of the mountOptions of the volume of --state", "mount --state without noexec: mount -o remount,exec DIR" },
};
/* clang-format on */

const char *check_remedy(enum check_id id, const struct check_result *result, bool pod,
                         struct arena *arena)
{
	struct err err = { .code = result->code };

	if (*result->hint)
		return arena_dup(arena, result->hint);
	for (size_t i = 0; i < sizeof(remedies) / sizeof(remedies[0]); i++)
		if (remedies[i].id == id &&
		    (!remedies[i].code || remedies[i].code == result->code))
			return pod || !remedies[i].machine ? remedies[i].pod
			                                   : remedies[i].machine;
	if (!checks[id].step)
		return NULL;
	(void)err_step(&err, checks[id].step);
	(void)hint_for(&err);
	return *err.hint ? arena_dup(arena, err.hint) : NULL;
}
