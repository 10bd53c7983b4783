#include "verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "tests/unit/unit.h"

/* Of groups by files that look like theirs, in a directory of our own. */

static enum verify_state state_of(struct verify *verify, const struct packed_step *step)
{
	struct err err = { 0 };

	verify->n = 0;
	assert_int_equal(verify_of(step->step.kind)(verify, step, &err), 0);
	assert_int_equal(verify->n, 1);
	return verify->row[0].state;
}

static int directory(void **state)
{
	static char dir[64];

	(void)snprintf(dir, sizeof(dir), "/tmp/berth-unit-XXXXXX");
	*state = dir;
	return mkdtemp(dir) ? 0 : -1;
}

static int directory_gone(void **state)
{
	return rmdir(*state);
}

static void test_own(void **state)
{
	for (int other = 0; other < 2; other++) {
		const struct packed_step step = { .step = { .kind = STEP_CGROUP_OWN,
			                                    .why = "",
			                                    .target = "payload",
			                                    .number =
			                                            geteuid() + other } };
		cleanup_arena struct arena arena = { 0 };
		struct verify verify = { .arena = &arena };

		verify.fd[CONTROL_CGROUP] = open(*state, O_PATH | O_CLOEXEC);
		assert_int_equal(state_of(&verify, &step),
		                 other ? VERIFY_DIFFERS : VERIFY_HOLDS);
		assert_string_equal(verify.row[0].what, "owner of payload");
		assert_int_equal(close(verify.fd[CONTROL_CGROUP]), 0);
	}
}

static void test_leaf(void **state)
{
	static const struct {
		const char *name, *procs;
		bool optional;
		enum verify_state state;
	} cases[] = {
		{ "empty", "", false, VERIFY_HOLDS },
		{ "with processes", "12\n13\n", false, VERIFY_DIFFERS },
		{ "out of sight", NULL, false, VERIFY_DIFFERS },
		{ "out of sight, and it need not be", NULL, true, VERIFY_ABSENT },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		const struct packed_step step = { .step = { .kind = STEP_CGROUP_LEAF,
			                                    .why = "",
			                                    .optional =
			                                            cases[i].optional } };
		cleanup_arena struct arena arena = { 0 };
		cleanup_close int own = open(*state, O_PATH | O_DIRECTORY | O_CLOEXEC);
		struct verify verify = { .arena = &arena, .own = own };

		print_message("  %s\n", cases[i].name);
		if (cases[i].procs) {
			cleanup_close int fd =
				openat(own, "cgroup.procs",
			               O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

			assert_int_equal(
				write(fd, cases[i].procs, strlen(cases[i].procs)),
				strlen(cases[i].procs));
		}
		assert_int_equal(state_of(&verify, &step), cases[i].state);
		if (cases[i].procs)
			assert_int_equal(unlinkat(own, "cgroup.procs", 0), 0);
		verify.own = -EBADF;
		assert_int_equal(state_of(&verify, &step),
		                 cases[i].optional ? VERIFY_ABSENT : VERIFY_DIFFERS);
	}
}

/* What a file /proc/PID/cgroup says of workspace "ws". */
static void test_groups(void **state)
{
	static const struct {
		const char *name, *text;
		bool two;
		const char *states;
	} cases[] = {
		{ "its group", "0::/user/berth-ws/payload\n", true, "h" },
		{ "a group that root inside made", "0::/user/berth-ws/payload/init\n",
		  true, "h" },
		{ "above it", "0::/user/berth-ws\n", true, "d" },
		{ "elsewhere", "0::/\n", true, "d" },
		{ "another workspace's", "0::/berth-ws2/payload\n", true, "d" },
		{ "one that only begins so", "0::/berth-ws/payload2\n", true, "d" },
		{ "of v1, beside another of v2",
		  "5:memory:/berth-ws/payload\n4:cpuset:/\n0::/elsewhere\n", false, "h" },
		{ "of both", "5:memory:/a/berth-ws/payload\n0::/elsewhere\n", true,
		  "hd" },
		{ "one of v1 that only begins so", "5:memory:/berth-ws/payload.2\n0::/\n",
		  false, "d" },
	};
	const struct record record = { .name = "ws" };
	const struct packed_step step = { .step = { .kind = STEP_CGROUP_JOIN,
		                                    .why = "" } };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		cleanup_arena struct arena arena = { 0 };
		struct verify verify = { .arena = &arena, .record = &record };
		char text[256];

		print_message("  %s\n", cases[i].name);
		(void)snprintf(text, sizeof(text), "%s", cases[i].text);
		verify_groups(&verify, &step, cases[i].two, text);
		assert_int_equal(verify.n, strlen(cases[i].states));
		for (size_t j = 0; j < verify.n; j++)
			assert_int_equal(verify.row[j].state, cases[i].states[j] == 'h'
			                                              ? VERIFY_HOLDS
			                                              : VERIFY_DIFFERS);
	}
}

/* It is init's own file that is read. */
static void test_join(void **state)
{
	const struct record record = { .name = "no-such-workspace" };
	const struct packed_step step = {
		.step = { .kind = STEP_CGROUP_JOIN, .why = "", .target = "payload" }
	};
	cleanup_arena struct arena arena = { 0 };
	struct verify verify = { .arena = &arena, .record = &record, .init = getpid() };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(verify_of(STEP_CGROUP_JOIN)(&verify, &step, &err), 0);
	for (size_t i = 0; i < verify.n; i++)
		assert_int_equal(verify.row[i].state, VERIFY_DIFFERS);
	verify.init = -1;
	assert_int_equal(verify_of(STEP_CGROUP_JOIN)(&verify, &step, &err), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_own, directory, directory_gone),
		cmocka_unit_test_setup_teardown(test_leaf, directory, directory_gone),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_join),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
