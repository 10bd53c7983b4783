#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "signals.h"
#include "tests/unit/unit.h"

static const struct signal_case {
	const char *text;
	int want; /* 0: refused */
} signal_cases[] = {
	{ "9", SIGKILL },
	{ "1", SIGHUP },
	{ "64", 64 },
	{ "KILL", SIGKILL },
	{ "kill", SIGKILL },
	{ "SIGTERM", SIGTERM },
	{ "sigusr1", SIGUSR1 },
	{ "ABRT", SIGABRT },
	{ "IOT", SIGABRT },
	{ "CLD", SIGCHLD },
	{ "POLL", SIGPOLL },
	{ "IO", SIGIO },
	{ "WINCH", SIGWINCH },
	{ "0", 0 },
	{ "65", 0 },
	{ "-9", 0 },
	{ "+9", 0 },
	{ "09", 0 },
	{ "", 0 },
	{ "SIG", 0 },
	{ "SIGSIGKILL", 0 },
	{ "KIL", 0 },
	{ "KILL ", 0 },
	{ "RTMIN+", 0 },
	{ "RTMIN-1", 0 },
	{ "RTMAX+1", 0 },
	{ "RTMIN+99", 0 },
	{ "RTMIN3", 0 },
	{ "RTMIN+3x", 0 },
	{ "99999999999999999999", 0 },
};

static void check(const char *text, int want)
{
	struct err err = { 0 };
	char quoted[64];
	int got = -1;

	print_message("  '%s'\n", text);
	assert_int_equal(signal_parse(text, &got, &err), want ? 0 : -EINVAL);
	assert_int_equal(got, want ? want : -1);
	(void)snprintf(quoted, sizeof(quoted), "'%s'", text);
	if (!want)
		assert_non_null(strstr(err.text, quoted));
}

static void test_parse(void **state)
{
	(void)state;

	for (size_t i = 0; i < N_ELEMENTS(signal_cases); i++)
		check(signal_cases[i].text, signal_cases[i].want);
	/* The first two are the C library's own. */
	check("RTMIN", SIGRTMIN);
	check("SIGRTMIN+3", SIGRTMIN + 3);
	check("rtmin+0", SIGRTMIN);
	check("RTMAX", SIGRTMAX);
	check("SIGRTMAX-2", SIGRTMAX - 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
