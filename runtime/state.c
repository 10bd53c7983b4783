#include "state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/tree.h"
#include "state_internal.h"

#define CREATE_TRIES 16

/* How long a command waits for another one that is cleaning the same entry up. */
#define CHORE_TRIES 300
#define CHORE_PAUSE_MS 10

int state_name_check(const char *name, struct err *err)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789";
	size_t len = strspn(name, first);

	if (len > 0) {
		while (name[len] &&
		       (strchr("_.-", name[len]) || strchr(first, name[len])))
			len++;
		if (name[len] == '\0' && len <= STATE_NAME_MAX)
			return 0;
	}
	(void)err_set(err, EINVAL, "'%s' is no name for a workspace", name);
	return err_hint(
		err, "use up to %d of a-z A-Z 0-9 _ . - and begin with a letter or digit",
		STATE_NAME_MAX);
}

/* Opens a directory that has to be ours; refuses one that another user prepared. */
static int open_ours(int dir, const char *path, struct err *err)
{
	cleanup_close int fd =
		openat(dir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return err_set(err, errno, "open directory '%s'", path);
	if (fstat(fd, &st) < 0)
		return err_set(err, errno, "look at directory '%s'", path);
	if (st.st_uid != geteuid())
		return err_set(err, EPERM, "directory '%s' belongs to user %u", path,
		               (unsigned int)st.st_uid);
	if ((st.st_mode & 022) != 0)
		return err_set(err, EPERM,
		               "directory '%s' may be written by others (%04o)", path,
		               (unsigned int)(st.st_mode & 07777));
	return take_fd(&fd);
}

int state_path(char *path, size_t size, struct err *err)
{
	const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
	int len;

	if (runtime && *runtime == '/')
		len = snprintf(path, size, "%s/berth", runtime);
	else if (geteuid() == 0)
		len = snprintf(path, size, "/run/berth");
	else
		len = snprintf(path, size, "/tmp/berth-%u", (unsigned int)geteuid());
	if (len < 0 || (size_t)len >= size)
		return err_set(err, ENAMETOOLONG, "XDG_RUNTIME_DIR is too long");
	return 0;
}

int state_open(bool create, struct err *err)
{
	char path[PATH_MAX];
	int len = state_path(path, sizeof(path), err);

	if (len < 0)
		return len;
	if (create && mkdir(path, 0700) < 0 && errno != EEXIST) {
		(void)err_set(err, errno, "make directory '%s'", path);
		return err_hint(err, "set XDG_RUNTIME_DIR to a directory of your own");
	}
	len = open_ours(AT_FDCWD, path, err);
	if (len < 0 && len != -ENOENT)
		return err_hint(err, "set XDG_RUNTIME_DIR to a directory of your own");
	return len;
}

int state_entry(int state, const char *name, struct err *err)
{
	int fd = state_name_check(name, err);

	if (fd < 0)
		return fd;
	fd = open_ours(state, name, err);
	if (fd == -ENOENT) {
		err_clear(err);
		(void)err_set(err, ENOENT, "no workspace '%s'", name);
		return err_hint(err, "'berth ps -a' lists them");
	}
	return fd < 0 ? err_wrap(err, "workspace '%s'", name) : fd;
}

int state_lock_open(int entry, bool create)
{
	int fd = openat(entry, "lock",
	                O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC |
	                        (create ? O_CREAT : 0),
	                0600);

	return fd < 0 ? -errno : fd;
}

static struct flock byte_of(enum state_lock which, short type)
{
	return (struct flock){
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = which,
		.l_len = 1,
	};
}

int state_lock_take(int fd, enum state_lock which)
{
	struct flock lock = byte_of(which, F_WRLCK);

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	return errno == EACCES ? -EAGAIN : -errno;
}

void state_lock_drop(int fd, enum state_lock which)
{
	struct flock lock = byte_of(which, F_UNLCK);

	(void)fcntl(fd, F_OFD_SETLK, &lock);
}

bool state_alive(int entry)
{
	cleanup_close int fd = state_lock_open(entry, false);
	struct flock lock = byte_of(STATE_LOCK_LIFE, F_WRLCK);

	return fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

bool state_is(int state, const char *name, int entry)
{
	struct stat there, here;

	return fstatat(state, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstat(entry, &here) == 0 && there.st_dev == here.st_dev &&
	       there.st_ino == here.st_ino;
}

int state_hidden_name(const char *word, char ret[STATE_HIDDEN_MAX], struct err *err)
{
	uint64_t number;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return err_set(err, errno, "get a random number");
	(void)snprintf(ret, STATE_HIDDEN_MAX, ".%.16s-%016" PRIx64, word, number);
	return 0;
}

/*
 * Locks an existing entry for cleaning up. Return: the lock's descriptor; -EBUSY where
 * another command does not come to an end; -ESTALE where the entry has gone or is
 * another one by now; else -errno.
 */
static int lock_chore(int state, const char *name, int entry, struct err *err)
{
	const struct timespec pause = { .tv_nsec = CHORE_PAUSE_MS * 1000000L };
	/* With O_CREAT: a hostile or half-made entry without one can be removed too. */
	cleanup_close int fd = state_lock_open(entry, true);
	int r = fd < 0 ? fd : -EAGAIN;

	for (int tries = 0; r == -EAGAIN && tries < CHORE_TRIES; tries++) {
		r = state_lock_take(fd, STATE_LOCK_CHORE);
		if (r == -EAGAIN)
			(void)nanosleep(&pause, NULL);
	}
	if (r == -EAGAIN)
		return err_set(err, EBUSY, "another command is cleaning '%s' up", name);
	if (r == -ENOENT || !state_is(state, name, entry))
		return err_set(err, ESTALE, "lock workspace '%s'", name);
	if (r < 0)
		return err_set(err, -r, "lock workspace '%s'", name);
	return take_fd(&fd);
}

static int name_taken(const char *name, bool alive, struct err *err)
{
	(void)err_set(err, EEXIST, "the name '%s' is taken", name);
	if (alive)
		return err_hint(
			err, "that workspace is running; stop it or choose another name");
	return err_hint(err, "'berth start %s' runs it again, 'berth rm %s' removes it",
	                name, name);
}

/* Makes room for @name where nothing is lost by it. Return: 0; -EEXIST; else -errno. */
static int make_room(int state, const char *name, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	cleanup_close int entry = open_ours(state, name, err);
	cleanup_close int lock = -EBADF;
	struct record kept;
	int r;

	if (entry == -ENOENT) {
		err_clear(err);
		return 0;
	}
	if (entry < 0)
		return entry;
	if (state_alive(entry))
		return name_taken(name, true, err);
	lock = lock_chore(state, name, entry, err);
	if (lock == -ESTALE) {
		err_clear(err);
		return 0;
	}
	if (lock < 0)
		return lock;
	if (state_alive(entry))
		return name_taken(name, true, err);
	r = state_dispose(state, name, entry, &kept, &arena, err);
	if (r < 0) {
		(void)err_wrap(err, "clean up what is left of '%s'", name);
		return err_hint(err, "'berth rm %s' removes it", name);
	}
	return r == 1 ? 0 : name_taken(name, false, err);
}

/* Makes a locked entry under a hidden name. Return: its directory, or -errno. */
static int make_hidden(int state, const char *hidden, int *ret_lock, struct err *err)
{
	cleanup_close int entry = -EBADF;
	cleanup_close int lock = -EBADF;
	int r;

	if (mkdirat(state, hidden, 0700) < 0)
		return err_set(err, errno, "make an entry");
	entry = open_ours(state, hidden, err);
	if (entry == -ENOENT) {
		err_clear(err);
		return -EAGAIN; /* state_tidy() was faster */
	}
	if (entry < 0)
		return entry;
	lock = state_lock_open(entry, true);
	if (lock == -ENOENT)
		return -EAGAIN; /* state_tidy() was faster */
	r = lock < 0 ? lock : state_lock_take(lock, STATE_LOCK_LIFE);
	if (r < 0)
		return err_set(err, -r, "lock the entry");
	*ret_lock = take_fd(&lock);
	return take_fd(&entry);
}

/* One try. Return: the entry; -EAGAIN where another command came between. */
static int create_once(int state, const char *name, int *ret_lock, struct err *err)
{
	char hidden[STATE_HIDDEN_MAX];
	cleanup_close int lock = -EBADF;
	cleanup_close int entry = -EBADF;
	struct err ignored = { 0 };
	int r;

	r = make_room(state, name, err);
	if (r < 0)
		return r;
	r = state_hidden_name("new", hidden, err);
	if (r < 0)
		return r;
	entry = make_hidden(state, hidden, &lock, err);
	if (entry < 0)
		return entry;
	/*
	 * Only a whole, locked entry gets the name, so that nobody takes one for dead
	 * that is being born. An entry always holds its lock file: rename(2) does not
	 * replace a directory with something in it. ENOENT: state_tidy() took it for
	 * the remains of somebody killed.
	 */
	if (renameat(state, hidden, state, name) == 0) {
		*ret_lock = take_fd(&lock);
		return take_fd(&entry);
	}
	r = -errno;
	(void)tree_remove(state, hidden, &ignored);
	if (r == -EEXIST || r == -ENOTEMPTY || r == -ENOENT)
		return -EAGAIN;
	return err_set(err, -r, "make the entry '%s'", name);
}

int state_create(int state, const char *name, int *ret_lock, struct err *err)
{
	int r = state_name_check(name, err);

	if (r < 0)
		return r;
	for (int tries = 0; tries < CREATE_TRIES; tries++) {
		r = create_once(state, name, ret_lock, err);
		if (r != -EAGAIN || err->code > 0)
			return r;
	}
	return err_set(err, EBUSY, "others make and remove the entry '%s'", name);
}

int state_reopen(int state, const char *name, int *ret_lock, struct err *err)
{
	cleanup_close int entry = state_entry(state, name, err);
	cleanup_close int lock = -EBADF;
	int r;

	if (entry < 0)
		return entry;
	if (state_alive(entry))
		return err_set(err, EBUSY, "workspace '%s' is running", name);
	lock = lock_chore(state, name, entry, err);
	if (lock == -ESTALE) {
		err_clear(err);
		return err_set(err, ENOENT, "no workspace '%s'", name);
	}
	if (lock < 0)
		return lock;
	r = state_lock_take(lock, STATE_LOCK_LIFE);
	if (r < 0)
		return err_set(err, EBUSY, "workspace '%s' is running", name);
	state_lock_drop(lock, STATE_LOCK_CHORE);
	*ret_lock = take_fd(&lock);
	return take_fd(&entry);
}

int state_remove(int state, const char *name, struct err *err)
{
	char hidden[STATE_HIDDEN_MAX];
	int r = state_name_check(name, err);

	if (r == 0)
		r = state_hidden_name("gone", hidden, err);
	if (r < 0)
		return r;
	if (renameat(state, name, state, hidden) < 0)
		return err_set(err, errno, "remove the entry '%s'", name);
	r = tree_remove(state, hidden, err);
	return r < 0 ? err_wrap(err, "remove the entry '%s'", name) : 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void close_dirp(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

static bool is_entry(const struct dirent *at)
{
	struct err ignored = { 0 };

	return (at->d_type == DT_DIR || at->d_type == DT_UNKNOWN) &&
	       state_name_check(at->d_name, &ignored) == 0;
}

int state_each(int state, struct arena *arena, const char ***ret, struct err *err)
{
	cleanup_close int fd = openat(state, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	__attribute__((cleanup(close_dirp))) DIR *dir = NULL;
	const char **names = NULL;
	const struct dirent *at;
	size_t n = 0, room = 0;

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return err_set(err, errno, "list the workspaces");
	(void)take_fd(&fd);
	while ((at = readdir(dir))) {
		if (!is_entry(at))
			continue;
		if (n == room) {
			const char **more;

			room = room ? room * 2 : 32;
			more = arena_alloc(arena, room * sizeof(*more));
			if (!more)
				return err_set(err, ENOMEM, "list the workspaces");
			if (n > 0)
				memcpy(more, names, n * sizeof(*names));
			names = more;
		}
		names[n++] = arena_dup(arena, at->d_name);
	}
	if (arena->failed)
		return err_set(err, ENOMEM, "list the workspaces");
	if (n > 0)
		qsort(names, n, sizeof(*names), by_text);
	*ret = names;
	return (int)n;
}
