#include "cgroups/knobs.h"

#include <errno.h>
#include <string.h>

#include "cgroups/v1.h"
#include "tests/unit/unit.h"

static const struct {
	enum knob knob;
	const char *text, *file, *value;
} good[] = {
	{ KNOB_CPUS, "2", "cpu.max", "200000 100000" },
	{ KNOB_CPUS, "1.5", "cpu.max", "150000 100000" },
	{ KNOB_CPUS, "0.5", "cpu.max", "50000 100000" },
	{ KNOB_CPUS, "0.01", "cpu.max", "1000 100000" },
	{ KNOB_CPUS, "0.33333", "cpu.max", "33333 100000" },
	{ KNOB_CPUS, "8192", "cpu.max", "819200000 100000" },
	{ KNOB_CPU_WEIGHT, "1", "cpu.weight", "1" },
	{ KNOB_CPU_WEIGHT, "10000", "cpu.weight", "10000" },
	{ KNOB_CPUSET, "0", "cpuset.cpus", "0" },
	{ KNOB_CPUSET, "0-3,7", "cpuset.cpus", "0-3,7" },
	{ KNOB_CPUSET, "8191", "cpuset.cpus", "8191" },
	{ KNOB_MEMORY, "512m", "memory.max", "536870912" },
	{ KNOB_MEMORY, "1048576", "memory.max", "1048576" },
	{ KNOB_MEMORY, "1024t", "memory.max", "1125899906842624" },
	{ KNOB_MEMORY_HIGH, "1G", "memory.high", "1073741824" },
	{ KNOB_SWAP, "0", "memory.swap.max", "0" },
	{ KNOB_SWAP, "2g", "memory.swap.max", "2147483648" },
	{ KNOB_PIDS, "1", "pids.max", "1" },
	{ KNOB_PIDS, "4194304", "pids.max", "4194304" },
	{ KNOB_IO, "8:0:rbps=1m", "io.max", "rbps=1048576" },
	{ KNOB_IO, "253:16:rbps=1k,wbps=2k,riops=3,wiops=4", "io.max",
	  "rbps=1024 wbps=2048 riops=3 wiops=4" },
	{ KNOB_IO, "/dev/disk/by-path/a:b:wiops=5", "io.max", "wiops=5" },
	{ KNOB_HUGETLB, "2m:64m", "hugetlb.2MB.max", "67108864" },
	{ KNOB_HUGETLB, "1g:0", "hugetlb.1GB.max", "0" },
	{ KNOB_HUGETLB, "64k:64k", "hugetlb.64KB.max", "65536" },
	{ KNOB_MAX_DESCENDANTS, "10", "cgroup.max.descendants", "10" },
	{ KNOB_MAX_DEPTH, "3", "cgroup.max.depth", "3" },
};

static void test_good(void **state)
{
	bool seen[KNOB_N] = { false };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(good); i++) {
		cleanup_arena struct arena arena = { 0 };
		struct err err = { 0 };
		struct limit limit;

		if (knob_parse(good[i].knob, good[i].text, &arena, &limit, &err) < 0)
			fail_msg("%s '%s': %s", knob_info[good[i].knob].name,
			         good[i].text, err.text);
		assert_int_equal(limit.knob, good[i].knob);
		assert_ptr_equal(limit.text, good[i].text);
		assert_string_equal(limit.file, good[i].file);
		assert_string_equal(limit.value, good[i].value);
		seen[limit.knob] = true;
	}
	for (enum knob knob = 0; knob < KNOB_N; knob++)
		if (!seen[knob])
			fail_msg("no case for '%s'", knob_info[knob].name);
}

static void test_device(void **state)
{
	cleanup_arena struct arena arena = { 0 };
	struct err err = { 0 };
	struct limit limit;

	(void)state;
	assert_int_equal(knob_parse(KNOB_IO, "8:16:rbps=1", &arena, &limit, &err), 0);
	assert_string_equal(limit.device, "8:16");
	assert_int_equal(knob_parse(KNOB_IO, "/dev/a:b:rbps=1", &arena, &limit, &err), 0);
	assert_string_equal(limit.device, "/dev/a:b");
	assert_int_equal(knob_parse(KNOB_MEMORY, "1g", &arena, &limit, &err), 0);
	assert_null(limit.device);
}

