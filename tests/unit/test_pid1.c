#include "pid1.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/syscall.h"
#include "sync.h"
#include "tests/unit/unit.h"

/* Far beyond what any case here takes. */
#define PATIENCE_MS 20000

/* What a command of these tests gets: @ready, to be closed once it stands. */
typedef void command_fn(int ready);

/* How pid1_run() returned to a child of ours that ran it above @command; -1: never. */
static int run_above(command_fn *command, int send)
{
	int ready[2], status = -1;
	cleanup_close int pidfd = -EBADF;
	struct pollfd ended;
	char byte;
	pid_t pid1;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid1 = fork();
	assert_true(pid1 >= 0);
	if (pid1 == 0) {
		pid_t child;

		/* As PID 1 is: orphans come to us. */
		(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
		(void)close(ready[0]);
		child = fork();
		if (child == 0) {
			sigset_t none;

			(void)sigemptyset(&none);
			(void)sigprocmask(SIG_SETMASK, &none, NULL);
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			command(ready[1]);
			_exit(99);
		}
		_exit(pid1_run(child, -EBADF));
	}
	(void)close(ready[1]);
	/* Nobody holds the pipe: the command stands, and pid1 has closed its own. */
	assert_int_equal(read(ready[0], &byte, 1), 0);
	(void)close(ready[0]);
	if (send)
		assert_int_equal(kill(pid1, send), 0);

	pidfd = sys_pidfd_open(pid1, 0);
	assert_true(pidfd >= 0);
	ended = (struct pollfd){ .fd = pidfd, .events = POLLIN };
	if (poll(&ended, 1, PATIENCE_MS) != 1) {
		(void)kill(pid1, SIGKILL);
		(void)waitpid(pid1, &status, 0);
		return -1;
	}
	assert_int_equal(waitpid(pid1, &status, 0), pid1);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void exits_0(int ready)
{
	(void)ready;
	_exit(0);
}

static void exits_7(int ready)
{
	(void)ready;
	_exit(7);
}

static void exits_255(int ready)
{
	(void)ready;
	_exit(255);
}

static void kills_itself(int ready)
{
	(void)ready;
	(void)raise(SIGKILL);
}

static void says_5(int signal)
{
	(void)signal;
	_exit(5);
}

static void exits_5_on_usr1(int ready)
{
	(void)signal(SIGUSR1, says_5);
	(void)close(ready);
	for (;;)
		(void)pause();
}

static void waits(int ready)
{
	(void)close(ready);
	for (;;)
		(void)pause();
}

/* Leaves a grandchild behind that ends first, then ends itself. */
static void leaves_orphans(int ready)
{
	(void)ready;
	for (int i = 0; i < 20; i++)
		if (fork() == 0) {
			if (fork() == 0)
				_exit(3);
			_exit(4);
		}
	(void)usleep(50000);
	_exit(6);
}

static const struct run_case {
	const char *name;
	command_fn *command;
	int send, want;
} run_cases[] = {
	{ "success", exits_0, 0, 0 },
	{ "failure", exits_7, 0, 7 },
	{ "the highest status", exits_255, 0, 255 },
	{ "killed", kills_itself, 0, 128 + SIGKILL },
	{ "a signal is handed on, and kills", waits, SIGTERM, 128 + SIGTERM },
	{ "a signal is handed on, and is handled", exits_5_on_usr1, SIGUSR1, 5 },
	{ "status of the command, not of an orphan", leaves_orphans, 0, 6 },
};

static void test_run(void **state)
{
	(void)state;

	for (size_t i = 0; i < N_ELEMENTS(run_cases); i++) {
		const struct run_case *c = &run_cases[i];

		print_message("  %s\n", c->name);
		assert_int_equal(run_above(c->command, c->send), c->want);
	}
}

/* Of a command that ended before anybody waited no signal comes any more. */
static void test_ended_before(void **state)
{
	pid_t pid1 = fork();
	int status = 0;

	(void)state;
	assert_true(pid1 >= 0);
	if (pid1 == 0) {
		pid_t child = fork();
		siginfo_t info;

		if (child == 0)
			_exit(7);
		(void)waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
		_exit(pid1_run(child, -EBADF));
	}
	for (int ms = 0; waitpid(pid1, &status, WNOHANG) == 0; ms += 10) {
		if (ms >= PATIENCE_MS) {
			(void)kill(pid1, SIGKILL);
			(void)waitpid(pid1, &status, 0);
			fail_msg("still waiting for a command that has ended");
		}
		(void)usleep(10000);
	}
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
}

/* Who listens knows how the command ended before we have, and then that we have. */
static void test_end_is_told(void **state)
{
	struct err err = { 0 };
	int32_t told = -1;
	int pair[2], status = 0;
	pid_t pid1;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	pid1 = fork();
	assert_true(pid1 >= 0);
	if (pid1 == 0) {
		pid_t child;

		(void)close(pair[0]);
		child = fork();
		if (child == 0) {
			(void)raise(SIGKILL);
			_exit(99);
		}
		_exit(pid1_run(child, pair[1]));
	}
	(void)close(pair[1]);
	assert_int_equal(sync_expect(pair[0], SYNC_EXITED, &told, NULL, 0, &err), 0);
	assert_int_equal(sync_expect(pair[0], SYNC_EXITED, NULL, NULL, 0, &err),
	                 -ECONNRESET);
	(void)close(pair[0]);
	assert_int_equal(waitpid(pid1, &status, 0), pid1);
	assert_int_equal(WEXITSTATUS(status), 128 + SIGKILL);
	assert_int_equal(told, status);
}

/* Root inside reads /proc/1/cmdline; there is nothing of the caller's words in it. */
static void test_words_are_gone(void **state)
{
	char path[64], text[256] = "";
	int ready[2], status;
	cleanup_close int fd = -EBADF;
	pid_t pid1, child;
	char byte;

	(void)state;
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid1 = fork();
	assert_true(pid1 >= 0);
	if (pid1 == 0) {
		(void)close(ready[0]);
		pid1_disguise(&(struct words_area){ 0 });
		child = fork();
		if (child == 0)
			waits(ready[1]);
		_exit(pid1_run(child, -EBADF));
	}
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 0);
	(void)close(ready[0]);
	(void)snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid1);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	assert_string_equal(text, "berth-init");
	assert_int_equal(kill(pid1, SIGTERM), 0);
	assert_int_equal(waitpid(pid1, &status, 0), pid1);
	assert_int_equal(WEXITSTATUS(status), 128 + SIGTERM);
}

