#include "join.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "join_internal.h"
#include "pidfd.h"
#include "spawn.h"
#include "sync.h"

/* User first: the capabilities for all the others come with it. */
static const enum ns join_order[NS_MAX] = {
	NS_USER, NS_MOUNT, NS_PID, NS_NET, NS_IPC, NS_UTS, NS_CGROUP,
};

/* The command's status, as a shell has it. */
static int reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 128 + SIGKILL;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Waits for @child to end, and ends it when the other side of @sock is gone. */
static int see_to_end(int sock, pid_t child, int pidfd)
{
	struct pollfd source[] = { { .fd = pidfd, .events = POLLIN }, { .fd = sock } };
	struct err ignored = { 0 };

	while (poll(source, 2, -1) < 0 || !source[0].revents) {
		if (!(source[1].revents & (POLLHUP | POLLERR)))
			continue;
		(void)pidfd_kill(pidfd, SIGKILL, &ignored);
		source[1].fd = -1;
	}
	return reap(child);
}

static int join_group(int procs, struct err *err)
{
	if (procs < 0 || write(procs, "0", 1) == 1)
		return 0;
	(void)err_set(err, errno, "join the workspace's group");
	return err_step(err, "cgroup");
}

static int enter_one(const struct join *join, enum ns ns, struct err *err)
{
	if (join->ns[ns] < 0 || setns(join->ns[ns], (int)ns_info[ns].flag) == 0)
		return 0;
	(void)err_set(err, errno, "enter the workspace's %s namespace", ns_info[ns].name);
	return err_step(err, "join");
}

/* The group is named from outside, so its namespace is the last one. */
static int join_groups(const struct joining *j, struct err *err)
{
	int r = join_group(j->group, err);

	for (size_t i = 0; r == 0 && i < CGROUP1_MAX; i++)
		r = join_group(j->group1[i], err);
	return r < 0 ? r : enter_one(j->join, NS_CGROUP, err);
}

/*
 * waiter() - Has the command for a child, and tells the client how it ended
 *
 * Where we are: as the command will be; a child of the workspace's init, which reaps us. The
 * kernel ends no PID namespace before each process of it was reaped
 * (zap_pid_ns_processes()): were the command a child of somebody outside, one that is
 * stopped, frozen or gone would hold the workspace.
 *
 * Root inside may stop or kill us: the client then gives up on us, and the command ends
 * with us. We hold one socket, nothing of the client's output, so that whoever reads
 * that sees its end.
 */
static int waiter(const struct joining *j)
{
	const struct spawn spec = { .cgroup = -EBADF,
		                    .child = join_command,
		                    .arg = (void *)j };
	struct err err = { 0 };
	int pidfd = -EBADF;
	pid_t pid = spawn(&spec, &pidfd, &err);
	const int keep[] = { j->waiter_sock, pidfd };
	sigset_t all;

	words_forget(&j->words, "berth-exec");
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, NULL);
	if (pid < 0 || sync_send(j->waiter_sock, SYNC_BORN, 0, &pidfd, 1, &err) < 0 ||
	    fd_keep_only(keep, 2, &err) < 0) {
		sync_fail(j->waiter_sock, &err);
		return EXEC_FAILED;
	}
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		(void)close(fd);
	return sync_send(j->waiter_sock, SYNC_EXITED,
	                 see_to_end(j->waiter_sock, pid, pidfd), NULL, 0, &err);
}

/* The command itself, a child of init as any daemon. */
static int detached(const struct joining *j)
{
	struct err err = { 0 };

	if (sync_send(j->waiter_sock, SYNC_BORN, 0, NULL, 0, &err) < 0)
		return EXEC_FAILED;
	return join_command((void *)j);
}

