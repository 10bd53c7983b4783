#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/syscall.h"
#include "base/tree.h"
#include "tests/unit/unit.h"

/**
 * struct place - A directory; the tree under test is "t" in it, "keep" a file beside
 */
struct place {
	char path[64];
	int dir;
};

static int setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	if (!place)
		return -1;
	(void)snprintf(place->path, sizeof(place->path), "/tmp/berth-test-tree-XXXXXX");
	if (!mkdtemp(place->path))
		return -1;
	place->dir = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mkdirat(place->dir, "t", 0700) < 0 || mkdirat(place->dir, "keep", 0700) < 0 ||
	    mknodat(place->dir, "keep/file", S_IFREG | 0600, 0) < 0)
		return -1;
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;

	(void)unlinkat(place->dir, "t", AT_REMOVEDIR); /* of a test that was skipped */
	/* Exactly what setup() made beside the tree is still there. */
	if (unlinkat(place->dir, "keep/file", 0) < 0 ||
	    unlinkat(place->dir, "keep", AT_REMOVEDIR) < 0 || rmdir(place->path) < 0)
		return -1;
	(void)close(place->dir);
	free(place);
	return 0;
}

/* Makes openat2(2) answer ENOSYS. */
static void refuse_openat2(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = N_ELEMENTS(code), .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(50);
	if (sys_openat2(AT_FDCWD, "/", &(struct open_how){ 0 }) >= 0 || errno != ENOSYS)
		_exit(51);
}

