#include "base/syscall.h"

#include <errno.h>
#include <linux/keyctl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int sys_close_range(unsigned int first, unsigned int last, unsigned int flags)
{
	return (int)syscall(SYS_close_range, first, last, flags);
}

pid_t sys_clone3(struct clone_args *args)
{
	return (pid_t)syscall(SYS_clone3, args, sizeof(*args));
}

int sys_has_clone3(void)
{
	/* A size below CLONE_ARGS_SIZE_VER0 is EINVAL before anything is made
	 * (kernel/fork.c, copy_clone_args_from_user()). */
	return syscall(SYS_clone3, NULL, 0) < 0 && errno == EINVAL;
}

pid_t sys_clone(unsigned long flags, int *pidfd)
{
#if defined(__s390x__) || defined(__CRIS__)
	return (pid_t)syscall(SYS_clone, NULL, flags | CLONE_PIDFD | SIGCHLD, pidfd, NULL,
	                      0);
#else
	return (pid_t)syscall(SYS_clone, flags | CLONE_PIDFD | SIGCHLD, NULL, pidfd, NULL,
	                      0);
#endif
}

int sys_openat2(int dir, const char *path, const struct open_how *how)
{
	return (int)syscall(SYS_openat2, dir, path, how, sizeof(*how));
}

int sys_pidfd_open(pid_t pid, unsigned int flags)
{
	return (int)syscall(SYS_pidfd_open, pid, flags);
}

int sys_signal_default(int sig)
{
	/* struct kernel_sigaction of every architecture begins with the handler, and all
	 * zeroes mean SIG_DFL, no flags, nothing masked. */
	static const unsigned long normal[8];

	return (int)syscall(SYS_rt_sigaction, sig, normal, NULL, (size_t)8);
}

int sys_pidfd_send_signal(int pidfd, int sig)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0);
}

int sys_pidfd_namespace(int pidfd, unsigned long flag)
{
	/* PIDFD_GET_*_NAMESPACE of <linux/pidfd.h>, which glibc 2.36 is older than. */
	const struct {
		unsigned long flag;
		unsigned int number;
	} request[] = {
		{ CLONE_NEWCGROUP, 1 }, { CLONE_NEWIPC, 2 }, { CLONE_NEWNS, 3 },
		{ CLONE_NEWNET, 4 },    { CLONE_NEWPID, 5 }, { CLONE_NEWUSER, 9 },
		{ CLONE_NEWUTS, 10 },
	};

	for (size_t i = 0; i < sizeof(request) / sizeof(request[0]); i++)
		if (request[i].flag == flag)
			return ioctl(pidfd, _IO(0xFF, request[i].number), 0);
	errno = EINVAL;
	return -1;
}

int sys_join_session_keyring(void)
{
	return (int)syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
}

int sys_pivot_root(const char *new_root, const char *put_old)
{
	return (int)syscall(SYS_pivot_root, new_root, put_old);
}
