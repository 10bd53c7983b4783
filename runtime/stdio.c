#include "stdio.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "signals.h"
#include "stdio_internal.h"

enum { IN, OUT, ERR, STREAMS };

/* How often to look whether a terminal we may not touch is ours again. */
#define RETRY_MS 200

/* fs.pipe-max-size: more than this no pipe of a user can hold at the end. */
#define DRAIN_MAX (1024 * 1024)

static size_t pending(const struct stdio_flow *flow)
{
	return flow->end - flow->begin;
}

int stdio_open(struct stdio *io, struct err *err)
{
	if (io->tty && io->interactive && io->foreground && !isatty(STDIN_FILENO)) {
		(void)err_set(err, ENOTTY, "the input device is not a TTY");
		(void)err_step(err, "terminal");
		return err_hint(err, "leave out -t, or -i, where there is no terminal");
	}

	/* Not calloc(3): zeroing the buffers would cost a page fault for each of their pages. */
	io->flow = malloc(STREAMS * sizeof(*io->flow));
	if (!io->flow)
		return err_set(err, ENOMEM, "buffer standard streams");
	io->master = io->timer = -EBADF;
	for (int i = 0; i < STREAMS; i++) {
		io->pipe[i] = io->far[i] = io->own[i] = -EBADF;
		memset(&io->flow[i], 0, offsetof(struct stdio_flow, data));
		io->flow[i].from = io->flow[i].to = -EBADF;
	}

	for (int i = 0; i < STREAMS && !io->tty; i++) {
		int fd[2];

		if (pipe2(fd, O_CLOEXEC) < 0)
			return err_set(err, errno, "make a pipe");
		io->pipe[i] = fd[i == IN];
		io->far[i] = fd[i != IN];
		if (fcntl(io->pipe[i], F_SETFL, O_NONBLOCK) < 0)
			return err_set(err, errno, "make a pipe non-blocking");
	}
	return 0;
}

void stdio_close_far(struct stdio *io)
{
	for (int i = 0; i < STREAMS && io->flow; i++)
		drop_fd(&io->far[i]);
}

/* Closes our end of a pipe, so that the workspace sees the end. */
static void drop_pipe(struct stdio *io, int i)
{
	if (io->pipe[i] >= 0)
		loop_remove(io->loop, io->pipe[i]);
	drop_fd(&io->pipe[i]);
}

static void drop_own(struct stdio *io, int i)
{
	if (io->own[i] >= 0)
		loop_remove(io->loop, io->own[i]);
	drop_fd(&io->own[i]);
}

/*
 * Passes the end of the workspace's standard output on to whoever reads ours. Not for
 * standard error, where our own messages go. 1 is never left free: the next open(2)
 * would get it, and receive what somebody prints.
 */
static void end_output(struct stdio *io)
{
	cleanup_close int null = -EBADF;
	struct stat st;

	if (fstat(STDOUT_FILENO, &st) < 0 ||
	    !(S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)))
		return;
	drop_own(io, OUT);
	loop_remove(io->loop, STDOUT_FILENO);
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null >= 0)
		(void)dup2(null, STDOUT_FILENO);
}

/* Passes the end of a stream on, once everything before it was. */
static void settle(struct stdio *io, int i)
{
	struct stdio_flow *flow = &io->flow[i];

	if (flow->done || !flow->eof || pending(flow) > 0)
		return;
	flow->done = true;
	flow->from = -EBADF;
	if (!io->tty)
		drop_pipe(io, i);
	if (i == IN) {
		flow->to = -EBADF;
		return;
	}
	io->open_outputs--;
	if (i == OUT && flow->to >= 0 && !io->tty)
		end_output(io);
	flow->to = -EBADF;
}

/* The reader of a flow is gone, or cannot take more. */
static void break_sink(struct stdio *io, int i, int code)
{
	struct stdio_flow *flow = &io->flow[i];

	flow->begin = flow->end = 0;
	if (i == IN || (code == EPIPE && !io->tty))
		flow->eof = true;
	else
		flow->to =
			-EBADF; /* go on reading: a full pipe would stop the workspace */
}

/* Whether a descriptor that may block takes PIPE_BUF bytes now. */
static bool writable(int fd, int timeout_ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };

	return poll(&pfd, 1, timeout_ms) > 0;
}

static void flush(struct stdio *io, int i)
{
	struct stdio_flow *flow = &io->flow[i];

	while (pending(flow) > 0) {
		size_t size = pending(flow);
		ssize_t n;

		if (flow->poll_first && !writable(flow->to, 0))
			break;
		/* A pipe with any room takes PIPE_BUF bytes without waiting (pipe(7)). */
		if (flow->poll_first && size > PIPE_BUF)
			size = PIPE_BUF;
		n = write(flow->to, flow->data + flow->begin, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			break_sink(io, i, errno);
			return;
		}
		flow->begin += (size_t)n;
	}
	if (flow->begin > 0)
		memmove(flow->data, flow->data + flow->begin, pending(flow));
	flow->end = pending(flow);
	flow->begin = 0;
}

