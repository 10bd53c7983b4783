#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "apply.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/tree.h"
#include "tests/unit/unit.h"

/* A directory with "root", the workspace's, and "outside", which is none of its. */
struct place {
	char path[64];
	int dir, root, outside;
};

static int directory(int dir, const char *name)
{
	int fd;

	assert_int_equal(mkdirat(dir, name, 0755), 0);
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void file(int dir, const char *name, mode_t mode, const char *content)
{
	cleanup_close int fd =
		openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write_all(fd, content, strlen(content)), 0);
	assert_int_equal(fchmod(fd, mode), 0);
}

static int setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	assert_non_null(place);
	(void)umask(022);
	(void)strcpy(place->path, "/tmp/berth-target.XXXXXX");
	assert_non_null(mkdtemp(place->path));
	place->dir = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(place->dir >= 0);
	place->root = directory(place->dir, "root");
	place->outside = directory(place->dir, "outside");
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;
	struct err err = { 0 };

	(void)close(place->root);
	(void)close(place->outside);
	(void)close(place->dir);
	place->dir = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (tree_remove(place->dir, place->path + strlen("/tmp/"), &err) < 0)
		fail_msg("%s", err.text);
	(void)close(place->dir);
	free(place);
	return 0;
}

static mode_t mode_of(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : st.st_mode;
}

static const char *link_of(int dir, const char *name, char *buf, size_t size)
{
	ssize_t n = readlinkat(dir, name, buf, size - 1);

	buf[n < 0 ? 0 : n] = '\0';
	return buf;
}

/* Entries of a directory, without "." and "..". */
static int count(int dir)
{
	DIR *stream = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	int n = 0;

	assert_non_null(stream);
	while (readdir(stream))
		n++;
	(void)closedir(stream);
	return n - 2;
}

static const struct open_case {
	const char *name, *path;
	mode_t make;
	int r;
	mode_t want; /* type and permission bits of what is opened */
} open_cases[] = {
	{ "a directory", "/dir", 0, 0, S_IFDIR | 0755 },
	{ "a file", "/dir/file", 0, 0, S_IFREG | 0640 },
	{ "the root", "/", 0, 0, S_IFDIR | 0755 },
	{ "what is there is taken as it is", "/dir/file", S_IFDIR, 0, S_IFREG | 0640 },
	{ "not there", "/none", 0, -ENOENT, 0 },
	{ "not there, deep", "/none/at/all", 0, -ENOENT, 0 },
	{ "made: a directory", "/made", S_IFDIR, 0, S_IFDIR | 0755 },
	{ "made: a file", "/made.file", S_IFREG, 0, S_IFREG | 0644 },
	{ "made: directories above", "/x/y/z", S_IFDIR, 0, S_IFDIR | 0755 },
	{ "made: a file below them", "/x/y/f", S_IFREG, 0, S_IFREG | 0644 },
	{ "a link to a directory", "/link", 0, -ELOOP, 0 },
	{ "a link to a directory, to be made", "/link", S_IFDIR, -ELOOP, 0 },
	{ "a link on the way", "/link/file", 0, -ELOOP, 0 },
	{ "a link on the way to something new", "/link/new", S_IFREG, -ELOOP, 0 },
	{ "a link deep on the way", "/dir/up/dir/file", 0, -ELOOP, 0 },
	{ "a link out", "/out", S_IFDIR, -ELOOP, 0 },
	{ "a file below a link out", "/out/new", S_IFREG, -ELOOP, 0 },
	{ "a directory below a link out", "/out/a/b", S_IFDIR, -ELOOP, 0 },
	{ "a link to nowhere, to be a file", "/dangling", S_IFREG, -ELOOP, 0 },
	{ "a link to nowhere, to be a directory", "/dangling", S_IFDIR, -ELOOP, 0 },
	{ "a link to itself", "/self", 0, -ELOOP, 0 },
	{ "through a file", "/dir/file/x", S_IFREG, -ENOTDIR, 0 },
	{ "upwards out", "/../outside", 0, -EXDEV, 0 },
	{ "a magic link would lead out", "/fd", 0, -ELOOP, 0 },
};

