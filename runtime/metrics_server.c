#include "metrics_server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/syscall.h"
#include "exec.h"
#include "metrics_address.h"
#include "metrics_link.h"
#include "pid1.h"
#include "services.h"

/* From one answer to the next question. */
#define REST_MS 50

void metrics_server_init(struct metrics_server *server)
{
	*server = (struct metrics_server){ .dir = -EBADF,
		                           .listener = -EBADF,
		                           .link = -EBADF,
		                           .rest = -EBADF,
		                           .pidfd = -EBADF };
}

int metrics_server_open(struct metrics_server *server, const struct config *config,
                        const char *program, struct err *err)
{
	server->config = config;
	server->program = program;
	server->listener = metrics_address_open(config, &server->dir, err);
	return server->listener < 0 ? server->listener : 0;
}

/* The child: what is executed has the listener, its end of the pair, and nothing else. */
static void __attribute__((noreturn))
become_program(const struct metrics_server *server, int far)
{
	char *const argv[] = { "berth-metrics", NULL }, *const envp[] = { NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	/* Not where the other one is to be. */
	int link = fcntl(far, F_DUPFD_CLOEXEC, METRICS_LINK_FD + 1);
	int listener = fcntl(server->listener, F_DUPFD_CLOEXEC, METRICS_LINK_FD + 1);
	struct err err = { 0 };

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)sigprocmask(SIG_SETMASK, server->old_mask, NULL);
	if (null < 0 || link < 0 || listener < 0)
		(void)err_set(&err, errno, "prepare descriptors");
	if (err.code == 0 && fd_replace_stdio(null, null, null, &err) == 0 &&
	    fd_cloexec_all(&err) == 0 &&
	    fd_hand_down(listener, METRICS_LISTENER_FD, &err) == 0 &&
	    fd_hand_down(link, METRICS_LINK_FD, &err) == 0) {
		(void)execve(server->program, argv, envp);
		(void)err_set(&err, errno, "execute '%s'", server->program);
	}
	(void)send(link >= 0 ? link : far, &err, sizeof(err),
	           MSG_NOSIGNAL | MSG_DONTWAIT);
	_exit(EXEC_FAILED);
}

static void set_timer(const struct metrics_server *server, long ms)
{
	const struct itimerspec when = { .it_value = { .tv_sec = ms / 1000,
		                                       .tv_nsec = ms % 1000 * 1000000 } };

	(void)timerfd_settime(server->rest, 0, &when, NULL);
}

