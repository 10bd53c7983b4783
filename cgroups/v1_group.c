#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "cgroups/remove.h"
#include "cgroups/v1.h"
#include "cgroups/v1_program.h"

static int inherit_cpuset(int dir, struct err *err)
{
	static const char *const files[][2] = { { "../cpuset.cpus", "cpuset.cpus" },
		                                { "../cpuset.mems", "cpuset.mems" } };
	char text[4096];

	if (faccessat(dir, files[0][1], F_OK, 0) < 0)
		return 0;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (file_read(dir, files[i][0], text, sizeof(text), err) < 0)
			return -err->code;
		text[strcspn(text, "\n")] = '\0';
		if (file_write(dir, files[i][1], text, err) < 0)
			return -err->code;
	}
	return 0;
}

/* Removes what a killed berth left; a group with processes is somebody's. */
static int make_room(int own, const char *path, struct err *err)
{
	char procs[512], text[64];

	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(procs, sizeof(procs), "%s%s/cgroup.procs", path,
		               i == 0 ? "" : "/payload");
		if (file_read(own, procs, text, sizeof(text), err) > 0 ||
		    err->code == EFBIG) {
			err_clear(err);
			(void)err_set(err, EBUSY, "the group '%s' has processes already",
			              path);
			return err_hint(err, "a workspace of this name runs with another "
			                     "runtime directory: choose another name");
		}
		err_clear(err);
	}
	return cgroup_remove(own, path, err);
}

int cgroup1_make(int own, const char *path, struct err *err)
{
	int fd, r = mkdirat(own, path, 0755) < 0 ? -errno : 0;

	if (r == -EEXIST && !strchr(path, '/')) {
		r = make_room(own, path, err);
		if (r < 0)
			return r;
		r = mkdirat(own, path, 0755) < 0 ? -errno : 0;
	}
	if (r < 0)
		return err_set(err, -r, "make the group '%s'", path);
	fd = openat(own, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, errno, "open the group '%s'", path);
	if (inherit_cpuset(fd, err) < 0) {
		(void)close(fd);
		return -err->code;
	}
	return fd;
}

/* The child: berth-cgroup1 with the group's directory, and nothing else of ours. */
static void __attribute__((noreturn))
run(const char *writer, int dir, int complaints, char *const argv[])
{
	char *const no_environment[] = { NULL };
	struct err err = { 0 };
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(complaints, STDERR_FILENO) < 0)
		_exit(EIO);
	if (fd_hand_down(dir, CGROUP1_DIR_FD, &err) < 0)
		_exit(err.code);
	(void)execve(writer, argv, no_environment);
	_exit(errno);
}

static int write_value(const char *writer, int dir, char *const argv[], struct err *err)
{
	cleanup_close int ours = -EBADF, theirs = -EBADF;
	char text[200] = "";
	int pair[2], status;
	ssize_t n;
	pid_t pid;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_set(err, errno, "make a pipe");
	ours = pair[0];
	theirs = pair[1];
	pid = fork();
	if (pid < 0)
		return err_set(err, errno, "start '%s'", writer);
	if (pid == 0)
		run(writer, dir, theirs, argv);
	drop_fd(&theirs);
	do
		n = read(ours, text, sizeof(text) - 1);
	while (n < 0 && errno == EINTR);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_set(err, errno, "wait for '%s'", writer);
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return err_set(err, WIFEXITED(status) ? WEXITSTATUS(status) : EIO,
	               "write '%s' to '%s' of cgroup v1%s%s", argv[4], argv[3],
	               *text ? ": " : "", text);
}

int cgroup1_limit(const char *writer, const struct cgroup1_fact *fact, int own,
                  const char *path, enum knob knob, const char *value, struct err *err)
{
	const char *slash = strrchr(path, '/');
	char group[4096], name[4096], shown[4096];
	char *const argv[] = { (char *)"berth-cgroup1",
		               (char *)knob_info[knob].controller_v1,
		               name,
		               (char *)(slash ? slash + 1 : path),
		               (char *)value,
		               NULL };
	cleanup_close int dir = -EBADF;

	if (!slash)
		return err_set(err, EINVAL, "write '%s' of our own group", path);
	(void)snprintf(group, sizeof(group), "%.*s", (int)(slash - path), path);
	if (snprintf(name, sizeof(name), "%s/%s", fact->own[1] ? fact->own + 1 : ".",
	             group) >= (int)sizeof(name))
		return err_set(err, ENAMETOOLONG, "name the group '%s'", group);
	dir = openat(own, group, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return err_set(err, errno, "open the group '%s'", group);
	if (write_value(writer, dir, argv, err) < 0)
		return -err->code;
	if (file_read(dir, argv[3], shown, sizeof(shown), err) < 0)
		return -err->code;
	if (!knob_holds(knob, value, shown))
		return err_set(err, EOPNOTSUPP,
		               "'%s' was written to '%s', and it says '%.*s'", value,
		               path, (int)strcspn(shown, "\n"), shown);
	return 0;
}

/* A file of counters; "" where there is none. */
static void read_counters(int dir, const char *name, char *ret, size_t size)
{
	struct err ignored = { 0 };

	ret[0] = '\0';
	if (dir >= 0 && file_read(dir, name, ret, size, &ignored) < 0)
		ret[0] = '\0';
}

static uint64_t read_number(int dir, const char *name)
{
	char text[64];

	read_counters(dir, name, text, sizeof(text));
	return strtoull(text, NULL, 10);
}

/* 64 pages: what the kernel charges at once, mm/memcontrol.c (MEMCG_CHARGE_BATCH). */
#define BATCH (256 * 1024)

/*
 * Whether the group's own limit was met. Where swap is limited too, that one may be, and
 * its counter stands still (seen on Linux 6.18): so by the most that was ever used.
 */
static bool was_full(int limits)
{
	uint64_t limit = read_number(limits, "memory.limit_in_bytes");
	uint64_t most = read_number(limits, "memory.max_usage_in_bytes");

	return read_number(limits, "memory.failcnt") > 0 ||
	       (limit > 0 && most + BATCH >= limit);
}

void cgroup1_events(const struct cgroup1_group *group, struct cgroup_events *ret)
{
	char text[1024];

	read_counters(group->payload, "memory.oom_control", text, sizeof(text));
	ret->oom_kill += cgroup_events_number(text, NULL, "oom_kill");
	ret->memory_max += read_number(group->limits, "memory.failcnt");
	ret->oom += ret->oom_kill > 0 && was_full(group->limits);
	read_counters(group->payload, "pids.events", text, sizeof(text));
	ret->pids_max += cgroup_events_number(text, NULL, "max");
}