static void test_open(void **state)
{
	const struct place *place = *state;
	cleanup_close int dir = directory(place->root, "dir");
	struct err err = { 0 };
	char out[96];

	file(dir, "file", 0640, "x");
	(void)snprintf(out, sizeof(out), "%s/outside", place->path);
	assert_int_equal(symlinkat("dir", place->root, "link"), 0);
	assert_int_equal(symlinkat("..", dir, "up"), 0);
	assert_int_equal(symlinkat(out, place->root, "out"), 0);
	assert_int_equal(symlinkat("../outside/new", place->root, "dangling"), 0);
	assert_int_equal(symlinkat("self", place->root, "self"), 0);
	assert_int_equal(symlinkat("/proc/self/root", place->root, "fd"), 0);

	for (size_t i = 0; i < N_ELEMENTS(open_cases); i++) {
		const struct open_case *c = &open_cases[i];
		char quoted[64];
		struct stat st;
		int fd;

		print_message("  %s\n", c->name);
		fd = target_open(place->root, c->path, c->make, &err);
		if (c->r < 0) {
			(void)snprintf(quoted, sizeof(quoted), "'%s'", c->path);
			assert_int_equal(fd, c->r);
			assert_int_equal(err.code, -c->r);
			assert_non_null(strstr(err.text, quoted));
			assert_int_equal(err.hint[0] != '\0', c->r == -ELOOP);
			err_clear(&err);
			continue;
		}
		assert_string_equal(err.text, "");
		assert_true(fd >= 0);
		assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
		assert_int_equal(fcntl(fd, F_GETFL) & O_PATH, O_PATH);
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_mode, c->want);
		(void)close(fd);
	}
	/* Nothing was written through a link, inside or outside. */
	assert_int_equal(count(place->outside), 0);
	assert_int_equal(mode_of(dir, "new"), 0);
	assert_int_equal(mode_of(place->root, "none"), 0);
}

static void test_open_depth(void **state)
{
	const struct place *place = *state;
	char path[401] = "";
	struct err err = { 0 };
	int fd;

	/* Deeper than any descriptor table allows to hold open. */
	for (size_t i = 0; i < 400; i += 2)
		(void)memcpy(path + i, "/d", 2);
	fd = target_open(place->root, path, S_IFDIR, &err);
	assert_string_equal(err.text, "");
	assert_true(fd >= 0);
	(void)close(fd);
	fd = target_open(place->root, path, 0, &err);
	assert_true(fd >= 0);
	(void)close(fd);
}

static const struct name_case {
	const char *name;
	size_t length;
	bool last; /* else the component before it */
	int r;
} name_cases[] = {
	{ "the longest name", 255, true, 0 },
	{ "the longest name on the way", 255, false, 0 },
	{ "a longer one", 256, true, -ENAMETOOLONG },
	{ "a longer one on the way", 256, false, -ENAMETOOLONG },
	{ "a very long one on the way", 4000, false, -ENAMETOOLONG },
};

static void test_open_long_names(void **state)
{
	const struct place *place = *state;

	for (size_t i = 0; i < N_ELEMENTS(name_cases); i++) {
		const struct name_case *c = &name_cases[i];
		char path[4096] = "/";
		struct err err = { 0 };
		int fd;

		print_message("  %s\n", c->name);
		memset(path + 1, c->last ? 'l' : 'w', c->length);
		if (!c->last)
			(void)strcat(path, "/x");
		fd = target_open(place->root, path, S_IFDIR, &err);
		assert_int_equal(fd < 0 ? fd : 0, c->r);
		if (fd >= 0)
			(void)close(fd);
		else
			assert_non_null(strstr(err.text, c->last ? "'/lll" : "'/www"));
	}
}

static void test_open_failures(void **state)
{
	const struct place *place = *state;
	cleanup_close int shut = directory(place->root, "shut");
	struct err err = { 0 };

	assert_int_equal(fchmod(shut, 0500), 0);
	if (geteuid() != 0)
		assert_int_equal(target_open(place->root, "/shut/x", S_IFDIR, &err),
		                 -EACCES);
	assert_int_equal(fchmod(shut, 0700), 0);
}

