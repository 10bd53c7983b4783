#include "user.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "tests/unit/unit.h"

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
			     "# no user\n"
			     "\n"
			     "broken:x:abc:0::/:/bin/sh\n"
			     "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"
			     "dev:x:1000:1000:Dev,,,:/home/dev:/bin/bash\n"
			     "1234:x:55:56::/home/number:/bin/sh\n"
			     "huge:x:4294967295:0::/:/bin/sh\n"
			     "nogroup:x:60:none::/:/bin/sh\n"
			     "short:x:70:71\n"
			     "last:x:80:80::/last:/bin/sh"; /* no newline */
static const char group[] = "root:x:0:\n"
			    "daemon:x:1:dev\n"
			    "dev:x:1000:dev\n"
			    "docker:x:999:other,dev\n"
			    "prefix:x:998:devil,xdev\n"
			    "wheel:x:10:dev,root\n"
			    "bad:x:-1:dev\n";

static const struct lookup_case {
	const char *name, *spec;
	int r;
	uid_t uid;
	gid_t gid;
	size_t groups_n;
	const char *home;
} lookup_cases[] = {
	{ "by name", "dev", 0, 1000, 1000, 3, "/home/dev" },
	{ "by number", "1000", 0, 1000, 1000, 3, "/home/dev" },
	{ "root", "root", 0, 0, 0, 1, "/root" },
	{ "nothing is root", "", 0, 0, 0, 1, "/root" },
	{ "a group's name", "dev:docker", 0, 1000, 999, 0, "/home/dev" },
	{ "a group's number", "dev:42", 0, 1000, 42, 0, "/home/dev" },
	{ "an empty group", "dev:", 0, 1000, 1000, 3, "/home/dev" },
	{ "only a group", ":docker", 0, 0, 999, 0, "/root" },
	{ "a number without a line", "4711", 0, 4711, 0, 0, "/" },
	{ "both without a line", "4711:4712", 0, 4711, 4712, 0, "/" },
	{ "a name that is a number", "1234", 0, 55, 56, 0, "/home/number" },
	{ "fields that are missing", "short", 0, 70, 71, 0, "/" },
	{ "no newline at the end", "last", 0, 80, 80, 0, "/last" },
	{ "no such user", "nobody", -ENOENT, 0, 0, 0, "" },
	{ "no such group", "dev:nobody", -ENOENT, 0, 0, 0, "" },
	{ "a line that is broken", "broken", -ENOENT, 0, 0, 0, "" },
	{ "(uid_t)-1 in the file", "huge", -ENOENT, 0, 0, 0, "" },
	{ "(uid_t)-1", "4294967295", -ERANGE, 0, 0, 0, "" },
	{ "2^31", "2147483648", -ERANGE, 0, 0, 0, "" },
	{ "2^31 - 1", "2147483647", 0, 2147483647, 0, 0, "/" },
	{ "a group above 2^31", "0:99999999999", -ERANGE, 0, 0, 0, "" },
	{ "a user's broken group", "nogroup", -EINVAL, 0, 0, 0, "" },
	{ "a sign", "-1", -ENOENT, 0, 0, 0, "" },
	{ "a leading zero is no name of 0", "00", -ERANGE, 0, 0, 0, "" },
	{ "a comment", "# no user", -ENOENT, 0, 0, 0, "" },
	{ "a path", "../root", -ENOENT, 0, 0, 0, "" },
};

/* Shared with the children that change their root. */
struct result {
	int r;
	struct user user;
	struct err err;
};

static bool enter_root(const char *root)
{
	if (chroot(root) < 0 && (unshare(CLONE_NEWUSER) < 0 || chroot(root) < 0))
		return false;
	return chdir("/") == 0;
}

/* Looks @spec up with @root as root. */
static struct result lookup_in(const char *root, const char *spec)
{
	struct result *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
	                             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct result result;
	int status;
	pid_t pid;

	assert_true(shared != MAP_FAILED);
	pid = fork();
	if (pid == 0) {
		if (!enter_root(root))
			_exit(1);
		shared->r = user_lookup(spec, &shared->user, &shared->err);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	result = *shared;
	(void)munmap(shared, sizeof(*shared));
	return result;
}

static int setup(void **state)
{
	char *root = strdup("/tmp/berth-test-user-XXXXXX");
	struct err err = { 0 };
	int dir;

	if (!root || !mkdtemp(root))
		return -1;
	dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || mkdirat(dir, "etc", 0755) < 0)
		return -1;
	(void)close(dir);
	dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = root;
	if (file_create(dir, "passwd", 0644, passwd, strlen(passwd), &err) < 0 ||
	    file_create(dir, "group", 0644, group, strlen(group), &err) < 0 ||
	    renameat(dir, "passwd", dir, "etc/passwd") < 0 ||
	    renameat(dir, "group", dir, "etc/group") < 0)
		return -1;
	(void)close(dir);
	return 0;
}

