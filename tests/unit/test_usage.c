#include "cgroups/usage.h"

#include <fcntl.h>
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
	static const char *const files[] = { "cpu.stat", "memory.current", "memory.max",
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
	assert_int_equal(usage.memory_max, UINT64_MAX);
	/* Without the controller there is cpu.stat, and nothing of throttling. */
	put(dir, "cpu.stat", "usage_usec 123\nuser_usec 100\nsystem_usec 23\n");
	cgroup_usage_read(dir, &usage);
	assert_true(usage.has_cpu);
	assert_int_equal(usage.cpu_us, 123);
	assert_int_equal(usage.throttled_us, 0);
	put(dir, "cpu.stat",
	    "usage_usec 124\nnr_periods 9\nnr_throttled 3\nthrottled_usec 77\n");
	put(dir, "memory.current", "4096\n");
	put(dir, "memory.max", "8192\n");
	put(dir, "pids.current", "3\n");
	put(dir, "pids.max", "max\n");
	cgroup_usage_read(dir, &usage);
	assert_int_equal(usage.cpu_us, 124);
	assert_int_equal(usage.throttled_us, 77);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
