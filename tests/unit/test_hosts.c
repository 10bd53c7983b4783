#include "hosts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/unit.h"

static const struct row {
	const char *text;
	int r;
	const char *again, *wrong;
} rows[] = {
	{ "db:10.0.0.5", 0, "db:10.0.0.5", NULL },
	{ "db=10.0.0.5", 0, "db:10.0.0.5", NULL },
	{ "a.b-c_d.example:fd00::5", 0, "a.b-c_d.example:fd00::5", NULL },
	{ "db:[fd00::5]", 0, "db:fd00::5", NULL },
	{ "db=::1", 0, "db:::1", NULL },
	{ "pod:host-gateway", 0, "pod:host-gateway", NULL },
	{ "db", -EINVAL, NULL, "'db'" },
	{ "", -EINVAL, NULL, "''" },
	{ ":10.0.0.5", -EINVAL, NULL, "'' is no host name" },
	{ "-db:10.0.0.5", -EINVAL, NULL, "'-db'" },
	{ ".db:10.0.0.5", -EINVAL, NULL, "'.db'" },
	{ "a b:10.0.0.5", -EINVAL, NULL, "'a b'" },
	{ "a\nb:10.0.0.5", -EINVAL, NULL, "is no host name" },
	{ "a#:10.0.0.5", -EINVAL, NULL, "'a#'" },
	{ "db:", -EINVAL, NULL, "'' is no address" },
	{ "db:10.0.0.5 x", -EINVAL, NULL, "'10.0.0.5 x'" },
	{ "db:10.0.0.0/8", -EINVAL, NULL, "'10.0.0.0/8'" },
	{ "db:[10.0.0.5]", -EINVAL, NULL, "'[10.0.0.5]'" },
	{ "db:[fd00::5", -EINVAL, NULL, "'[fd00::5'" },
	{ "db:[", -EINVAL, NULL, "'['" },
	{ "db:fe80::1%eth0", -EINVAL, NULL, "'fe80::1%eth0'" },
	{ "db:host-gateways", -EINVAL, NULL, "'host-gateways'" },
};

static void test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct extra_host host = { .name = "kept" };
		char text[EXTRA_HOST_TEXT_MAX];
		struct err err = { 0 };

		print_message("  '%s'\n", rows[i].text);
		assert_int_equal(extra_host_parse(rows[i].text, &host, &err), rows[i].r);
		if (rows[i].r < 0) {
			assert_non_null(strstr(err.text, rows[i].wrong));
			assert_string_equal(host.name, "kept");
			continue;
		}
		assert_string_equal(extra_host_text(&host, text), rows[i].again);
	}
}

static void test_long_names(void **state)
{
	char text[300], again[EXTRA_HOST_TEXT_MAX];
	struct extra_host host;
	struct err err = { 0 };

	(void)state;
	(void)snprintf(text, sizeof(text), "%0253d:fd00::5", 0);
	assert_int_equal(extra_host_parse(text, &host, &err), 0);
	assert_string_equal(extra_host_text(&host, again), text);
	(void)snprintf(text, sizeof(text), "%0254d:fd00::5", 0);
	assert_int_equal(extra_host_parse(text, &host, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