/* @says: the range with its unit, or what is wrong. */
static const struct {
	enum knob knob;
	const char *text;
	int r;
	const char *says;
} bad[] = {
	{ KNOB_CPUS, "0", -ERANGE, "0.01..8192 CPUs" },
	{ KNOB_CPUS, "0.009", -ERANGE, "0.01..8192 CPUs" },
	{ KNOB_CPUS, "8192.1", -ERANGE, "0.01..8192 CPUs" },
	{ KNOB_CPUS, "99999999999999999999999", -ERANGE, "0.01..8192 CPUs" },
	{ KNOB_CPUS, "1.", -EINVAL, "number of CPUs" },
	{ KNOB_CPUS, ".5", -EINVAL, "number of CPUs" },
	{ KNOB_CPUS, "1.123456", -EINVAL, "number of CPUs" },
	{ KNOB_CPUS, "1.5x", -EINVAL, "number of CPUs" },
	{ KNOB_CPUS, "-1", -EINVAL, "number of CPUs" },
	{ KNOB_CPUS, "", -EINVAL, "number of CPUs" },
	{ KNOB_CPUS, "1,5", -EINVAL, "number of CPUs" },
	{ KNOB_CPU_WEIGHT, "0", -ERANGE, "1..10000" },
	{ KNOB_CPU_WEIGHT, "10001", -ERANGE, "1..10000" },
	{ KNOB_CPU_WEIGHT, "idle", -EINVAL, "not a number" },
	{ KNOB_CPUSET, "", -EINVAL, "list of CPUs" },
	{ KNOB_CPUSET, "3-1", -EINVAL, "list of CPUs" },
	{ KNOB_CPUSET, "0,", -EINVAL, "list of CPUs" },
	{ KNOB_CPUSET, "0-", -EINVAL, "list of CPUs" },
	{ KNOB_CPUSET, "8192", -EINVAL, "0..8191" },
	{ KNOB_CPUSET, "0-99999999999999999999999", -EINVAL, "0..8191" },
	{ KNOB_CPUSET, "0\n1", -EINVAL, "list of CPUs" },
	{ KNOB_MEMORY, "1023k", -ERANGE, "1048576..1125899906842624 bytes" },
	{ KNOB_MEMORY, "1025t", -ERANGE, "1048576..1125899906842624 bytes" },
	{ KNOB_MEMORY, "max", -EINVAL, "k, m, g or t" },
	{ KNOB_MEMORY, "1.5g", -EINVAL, "k, m, g or t" },
	{ KNOB_SWAP, "-1", -EINVAL, "k, m, g or t" },
	{ KNOB_PIDS, "0", -ERANGE, "1..4194304" },
	{ KNOB_PIDS, "4194305", -ERANGE, "1..4194304" },
	{ KNOB_IO, "", -EINVAL, "DEV:KEY=N" },
	{ KNOB_IO, "8:0", -EINVAL, "DEV:KEY=N" },
	{ KNOB_IO, "rbps=1", -EINVAL, "DEV:KEY=N" },
	{ KNOB_IO, ":rbps=1", -EINVAL, "DEV:KEY=N" },
	{ KNOB_IO, "8:rbps=1", -EINVAL, "the device '8'" },
	{ KNOB_IO, "sda:rbps=1", -EINVAL, "the device 'sda'" },
	{ KNOB_IO, "8:0 max:rbps=1", -EINVAL, "the device '8:0 max'" },
	{ KNOB_IO, "8:0:bps=1", -EINVAL, "'bps=1'" },
	{ KNOB_IO, "8:0:rbps=1,", -EINVAL, "''" },
	{ KNOB_IO, "8:0:rbps=0", -ERANGE, "'0'" },
	{ KNOB_IO, "8:0:riops=1k", -EINVAL, "'1k'" },
	{ KNOB_IO, "8:0:riops=4294967295", -ERANGE, "'4294967295'" },
	{ KNOB_HUGETLB, "64m", -EINVAL, "PAGE:SIZE" },
	{ KNOB_HUGETLB, "3m:6m", -EINVAL, "no page has 3145728 bytes" },
	{ KNOB_HUGETLB, "2m:3m", -EINVAL, "no multiple" },
	{ KNOB_HUGETLB, "1k:2k", -ERANGE, "bytes" },
	{ KNOB_MAX_DESCENDANTS, "0", -ERANGE, "1..1000000" },
	{ KNOB_MAX_DEPTH, "1001", -ERANGE, "1..1000" },
};

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		cleanup_arena struct arena arena = { 0 };
		struct limit limit = { .knob = KNOB_N };
		struct err err = { 0 };
		int r = knob_parse(bad[i].knob, bad[i].text, &arena, &limit, &err);

		if (r != bad[i].r || !strstr(err.text, bad[i].says))
			fail_msg("%s '%s': %d, '%s'", knob_info[bad[i].knob].name,
			         bad[i].text, r, err.text);
		if (strncmp(bad[i].text, "8:0:", 4) != 0 && !strchr(bad[i].text, 'k'))
			assert_non_null(strstr(err.text, bad[i].text));
		assert_int_equal(limit.knob, KNOB_N);
	}
}

