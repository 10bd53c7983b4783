#ifndef BASE_FD_H
#define BASE_FD_H

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

#include "base/err.h"

/*
 * An owned descriptor closes itself at the end of its scope:
 *
 *	cleanup_close int fd = -EBADF;
 *
 * close() is never retried. Linux has freed the number by the time it says
 * EINTR, so a second close() can hit a descriptor somebody else just opened.
 */
static inline void close_fdp(const int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd);
	errno = saved;
}
#define cleanup_close __attribute__((cleanup(close_fdp)))

/* Hands the descriptor to the caller; the cleanup then finds nothing. */
static inline int take_fd(int *fd)
{
	int ret = *fd;

	*fd = -EBADF;
	return ret;
}

/* Closes now, for a field of a struct; safe to call twice. */
static inline void drop_fd(int *fd)
{
	close_fdp(fd);
	*fd = -EBADF;
}

/**
 * fd_keep_only() - Close every descriptor above 2 but these
 * @keep:	descriptors to leave open; negative ones are passed over
 * @n:		length of @keep, at most FD_KEEP_MAX
 * @err:	filled in on failure
 *
 * Everything is made O_CLOEXEC at birth; this is for the processes that are
 * cloned and never execute, and it covers what the caller handed us.
 *
 * Return: 0; -E2BIG for too many; -errno of close_range(2), or of reading
 * /proc/self/fd where that call does not exist.
 */
#define FD_KEEP_MAX 32
int fd_keep_only(const int *keep, size_t n, struct err *err);

/**
 * fd_cloexec_all() - Let no descriptor above 2 past the next execve()
 * @err:	filled in on failure
 *
 * Marks rather than closes, so that a sync socket still carries an execve()
 * failure back.
 *
 * Return: 0 or -errno as fd_keep_only().
 */
int fd_cloexec_all(struct err *err);

/**
 * fd_hand_down() - Leave a descriptor open for the next program, where it looks for it
 * @fd:		borrowed; what is at @number goes
 * @number:	where
 * @err:	filled in on failure
 *
 * Return: 0 or -errno of dup2(2).
 */
int fd_hand_down(int fd, int number, struct err *err);

/**
 * fd_replace_stdio() - Put descriptors at 0, 1 and 2
 * @in:		becomes standard input; all three are borrowed and may be equal
 * @out:	becomes standard output
 * @errfd:	becomes standard error
 * @err:	filled in on failure
 *
 * Return: 0 or -errno of fcntl(2) or dup3(2).
 */
int fd_replace_stdio(int in, int out, int errfd, struct err *err);

#endif
