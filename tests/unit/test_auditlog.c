#include "auditlog.h"

#include <limits.h>

#include "supervisor_internal.h"
#include "tests/unit/unit.h"

/* How many of @n events, @each_ms apart from @from_ms on, may be written. */
static unsigned int written(struct auditlog_rate *rate, uint64_t from_ms,
                            uint64_t each_ms, unsigned int n)
{
	unsigned int told = 0;

	for (unsigned int i = 0; i < n; i++)
		told += auditlog_may(rate, from_ms + i * each_ms);
	return told;
}

static void test_burst(void **state)
{
	struct auditlog_rate rate = { 0 };

	(void)state;
	assert_int_equal(written(&rate, 5000, 0, 1000), AUDITLOG_AT_ONCE);
	/* One more for each AUDITLOG_EACH_MS, however many are wanted. */
	assert_int_equal(written(&rate, 5000 + AUDITLOG_EACH_MS, 0, 1000), 1);
	assert_int_equal(written(&rate, 5000 + 4 * AUDITLOG_EACH_MS, 0, 1000), 3);
	/* After as long as it takes all of it may come at once again. */
	assert_int_equal(written(&rate, UINT64_C(1) << 40, 0, 1000), AUDITLOG_AT_ONCE);
}

static void test_steady(void **state)
{
	struct auditlog_rate slow = { 0 }, fast = { 0 };

	(void)state;
	assert_int_equal(written(&slow, 0, AUDITLOG_EACH_MS, 500), 500);
	/* A hundred times as fast: the burst, and a hundredth of them. */
	assert_in_range(written(&fast, 0, AUDITLOG_EACH_MS / 100, 30000), 400 - 5,
	                400 + 5);
}

/* The more there were the longer it takes: in 30 days no more than a log has room for. */
static void test_month(void **state)
{
	const unsigned int month = 30 * 86400;
	struct auditlog_rate all = { 0 }, few = { 0 };
	const unsigned int told = written(&all, 0, 1000, month);

	(void)state;
	/* Seven kinds, with a line of what was not told before each. */
	assert_in_range(told, 10000, 2 * AUDITLOG_SIZE / 7 / 300);
	/* One in 20 minutes is always told. */
	assert_int_equal(written(&few, 0, 1200000, month / 1200), month / 1200);
}

static void test_rest(void **state)
{
	static const int want[] = { 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300 };
	unsigned int lives = 0;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(want); i++)
		assert_int_equal(supervisor_rest_s(1000, &lives), want[i]);
	assert_int_equal(supervisor_rest_s(600001, &lives), 0);
	assert_int_equal(supervisor_rest_s(600000, &lives), 1);
	/* A clock that was set back. */
	assert_int_equal(supervisor_rest_s(-5, &lives), 2);
	lives = UINT_MAX - 1;
	assert_int_equal(supervisor_rest_s(0, &lives), 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_burst),
		cmocka_unit_test(test_steady),
		cmocka_unit_test(test_month),
		cmocka_unit_test(test_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
