#include "cgroups/remove.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/unit/unit.h"

/*
 * Directories stand for groups: they have no cgroup.kill and no cgroup.events, and are busy with
 * others in them, or as long as a test wants it, as the kernel says when a process leaves late.
 */

/* Who is busy, for how many more tries, and how many there were. */
static const char *busy;
static int busy_for, tries;

int unlinkat(int dir, const char *name, int flags)
{
	if (busy && strcmp(name, busy) == 0) {
		tries++;
		if (busy_for > 0) {
			busy_for--;
			errno = EBUSY;
			return -1;
		}
	}
	if (syscall(SYS_unlinkat, dir, name, flags) == 0)
		return 0;
	errno = errno == ENOTEMPTY ? EBUSY : errno;
	return -1;
}

static void make(int parent, const char *name)
{
	assert_int_equal(mkdirat(parent, name, 0755), 0);
}

static bool there(int parent, const char *name)
{
	return faccessat(parent, name, F_OK, 0) == 0;
}

static int set_up(void **state)
{
	static char dir[] = "/tmp/remove.XXXXXX";
	static int fd;

	if (!mkdtemp(dir))
		return -1;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = &fd;
	return fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	char path[64], dir[64];
	ssize_t n;

	busy = NULL;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", *(int *)*state);
	n = readlink(path, dir, sizeof(dir) - 1);
	if (n < 0)
		return -1;
	dir[n] = '\0';
	return rmdir(dir);
}

static void test_late(void **state)
{
	const char *const who[] = { "berth-a", "limits", "payload" };
	const int parent = *(int *)*state;
	struct err err = { 0 };

	for (size_t i = 0; i < N_ELEMENTS(who); i++) {
		make(parent, "berth-a");
		make(parent, "berth-a/limits");
		make(parent, "berth-a/limits/payload");
		make(parent, "berth-b");
		busy = who[i];
		busy_for = 5;
		tries = 0;
		assert_int_equal(cgroup_remove(parent, "berth-a", &err), 0);
		assert_true(tries >= 6);
		assert_false(there(parent, "berth-a"));
		assert_true(there(parent, "berth-b"));
		busy = NULL;
		assert_int_equal(cgroup_remove(parent, "berth-b", &err), 0);
	}
}

/* Not for ever: about half a second, and then it says which one. */
static void test_stays(void **state)
{
	const char *const who[] = { "berth-a", "payload" };
	const int parent = *(int *)*state;

	make(parent, "berth-a");
	make(parent, "berth-a/payload");
	for (size_t i = N_ELEMENTS(who); i-- > 0;) {
		struct err err = { 0 };

		busy = who[i];
		busy_for = 100000;
		tries = 0;
		assert_int_equal(cgroup_remove(parent, "berth-a", &err), -EBUSY);
		assert_int_equal(err.code, EBUSY);
		assert_non_null(strstr(err.text, who[i]));
		assert_in_range(tries, 10, 200);
		assert_true(there(parent, "berth-a"));
		busy = NULL;
	}
	assert_int_equal(cgroup_remove(parent, "berth-a", &(struct err){ 0 }), 0);
}

static void test_others(void **state)
{
	const int parent = *(int *)*state;
	struct err err = { 0 };

	make(parent, "other");
	assert_int_equal(cgroup_remove(parent, "other", &err), -EINVAL);
	assert_true(there(parent, "other"));
	assert_int_equal(unlinkat(parent, "other", AT_REMOVEDIR), 0);
	assert_int_equal(cgroup_remove(parent, "berth-none", &(struct err){ 0 }), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_stays),
		cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