/* EIO has three meanings; true for the two that pass. */
static bool passing_eio(struct stdio *io, int i)
{
	if (i == IN && stdio_in_background(STDIN_FILENO)) {
		/* SIGTTIN is blocked: tty_read() says EIO instead of stopping us. The
		 * shell took the terminal, and set its own modes. */
		io->background = true;
		io->raw = false;
		return true;
	}
	if (i == OUT && io->tty && io->lasting) {
		io->hung = true;
		return true;
	}
	return false;
}

/* Return: bytes read; 0 for none now or no more. */
static size_t fill(struct stdio *io, int i)
{
	struct stdio_flow *flow = &io->flow[i];
	char *into = flow->data + flow->end;
	ssize_t n = read(flow->from, into, sizeof(flow->data) - flow->end);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0 && errno == EIO && passing_eio(io, i))
		return 0;
	/* Any other failure is the end too: EIO of a pty whose slaves are closed,
	 * EISDIR of a directory as input, EBADF of none. */
	if (n <= 0) {
		flow->eof = true;
		return 0;
	}
	if (i != IN && io->tee)
		io->tee(io->tee_ctx, into, (size_t)n);
	if (flow->to >= 0)
		flow->end += (size_t)n;
	return (size_t)n;
}

static bool reading(const struct stdio *io, int i)
{
	const struct stdio_flow *flow = &io->flow[i];

	return flow->from >= 0 && !flow->eof && flow->end < sizeof(flow->data) &&
	       !(i == IN && io->background);
}

/* What to wait for at @fd: a pty master is the end of two flows. */
static short events_of(const struct stdio *io, int fd)
{
	short events = 0;

	if (io->hung && fd == io->master)
		return 0; /* POLLHUP would come without end */
	for (int i = 0; i < STREAMS; i++) {
		if (io->flow[i].from == fd && reading(io, i))
			events |= POLLIN;
		if (io->flow[i].to == fd && pending(&io->flow[i]) > 0)
			events |= POLLOUT;
	}
	return events;
}

static void update(struct stdio *io)
{
	const struct itimerspec retry = { .it_value.tv_nsec = RETRY_MS * 1000000L };
	const struct itimerspec off = { 0 };
	bool wait = io->background || io->hung;

	for (int i = 0; i < STREAMS; i++) {
		const int end[] = { i, io->own[i], io->pipe[i] };

		for (size_t k = 0; k < sizeof(end) / sizeof(end[0]); k++)
			if (end[k] >= 0)
				loop_set_events(io->loop, end[k], events_of(io, end[k]));
	}
	if (io->master >= 0)
		loop_set_events(io->loop, io->master, events_of(io, io->master));
	if (io->timer >= 0)
		(void)timerfd_settime(io->timer, 0, wait ? &retry : &off, NULL);
}

static int on_ready(void *ctx, int fd, short revents, struct err *err)
{
	struct stdio *io = ctx;

	(void)revents; /* POLLHUP, POLLERR and POLLNVAL: read(2) and write(2) say more */
	(void)err;
	for (int i = 0; i < STREAMS; i++) {
		struct stdio_flow *flow = &io->flow[i];

		if (flow->from == fd && reading(io, i))
			(void)fill(io, i);
		if (pending(flow) > 0)
			flush(io, i);
		settle(io, i);
	}
	update(io);
	return LOOP_GO;
}

void stdio_winch(struct stdio *io)
{
	struct termios now;
	struct err ignored = { 0 };

	if (!io->flow)
		return;
	/* Stopped and continued: the shell gave the terminal back with its own modes. */
	if (io->raw && !stdio_in_background(STDIN_FILENO) &&
	    tcgetattr(STDIN_FILENO, &now) == 0 && (now.c_lflag & ICANON))
		io->raw = false;
	if (!io->raw)
		(void)stdio_go_raw(io, &ignored);
	stdio_send_size(io);
	update(io);
}

static int on_timer(void *ctx, int fd, short revents, struct err *err)
{
	struct stdio *io = ctx;
	uint64_t times;

	(void)revents;
	(void)err;
	if (read(fd, &times, sizeof(times)) < 0)
		return LOOP_GO;
	io->hung = false;
	if (io->background && !stdio_in_background(STDIN_FILENO)) {
		io->background = false;
		stdio_winch(io);
	}
	update(io);
	return LOOP_GO;
}