/* The first one inside: leaves its child, by its own end, to the workspace's init. */
static int usher(void *arg)
{
	const struct joining *j = arg;
	struct err err = { 0 };
	pid_t pid = fork();

	if (pid > 0)
		return 0;
	(void)sigprocmask(SIG_SETMASK, &j->mask, NULL);
	if (pid < 0)
		(void)err_set(&err, errno, "leave the client");
	else
		(void)join_groups(j, &err);
	if (err.code) {
		sync_fail(j->waiter_sock, &err);
		return EXEC_FAILED;
	}
	return j->join->detach ? detached(j) : waiter(j);
}

/* All but the cgroup namespace: see join_groups(). */
static int enter(const struct join *join, struct err *err)
{
	for (size_t i = 0; i < NS_MAX; i++)
		if (join_order[i] != NS_CGROUP && enter_one(join, join_order[i], err) < 0)
			return -err->code;
	return 0;
}

/* Lowering it takes CAP_SYS_RESOURCE: then ours is the higher one, and may stay. */
static int take_oom_score(const struct joining *j, struct err *err)
{
	int r = file_write(AT_FDCWD, "/proc/self/oom_score_adj", j->oom, err);

	if (r == -EACCES) {
		err_clear(err);
		return 0;
	}
	return r < 0 ? err_step(err, "oom") : 0;
}

static int cross(const struct joining *j, struct err *err)
{
	const struct spawn spec = { .cgroup = -EBADF, .child = usher, .arg = (void *)j };
	cleanup_close int pidfd = -EBADF;
	pid_t pid;
	int r = take_oom_score(j, err);

	if (r == 0)
		r = join_hide(err);
	if (r == 0)
		r = enter(j->join, err);
	if (r == 0)
		r = join_hide(err);
	if (r < 0)
		return r;
	pid = spawn(&spec, &pidfd, err);
	if (pid < 0)
		return pid;
	(void)see_to_end(j->waiter_sock, pid, pidfd);
	return 0;
}

/*
 * What the caller has as 0, 1 and 2 stays outside: root inside can stop who holds it, for as long as
 * he likes, and whoever waits for the end of that pipe would, too. Ours may be those that are
 * kept, where the caller had closed his.
 */
static int leave_stdio(const int *keep, size_t n, struct err *err)
{
	cleanup_close int null = open("/dev/null", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (null < 0)
		return err_set(err, errno, "open '/dev/null'");
	for (int fd = 0; fd < 3; fd++) {
		bool kept = false;

		for (size_t i = 0; i < n; i++)
			kept |= keep[i] == fd;
		if (!kept && fd_hand_down(null, fd, err) < 0)
			return -err->code;
	}
	return 0;
}

/*
 * crosser() - From outside into the namespaces, and no further
 *
 * A process enters a PID namespace by its next child only. That one is the usher, and we
 * outlive it whatever the client does: see waiter(). In a group outside, where root
 * inside can neither freeze nor end us; deaf to the terminal, whose signals are the
 * client's.
 */
static int crosser(void *arg)
{
	struct joining *j = arg;
	const struct join *join = j->join;
	int keep[6 + NS_MAX + CGROUP1_MAX] = { j->waiter_sock, j->sock,
		                               j->group,       join->stdio[0],
		                               join->stdio[1], join->stdio[2] };
	struct err err = { 0 };
	sigset_t all;

	memcpy(keep + 6, join->ns, sizeof(join->ns));
	memcpy(keep + 6 + NS_MAX, j->group1, sizeof(j->group1));
	(void)setsid();
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, &j->mask);
	words_find(&j->words);
	if (leave_stdio(keep, sizeof(keep) / sizeof(keep[0]), &err) < 0 ||
	    fd_keep_only(keep, sizeof(keep) / sizeof(keep[0]), &err) < 0 ||
	    cross(j, &err) < 0) {
		sync_fail(j->waiter_sock, &err);
		return EXEC_FAILED;
	}
	return 0;
}

/* Makes both pairs; our ends in @ret, the children's in @j. */
static int open_pairs(struct joining *j, int ret[2], struct err *err)
{
	int *const theirs[] = { &j->waiter_sock, &j->sock };

	for (int i = 0; i < 2; i++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
			return err_set(err, errno, "make a socket pair");
		ret[i] = pair[0];
		*theirs[i] = pair[1];
	}
	return 0;
}