static void test_parent(void **state)
{
	const struct place *place = *state;
	const char *name = NULL;
	struct err err = { 0 };
	int fd;

	fd = target_parent(place->root, "/new/er/name", &name, &err);
	assert_true(fd >= 0);
	assert_string_equal(name, "name");
	assert_int_equal(mkdirat(fd, name, 0700), 0);
	assert_int_equal(mode_of(place->root, "new/er/name"), S_IFDIR | 0700);
	(void)close(fd);

	fd = target_parent(place->root, "/top", &name, &err);
	assert_true(fd >= 0);
	assert_string_equal(name, "top");
	(void)close(fd);
	assert_int_equal(mode_of(place->root, "top"), 0);

	assert_int_equal(symlinkat("../outside", place->root, "out"), 0);
	assert_int_equal(target_parent(place->root, "/out/name", &name, &err), -ELOOP);
	assert_non_null(strstr(err.text, "'/out/name'"));
	/* The last name itself may be a link: whoever makes the entry replaces it. */
	err_clear(&err);
	fd = target_parent(place->root, "/out", &name, &err);
	assert_true(fd >= 0);
	(void)close(fd);
}

/* What stays open, and until when. */
static void test_kept(void **state)
{
	static const struct {
		const char *mounted; /* NULL: anywhere */
		bool above, source;  /* is still open: of /dir/a, and /dir/deep itself */
	} cases[] = {
		{ "/dir/deep/x", true, true }, { "/dir/de", true, true },
		{ "/dir/deep", true, false },  { "/dir", false, false },
		{ "/di", true, true },         { "/other", true, true },
		{ NULL, false, false },
	};
	const struct place *place = *state;
	cleanup_close int dir = directory(place->root, "dir");
	cleanup_close int deep = directory(dir, "deep");
	struct launch launch;
	struct err err = { 0 };
	const char *name;

	launch_init(&launch);
	launch.root = place->root;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		int above = target_above(&launch, "/dir/a", &name, &err), source;

		print_message("  %s\n", cases[i].mounted ? cases[i].mounted : "anywhere");
		assert_true(above >= 0);
		assert_string_equal(name, "a");
		assert_int_equal(target_above(&launch, "/dir/bc", &name, &err), above);
		assert_string_equal(name, "bc");
		source = target_source(&launch, "/dir/deep", &err);
		assert_true(source >= 0 && source != above);
		assert_int_equal(target_source(&launch, "/dir/deep", &err), source);
		target_leave(&launch, cases[i].mounted);
		assert_int_equal(launch.above.fd >= 0, cases[i].above);
		assert_int_equal(fcntl(above, F_GETFD) >= 0, cases[i].above);
		assert_int_equal(launch.source.fd >= 0, cases[i].source);
		assert_int_equal(fcntl(source, F_GETFD) >= 0, cases[i].source);
	}
	/* Another one takes the place of the one before; the root is nobody's to close. */
	assert_true(target_above(&launch, "/dir/a", &name, &err) >= 0);
	assert_true(target_above(&launch, "/dir/deep/a", &name, &err) >= 0);
	assert_int_equal(mkdirat(launch.above.fd, "made", 0755), 0);
	assert_int_equal(mode_of(deep, "made"), S_IFDIR | 0755);
	assert_int_equal(target_above(&launch, "/top", &name, &err), place->root);
	assert_string_equal(name, "top");
	/* What failed is not kept. */
	assert_int_equal(symlinkat("dir", place->root, "link"), 0);
	assert_int_equal(target_above(&launch, "/link/a", &name, &err), -ELOOP);
	err_clear(&err);
	assert_int_equal(target_above(&launch, "/link/a", &name, &err), -ELOOP);
	err_clear(&err);
	assert_int_equal(target_source(&launch, "/link", &err), -ELOOP);
	target_leave(&launch, NULL);
	assert_true(fcntl(place->root, F_GETFD) >= 0);
}

