#ifndef APPLY_H
#define APPLY_H

#include <stdint.h>
#include <sys/types.h>

#include "launch.h"

/*
 * One function a step kind: does it, or says why not. The table in apply.c is the
 * only caller; they are grouped in files by subject.
 */
typedef int apply_fn(struct launch *launch, const struct step *step, struct err *err);

/* apply_cgroup.c */
apply_fn apply_cgroup_view, apply_cgroup_leaf, apply_cgroup_enable, apply_cgroup_make,
	apply_cgroup_limit, apply_cgroup_own, apply_cgroup_join;
/* apply_cgroup1.c */
apply_fn apply_cgroup1_make, apply_cgroup1_limit;
/* apply_process.c */
apply_fn apply_spawn, apply_map, apply_ucount, apply_rlimit, apply_ulimit, apply_handover,
	apply_unshare, apply_hostname, apply_loopback, apply_oom, apply_capabilities,
	apply_seccomp;
/* apply_net.c */
apply_fn apply_relay, apply_pasta, apply_gateway, apply_veth, apply_shape, apply_uplink,
	apply_address, apply_publish, apply_lookout, apply_bootstrap, apply_metrics,
	apply_idle, apply_hook, apply_own;
/* apply_mount.c */
apply_fn apply_private, apply_root, apply_mount, apply_bind, apply_device, apply_overlay,
	apply_reroot, apply_pivot, apply_detach;
/* apply_hide.c */
apply_fn apply_hide;
/* apply_image.c */
apply_fn apply_upper, apply_volume;
/* apply_file.c */
apply_fn apply_directory, apply_file, apply_link, apply_copy;
/* apply_inside.c */
apply_fn apply_console, apply_notify, apply_airlock, apply_user, apply_exec;
/* apply_seed.c */
apply_fn apply_seed;
/* apply_services.c */
apply_fn apply_wrapper, apply_group, apply_service, apply_supervise;

/* Attach a detached mount. @path is for @err. Return: 0 or -errno. */
int mount_attach(int tree, int target, const char *path, struct err *err);

/* The payload's standard streams: its pty, its pipes, or /dev/null. */
int payload_stdio(const struct launch *launch, struct err *err);

/**
 * file_anew() - Make an empty file, open for writing
 * @dir:	directory descriptor
 * @name:	a name in @dir; what has it, but for a directory, goes
 * @mode:	permission bits
 *
 * What root inside left there is neither followed, nor waited for, nor written into.
 *
 * Return: a descriptor, owned by the caller; or -1 with errno.
 */
int file_anew(int dir, const char *name, mode_t mode);

/* For who copies without a bound. */
#define COPY_ANY UINT64_MAX

/* What is in one open file to another. Return: 0; -EFBIG above @max bytes; else -errno. */
int copy_content(int from, int to, uint64_t max);

/**
 * new_mount() - Make a file system and a detached mount of it
 * @fstype:	"tmpfs", "proc", ...
 * @options:	"key=value,flag", or NULL
 * @flags:	PLAN_READ_ONLY, PLAN_NOSUID, ...
 * @err:	in the kernel's own words, where it has any
 *
 * Return: the mount, owned by the caller; -EPERM where a proc or sysfs in sight is partly
 * covered; else -errno.
 */
int new_mount(const char *fstype, const char *options, uint64_t flags, struct err *err);

/**
 * target_open() - Open what a step names in the workspace
 * @root:	the workspace's root
 * @path:	absolute in the workspace
 * @make:	S_IFDIR or S_IFREG: make it, and the directories above, where it is
 *		missing; 0: it must be there
 * @err:	quotes @path on failure
 *
 * No symbolic link on the way is followed: in an image they are somebody else's, and
 * a mount would land where no plan line says.
 *
 * Return: an O_PATH descriptor, owned by the caller; -ELOOP for a link on the way;
 * -ENOENT; -EROFS; else -errno.
 */
int target_open(int root, const char *path, mode_t make, struct err *err);

/**
 * target_parent() - Open the directory a new entry goes into
 * @ret_name:	the last component, borrowed from @path
 * Return: as target_open(); missing directories above are made, mode 0755.
 */
int target_parent(int root, const char *path, const char **ret_name, struct err *err);

/**
 * target_above() - The same for one entry after another, which often go into the same directory
 * @launch:	keeps it open; @path is of the plan
 *
 * Return: the directory, borrowed until target_leave() or another one is asked for; as
 * target_parent().
 */
int target_above(struct launch *launch, const char *path, const char **ret_name,
                 struct err *err);

/**
 * target_source() - target_open() of what is there, for one bind after another of the same
 * @launch, @path, @err: as for target_above()
 *
 * Return: a descriptor, borrowed likewise.
 */
int target_source(struct launch *launch, const char *path, struct err *err);

/* To be called when something was mounted on @target; NULL: before that may be anywhere, or the root changes. */
void target_leave(struct launch *launch, const char *target);

/**
 * struct copy_bound - What copies of what somebody else made may come to
 * @file:	bytes of one file
 * @bytes:	of all files; what is left
 * @entries:	files, directories, links and what is left out; what is left
 */
struct copy_bound {
	uint64_t file, bytes, entries;
};

/**
 * copy_tree() - Copy a file or directory that lies on one file system
 * @from:	directory of @name
 * @to:		directory of @new_name; files there are replaced, directories filled
 * @bound:	what is copied is taken off; NULL: none
 * @err:	filled in on failure
 *
 * Modes, owners (where they are mapped), times of files and links are kept; other
 * file systems mounted below are left out, as are sockets, pipes and devices, and
 * what we may not read.
 *
 * Return: 0; -EFBIG or, of @entries, -E2BIG where @bound is not enough; -ELOOP for what lies too
 * deep; else -errno.
 */
int copy_tree(int from, const char *name, int to, const char *new_name,
              struct copy_bound *bound, struct err *err);

#endif
