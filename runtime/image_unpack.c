#include "image_unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apply.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/syscall.h"
#include "exec.h"
#include "image_devices.h"
#include "image_program.h"
#include "policies/caps.h"
#include "policies/seccomp.h"
#include "unshare.h"

/* What umoci and its libraries are read from; links are made again. */
static const char *const system_dirs[] = { "/usr", "/bin", "/lib", "/lib32", "/lib64" };

/* A detached, read-only copy of what @fd shows. */
static int read_only_copy(int fd, const char *what, struct err *err)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID };
	cleanup_close int tree = open_tree(fd, "",
	                                   OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
	                                           AT_EMPTY_PATH | AT_RECURSIVE);

	if (tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr,
	                              sizeof(attr)) < 0)
		return err_set(err, errno, "show '%s' to umoci", what);
	return take_fd(&tree);
}

static int show(int root, const char *name, int tree, struct err *err)
{
	cleanup_close int target = -EBADF;

	if (mkdirat(root, name, 0755) < 0 && errno != EEXIST)
		return err_set(err, errno, "make '%s' for umoci", name);
	target = openat(root, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (target < 0)
		return err_set(err, errno, "open '%s' for umoci", name);
	return mount_attach(tree, target, name, err);
}

static int show_system(int root, const char *path, struct err *err)
{
	cleanup_close int dir = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	cleanup_close int tree = -EBADF;
	char target[256];
	struct stat st;
	ssize_t n;

	if (dir < 0 || fstat(dir, &st) < 0)
		return errno == ENOENT ? 0 : err_set(err, errno, "open '%s'", path);
	if (S_ISLNK(st.st_mode)) {
		n = readlinkat(dir, "", target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		return symlinkat(target, root, path + 1) < 0
		               ? err_set(err, errno, "link '%s'", path)
		               : 0;
	}
	tree = read_only_copy(dir, path, err);
	return tree < 0 ? tree : show(root, path + 1, tree, err);
}

/*
 * A directory of the store, as we see it: a mount of the parent's namespace, which a
 * descriptor of his would lead to, cannot be bound here. The working directory is the store.
 */
static int open_part(const char *path, const char *name, struct err *err)
{
	const struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	char full[256];
	int fd;

	(void)snprintf(full, sizeof(full), "%s%s", path, name);
	fd = sys_openat2(AT_FDCWD, full, &how);
	return fd < 0 ? err_set(err, errno, "open '%s' of the store", full) : fd;
}

static int show_part(int root, const char *path, const char *part, const char *name,
                     struct err *err)
{
	cleanup_close int dir = open_part(path, part, err);
	cleanup_close int tree = dir < 0 ? dir : read_only_copy(dir, name, err);

	return tree < 0 ? tree : show(root, name, tree, err);
}

static int show_rootfs(int root, const char *stage, struct err *err)
{
	cleanup_close int dir = open_part(stage, "/tree/rootfs", err);
	cleanup_close int tree = -EBADF;

	if (dir < 0)
		return dir;
	tree = open_tree(dir, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (tree < 0)
		return err_set(err, errno, "show the new root to umoci");
	return show(root, "rootfs", tree, err);
}

/* Go programs open it, and so do we. */
static int show_null(int root, struct err *err)
{
	cleanup_close int tree =
		open_tree(AT_FDCWD, "/dev/null", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	cleanup_close int target = -EBADF;

	if (tree < 0 || mkdirat(root, "dev", 0755) < 0)
		return err_set(err, errno, "show '/dev/null' to umoci");
	target = openat(root, "dev/null", O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (target < 0)
		return err_set(err, errno, "make '/dev/null' for umoci");
	return mount_attach(tree, target, "/dev/null", err);
}

/* A root of our own: nothing of the caller's files is in it. */
static int make_root(const struct unpack *unpack, struct err *err)
{
	cleanup_close int root = new_mount("tmpfs", "mode=0755", PLAN_NODEV, err);
	/* Any directory that nothing below is read from. */
	cleanup_close int point = root < 0 ? root : open_part("uses", "", err);
	int r = point < 0 ? point : mount_attach(root, point, "uses", err);

	for (size_t i = 0; r == 0 && i < sizeof(system_dirs) / sizeof(system_dirs[0]);
	     i++)
		r = show_system(root, system_dirs[i], err);
	if (r == 0)
		r = show_null(root, err);
	if (r == 0)
		r = show_part(root, unpack->stage, "/unpack", "image", err);
	if (r == 0)
		r = show_part(root, "blobs", "", "image/blobs", err);
	if (r == 0)
		r = show_rootfs(root, unpack->stage, err);
	if (r < 0)
		return r;
	if (mkdirat(root, "tmp", 01777) < 0 || fchdir(root) < 0)
		return err_set(err, errno, "make a root for umoci");
	if (sys_pivot_root(".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
	    chdir("/") < 0)
		return err_set(err, errno, "make a root for umoci");
	return 0;
}

static int confine(int *ret_listener, struct err *err)
{
	/* tar archives hold owners, modes, capabilities of files, and devices. */
	const uint64_t keep = 1ULL << CAP_CHOWN | 1ULL << CAP_DAC_OVERRIDE |
	                      1ULL << CAP_FOWNER | 1ULL << CAP_FSETID |
	                      1ULL << CAP_SETFCAP | 1ULL << CAP_MKNOD;
	const struct rlimit none = { 0, 0 };
	const struct seccomp_filter *filter = seccomp_find("workspace");
	int r = caps_unbind(~keep, err);

	if (r < 0)
		return r;
	(void)setrlimit(RLIMIT_CORE, &none);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(err, errno, "set no_new_privs");
	*ret_listener = image_devices_catch();
	return filter ? seccomp_load(filter, err)
	              : err_set(err, EINVAL, "no seccomp filter 'workspace'");
}

/* Bytes on the disk, each link of a file counted as its part of them. */
static int64_t disk_usage(void)
{
	char root[] = "/rootfs";
	char *const paths[] = { root, NULL };
	FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_XDEV, NULL);
	int64_t sum = 0;
	FTSENT *at;

	if (!fts)
		return 0;
	while ((at = fts_read(fts))) {
		const struct stat *st = at->fts_statp;

		if (at->fts_info == FTS_DP || at->fts_info == FTS_NS ||
		    at->fts_info == FTS_ERR)
			continue;
		sum += (int64_t)st->st_blocks * 512 /
		       (S_ISDIR(st->st_mode) || st->st_nlink == 0
		                ? 1
		                : (int64_t)st->st_nlink);
	}
	(void)fts_close(fts);
	return sum;
}

static int judge(struct program *umoci, int status, struct err *err)
{
	static const struct {
		const char *said;
		int code;
		const char *hint;
	} known[] = {
		{ "no space left on device", ENOSPC,
		  "make room: 'berth image prune --all', or a larger disk for --store" },
		{ "disk quota exceeded", EDQUOT,
		  "make room: 'berth image prune --all', or a larger quota" },
		{ "file name too long", ENAMETOOLONG,
		  "a name in it has more than 255 bytes, or a path more than 4095" },
		{ "unknown typeflag '\\x53'", EOPNOTSUPP,
		  "a sparse file in GNU's old format, which umoci does not read: have "
		  "that layer packed by tar --format=pax" },
		{ "invalid tar header", EBADMSG,
		  "a layer is no whole archive, though it is what its digest says: have "
		  "the image built anew" },
		{ "unexpected EOF", EBADMSG,
		  "a layer is no whole archive, though it is what its digest says: have "
		  "the image built anew" },
		{ "mknod", EPERM,
		  "a device node of the image cannot be made, nor stood in for: another "
		  "seccomp "
		  "filter around us listens already" },
		{ "invalid argument", EINVAL,
		  "it may have owners beyond 65535, which no workspace here has" },
	};
	const char *said = program_said(umoci);

	if (status == 0)
		return 0;
	if (status > 128)
		return err_set(err, EIO, "umoci was ended by signal %d", status - 128);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (!strcasestr(said, known[i].said))
			continue;
		(void)err_set(err, known[i].code, "umoci: %.300s", said);
		return known[i].hint ? err_hint(err, "%s", known[i].hint) : -err->code;
	}
	return err_set(err, EIO, "umoci: %.300s", said);
}

struct child {
	const struct unpack *unpack;
	int size[2];
};

/*
 * In a user namespace with the workspaces' IDs and a mount namespace of our own.
 * Should: end as root of a file system that holds what umoci needs, and run it there.
 * Mustn't: let umoci see, write or reach anything else.
 */
static int in_child(void *arg, struct err *err)
{
	static const char *const argv[] = {
		"umoci", "raw", "unpack", "--image", "/image:" IMAGE_TAG, "/rootfs", NULL
	};
	static const char *const env[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/tmp", "TMPDIR=/tmp", NULL
	};
	struct program umoci = { .argv = argv,
		                 .env = env,
		                 .package = "umoci",
		                 .out = -EBADF,
		                 .watched = -EBADF,
		                 .ready = image_devices_answer,
		                 .alone = true };
	struct child *child = arg;
	int64_t size;
	int r;

	/* A PID namespace is for the next child: umoci is PID 1 there, and does not see us. */
	if (unshare(CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
		return err_set(err, errno,
		               "keep umoci from our processes and the network");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_set(err, errno, "make every mount private");
	(void)umask(022);
	(void)setenv("PATH", EXEC_PATH, 1); /* where umoci is looked for, too */
	r = make_root(child->unpack, err);
	if (r == 0)
		r = confine(&umoci.watched, err);
	if (r == 0)
		r = program_run(&umoci, err);
	if (r >= 0)
		r = judge(&umoci, r, err);
	if (r < 0)
		return r;
	size = disk_usage();
	return write_all(child->size[1], &size, sizeof(size));
}

int image_unpack(struct unpack *unpack, struct err *err)
{
	cleanup_close int reader = -EBADF;
	cleanup_close int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct child child = { .unpack = unpack };
	int r;

	/* A working directory follows into a new mount namespace. */
	if (here < 0 || fchdir(unpack->store) < 0)
		return err_set(err, errno, "enter the store");
	if (pipe2(child.size, O_CLOEXEC) < 0)
		return err_set(err, errno, "make a pipe");
	reader = child.size[0];
	r = unshare_call(in_child, &child, err);
	(void)!fchdir(here);
	(void)close(child.size[1]);
	if (r > 0)
		r = err_set(err, EIO, "unpack the image: the process ended with %d", r);
	if (r == 0 &&
	    read(reader, &unpack->size, sizeof(unpack->size)) != sizeof(unpack->size))
		unpack->size = 0;
	/* On the disk before its name says that it is whole. */
	if (r == 0 && syncfs(unpack->store) < 0)
		r = err_set(err, errno, "write the image to the disk");
	return r;
}