static int words_n;
static char **words;

static void test_words_of(void **state)
{
	char other[] = "word", *const others[] = { other, NULL };
	char *const copies[] = { strdup("word"), NULL };
	struct words_area found, ours = words_of(words_n, words);

	(void)state;
	words_find(&found);
	assert_true(found.size > 0);
	assert_ptr_equal(ours.begin, found.begin);
	assert_int_equal(ours.size, found.size);
	ours = words_of(words_n - 1, words + 1);
	assert_ptr_equal(ours.begin, found.begin);
	assert_int_equal(ours.size, found.size);
	/* Not the kernel's: the stack is below what it put there, and so is the heap. */
	assert_int_equal(words_of(1, others).size, 0);
	assert_int_equal(words_of(1, copies).size, 0);
	assert_int_equal(words_of(0, words).size, 0);
	/* Not all of them. */
	assert_int_equal(words_of(words_n - 1, words).size, 0);
	free(copies[0]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words_of),       cmocka_unit_test(test_run),
		cmocka_unit_test(test_ended_before),   cmocka_unit_test(test_end_is_told),
		cmocka_unit_test(test_words_are_gone),
	};

	/* As a command has them: without the first one, too. */
	words_n = argc;
	words = argv;
	if (argc == 1) {
		(void)execl("/proc/self/exe", argv[0], "a", "b c", NULL);
		return 99;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
