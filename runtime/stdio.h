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
 * struct stdio_flow - One direction: a bounded buffer between two descriptors
 * @from, @to:	borrowed; -EBADF for none (a flow without @to is read and dropped)
 * @poll_first:	@to may block: it is the caller's, so at most PIPE_BUF bytes after
 *		poll(2) said so
 * @eof:	nothing more comes from @from
 * @done:	and what came was written: the end was passed on
 */
struct stdio_flow {
	int from, to;
	bool poll_first, eof, done;
	size_t begin, end;
	char data[16384];
};

/**
 * struct stdio - The caller's standard streams, copied to and from a workspace
 * @loop:	borrowed
 * @foreground:	copy to our own descriptors 0, 1 and 2; otherwise only to @tee
 * @interactive: copy our standard input; else the other side reads end of file
 * @tty:	one pty instead of three pipes
 * @lasting:	the pty outlives a hang-up of its other side: systemd closes, hangs up
 *		and reopens /dev/console; the end is then told by init's pidfd only
 * @tee, @tee_ctx: may be NULL
 * @master:	pty master, owned, -EBADF without one; set it between stdio_open() and
 *		stdio_start()
 * @pipe:	our ends of the three pipes, owned, -EBADF when closed
 * @far:	the workspace's ends: it inherits them, we close them after its birth
 * @open_outputs: streams from the workspace that have not ended, or whose last bytes
 *		are still to be written
 *
 * The rest is its own; zero it.
 *
 * The workspace never gets a descriptor of the caller's terminal or files: through
 * it, root inside could push input into the caller's shell (TIOCSTI), reopen a log
 * for writing, or make the shared file description non-blocking for everybody.
 *
 * Descriptors 0, 1 and 2 must be open: main() puts /dev/null where they are not.
 */
struct stdio {
	struct loop *loop;
	bool foreground, interactive, tty, lasting;
	stdio_tee_fn tee;
	void *tee_ctx;

	int master;
	int pipe[3], far[3];
	int open_outputs;

	int own[3]; /* private descriptions of the caller's outputs, or -EBADF */
	int timer;
	struct termios saved;
	bool raw, background, hung;
	struct stdio_flow *flow; /* three of them: in, out, err */
};

/**
 * stdio_open() - Make the pipes; with @tty set nothing yet
 * @io:		@loop and the settings are filled in, the rest is zero
 * @err:	filled in on failure
 *
 * Return: 0; -ENOTTY where @tty, @interactive and @foreground are asked for and
 * standard input is no terminal; -ENOMEM; -errno of pipe2(2).
 */
int stdio_open(struct stdio *io, struct err *err);

/* Close the workspace's ends in our process. */
void stdio_close_far(struct stdio *io);

/**
 * stdio_start() - Begin to copy
 * @io:		opened; with @tty @master is set by now
 * @err:	filled in on failure
 *
 * With @tty, @interactive and @foreground our terminal goes raw; with @tty the window
 * size is passed on. An output whose reader went away (EPIPE) ends the workspace's
 * pipe too, so that "berth run -- yes | head" stops as "yes | head" does; with a pty,
 * or where the disk is full, the stream is drained and the workspace goes on.
 *
 * In the background of its terminal the process neither stops nor touches the
 * terminal: input waits until it is in the foreground. SIGTTIN and SIGTTOU are
 * blocked and SIGPIPE is ignored from here on; a child of ours that executes
 * something must undo that.
 *
 * Return: 0; -E2BIG when the loop is full; -errno of tcsetattr(3).
 */
int stdio_start(struct stdio *io, struct err *err);

/*
 * Size of the caller's terminal; zeroes where there is none. For whoever makes the pty:
 * set before the command runs, it finds the right size at its first look.
 */
struct winsize stdio_size(void);

/* SIGWINCH and SIGCONT: our terminal's size, or its mode, may be another now. */
void stdio_winch(struct stdio *io);

/*
 * Copies what is still there after the end, without waiting for more; waits for a slow
 * reader of ours, unless SIGTERM, SIGINT, SIGHUP or SIGQUIT is pending.
 */
void stdio_drain(struct stdio *io);

/* Whether nobody in the workspace can write any more. */
bool stdio_ended(const struct stdio *io);

/* Restores the terminal and closes everything; safe to call twice, or without open. */
void stdio_close(struct stdio *io);
#define cleanup_stdio __attribute__((cleanup(stdio_close)))

#endif
