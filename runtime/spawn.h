#ifndef SPAWN_H
#define SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

/**
 * struct spawn - How a process is to be made
 * @ns_flags:	CLONE_NEW*
 * @cgroup:	directory of the group it is born in, -EBADF for our own
 * @clone3:	the call is there (facts.clone3)
 * @child:	the child's whole life; what it returns is its exit status
 * @arg:	for @child
 */
struct spawn {
	unsigned long ns_flags;
	int cgroup;
	bool clone3;
	int (*child)(void *arg);
	void *arg;
};

/**
 * spawn() - The one place where a process of the launch is made
 * @spec:	see there
 * @ret_pidfd:	set on success, close-on-exec, owned by the caller
 * @err:	filled in on failure
 *
 * The child never returns into the parent's code: it leaves by _exit(), so no stdio
 * buffer is flushed twice and no cleanup attribute runs twice. Where clone3(2) is
 * hidden (RuntimeDefault answers ENOSYS) clone(2) does it, without a cgroup.
 *
 * Return: the child's PID; -EPERM where a seccomp profile or AppArmor forbids it;
 * -ENOSPC where user.max_user_namespaces or the nesting depth is used up; -EACCES
 * where the group may not be joined; else clone(2)'s errno.
 */
pid_t spawn(const struct spawn *spec, int *ret_pidfd, struct err *err);

#endif
