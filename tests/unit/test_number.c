#include "base/number.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/unit.h"

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define TIB ((uint64_t)1 << 40)

struct number_case {
	const char *text;
	uint64_t min, max;
	int r;
	uint64_t want;
};

static const struct duration_case {
	const char *text;
	uint64_t min, max;
	int r;
	uint64_t want;
	const char *again; /* as duration_text() has it */
} duration_cases[] = {
	{ "0", 0, 10, 0, 0, "0s" },
	{ "90", 0, 100, 0, 90, "1m30s" },
	{ "45s", 0, 100, 0, 45, "45s" },
	{ "30m", 0, 10000, 0, 1800, "30m" },
	{ "1h30m", 0, 10000, 0, 5400, "1h30m" },
	{ "1h5s", 0, 10000, 0, 3605, "1h5s" },
	{ "2h0m1s", 0, 10000, 0, 7201, "2h1s" },
	{ "90m", 0, 10000, 0, 5400, "1h30m" },
	{ "0m", 0, 10, 0, 0, "0s" },
	{ "5124095576030431h15s", 0, UINT64_MAX, 0, UINT64_MAX, "5124095576030431h15s" },
	{ "5124095576030431h16s", 0, UINT64_MAX, -ERANGE, 0, NULL },
	{ "5124095576030432h", 0, UINT64_MAX, -ERANGE, 0, NULL },
	{ "99999999999999999999s", 0, UINT64_MAX, -ERANGE, 0, NULL },
	{ "11s", 0, 10, -ERANGE, 0, NULL },
	{ "0s", 1, 10, -ERANGE, 0, NULL },
	{ "", 0, 10, -EINVAL, 0, NULL },
	{ "m", 0, 10, -EINVAL, 0, NULL },
	{ "30min", 0, 10000, -EINVAL, 0, NULL },
	{ "30 m", 0, 10000, -EINVAL, 0, NULL },
	{ "1h30", 0, 10000, -EINVAL, 0, NULL },
	{ "30m1h", 0, 10000, -EINVAL, 0, NULL },
	{ "1m1m", 0, 10000, -EINVAL, 0, NULL },
	{ "-1m", 0, 10000, -EINVAL, 0, NULL },
	{ "1.5h", 0, 10000, -EINVAL, 0, NULL },
	{ "1d", 0, 1000000, -EINVAL, 0, NULL },
};

static void test_duration(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(duration_cases); i++) {
		const struct duration_case *c = &duration_cases[i];
		char text[DURATION_TEXT_MAX];
		struct err err = { 0 };
		uint64_t value = 7;

		print_message("  '%s'\n", c->text);
		assert_int_equal(duration_parse(c->text, c->min, c->max, &value, &err),
		                 c->r);
		assert_int_equal(err.code, -c->r);
		if (c->r < 0) {
			assert_int_equal(value, 7);
			assert_non_null(strstr(err.text, c->text));
			continue;
		}
		assert_int_equal(value, c->want);
		assert_string_equal(duration_text(value, text), c->again);
	}
}

static const struct number_case number_cases[] = {
	{ "0", 0, 10, 0, 0 },
	{ "7", 0, 10, 0, 7 },
	{ "10", 0, 10, 0, 10 },
	{ "11", 0, 10, -ERANGE, 0 },
	{ "0", 1, 10, -ERANGE, 0 },
	{ "1", 1, 1, 0, 1 },
	{ "18446744073709551615", 0, UINT64_MAX, 0, UINT64_MAX },
	{ "18446744073709551616", 0, UINT64_MAX, -ERANGE, 0 },
	{ "99999999999999999999999999", 0, UINT64_MAX, -ERANGE, 0 },
	{ "", 0, 10, -EINVAL, 0 },
	{ " 7", 0, 10, -EINVAL, 0 },
	{ "7 ", 0, 10, -EINVAL, 0 },
	{ "7\n", 0, 10, -EINVAL, 0 },
	{ "+7", 0, 10, -EINVAL, 0 },
	{ "-7", 0, 10, -EINVAL, 0 },
	{ "-0", 0, 10, -EINVAL, 0 },
	{ "007", 0, 10, -EINVAL, 0 },
	{ "00", 0, 10, -EINVAL, 0 },
	{ "0x7", 0, 10, -EINVAL, 0 },
	{ "7.5", 0, 10, -EINVAL, 0 },
	{ "7k", 0, 10000, -EINVAL, 0 },
	{ "1e3", 0, 10000, -EINVAL, 0 },
	{ "seven", 0, 10, -EINVAL, 0 },
	{ "\xd9\xa7", 0, 10, -EINVAL, 0 }, /* an Arabic seven */
};

