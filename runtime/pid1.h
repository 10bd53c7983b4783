#ifndef PID1_H
#define PID1_H

#include <sys/types.h>

/**
 * pid1_run() - berth's own small init: PID 1 of a workspace above one command
 * @child:	the command, our child
 *
 * Reaps every orphan, hands each signal it gets on to the command, and ends when the
 * command ends; the kernel then kills whatever is left in the PID namespace. Every
 * descriptor is closed, so that a pipe ends when its last user does.
 *
 * Return: the command's exit status, or 128 + n when signal n killed it.
 */
int pid1_run(pid_t child);

/* What PID 1 of ours does first: neither its words nor its name tell of the caller. */
void pid1_disguise(void);

#endif