static void drop_groups(struct joining *j)
{
	drop_fd(&j->group);
	for (size_t i = 0; i < CGROUP1_MAX; i++)
		drop_fd(&j->group1[i]);
}

/* Starts the crosser and sees it off; it leaves who waits, who tells the command's pidfd. */
static int start(struct joining *j, int sock, int *ret_pidfd, struct err *err)
{
	const struct spawn spec = { .cgroup = -EBADF, .child = crosser, .arg = j };
	cleanup_close int pidfd = -EBADF;
	pid_t pid = spawn(&spec, &pidfd, err);
	int r;

	drop_fd(&j->waiter_sock);
	drop_fd(&j->sock);
	drop_groups(j);
	if (pid < 0)
		return pid;
	r = sync_expect(sock, SYNC_BORN, NULL, ret_pidfd, 1, err);
	(void)reap(pid);
	return r;
}

int join_start(const struct join *join, struct joined *ret, struct err *err)
{
	struct joining j = {
		.join = join, .group = -EBADF, .waiter_sock = -EBADF, .sock = -EBADF
	};

	for (size_t i = 0; i < CGROUP1_MAX; i++)
		j.group1[i] = -EBADF;
	int sock[2] = { -EBADF, -EBADF }, pidfd = -EBADF, master = -EBADF;
	int r = join_find(&j, err);

	if (r == 0)
		r = open_pairs(&j, sock, err);
	if (r == 0)
		r = start(&j, sock[0], &pidfd, err);
	if (r == 0)
		r = sync_expect(sock[1], SYNC_READY, NULL, &master, 1, err);
	if (r == 0) {
		*ret = (struct joined){ .waiter = sock[0],
			                .pidfd = pidfd,
			                .master = master,
			                .sock = sock[1] };
		return 0;
	}
	/* Who waits for the command ends it now that we are not there. */
	drop_fd(&sock[0]);
	drop_fd(&pidfd);
	drop_fd(&sock[1]);
	drop_groups(&j);
	drop_fd(&j.waiter_sock);
	drop_fd(&j.sock);
	return r;
}

int join_patience(int sock, int signals, struct err *err)
{
	struct pollfd source[] = {
		{ .fd = sock, .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
	};

	for (;;) {
		struct signalfd_siginfo info;

		if (poll(source, 2, -1) < 0 && errno != EINTR)
			return err_set(err, errno, "wait for the workspace");
		if (source[0].revents)
			return 0;
		if (!source[1].revents ||
		    read(signals, &info, sizeof(info)) != sizeof(info))
			continue;
		if (info.ssi_signo == SIGINT || info.ssi_signo == SIGTERM ||
		    info.ssi_signo == SIGHUP || info.ssi_signo == SIGQUIT)
			return err_set(err, EINTR, "signal %u before the command began",
			               info.ssi_signo);
	}
}

int join_go(const struct join *join, const struct joined *joined, int signals,
            struct err *err)
{
	cleanup_close int listener = -EBADF;
	int r = sync_send(joined->sock, SYNC_GO, 0, NULL, 0, err);

	if (r < 0 || join->listener < 0)
		return r;
	if (signals >= 0)
		r = join_patience(joined->sock, signals, err);
	if (r < 0)
		return r;
	r = sync_expect(joined->sock, SYNC_LISTENER, NULL, &listener, 1, err);
	return r < 0 ? r : sync_send(join->listener, SYNC_LISTENER, 0, &listener, 1, err);
}

int join_status(const struct joined *joined)
{
	struct pollfd told = { .fd = joined->waiter, .events = POLLIN };
	struct err ignored = { 0 };
	int32_t status;

	if (poll(&told, 1, 0) < 1 ||
	    sync_expect(joined->waiter, SYNC_EXITED, &status, NULL, 0, &ignored) < 0)
		return 128 + SIGKILL;
	return status;
}
