#ifndef AIRLOCK_H
#define AIRLOCK_H

#include "base/err.h"

/*
 * The airlock is the one program between init and the payload. Init is a copy of the
 * supervisor, so its /proc/self/exe is the berth of outside: an image whose command begins
 * with "#!/proc/self/exe" makes the kernel execute that, in a process that root inside may
 * look into, and so open for writing (CVE-2019-5736). Where root inside could write to our
 * binary, init becomes this program first, one page of sealed memory that knows one thing:
 * to execute its words. seal.h does the same for what joins a running workspace, with a
 * copy of all of berth.
 *
 * Its words: each file to try, in order; an empty one; then the command's own argv. Where
 * none can be executed it says SYNC_UNEXECUTED and exits with status 125.
 */

/* Where the airlock finds the socket for that; not close-on-exec yet. */
#define AIRLOCK_SOCKET 3

/**
 * airlock_open() - Put the program into sealed memory
 * @err:	filled in on failure
 *
 * Return: a close-on-exec descriptor for execveat(2), owned by the caller; -EACCES where
 * vm.memfd_noexec is 2; else -errno of memfd_create(2), write(2) or fcntl(2).
 */
int airlock_open(struct err *err);

#endif