static void test_find(void **state)
{
	(void)state;
	assert_int_equal(knob_find("memory", 6), KNOB_MEMORY);
	assert_int_equal(knob_find("memory-high", 11), KNOB_MEMORY_HIGH);
	assert_int_equal(knob_find("memory-high", 6), KNOB_MEMORY);
	assert_int_equal(knob_find("mem", 3), KNOB_N);
	assert_int_equal(knob_find("", 0), KNOB_N);
}

static const struct {
	enum knob knob;
	const char *wanted, *shown;
	bool holds;
} shown[] = {
	{ KNOB_PIDS, "100", "100\n", true },
	{ KNOB_PIDS, "100", "1000\n", false },
	{ KNOB_PIDS, "100", "max\n", false },
	{ KNOB_CPUS, "150000 100000", "150000 100000\n", true },
	{ KNOB_CPUS, "150000 100000", "max 100000\n", false },
	{ KNOB_MEMORY, "1048576", "1048576\n", true },
	{ KNOB_MEMORY, "1048577", "1048576\n", true },
	{ KNOB_MEMORY, "1048576", "1048577\n", false },
	{ KNOB_MEMORY, "1048576", "983040\n", false },
	{ KNOB_MEMORY, "1048576", "max\n", false },
	{ KNOB_SWAP, "0", "0\n", true },
	{ KNOB_SWAP, "0", "max\n", false },
	{ KNOB_HUGETLB, "4194304", "4194304\n", true },
	{ KNOB_HUGETLB, "4194304", "9223372036852678656\n", false },
	{ KNOB_CPUSET, "0,1,2", "0-2\n", true },
	{ KNOB_CPUSET, "0-2", "0-1\n", false },
	{ KNOB_CPUSET, "0-2", "\n", false },
	{ KNOB_IO, "8:0 rbps=1", "8:0 rbps=1 wbps=max riops=max wiops=max\n", true },
	{ KNOB_IO, "8:0 rbps=1", "8:0 rbps=10 wbps=max riops=max wiops=max\n", false },
	{ KNOB_IO, "8:0 wiops=9 wbps=5",
	  "8:16 rbps=1 wbps=1 riops=max wiops=max\n8:0 rbps=max wbps=5 riops=max "
	  "wiops=9\n",
	  true },
	{ KNOB_IO, "8:0 wiops=9", "8:16 rbps=1 wbps=1 riops=max wiops=9\n", false },
	{ KNOB_IO, "8:1 wiops=9", "8:16 rbps=1 wbps=1 riops=max wiops=9\n", false },
	{ KNOB_IO, "8:0 wiops=9", "", false },
};