static int teardown(void **state)
{
	char *root = *state;
	int dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)unlinkat(dir, "etc/passwd", 0);
	(void)unlinkat(dir, "etc/group", 0);
	(void)unlinkat(dir, "etc", AT_REMOVEDIR);
	(void)close(dir);
	(void)rmdir(root);
	free(root);
	return 0;
}

static void test_lookup(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(lookup_cases); i++) {
		const struct lookup_case *c = &lookup_cases[i];
		struct result got = lookup_in(*state, c->spec);

		print_message("  %s\n", c->name);
		assert_int_equal(got.r, c->r);
		assert_int_equal(got.err.code, -c->r);
		assert_string_equal(got.err.step, c->r < 0 ? "user" : "");
		assert_int_equal(got.user.uid, c->uid);
		assert_int_equal(got.user.gid, c->gid);
		assert_int_equal(got.user.groups_n, c->groups_n);
		assert_string_equal(got.user.home, c->home);
	}
}

static void test_groups_of_a_user(void **state)
{
	const gid_t want[] = { 1, 999, 10 };
	struct result got = lookup_in(*state, "dev");

	assert_int_equal(got.user.groups_n, N_ELEMENTS(want));
	assert_memory_equal(got.user.groups, want, sizeof(want));
}

static void test_no_files(void **state)
{
	const char *root = *state;
	struct result got;

	assert_int_equal(lookup_in("/proc/self/fdinfo/..", "0").r, 0);
	got = lookup_in("/proc", "dev");
	assert_int_equal(got.r, -ENOENT);
	assert_string_equal(got.err.text, "no user 'dev' in the workspace's /etc/passwd");
	(void)root;
}

/* What root inside could put there to hold us up, or to lead us elsewhere. */
static void test_files_that_are_none(void **state)
{
	char path[256];
	struct result got;

	(void)snprintf(path, sizeof(path), "%s/etc/group", (const char *)*state);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0644), 0);
	got = lookup_in(*state, "0");
	assert_int_equal(got.r, -EINVAL);
	assert_string_equal(got.err.text, "'/etc/group' is no regular file");

	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/dev/zero", path), 0);
	assert_int_equal(lookup_in(*state, "0").r, 0); /* dangling: no such file */

	assert_int_equal(unlink(path), 0);
	assert_int_equal(close(creat(path, 0644)), 0);
	assert_int_equal(truncate(path, 1024 * 1024 + 1), 0);
	assert_int_equal(lookup_in(*state, "0").r, -EFBIG);
	assert_int_equal(truncate(path, 1024 * 1024), 0);
	assert_int_equal(lookup_in(*state, "0").r, 0); /* NULs: a line without a name */
}

static void test_more_groups_than_fit(void **state)
{
	char path[256];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/etc/group", (const char *)*state);
	file = fopen(path, "we");
	assert_non_null(file);
	for (int i = 0; i <= USER_GROUPS_MAX; i++)
		(void)fprintf(file, "g%d:x:%d:dev\n", i, 2000 + i);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(lookup_in(*state, "dev").r, -E2BIG);
	assert_int_equal(lookup_in(*state, "dev:g1").r, 0);
}

static const struct become_case {
	const char *name;
	struct user user;
	int r;
} become_cases[] = {
	{ "root of one ID", { .uid = 0, .gid = 0 }, 0 },
	{ "groups are denied", { .groups = { 0 }, .groups_n = 1 }, -EPERM },
	{ "a group that is not mapped", { .uid = 0, .gid = 5 }, -EINVAL },
	{ "a user that is not mapped", { .uid = 5, .gid = 0 }, -EINVAL },
};

static void one_id_map(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	struct err err = { 0 };
	char map[64];

	if (unshare(CLONE_NEWUSER) < 0)
		_exit(200);
	(void)snprintf(map, sizeof(map), "0 %u 1", gid);
	if (file_write(AT_FDCWD, "/proc/self/setgroups", "deny", &err) < 0 ||
	    file_write(AT_FDCWD, "/proc/self/gid_map", map, &err) < 0)
		_exit(201);
	(void)snprintf(map, sizeof(map), "0 %u 1", uid);
	if (file_write(AT_FDCWD, "/proc/self/uid_map", map, &err) < 0)
		_exit(202);
}

static void test_become(void **state)
{
	(void)state;

	for (size_t i = 0; i < N_ELEMENTS(become_cases); i++) {
		const struct become_case *c = &become_cases[i];
		pid_t pid = fork();
		int status;

		print_message("  %s\n", c->name);
		if (pid == 0) {
			struct err err = { 0 };
			int r;

			one_id_map();
			r = user_become(&c->user, &err);
			_exit(r == c->r && err.code == -r && (r == 0 || err.hint[0]) ? 0
			                                                             : 1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lookup, setup, teardown),
		cmocka_unit_test_setup_teardown(test_groups_of_a_user, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_files_that_are_none, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(test_more_groups_than_fit, setup,
		                                teardown),
		cmocka_unit_test(test_become),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
