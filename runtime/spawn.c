#include "spawn.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>

#include "base/syscall.h"

pid_t spawn(const struct spawn *spec, int *ret_pidfd, struct err *err)
{
	int pidfd = -EBADF;
	pid_t pid;

	if (spec->clone3) {
		struct clone_args args = {
			.flags = spec->ns_flags | CLONE_PIDFD,
			.pidfd = (uintptr_t)&pidfd,
			.exit_signal = SIGCHLD,
		};

		if (spec->cgroup >= 0) {
			args.flags |= CLONE_INTO_CGROUP;
			args.cgroup = (uint64_t)spec->cgroup;
		}
		pid = sys_clone3(&args);
	} else {
		/* goes when no seccomp profile of a supported Kubernetes hides clone3 */
		pid = sys_clone(spec->ns_flags, &pidfd);
	}
	if (pid < 0)
		return err_set(err, errno, "make a process with new namespaces");
	if (pid == 0)
		_exit(spec->child(spec->arg));
	*ret_pidfd = pidfd;
	return pid;
}