static void test_holds(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(shown); i++)
		if (knob_holds(shown[i].knob, shown[i].wanted, shown[i].shown) !=
		    shown[i].holds)
			fail_msg("%s: '%s' and '%s'", knob_info[shown[i].knob].name,
			         shown[i].wanted, shown[i].shown);
}

static const struct {
	enum knob knob;
	const char *text;
	const char
		*write[2 * KNOB_V1_WRITES]; /* file and value in turn; none: not on v1 */
} on_v1[] = {
	{ KNOB_CPUS, "1.5", { "cpu.cfs_quota_us", "150000" } },
	{ KNOB_CPU_WEIGHT, "100", { "cpu.shares", "1024" } },
	{ KNOB_CPU_WEIGHT, "1", { "cpu.shares", "10" } },
	{ KNOB_CPU_WEIGHT, "10000", { "cpu.shares", "102400" } },
	{ KNOB_CPUSET, "0-3,7", { "cpuset.cpus", "0-3,7" } },
	{ KNOB_MEMORY, "512m", { "memory.limit_in_bytes", "536870912" } },
	{ KNOB_MEMORY_HIGH, "1g", { NULL } },
	{ KNOB_SWAP, "1m", { "memory.memsw.limit_in_bytes", "68157440" } },
	{ KNOB_PIDS, "20", { "pids.max", "20" } },
	{ KNOB_IO,
	  "8:0:wiops=4,rbps=1k",
	  { "blkio.throttle.read_bps_device", "8:0 1024",
	    "blkio.throttle.write_iops_device", "8:0 4" } },
	{ KNOB_IO,
	  "8:0:wbps=1k,wbps=2k,riops=3",
	  { "blkio.throttle.write_bps_device", "8:0 2048",
	    "blkio.throttle.read_iops_device", "8:0 3" } },
	{ KNOB_HUGETLB, "2m:64m", { "hugetlb.2MB.limit_in_bytes", "67108864" } },
	{ KNOB_MAX_DESCENDANTS, "10", { NULL } },
	{ KNOB_MAX_DEPTH, "3", { NULL } },
};

static void test_v1(void **state)
{
	bool seen[KNOB_N] = { false };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(on_v1); i++) {
		cleanup_arena struct arena arena = { 0 };
		const struct limit memory = { .knob = KNOB_MEMORY, .number = 64 << 20 };
		struct knob_write write[KNOB_V1_WRITES];
		struct err err = { 0 };
		struct limit limit;
		const char *why = NULL;
		size_t n, want = 0;

		assert_int_equal(
			knob_parse(on_v1[i].knob, on_v1[i].text, &arena, &limit, &err),
			0);
		if (limit.device)
			limit.value =
				arena_printf(&arena, "%s %s", limit.device, limit.value);
		while (want < N_ELEMENTS(on_v1[i].write) && on_v1[i].write[want])
			want++;
		n = knob_v1(&limit, &memory, &arena, write, &why);
		if (n * 2 != want)
			fail_msg("%s '%s': %zu files", knob_info[limit.knob].name,
			         limit.text, n);
		for (size_t j = 0; j < n; j++) {
			assert_string_equal(write[j].file, on_v1[i].write[2 * j]);
			assert_string_equal(write[j].value, on_v1[i].write[2 * j + 1]);
			assert_int_equal(write[j].flat, limit.knob == KNOB_IO);
			/* What the kernel answers is the value, in each of these files. */
			assert_true(
				knob_holds(limit.knob, write[j].value,
			                   arena_printf(&arena, "%s\n", write[j].value)));
		}
		assert_true(n > 0 || why);
		assert_int_equal(knob_info[limit.knob].file_v1 != NULL, n > 0);
		seen[limit.knob] = true;
		if (limit.knob == KNOB_SWAP)
			assert_int_equal(knob_v1(&limit, NULL, &arena, write, &why), 0);
	}
	for (enum knob knob = 0; knob < KNOB_N; knob++)
		assert_true(seen[knob]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),  cmocka_unit_test(test_device),
		cmocka_unit_test(test_bad),   cmocka_unit_test(test_find),
		cmocka_unit_test(test_holds), cmocka_unit_test(test_v1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
