#include "join.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/syscall.h"
#include "exec.h"
#include "pid1.h"
#include "pidfd.h"
#include "policies/caps.h"
#include "policies/seccomp.h"
#include "pty.h"
#include "spawn.h"
#include "sync.h"
#include "user.h"

/* What the processes of a start know. */
struct joining {
	const struct join *join;
	char oom[16];            /* init's oom_score_adj */
	int group;               /* cgroup.procs of init's group, or -EBADF */
	int group1[CGROUP1_MAX]; /* those of the payload's on cgroup v1 */
	struct words_area words; /* of our command line */
	sigset_t mask;           /* of whoever starts us */
	/* To whoever starts us, one each: of who waits for the command, and of the command.
	 * Neither speaks for the other. */
	int waiter_sock, sock;
};

/* User first: the capabilities for all the others come with it. */
static const enum ns join_order[NS_MAX] = {
	NS_USER, NS_MOUNT, NS_PID, NS_NET, NS_IPC, NS_UTS, NS_CGROUP,
};

static void drop_all(int fd[NS_MAX])
{
	for (int i = 0; i < NS_MAX; i++)
		drop_fd(&fd[i]);
}

static int open_namespace(pid_t init, enum ns ns, struct err *err)
{
	cleanup_close int fd = -EBADF;
	struct stat own, its;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/ns/%s", ns_info[ns].name);
	if (stat(path, &own) < 0)
		return errno == ENOENT ? -EBADF
		                       : err_set(err, errno, "look at '%s'", path);
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", init, ns_info[ns].name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &its) < 0)
		return err_set(err, errno, "open '%s'", path);
	if (own.st_dev == its.st_dev && own.st_ino == its.st_ino)
		return -EBADF;
	return take_fd(&fd);
}

