#include "seal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "tests/unit/unit.h"

#define SELF "/proc/self/exe"

/* What the copy of ourselves finds; each failure has its own exit status. */
static int look_around(char **argv)
{
	cleanup_close int self = -EBADF, writer = -EBADF;
	struct err err = { 0 };
	char link[64] = "", byte;

	if (seal_self(argv, &err) < 0)
		return 10;
	/* Here for the second time. */
	if (readlink(SELF, link, sizeof(link) - 1) < 0 || !strstr(link, "memfd:berth"))
		return 11;
	if (strcmp(argv[1], "--sealed") != 0 || strcmp(argv[2], "a word") != 0)
		return 12;
	if (seal_needed())
		return 13;
	self = open(SELF, O_RDONLY | O_CLOEXEC);
	if (self < 0 || read(self, &byte, 1) != 1)
		return 14;
	/* Running: ETXTBSY. Not running any more, by the descriptor: EPERM. */
	writer = open(SELF, O_RDWR | O_CLOEXEC);
	if (writer >= 0 && (pwrite(writer, "x", 1, 0) >= 0 || ftruncate(writer, 0) == 0))
		return 15;
	if ((fcntl(self, F_GET_SEALS) & (F_SEAL_WRITE | F_SEAL_SEAL)) !=
	    (F_SEAL_WRITE | F_SEAL_SEAL))
		return 16;
	if (fcntl(3, F_GETFD) >= 0 && self != 3)
		return 17; /* the descriptor of the copy came along */
	return 0;
}

static void test_seal_self(void **state)
{
	char *const argv[] = { "test_seal", "--sealed", "a word", NULL };
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		struct err err = { 0 };

		(void)fd_cloexec_all(&err);
		(void)execv(SELF, argv);
		_exit(99);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Built by who runs the test: root inside would be allowed to write to it. */
static void test_needed_for_our_own_file(void **state)
{
	(void)state;
	assert_true(seal_needed());
}

static void test_whose_it_is(void **state)
{
	const struct seal_fact fact = seal_look();

	(void)state;
	assert_false(fact.never);
	assert_false(fact.foreign);
	assert_int_equal(fact.owner, geteuid());
}

static void test_exposed(void **state)
{
	static const struct idmap lent = { 2, { { 0, 1000, 1 }, { 1, 100000, 65536 } } };
	static const struct {
		const char *name;
		struct seal_fact fact;
		bool exposed;
	} cases[] = {
		{ "our own", { .owner = 1000 }, true },
		{ "lent to us", { .owner = 100007 }, true },
		{ "root's", { .owner = 0 }, false },
		{ "beyond what is lent", { .owner = 165536 }, false },
		{ "nobody's here, shown as one that is lent",
		  { .foreign = true, .owner = 100007 },
		  false },
		{ "root's, for all to write", { .others = true }, true },
		{ "nobody's here, for all to write",
		  { .others = true, .foreign = true },
		  true },
		{ "our own, read-only", { .never = true, .owner = 1000 }, false },
		{ "for all to write, read-only",
		  { .never = true, .others = true },
		  false },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		if (seal_exposed(&cases[i].fact, &lent) != cases[i].exposed)
			fail_msg("%s", cases[i].name);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seal_self),
		cmocka_unit_test(test_needed_for_our_own_file),
		cmocka_unit_test(test_whose_it_is),
		cmocka_unit_test(test_exposed),
	};

	if (argc > 1 && strcmp(argv[1], "--sealed") == 0)
		return look_around(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
