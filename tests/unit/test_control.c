#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/tree.h"
#include "control.h"
#include "peer.h"
#include "tests/unit/unit.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

/**
 * struct server - A control server in a process of its own
 * @dir:	its entry's path; @entry: the same, open
 * @orders:	the test writes a letter: 'r' ready, 'e' exited, 'c' close
 */
struct server {
	char dir[64];
	int entry, orders;
	pid_t pid;
	struct control control;
	struct loop loop;
	int got_signal;
};

static int do_kill(void *ctx, int sig, struct err *err)
{
	struct server *server = ctx;

	if (sig == SIGUSR2)
		return err_set(err, EPERM, "send signal %d", sig);
	server->got_signal = sig;
	return 0;
}

static int do_stop(void *ctx, uint64_t timeout_s, struct err *err)
{
	struct server *server = ctx;

	if (timeout_s == 99)
		return err_set(err, EINVAL, "stop");
	control_exited(&server->control, 3);
	return 0;
}

static int do_join(void *ctx, const char *words, size_t n, int fd[CONTROL_FDS],
                   struct err *err)
{
	struct server *server = ctx;

	(void)err;
	(void)words;
	(void)n;
	fd[CONTROL_INIT] = server->entry;
	fd[CONTROL_CGROUP] = server->got_signal == SIGUSR1 ? -EBADF : server->orders;
	fd[CONTROL_NS + NS_PID] = server->entry;
	return 0;
}

static int on_order(void *ctx, int fd, short revents, struct err *err)
{
	struct server *server = ctx;
	char order = 'q';

	(void)revents;
	(void)err;
	if (read(fd, &order, 1) != 1)
		return LOOP_STOP;
	if (order == 'r')
		control_ready(&server->control);
	if (order == 'e')
		control_exited(&server->control, 7);
	if (order == 'c')
		control_close(&server->control, server->entry);
	return LOOP_GO;
}

static void serve(struct server *server)
{
	struct err err = { 0 };

	server->control = (struct control){ .loop = &server->loop,
		                            .ctx = server,
		                            .kill = do_kill,
		                            .stop = do_stop,
		                            .join = do_join };
	if (control_listen(&server->control, server->entry, &err) < 0)
		_exit(1);
	if (loop_add(&server->loop, server->orders, POLLIN, on_order, server, &err) < 0)
		_exit(2);
	(void)loop_run(&server->loop, &err);
	control_close(&server->control, server->entry);
	_exit(0);
}