static const struct number_case size_cases[] = {
	{ "0", 0, 10, 0, 0 },
	{ "1048576", 0, GIB, 0, MIB },
	{ "512b", 0, GIB, 0, 512 },
	{ "512B", 0, GIB, 0, 512 },
	{ "64k", 0, GIB, 0, 65536 },
	{ "64K", 0, GIB, 0, 65536 },
	{ "64KiB", 0, GIB, 0, 65536 },
	{ "64kib", 0, GIB, 0, 65536 },
	{ "512m", 0, GIB, 0, 512 * MIB },
	{ "512MiB", 0, GIB, 0, 512 * MIB },
	{ "2g", 0, TIB, 0, 2 * GIB },
	{ "2GiB", 0, TIB, 0, 2 * GIB },
	{ "3t", 0, UINT64_MAX, 0, 3 * TIB },
	{ "3TiB", 0, UINT64_MAX, 0, 3 * TIB },
	{ "0k", 0, 10, 0, 0 },
	{ "16777215t", 0, UINT64_MAX, 0, 16777215 * TIB },
	{ "16777216t", 0, UINT64_MAX, -ERANGE, 0 },
	{ "18446744073709551615k", 0, UINT64_MAX, -ERANGE, 0 },
	{ "18446744073709551616", 0, UINT64_MAX, -ERANGE, 0 },
	{ "1g", 0, GIB - 1, -ERANGE, 0 },
	{ "1k", 1025, GIB, -ERANGE, 0 },
	{ "1k", 1024, 1024, 0, 1024 },
	{ "", 0, GIB, -EINVAL, 0 },
	{ "k", 0, GIB, -EINVAL, 0 },
	{ "1kk", 0, GIB, -EINVAL, 0 },
	{ "1 k", 0, GIB, -EINVAL, 0 },
	{ "1k ", 0, GIB, -EINVAL, 0 },
	{ "1ki", 0, GIB, 0, 1024 },
	{ "1kb", 0, GIB, 0, 1024 },
	{ "512mb", 0, GIB, 0, 512 * MIB },
	{ "512Mi", 0, GIB, 0, 512 * MIB },
	{ "2GB", 0, TIB, 0, 2 * GIB },
	{ "2Gi", 0, TIB, 0, 2 * GIB },
	{ "3tb", 0, UINT64_MAX, 0, 3 * TIB },
	{ "3Ti", 0, UINT64_MAX, 0, 3 * TIB },
	{ "1i", 0, GIB, -EINVAL, 0 },
	{ "1bk", 0, GIB, -EINVAL, 0 },
	{ "1mbi", 0, GIB, -EINVAL, 0 },
	{ "1mbit", 0, GIB, -EINVAL, 0 },
	{ "1p", 0, GIB, -EINVAL, 0 },
	{ "-1k", 0, GIB, -EINVAL, 0 },
	{ "1.5g", 0, 2 * GIB, -EINVAL, 0 },
	{ "01k", 0, GIB, -EINVAL, 0 },
	{ "0x1k", 0, GIB, -EINVAL, 0 },
};

static void check(const struct number_case *c,
                  int (*parse)(const char *text, uint64_t min, uint64_t max,
                               uint64_t *ret, struct err *err))
{
	uint64_t value = 4711;
	struct err err = { 0 };

	print_message("  '%s'\n", c->text);
	assert_int_equal(parse(c->text, c->min, c->max, &value, &err), c->r);
	assert_int_equal(err.code, -c->r);
	if (c->r == 0) {
		assert_true(value == c->want);
		assert_string_equal(err.text, "");
	} else {
		char quoted[80] = "'";

		strcat(strcat(quoted, c->text), "'");
		assert_true(value == 4711);
		assert_non_null(strstr(err.text, quoted));
	}
}

static void test_number(void **state)
{
	(void)state;

	for (size_t i = 0; i < N_ELEMENTS(number_cases); i++)
		check(&number_cases[i], number_parse);
}

static void test_size(void **state)
{
	(void)state;

	for (size_t i = 0; i < N_ELEMENTS(size_cases); i++)
		check(&size_cases[i], size_parse);
}

static void test_range_is_named(void **state)
{
	uint64_t value;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(number_parse("5", 10, 20, &value, &err), -ERANGE);
	assert_string_equal(err.text, "'5' is not in 10..20");
	err_clear(&err);
	assert_int_equal(size_parse("1k", 10, 20, &value, &err), -ERANGE);
	assert_string_equal(err.text, "'1k' is not in 10..20 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_duration),
		cmocka_unit_test(test_number),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_range_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
