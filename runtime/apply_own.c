#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apply.h"
#include "base/fd.h"
#include "base/syscall.h"
#include "user.h"

/* Deeper ones are nobody's work but an attack on our stack and descriptors. */
#define DEPTH_MAX 128

/* A walk over one mount. */
struct walk {
	uid_t uid;
	gid_t gid;
	uint64_t mount;
};

static bool is_owned(const struct walk *walk, const struct statx *st)
{
	return st->stx_uid == walk->uid && st->stx_gid == walk->gid;
}

/* Its mount has a number from Linux 5.8 on; before that the file system stands for it. */
static uint64_t mount_of(const struct statx *st)
{
	return st->stx_mask & STATX_MNT_ID
	               ? st->stx_mnt_id
	               : (uint64_t)st->stx_dev_major << 32 | st->stx_dev_minor;
}

static int look_at(int dir, const char *name, int flags, struct statx *ret)
{
	return statx(dir, name, flags | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
	             STATX_BASIC_STATS | STATX_MNT_ID, ret) < 0
	               ? -errno
	               : 0;
}

static int own_directory(const struct walk *walk, int dir, unsigned int depth,
                         struct err *err);

/* Links are given away themselves; what is mounted below is another's affair. */
static int own_entry(const struct walk *walk, int dir, const char *name,
                     unsigned int depth, struct err *err)
{
	cleanup_close int fd = -EBADF;
	struct statx st;
	int r = look_at(dir, name, 0, &st);

	if (r < 0)
		return r == -ENOENT ? 0 : err_set(err, -r, "look at '%s'", name);
	if (mount_of(&st) != walk->mount)
		return 0;
	if (!is_owned(walk, &st) &&
	    fchownat(dir, name, walk->uid, walk->gid, AT_SYMLINK_NOFOLLOW) < 0 &&
	    errno != ENOENT)
		return err_set(err, errno, "give '%s' away", name);
	if (!S_ISDIR(st.stx_mode))
		return 0;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR
		               ? 0
		               : err_set(err, errno, "open '%s'", name);
	return own_directory(walk, fd, depth + 1, err);
}

static int own_directory(const struct walk *walk, int dir, unsigned int depth,
                         struct err *err)
{
	int fd = fcntl(dir, F_DUPFD_CLOEXEC, 3);
	DIR *list = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *d;
	int r = 0;

	if (!list) {
		r = err_set(err, errno, "list a directory");
		close_fdp(&fd);
		return r;
	}
	if (depth > DEPTH_MAX)
		r = err_set(err, ELOOP, "more than %d directories deep", DEPTH_MAX);
	while (r == 0 && (d = readdir(list)))
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			r = own_entry(walk, dir, d->d_name, depth, err);
	(void)closedir(list);
	return r;
}

/*
 * Where we are: in the workspace's namespaces and root, before anything of the image runs. Other
 * workspaces may have the volume too and change it meanwhile, so nothing in it is believed.
 *
 * Mustn't: follow a link, or leave the volume.
 */
int apply_own(struct launch *launch, const struct step *step, struct err *err)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC | O_NOFOLLOW,
		                .resolve = RESOLVE_NO_SYMLINKS };
	cleanup_close int volume = -EBADF, dir = -EBADF;
	struct user user;
	struct walk walk;
	struct statx st;
	int r;

	(void)launch;
	if (user_lookup(step->value, &user, err) < 0)
		return -err->code;
	volume = sys_openat2(AT_FDCWD, step->target, &how);
	r = volume < 0 ? -errno : look_at(volume, "", AT_EMPTY_PATH, &st);
	if (r < 0)
		return err_set(err, -r, "open the volume '%s'", step->target);
	walk = (struct walk){ .uid = user.uid, .gid = user.gid, .mount = mount_of(&st) };
	/* Once: whose it is already, his it stays with all that is in it. */
	if (is_owned(&walk, &st))
		return 0;
	if (S_ISDIR(st.stx_mode) && !step->number) {
		dir = openat(volume, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir < 0)
			return err_set(err, errno, "open the volume '%s'", step->target);
		r = own_directory(&walk, dir, 0, err);
		if (r < 0)
			return err_wrap(err, "give the volume '%s' to '%s'", step->target,
			                step->value);
	}
	/* Last, so that a walk that was broken off begins again. */
	if (fchownat(volume, "", walk.uid, walk.gid, AT_EMPTY_PATH) < 0)
		return err_set(err, errno, "give the volume '%s' to '%s'", step->target,
		               step->value);
	return 0;
}
