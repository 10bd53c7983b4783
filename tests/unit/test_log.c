#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "tests/unit/unit.h"

#define WAIT_S 10 /* for a line that waits, though it must not */

static int ends[2], before = -EBADF;

/* Standard error is a pipe, as that of "berth run 2>&1 | less". */
static int setup(void **state)
{
	(void)state;
	before = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	if (before < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	if (dup2(ends[1], STDERR_FILENO) < 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0)
		return -1;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	log_patient(true);
	(void)dup2(before, STDERR_FILENO);
	drop_fd(&before);
	drop_fd(&ends[0]);
	drop_fd(&ends[1]);
	return 0;
}

/* As a program inside whose output goes to the same pipe. */
static void fill(void)
{
	char page[4096];

	memset(page, 'x', sizeof(page));
	assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
	while (write(ends[1], page, sizeof(page)) > 0)
		continue;
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
}

static void drain(void)
{
	char page[4096];
	ssize_t n;

	while ((n = read(ends[0], page, sizeof(page))) > 0)
		assert_null(memchr(page, '\n', (size_t)n)); /* no line of ours */
}

static void expect(const char *line)
{
	char text[256];
	const ssize_t n = read(ends[0], text, sizeof(text) - 1);

	assert_true(n > 0);
	text[n] = '\0';
	assert_string_equal(text, line);
}

static void test_no_room(void **state)
{
	(void)state;
	log_patient(false);
	fill();
	(void)alarm(WAIT_S);
	log_warn("nobody reads");
	log_info("nobody reads");
	(void)alarm(0);
	drain();
}

static void test_room(void **state)
{
	(void)state;
	log_patient(false);
	log_warn("limit '%s'", "pids");
	expect("berth: warning: limit 'pids'\n");
	log_info("goes on");
	expect("berth: goes on\n");
	log_patient(true);
	log_warn("a\nb\033c");
	expect("berth: warning: a?b?c\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_no_room, setup, teardown),
		cmocka_unit_test_setup_teardown(test_room, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
