#include "cgroups/usage.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "tests/unit/unit.h"

static void put(int dir, const char *file, const char *text)
{
	struct err err = { 0 };

	assert_int_equal(file_create(dir, file, 0600, text, strlen(text), &err), 0);
}

static void test_read(void **state)
{
	static const char *const files[] = { "cpu.stat",     "cpu.max",
		                             "io.stat",      "memory.current",
		                             "memory.max",   "memory.swap.current",
		                             "pids.current", "pids.max" };
	char path[] = "/tmp/berth-test-XXXXXX";
	struct cgroup_usage usage;
	int dir;

	(void)state;
	assert_non_null(mkdtemp(path));
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	cgroup_usage_read(dir, &usage);
	assert_false(usage.has_cpu || usage.has_memory || usage.has_pids);
	assert_false(usage.has_quota || usage.has_swap || usage.has_io);
	assert_int_equal(usage.memory_max, UINT64_MAX);
	/* Without the controller there is cpu.stat, and nothing of throttling. */
	put(dir, "cpu.stat", "usage_usec 123\nuser_usec 100\nsystem_usec 23\n");
	cgroup_usage_read(dir, &usage);
	assert_true(usage.has_cpu);
	assert_int_equal(usage.cpu_us, 123);
	assert_int_equal(usage.user_us, 100);
	assert_int_equal(usage.system_us, 23);
	assert_int_equal(usage.throttled_us, 0);
	assert_false(usage.has_quota);
	assert_int_equal(usage.cpu_milli, UINT64_MAX);
	put(dir, "cpu.stat",
	    "usage_usec 124\nnr_periods 9\nnr_throttled 3\nthrottled_usec 77\n");
	put(dir, "cpu.max", "150000 100000\n");
	put(dir, "io.stat",
	    "253:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n");
	put(dir, "memory.swap.current", "512\n");
	put(dir, "memory.current", "4096\n");
	put(dir, "memory.max", "8192\n");
	put(dir, "pids.current", "3\n");
	put(dir, "pids.max", "max\n");
	cgroup_usage_read(dir, &usage);
	assert_int_equal(usage.cpu_us, 124);
	assert_int_equal(usage.throttled_us, 77);
	assert_true(usage.has_quota && usage.has_swap && usage.has_io);
	assert_int_equal(usage.periods, 9);
	assert_int_equal(usage.throttled, 3);
	assert_int_equal(usage.cpu_milli, 1500);
	assert_int_equal(usage.swap, 512);
	assert_int_equal(usage.swap_max, UINT64_MAX);
	assert_int_equal(usage.io_n, 1);
	assert_int_equal(usage.io[0].written, 8192);
	assert_true(usage.has_memory && usage.has_pids);
	assert_int_equal(usage.memory, 4096);
	assert_int_equal(usage.memory_max, 8192);
	assert_int_equal(usage.pids, 3);
	assert_int_equal(usage.pids_max, UINT64_MAX);
	for (size_t i = 0; i < N_ELEMENTS(files); i++)
		assert_int_equal(unlinkat(dir, files[i], 0), 0);
	assert_int_equal(close(dir), 0);
	assert_int_equal(rmdir(path), 0);
}

static const struct io_case {
	const char *name, *text;
	uint32_t n;
	struct cgroup_io last;
} io_cases[] = {
	{ "nothing", "", 0, { 0 } },
	{ "two devices",
	  "8:0 rbytes=1 wbytes=2 rios=3 wios=4\n8:16 rbytes=5 wbytes=6 rios=7 wios=8\n",
	  2,
	  { 8, 16, 5, 6, 7, 8 } },
	{ "one that has only its number",
	  "8:0 rbytes=9\n7:1 \n",
	  2,
	  { 7, 1, 0, 0, 0, 0 } },
	{ "no number", "a:0 rbytes=1 wbytes=2\n", 0, { 0 } },
	{ "the next line's are not its own",
	  "8:0 rbytes=1\n8:1 wbytes=2\n",
	  2,
	  { 8, 1, 0, 2, 0, 0 } },
	{ "no end of line",
	  "8:0 rbytes=1 wbytes=2 rios=3 wios=18446744073709551615",
	  1,
	  { 8, 0, 1, 2, 3, UINT64_MAX } },
};

static void test_io(void **state)
{
	struct cgroup_io io[CGROUP_IO_MAX];
	char many[4096] = "";

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(io_cases); i++) {
		const struct io_case *c = &io_cases[i];

		print_message("  %s\n", c->name);
		assert_int_equal(cgroup_io_parse(c->text, io), c->n);
		if (c->n > 0)
			assert_memory_equal(&io[c->n - 1], &c->last, sizeof(c->last));
	}
	for (int i = 0; i < 2 * CGROUP_IO_MAX; i++)
		(void)sprintf(many + strlen(many), "8:%d rbytes=%d\n", i, i);
	assert_int_equal(cgroup_io_parse(many, io), CGROUP_IO_MAX);
	assert_int_equal(io[CGROUP_IO_MAX - 1].minor, CGROUP_IO_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_io),
		cmocka_unit_test(test_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
