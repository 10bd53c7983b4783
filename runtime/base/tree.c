#include "base/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/syscall.h"

/* Deeper directories are moved up first, so that this many descriptors are enough. */
#define LEVELS_MAX 32

/* Number of the mount that a descriptor is on, or -errno. */
static long mount_id(int fd)
{
	struct err err = { 0 };
	char path[64], text[512];
	const char *line;

	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	if (file_read(AT_FDCWD, path, text, sizeof(text), &err) < 0)
		return -err.code;
	line = strstr(text, "mnt_id:");
	return line ? strtol(line + strlen("mnt_id:"), NULL, 10) : -EPROTO;
}

/* For pods with a profile that does not know openat2 and refuses it, whatever the kernel has. */
static int open_without_openat2(int dir, const char *name)
{
	cleanup_close int fd =
		openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	long above, here;

	if (fd < 0)
		return -errno;
	above = mount_id(dir);
	here = mount_id(fd);
	if (above < 0)
		return (int)above;
	if (here < 0)
		return (int)here;
	return above == here ? take_fd(&fd) : -EXDEV;
}

static int open_dir(int dir, const char *name)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	int fd;

	if (strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return -EINVAL;
	fd = sys_openat2(dir, name, &how);
	if (fd >= 0)
		return fd;
	/* Older profiles answer EPERM to what they do not know, newer ones ENOSYS. */
	return errno == ENOSYS || errno == EPERM ? open_without_openat2(dir, name)
	                                         : -errno;
}

int tree_open(int dir, const char *name, struct err *err)
{
	int fd = open_dir(dir, name);

	return fd < 0 ? err_set(err, -fd, "open directory '%s'", name) : fd;
}

/* overlayfs makes its work directory with mode 0; opens it all the same. */
static int open_closed_dir(int dir, const char *name)
{
	cleanup_close int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char path[64];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (chmod(path, 0700) < 0)
		return -EACCES;
	return open_dir(dir, name);
}

/**
 * struct level - A directory being emptied
 * @dir:	its stream, owned
 * @name:	its name in the level above
 * @progress:	something went since the stream was last at its start
 */
struct level {
	DIR *dir;
	char name[NAME_MAX + 1];
	bool progress;
};

/**
 * struct tree - A removal under way
 * @parent:	of the whole tree, borrowed
 * @level:	the directories from the top down to the one being emptied
 * @depth:	number of them
 * @moved:	for the names of directories that were moved up
 */
struct tree {
	int parent;
	struct level level[LEVELS_MAX];
	size_t depth;
	unsigned int moved;
};

static void tree_done(struct tree *tree)
{
	while (tree->depth > 0)
		(void)closedir(tree->level[--tree->depth].dir);
}

static int push(struct tree *tree, int dir, const char *name, struct err *err)
{
	struct level *level = &tree->level[tree->depth];
	cleanup_close int fd = open_dir(dir, name);

	if (fd == -EACCES)
		fd = open_closed_dir(dir, name);
	if (fd < 0)
		return err_set(err, -fd, "remove directory '%s'", name);
	level->dir = fdopendir(fd);
	if (!level->dir)
		return err_set(err, errno, "remove directory '%s'", name);
	(void)take_fd(&fd);
	(void)snprintf(level->name, sizeof(level->name), "%s", name);
	level->progress = false;
	tree->depth++;
	return 0;
}

/* Moves a directory to the top of the tree, where it is found again later. */
static int move_up(struct tree *tree, int dir, const char *name, struct err *err)
{
	int top = dirfd(tree->level[0].dir);

	for (int tries = 0; tries < 1000; tries++) {
		char to[32];

		(void)snprintf(to, sizeof(to), ".berth-%u", tree->moved++);
		if (renameat(dir, name, top, to) == 0) {
			tree->level[0].progress = true;
			return 0;
		}
		if (errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR)
			break;
	}
	return err_set(err, errno, "move directory '%s' up", name);
}

static int remove_entry(struct tree *tree, const char *name, struct err *err)
{
	struct level *level = &tree->level[tree->depth - 1];
	int dir = dirfd(level->dir);

	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return 0;
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT) {
		level->progress = true;
		return 0;
	}
	if (errno != EISDIR)
		return err_set(err, errno, "remove '%s'", name);
	/* Many are empty: one call instead of four. */
	if (unlinkat(dir, name, AT_REMOVEDIR) == 0) {
		level->progress = true;
		return 0;
	}
	if (tree->depth == LEVELS_MAX)
		return move_up(tree, dir, name, err);
	return push(tree, dir, name, err);
}

/* Removes the directory that was emptied last, or looks at it once more. */
static int pop(struct tree *tree, struct err *err)
{
	struct level *level = &tree->level[tree->depth - 1];
	bool top = tree->depth == 1;
	int above = top ? tree->parent : dirfd(level[-1].dir);

	if (unlinkat(above, level->name, AT_REMOVEDIR) < 0 && errno != ENOENT) {
		if ((errno != ENOTEMPTY && errno != EEXIST) || !level->progress)
			return err_set(err, errno, "remove directory '%s'", level->name);
		/* Entries may have been passed over, or moved here since. */
		level->progress = false;
		rewinddir(level->dir);
		return 0;
	}
	if (!top)
		level[-1].progress = true;
	(void)closedir(level->dir);
	tree->depth--;
	return 0;
}

int tree_remove(int dir, const char *name, struct err *err)
{
	__attribute__((cleanup(tree_done))) struct tree tree = { .parent = dir };
	int r;

	if (strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return err_set(err, EINVAL, "remove '%s', which is no name", name);
	if (unlinkat(dir, name, 0) == 0)
		return 0;
	if (errno != EISDIR)
		return err_set(err, errno, "remove '%s'", name);
	r = push(&tree, dir, name, err);
	while (r == 0 && tree.depth > 0) {
		const struct dirent *entry;

		errno = 0;
		entry = readdir(tree.level[tree.depth - 1].dir);
		if (entry)
			r = remove_entry(&tree, entry->d_name, err);
		else if (errno != 0)
			r = err_set(err, errno, "list directory '%s'",
			            tree.level[tree.depth - 1].name);
		else
			r = pop(&tree, err);
	}
	return r;
}
