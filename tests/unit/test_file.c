#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "tests/unit/unit.h"

/* As many as NGROUPS_MAX. */
#define GROUPS 65536

static char dir[] = "/tmp/berth-test-file.XXXXXX";
static int at = -EBADF;

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return at < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	(void)unlinkat(at, "status", 0);
	close(at);
	return rmdir(dir);
}

static void write_status(const char *before, unsigned int groups, const char *after)
{
	struct err err = { 0 };
	cleanup_arena struct arena arena = { 0 };
	char *text =
		arena_alloc(&arena, strlen(before) + strlen(after) + groups * 8 + 64);
	char *end = stpcpy(text, before);

	end = stpcpy(end, "Groups:\t");
	for (unsigned int i = 0; i < groups; i++)
		end += sprintf(end, "%u ", i);
	end = stpcpy(stpcpy(end, "\n"), after);
	assert_int_equal(
		file_create(at, "status", 0600, text, (size_t)(end - text), &err), 0);
}

static void test_status(void **state)
{
	static const char before[] = "Name:\tGroups:\nUid:\t0\t0\t0\t0\n";
	static const char after[] = "NStgid:\t9\t1\nNSpid:\t9\t1\nGroup:\t1\n";
	static const unsigned int groups[] = { 0, 1, 600, 800, GROUPS };
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		struct err err = { 0 };
		ssize_t n;

		write_status(before, groups[i], after);
		n = file_status(at, "status", text, sizeof(text), &err);
		assert_int_equal(n, (ssize_t)strlen(text));
		assert_true(!strncmp(text, before, strlen(before)));
		assert_string_equal(text + strlen(before), "Groups:\nNStgid:\t9\t1\n"
		                                           "NSpid:\t9\t1\nGroup:\t1\n");
	}
}

static void test_too_much(void **state)
{
	struct err err = { 0 };
	char text[32];

	(void)state;
	write_status("Name:\tx\n", 4, "Threads:\t1\nCpus_allowed:\tf\n");
	assert_int_equal(file_status(at, "status", text, sizeof(text), &err), -EFBIG);
	assert_non_null(strstr(err.text, "'status': more than 31 bytes"));
	err_clear(&err);
	assert_int_equal(file_status(at, "none", text, sizeof(text), &err), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_too_much),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
