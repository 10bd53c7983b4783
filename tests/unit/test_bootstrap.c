#include "bootstrap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/tree.h"
#include "tests/unit/unit.h"

static const struct policy_case {
	const char *policy;
	int r, status;
	uint64_t restarts;
	bool again;
} policy_cases[] = {
	{ "no", 0, 1, 0, false },
	{ "always", 0, 0, 1000000, true },
	{ "always", 0, 1, 0, true },
	{ "on-failure", 0, 0, 0, false },
	{ "on-failure", 0, 1, 1000000, true },
	{ "on-failure", 0, 137, 0, true },
	{ "on-failure:2", 0, 1, 1, true },
	{ "on-failure:2", 0, 1, 2, false },
	{ "on-failure:2", 0, 0, 0, false },
	{ "on-failure:2147483647", 0, 1, 5, true },
	{ "on-failure:0", -EINVAL, 1, 0, false },
	{ "on-failure:2147483648", -EINVAL, 1, 0, false },
	{ "on-failure:", -EINVAL, 1, 0, false },
	{ "on-failures", -EINVAL, 1, 0, false },
	{ "unless-stopped", -EINVAL, 1, 0, false },
	{ "", -EINVAL, 1, 0, false },
};

static void test_policy(void **state)
{
	(void)state;

	for (size_t i = 0; i < N_ELEMENTS(policy_cases); i++) {
		const struct policy_case *c = &policy_cases[i];
		struct err err = { 0 };

		print_message("  %s\n", c->policy);
		assert_int_equal(bootstrap_policy_check(c->policy, &err), c->r);
		assert_int_equal(err.code, -c->r);
		if (c->r == 0)
			assert_int_equal(
				bootstrap_restarts(c->policy, c->status, c->restarts),
				c->again);
	}
}

/* A directory to keep scripts in; removed by take_away(). */
static int make_entry(char dir[64])
{
	(void)snprintf(dir, 64, "/tmp/berth-test-boot-XXXXXX");
	assert_non_null(mkdtemp(dir));
	return open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void take_away(const char *dir)
{
	cleanup_close int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct err err = { 0 };

	assert_true(tree_remove(tmp, dir + strlen("/tmp/"), &err) >= 0);
}

static void test_take(void **state)
{
	const struct {
		const char *path;
		int r;
	} cases[] = {
		{ NULL, 0 },          { BOOTSTRAP_STDIN, 0 },
		{ "/etc/passwd", 0 }, { "/no/such/script", -ENOENT },
		{ "/etc", -EINVAL },  { "/dev/null", -EINVAL },
	};
	char dir[64];
	cleanup_close int entry = make_entry(dir);

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct err err = { 0 };

		assert_int_equal(bootstrap_take(entry, cases[i].path, "title", &err),
		                 cases[i].r);
		assert_string_equal(err.step, cases[i].r ? "title" : "");
		assert_int_equal(faccessat(entry, "title.sh", R_OK, 0), i < 2 ? -1 : 0);
	}
	take_away(dir);
}

/* A megabyte is one, and no more. */
static void test_take_bounded(void **state)
{
	const off_t size[] = { 1 << 20, (1 << 20) + 1 };
	char dir[64], path[96];
	cleanup_close int entry = make_entry(dir);
	struct stat st;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/script", dir);
	for (size_t i = 0; i < N_ELEMENTS(size); i++) {
		cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		struct err err = { 0 };

		assert_int_equal(ftruncate(fd, size[i]), 0);
		assert_int_equal(bootstrap_take(entry, path, "title", &err),
		                 i == 0 ? 0 : -E2BIG);
	}
	assert_int_equal(fstatat(entry, "title.sh", &st, 0), 0);
	assert_int_equal(st.st_size, 1 << 20);
	take_away(dir);
}

/* What becomes of a script, and the time that the rest of the loop has. */
struct turn {
	struct loop loop;
	struct bootstrap bootstrap;
	char dir[64], told[128];
	int entry, clock, ticks;
};