static void answer(const struct metrics_server *server)
{
	struct metrics_answer answer;

	/* No byte of our stack, between two fields, goes to who talks with strangers. */
	memset(&answer, 0, sizeof(answer));
	answer.size = sizeof(answer);
	server->read(server->ctx, &answer.metrics);
	(void)send(server->link, &answer, sizeof(answer), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static int on_question(void *ctx, int fd, short revents, struct err *err)
{
	struct metrics_server *server = ctx;
	char question;
	ssize_t n;

	(void)revents;
	(void)err;
	n = recv(fd, &question, 1, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return LOOP_GO;
	/* Its end is told by its pidfd. */
	if (n <= 0) {
		loop_remove(server->loop, fd);
		return LOOP_GO;
	}
	answer(server);
	loop_set_events(server->loop, fd, 0);
	set_timer(server, REST_MS);
	return LOOP_GO;
}

static void forget(struct metrics_server *server)
{
	int *const fds[] = { &server->link, &server->pidfd };

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (*fds[i] >= 0 && server->loop)
			loop_remove(server->loop, *fds[i]);
		drop_fd(fds[i]);
	}
}

/* Return: how it ended. */
static int reap(struct metrics_server *server)
{
	int status = EXEC_FAILED << 8;

	while (server->pid > 0 && waitpid(server->pid, &status, 0) < 0 && errno == EINTR)
		continue;
	server->pid = 0;
	return pid1_code(status);
}

static void kill_program(struct metrics_server *server)
{
	if (server->pid > 0)
		(void)kill(server->pid, SIGKILL);
	(void)reap(server);
}

static int on_end(void *ctx, int fd, short revents, struct err *err)
{
	struct metrics_server *server = ctx;
	char line[128];

	(void)fd;
	(void)revents;
	(void)err;
	forget(server);
	server->pause_ms = service_pause(server->pause_ms,
	                                 clock_ms(CLOCK_MONOTONIC) - server->begun_ms);
	(void)snprintf(line, sizeof(line),
	               "metrics: the process that serves them ended with %d, and starts "
	               "again in %d.%d s",
	               reap(server), server->pause_ms / 1000,
	               server->pause_ms % 1000 / 100);
	server->say(server->ctx, line);
	set_timer(server, server->pause_ms);
	return LOOP_GO;
}

static int start(struct metrics_server *server, struct err *err)
{
	cleanup_close int far = -EBADF;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(err, errno, "make a socket pair");
	server->begun_ms = clock_ms(CLOCK_MONOTONIC);
	server->link = pair[0];
	far = pair[1];
	server->pid = fork();
	if (server->pid == 0)
		become_program(server, far);
	if (server->pid < 0) {
		server->pid = 0;
		return err_set(err, errno, "start a process");
	}
	server->pidfd = sys_pidfd_open(server->pid, 0);
	if (server->pidfd < 0)
		return err_set(err, errno, "watch a process");
	if (loop_add(server->loop, server->link, POLLIN, on_question, server, err) < 0)
		return -err->code;
	return loop_add(server->loop, server->pidfd, POLLIN, on_end, server, err);
}

/* Of a later one nobody waits for the first word: it reads as a question, and its end is seen. */
static void start_again(struct metrics_server *server)
{
	struct err err = { 0 };

	if (start(server, &err) == 0)
		return;
	/* The pod has no room for one more process: later, then. */
	forget(server);
	kill_program(server);
	set_timer(server, SERVICE_PAUSE_MAX_MS);
}

static int on_rest(void *ctx, int fd, short revents, struct err *err)
{
	struct metrics_server *server = ctx;
	uint64_t ticks;

	(void)revents;
	(void)err;
	if (read(fd, &ticks, sizeof(ticks)) != sizeof(ticks))
		return LOOP_GO;
	if (server->pid > 0)
		loop_set_events(server->loop, server->link, POLLIN);
	else
		start_again(server);
	return LOOP_GO;
}

int metrics_server_start(struct metrics_server *server, struct loop *loop,
                         struct err *err)
{
	if (server->listener < 0)
		return 0;
	server->loop = loop;
	server->rest = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (server->rest < 0)
		return err_set(err, errno, "make a timer");
	if (loop_add(loop, server->rest, POLLIN, on_rest, server, err) < 0)
		return -err->code;
	return start(server, err);
}

int metrics_server_wait(struct metrics_server *server, struct err *err)
{
	union {
		char word;
		struct err err;
	} said;
	ssize_t n;

	if (server->listener < 0)
		return 0;
	n = recv(server->link, &said, sizeof(said), 0);
	if (n == 1 && said.word == METRICS_SERVING)
		return 0;
	if (n == sizeof(said.err) && said.err.code > 0) {
		said.err.text[sizeof(said.err.text) - 1] = '\0';
		(void)err_set(err, said.err.code, "%s", said.err.text);
	} else {
		(void)err_set(err, ECONNRESET, "the process that serves metrics died");
	}
	return err_step(err, "metrics");
}

void metrics_server_close(struct metrics_server *server)
{
	forget(server);
	kill_program(server);
	if (server->rest >= 0 && server->loop)
		loop_remove(server->loop, server->rest);
	drop_fd(&server->rest);
	if (server->listener >= 0)
		metrics_address_close(server->config, &server->dir, &server->listener);
}
