#include "hold.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "state.h"
#include "storage.h"

#define LOCKS_MAX (4U << 20)

/* "1: FLOCK  ADVISORY  WRITE 4711 08:01:1234 0 EOF": proc_locks(5). */
int64_t hold_read_lock(const char *line, dev_t dev, ino_t ino)
{
	unsigned int dev_major, dev_minor;
	unsigned long inode;
	int64_t pid;

	if (sscanf(line, "%*d: FLOCK %*s %*s %" SCNd64 " %x:%x:%lu", &pid, &dev_major,
	           &dev_minor, &inode) != 4 ||
	    makedev(dev_major, dev_minor) != dev || inode != ino || pid < 0)
		return -1;
	return pid;
}

int64_t hold_holder(int fd, struct arena *arena)
{
	struct err ignored = { 0 };
	const char *text;
	struct stat st;

	if (fstat(fd, &st) < 0 ||
	    file_slurp(AT_FDCWD, "/proc/locks", LOCKS_MAX, arena, &text, &ignored) < 0)
		return 0;
	for (const char *line = text; line; line = strchr(line, '\n')) {
		int64_t pid;

		line += *line == '\n';
		pid = hold_read_lock(line, st.st_dev, st.st_ino);
		if (pid > 0)
			return pid;
	}
	return 0;
}

/* The workspace of that supervisor, NULL where it is none. */
static const char *name_of(int state, int64_t pid, struct arena *arena)
{
	struct err ignored = { 0 };
	const char **names = NULL;
	int n = pid > 0 ? state_each(state, arena, &names, &ignored) : 0;

	for (int i = 0; i < n; i++) {
		cleanup_close int entry = state_entry(state, names[i], &ignored);
		struct record record;

		if (entry >= 0 &&
		    state_read(entry, names[i], arena, &record, &ignored) == 0 &&
		    record.supervisor == pid)
			return names[i];
		err_clear(&ignored);
	}
	return NULL;
}

static int taken(int dir, const char *path, const char *what, int state, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	const int64_t pid = hold_holder(dir, &arena);
	const char *name = name_of(state, pid, &arena);

	if (name)
		(void)err_set(err, EWOULDBLOCK,
		              "'%s', %s, is in use by the workspace '%s'", path, what,
		              name);
	else if (pid > 0)
		(void)err_set(err, EWOULDBLOCK, "'%s', %s, is in use by process %" PRId64,
		              path, what, pid);
	else
		(void)err_set(err, EWOULDBLOCK,
		              "'%s', %s, is in use by a workspace elsewhere, perhaps of "
		              "another pod",
		              path, what);
	(void)err_hint(err,
	               "two would ruin it for both: stop the other one, or give each a "
	               "directory of its own");
	return err_step(err, "storage");
}

static int hold(int dir, int how, const char *path, const char *what, int state,
                struct holds *holds, struct err *err)
{
	if (holds->n == HOLDS_MAX)
		return err_set(err, E2BIG, "lock '%s'", path);
	if (flock(dir, how | LOCK_NB) == 0) {
		holds->fd[holds->n++] = dir;
		return 0;
	}
	if (errno == EWOULDBLOCK)
		return taken(dir, path, what, state, err);
	log_warn("'%s' cannot be locked (%s): nothing keeps a second workspace from it",
	         path, strerror(errno));
	holds->fd[holds->n++] = dir;
	return 0;
}

static int open_and_hold(const char *path, int how, const char *what, int state,
                         struct holds *ret, struct err *err)
{
	cleanup_close int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	/* Root inside another workspace may have made it so: no lock would be what he wants. */
	if (dir < 0) {
		(void)err_set(err, errno, "open '%s', %s, to lock it", path, what);
		(void)err_hint(err,
		               "make it readable: berth unshare -- chmod u+rx '%.200s'",
		               path);
		return err_step(err, "storage");
	}
	r = hold(dir, how, path, what, state, ret, err);
	if (r == 0)
		(void)take_fd(&dir);
	return r;
}

int hold_directory(const char *path, const char *what, int state, struct holds *ret,
                   struct err *err)
{
	return open_and_hold(path, LOCK_EX, what, state, ret, err);
}

/* Whether it is ours already: a directory may be attached twice. */
static bool is_held(const struct holds *holds, const struct source_fact *fact)
{
	struct stat st;

	for (size_t i = 0; i < holds->n; i++)
		if (fstat(holds->fd[i], &st) == 0 && st.st_dev == fact->dev &&
		    st.st_ino == fact->ino)
			return true;
	return false;
}

int hold_volumes(const struct config *config, const struct facts *facts, int state,
                 struct holds *ret, struct err *err)
{
	for (size_t i = 0; i < config->volume_n; i++) {
		const struct volume *v = &config->volume[i];

		if (v->read_only || !facts->source[i].directory ||
		    !storage_has_layers(v->target) || is_held(ret, &facts->source[i]))
			continue;
		if (hold_directory(v->source, "Docker's directory", state, ret, err) < 0)
			return -err->code;
	}
	/* After those that are ours alone: a seed may be many workspaces', but not while its
	 * Docker runs. */
	for (size_t i = 0; i < config->volume_n; i++) {
		const struct volume *v = &config->volume[i];

		if (v->seed && facts->source[i].directory &&
		    !is_held(ret, &facts->source[i]) &&
		    open_and_hold(v->source, LOCK_SH, "Docker's directory", state, ret,
		                  err) < 0)
			return -err->code;
	}
	return 0;
}

void hold_end(struct holds *holds)
{
	while (holds->n > 0)
		drop_fd(&holds->fd[--holds->n]);
}