int join_namespaces(int init, int ret[NS_MAX], struct err *err)
{
	pid_t pid = pidfd_pid(AT_FDCWD, init, err);
	int fd[NS_MAX];

	if (pid < 0)
		return pid;
	for (int i = 0; i < NS_MAX; i++)
		fd[i] = -EBADF;
	for (int i = 0; i < NS_MAX && err->code == 0; i++)
		fd[i] = open_namespace(pid, (enum ns)i, err);
	/* Only while it lives was the number its own. */
	if (err->code == 0 && sys_pidfd_send_signal(init, 0) < 0)
		(void)err_set(err, errno, "find the workspace's init");
	if (err->code) {
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

static int prepare(struct joining *j, struct err *err)
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

/*
 * Tied to whoever starts us: its death is ours, unless the command is to outlive it.
 * Said again after each change of credentials, which ends it (prctl(2)).
 */
static int tie(const struct joining *j, struct err *err)
{
	struct pollfd pfd = { .fd = j->sock, .events = POLLIN };

	if (prctl(PR_SET_PDEATHSIG, j->join->detach ? 0 : SIGKILL) < 0)
		return err_set(err, errno, "ask for a signal at the client's death");
	/* It may have died before; getppid() tells nothing in another PID namespace. */
	if (poll(&pfd, 1, 0) > 0 && (pfd.revents & POLLHUP))
		return err_set(err, ECONNRESET, "the client is gone");
	return 0;
}

/*
 * Not to be looked into. The memory is our caller's, and mm->user_ns is where it was
 * executed: no capability inside reaches it (__ptrace_may_access()). Set again after
 * each change of credentials: commit_creds() takes fs.suid_dumpable instead.
 */
static int hide(struct err *err)
{
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return err_set(err, errno, "hide our memory");
	return 0;
}

static int joiner_stdio(const struct joining *j, struct err *err)
{
	cleanup_close int master = -EBADF, slave = -EBADF, null = -EBADF;
	const int *fd = j->join->stdio;
	int r;

	if (setsid() < 0)
		return err_set(err, errno, "begin a session");
	if (!j->join->tty) {
		null = open("/dev/null", O_RDWR | O_NOCTTY | O_CLOEXEC);
		r = fd_replace_stdio(fd[0] >= 0 ? fd[0] : null, fd[1] >= 0 ? fd[1] : null,
		                     fd[2] >= 0 ? fd[2] : null, err);
		return r < 0 ? r : sync_send(j->sock, SYNC_READY, 0, NULL, 0, err);
	}
	r = pty_open(&master, &slave, err);
	if (r < 0)
		return r;
	if (j->join->size.ws_row > 0)
		(void)ioctl(slave, TIOCSWINSZ, &j->join->size);
	r = fd_replace_stdio(slave, slave, slave, err);
	if (r < 0)
		return r;
	if (ioctl(STDIN_FILENO, TIOCSCTTY, 0) < 0)
		return err_set(err, errno, "take the pty as controlling terminal");
	return sync_send(j->sock, SYNC_READY, 0, &master, 1, err);
}

static int change_user(const struct joining *j, struct err *err)
{
	const struct seccomp_filter *filter = seccomp_find("workspace");
	struct user user;
	char *const *envp;
	int r;

	r = user_lookup(j->join->user ? j->join->user : "0", &user, err);
	if (r < 0)
		return r;
	envp = exec_environment(j->join->env, user.home);
	user_take_stdio(&user);
	/* Where keyctl(2) is refused to us, it is to the workspace, too. */
	(void)sys_join_session_keyring();
	r = j->join->cap_drop ? caps_unbind(j->join->cap_drop, err) : 0;
	if (r < 0)
		return err_step(err, "capabilities");
	/* Before the user: it takes CAP_SYS_ADMIN, or no_new_privs, which breaks sudo. */
	r = filter ? seccomp_load(filter, err) : err_set(err, ENOENT, "find the filter");
	if (r < 0)
		return err_step(err, "seccomp");
	r = user_become(&user, err);
	if (r == 0)
		r = hide(err);
	if (r == 0)
		r = tie(j, err);
	if (r < 0)
		return r;
	return exec_command(j->join->command, envp, j->join->workdir, -EBADF, err);
}

static int become_command(const struct joining *j, struct err *err)
{
	const int keep[] = { j->sock, j->join->stdio[0], j->join->stdio[1],
		             j->join->stdio[2] };
	const int sock[] = { j->sock };
	int r = hide(err);

	if (r == 0)
		r = tie(j, err);
	if (r == 0)
		r = fd_keep_only(keep, sizeof(keep) / sizeof(keep[0]), err);
	if (r == 0)
		r = joiner_stdio(j, err);
	if (r == 0)
		r = fd_keep_only(sock, 1, err);
	if (r == 0)
		r = sync_expect(j->sock, SYNC_GO, NULL, NULL, 0, err);
	if (r == 0)
		r = fd_cloexec_all(err);
	return r < 0 ? r : change_user(j, err);
}

/*
 * joiner() - From our last look outside to the command
 *
 * Where we are: every namespace of the workspace; root of it, with all capabilities
 * there. Root inside sees us in its /proc.
 *
 * Should: hold no descriptor but 0 to 2 and one close-on-exec socket; run from a sealed
 * memfd (seal_self()), since "#!/proc/self/exe" makes whatever we execute lead to our
 * binary; resolve every path here, where it can only lead to what root inside has.
 * Mustn't: be dumpable; load a library (NSS, iconv) of the workspace's.
 */
static int joiner(void *arg)
{
	const struct joining *j = arg;
	struct err err = { 0 };

	(void)become_command(j, &err);
	sync_fail(j->sock, &err);
	return EXEC_FAILED;
}

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
 * Where we are: as the joiner; a child of the workspace's init, which reaps us. The
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
	const struct spawn spec = { .cgroup = -EBADF, .child = joiner, .arg = (void *)j };
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
	return joiner((void *)j);
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
		r = hide(err);
	if (r == 0)
		r = enter(j->join, err);
	if (r == 0)
		r = hide(err);
	if (r < 0)
		return r;
	pid = spawn(&spec, &pidfd, err);
	if (pid < 0)
		return pid;
	(void)see_to_end(j->waiter_sock, pid, pidfd);
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
	if (fd_keep_only(keep, sizeof(keep) / sizeof(keep[0]), &err) < 0 ||
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
	int r = prepare(&j, err);

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

int join_go(const struct joined *joined, struct err *err)
{
	return sync_send(joined->sock, SYNC_GO, 0, NULL, 0, err);
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
