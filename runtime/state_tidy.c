#include "state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/syscall.h"
#include "base/tree.h"
#include "cgroups/remove.h"
#include "state_internal.h"
#include "unshare.h"

/*
 * Opens the directory that holds a recorded group. The record is not trusted: it has
 * to be below a mount of cgroups, and the group has to bear a name of ours and be ours.
 */
static int open_group_parent(const char *point, const char *group, const char **ret_name,
                             struct err *err)
{
	cleanup_close int mount = open(point, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	const char *slash = strrchr(group, '/');
	char above[4096];
	struct statfs fs;
	struct stat st;
	int fd;

	if (mount < 0) {
		int code = errno;
		/* A warden that tidies has no file system: there it is for the next one. */
		cleanup_close int sys = open("/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);

		return err_set(err, sys < 0 ? ENXIO : code, "open '%s'", point);
	}
	if (fstatfs(mount, &fs) < 0 || ((unsigned long)fs.f_type != CGROUP2_SUPER_MAGIC &&
	                                (unsigned long)fs.f_type != CGROUP_SUPER_MAGIC))
		return err_set(err, EINVAL, "'%s' is no mount of cgroups", point);
	if (snprintf(above, sizeof(above), ".%.*s", (int)(slash - group), group) >=
	    (int)sizeof(above))
		return err_set(err, ENAMETOOLONG, "open cgroup '%s'", group);
	fd = sys_openat2(mount, above, &how);
	/* Profiles of pods that do not know openat2 refuse it. cgroupfs has no links,
	 * and the record's paths do not climb. */
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		fd = openat(mount, above,
		            O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, errno, "open cgroup '%s'", above + 1);
	if (fstatat(fd, slash + 1, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_uid != geteuid()) {
		(void)close(fd);
		return err_set(err, EPERM, "cgroup '%s' is not ours", group);
	}
	*ret_name = slash + 1;
	return fd;
}

static int remove_one_group(const char *mount, const char *group, struct err *err)
{
	cleanup_close int parent = -EBADF;
	const char *name = NULL;

	if (!group || *group != '/' || !mount)
		return 0;
	parent = open_group_parent(mount, group, &name, err);
	if (parent == -ENOENT) {
		err_clear(err);
		return 0;
	}
	return parent < 0 ? parent : cgroup_remove(parent, name, err);
}

static int remove_group(const struct record *record, struct err *err)
{
	int r = remove_one_group(record->cgroup_mount, record->cgroup, err);

	for (size_t i = 0; r == 0 && i + 1 < record->cgroup1_n; i += 2)
		r = remove_one_group(record->cgroup1[i], record->cgroup1[i + 1], err);
	return r;
}

static int remove_upper(const struct record *record, struct err *err)
{
	const char *slash = record->upper ? strrchr(record->upper, '/') : NULL;
	cleanup_close int parent = -EBADF;
	char above[4096];
	int r;

	if (!slash)
		return 0;
	if (snprintf(above, sizeof(above), "%.*s/", (int)(slash - record->upper),
	             record->upper) >= (int)sizeof(above))
		return err_set(err, ENAMETOOLONG, "remove '%s'", record->upper);
	parent = open(above, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0 && errno == ENOENT)
		return 0;
	if (parent < 0)
		return err_set(err, errno, "open '%s'", above);
	/* What was there before a first launch that failed is not ours to remove. */
	if (record->started_ms == 0 && !record->upper_made) {
		(void)unlinkat(parent, slash + 1, AT_REMOVEDIR);
		return 0;
	}
	r = tree_remove(parent, slash + 1, err);
	if (r == -ENOENT) {
		err_clear(err);
		return 0;
	}
	return r < 0 ? err_wrap(err, "remove the upper layers '%s'", record->upper) : 0;
}

/**
 * struct removal - A removal, for a child in another user namespace
 */
struct removal {
	int (*fn)(const struct record *record, struct err *err);
	const struct record *record;
};

static int remove_in_child(void *arg, struct err *err)
{
	const struct removal *removal = arg;

	return removal->fn(removal->record, err);
}

/*
 * Root inside may have given parts of it to any of its IDs. We may remove those only
 * where they are mapped, so a second try is made there; where that is not to be had,
 * the first one's reason counts.
 */
static int remove_anyhow(int (*fn)(const struct record *record, struct err *err),
                         const struct record *record, struct err *err)
{
	struct removal removal = { .fn = fn, .record = record };
	struct err inside = { 0 };
	int r = fn(record, err);

	if (r != -EACCES && r != -EPERM)
		return r;
	if (unshare_call(remove_in_child, &removal, &inside) != 0)
		return r;
	err_clear(err);
	return 0;
}

int state_remove_outside(const struct record *record, bool upper, struct err *err)
{
	int r = remove_anyhow(remove_group, record, err);

	if (r < 0)
		return r;
	return upper ? remove_anyhow(remove_upper, record, err) : 0;
}

bool state_disposable(const struct record *record)
{
	return record->remove || record->started_ms == 0;
}

int state_dispose(int state, const char *name, int entry, struct record *ret_kept,
                  struct arena *arena, struct err *err)
{
	struct record record;
	int r = state_read_dead(entry, name, arena, &record, err);

	if (r == -ENOENT) {
		/* The file is written before anything is made outside. */
		err_clear(err);
		r = state_remove(state, name, err);
		return r < 0 ? r : 1;
	}
	if (r < 0)
		return r; /* perhaps of another version: only rm may throw it away */
	state_mark_dead(&record);
	r = state_remove_outside(&record, state_disposable(&record), err);
	if (r < 0)
		return r;
	if (!state_disposable(&record)) {
		*ret_kept = record;
		return 0;
	}
	r = state_remove(state, name, err);
	return r < 0 ? r : 1;
}

static void close_dirp(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

static DIR *list(int dir)
{
	cleanup_close int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *ret = fd < 0 ? NULL : fdopendir(fd);

	if (ret)
		(void)take_fd(&fd);
	return ret;
}

/* Sockets, and temporary files of file_create(), which begin with a dot. */
static void remove_sockets(int entry)
{
	__attribute__((cleanup(close_dirp))) DIR *dir = list(entry);
	const struct dirent *at;

	while (dir && (at = readdir(dir))) {
		struct stat st;

		if (fstatat(entry, at->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    (S_ISSOCK(st.st_mode) ||
		     (S_ISREG(st.st_mode) && at->d_name[0] == '.')))
			(void)unlinkat(entry, at->d_name, 0);
	}
}

/* A dead entry, locked; errors leave it for the next command. */
static void tidy_dead(int state, const char *name, int entry)
{
	cleanup_arena struct arena arena = { 0 };
	struct err ignored = { 0 };
	struct record written, record;
	int r;

	r = state_dispose(state, name, entry, &record, &arena, &ignored);
	if (r == 1)
		return;
	remove_sockets(entry);
	err_clear(&ignored);
	if (state_read_dead(entry, name, &arena, &written, &ignored) < 0)
		return;
	/* One that its supervisor could not remove. */
	if (r == 0 && (*written.cgroup || written.cgroup1_n > 0)) {
		written.cgroup = "";
		written.cgroup1_n = 0;
	} else if (written.status == STATUS_EXITED) {
		return;
	}
	record = written;
	state_mark_dead(&record);
	if (!state_is_past(&written) || written.finished_ms == 0)
		record.finished_ms = clock_ms(CLOCK_REALTIME);
	(void)state_write(entry, &record, &ignored);
}

/* Takes the name away first, so that a living state_create() cannot use it any more. */
static void tidy_hidden(int state, const char *name)
{
	char hidden[STATE_HIDDEN_MAX];
	struct err ignored = { 0 };

	if (state_hidden_name("gone", hidden, &ignored) == 0 &&
	    renameat(state, name, state, hidden) == 0)
		(void)tree_remove(state, hidden, &ignored);
}

/*
 * Tidies one entry up; passes over one that is alive or that another command has in
 * hand. Hidden entries are remains of state_create() and state_remove().
 */
static void tidy_entry(int state, const char *name)
{
	struct err ignored = { 0 };
	cleanup_close int entry = tree_open(state, name, &ignored);
	cleanup_close int lock = -EBADF;

	if (entry < 0 || state_alive(entry))
		return;
	lock = state_lock_open(entry, true);
	if (lock < 0 || state_lock_take(lock, STATE_LOCK_CHORE) < 0 ||
	    !state_is(state, name, entry) || state_alive(entry))
		return;
	err_clear(&ignored);
	if (name[0] == '.')
		tidy_hidden(state, name);
	else
		tidy_dead(state, name, entry);
}

void state_tidy(int state)
{
	__attribute__((cleanup(close_dirp))) DIR *dir = list(state);
	const struct dirent *at;

	while (dir && (at = readdir(dir))) {
		struct err ignored = { 0 };

		if (!strncmp(at->d_name, ".new-", 5) ||
		    !strncmp(at->d_name, ".gone-", 6) ||
		    state_name_check(at->d_name, &ignored) == 0)
			tidy_entry(state, at->d_name);
	}
}
