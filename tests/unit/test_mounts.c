#include "mounts.h"

#include "tests/unit/unit.h"

static void test_mounts(void **state)
{
	static const char text[] = "36 35 98:0 /root\\040a /point\\012b ro,noatime "
				   "master:7 shared:9 - ext3 /dev/a rw,x\n"
				   "no line at all\n"
				   "1 2 3:4 - tmpfs\n"
				   "37 36 0:5 / / rw,nosuid - tmpfs tmpfs rw\n";
	cleanup_arena struct arena arena = { 0 };
	const struct mount_fact *mount;
	struct err err = { 0 };
	size_t n;

	(void)state;
	assert_int_equal(mounts_parse(text, &arena, &mount, &n, &err), 0);
	assert_int_equal(n, 2);
	assert_string_equal(mount[0].device, "98:0");
	assert_string_equal(mount[0].root, "/root a");
	assert_string_equal(mount[0].point, "/point\nb");
	assert_string_equal(mount[0].flags, "ro,noatime");
	assert_string_equal(mount[0].fstype, "ext3");
	assert_string_equal(mount[0].options, "rw,x");
	assert_true(mount[0].read_only);
	assert_int_equal(mount[0].master, 7);
	assert_int_equal(mount[0].shared, 9);
	assert_string_equal(mount[1].point, "/");
	assert_false(mount[1].read_only);
	assert_int_equal(mount[1].master, 0);
	assert_int_equal(mounts_parse("", &arena, &mount, &n, &err), 0);
	assert_int_equal(n, 0);
}

/* /pvc and, read-only, /logs are the same disk; /logs/over hides a part of it by another one. */
static const struct mount_fact table[] = {
	{ .device = "8:1", .root = "/", .point = "/" },
	{ .device = "8:2", .root = "/claim", .point = "/pvc" },
	{ .device = "8:2", .root = "/claim/logs", .point = "/logs" },
	{ .device = "0:9", .root = "/", .point = "/logs/over" },
	{ .device = "8:2", .root = "/", .point = "/gone" },
	{ .device = "0:8", .root = "/", .point = "/gone" },
};

static void test_show(void **state)
{
	static const struct {
		const char *dir, *path;
		bool shown;
	} cases[] = {
		{ "/pvc", "/pvc/a", true },
		{ "/pvc/a", "/pvc", false },
		{ "/pvc/logs", "/logs", true },
		{ "/pvc", "/logs/x", true },
		{ "/pvc/logs/x", "/logs/x/y", true },
		{ "/pvc/log", "/logs", false },
		{ "/logs", "/pvc", false },
		{ "/logs", "/pvc/logs/x", true },
		{ "/logs/over", "/pvc/logs/over/x", false },
		{ "/pvc", "/logs/over/x", false },
		{ "/", "/pvc/logs", true },
		{ "/srv", "/pvc", false },
		{ "/gone", "/pvc/a", false },
	};
	cleanup_arena struct arena arena = { 0 };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		print_message("  %s %s\n", cases[i].dir, cases[i].path);
		assert_int_equal(mounts_show(table, N_ELEMENTS(table), cases[i].dir,
		                             cases[i].path, &arena),
		                 cases[i].shown);
	}
	assert_string_equal(mounts_inner(&table[1], "/pvc", &arena), "/claim");
	assert_string_equal(mounts_inner(&table[0], "/", &arena), "");
	assert_string_equal(mounts_inner(&table[0], "/etc", &arena), "/etc");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mounts),
		cmocka_unit_test(test_show),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
