#include "image_program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"

/* Of a child that never comes back; what it left ends by itself. */
#define BOUND_S 60

/**
 * struct seen - What a program told
 * @pid:	a process of its, as it wrote
 * @group:	that one's
 * @end:	it is to be ended then
 * @asked:	how often it was asked for a sign of work
 */
struct seen {
	pid_t pid, group;
	bool end;
	uint64_t asked;
};

static void take_pid(void *ctx, char *line)
{
	struct seen *seen = ctx;

	seen->pid = (pid_t)atol(line);
	seen->group = getpgid(seen->pid);
	if (seen->end)
		(void)kill(seen->pid, SIGKILL);
}

/* It works until it has told, however long that takes. */
static uint64_t sign_of(const void *ctx)
{
	struct seen *seen = (struct seen *)ctx;

	return seen->pid > 0 ? 0 : ++seen->asked;
}

static int run(const char *script, uint64_t patience_s, struct seen *seen, bool *stalled)
{
	const char *const argv[] = { "sh", "-c", script, NULL };
	struct program program = { .argv = argv,
		                   .package = "dash",
		                   .out = -EBADF,
		                   .line = take_pid,
		                   .ctx = seen,
		                   .watched = -EBADF,
		                   .patience_s = patience_s,
		                   .sign = sign_of,
		                   .sign_ctx = seen };
	struct err err = { 0 };
	const int r = program_run(&program, &err);

	*stalled = program.stalled;
	return r;
}

/* In a session of its own, without a terminal, where orphans come to. */
static int in_session(int (*body)(void))
{
	const pid_t pid = fork();
	int status = 0;

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)alarm(BOUND_S);
		_exit(setsid() < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 ? 99 : body());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* What it started does not heed SIGTERM, and has its standard error. */
static int stall(void)
{
	struct seen seen = { 0 };
	bool stalled = false;
	int status = 0;

	if (run("sh -c 'trap \"\" TERM; echo $$; exec sleep 100' & exec sleep 100", 1,
	        &seen, &stalled) != 128 + SIGTERM)
		return 1;
	if (!stalled || waitpid(seen.pid, &status, 0) != seen.pid)
		return 2;
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 0 : 3;
}

static int end_before(void)
{
	struct seen seen = { 0 };
	bool stalled = true;

	if (run("sleep 100 & echo $!; exit 3", BOUND_S * 10, &seen, &stalled) != 3 ||
	    stalled)
		return 1;
	/* What went on is left alone. */
	if (waitpid(seen.pid, NULL, WNOHANG) != 0)
		return 2;
	return kill(seen.pid, SIGKILL) < 0 ? 3 : 0;
}

static int own_group(void)
{
	struct seen seen = { .end = true };
	bool stalled;

	if (run("echo $$; exec sleep 100", BOUND_S * 10, &seen, &stalled) !=
	    128 + SIGKILL)
		return 1;
	return seen.group == seen.pid ? 0 : 2;
}

/* There ^C is for all of a group. */
static int at_terminal(void)
{
	struct seen seen = { .end = true };
	const int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	bool stalled;

	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0 ||
	    open(ptsname(master), O_RDWR | O_CLOEXEC) < 0)
		return 1;
	if (run("echo $$; exec sleep 100", BOUND_S * 10, &seen, &stalled) !=
	    128 + SIGKILL)
		return 2;
	return seen.group == getpgrp() ? 0 : 3;
}

static void test_stalled(void **state)
{
	(void)state;
	assert_int_equal(in_session(stall), 0);
}

static void test_ended(void **state)
{
	(void)state;
	assert_int_equal(in_session(end_before), 0);
}

static void test_groups(void **state)
{
	(void)state;
	assert_int_equal(in_session(own_group), 0);
	assert_int_equal(in_session(at_terminal), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stalled),
		cmocka_unit_test(test_ended),
		cmocka_unit_test(test_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
