#include "ulimit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/unit/unit.h"

static const struct row {
	const char *text;
	int r;
	enum ulimit_kind kind;
	const char *again, *wrong, *hint;
} rows[] = {
	{ "nofile=1024:4096", 0, ULIMIT_NOFILE, "1024:4096", NULL, NULL },
	{ "nofile=1024", 0, ULIMIT_NOFILE, "1024:1024", NULL, NULL },
	{ "core=0", 0, ULIMIT_CORE, "0:0", NULL, NULL },
	{ "core=0:-1", 0, ULIMIT_CORE, "0:unlimited", NULL, NULL },
	{ "memlock=-1", 0, ULIMIT_MEMLOCK, "unlimited:unlimited", NULL, NULL },
	{ "memlock=-1:-1", 0, ULIMIT_MEMLOCK, "unlimited:unlimited", NULL, NULL },
	{ "stack=8m:unlimited", 0, ULIMIT_STACK, "8388608:unlimited", NULL, NULL },
	{ "as=9223372036854775807", 0, ULIMIT_AS,
	  "9223372036854775807:9223372036854775807", NULL, NULL },
	{ "nofile=4096:1024", -EINVAL, 0, NULL, "above the hard one", "" },
	{ "nofile=-1:1024", -EINVAL, 0, NULL, "above the hard one", "" },
	{ "nofile", -EINVAL, 0, NULL, "NAME=SOFT[:HARD]", "" },
	{ "=5", -EINVAL, 0, NULL, "NAME=SOFT[:HARD]", "" },
	{ "", -EINVAL, 0, NULL, "NAME=SOFT[:HARD]", "" },
	{ "nofile=", -EINVAL, 0, NULL, "''", "" },
	{ "nofile=5:", -EINVAL, 0, NULL, "''", "" },
	{ "nofile=:5", -EINVAL, 0, NULL, "''", "" },
	{ "nofile=5:6:7", -EINVAL, 0, NULL, "'6:7'", "" },
	{ "nofile=1k", -EINVAL, 0, NULL, "'1k'", "" },
	{ "nofile=-2", -EINVAL, 0, NULL, "'-2'", "" },
	{ "nofile=9223372036854775808", -ERANGE, 0, NULL, "9223372036854775808", "" },
	{ "nofile=11111111111111111111111111111111111111", -EINVAL, 0, NULL,
	  "NAME=SOFT[:HARD]", "" },
	{ "nofile=5:11111111111111111111111111111111111111", -EINVAL, 0, NULL,
	  "NAME=SOFT[:HARD]", "" },
	{ "anameofthirtytwocharactersormore=1", -EINVAL, 0, NULL, "NAME=SOFT[:HARD]",
	  "" },
	{ "nofiles=5", -EINVAL, 0, NULL, "did you mean 'nofile'?", "as docker" },
	{ "NOFILE=5", -EINVAL, 0, NULL, "'NOFILE' is no limit", "as docker" },
	{ "nproc=5", -EINVAL, 0, NULL, "each user inside", "--pids" },
	{ "sigpending=5", -EINVAL, 0, NULL, "each user inside", "--pending-signals" },
	{ "msgqueue=5", -EINVAL, 0, NULL, "each user inside", "--message-queues" },
	{ "rss=5", -EINVAL, 0, NULL, "no Linux", "--memory" },
	{ "locks=5", -EINVAL, 0, NULL, "no Linux", "leave it out" },
};

static void test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct ulimit list[ULIMIT_N] = { 0 };
		const struct ulimit none[ULIMIT_N] = { 0 };
		char text[ULIMIT_TEXT_MAX];
		struct err err = { 0 };

		print_message("  '%s'\n", rows[i].text);
		assert_int_equal(ulimit_parse(rows[i].text, list, &err), rows[i].r);
		if (rows[i].r < 0) {
			assert_non_null(strstr(err.text, rows[i].wrong));
			assert_non_null(strstr(err.hint, rows[i].hint));
			assert_memory_equal(list, none, sizeof(list));
			continue;
		}
		for (enum ulimit_kind kind = 0; kind < ULIMIT_N; kind++)
			assert_int_equal(list[kind].given, kind == rows[i].kind);
		assert_string_equal(ulimit_text(&list[rows[i].kind], text),
		                    rows[i].again);
	}
}

