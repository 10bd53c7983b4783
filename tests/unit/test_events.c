#include "cgroups/events.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "tests/unit/unit.h"

static const char memory_events[] = "low 1\nhigh 2\nmax 33\noom 4\noom_kill 5\n"
				    "oom_group_kill 6\n";
static const char pressure[] = "some avg10=1.50 avg60=0.00 avg300=0.00 total=123456\n"
			       "full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n";

static const struct {
	const char *text, *line, *key;
	uint64_t want;
} cases[] = {
	{ memory_events, NULL, "low", 1 },
	{ memory_events, NULL, "max", 33 },
	{ memory_events, NULL, "oom", 4 },
	{ memory_events, NULL, "oom_kill", 5 },
	{ memory_events, NULL, "oom_", 0 },
	{ memory_events, NULL, "kill", 0 },
	{ memory_events, NULL, "sock_throttled", 0 },
	{ "max", NULL, "max", 0 },
	{ "", NULL, "max", 0 },
	{ "", "some", "total=", 0 },
	{ pressure, "some", "total=", 123456 },
	{ pressure, "full", "total=", 7 },
	{ "some avg10=0.00\nfull total=7\n", "some", "total=", 0 },
};

static void test_numbers(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		if (cgroup_events_number(cases[i].text, cases[i].line, cases[i].key) !=
		    cases[i].want)
			fail_msg("case %zu: '%s'", i, cases[i].key);
}

static void test_read(void **state)
{
	static const struct {
		const char *file, *text;
	} files[] = {
		{ "memory.events", memory_events },
		{ "memory.events.local", "max 2\noom 1\noom_kill 0\n" },
		{ "memory.pressure", pressure },
		{ "io.pressure", pressure },
	};
	char dir[] = "/tmp/berth-test-XXXXXX";
	struct cgroup_events events;
	struct err err = { 0 };
	int fd, opened[CGROUP_EVENT_FILES];

	(void)state;
	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	for (size_t i = 0; i < N_ELEMENTS(files); i++)
		assert_int_equal(file_create(fd, files[i].file, 0600, files[i].text,
		                             strlen(files[i].text), &err),
		                 0);
	cgroup_events_read(fd, &events);
	assert_int_equal(events.memory_max, 2);
	assert_int_equal(events.oom, 1);
	assert_int_equal(events.oom_kill, 5); /* of groups below, too */
	assert_int_equal(events.pids_max, 0); /* no such file */
	assert_int_equal(events.cpu_us, 0);
	assert_int_equal(events.memory_us, 123456);
	assert_int_equal(events.io_us, 123456);
	cgroup_events_open(fd, opened);
	assert_true(opened[0] >= 0);
	assert_int_equal(opened[1], -EBADF);
	drop_fd(&opened[0]);
	for (size_t i = 0; i < N_ELEMENTS(files); i++)
		assert_int_equal(unlinkat(fd, files[i].file, 0), 0);
	drop_fd(&fd);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_numbers),
		                            cmocka_unit_test(test_read) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
