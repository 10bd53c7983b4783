#ifndef FACTS_H
#define FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "budget.h"
#include "cgroups/detect.h"
#include "cgroups/v1.h"
#include "idmap.h"
#include "netns/survey.h"

/**
 * struct mount_fact - One line of /proc/self/mountinfo
 * @point:	mount point, unescaped, absolute
 * @root:	directory of the file system that is mounted there
 * @fstype:	"ext4", "proc", ...
 * @read_only:	by the mount's own flags
 * @options:	of the file system: "rw,cpu,cpuacct"
 */
struct mount_fact {
	const char *point, *root, *fstype;
	bool read_only;
	const char *options;
};

/**
 * struct tree_fact - One entry of the host's root, listed where mounts lie below
 * @path:	absolute
 * @link:	target of a symbolic link, else NULL
 * @mode:	file type and permission bits
 * @mounted:	something is mounted on it
 * @mounts_below: something is mounted below it; @child lists it then
 * @empty:	a directory without entries
 * @small:	everything below is at most HOST_COPY_MAX bytes (only asked for where
 *		@mounts_below)
 * @child, @child_n: entries of a directory with @mounts_below
 */
struct tree_fact {
	const char *path, *link;
	mode_t mode;
	bool mounted, mounts_below, empty, small;
	struct tree_fact *child;
	size_t child_n;
};

/* What -v SRC names, looked at once. */
struct source_fact {
	bool found, directory;
	dev_t dev;
	ino_t ino;
};

/* What --io /dev/NAME names: @found as a block device. */
struct device_fact {
	bool found;
	unsigned int major, minor;
};

/**
 * struct root_fact - The directory that is to become the workspace's root
 * @dev, @ino:	identify it: the warden opens the path again and compares
 * @init:	absolute path of the image's systemd ("/sbin/init" where that is
 *		it), NULL where it has none
 * @owner:	uid of the directory
 * @has_resolv_conf, @has_hostname: it has these files in /etc
 * @has_dockerd, @has_containerd, @has_crun: it has these programs where commands are
 *		looked up; not asked for where a command is to run
 * @has_daemon_json: it has a configuration of dockerd's
 * @has_hosts:	it has /etc/hosts; this and the next are asked for with --net relay only
 * @resolv_conf_link: where /etc/resolv.conf leads, absolute in it; NULL where it is no
 *		link
 */
struct root_fact {
	dev_t dev;
	ino_t ino;
	const char *init;
	uid_t owner;
	bool has_resolv_conf, has_hostname;
	bool has_dockerd, has_containerd, has_crun, has_daemon_json;
	bool has_hosts;
	const char *resolv_conf_link;
};

/**
 * struct facts - What the pod is, read once by probe() and never again
 * @uid, @gid:		effective IDs
 * @node_root:		our uid 0 is the node's: /proc/sys belongs to it
 * @can_map:		holds CAP_SETUID, CAP_SETGID and CAP_SETFCAP, so writes maps itself
 * @no_new_privs:	newuidmap(1) cannot help, and sudo inside will not work
 * @newuidmap:		newuidmap and newgidmap were found
 * @helper_weak:	they are setuid, without file capabilities, and our bounding set lacks
 *			CAP_SYS_ADMIN: as root, not as the new namespace's owner, they have
 *			no right to write its maps
 * @setgroups_denied:	setgroups(2) is, here and so in every namespace below
 * @own_uid, @own_gid:	our user namespace's maps
 * @subuid, @subgid:	ranges lent to us by /etc/subuid and /etc/subgid
 * @self_writable:	root inside could write to our binary: seal_needed()
 * @clone3:		clone3(2) is there
 * @proc_masked:	no proc is in sight as a whole: no fresh one can be had
 * @sys_masked:		likewise sysfs, cgroup mounts and kernel file systems apart
 * @sys_read_only:	the sysfs in sight is read-only, and so has a new one to be
 * @ucounts_read_only:	/proc/sys/user is
 * @oom_score_adj:	our own
 * @user_manager:	systemd --user (or the system manager, for root) answers
 * @node_budget:	what the node allows of those that were asked for
 * @nproc_hard:		RLIMIT_NPROC, UINT64_MAX where unlimited
 * @mount, @mount_n:	the mount table
 * @cgroup:		our own group
 * @cgroup1, @cgroup1_n: our own groups in cgroup v1; looked for only where there are limits
 * @cgroup1_writer:	path of berth-cgroup1, NULL where it is not installed
 * @root:		what --rootfs names
 * @tree:		"/" as far as mounts lie below, for --rootfs host only
 * @source:		one for each volume of the config
 * @device:		one for each limit of the config
 * @kernel_files:	bit i: kernel_files[i] exists
 * @net:		the pod's network; NULL where it is not asked for, or cannot be
 */
struct facts {
	uid_t uid;
	gid_t gid;
	bool node_root, can_map, no_new_privs, newuidmap, helper_weak, setgroups_denied;
	struct idmap own_uid, own_gid, subuid, subgid;
	bool self_writable, clone3;
	bool proc_masked, sys_masked, sys_read_only, ucounts_read_only;
	int oom_score_adj;
	bool user_manager;
	uint64_t node_budget[BUDGET_N], nproc_hard;
	const struct mount_fact *mount;
	size_t mount_n;
	struct cgroup_facts cgroup;
	const struct cgroup1_fact *cgroup1;
	size_t cgroup1_n;
	const char *cgroup1_writer;
	struct root_fact root;
	const struct tree_fact *tree;
	const struct source_fact *source;
	const struct device_fact *device;
	uint64_t kernel_files;
	const struct net_facts *net;
};

#endif