/*
 * A description of our own for an output of the caller's, which we may make
 * non-blocking: the caller's shares its flags with whoever else has it. Not for
 * regular files, which have an offset to share, and not always permitted (the
 * terminal of another user, after su); poll_first is for that.
 */
static int reopen_output(int fd)
{
	char path[32];
	struct stat st;

	if (fstat(fd, &st) < 0 || !(S_ISFIFO(st.st_mode) || isatty(fd)))
		return -EBADF;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? -EBADF : fd;
}

static void connect_output(struct stdio *io, int i)
{
	struct stdio_flow *flow = &io->flow[i];

	flow->from = io->tty ? io->master : io->pipe[i];
	io->open_outputs++;
	if (!io->foreground)
		return;
	io->own[i] = reopen_output(i);
	flow->to = io->own[i] >= 0 ? io->own[i] : i;
	flow->poll_first = io->own[i] < 0;
}

static void connect_input(struct stdio *io)
{
	struct stdio_flow *flow = &io->flow[IN];

	if (!io->interactive) {
		drop_pipe(io, IN);
		return;
	}
	if (!io->foreground)
		return; /* nobody writes, and nobody says so: as docker run -d -i */
	flow->from = STDIN_FILENO;
	flow->to = io->tty ? io->master : io->pipe[IN];
}

static int add_all(struct stdio *io, struct err *err)
{
	int r = 0;

	if (io->tty)
		r = loop_add(io->loop, io->master, 0, on_ready, io, err);
	for (int i = 0; i < STREAMS && r == 0; i++) {
		const struct stdio_flow *flow = &io->flow[i];

		if (flow->from >= 0 && flow->from != io->master)
			r = loop_add(io->loop, flow->from, 0, on_ready, io, err);
		if (r == 0 && flow->to >= 0 && flow->to != io->master)
			r = loop_add(io->loop, flow->to, 0, on_ready, io, err);
	}
	if (r == 0 && io->timer >= 0)
		r = loop_add(io->loop, io->timer, POLLIN, on_timer, io, err);
	return r;
}

static void still_signals(void)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t set;

	(void)sigaction(SIGPIPE, &ignore, NULL);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTTIN);
	(void)sigaddset(&set, SIGTTOU);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
}

int stdio_start(struct stdio *io, struct err *err)
{
	int r;

	still_signals();
	if (io->tty && fcntl(io->master, F_SETFL, O_NONBLOCK) < 0)
		return err_set(err, errno, "make the pty non-blocking");
	/* Input from a terminal can stop being ours at any time, raw or not. */
	if (io->lasting || (io->foreground && io->interactive && isatty(STDIN_FILENO))) {
		io->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
		if (io->timer < 0)
			return err_set(err, errno, "make a timer");
	}

	connect_input(io);
	connect_output(io, OUT);
	if (!io->tty)
		connect_output(io, ERR);
	r = add_all(io, err);
	if (r < 0)
		return err_wrap(err, "watch standard streams");
	stdio_send_size(io);
	r = stdio_go_raw(io, err);
	if (r < 0)
		return r;
	update(io);
	return 0;
}

static void flush_patiently(struct stdio *io, int i)
{
	struct stdio_flow *flow = &io->flow[i];

	flush(io, i);
	while (pending(flow) > 0 && !signals_end_pending()) {
		(void)writable(flow->to, 100);
		flush(io, i);
	}
}

void stdio_drain(struct stdio *io)
{
	for (int i = OUT; i < STREAMS && io->flow; i++) {
		size_t left = DRAIN_MAX;
		size_t n = 1;

		flush_patiently(io, i);
		while (n > 0 && left > 0 && reading(io, i)) {
			n = fill(io, i);
			left -= n < left ? n : left;
			flush_patiently(io, i);
		}
		settle(io, i);
	}
}

bool stdio_ended(const struct stdio *io)
{
	return !io->flow || (io->flow[OUT].eof && (io->tty || io->flow[ERR].eof));
}

void stdio_close(struct stdio *io)
{
	if (!io->flow)
		return;
	if (io->raw && !stdio_in_background(STDIN_FILENO))
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &io->saved);
	io->raw = false;

	for (int i = 0; i < STREAMS; i++) {
		drop_pipe(io, i);
		drop_fd(&io->far[i]);
		drop_own(io, i);
		loop_remove(io->loop, i);
	}
	if (io->master >= 0)
		loop_remove(io->loop, io->master);
	drop_fd(&io->master);
	if (io->timer >= 0)
		loop_remove(io->loop, io->timer);
	drop_fd(&io->timer);
	free(io->flow);
	io->flow = NULL;
}