/* What is copied, and how it arrives. */
static void test_copy(void **state)
{
	const struct place *place = *state;
	const struct timespec times[2] = { { .tv_sec = 1000000000, .tv_nsec = 5 },
		                           { .tv_sec = 1100000000, .tv_nsec = 7 } };
	cleanup_close int src = directory(place->outside, "src");
	cleanup_close int deep = directory(src, "deep"), copy = -EBADF;
	char buf[64];
	struct err err = { 0 };
	struct stat st;

	file(src, "plain", 0644, "content\n");
	file(src, "empty", 0600, "");
	file(src, "setuid", 04755, "#!");
	file(src, "read-only", 0444, "r");
	file(src, "new\nline \xff", 0644, "odd");
	file(deep, "below", 02750, "b");
	assert_int_equal(linkat(src, "plain", src, "second", 0), 0);
	assert_int_equal(symlinkat("/etc/shadow", src, "absolute"), 0);
	assert_int_equal(symlinkat("nowhere", src, "dangling"), 0);
	assert_int_equal(symlinkat("deep", src, "to-directory"), 0);
	assert_int_equal(futimens(deep, times), 0);
	assert_int_equal(utimensat(src, "plain", times, 0), 0);
	assert_int_equal(fchmod(deep, 0555), 0);
	assert_int_equal(fchmod(src, 01777), 0);

	assert_int_equal(copy_tree(place->outside, "src", place->root, "dst", NULL, &err),
	                 0);
	copy = openat(place->root, "dst", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(copy >= 0);
	assert_int_equal(mode_of(place->root, "dst"), S_IFDIR | 01777);
	assert_int_equal(mode_of(copy, "deep"), S_IFDIR | 0555);
	assert_int_equal(mode_of(copy, "deep/below"), S_IFREG | 02750);
	assert_int_equal(mode_of(copy, "plain"), S_IFREG | 0644);
	assert_int_equal(mode_of(copy, "empty"), S_IFREG | 0600);
	assert_int_equal(mode_of(copy, "setuid"), S_IFREG | 04755);
	assert_int_equal(mode_of(copy, "read-only"), S_IFREG | 0444);
	assert_int_equal(mode_of(copy, "new\nline \xff"), S_IFREG | 0644);
	assert_int_equal(mode_of(copy, "second"), S_IFREG | 0644);
	assert_int_equal(file_read(copy, "plain", buf, sizeof(buf), &err), 8);
	assert_string_equal(buf, "content\n");
	assert_string_equal(link_of(copy, "absolute", buf, sizeof(buf)), "/etc/shadow");
	assert_string_equal(link_of(copy, "dangling", buf, sizeof(buf)), "nowhere");
	assert_string_equal(link_of(copy, "to-directory", buf, sizeof(buf)), "deep");
	assert_int_equal(fstatat(copy, "plain", &st, 0), 0);
	assert_int_equal(st.st_mtim.tv_sec, 1100000000);
	assert_int_equal(st.st_mtim.tv_nsec, 7);
	assert_int_equal(fstatat(copy, "deep", &st, 0), 0);
	assert_int_equal(st.st_mtim.tv_sec, 1100000000);
	assert_int_equal(count(copy), count(src));
	/* So that teardown can empty it. */
	assert_int_equal(fchmodat(copy, "deep", 0755, 0), 0);
	assert_int_equal(fchmod(deep, 0755), 0);
}

static void make_socket(int dir, const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	cleanup_close int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s",
	               dir, name);
	assert_int_equal(bind(sock, (struct sockaddr *)&address, sizeof(address)), 0);
}

/* Sockets, pipes and devices are of no use in another place. A pipe must not hang. */
static void test_copy_leaves_out(void **state)
{
	const struct place *place = *state;
	cleanup_close int src = directory(place->outside, "src"), shut = -EBADF;
	struct err err = { 0 };

	assert_int_equal(mkfifoat(src, "fifo", 0644), 0);
	make_socket(src, "socket");
	file(src, "secret", 0000, "unreadable");
	shut = directory(src, "shut");
	file(shut, "below", 0644, "x");
	assert_int_equal(fchmod(shut, 0000), 0);
	file(src, "plain", 0644, "x");

	assert_int_equal(copy_tree(place->outside, "src", place->root, "dst", NULL, &err),
	                 0);
	assert_int_equal(mode_of(place->root, "dst/plain"), S_IFREG | 0644);
	assert_int_equal(mode_of(place->root, "dst/fifo"), 0);
	assert_int_equal(mode_of(place->root, "dst/socket"), 0);
	if (geteuid() == 0) {
		assert_int_equal(mode_of(place->root, "dst/secret"), S_IFREG);
		assert_int_equal(mode_of(place->root, "dst/shut"), S_IFDIR);
		assert_int_equal(mode_of(place->root, "dst/shut/below"), S_IFREG | 0644);
	} else {
		/* What we may not read. */
		assert_int_equal(mode_of(place->root, "dst/secret"), 0);
		assert_int_equal(mode_of(place->root, "dst/shut"), 0);
	}
	assert_int_equal(copy_tree(src, "fifo", place->root, "fifo", NULL, &err), 0);
	assert_int_equal(mode_of(place->root, "fifo"), 0);
	assert_int_equal(copy_tree(src, "gone", place->root, "gone", NULL, &err), 0);
	assert_int_equal(mode_of(place->root, "gone"), 0);
	assert_int_equal(fchmod(shut, 0700), 0);
	if (geteuid() == 0)
		assert_int_equal(fchmodat(place->root, "dst/shut", 0700, 0), 0);
}

