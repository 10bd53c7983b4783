#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/syscall.h"
#include "join_internal.h"
#include "pidfd.h"

/* From outside: where the workspace's init is. */

static void drop_all(int fd[NS_MAX])
{
	for (int i = 0; i < NS_MAX; i++)
		drop_fd(&fd[i]);
}

/* By the pidfd alone, which no other process can come to stand for. */
static int open_by_pidfd(int init, enum ns ns)
{
	return sys_pidfd_namespace(init, ns_info[ns].flag);
}

/* goes when Linux 6.11 is the oldest that we run on; a security module may know no such request, too. */
static int open_by_number(pid_t init, enum ns ns, struct err *err)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", init, ns_info[ns].name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_set(err, errno, "open '%s'", path) : fd;
}

static int open_all(int init, unsigned int set, int fd[NS_MAX], struct err *err)
{
	pid_t pid = 0;

	for (int i = 0; i < NS_MAX; i++) {
		if (!(set & NS_BIT(i)))
			continue;
		if (pid == 0)
			fd[i] = open_by_pidfd(init, (enum ns)i);
		if (fd[i] >= 0)
			continue;
		if (pid == 0 && errno == ESRCH)
			return err_set(err, errno, "open its %s namespace",
			               ns_info[i].name);
		if (pid == 0)
			pid = pidfd_pid(AT_FDCWD, init, err);
		if (pid < 0)
			return pid;
		fd[i] = open_by_number(pid, (enum ns)i, err);
		if (fd[i] < 0)
			return -err->code;
	}
	/* Only while it lives was the number its own; and who cannot be signalled cannot be stopped. */
	if (sys_pidfd_send_signal(init, 0) < 0)
		return err_set(err, errno, "find the workspace's init");
	return 0;
}

int join_namespaces(int init, unsigned int set, int ret[NS_MAX], struct err *err)
{
	int fd[NS_MAX];

	for (int i = 0; i < NS_MAX; i++)
		fd[i] = -EBADF;
	if (open_all(init, set, fd, err) < 0) {
		drop_all(fd);
		return err_wrap(err, "open the workspace's namespaces");
	}
	memcpy(ret, fd, sizeof(fd));
	return 0;
}

/*
 * The part of init's group that lies below the payload's. Both are known by paths that
 * start elsewhere: @payload at whatever is mounted where it was opened, @init at our
 * cgroup namespace. So: the longest beginning of @init that @payload ends with, or,
 * where the mount begins deeper than our namespace, the first place where @init goes
 * through @payload.
 */
static const char *below_payload(const char *payload, const char *init)
{
	size_t len = strlen(payload);

	for (size_t n = strlen(init); n > 0; n--) {
		if (init[n] != '/' && init[n] != '\0')
			continue;
		if (n <= len && strncmp(payload + len - n, init, n) == 0)
			return init[n] == '/' ? init + n + 1 : "";
	}
	for (const char *p = init; p; p = strchr(p + 1, '/'))
		if (!strncmp(p, payload, len) && (p[len] == '/' || p[len] == '\0'))
			return p[len] ? p + len + 1 : "";
	return init + 1; /* the payload's is the root of what both see */
}

/* The line of cgroup2 in /proc/PID/cgroup, cgroups(7). */
static int group_of(pid_t pid, char *ret, size_t size, struct err *err)
{
	char path[64], text[8192];
	char *line, *rest = text;

	(void)snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	if (file_read(AT_FDCWD, path, text, sizeof(text), err) < 0)
		return -err->code;
	while ((line = strsep(&rest, "\n"))) {
		if (strncmp(line, "0::/", 4) != 0)
			continue;
		if (strlen(line + 3) >= size)
			return err_set(err, ENAMETOOLONG, "the group of process %d", pid);
		(void)snprintf(ret, size, "%s", line + 3);
		return 0;
	}
	return err_set(err, ENOENT, "find process %d in cgroup2", pid);
}

/*
 * Init's own group, not the payload's: once systemd enabled controllers there, no
 * process may sit in it (cgroup-v2.rst, "No Internal Process Constraint"). Below the
 * payload's by descriptor: where root inside moved init to is its own affair, but
 * never a group outside.
 */
static int open_group(const struct join *join, pid_t init, struct err *err)
{
	const struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	cleanup_close int dir = -EBADF;
	char link[64], payload[4096], group[4096];
	const char *below;
	ssize_t n;
	int fd;

	if (group_of(init, group, sizeof(group), err) < 0)
		return -err->code;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", join->cgroup);
	n = readlink(link, payload, sizeof(payload) - 1);
	if (n < 0)
		return err_set(err, errno, "name the workspace's group");
	payload[n] = '\0';
	below = below_payload(payload, group);
	dir = sys_openat2(join->cgroup, *below ? below : ".", &how);
	if (dir < 0)
		return err_set(err, errno, "open init's group '%s'", group);
	fd = openat(dir, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, errno, "open 'cgroup.procs' of init's group");
	return fd;
}

int join_find(struct joining *j, struct err *err)
{
	pid_t init = pidfd_pid(AT_FDCWD, j->join->init, err);
	char path[64];

	if (init < 0)
		return init;
	(void)snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", init);
	if (file_read(AT_FDCWD, path, j->oom, sizeof(j->oom), err) < 0)
		return -err->code;
	j->oom[strcspn(j->oom, "\n")] = '\0';
	for (size_t i = 0; i < CGROUP1_MAX; i++) {
		if (j->join->cgroup1[i] < 0)
			continue;
		j->group1[i] =
			openat(j->join->cgroup1[i], "cgroup.procs", O_WRONLY | O_CLOEXEC);
		if (j->group1[i] < 0) {
			(void)err_set(err, errno, "open 'cgroup.procs' of cgroup v1");
			return err_step(err, "cgroup");
		}
	}
	if (j->join->cgroup < 0)
		return 0;
	j->group = open_group(j->join, init, err);
	return j->group < 0 ? err_step(err, "cgroup") : 0;
}
