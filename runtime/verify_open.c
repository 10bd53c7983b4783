#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <linux/sockios.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "mounts.h"
#include "netns/netlink.h"
#include "pidfd.h"
#include "spawn.h"
#include "sync.h"
#include "verify.h"

#define TABLE_MAX (64U << 20)
#define STATUS_MAX_BYTES 16384

/*
 * What has to be opened in another namespace a child opens there, and hands over: it leaves
 * ours for good. It stays in our PID namespace, so that nobody inside sees it.
 */
struct errand {
	const struct verify *verify;
	int (*run)(const struct errand *errand, int ret[2], struct err *err);
	int sock, gateway;
	char (*budget)[24]; /* shared with the child */
};

static int enter(int fd, int type, const char *what, struct err *err)
{
	if (setns(fd, type) < 0)
		return err_set(err, errno, "enter %s", what);
	return 0;
}

/* The kernel shows each reader the limits of its own user namespace. */
static int read_budgets(const struct errand *errand, int ret[2], struct err *err)
{
	int r = enter(errand->verify->outer, CLONE_NEWUSER,
	              "the user namespace above the workspace", err);

	(void)ret;
	for (size_t i = 0; r == 0 && i < BUDGET_N; i++) {
		struct err ignored = { 0 };
		char path[128];

		if (!budget_info[i].file)
			continue;
		(void)snprintf(path, sizeof(path), "/proc/sys/user/%s",
		               budget_info[i].file);
		if (file_read(AT_FDCWD, path, errand->budget[i],
		              sizeof(errand->budget[i]), &ignored) < 0)
			errand->budget[i][0] = '\0';
		errand->budget[i][strcspn(errand->budget[i], "\n")] = '\0';
	}
	return r;
}

/* Its root, not that of any process: PID 1 may have changed its own. */
static int open_mounts(const struct errand *errand, int ret[2], struct err *err)
{
	const int *fd = errand->verify->fd;
	cleanup_close int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (proc < 0)
		return err_set(err, errno, "open '/proc'");
	r = enter(fd[CONTROL_NS + NS_USER], CLONE_NEWUSER,
	          "the workspace's user namespace", err);
	if (r == 0)
		r = enter(fd[CONTROL_NS + NS_MOUNT], CLONE_NEWNS,
		          "the workspace's mount namespace", err);
	if (r < 0)
		return r;
	ret[0] = openat(proc, "self/mountinfo", O_RDONLY | O_CLOEXEC);
	return ret[0] < 0 ? err_set(err, errno, "open its mount table") : 0;
}

static int open_sockets(int ret[2], struct err *err)
{
	ret[0] = netlink_open(NETLINK_ROUTE, err);
	if (ret[0] < 0)
		return ret[0];
	ret[1] = netlink_open(NETLINK_NETFILTER, err);
	return ret[1] < 0 ? ret[1] : 0;
}

static int open_gateway(const struct errand *errand, int ret[2], struct err *err)
{
	int r = enter(errand->verify->outer, CLONE_NEWUSER,
	              "the user namespace above the workspace", err);

	if (r == 0)
		r = enter(errand->gateway, CLONE_NEWNET, "the gateway", err);
	return r < 0 ? r : open_sockets(ret, err);
}

/* In namespaces of our own, which count for us and not for the workspace. */
static int pose(const struct errand *errand, int ret[2], struct err *err)
{
	const struct packed_plan *plan = &errand->verify->plan;
	int r;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return err_set(err, errno, "make a gateway to compare with");
	r = portrait_pose(&plan->gateway, &plan->relay,
	                  plan->net == NET_PASTA ? &plan->pasta : NULL, err);
	return r < 0 ? err_wrap(err, "make a gateway to compare with")
	             : open_sockets(ret, err);
}

static int errand_main(void *arg)
{
	const struct errand *errand = arg;
	int fd[2] = { -EBADF, -EBADF };
	struct err err = { 0 };
	int r = errand->run(errand, fd, &err);

	if (r == 0)
		r = sync_send(errand->sock, SYNC_SOCKETS, 0, fd, 2, &err);
	if (r < 0)
		sync_fail(errand->sock, &err);
	return 0;
}

static int send_out(struct errand *errand, int ret[2], struct err *err)
{
	const struct spawn spec = { .cgroup = -EBADF,
		                    .child = errand_main,
		                    .arg = errand };
	cleanup_close int ours = -EBADF, its = -EBADF, pidfd = -EBADF;
	int pair[2], status, r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(err, errno, "make a socket pair");
	ours = pair[0];
	its = pair[1];
	errand->sock = its;
	pid = spawn(&spec, &pidfd, err);
	if (pid < 0)
		return pid;
	drop_fd(&its);
	r = sync_expect(ours, SYNC_SOCKETS, NULL, ret, 2, err);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return r;
}