/* What lies in the way is written over, but never through. */
static void test_copy_onto(void **state)
{
	const struct place *place = *state;
	cleanup_close int src = directory(place->outside, "src"), dst = -EBADF;
	char buf[64];
	struct err err = { 0 };

	file(src, "a", 0640, "new");
	file(place->outside, "victim", 0600, "untouched");
	dst = directory(place->root, "dst");
	file(dst, "a", 0600, "old, and longer");
	file(dst, "b", 0600, "stays");
	assert_int_equal(copy_tree(place->outside, "src", place->root, "dst", NULL, &err),
	                 0);
	assert_int_equal(file_read(dst, "a", buf, sizeof(buf), &err), 3);
	assert_string_equal(buf, "new");
	assert_int_equal(mode_of(dst, "a"), S_IFREG | 0640);
	assert_int_equal(mode_of(dst, "b"), S_IFREG | 0600);

	assert_int_equal(unlinkat(dst, "a", 0), 0);
	assert_int_equal(symlinkat("../../outside/victim", dst, "a"), 0);
	assert_int_equal(copy_tree(src, "a", dst, "a", NULL, &err), 0);
	assert_int_equal(mode_of(dst, "a"), S_IFREG | 0640);
	assert_int_equal(file_read(place->outside, "victim", buf, sizeof(buf), &err), 9);

	/* A pipe that nobody reads is not waited for, and another name of a file not written. */
	assert_int_equal(unlinkat(dst, "a", 0), 0);
	assert_int_equal(mkfifoat(dst, "a", 0600), 0);
	(void)alarm(10);
	assert_int_equal(copy_tree(src, "a", dst, "a", NULL, &err), 0);
	(void)alarm(0);
	assert_int_equal(mode_of(dst, "a"), S_IFREG | 0640);
	assert_int_equal(unlinkat(dst, "a", 0), 0);
	assert_int_equal(linkat(place->outside, "victim", dst, "a", 0), 0);
	assert_int_equal(copy_tree(src, "a", dst, "a", NULL, &err), 0);
	assert_int_equal(file_read(place->outside, "victim", buf, sizeof(buf), &err), 9);

	assert_int_equal(unlinkat(dst, "a", 0), 0);
	(void)close(directory(dst, "a"));
	assert_int_equal(copy_tree(src, "a", dst, "a", NULL, &err), -EEXIST);
	assert_non_null(strstr(err.text, "'a'"));

	/* A directory of ours that is somebody's link. */
	err_clear(&err);
	assert_int_equal(symlinkat("../outside", place->root, "link"), 0);
	assert_int_equal(
		copy_tree(place->outside, "src", place->root, "link", NULL, &err),
		-ENOTDIR);
	assert_int_equal(mode_of(place->outside, "a"), 0);
}

/* Of what has a bound nothing is written that is over it. */
static void test_copy_bound(void **state)
{
	static const struct {
		const char *label;
		struct copy_bound bound, left;
		int ret;
	} cases[] = {
		{ "enough", { 4, 7, 4 }, { 4, 0, 0 }, 0 },
		{ "a long file", { 3, 100, 100 }, { 3, 0, 0 }, -EFBIG },
		{ "all files", { 4, 6, 100 }, { 4, 0, 0 }, -EFBIG },
		{ "many files", { 4, 7, 3 }, { 4, 0, 0 }, -E2BIG },
	};
	const struct place *place = *state;
	cleanup_close int src = directory(place->outside, "src");

	file(src, "a", 0600, "abc");
	file(src, "b", 0600, "abcd");
	assert_int_equal(mkfifoat(src, "left out", 0600), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct copy_bound bound = cases[i].bound;
		struct err err = { 0 };
		char name[] = "d0";
		int r;

		name[1] = (char)('0' + i);
		r = copy_tree(place->outside, "src", place->root, name, &bound, &err);
		if (r != cases[i].ret)
			fail_msg("%s: %d", cases[i].label, r);
		if (r == 0)
			assert_memory_equal(&bound, &cases[i].left, sizeof(bound));
	}

	/* What is sparse is not even begun. */
	assert_int_equal(unlinkat(src, "b", 0), 0);
	file(src, "endless", 0600, "");
	{
		cleanup_close int endless = openat(src, "endless", O_WRONLY | O_CLOEXEC);
		struct copy_bound bound = { 1 << 20, 1 << 20, 100 };
		struct err err = { 0 };

		assert_int_equal(ftruncate(endless, (off_t)1 << 40), 0);
		assert_int_equal(
			copy_tree(src, "endless", place->root, "endless", &bound, &err),
			-EFBIG);
		assert_int_equal(mode_of(place->root, "endless"), 0);
	}
}

