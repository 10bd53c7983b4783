#ifndef SEAL_H
#define SEAL_H

#include <stdbool.h>

#include "base/err.h"

/**
 * seal_needed() - Whether root inside could write to our binary through /proc/PID/exe
 *
 * It has our uid and whatever is mapped: our own file, one that others may write, and
 * any file when we are the pod's root. The file itself is out of its sight, but a
 * process of ours in the workspace's namespaces leads to it (CVE-2019-5736).
 *
 * Return: true also where that cannot be told.
 */
bool seal_needed(void);

/**
 * seal_new() - Make an empty file in memory, for a program
 * @err:	filled in on failure
 *
 * Return: a close-on-exec descriptor to write to, owned by the caller; -EACCES where
 * vm.memfd_noexec is 2; else -errno of memfd_create(2).
 */
int seal_new(struct err *err);

/* Make its content final. Return: 0, or -errno of fcntl(2). */
int seal_close(int fd, struct err *err);

/**
 * seal_self() - Run from a sealed copy in memory
 * @argv:	of main()
 * @err:	filled in on failure, with the step "seal"
 *
 * Copies /proc/self/exe to a memfd, seals it against every change and executes it with
 * the same words. Called again there, it finds the seals on /proc/self/exe and returns:
 * no variable of the environment, which a caller could set, decides.
 *
 * To be called first in main(): everything done before is done twice.
 *
 * Return: 0 when we run sealed; -errno of memfd_create(2), fcntl(2) or execveat(2).
 */
int seal_self(char **argv, struct err *err);

#endif
