#ifndef BASE_SYSCALL_H
#define BASE_SYSCALL_H

#include <linux/openat2.h>
#include <linux/sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Linux 6.16; not yet in the headers of the C library. */
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

/*
 * System calls that glibc 2.36 has no wrapper for, by number. Each returns what
 * the kernel did: -1 with errno, or a result. Nothing here knows our errors.
 */

#define SYS_CLOSE_RANGE_CLOEXEC (1U << 2) /* <linux/close_range.h> */

int sys_close_range(unsigned int first, unsigned int last, unsigned int flags);
pid_t sys_clone3(struct clone_args *args);
/* Whether the kernel, and the seccomp profile around us, know clone3(2). */
int sys_has_clone3(void);
/* clone(2) with CLONE_PIDFD: flags below 2^32 only, no cgroup. */
pid_t sys_clone(unsigned long flags, int *pidfd);
int sys_openat2(int dir, const char *path, const struct open_how *how);
int sys_pidfd_open(pid_t pid, unsigned int flags);
int sys_pidfd_send_signal(int pidfd, int sig);
/* A namespace of the process behind @pidfd, by its CLONE_NEW* flag; -1 with ENOTTY before Linux 6.11,
 * with EINVAL for one that an older kernel does not give. */
int sys_pidfd_namespace(int pidfd, unsigned long flag);
/* rt_sigaction(2) to SIG_DFL, also for the two signals that the C library keeps to
 * itself: make(1) leaves them ignored, and what is ignored stays so through execve(). */
int sys_signal_default(int sig);
/* A session keyring of our own, empty: the caller's keys are not for the workspace. */
int sys_join_session_keyring(void);
int sys_pivot_root(const char *new_root, const char *put_old);

#endif
