#include "cgroups/remove.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/tree.h"

#define WAIT_MS 2000

/* The kernel may say EBUSY for a moment after the last process of a group is gone. */
#define RMDIR_TRIES 50
#define RMDIR_PAUSE_MS 10

/* Groups may be nested only so deep by cgroup.max.depth; more is not ours to walk. */
#define DEPTH_MAX 64

static int64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * (int64_t)1000 + ts.tv_nsec / 1000000;
}

static bool populated(int events)
{
	char text[256];
	ssize_t n = pread(events, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return false;
	text[n] = '\0';
	return strstr(text, "populated 1") != NULL;
}

/* cgroup.events changes when the last process below @group has gone (cgroup-v2.rst). */
static void wait_until_empty(int group)
{
	cleanup_close int events = openat(group, "cgroup.events", O_RDONLY | O_CLOEXEC);
	int64_t end = now_ms() + WAIT_MS;

	while (events >= 0 && populated(events)) {
		struct pollfd pfd = { .fd = events, .events = POLLPRI };
		int64_t left = end - now_ms();

		if (left <= 0)
			return;
		if (poll(&pfd, 1, (int)left) < 0 && errno != EINTR)
			return;
	}
}

static int remove_dir(int parent, const char *name, struct err *err)
{
	const struct timespec pause = { .tv_nsec = RMDIR_PAUSE_MS * 1000000L };

	for (int tries = 0; tries < RMDIR_TRIES; tries++) {
		if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return 0;
		if (errno != EBUSY)
			break;
		(void)nanosleep(&pause, NULL);
	}
	return err_set(err, errno, "remove cgroup '%s'", name);
}

static void close_dirp(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

static int remove_below(int parent, const char *name, unsigned int depth, struct err *err)
{
	cleanup_close int fd = tree_open(parent, name, err);
	__attribute__((cleanup(close_dirp))) DIR *dir = NULL;
	const struct dirent *entry;
	int r;

	if (fd == -ENOENT) {
		err_clear(err);
		return 0;
	}
	if (fd < 0)
		return fd;
	if (depth == DEPTH_MAX)
		return err_set(err, ELOOP, "remove cgroup '%s': nested too deeply", name);
	dir = fdopendir(fd);
	if (!dir)
		return err_set(err, errno, "list cgroup '%s'", name);
	(void)take_fd(&fd);
	while ((entry = readdir(dir))) {
		if (entry->d_type != DT_DIR || !strcmp(entry->d_name, ".") ||
		    !strcmp(entry->d_name, ".."))
			continue;
		r = remove_below(dirfd(dir), entry->d_name, depth + 1, err);
		if (r < 0)
			return r;
	}
	return remove_dir(parent, name, err);
}

int cgroup_remove(int parent, const char *name, struct err *err)
{
	cleanup_close int group = -EBADF;

	if (strncmp(name, CGROUP_PREFIX, strlen(CGROUP_PREFIX)) != 0)
		return err_set(err, EINVAL, "remove cgroup '%s', which is not ours",
		               name);
	group = tree_open(parent, name, err);
	if (group == -ENOENT) {
		err_clear(err);
		return 0;
	}
	if (group < 0)
		return err_wrap(err, "remove cgroup '%s'", name);
	if (file_write(group, "cgroup.kill", "1", err) < 0)
		err_clear(err);
	wait_until_empty(group);
	return remove_below(parent, name, 0, err);
}
