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
	cleanup_close int dir = -EBADF;
	const char *name;
	int parent;
	mode_t mode;
	bool plain;

	parent = target_above(launch, step->target, &name, err);
	if (parent < 0)
		return parent;
	mode = (mode_t)step->number;
	plain = (mode & ~(mode_t)0755) ==
	        0; /* the umask of the launch leaves it as it is */
	if (mkdirat(parent, name, plain ? mode : 0700) < 0)
		/* One that is there keeps its mode: by now it is the workspace's. */
		return errno == EEXIST ? 0
		                       : err_set(err, errno, "make '%s'", step->target);
	if (plain)
		return 0;
	dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 || fchmod(dir, mode) < 0)
		return err_set(err, errno, "set the mode of '%s'", step->target);
	return 0;
}

int file_anew(int dir, const char *name, mode_t mode)
{
	(void)unlinkat(dir, name, 0);
	return openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	              mode);
}

int apply_file(struct launch *launch, const struct step *step, struct err *err)
{
	const char *content = step->value ? step->value : "";
	cleanup_close int fd = -EBADF;
	const char *name;
	int parent, r;

	parent = target_above(launch, step->target, &name, err);
	if (parent < 0)
		return parent;
	fd = file_anew(parent, name, 0600);
	if (fd < 0)
		return err_set(err, errno, "make '%s'", step->target);
	r = write_all(fd, content, strlen(content));
	if (r == 0 && fchmod(fd, (mode_t)step->number) < 0)
		r = -errno;
	return r < 0 ? err_set(err, -r, "write '%s'", step->target) : 0;
}

int apply_link(struct launch *launch, const struct step *step, struct err *err)
{
	const char *name;
	int parent;

	parent = target_above(launch, step->target, &name, err);
	if (parent < 0)
		return parent;
	if (step->number)
		(void)unlinkat(parent, name, 0);
	if (symlinkat(step->value, parent, name) < 0 && errno != EEXIST)
		return err_set(err, errno, "make the link '%s'", step->target);
	return 0;
}

#define CHUNK (1 << 20)

int copy_content(int from, int to, uint64_t max)
{
	ssize_t n;

	do {
		n = sendfile(to, from, NULL, max < CHUNK ? (size_t)max + 1 : CHUNK);
		if (n > 0 && (uint64_t)n > max)
			return -EFBIG;
		max -= n > 0 ? (uint64_t)n : 0;
	} while (n > 0 || (n < 0 && errno == EINTR));
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

/**
 * struct copying - One copy_tree()
 * @bound:	what is left; borrowed
 * @depth:	directories above
 */
struct copying {
	struct copy_bound *bound;
	unsigned int depth;
};

static int copy_entry(struct copying *copying, int from, const char *name, int to,
                      const char *new_name, struct err *err);

static int copy_entries(struct copying *copying, int from, int to, struct err *err)
{
	int fd = fcntl(from, F_DUPFD_CLOEXEC, 3);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *d;
	int r = 0;

	if (!dir) {
		close_fdp(&fd);
		return err_set(err, errno, "list a directory");
	}
	copying->depth++;
	while (r == 0 && (d = readdir(dir)))
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			r = copy_entry(copying, from, d->d_name, to, d->d_name, err);
	copying->depth--;
	(void)closedir(dir);
	return r;
}

static int copy_directory(struct copying *copying, int source, const struct stat *st,
                          int to, const char *name, struct err *err)
{
	cleanup_close int target = -EBADF;
	int r;

	if (mkdirat(to, name, 0700) < 0 && errno != EEXIST)
		return err_set(err, errno, "make '%s'", name);
	target = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (target < 0)
		return err_set(err, errno, "open '%s'", name);
	r = copy_entries(copying, source, target, err);
	copy_meta(target, st);
	return r;
}

/* By its size first, so that nothing is written of what is too long; it may grow meanwhile. */
static int copy_file(struct copying *copying, int source, const struct stat *st, int to,
                     const char *name, struct err *err)
{
	struct copy_bound *bound = copying->bound;
	const uint64_t size = (uint64_t)st->st_size;
	cleanup_close int target = -EBADF;
	int r;

	if (size > bound->file || size > bound->bytes)
		return err_set(err, EFBIG, "copy '%s'", name);
	target = file_anew(to, name, 0600);
	if (target < 0)
		return err_set(err, errno, "make '%s'", name);
	r = copy_content(source, target, bound->bytes == COPY_ANY ? COPY_ANY : size);
	if (r < 0)
		return err_set(err, -r, "copy '%s'", name);
	if (bound->bytes != COPY_ANY)
		bound->bytes -= size;
	copy_meta(target, st);
	return 0;
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

/* What is copied: a file or a directory. */
static bool has_content(const struct stat *st)
{
	return S_ISREG(st->st_mode) || S_ISDIR(st->st_mode);
}

/* Files and directories; what they are is looked at again when they are open. */
static int copy_opened(struct copying *copying, int from, const char *name, int to,
                       const char *new_name, struct err *err)
{
	/* By mount, not by device: a mount of the same file system stays out, too. The
	 * top entry is what was asked for, mounted or not. */
	const struct open_how how = {
		.flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
		.resolve = copying->depth > 0 ? RESOLVE_NO_XDEV | RESOLVE_BENEATH : 0,
	};
	cleanup_close int source = sys_openat2(from, name, &how);
	struct stat st;

	if (source < 0)
		return errno == EACCES || errno == EPERM || errno == EXDEV
		               ? 0
		               : err_set(err, errno, "open '%s'", name);
	if (fstat(source, &st) < 0)
		return err_set(err, errno, "look at '%s'", name);
	if (!has_content(&st))
		return 0;
	return S_ISDIR(st.st_mode)
	               ? copy_directory(copying, source, &st, to, new_name, err)
	               : copy_file(copying, source, &st, to, new_name, err);
}

static int copy_entry(struct copying *copying, int from, const char *name, int to,
                      const char *new_name, struct err *err)
{
	struct stat st;

	if (copying->bound->entries == 0)
		return err_set(err, E2BIG, "copy '%s': too many files", name);
	if (copying->bound->entries != COPY_ANY)
		copying->bound->entries--;
	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_set(err, errno, "look at '%s'", name);
	if (S_ISLNK(st.st_mode))
		return copy_link(from, name, to, new_name, err);
	/* A device is not opened, which may have an effect. */
	if (!has_content(&st))
		return 0;
	if (copying->depth > DEPTH_MAX)
		return err_set(err, ELOOP, "'%s' lies too deep", name);
	return copy_opened(copying, from, name, to, new_name, err);
}

int copy_tree(int from, const char *name, int to, const char *new_name,
              struct copy_bound *bound, struct err *err)
{
	struct copy_bound any = { COPY_ANY, COPY_ANY, COPY_ANY };
	struct copying copying = { .bound = bound ? bound : &any };

	return copy_entry(&copying, from, name, to, new_name, err);
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
	target = file_anew(to, name, 0644);
	if (target < 0)
		return err_set(err, errno, "make '%s'", name);
	r = copy_content(from, target, COPY_ANY);
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
	return copy_tree(AT_FDCWD, step->source, parent, name, NULL, err);
}