static int look_at_budgets(struct verify *verify, struct err *err)
{
	const size_t size = BUDGET_N * sizeof(*((struct errand *)NULL)->budget);
	struct errand errand = { .verify = verify, .run = read_budgets };
	int nothing[2], r;

	errand.budget = mmap(NULL, size, PROT_READ | PROT_WRITE,
	                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (errand.budget == MAP_FAILED)
		return err_set(err, errno, "share memory with a child");
	r = send_out(&errand, nothing, err);
	for (size_t i = 0; r == 0 && i < BUDGET_N; i++)
		if (errand.budget[i][0])
			verify->budget[i] = arena_dup(verify->arena, errand.budget[i]);
	(void)munmap(errand.budget, size);
	return r;
}

/* Of the child that opened it nothing is left to open it by again. */
static int read_opened(int fd, struct arena *arena, const char **ret, struct err *err)
{
	size_t size = 0, used = 0;
	char *text = NULL;
	ssize_t n = 1;

	while (n != 0) {
		if (used + 1 >= size) {
			size_t more = size ? size * 4 : 65536;
			char *bigger = more > TABLE_MAX ? NULL : arena_alloc(arena, more);

			if (!bigger)
				return err_set(err, EFBIG, "read a mount table");
			if (used > 0)
				memcpy(bigger, text, used);
			text = bigger;
			size = more;
		}
		n = read(fd, text + used, size - used - 1);
		if (n < 0 && errno != EINTR)
			return err_set(err, errno, "read a mount table");
		used += n > 0 ? (size_t)n : 0;
	}
	*ret = text; /* the arena's memory is zeroed */
	return 0;
}

static int look_at_mounts(struct verify *verify, struct err *err)
{
	struct errand errand = { .verify = verify, .run = open_mounts };
	int fd[2], r = send_out(&errand, fd, err);
	const char *text = NULL;
	char path[64];

	if (r < 0)
		return r;
	r = read_opened(fd[0], verify->arena, &text, err);
	drop_fd(&fd[0]);
	if (r == 0)
		r = mounts_parse(text, verify->arena, &verify->mount, &verify->mount_n,
		                 err);
	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), "/proc/%d/mountinfo", verify->supervisor);
	if (file_slurp(AT_FDCWD, path, TABLE_MAX, verify->arena, &text, err) < 0)
		return -err->code;
	return mounts_parse(text, verify->arena, &verify->pod, &verify->pod_n, err);
}

static int take(struct errand *errand, struct portrait *ret, struct err *err)
{
	int fd[2], r = send_out(errand, fd, err);

	if (r < 0)
		return r;
	r = portrait_take(fd[0], fd[1], ret, err);
	drop_fd(&fd[0]);
	drop_fd(&fd[1]);
	return r;
}

static int look_at_gateway(struct verify *verify, struct err *err)
{
	struct errand errand = { .verify = verify };
	cleanup_close int gateway = -EBADF;
	int r;

	if (verify->fd[CONTROL_ROUTES] < 0)
		return 0;
	gateway = ioctl(verify->fd[CONTROL_ROUTES], SIOCGSKNS);
	if (gateway < 0)
		return err_set(err, errno, "find the gateway's network namespace");
	verify->has_gateway = true;
	errand.gateway = gateway;
	errand.run = open_gateway;
	r = take(&errand, &verify->real, err);
	if (r < 0)
		return r;
	errand.run = pose;
	return take(&errand, &verify->posed, err);
}

static int read_status(struct verify *verify, pid_t pid, const char **ret,
                       struct err *err)
{
	char path[64], *text = arena_alloc(verify->arena, STATUS_MAX_BYTES);

	(void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
	if (!text)
		return err_set(err, ENOMEM, "read '%s'", path);
	*ret = text;
	return file_status(AT_FDCWD, path, text, STATUS_MAX_BYTES, err) < 0 ? -err->code
	                                                                    : 0;
}

/* Init's parent is the warden, and the warden's the supervisor, while they live. */
static int look_at_processes(struct verify *verify, struct err *err)
{
	int r;

	verify->init = pidfd_pid(AT_FDCWD, verify->fd[CONTROL_INIT], err);
	if (verify->init < 0)
		return verify->init;
	r = read_status(verify, verify->init, &verify->init_status, err);
	if (r < 0)
		return r;
	verify->warden = atoi(verify_status(verify, verify->init_status, "PPid"));
	r = read_status(verify, verify->warden, &verify->warden_status, err);
	if (r < 0)
		return r;
	verify->supervisor = atoi(verify_status(verify, verify->warden_status, "PPid"));
	return read_status(verify, verify->supervisor, &verify->supervisor_status, err);
}

/* Upwards from the group that the supervisor holds, by nobody's path. */
static int look_at_groups(struct verify *verify, struct err *err)
{
	if (verify->fd[CONTROL_CGROUP] < 0)
		return 0;
	verify->limits = openat(verify->fd[CONTROL_CGROUP], "..",
	                        O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (verify->limits >= 0)
		verify->own =
			openat(verify->limits, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (verify->own < 0)
		return err_set(err, errno, "open the groups above the workspace");
	return 0;
}

int verify_open(struct verify *verify, int entry, struct err *err)
{
	const struct control_request request = { .verb = CONTROL_PLAN };
	struct control_reply reply;
	int r;

	for (size_t i = 0; i < CONTROL_FDS; i++)
		verify->fd[i] = -EBADF;
	verify->outer = verify->limits = verify->own = -EBADF;
	verify->real.arena = verify->posed.arena = verify->arena;
	r = control_ask(entry, &request, &reply, verify->fd, err);
	if (r == 0)
		r = plan_unpack(verify->fd[CONTROL_STEPS], verify->arena, &verify->plan,
		                err);
	if (r < 0)
		return r;
	verify->outer = ioctl(verify->fd[CONTROL_NS + NS_USER], NS_GET_PARENT);
	if (verify->outer < 0)
		return err_set(err, errno, "find the user namespace above the workspace");
	r = look_at_processes(verify, err);
	if (r == 0)
		r = look_at_groups(verify, err);
	if (r == 0)
		r = look_at_budgets(verify, err);
	if (r == 0)
		r = look_at_mounts(verify, err);
	return r < 0 ? r : look_at_gateway(verify, err);
}

void verify_close(struct verify *verify)
{
	for (size_t i = 0; i < CONTROL_FDS; i++)
		drop_fd(&verify->fd[i]);
	drop_fd(&verify->outer);
	drop_fd(&verify->limits);
	drop_fd(&verify->own);
}