/* A file that grows while it is copied. */
static void test_copy_content(void **state)
{
	const struct place *place = *state;
	cleanup_close int from = -EBADF, to = -EBADF;

	file(place->outside, "a", 0600, "12345");
	for (uint64_t max = 4; max <= 6; max++) {
		close_fdp(&from);
		close_fdp(&to);
		from = openat(place->outside, "a", O_RDONLY | O_CLOEXEC);
		to = file_anew(place->root, "a", 0600);
		assert_true(from >= 0 && to >= 0);
		assert_int_equal(copy_content(from, to, max), max < 5 ? -EFBIG : 0);
	}
}

static void test_copy_depth(void **state)
{
	const struct place *place = *state;

	for (int levels = 64; levels <= 65; levels++) {
		char name[] = "d64";
		struct err err = { 0 };
		int dir, r;

		(void)snprintf(name, sizeof(name), "d%d", levels);
		dir = directory(place->outside, name);
		for (int i = 0; i < levels; i++) {
			int next = directory(dir, "d");

			(void)close(dir);
			dir = next;
		}
		(void)close(dir);
		r = copy_tree(place->outside, name, place->root, name, NULL, &err);
		assert_int_equal(r, levels == 64 ? 0 : -ELOOP);
	}
}

static void test_copy_large(void **state)
{
	const struct place *place = *state;
	const size_t size = 5 * 1000 * 1000 + 1;
	cleanup_arena struct arena arena = { 0 };
	char *content = arena_alloc(&arena, size + 1);
	char *copy = arena_alloc(&arena, size + 2);
	struct err err = { 0 };

	assert_non_null(content);
	assert_non_null(copy);
	for (size_t i = 0; i < size; i++)
		content[i] = (char)('a' + i % 23);
	file(place->outside, "large", 0644, content);
	assert_int_equal(
		copy_tree(place->outside, "large", place->root, "copy", NULL, &err), 0);
	assert_int_equal(file_read(place->root, "copy", copy, size + 2, &err), size);
	assert_memory_equal(copy, content, size);
}

/* Owners are kept where we may give files away. */
static void test_copy_owner(void **state)
{
	const struct place *place = *state;
	cleanup_close int src = directory(place->outside, "src");
	struct err err = { 0 };
	struct stat st;
	bool given;

	file(src, "theirs", 0644, "x");
	/* EINVAL: root of a namespace with one ID. */
	given = fchownat(src, "theirs", 1, 1, 0) == 0;
	if (!given)
		assert_true(errno == (geteuid() == 0 ? EINVAL : EPERM));
	assert_int_equal(fchmodat(src, "theirs", 06755, 0), 0);
	assert_int_equal(copy_tree(place->outside, "src", place->root, "dst", NULL, &err),
	                 0);
	assert_int_equal(fstatat(place->root, "dst/theirs", &st, 0), 0);
	assert_int_equal(st.st_uid, given ? 1 : geteuid());
	assert_int_equal(st.st_mode, S_IFREG | 06755);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_open, setup, teardown),
		cmocka_unit_test_setup_teardown(test_open_depth, setup, teardown),
		cmocka_unit_test_setup_teardown(test_open_long_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_open_failures, setup, teardown),
		cmocka_unit_test_setup_teardown(test_parent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_copy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_copy_leaves_out, setup, teardown),
		cmocka_unit_test_setup_teardown(test_copy_onto, setup, teardown),
		cmocka_unit_test_setup_teardown(test_copy_bound, setup, teardown),
		cmocka_unit_test_setup_teardown(test_copy_content, setup, teardown),
		cmocka_unit_test_setup_teardown(test_copy_depth, setup, teardown),
		cmocka_unit_test_setup_teardown(test_copy_large, setup, teardown),
		cmocka_unit_test_setup_teardown(test_copy_owner, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
