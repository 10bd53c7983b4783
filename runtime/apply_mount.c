#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apply.h"
#include "base/fd.h"
#include "base/syscall.h"

static uint64_t attributes(uint64_t flags)
{
	static const struct {
		uint64_t flag, attribute;
	} pairs[] = {
		{ PLAN_READ_ONLY, MOUNT_ATTR_RDONLY },
		{ PLAN_NOSUID, MOUNT_ATTR_NOSUID },
		{ PLAN_NODEV, MOUNT_ATTR_NODEV },
		{ PLAN_NOEXEC, MOUNT_ATTR_NOEXEC },
	};
	uint64_t attrs = 0;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (flags & pairs[i].flag)
			attrs |= pairs[i].attribute;
	return attrs;
}

static int set_attributes(int tree, uint64_t flags, const char *what, struct err *err)
{
	struct mount_attr attr = { .attr_set = attributes(flags) };

	if (flags && mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr,
	                           sizeof(attr)) < 0)
		return err_set(err, errno, "restrict the mount of '%s'", what);
	return 0;
}

int mount_attach(int tree, int target, const char *path, struct err *err)
{
	if (move_mount(tree, "", target, "",
	               MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return err_set(err, errno, "mount on '%s'", path);
	return 0;
}

/* A detached copy of what lies at @fd. */
static int clone_tree(int fd, bool recursive, const char *what, struct err *err)
{
	int tree = open_tree(fd, "",
	                     OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH |
	                             (recursive ? AT_RECURSIVE : 0));

	if (tree < 0)
		return err_set(err, errno, "bind '%s'", what);
	return tree;
}

/* The kernel's own words about a file system context, if it has any. */
static int fs_error(int fs, int code, const char *fstype, struct err *err)
{
	char text[256];
	ssize_t n = read(fs, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	if (n > 2)
		return err_set(err, code, "make a '%s': %s", fstype, text + 2);
	return err_set(err, code, "make a '%s'", fstype);
}

int new_mount(const char *fstype, const char *options, uint64_t flags, struct err *err)
{
	cleanup_close int fs = fsopen(fstype, FSOPEN_CLOEXEC);
	char copy[512];
	int mnt;

	if (fs < 0)
		return err_set(err, errno, "open a '%s' file system", fstype);
	if ((size_t)snprintf(copy, sizeof(copy), "%s", options ? options : "") >=
	    sizeof(copy))
		return err_set(err, E2BIG, "mount options '%s'", options);
	for (char *save = NULL, *key = strtok_r(copy, ",", &save); key;
	     key = strtok_r(NULL, ",", &save)) {
		char *value = strchr(key, '=');

		if (value)
			*value++ = '\0';
		if (fsconfig(fs, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key,
		             value, 0) < 0)
			return fs_error(fs, errno, fstype, err);
	}
	/* What mount(8) shows first; the kernel would say "none". */
	(void)fsconfig(fs, FSCONFIG_SET_STRING, "source", fstype, 0);
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fs_error(fs, errno, fstype, err);
	mnt = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned int)attributes(flags));
	if (mnt < 0)
		return fs_error(fs, errno, fstype, err);
	return mnt;
}

int apply_private(struct launch *launch, const struct step *step, struct err *err)
{
	(void)launch;
	(void)step;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_set(err, errno, "make every mount private");
	return 0;
}

/* Opens a path of the pod and checks that it is what the plan was made for. */
static int open_known(const char *path, dev_t dev, ino_t ino, struct err *err)
{
	cleanup_close int fd = open(path, O_PATH | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, errno, "open '%s'", path);
	if (st.st_dev != dev || st.st_ino != ino)
		return err_set(err, ESTALE, "'%s' was replaced meanwhile", path);
	return take_fd(&fd);
}

/* mkdir -p below @dir for names of our own making; an O_PATH descriptor. */
static int make_directories(int dir, const char *path, struct err *err)
{
	char absolute[PATH_MAX];

	if ((size_t)snprintf(absolute, sizeof(absolute), "/%s", path) >= sizeof(absolute))
		return err_set(err, ENAMETOOLONG, "make '%s'", path);
	return target_open(dir, absolute, S_IFDIR, err);
}

/* Makes @dir, named @name, a mount of its own. */
static int mount_of_own(int dir, const char *name, uint64_t flags, int *ret,
                        struct err *err)
{
	cleanup_close int tree = clone_tree(dir, false, name, err);
	int r;

	if (tree < 0)
		return tree;
	r = set_attributes(tree, flags, name, err);
	if (r == 0)
		r = mount_attach(tree, dir, name, err);
	if (r == 0)
		*ret = take_fd(&tree);
	return r;
}

/*
 * A tmpfs with two directories: "root" becomes the workspace's root by a mount of its
 * own, so "store" beside it is out of its reach. The tmpfs itself cannot be bound: or a
 * volume that holds the stage would show the store, too. Overlays are made in the
 * store, and the kernel wants those bindable (fs/namespace.c, clone_private_mount()).
 */
static int root_in_memory(struct launch *launch, struct err *err)
{
	struct mount_attr unbindable = { .propagation = MS_UNBINDABLE };
	cleanup_close int mnt = -EBADF, stage = -EBADF, root = -EBADF, store = -EBADF;
	int r;

	mnt = new_mount("tmpfs", "mode=0755", PLAN_NODEV, err);
	if (mnt < 0)
		return mnt;
	stage = open(launch->stage, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (stage < 0)
		return err_set(err, errno, "open '%s'", launch->stage);
	r = mount_attach(mnt, stage, launch->stage, err);
	if (r < 0)
		return r;
	root = make_directories(mnt, "root", err);
	if (root < 0)
		return root;
	store = make_directories(mnt, "store", err);
	if (store < 0)
		return store;
	r = mount_of_own(root, "root", 0, &launch->root, err);
	if (r == 0)
		r = mount_of_own(store, "store", 0, &launch->store, err);
	if (r == 0 &&
	    mount_setattr(mnt, "", AT_EMPTY_PATH, &unbindable, sizeof(unbindable)) < 0)
		r = err_set(err, errno, "keep the store out of volumes");
	return r;
}

/* The same on a disk, in a directory that the supervisor made. */
static int root_in_store(struct launch *launch, const struct step *step, struct err *err)
{
	cleanup_close int dir = -EBADF;

	launch->store = open(step->value, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (launch->store < 0)
		return err_set(err, errno, "open '%s'", step->value);
	dir = make_directories(launch->store, "root", err);
	return dir < 0 ? dir
	               : mount_of_own(dir, step->source, step->flags, &launch->root, err);
}

int apply_root(struct launch *launch, const struct step *step, struct err *err)
{
	cleanup_close int dir = -EBADF, tree = -EBADF;
	int r;

	if (step->via)
		return root_in_store(launch, step, err);
	if (!strcmp(step->source, "tmpfs"))
		return root_in_memory(launch, err);

	dir = open_known(step->source, launch->facts->root.dev, launch->facts->root.ino,
	                 err);
	if (dir < 0)
		return dir;
	tree = clone_tree(dir, true, step->source, err);
	if (tree < 0)
		return tree;
	r = set_attributes(tree, step->flags, step->source, err);
	if (r == 0)
		r = mount_attach(tree, dir, step->source, err);
	if (r == 0)
		launch->root = take_fd(&tree);
	return r;
}

/*
 * By name in the directory above, which takes nothing to be opened: a link of that name is not followed
 * (move_mount(2), without MOVE_MOUNT_T_SYMLINKS), but covered itself. Where that is no place for it
 * one is made, or what is wrong is told.
 */
static int attach_at(struct launch *launch, int tree, const char *path, struct err *err)
{
	cleanup_close int target = -EBADF;
	const char *name;
	struct stat st;
	int parent = target_above(launch, path, &name, err);

	if (parent < 0)
		return parent;
	if (move_mount(tree, "", parent, name, MOVE_MOUNT_F_EMPTY_PATH) == 0)
		return 0;
	if (fstat(tree, &st) < 0)
		return err_set(err, errno, "look at what goes on '%s'", path);
	target = target_open(launch->root, path, S_ISDIR(st.st_mode) ? S_IFDIR : S_IFREG,
	                     err);
	if (target < 0)
		return target;
	return mount_attach(tree, target, path, err);
}

int apply_mount(struct launch *launch, const struct step *step, struct err *err)
{
	cleanup_close int mnt = new_mount(step->via, step->value, step->flags, err);

	if (mnt < 0)
		return err_wrap(err, "'%s'", step->target);
	return attach_at(launch, mnt, step->target, err);
}

static const struct source_fact *known_source(const struct launch *launch,
                                              const char *path)
{
	for (size_t i = 0; i < launch->config->volume_n; i++)
		if (launch->config->volume[i].source == path)
			return &launch->facts->source[i];
	return NULL;
}

static int open_source(struct launch *launch, const struct step *step, struct err *err)
{
	const struct source_fact *known = known_source(launch, step->source);
	int fd;

	if (step->via && !strcmp(step->via, "store"))
		return make_directories(launch->store, step->source, err);
	if (known)
		return open_known(step->source, known->dev, known->ino, err);
	fd = open(step->source, O_PATH | O_CLOEXEC);
	return fd < 0 ? err_set(err, errno, "open '%s'", step->source) : fd;
}

/* Something of the workspace over something else of it: the kernel's files, or where names are looked up. */
static int bind_inside(struct launch *launch, const struct step *step, struct err *err)
{
	int source = target_source(launch, step->source, err);
	cleanup_close int tree = -EBADF;
	int r;

	if (source < 0)
		return source;
	tree = clone_tree(source, step->number, step->source, err);
	if (tree < 0)
		return tree;
	r = set_attributes(tree, step->flags, step->source, err);
	return r < 0 ? r : attach_at(launch, tree, step->target, err);
}

static int bind_outside(struct launch *launch, const struct step *step, struct err *err)
{
	cleanup_close int source = open_source(launch, step, err);
	cleanup_close int tree = -EBADF, target = -EBADF;
	struct stat st;
	int r;

	if (source < 0)
		return source;
	if (fstat(source, &st) < 0)
		return err_set(err, errno, "look at '%s'", step->source);
	tree = clone_tree(source, step->number, step->source, err);
	if (tree < 0)
		return tree;
	r = set_attributes(tree, step->flags, step->source, err);
	if (r < 0)
		return r;
	target = target_open(launch->root, step->target,
	                     S_ISDIR(st.st_mode) ? S_IFDIR : S_IFREG, err);
	if (target < 0)
		return target;
	return mount_attach(tree, target, step->target, err);
}

int apply_bind(struct launch *launch, const struct step *step, struct err *err)
{
	return step->via && !strcmp(step->via, "inside")
	               ? bind_inside(launch, step, err)
	               : bind_outside(launch, step, err);
}

int apply_device(struct launch *launch, const struct step *step, struct err *err)
{
	cleanup_close int tree =
		open_tree(AT_FDCWD, step->source,
	                  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
	const char *name;
	struct stat st;
	int parent;

	if (tree < 0 || fstat(tree, &st) < 0)
		return err_set(err, errno, "bind '%s'", step->source);
	if (!S_ISCHR(st.st_mode))
		return err_set(err, ENODEV, "'%s' is no device", step->source);
	parent = target_above(launch, step->target, &name, err);
	if (parent < 0)
		return parent;
	if (mknodat(parent, name, S_IFREG | 0644, 0) < 0 && errno != EEXIST)
		return err_set(err, errno, "make '%s'", step->target);
	return attach_at(launch, tree, step->target, err);
}

static int set_layer(int fs, const char *key, int fd, struct err *err)
{
	char path[64];

	/* By descriptor: no name of a directory has to be escaped. */
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fsconfig(fs, FSCONFIG_SET_STRING, key, path, 0) < 0)
		return fs_error(fs, errno, "overlay", err);
	return 0;
}

/* Upper layers show the owner and mode of what they lie over. */
static void same_owner(int from, int to)
{
	char path[64];
	struct stat st;

	if (fstat(from, &st) < 0)
		return;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", to);
	/* Owners that are not mapped show as nobody anyway. */
	(void)!fchownat(to, "", st.st_uid, st.st_gid, AT_EMPTY_PATH);
	(void)chmod(path, st.st_mode & 07777);
}

int apply_overlay(struct launch *launch, const struct step *step, struct err *err)
{
	bool whole = !strcmp(step->target, "/");
	cleanup_close int lower = -EBADF, upper = -EBADF, work = -EBADF, fs = -EBADF;
	cleanup_close int mnt = -EBADF, target = -EBADF;
	int r;

	lower = whole ? open_known(step->source, launch->facts->root.dev,
	                           launch->facts->root.ino, err)
	              : open(step->source, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (lower < 0)
		return whole ? lower : err_set(err, errno, "open '%s'", step->source);
	upper = make_directories(launch->store, step->value, err);
	if (upper < 0)
		return upper;
	work = make_directories(launch->store, step->via, err);
	if (work < 0)
		return work;
	same_owner(lower, upper);

	fs = fsopen("overlay", FSOPEN_CLOEXEC);
	if (fs < 0)
		return err_set(err, errno, "open an 'overlay' file system");
	(void)fsconfig(fs, FSCONFIG_SET_STRING, "source", "overlay", 0);
	r = set_layer(fs, "lowerdir", lower, err);
	if (r == 0)
		r = set_layer(fs, "upperdir", upper, err);
	if (r == 0)
		r = set_layer(fs, "workdir", work, err);
	if (r < 0)
		return r;
	/* Without it only the initial user namespace may mount (overlayfs.rst). */
	if (fsconfig(fs, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0 ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fs_error(fs, errno, "overlay", err);
	mnt = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV);
	if (mnt < 0)
		return err_set(err, errno, "mount an overlay");

	target = whole ? fcntl(launch->root, F_DUPFD_CLOEXEC, 3)
	               : target_open(launch->root, step->target, S_IFDIR, err);
	if (target < 0)
		return err->code ? -err->code
		                 : err_set(err, errno, "duplicate a descriptor");
	r = mount_attach(mnt, target, step->target, err);
	if (r == 0 && whole) {
		drop_fd(&launch->root);
		launch->root = take_fd(&mnt);
	}
	return r;
}

int apply_reroot(struct launch *launch, const struct step *step, struct err *err)
{
	cleanup_close int here = -EBADF, tree = -EBADF;
	int r;

	(void)step;
	/* Our own copy of it: enter_root(). */
	here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (here < 0)
		return err_set(err, errno, "open the root");
	tree = clone_tree(here, true, "the root", err);
	if (tree < 0)
		return tree;
	r = mount_attach(tree, here, "the root", err);
	if (r < 0)
		return r;
	drop_fd(&launch->root);
	launch->root = take_fd(&tree);
	return 0;
}

int apply_pivot(struct launch *launch, const struct step *step, struct err *err)
{
	(void)step;
	/* pivot_root(2), "pivot_root(".", ".")": the old root lands on top of the new
	 * one; whoever looks from "/" on looks below it. */
	if (fchdir(launch->root) < 0)
		return err_set(err, errno, "enter the root");
	if (sys_pivot_root(".", ".") < 0)
		return err_set(err, errno, "pivot to the root");
	return 0;
}

int apply_detach(struct launch *launch, const struct step *step, struct err *err)
{
	(void)launch;
	(void)step;
	if (umount2(".", MNT_DETACH) < 0)
		return err_set(err, errno, "detach the pod's tree");
	if (chdir("/") < 0)
		return err_set(err, errno, "enter the root");
	return 0;
}
