#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/syscall.h"
#include "pidfd.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* <asm-generic/socket.h>, Linux 6.5 */
#endif

int peer_pidfd(int sock)
{
	socklen_t len = sizeof(int);
	int fd;

	return getsockopt(sock, SOL_SOCKET, SO_PEERPIDFD, &fd, &len) < 0 ? -errno : fd;
}

int peer_pidfd_by_number(int sock)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	int fd;

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	/* 0: it is in a PID namespace that is not below ours. */
	if (cred.pid <= 0)
		return -EACCES;
	fd = sys_pidfd_open(cred.pid, 0);
	return fd < 0 ? -errno : fd;
}

static int same_user_namespace(pid_t pid)
{
	struct stat theirs, ours;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	if (stat(path, &theirs) < 0 || stat("/proc/self/ns/user", &ours) < 0)
		return -errno;
	return theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
}

int peer_check_pidfd(int pidfd, struct err *err)
{
	struct err ignored = { 0 };
	pid_t pid = pidfd_pid(AT_FDCWD, pidfd, err);
	int same;

	if (pid < 0)
		return err_wrap(err, "look at the peer");
	same = same_user_namespace(pid);
	if (same < 0)
		return err_set(err, -same, "look at the peer's user namespace");
	/* Not reaped yet, so the number was that process's all the time. */
	if (pidfd_pid(AT_FDCWD, pidfd, &ignored) != pid)
		return err_set(err, ESRCH, "look at the peer, which is gone");
	if (!same)
		return err_set(err, EACCES, "peer is in another user namespace");
	return 0;
}

int peer_check(int sock, struct err *err)
{
	cleanup_close int pidfd = peer_pidfd(sock);

	/*
	 * FIXME: goes when Linux 6.5 is the baseline. A peer that is gone before we
	 * look, and whose number was given away, is mistaken for the new process.
	 */
	if (pidfd == -ENOPROTOOPT)
		pidfd = peer_pidfd_by_number(sock);
	if (pidfd < 0)
		return err_set(err, -pidfd, "look at the peer");
	return peer_check_pidfd(pidfd, err);
}