static void test_within(void **state)
{
	const struct ulimit ulimit = { true, 10, ULIMIT_UNLIMITED };

	(void)state;
	assert_int_equal(ulimit_within(ulimit, 20).soft, 10);
	assert_int_equal(ulimit_within(ulimit, 20).hard, 20);
	assert_int_equal(ulimit_within(ulimit, 5).soft, 5);
	assert_true(ulimit_within(ulimit, ULIMIT_UNLIMITED).hard == ULIMIT_UNLIMITED);
}

/* Each name sets what /proc/PID/limits shows behind its label, and nothing else. */
static void one(enum ulimit_kind kind)
{
	struct ulimit list[ULIMIT_N] = { 0 };
	char before[4096], after[4096], path[64];
	struct err err = { 0 };
	int pipes[2], status;
	const char *line;
	char go;

	/* Few enough for any machine, and enough for a process that only waits. */
	list[kind] = (struct ulimit){ true, 0, 0 };
	assert_int_equal(pipe(pipes), 0);
	const pid_t pid = fork();

	if (pid == 0) {
		(void)close(pipes[0]);
		if (ulimit_set(kind, &list[kind], &err) < 0)
			_exit(1);
		if (write(pipes[1], "x", 1) != 1)
			_exit(2);
		(void)pause();
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(close(pipes[1]), 0);
	assert_int_equal(read(pipes[0], &go, 1), 1);
	assert_int_equal(close(pipes[0]), 0);
	(void)snprintf(path, sizeof(path), "/proc/%d/limits", pid);
	assert_true(file_read(AT_FDCWD, path, after, sizeof(after), &err) >= 0);
	assert_true(file_read(AT_FDCWD, "/proc/self/limits", before, sizeof(before),
	                      &err) >= 0);
	(void)kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	line = strstr(after, ulimit_info[kind].label);
	assert_non_null(line);
	assert_null(strstr(line + 1, ulimit_info[kind].label));
	unsigned int soft = 1, hard = 1;

	assert_int_equal(
		sscanf(line + strlen(ulimit_info[kind].label), " %u %u", &soft, &hard),
		2);
	assert_int_equal(soft, 0);
	assert_int_equal(hard, 0);
	/* The lines are of equal length. */
	for (size_t i = 0; after[i] && before[i]; i++)
		if (&after[i] < line || &after[i] > line + strcspn(line, "\n"))
			assert_int_equal(after[i], before[i]);
}

static void test_set(void **state)
{
	(void)state;
	for (enum ulimit_kind kind = 0; kind < ULIMIT_N; kind++) {
		print_message("  %s\n", ulimit_info[kind].name);
		assert_true(strlen(ulimit_info[kind].name) + 1 < ULIMIT_NAME_MAX);
		/* A processor's second may be over before it is looked at. */
		if (kind != ULIMIT_CPU)
			one(kind);
	}
}

/* Where our own hard limit is lower it counts, and what is not given stays. */
static void test_set_all(void **state)
{
	struct ulimit list[ULIMIT_N] = { 0 };
	struct rlimit before, core;
	struct err err = { 0 };
	int status;

	(void)state;
	list[ULIMIT_CORE] = (struct ulimit){ true, 5, ULIMIT_UNLIMITED };
	const pid_t pid = fork();

	if (pid == 0) {
		const struct rlimit most = { 0, 100 };
		struct rlimit after;

		if (getrlimit(RLIMIT_NOFILE, &before) < 0 ||
		    setrlimit(RLIMIT_CORE, &most) < 0)
			_exit(1);
		if (ulimit_own(ULIMIT_CORE) != 100)
			_exit(2);
		if (ulimit_set_all(list, &err) < 0)
			_exit(3);
		if (getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_cur != 5 ||
		    core.rlim_max != 100)
			_exit(4);
		if (getrlimit(RLIMIT_NOFILE, &after) < 0 ||
		    memcmp(&after, &before, sizeof(after)) != 0)
			_exit(5);
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_within),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_set_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
