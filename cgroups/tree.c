#include "cgroups/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"

/* Passes over our group: at once first, then with time for what dies, or is about to enter our
 * PID namespace, to be gone. */
#define PASSES_AT_ONCE 5
#define PAUSE_MS 10
#define PATIENCE_MS 5000

int cgroup_open(const char *mount, const char *own, struct err *err)
{
	cleanup_close int top = open(mount, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd;

	if (top < 0)
		return err_set(err, errno, "open '%s'", mount);
	fd = openat(top, own[1] ? own + 1 : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, errno, "open our own group '%s%s'", mount, own);
	return fd;
}

/* The child of cgroup_open_fresh(): sends one descriptor, or an errno. */
static int mount_and_send(int sock)
{
	int fs = -EBADF, mnt = -EBADF, code = 0;
	struct iovec iov = { .iov_base = &code, .iov_len = sizeof(code) };
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWCGROUP) < 0 ||
	    (fs = fsopen("cgroup2", FSOPEN_CLOEXEC)) < 0 ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ||
	    (mnt = fsmount(fs, FSMOUNT_CLOEXEC,
	                   MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)) < 0)
		code = errno;
	if (code == 0) {
		struct cmsghdr *cmsg;

		hdr.msg_control = control.buf;
		hdr.msg_controllen = sizeof(control.buf);
		cmsg = CMSG_FIRSTHDR(&hdr);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &mnt, sizeof(mnt));
	}
	return sendmsg(sock, &hdr, MSG_NOSIGNAL) < 0;
}

int cgroup_open_fresh(struct err *err)
{
	cleanup_close int ours = -EBADF, theirs = -EBADF;
	int pair[2], code = 0, fd = -EBADF, status;
	struct iovec iov = { .iov_base = &code, .iov_len = sizeof(code) };
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct msghdr hdr = { .msg_iov = &iov,
		              .msg_iovlen = 1,
		              .msg_control = control.buf,
		              .msg_controllen = sizeof(control.buf) };
	struct cmsghdr *cmsg;
	ssize_t n;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(err, errno, "make a socket pair");
	ours = pair[0];
	theirs = pair[1];
	pid = fork();
	if (pid < 0)
		return err_set(err, errno, "start a process");
	if (pid == 0)
		_exit(mount_and_send(theirs));
	drop_fd(&theirs);
	do
		n = recvmsg(ours, &hdr, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		code = errno;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	cmsg = n == sizeof(code) ? CMSG_FIRSTHDR(&hdr) : NULL;
	if (cmsg && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	if (fd < 0)
		return err_set(err, code ? code : ECONNRESET,
		               "mount cgroup2 for ourselves");
	return fd;
}

/* What one pass over cgroup.procs met. */
struct pass {
	bool moved;
	bool stranger; /* of a PID namespace that we cannot see: cgroup.procs has a 0 for it */
};

static int move_all(int dir, int leaf, struct pass *pass, struct err *err)
{
	char text[65536];

	*pass = (struct pass){ 0 };
	if (file_read(dir, "cgroup.procs", text, sizeof(text), err) < 0) {
		if (err->code != EFBIG)
			return -err->code;
		err_clear(err);
		text[sizeof(text) - 1] = '\0';
		*strrchr(text, '\n') = '\0';
	}
	for (char *save = NULL, *pid = strtok_r(text, "\n", &save); pid;
	     pid = strtok_r(NULL, "\n", &save)) {
		struct err one = { 0 };

		if (!strcmp(pid, "0")) {
			pass->stranger = true;
			continue;
		}
		if (file_write(leaf, "cgroup.procs", pid, &one) < 0 && one.code != ESRCH)
			return err_set(err, one.code, "move process %s to the leaf", pid);
		pass->moved = true;
	}
	return 0;
}

int cgroup_empty_into(int dir, const char *leaf, struct err *err)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };
	const int64_t until = clock_ms(CLOCK_MONOTONIC) + PATIENCE_MS;
	cleanup_close int fd = -EBADF;
	struct pass pass;

	if (mkdirat(dir, leaf, 0755) < 0 && errno != EEXIST)
		return err_set(err, errno, "make the group '%s'", leaf);
	fd = openat(dir, leaf, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, errno, "open the group '%s'", leaf);
	for (int i = 0; i < PASSES_AT_ONCE || clock_ms(CLOCK_MONOTONIC) < until; i++) {
		if (move_all(dir, fd, &pass, err) < 0)
			return -err->code;
		if (!pass.moved && !pass.stranger)
			return 0;
		if (i >= PASSES_AT_ONCE || !pass.moved)
			(void)nanosleep(&pause, NULL);
	}
	if (!pass.stranger)
		return err_set(err, EBUSY,
		               "empty our own group: new processes keep coming");
	(void)err_set(err, EBUSY, "a process of another PID namespace sits in our group");
	return err_hint(err, "give berth a group of its own: put that process, or the "
	                     "new PID namespace, into another one");
}

int cgroup_enable(int dir, const char *path, const char *controllers, struct err *err)
{
	cleanup_close int fd =
		openat(dir, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char words[512];
	bool any = false;

	if (fd < 0)
		return err_set(err, errno, "open the group '%s'", path);
	if (file_write(fd, "cgroup.subtree_control", controllers, err) == 0)
		return 0;
	(void)snprintf(words, sizeof(words), "%s", controllers);
	for (char *save = NULL, *word = strtok_r(words, " ", &save); word;
	     word = strtok_r(NULL, " ", &save)) {
		struct err one = { 0 };

		any |= file_write(fd, "cgroup.subtree_control", word, &one) == 0;
	}
	if (!any)
		return err_wrap(err, "enable controllers in '%s'", path);
	err_clear(err);
	return 0;
}

int cgroup_populated(int dir, const char *path, struct err *err)
{
	cleanup_close int fd =
		openat(dir, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char events[128];

	if (fd < 0)
		return err_set(err, errno, "open the group '%s'", path);
	if (file_read(fd, "cgroup.events", events, sizeof(events), err) < 0)
		return -err->code;
	return !strstr(events, "populated 0");
}

int cgroup_make(int dir, const char *path, struct err *err)
{
	char type[32];
	int fd;

	if (mkdirat(dir, path, 0755) < 0)
		return err_set(err, errno, "make the group '%s'", path);
	fd = openat(dir, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, errno, "open the group '%s'", path);
	if (file_read(fd, "cgroup.type", type, sizeof(type), err) < 0 ||
	    strcmp(type, "domain\n") != 0) {
		if (!err->code)
			(void)err_set(err, EOPNOTSUPP, "the group '%s' is of type '%.*s'",
			              path, (int)strcspn(type, "\n"), type);
		(void)unlinkat(dir, path, AT_REMOVEDIR);
		(void)close(fd);
		return -err->code;
	}
	return fd;
}

int cgroup_delegate(int dir, uid_t uid, struct err *err)
{
	static const char *const files[] = { ".", "cgroup.procs", "cgroup.threads",
		                             "cgroup.subtree_control" };

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (fchownat(dir, files[i], uid, (gid_t)-1, AT_SYMLINK_NOFOLLOW) < 0)
			return err_set(err, errno, "give '%s' to uid %u", files[i], uid);
	return 0;
}

int cgroup_attach(int dir, pid_t pid, struct err *err)
{
	char number[16];

	(void)snprintf(number, sizeof(number), "%d", (int)pid);
	if (file_write(dir, "cgroup.procs", number, err) < 0)
		return err_wrap(err, "move process %d", (int)pid);
	return 0;
}
