#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apply.h"
#include "base/fd.h"
#include "base/syscall.h"

/* Opens @path below @dir without following any link; -errno. */
static int beneath(int dir, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	int fd = sys_openat2(dir, *path ? path : ".", &how);

	return fd < 0 ? -errno : fd;
}

static int explain(int r, const char *path, struct err *err)
{
	(void)err_set(err, -r, "open '%s' in the workspace", path);
	if (r == -ELOOP)
		(void)err_hint(err,
		               "a symbolic link of the image lies on the way: name the "
		               "directory it points to");
	else if (r == -EACCES)
		(void)err_hint(err, "%s", hint_foreign);
	else if (r == -ENOSYS)
		(void)err_hint(
			err, "berth needs openat2: Linux 5.6, and a seccomp profile that "
			     "knows it");
	return -err->code;
}

/* The directory above the last component, one step at a time, made where missing. */
static int make_parents(int root, const char *path, struct err *err)
{
	cleanup_close int dir = beneath(root, ".");
	const char *p = path + 1, *slash;

	if (dir < 0)
		return explain(dir, "/", err);
	while ((slash = strchr(p, '/'))) {
		char name[256];
		int next;

		if (slash - p >= (ptrdiff_t)sizeof(name))
			return explain(-ENAMETOOLONG, path, err);
		(void)snprintf(name, sizeof(name), "%.*s", (int)(slash - p), p);
		next = beneath(dir, name);
		if (next == -ENOENT) {
			if (mkdirat(dir, name, 0755) < 0 && errno != EEXIST)
				return explain(-errno, path, err);
			next = beneath(dir, name);
		}
		if (next < 0)
			return explain(next, path, err);
		drop_fd(&dir);
		dir = next;
		p = slash + 1;
	}
	return take_fd(&dir);
}

int target_parent(int root, const char *path, const char **ret_name, struct err *err)
{
	const char *slash = strrchr(path, '/');
	char above[PATH_MAX];
	int dir;

	if (slash - path >= PATH_MAX)
		return explain(-ENAMETOOLONG, path, err);
	*ret_name = slash + 1;
	(void)snprintf(above, sizeof(above), "%.*s", (int)(slash - path), path);
	dir = beneath(root, above[0] ? above + 1 : "");
	if (dir == -ENOENT)
		return make_parents(root, path, err);
	return dir < 0 ? explain(dir, path, err) : dir;
}

int target_above(struct launch *launch, const char *path, const char **ret_name,
                 struct err *err)
{
	struct target_dir *above = &launch->above;
	const size_t len = (size_t)(strrchr(path, '/') - path);

	*ret_name = path + len + 1;
	if (len == 0)
		return launch->root;
	if (above->fd >= 0 && above->len == len && !strncmp(above->path, path, len))
		return above->fd;
	drop_fd(&above->fd);
	above->fd = target_parent(launch->root, path, ret_name, err);
	above->path = path;
	above->len = len;
	return above->fd;
}

/* Whether what is mounted on @target lies over the first @len bytes of @path, or above them. */
static bool covers(const char *target, const char *path, size_t len)
{
	const size_t n = strlen(target);

	return n <= len && !strncmp(target, path, n) && (n == len || path[n] == '/');
}

void target_leave(struct launch *launch, const char *target)
{
	struct target_dir *above = &launch->above, *source = &launch->source;

	if (above->fd >= 0 && (!target || covers(target, above->path, above->len)))
		drop_fd(&above->fd);
	if (source->fd >= 0 && (!target || covers(target, source->path, source->len)))
		drop_fd(&source->fd);
}

int target_source(struct launch *launch, const char *path, struct err *err)
{
	struct target_dir *source = &launch->source;

	if (source->fd >= 0 && !strcmp(source->path, path))
		return source->fd;
	drop_fd(&source->fd);
	source->fd = target_open(launch->root, path, 0, err);
	source->path = path;
	source->len = strlen(path);
	return source->fd;
}

static int make_file(int root, const char *path, struct err *err)
{
	const char *name;
	cleanup_close int parent = target_parent(root, path, &name, err);
	int fd;

	if (parent < 0)
		return parent;
	fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	            0644);
	if (fd >= 0)
		return fd;
	fd = errno == EEXIST ? beneath(parent, name) : -errno;
	return fd >= 0 ? fd : explain(fd, path, err);
}

int target_open(int root, const char *path, mode_t make, struct err *err)
{
	cleanup_close int made = -EBADF;
	const char *name;
	int fd = beneath(root, path + 1);

	if (fd >= 0 || fd != -ENOENT || make == 0)
		return fd >= 0 ? fd : explain(fd, path, err);

	if (make == S_IFDIR) {
		made = target_parent(root, path, &name, err);
		if (made >= 0 && mkdirat(made, name, 0755) < 0 && errno != EEXIST)
			return explain(-errno, path, err);
	} else {
		made = make_file(root, path, err);
	}
	if (made < 0)
		return made;
	fd = beneath(root, path + 1);
	return fd >= 0 ? fd : explain(fd, path, err);
}