/* Removes in a child, which may be limited first. Return: 0 or the errno. */
static int remove_in_child(const struct place *place, const char *name, bool old,
                           rlim_t files)
{
	pid_t child = fork();
	int status = -1;

	if (child == 0) {
		const struct rlimit limit = { files, files };
		struct err err = { 0 };

		if (files && setrlimit(RLIMIT_NOFILE, &limit) < 0)
			_exit(52);
		if (old)
			refuse_openat2();
		_exit(-tree_remove(place->dir, name, &err));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void make_small(const struct place *place)
{
	int d = place->dir;

	(void)mkdirat(d, "t", 0700);
	assert_int_equal(mkdirat(d, "t/a", 0700), 0);
	assert_int_equal(mkdirat(d, "t/a/empty", 0700), 0);
	assert_int_equal(mknodat(d, "t/a/file", S_IFREG, 0), 0);
	assert_int_equal(mkfifoat(d, "t/a/fifo", 0600), 0);
	assert_int_equal(symlinkat("../../keep", d, "t/a/link"), 0);
	assert_int_equal(symlinkat(place->path, d, "t/absolute"), 0);
	assert_int_equal(symlinkat("nowhere", d, "t/dangling"), 0);
	assert_int_equal(linkat(d, "keep/file", d, "t/hard", 0), 0);
	assert_int_equal(mkdirat(d, "t/work", 0), 0); /* as overlayfs makes it */
	assert_int_equal(fchmodat(d, "t/a", 0500, 0), 0);
	assert_int_equal(fchmodat(d, "t/a", 0700, 0), 0);
}

static void test_small(void **state)
{
	const struct place *place = *state;

	for (int old = 0; old < 2; old++) {
		make_small(place);
		assert_int_equal(remove_in_child(place, "t", old, 0), 0);
		assert_int_equal(remove_in_child(place, "t", old, 0), ENOENT);
	}
}

static void test_one_file(void **state)
{
	const struct place *place = *state;
	struct err err = { 0 };

	assert_int_equal(symlinkat("keep", place->dir, "link"), 0);
	assert_int_equal(tree_remove(place->dir, "link", &err), 0);
	assert_int_equal(mknodat(place->dir, "file", S_IFREG, 0), 0);
	assert_int_equal(tree_remove(place->dir, "file", &err), 0);
	assert_int_equal(tree_remove(place->dir, "t", &err), 0);
}

static const struct name_case {
	const char *name;
	int remove, open;
} name_cases[] = {
	{ ".", -EINVAL, -EINVAL },         { "..", -EINVAL, -EINVAL },
	{ "keep/file", -EINVAL, -EINVAL }, { "/tmp", -EINVAL, -EINVAL },
	{ "", -ENOENT, -ENOENT },          { "none", -ENOENT, -ENOENT },
};

static void test_names(void **state)
{
	const struct place *place = *state;
	struct err err = { 0 };
	int fd;

	for (size_t i = 0; i < N_ELEMENTS(name_cases); i++) {
		const struct name_case *c = &name_cases[i];

		print_message("  '%s'\n", c->name);
		err_clear(&err);
		assert_int_equal(tree_remove(place->dir, c->name, &err), c->remove);
		err_clear(&err);
		assert_int_equal(tree_open(place->dir, c->name, &err), c->open);
	}
	assert_int_equal(symlinkat("keep", place->dir, "link"), 0);
	err_clear(&err);
	fd = tree_open(place->dir, "link", &err);
	assert_true(fd == -ELOOP || fd == -ENOTDIR);
	assert_int_equal(unlinkat(place->dir, "link", 0), 0);
	err_clear(&err);
	assert_int_equal(tree_remove(place->dir, "t", &err), 0);
}

/* 600 levels deep, far beyond PATH_MAX and the number of descriptors. */
static void test_deep(void **state)
{
	const struct place *place = *state;

	for (int old = 0; old < 2; old++) {
		int fd;

		(void)mkdirat(place->dir, "t", 0700);
		fd = openat(place->dir, "t", O_PATH | O_DIRECTORY | O_CLOEXEC);
		for (int i = 0; i < 600; i++) {
			int next;

			assert_int_equal(mkdirat(fd, "dddddddd", 0700), 0);
			assert_int_equal(mknodat(fd, "file", S_IFREG, 0), 0);
			if (i % 100 == 0) /* names that removal would like to use */
				assert_int_equal(mknodat(fd, ".berth-0", S_IFREG, 0), 0);
			next = openat(fd, "dddddddd", O_PATH | O_DIRECTORY | O_CLOEXEC);
			assert_int_equal(close(fd), 0);
			fd = next;
		}
		assert_int_equal(close(fd), 0);
		assert_int_equal(remove_in_child(place, "t", old, 64), 0);
	}
}

static void test_wide(void **state)
{
	const struct place *place = *state;

	for (int i = 0; i < 3000; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "t/%d", i);
		if (i % 2)
			assert_int_equal(mkdirat(place->dir, name, 0700), 0);
		else
			assert_int_equal(mknodat(place->dir, name, S_IFREG, 0), 0);
	}
	assert_int_equal(remove_in_child(place, "t", false, 64), 0);
}

/* In a mount namespace of its own: 0, or the errno of the removal. */
static int remove_with_mount(const struct place *place, bool old)
{
	pid_t child = fork();
	int status = -1;

	if (child == 0) {
		struct err err = { 0 };
		int r;

		if ((unshare(CLONE_NEWNS) < 0 &&
		     unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) ||
		    chdir(place->path) < 0 ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    mount("keep", "t/mnt", NULL, MS_BIND, NULL) < 0)
			_exit(99);
		if (old)
			refuse_openat2();
		/* The descriptor from before is of the old namespace's mount. */
		r = tree_remove(open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), "t", &err);
		_exit(-r);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WEXITSTATUS(status);
}

static void test_mount_point_stops_it(void **state)
{
	const struct place *place = *state;

	for (int old = 0; old < 2; old++) {
		int r;

		(void)mkdirat(place->dir, "t", 0700);
		assert_int_equal(mkdirat(place->dir, "t/mnt", 0700), 0);
		r = remove_with_mount(place, old);
		/* rmdir(2) of a mount point is EBUSY, before it is looked into. */
		if (r != 99)
			assert_true(r == EXDEV || r == EBUSY);
		assert_int_equal(faccessat(place->dir, "keep/file", F_OK, 0), 0);
		assert_int_equal(remove_in_child(place, "t", old, 0), 0);
	}
}

static void test_other_owner(void **state)
{
	const struct place *place = *state;
	pid_t child;
	int status = -1;

	if (geteuid() != 0 || fchownat(place->dir, "t", 1, 1, 0) < 0)
		skip();
	assert_int_equal(mkdirat(place->dir, "t/a", 0755), 0);
	assert_int_equal(mknodat(place->dir, "t/a/file", S_IFREG, 0), 0);
	child = fork();
	if (child == 0) {
		struct err err = { 0 };

		if (setresuid(1, 1, 1) < 0)
			_exit(99);
		_exit(-tree_remove(place->dir, "t", &err));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), EACCES);
	assert_int_equal(remove_in_child(place, "t", false, 0), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_small),       TEST(test_one_file),
		TEST(test_names),       TEST(test_deep),
		TEST(test_wide),        TEST(test_mount_point_stops_it),
		TEST(test_other_owner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
