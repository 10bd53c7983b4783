#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "tests/unit/unit.h"

static void test_set(void **state)
{
	struct err err = { 0 };

	(void)state;

	assert_int_equal(err_set(&err, EACCES, "open '%s'", "memory.max"), -EACCES);
	assert_int_equal(err.code, EACCES);
	assert_string_equal(err.text, "open 'memory.max'");
	assert_string_equal(err.step, "");
	assert_string_equal(err.hint, "");
}

static void test_code_of_a_failure_is_never_zero(void **state)
{
	struct err err = { 0 };

	(void)state;

	assert_int_equal(err_set(&err, 0, "no reason known"), -EINVAL);
	assert_int_equal(err.code, EINVAL);
}

static const struct wrap_case {
	const char *name;
	size_t outer, inner; /* lengths */
	size_t want;         /* length of the text */
} wrap_cases[] = {
	{ "short", 5, 5, 12 },
	{ "empty inside", 5, 0, 7 },
	{ "just fits", 255, ERR_TEXT_MAX - 1 - 2 - 255, ERR_TEXT_MAX - 1 },
	{ "one too long", 256, ERR_TEXT_MAX - 1 - 2 - 255, ERR_TEXT_MAX - 1 },
	{ "inside full", 5, ERR_TEXT_MAX - 1, ERR_TEXT_MAX - 1 },
	{ "no room for the colon", ERR_TEXT_MAX - 1, 5, ERR_TEXT_MAX - 1 },
	{ "room for half of it", ERR_TEXT_MAX - 2, 5, ERR_TEXT_MAX - 1 },
	{ "outside too long", ERR_TEXT_MAX + 50, 5, ERR_TEXT_MAX - 1 },
};

static void test_wrap(void **state)
{
	(void)state;

	for (size_t i = 0; i < N_ELEMENTS(wrap_cases); i++) {
		const struct wrap_case *c = &wrap_cases[i];
		char outer[2 * ERR_TEXT_MAX] = "", inner[ERR_TEXT_MAX] = "";
		char want[4 * ERR_TEXT_MAX] = "";
		struct err err = { 0 };

		print_message("  %s\n", c->name);
		memset(outer, 'o', c->outer);
		memset(inner, 'i', c->inner);
		strcat(strcat(strcat(want, outer), ": "), inner);
		want[ERR_TEXT_MAX - 1] = '\0';

		(void)err_set(&err, ENOENT, "%s", inner);
		assert_int_equal(err_wrap(&err, "%s", outer), -ENOENT);
		assert_int_equal(strlen(err.text), c->want);
		assert_string_equal(err.text, want);
	}
}

static void test_first_hint_and_innermost_step_are_kept(void **state)
{
	struct err err = { 0 };

	(void)state;

	(void)err_set(&err, EPERM, "mount proc");
	assert_int_equal(err_step(&err, "mount"), -EPERM);
	assert_int_equal(err_step(&err, "launch"), -EPERM);
	assert_int_equal(err_hint(&err, "set procMount: %s", "Unmasked"), -EPERM);
	assert_int_equal(err_hint(&err, "ask somebody"), -EPERM);
	assert_string_equal(err.step, "mount");
	assert_string_equal(err.hint, "set procMount: Unmasked");
}

static void test_clear(void **state)
{
	const struct err none = { 0 };
	struct err err = { 0 };

	(void)state;

	(void)err_set(&err, EPERM, "mount proc");
	(void)err_step(&err, "mount");
	(void)err_hint(&err, "hint");
	err_clear(&err);
	assert_memory_equal(&err, &none, sizeof(err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_code_of_a_failure_is_never_zero),
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_first_hint_and_innermost_step_are_kept),
		cmocka_unit_test(test_clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
