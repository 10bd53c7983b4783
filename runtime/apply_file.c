#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apply.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/syscall.h"

#define DEPTH_MAX 64

int apply_directory(struct launch *launch, const struct step *step, struct err *err)
{
	cleanup_close int parent = -EBADF, dir = -EBADF;
	const char *name;

	parent = target_parent(launch->root, step->target, &name, err);
	if (parent < 0)
		return parent;
	if (mkdirat(parent, name, 0700) < 0)
		/* One that is there keeps its mode: by now it is the workspace's. */
		return errno == EEXIST ? 0
		                       : err_set(err, errno, "make '%s'", step->target);
	dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 || fchmod(dir, (mode_t)step->number) < 0)
		return err_set(err, errno, "set the mode of '%s'", step->target);
	return 0;
}

int apply_file(struct launch *launch, const struct step *step, struct err *err)
{
	const char *content = step->value ? step->value : "";
	cleanup_close int parent = -EBADF, fd = -EBADF;
	const char *name;
	int r;

	parent = target_parent(launch->root, step->target, &name, err);
	if (parent < 0)
		return parent;
	(void)unlinkat(parent, name, 0);
	fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	            0600);
	if (fd < 0)
		return err_set(err, errno, "make '%s'", step->target);
	r = write_all(fd, content, strlen(content));
	if (r == 0 && fchmod(fd, (mode_t)step->number) < 0)
		r = -errno;
	return r < 0 ? err_set(err, -r, "write '%s'", step->target) : 0;
}

int apply_link(struct launch *launch, const struct step *step, struct err *err)
{
	cleanup_close int parent = -EBADF;
	const char *name;

	parent = target_parent(launch->root, step->target, &name, err);
	if (parent < 0)
		return parent;
	if (symlinkat(step->value, parent, name) < 0 && errno != EEXIST)
		return err_set(err, errno, "make the link '%s'", step->target);
	return 0;
}

int copy_content(int from, int to)
{
	ssize_t n;

	do
		n = sendfile(to, from, NULL, 1 << 20);
	while (n > 0 || (n < 0 && errno == EINTR));
	return n < 0 ? -errno : 0;
}

/* Owner first: a change of owner clears setuid bits. Foreign owners stay ours. */
static void copy_meta(int fd, const struct stat *st)
{
	const struct timespec times[2] = { st->st_atim, st->st_mtim };

	(void)!fchown(fd, st->st_uid, st->st_gid);
	(void)fchmod(fd, st->st_mode & 07777);
	(void)futimens(fd, times);
}

static int copy_entry(int from, const char *name, int to, const char *new_name,
                      unsigned int depth, struct err *err);

static int copy_directory(int from, int to, const struct stat *st, unsigned int depth,
                          struct err *err)
{
	int fd = fcntl(from, F_DUPFD_CLOEXEC, 3);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *d;
	int r = 0;

	if (!dir) {
		close_fdp(&fd);
		return err_set(err, errno, "list a directory");
	}
	while (r == 0 && (d = readdir(dir)))
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			r = copy_entry(from, d->d_name, to, d->d_name, depth + 1, err);
	(void)closedir(dir);
	copy_meta(to, st);
	return r;
}

static int copy_link(int from, const char *name, int to, const char *new_name,
                     struct err *err)
{
	char target[4096];
	ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);

	if (n < 0)
		return err_set(err, errno, "read the link '%s'", name);
	target[n] = '\0';
	if (symlinkat(target, to, new_name) < 0 && errno != EEXIST)
		return err_set(err, errno, "make the link '%s'", new_name);
	return 0;
}

static int copy_entry(int from, const char *name, int to, const char *new_name,
                      unsigned int depth, struct err *err)
{
	/* By mount, not by device: a mount of the same file system stays out, too. The
	 * top entry is what was asked for, mounted or not. */
	const struct open_how how = {
		.flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = depth > 0 ? RESOLVE_NO_XDEV | RESOLVE_BENEATH : 0,
	};
	cleanup_close int source = -EBADF, target = -EBADF;
	struct stat st;
	int r;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_set(err, errno, "look at '%s'", name);
	if (S_ISLNK(st.st_mode))
		return copy_link(from, name, to, new_name, err);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return 0;
	if (depth > DEPTH_MAX)
		return err_set(err, ELOOP, "'%s' lies too deep", name);

	source = sys_openat2(from, name, &how);
	if (source < 0)
		return errno == EACCES || errno == EPERM || errno == EXDEV
		               ? 0
		               : err_set(err, errno, "open '%s'", name);
	if (S_ISDIR(st.st_mode)) {
		if (mkdirat(to, new_name, 0700) < 0 && errno != EEXIST)
			return err_set(err, errno, "make '%s'", new_name);
		target = openat(to, new_name,
		                O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (target < 0)
			return err_set(err, errno, "open '%s'", new_name);
		return copy_directory(source, target, &st, depth, err);
	}
	target = openat(to, new_name,
	                O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (target < 0)
		return err_set(err, errno, "make '%s'", new_name);
	r = copy_content(source, target);
	if (r < 0)
		return err_set(err, -r, "copy '%s'", name);
	copy_meta(target, &st);
	return 0;
}

int copy_tree(int from, const char *name, int to, const char *new_name, struct err *err)
{
	return copy_entry(from, name, to, new_name, 0, err);
}

/* The file that @source leads to: a link of the host leads nowhere in a workspace. */
static int copy_anew(const char *source, int to, const char *name, struct err *err)
{
	cleanup_close int from = open(source, O_RDONLY | O_CLOEXEC);
	cleanup_close int target = -EBADF;
	struct stat st;
	int r;

	if (from < 0 || fstat(from, &st) < 0)
		return err_set(err, errno, "open '%s'", source);
	if (!S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "'%s' is no file", source);
	(void)unlinkat(to, name, 0);
	target = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	                0644);
	if (target < 0)
		return err_set(err, errno, "make '%s'", name);
	r = copy_content(from, target);
	return r < 0 ? err_set(err, -r, "copy '%s'", source) : 0;
}

int apply_copy(struct launch *launch, const struct step *step, struct err *err)
{
	cleanup_close int parent = -EBADF;
	const char *name;

	parent = target_parent(launch->root, step->target, &name, err);
	if (parent < 0)
		return parent;
	if (step->number)
		return copy_anew(step->source, parent, name, err);
	/* What is there from an earlier start may have been changed inside. */
	if (faccessat(parent, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	return copy_tree(AT_FDCWD, step->source, parent, name, err);
}