static void say(void *ctx, const char *line)
{
	struct turn *turn = ctx;

	(void)snprintf(turn->told, sizeof(turn->told), "%s", line);
}

/* Until somebody is told, or five times. */
static int on_tick(void *ctx, int fd, short revents, struct err *err)
{
	struct turn *turn = ctx;
	uint64_t n;

	(void)revents;
	(void)err;
	assert_int_equal(read(fd, &n, sizeof(n)), sizeof(n));
	return turn->told[0] || ++turn->ticks == 5 ? LOOP_STOP : LOOP_GO;
}

/* Begins a script, main() below, whose output has no end, whoever writes it. */
static void begin(struct turn *turn, const struct config *config, const sigset_t *mask)
{
	const struct itimerspec often = { { 0, 20000000 }, { 0, 20000000 } };
	cleanup_close int endless = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	struct bootstrap *b = &turn->bootstrap;
	struct err err = { 0 };

	turn->entry = make_entry(turn->dir);
	turn->clock = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	assert_int_equal(timerfd_settime(turn->clock, 0, &often, NULL), 0);
	bootstrap_init(b, turn->entry, BOOTSTRAP_LOG);
	assert_int_equal(bootstrap_take(turn->entry, "/etc/passwd", "bootstrap", &err),
	                 0);
	b->title = "bootstrap";
	b->script = "/etc/passwd";
	b->restart = "no";
	b->loop = &turn->loop;
	b->config = config;
	b->old_mask = mask;
	b->say = say;
	b->ctx = turn;
	bootstrap_start(b);
	assert_true(b->runner.output >= 0);
	assert_true(dup3(endless, b->runner.output, O_CLOEXEC) >= 0);
	assert_int_equal(loop_add(&turn->loop, turn->clock, POLLIN, on_tick, turn, &err),
	                 0);
	(void)alarm(20); /* ends the test where nobody else has a turn */
}

static void finish(struct turn *turn)
{
	(void)alarm(0);
	bootstrap_close(&turn->bootstrap);
	(void)close(turn->clock);
	(void)close(turn->entry);
	take_away(turn->dir);
}

static void test_endless_output(void **state)
{
	const struct config config = { .name = "stays" };
	struct turn turn = { 0 };
	struct err err = { 0 };
	struct stat st;
	sigset_t mask;

	(void)state;
	(void)sigemptyset(&mask);
	begin(&turn, &config, &mask);
	assert_int_equal(loop_run(&turn.loop, &err), 0);
	assert_int_equal(turn.ticks, 5);
	assert_string_equal(turn.told, "");
	/* It is read all the same. */
	assert_int_equal(fstatat(turn.entry, BOOTSTRAP_LOG, &st, 0), 0);
	assert_true(turn.bootstrap.runner.output >= 0);
	finish(&turn);
}

/* Somebody whom the script left behind has its output, and goes on. */
static void test_endless_output_at_end(void **state)
{
	const struct config config = { .name = "ends" };
	struct turn turn = { 0 };
	struct err err = { 0 };
	struct stat st;
	sigset_t mask;

	(void)state;
	(void)sigemptyset(&mask);
	begin(&turn, &config, &mask);
	/* Only its end is looked at. */
	loop_set_events(&turn.loop, turn.bootstrap.runner.output, 0);
	turn.ticks = -500;
	assert_int_equal(loop_run(&turn.loop, &err), 0);
	assert_string_equal(turn.told, "bootstrap: the script ended with 7");
	assert_true(turn.bootstrap.runner.output < 0);
	/* All that a pipe holds, and no more. */
	assert_int_equal(fstatat(turn.entry, BOOTSTRAP_LOG, &st, 0), 0);
	assert_int_equal(st.st_size, 65536);
	finish(&turn);
}

/* With words we are "berth exec --unattended -i NAME ...", of which the script is the input. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_take_bounded),
		cmocka_unit_test(test_endless_output),
		cmocka_unit_test(test_endless_output_at_end),
	};

	if (argc > 4 && !strcmp(argv[1], "exec")) {
		if (!strcmp(argv[4], "stays"))
			(void)pause();
		return 7;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
