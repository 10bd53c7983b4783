#ifndef JOIN_H
#define JOIN_H

#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/types.h>

#include "base/err.h"
#include "cgroups/v1.h"
#include "ns.h"
#include "policies/seccomp_choice.h"
#include "ulimit.h"

/**
 * struct join - A command to be started in a running workspace
 * @init:	pidfd of the workspace's init, borrowed
 * @ns:		its namespaces, owned, -EBADF for those that are ours as well
 * @cgroup:	directory of the payload's group, borrowed; -EBADF where there is none
 * @cgroup1:	likewise on cgroup v1, as far as there are
 * @command:	the command and its words, NULL-terminated; NULL: the user's login shell
 * @env:	"K=V" each, NULL-terminated
 * @user:	"NAME|UID[:GROUP|GID]", NULL for root
 * @workdir:	NULL for "/"
 * @cap_drop:	capabilities that it does not get, bits 1 << CAP_*
 * @ulimit:	[ULIMIT_N], of each process of the workspace, borrowed
 * @seccomp:	the filter of the workspace
 * @listener:	where the listener of its filter goes, borrowed; -EBADF where refused system
 *		calls are not told
 * @tty:	a pty from the workspace's devpts, of this @size
 * @detach:	it outlives us, and its orphan is init's
 * @stdio:	what it gets as 0, 1 and 2 without @tty, borrowed; -EBADF for the
 *		workspace's /dev/null
 */
struct join {
	int init;
	int ns[NS_MAX];
	int cgroup, cgroup1[CGROUP1_MAX];
	const char *const *command;
	const char *const *env;
	const char *user, *workdir;
	uint64_t cap_drop;
	const struct ulimit *ulimit;
	struct seccomp_choice seccomp;
	int listener;
	bool tty, detach;
	struct winsize size;
	int stdio[3];
};

/**
 * struct joined - The command's process, standing in the workspace
 * @waiter:	of who waits for it, owned; readable when it ended: join_status()
 * @pidfd:	of the command, owned
 * @master:	of its pty, owned, -EBADF without one
 * @sock:	our end of the pair with it, owned; readable when it was executed, or not:
 *		then sync_expect_end() tells
 */
struct joined {
	int waiter, pidfd, master, sock;
};

/**
 * join_namespaces() - Open the namespaces of a workspace's init
 * @init:	its pidfd
 * @set:	NS_BIT() of those that are its own
 * @ret:	by enum ns; -EBADF for the others; set on success only
 * @err:	filled in on failure
 *
 * Whoever made the user namespace may (user_namespaces(7)), unless init never executed
 * anything and hides its memory, as berth's own does.
 *
 * Return: 0; -ESRCH when init has ended; -EACCES; else -errno.
 */
int join_namespaces(int init, unsigned int set, int ret[NS_MAX], struct err *err);

/**
 * join_start() - Put a process into the workspace, ready to become the command
 * @join:	what is wanted
 * @ret:	set on success only
 * @err:	filled in on failure, also with what failed inside
 *
 * It takes init's OOM score and enters the namespaces from outside, and is in init's
 * group, by descriptors from outside, before anything of the image runs. A process beside
 * it, the workspace's own, waits for it; both are visible to root inside, but not to be
 * looked into: see waiter() and join_command(). Until join_go() it waits.
 *
 * Return: 0; -EACCES with the step "cgroup" where our own group and the workspace's
 * have no common one that is ours; else -errno.
 */
int join_start(const struct join *join, struct joined *ret, struct err *err);

/**
 * join_patience() - Wait until who is inside speaks, or somebody has had enough
 * @sock:	of which
 * @signals:	a signalfd(2) that does not block, of signals that are blocked
 * @err:	filled in on failure
 *
 * Root inside can stop any process of the workspace, for as long as he likes.
 *
 * Return: 0 where there is something to be read of @sock; -EINTR after SIGINT, SIGTERM, SIGHUP or
 * SIGQUIT; -errno. Other signals are taken, and change nothing.
 */
int join_patience(int sock, int signals, struct err *err);

/**
 * join_go() - Let it execute the command
 * @join:	as given to join_start()
 * @joined:	from there
 * @signals:	as for join_patience(); -EBADF where signals are not blocked
 * @err:	filled in on failure
 *
 * The listener of its filter goes where @join says.
 *
 * Return: 0; -EINTR; -errno when it is gone, or what failed before it could be executed.
 */
int join_go(const struct join *join, const struct joined *joined, int signals,
            struct err *err);

/**
 * join_status() - The exit code of the command, after @joined->waiter became readable
 * Return: 0 to 255; 128 + n when signal n ended it; 128 + SIGKILL where nobody tells.
 */
int join_status(const struct joined *joined);

#endif
