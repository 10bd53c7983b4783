#include "cgroups/remove.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/tree.h"

#define WAIT_MS 2000

/* The kernel may say EBUSY for a moment after the last process of a group is gone. */
#define RMDIR_TRIES 50
#define RMDIR_PAUSE_MS 10

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
	int64_t end = clock_ms(CLOCK_MONOTONIC) + WAIT_MS;

	while (events >= 0 && populated(events)) {
		struct pollfd pfd = { .fd = events, .events = POLLPRI };
		int64_t left = end - clock_ms(CLOCK_MONOTONIC);

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

/*
 * Removes what can be removed among the groups in @here. Return: 1 with @ret naming one
 * that could not be for what is in it; 0 where none is left; else -errno.
 */
static int clear_level(int here, char ret[NAME_MAX + 1], bool *ret_progress,
                       struct err *err)
{
	cleanup_close int fd = openat(here, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	__attribute__((cleanup(close_dirp))) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir)
		return err_set(err, errno, "list a cgroup");
	(void)take_fd(&fd);
	while ((entry = readdir(dir))) {
		if (entry->d_type != DT_DIR || !strcmp(entry->d_name, ".") ||
		    !strcmp(entry->d_name, ".."))
			continue;
		if (unlinkat(here, entry->d_name, AT_REMOVEDIR) == 0) {
			*ret_progress = true;
			continue;
		}
		if (errno == ENOENT)
			continue;
		(void)snprintf(ret, NAME_MAX + 1, "%s", entry->d_name);
		if (errno == EBUSY)
			return 1;
		return err_set(err, errno, "remove cgroup '%s'", ret);
	}
	return 0;
}

/*
 * Root inside nests groups as deep as it likes: one descriptor serves for all levels.
 * ".." is safe, since groups of cgroup2 cannot be moved.
 */
static int remove_below(int group, struct err *err)
{
	const struct timespec pause = { .tv_nsec = RMDIR_PAUSE_MS * 1000000L };
	cleanup_close int here = openat(group, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[NAME_MAX + 1] = "";
	bool progress = false;
	size_t depth = 0;

	for (int idle = 0; here >= 0;) {
		int r = clear_level(here, name, &progress, err);
		int next;

		if (r < 0 || (r == 0 && depth == 0))
			return r;
		if (r == 1) {
			next = openat(here, name,
			              O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (next < 0 && errno == ENOENT)
				continue;
			depth++;
		} else {
			/* It has none below, and was busy: by now it may not be. */
			idle = progress ? 0 : idle + 1;
			if (idle == RMDIR_TRIES)
				return err_set(err, EBUSY, "remove cgroup '%s'", name);
			if (idle > 1)
				(void)nanosleep(&pause, NULL);
			progress = false;
			next = openat(here, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			depth--;
		}
		drop_fd(&here);
		here = next;
	}
	return err_set(err, errno, "open a cgroup below");
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
	if (remove_below(group, err) < 0)
		return err_wrap(err, "remove cgroup '%s'", name);
	return remove_dir(parent, name, err);
}
