#ifndef PTY_H
#define PTY_H

#include "base/err.h"

/**
 * pty_open() - Make a pty in the devpts of the current root
 * @ret_master:	owned by the caller
 * @ret_slave:	owned by the caller
 * @err:	filled in on failure, with the step "terminal"; both are set on success only
 *
 * Through /dev/pts/ptmx, which must be of a devpts and not something mounted over it:
 * the master goes to whoever holds the caller's terminal, and the slave is asked of the
 * master (TIOCGPTPEER), not looked up by a path that leads who knows where.
 *
 * Return: 0; -ENOTTY where /dev/pts is no devpts; -ENOSPC where kernel.pty.max is
 * reached; else -errno.
 */
int pty_open(int *ret_master, int *ret_slave, struct err *err);

#endif
