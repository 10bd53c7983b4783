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
#include "seal.h"
#include "storage.h"
#include "ulimit.h"

/**
 * struct mount_fact - One line of /proc/self/mountinfo
 * @point:	mount point, unescaped, absolute
 * @root:	directory of the file system that is mounted there
 * @fstype:	"ext4", "proc", ...
 * @read_only:	by the mount's own flags
 * @options:	of the file system: "rw,cpu,cpuacct"
 * @device:	"8:1", which tells the file system from all others
 * @flags:	the mount's own: "rw,nosuid,nodev"
 * @master, @shared: peer groups whose mounts appear here, and that see ours; 0 for none
 */
struct mount_fact {
	const char *point, *root, *fstype;
	bool read_only;
	const char *options, *device, *flags;
	unsigned int master, shared;
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
	uid_t uid;
	gid_t gid;
	struct storage_fact storage;
};

/* What of berth's own a volume could show. */
enum hidden { HIDDEN_RECORDS, HIDDEN_IMAGES, HIDDEN_LAYERS, HIDDEN_N };

/**
 * struct hidden_fact - One of them
 * @what:	"store of images", for messages
 * @path:	without links; NULL where it is not there, and is not made at the launch
 * @dev, @ino:	identify it, where it is there already
 * @shown:	a volume, or the root that is used in place, shows it
 * @problem:	why no cover helps: "holds", of @by, what -v names; NULL where one does
 */
struct hidden_fact {
	const char *what, *path, *problem, *by;
	dev_t dev;
	ino_t ino;
	bool shown;
};

/**
 * struct exposed_fact - What berth uses of the pod as long as the workspace runs, or at each start,
 *	in whose place root inside could put another one
 * @option:	that names it, "--audit-log"
 * @path:	as it was given, absolute
 * @how:	"it is in", of @by, what -v names
 * @instead:	what else there is to be done, for a hint; NULL for nothing
 */
struct exposed_fact {
	const char *option, *path, *how, *by, *instead;
};

/* As many as the kernel goes through, one executing the other (exec_binprm()). */
#define HOOK_INTERPRETERS_MAX 5

/**
 * struct interpreter_fact - What executes a script, or another interpreter that is one
 * @way:	as that of the hook; @path is where it is
 * @loose:	a directory on the way that others than this user and root may write to, or NULL
 * @mode, @uid, @gid: of it
 */
struct interpreter_fact {
	struct hidden_fact way;
	const char *loose;
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

/**
 * struct hook_fact - What --hook-prestart and its kind name
 * @error:	errno for why it cannot be executed, or 0
 * @program:	@problem says by what the workspace could change it
 * @interpreter, @interpreter_n: what executes it where it is a script, the first one first
 * @mode, @uid, @gid: of the program
 */
struct hook_fact {
	int error;
	struct hidden_fact program;
	struct interpreter_fact interpreter[HOOK_INTERPRETERS_MAX];
	size_t interpreter_n;
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

/* What --device PATH names. */
struct node_fact {
	bool found, character;
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
 * @has_hosts:	it has /etc/hosts
 * @has_zone, @has_timezone: it has the zone that was asked for, and /etc/timezone
 * @workdir_missing: it has not got the working directory that its image names
 * @resolv_conf_link: asked for with --net relay only: where /etc/resolv.conf leads, absolute in it; NULL where it is no
 *		link
 */
struct root_fact {
	dev_t dev;
	ino_t ino;
	const char *init;
	uid_t owner;
	bool has_resolv_conf, has_hostname;
	bool has_dockerd, has_containerd, has_crun, has_daemon_json;
	bool has_hosts, has_zone, has_timezone, workdir_missing;
	const char *resolv_conf_link;
};

struct image_tree;

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
 * @self:		who could write to our binary
 * @clone3:		clone3(2) is there
 * @proc_masked:	no proc is in sight as a whole: no fresh one can be had
 * @sys_masked:		likewise sysfs, cgroup mounts and kernel file systems apart
 * @sys_read_only:	the sysfs in sight is read-only, and so has a new one to be
 * @ucounts_read_only:	/proc/sys/user is
 * @oom_score_adj:	our own
 * @user_manager:	systemd --user (or the system manager, for root) answers
 * @node_budget:	what the node allows of those that were asked for
 * @ulimit_hard:	our own hard limits, of those that are asked for
 * @nproc_hard:		RLIMIT_NPROC, UINT64_MAX where unlimited
 * @mount, @mount_n:	the mount table
 * @cgroup:		our own group
 * @cgroup1, @cgroup1_n: our own groups in cgroup v1; looked for only where there are limits
 * @cgroup1_writer:	path of berth-cgroup1, NULL where it is not installed
 * @metrics_program:	path of berth-metrics, likewise; looked for only where it is wanted
 * @root:		what --rootfs names
 * @image:		what the image says of itself; NULL for a root that is none
 * @upper_used:		the upper layer's directory holds something already
 * @state_found, @state: what the directory of --state lies on
 * @upper_over:		what it lies over, by its own word: image_upper_digest()
 * @tree:		"/" as far as mounts lie below, for --rootfs host only
 * @source:		one for each volume of the config
 * @hidden:		by enum hidden; NULL where nobody looked
 * @source_real:	likewise, its path without links; NULL where nobody looked
 * @root_real:		that of the root that is used in place; NULL for another one
 * @exposed, @exposed_n: files of the pod that the workspace could change
 * @hook:		one for each hook of the config
 * @node:		one for each device of the config
 * @device:		one for each limit of the config
 * @kernel_files:	bit i: kernel_files[i] exists
 * @zone:		that was asked for, "Europe/Berlin"; NULL where "local" says nothing
 * @zone_in_pod:	the pod has it
 * @hosts:		the pod's /etc/hosts, where the workspace gets it; else NULL
 * @net:		the pod's network; NULL where it is not asked for, or cannot be
 */
struct facts {
	uid_t uid;
	gid_t gid;
	bool node_root, can_map, no_new_privs, newuidmap, helper_weak, setgroups_denied;
	struct idmap own_uid, own_gid, subuid, subgid;
	struct seal_fact self;
	bool clone3;
	bool proc_masked, sys_masked, sys_read_only, ucounts_read_only;
	int oom_score_adj;
	bool user_manager;
	uint64_t node_budget[BUDGET_N], nproc_hard;
	uint64_t ulimit_hard[ULIMIT_N];
	const struct mount_fact *mount;
	size_t mount_n;
	struct cgroup_facts cgroup;
	const struct cgroup1_fact *cgroup1;
	size_t cgroup1_n;
	const char *cgroup1_writer;
	const char *metrics_program;
	struct root_fact root;
	const struct image_tree *image;
	bool upper_used, state_found;
	struct storage_fact state;
	const char *upper_over;
	const struct tree_fact *tree;
	const struct source_fact *source;
	const char *const *source_real;
	const char *root_real;
	const struct exposed_fact *exposed;
	size_t exposed_n;
	const struct hidden_fact *hidden;
	const struct hook_fact *hook;
	const struct node_fact *node;
	const struct device_fact *device;
	uint64_t kernel_files;
	const char *zone, *hosts;
	bool zone_in_pod;
	const struct net_facts *net;
};

#endif