static int setup(void **state)
{
	struct server *server = calloc(1, sizeof(*server));
	int pair[2];

	if (!server)
		return -1;
	(void)snprintf(server->dir, sizeof(server->dir),
	               "/tmp/berth-test-control-XXXXXX");
	if (!mkdtemp(server->dir) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return -1;
	server->entry = open(server->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	server->pid = fork();
	if (server->pid == 0) {
		(void)close(pair[1]);
		server->orders = pair[0];
		serve(server);
	}
	(void)close(pair[0]);
	server->orders = pair[1];
	while (faccessat(server->entry, "control", F_OK, 0) < 0)
		(void)usleep(1000);
	*state = server;
	return 0;
}

static int teardown(void **state)
{
	struct server *server = *state;
	cleanup_close int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct err err = { 0 };
	int status = -1;

	(void)close(server->orders);
	if (waitpid(server->pid, &status, 0) != server->pid || status != 0) {
		print_error("server: status %#x\n", (unsigned int)status);
		return -1;
	}
	/* It took its socket away. */
	if (faccessat(server->entry, "control", F_OK, 0) == 0)
		return -1;
	(void)close(server->entry);
	if (tree_remove(tmp, server->dir + strlen("/tmp/"), &err) < 0)
		return -1;
	free(server);
	return 0;
}

static void order(const struct server *server, char letter)
{
	assert_int_equal(write(server->orders, &letter, 1), 1);
}

static int ask(const struct server *server, enum control_verb verb, int sig,
               uint64_t timeout_s, struct control_reply *reply, int ret_fd[CONTROL_FDS],
               struct err *err)
{
	struct control_request request = { .verb = verb,
		                           .signal = sig,
		                           .timeout_s = timeout_s };

	return control_ask(server->entry, &request, reply, ret_fd, err);
}

static void test_kill(void **state)
{
	struct control_reply reply;
	struct err err = { 0 };

	assert_int_equal(ask(*state, CONTROL_PING, 0, 0, &reply, NULL, &err), 0);
	assert_int_equal(ask(*state, CONTROL_KILL, SIGTERM, 0, &reply, NULL, &err), 0);
	assert_int_equal(ask(*state, CONTROL_KILL, SIGUSR2, 0, &reply, NULL, &err),
	                 -EPERM);
	assert_int_equal(err.code, EPERM);
	assert_string_equal(err.text, "send signal 12");
}

static void test_stop(void **state)
{
	struct control_reply reply;
	struct err err = { 0 };

	assert_int_equal(ask(*state, CONTROL_STOP, 0, 99, &reply, NULL, &err), -EINVAL);
	err_clear(&err);
	assert_int_equal(ask(*state, CONTROL_STOP, 0, 5, &reply, NULL, &err), 0);
	assert_int_equal(reply.exit_code, 3);
	/* Once more: it has ended already. */
	assert_int_equal(ask(*state, CONTROL_STOP, 0, 5, &reply, NULL, &err), 0);
	assert_int_equal(ask(*state, CONTROL_KILL, SIGTERM, 0, &reply, NULL, &err),
	                 -ESRCH);
	err_clear(&err);
	assert_int_equal(ask(*state, CONTROL_EXIT, 0, 0, &reply, NULL, &err), 0);
	assert_int_equal(reply.exit_code, 3);
	assert_int_equal(ask(*state, CONTROL_READY, 0, 0, &reply, NULL, &err),
	                 -ECANCELED);
	assert_string_equal(err.text, "it ended before it was ready");
}

static void close_each(const int fd[CONTROL_FDS])
{
	for (size_t i = 0; i < CONTROL_FDS; i++)
		if (fd[i] >= 0)
			assert_int_equal(close(fd[i]), 0);
}

static void test_join(void **state)
{
	const struct server *server = *state;
	struct control_reply reply;
	struct err err = { 0 };
	struct stat want, got;
	int fd[CONTROL_FDS];

	assert_int_equal(ask(server, CONTROL_JOIN, 0, 0, &reply, fd, &err), 0);
	assert_int_equal(fstat(server->entry, &want), 0);
	assert_int_equal(fstat(fd[CONTROL_INIT], &got), 0);
	assert_int_equal(got.st_ino, want.st_ino);
	assert_int_equal(fcntl(fd[CONTROL_INIT], F_GETFD), FD_CLOEXEC);
	assert_true(fd[CONTROL_CGROUP] >= 0);
	assert_int_equal(fd[CONTROL_NS + NS_USER], -EBADF);
	assert_true(fd[CONTROL_NS + NS_PID] >= 0);
	close_each(fd);

	/* Without a cgroup; what comes behind it keeps its place. */
	assert_int_equal(ask(server, CONTROL_KILL, SIGUSR1, 0, &reply, NULL, &err), 0);
	assert_int_equal(ask(server, CONTROL_JOIN, 0, 0, &reply, fd, &err), 0);
	assert_true(fd[CONTROL_INIT] >= 0);
	assert_int_equal(fd[CONTROL_CGROUP], -EBADF);
	assert_int_equal(fstat(fd[CONTROL_NS + NS_PID], &got), 0);
	assert_int_equal(got.st_ino, want.st_ino);
	close_each(fd);

	/* Nobody takes them: closed, not leaked. */
	assert_int_equal(ask(server, CONTROL_JOIN, 0, 0, &reply, NULL, &err), 0);
	assert_int_equal(fcntl(fd[CONTROL_INIT], F_GETFD), -1);
}

/*
 * Asks in a child, which reports by exit status: 100 + exit code, or the errno. It has asked
 * when this returns: what the server is told next comes after the question.
 */
static pid_t ask_in_child(const struct server *server, enum control_verb verb)
{
	const struct control_request request = { .verb = verb };
	int asked[2];
	char byte;
	pid_t child;

	assert_int_equal(pipe2(asked, O_CLOEXEC), 0);
	child = fork();
	if (child == 0) {
		struct control_reply reply;
		struct err err = { 0 };
		int sock, r;

		/* Or the server would never see the end of its orders. */
		(void)close(server->orders);
		sock = control_send(server->entry, &request, &err);
		(void)close(asked[0]);
		(void)close(asked[1]);
		r = sock < 0 ? sock : control_receive(sock, &reply, NULL, &err);
		_exit(r < 0 ? -r : 100 + reply.exit_code);
	}
	assert_int_equal(close(asked[1]), 0);
	assert_int_equal(read(asked[0], &byte, 1), 0);
	assert_int_equal(close(asked[0]), 0);
	return child;
}

static int status_of(pid_t child)
{
	int status = -1;

	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_waiters(void **state)
{
	const struct server *server = *state;
	pid_t ready[3], ended[3];

	for (size_t i = 0; i < N_ELEMENTS(ready); i++) {
		ready[i] = ask_in_child(server, CONTROL_READY);
		ended[i] = ask_in_child(server, CONTROL_EXIT);
	}
	order(server, 'r');
	for (size_t i = 0; i < N_ELEMENTS(ready); i++)
		assert_int_equal(status_of(ready[i]), 100);
	assert_int_equal(status_of(ask_in_child(server, CONTROL_READY)), 100);
	assert_int_equal(waitpid(ended[0], NULL, WNOHANG), 0);
	order(server, 'e');
	for (size_t i = 0; i < N_ELEMENTS(ended); i++)
		assert_int_equal(status_of(ended[i]), 107);
}

static void test_never_ready(void **state)
{
	pid_t ready = ask_in_child(*state, CONTROL_READY);

	order(*state, 'e');
	assert_int_equal(status_of(ready), ECANCELED);
}

static void test_killed_server(void **state)
{
	struct server *server = *state;
	struct control_reply reply;
	struct err err = { 0 };
	pid_t ended = ask_in_child(server, CONTROL_EXIT);

	assert_int_equal(kill(server->pid, SIGKILL), 0);
	assert_int_equal(status_of(ended), ECONNRESET);
	assert_int_equal(waitpid(server->pid, NULL, 0), server->pid);
	/* Its socket is still there, and nobody behind it. */
	assert_int_equal(ask(server, CONTROL_KILL, 9, 0, &reply, NULL, &err), -ESRCH);
	assert_string_equal(err.text, "it is not running");
	err_clear(&err);
	assert_int_equal(unlinkat(server->entry, "control", 0), 0);
	assert_int_equal(ask(server, CONTROL_KILL, 9, 0, &reply, NULL, &err), -ESRCH);

	/* For teardown(). */
	server->pid = fork();
	if (server->pid == 0)
		_exit(0);
}

static int connect_raw(const struct server *server)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/control",
	               server->dir);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static const struct talk_case {
	const char *name;
	struct control_request request;
	size_t size;
	int r;
} talk_cases[] = {
	{ "short",
	  { .version = CONTROL_VERSION, .verb = CONTROL_KILL, .signal = 9 },
	  4,
	  -EPROTO },
	{ "of another version",
	  { .version = 99, .verb = CONTROL_KILL, .signal = 9 },
	  sizeof(struct control_request),
	  -EPROTO },
	{ "unknown verb",
	  { .version = CONTROL_VERSION, .verb = CONTROL_VERB_MAX, .signal = 9 },
	  sizeof(struct control_request),
	  -EINVAL },
	{ "verb far out",
	  { .version = CONTROL_VERSION, .verb = UINT32_MAX, .signal = 9 },
	  sizeof(struct control_request),
	  -EINVAL },
	{ "well-formed",
	  { .version = CONTROL_VERSION, .verb = CONTROL_KILL, .signal = 9 },
	  sizeof(struct control_request),
	  0 },
};

static void test_malformed(void **state)
{
	char large[4096] = { CONTROL_VERSION };
	struct control_reply reply;
	struct err err = { 0 };
	int fd;

	assert_in_range(sizeof(struct control_request), 5, sizeof(large) - 1);
	for (size_t i = 0; i < N_ELEMENTS(talk_cases); i++) {
		const struct talk_case *c = &talk_cases[i];

		print_message("  %s\n", c->name);
		err_clear(&err);
		fd = connect_raw(*state);
		assert_int_equal(send(fd, &c->request, c->size, 0), c->size);
		assert_int_equal(control_receive(fd, &reply, NULL, &err), c->r);
		assert_int_equal(close(fd), 0);
	}

	err_clear(&err);
	fd = connect_raw(*state);
	assert_int_equal(send(fd, large, sizeof(large), 0), sizeof(large));
	assert_int_equal(control_receive(fd, &reply, NULL, &err), -EPROTO);
	assert_int_equal(close(fd), 0);

	/* One request a connection: who talks while waiting is dropped. */
	err_clear(&err);
	fd = connect_raw(*state);
	for (int i = 0; i < 2; i++) {
		struct control_request request = { .version = CONTROL_VERSION,
			                           .verb = CONTROL_EXIT,
			                           .signal = 0 };

		assert_int_equal(send(fd, &request, sizeof(request), 0), sizeof(request));
	}
	assert_int_equal(control_receive(fd, &reply, NULL, &err), -ECONNRESET);
	assert_int_equal(close(fd), 0);
}

static void test_silent_peers(void **state)
{
	const struct control_request wait = { .version = CONTROL_VERSION,
		                              .verb = CONTROL_EXIT,
		                              .signal = 0 };
	int waiter = connect_raw(*state), silent[100];
	struct control_reply reply;
	struct err err = { 0 };
	struct pollfd pfd;

	assert_int_equal(send(waiter, &wait, sizeof(wait), 0), sizeof(wait));
	/* Whoever is answered came after the waiter: it is known by now. */
	assert_int_equal(ask(*state, CONTROL_KILL, 9, 0, &reply, NULL, &err), 0);
	for (size_t i = 0; i < N_ELEMENTS(silent); i++)
		silent[i] = connect_raw(*state);
	assert_int_equal(ask(*state, CONTROL_KILL, 9, 0, &reply, NULL, &err), 0);
	/* The oldest have been sent away, the newest not, and who waits never. */
	pfd = (struct pollfd){ .fd = silent[0], .events = POLLIN };
	assert_int_equal(poll(&pfd, 1, 1000), 1);
	pfd.fd = silent[N_ELEMENTS(silent) - 1];
	assert_int_equal(poll(&pfd, 1, 0), 0);
	order(*state, 'e');
	assert_int_equal(control_receive(waiter, &reply, NULL, &err), 0);
	assert_int_equal(close(waiter), 0);
	for (size_t i = 0; i < N_ELEMENTS(silent); i++)
		assert_int_equal(close(silent[i]), 0);
}

static void test_too_many_waiters(void **state)
{
	struct control_reply reply;
	struct err err = { 0 };
	pid_t waiter[32];

	for (size_t i = 0; i < N_ELEMENTS(waiter); i++)
		waiter[i] = ask_in_child(*state, CONTROL_EXIT);
	(void)usleep(100000);
	assert_int_equal(ask(*state, CONTROL_KILL, 9, 0, &reply, NULL, &err), -EBUSY);
	assert_string_equal(err.text, "32 commands are waiting already");
	order(*state, 'e');
	for (size_t i = 0; i < N_ELEMENTS(waiter); i++)
		assert_int_equal(status_of(waiter[i]), 107);
}

static void test_asked_just_before_the_close(void **state)
{
	const struct server *server = *state;
	struct control_request request = { .version = CONTROL_VERSION,
		                           .verb = CONTROL_EXIT,
		                           .signal = 0 };
	struct control_reply reply;
	struct err err = { 0 };
	int fd[8];

	assert_int_equal(kill(server->pid, SIGSTOP), 0);
	order(server, 'e');
	for (size_t i = 0; i < N_ELEMENTS(fd); i++) {
		fd[i] = connect_raw(server);
		assert_int_equal(send(fd[i], &request, sizeof(request), 0),
		                 sizeof(request));
	}
	order(server, 'c');
	assert_int_equal(kill(server->pid, SIGCONT), 0);
	for (size_t i = 0; i < N_ELEMENTS(fd); i++) {
		assert_int_equal(control_receive(fd[i], &reply, NULL, &err), 0);
		assert_int_equal(reply.exit_code, 7);
		assert_int_equal(close(fd[i]), 0);
	}
}

/* Whether we may make user namespaces here. */
static bool can_unshare(void)
{
	pid_t child = fork();
	int status = -1;

	if (child == 0)
		_exit(unshare(CLONE_NEWUSER) < 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	return status == 0;
}

static const struct peer_case {
	const char *name;
	int unshare;
	int want; /* exit status of ask_in_child() */
} peer_cases[] = {
	{ "same user namespace", 0, 100 },
	{ "other mount namespace only", CLONE_NEWNS, 100 },
	{ "child user namespace", CLONE_NEWUSER, EACCES },
	{ "child user and PID namespace", CLONE_NEWUSER | CLONE_NEWPID, EACCES },
};

static void test_peers(void **state)
{
	const struct server *server = *state;

	if (!can_unshare())
		skip();
	for (size_t i = 0; i < N_ELEMENTS(peer_cases); i++) {
		const struct peer_case *c = &peer_cases[i];
		pid_t child;

		print_message("  %s\n", c->name);
		child = fork();
		if (child == 0) {
			struct control_reply reply;
			struct err err = { 0 };
			int r;

			if (c->unshare && unshare(c->unshare) < 0)
				_exit(errno == EPERM ? c->want : 99);
			if (c->unshare & CLONE_NEWPID && fork() > 0) {
				int status = -1;

				(void)wait(&status);
				_exit(WEXITSTATUS(status));
			}
			r = ask(server, CONTROL_KILL, 9, 0, &reply, NULL, &err);
			_exit(r < 0 ? -r : 100);
		}
		assert_int_equal(status_of(child), c->want);
	}
}

/* A connected pair whose other end belongs to a child in @flags' namespaces. */
static pid_t connect_from(int flags, int listener, const char *path)
{
	pid_t child = fork();

	if (child == 0) {
		struct sockaddr_un address = { .sun_family = AF_UNIX };
		int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
		char byte;

		(void)close(listener);
		if (flags && unshare(flags) < 0)
			_exit(1);
		(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
		if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
			_exit(2);
		(void)!read(fd, &byte, 1);
		_exit(0);
	}
	return child;
}

/* Makes the kernel look older than 6.5. */
static void refuse_peerpidfd(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getsockopt, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		         offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SO_PEERPIDFD, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOPROTOOPT),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = N_ELEMENTS(code), .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(50);
}

/* In a child, for the filter's sake: the errno of peer_check(), or 100. */
static int check_peer(int sock, bool old)
{
	pid_t child = fork();

	if (child == 0) {
		struct err err = { 0 };
		int r;

		if (old) {
			refuse_peerpidfd();
			if (peer_pidfd(sock) != -ENOPROTOOPT)
				_exit(51);
		}
		r = peer_check(sock, &err);
		_exit(r < 0 ? -r : 100);
	}
	return status_of(child);
}

static void test_peer_check_both_ways(void **state)
{
	static const char path[] = "/tmp/berth-test-peer";
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	(void)state;

	if (!can_unshare())
		skip();
	for (int other = 0; other < 2; other++) {
		cleanup_close int listener = socket(AF_UNIX, SOCK_SEQPACKET, 0);
		cleanup_close int sock = -EBADF;
		struct err err = { 0 };
		int pidfd, want = other ? EACCES : 100;
		pid_t child;

		(void)unlink(path);
		(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
		assert_int_equal(
			bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
		assert_int_equal(listen(listener, 1), 0);
		child = connect_from(other ? CLONE_NEWUSER : 0, listener, path);
		sock = accept(listener, NULL, NULL);
		assert_true(sock >= 0);

		assert_int_equal(check_peer(sock, false), want);
		assert_int_equal(check_peer(sock, true), want);
		pidfd = peer_pidfd_by_number(sock);
		assert_true(pidfd >= 0);
		assert_int_equal(peer_check_pidfd(pidfd, &err), other ? -EACCES : 0);

		/* Gone: never accepted, whatever it was. */
		assert_int_equal(kill(child, SIGKILL), 0);
		assert_int_equal(waitpid(child, NULL, 0), child);
		err_clear(&err);
		assert_int_equal(peer_check_pidfd(pidfd, &err), -ESRCH);
		assert_int_not_equal(check_peer(sock, false), 100);
		assert_int_equal(check_peer(sock, true), ESRCH);
		assert_int_equal(close(pidfd), 0);
	}
	assert_int_equal(unlink(path), 0);
}

/* A PID namespace beside ours: the peer has no number here. */
static void test_invisible_peer(void **state)
{
	int pair[2];
	pid_t child;

	(void)state;

	if (!can_unshare())
		skip();
	/* The child asks about a peer outside its PID namespace: us. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	child = fork();
	if (child == 0) {
		int status = -1;

		if (unshare(CLONE_NEWUSER | CLONE_NEWPID) < 0)
			_exit(99);
		child = fork();
		if (child == 0)
			_exit(-peer_pidfd_by_number(pair[0]));
		(void)waitpid(child, &status, 0);
		_exit(WEXITSTATUS(status));
	}
	assert_int_equal(status_of(child), EACCES);
	assert_int_equal(close(pair[0]), 0);
	assert_int_equal(close(pair[1]), 0);
}

static void test_long_path(void **state)
{
	const struct server *server = *state;
	struct loop loop = { 0 };
	struct control control = { .loop = &loop };
	struct control_request request = { .verb = CONTROL_EXIT };
	struct control_reply reply;
	struct err err = { 0 };
	char name[201] = "";
	int entry;

	memset(name, 'x', sizeof(name) - 1);
	assert_int_equal(mkdirat(server->entry, name, 0700), 0);
	entry = openat(server->entry, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(control_listen(&control, entry, &err), 0);
	control_exited(&control, 0);
	if (fork() == 0) {
		struct pollfd pfd = { .fd = control.listener, .events = POLLIN };

		(void)poll(&pfd, 1, 10000);
		(void)usleep(50000); /* for the request behind the connection */
		control_close(&control, entry);
		_exit(0);
	}
	/* Only the child serves, in control_close(). */
	assert_int_equal(close(control.listener), 0);
	assert_int_equal(control_ask(entry, &request, &reply, NULL, &err), 0);
	assert_true(wait(NULL) > 0);
	assert_int_equal(close(entry), 0);
	assert_int_equal(unlinkat(server->entry, name, AT_REMOVEDIR), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_kill),
		TEST(test_stop),
		TEST(test_join),
		TEST(test_waiters),
		TEST(test_never_ready),
		TEST(test_killed_server),
		TEST(test_malformed),
		TEST(test_silent_peers),
		TEST(test_too_many_waiters),
		TEST(test_asked_just_before_the_close),
		TEST(test_peers),
		cmocka_unit_test(test_peer_check_both_ways),
		cmocka_unit_test(test_invisible_peer),
		TEST(test_long_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
