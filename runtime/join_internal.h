#ifndef JOIN_INTERNAL_H
#define JOIN_INTERNAL_H

#include <signal.h>

#include "exec.h"
#include "join.h"
#include "pid1.h"

/* Shared by join.c (who goes in, and who waits), join_find.c (where to) and join_command.c (what
 * becomes the command). */

/**
 * struct joining - What the processes of a start know
 * @join:	as given to join_start(), borrowed
 * @oom:	init's oom_score_adj
 * @group:	cgroup.procs of init's group, or -EBADF
 * @group1:	those of the payload's on cgroup v1
 * @words:	of our command line
 * @mask:	of whoever starts us
 * @waiter_sock, @sock: to whoever starts us, one each: of who waits for the command, and of the
 *		command. Neither speaks for the other
 */
struct joining {
	const struct join *join;
	char oom[16];
	int group;
	int group1[CGROUP1_MAX];
	struct words_area words;
	sigset_t mask;
	int waiter_sock, sock;
};

/**
 * join_find() - Look from outside where init is: its OOM score and groups
 * @j:		@join is set; @oom, @group and @group1 are filled in, its descriptors owned also on
 *		failure
 * @err:	filled in on failure
 *
 * Return: 0; -EACCES with the step "cgroup"; else -errno.
 */
int join_find(struct joining *j, struct err *err);

/**
 * join_hide() - Keep our memory from being looked into
 *
 * The memory is our caller's, and mm->user_ns is where it was executed: no capability inside
 * reaches it (__ptrace_may_access()). Set again after each change of credentials: commit_creds()
 * takes fs.suid_dumpable instead.
 *
 * Return: 0 or -errno.
 */
int join_hide(struct err *err);

/**
 * join_command() - Become the command
 * @arg:	the struct joining
 *
 * See there for where we are.
 *
 * Return: EXEC_FAILED; what failed was sent.
 */
int join_command(void *arg);

#endif
