#include "step.h"

#include <string.h>

#include "kernel_files.h"
#include "ns.h"
#include "tests/unit/unit.h"

/* A table by enum has no hole, and a name means one thing. */
static void check_names(const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		print_message("  %zu %s\n", i, names[i] ? names[i] : "(hole)");
		assert_non_null(names[i]);
		assert_int_not_equal(names[i][0], '\0');
		/* Columns of the text, keys of the JSON. */
		assert_int_equal(
			strspn(names[i], "abcdefghijklmnopqrstuvwxyz0123456789-"),
			strlen(names[i]));
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(names[i], names[j]);
	}
}

static void test_steps(void **state)
{
	(void)state;
	check_names(step_name, STEP_MAX);
}

static void test_actors(void **state)
{
	(void)state;
	check_names(actor_name, ACTOR_MAX);
}

static void test_namespaces(void **state)
{
	const char *names[NS_MAX];
	cleanup_arena struct arena arena = { 0 };
	unsigned long flags = 0;

	(void)state;
	for (size_t i = 0; i < NS_MAX; i++) {
		names[i] = ns_info[i].name;
		assert_non_null(ns_info[i].why);
		assert_int_not_equal(ns_info[i].flag, 0);
		assert_int_equal(flags & ns_info[i].flag, 0);
		flags |= ns_info[i].flag;
		assert_int_equal(ns_clone_flags(NS_BIT(i)), ns_info[i].flag);
	}
	check_names(names, NS_MAX);
	assert_int_equal(ns_clone_flags(NS_BIT(NS_MAX) - 1), flags);
	assert_string_equal(ns_names(&arena, 0), "");
	assert_string_equal(ns_names(&arena, NS_BIT(NS_PID) | NS_BIT(NS_USER)),
	                    "user pid");
}

static void test_kernel_files(void **state)
{
	(void)state;
	/* One bit each in facts.kernel_files. */
	assert_true(KERNEL_FILES_N <= 64);
	for (size_t i = 0; i < KERNEL_FILES_N; i++) {
		const struct kernel_file *f = &kernel_files[i];

		print_message("  %s\n", f->path ? f->path : "(hole)");
		assert_non_null(f->path);
		assert_non_null(f->why);
		assert_true(!strncmp(f->path, "/proc/", 6) ||
		            !strncmp(f->path, "/sys/", 5));
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(f->path, kernel_files[j].path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_actors),
		cmocka_unit_test(test_namespaces),
		cmocka_unit_test(test_kernel_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
