#ifndef PID1_H
#define PID1_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/words.h"

/**
 * pid1_run() - berth's own small init: PID 1 of a workspace above one command
 * @child:	the command, our child
 * @sock:	there SYNC_EXITED tells how it ended, just before we do; -EBADF: nobody is told
 *
 * Reaps every orphan, hands each signal it gets on to the command, and ends when the
 * command ends; the kernel then kills whatever is left in the PID namespace. Every
 * other descriptor is closed, so that a pipe ends when its last user does.
 *
 * Return: the command's exit status, or 128 + n when signal n killed it.
 */
int pid1_run(pid_t child, int sock);

/**
 * pid1_serve() - The loop of a first process: reap, hand signals on
 * @child:	our child
 * @terminal:	@child is in our process group: what the kernel sends to all of that because
 *		of a terminal is not handed on a second time
 *
 * Every signal is blocked by the caller, before @child is born.
 *
 * Return: the child's wait status; -errno of sigtimedwait(2).
 */
int pid1_serve(pid_t child, bool terminal);

/* The exit status of a wait status: 128 + n where signal n killed it. */
int pid1_code(int status);

/* Before anything of the image runs: neither the words of our PID 1 nor its name tell of the caller.
 * @words: words_of() */
void pid1_disguise(const struct words_area *words);

#endif
