#ifndef STDIO_PROXY_H
#define STDIO_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "base/err.h"
#include "loop.h"

/* Called with everything the workspace writes, for the log. */
typedef void (*stdio_tee_fn)(void *ctx, const char *data, size_t size);

/**
 * struct stdio - The caller's standard streams, copied to and from a workspace
 * @loop:	borrowed
 * @foreground:	copy to our own descriptors 0, 1 and 2; otherwise only to @tee
 * @interactive: copy our standard input; else the other side reads end of file
 * @tty:	one pty instead of three pipes
 * @tee, @tee_ctx: may be NULL
 * @master:	pty master, owned, -EBADF without one
 * @pipe:	our ends of the three pipes, owned, -EBADF when closed
 * @far:	the workspace's ends: it inherits them, we close them after its birth
 *
 * The workspace never gets a descriptor of the caller's terminal or files: through
 * it, root inside could push input into the caller's shell (TIOCSTI), reopen a log
 * for writing, or make the shared file description non-blocking for everybody.
 */
struct stdio {
	struct loop *loop;
	bool foreground, interactive, tty;
	stdio_tee_fn tee;
	void *tee_ctx;

	int master;
	int pipe[3], far[3];
	struct termios saved;
	bool raw;
	struct stdio_flow {
		char data[16384];
		size_t begin, end;
		bool eof;
	} *flow; /* three of them: in, out, err */
	int open_outputs; /* streams from the workspace not yet at their end */
};

/**
 * stdio_open() - Make the pipes; with @tty set nothing yet
 * @io:		@loop and the settings are filled in
 * Return: 0 or -errno.
 */
int stdio_open(struct stdio *io, struct err *err);

/* Close the workspace's ends in our process. */
void stdio_close_far(struct stdio *io);

/**
 * stdio_start() - Begin to copy
 * @io:		opened; with @tty @master is set by now
 * @err:	filled in on failure
 *
 * With @tty and @foreground: our terminal goes raw (when input is one), and the
 * window size is passed on. Where our output cannot be written (EPIPE, ENOSPC) the
 * stream is drained, and the workspace goes on.
 *
 * Return: 0 or -errno.
 */
int stdio_start(struct stdio *io, struct err *err);

/* SIGWINCH: passes our terminal's size on. */
void stdio_winch(struct stdio *io);

/* Copies what is still there after the end, without waiting for more. */
void stdio_drain(struct stdio *io);

/* Restores the terminal and closes everything; safe to call twice. */
void stdio_close(struct stdio *io);

#endif
