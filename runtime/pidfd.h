#ifndef PIDFD_H
#define PIDFD_H

#include <sys/types.h>

#include "base/err.h"

/**
 * pidfd_pid() - The number a process has in the PID namespace of a proc mount
 * @proc:	a proc mount's root directory, or AT_FDCWD to use "/proc"
 * @pidfd:	refers to the process
 * @err:	filled in on failure
 *
 * From the "Pid:" line of the pidfd's fdinfo, which counts in the PID namespace of
 * the proc mount that is read (fs/pidfs.c), not of the reader.
 *
 * Return: the PID; -ESRCH when the process is gone or not visible there; else -errno.
 */
pid_t pidfd_pid(int proc, int pidfd, struct err *err);

/**
 * pidfd_kill() - Send a signal through a pidfd
 * Return: 0, also when the process is gone already; else -errno.
 */
int pidfd_kill(int pidfd, int signal, struct err *err);

#endif
