#include "gpu.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static void touch(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
}

/* Stand-in files: devices cannot be made here, so links to none are all that is not taken. */
static void test_gpu(void **state)
{
	char dir[] = "/tmp/test-gpu-XXXXXX", path[128], want[512];
	struct gpu_place place = { "/dev/no-such-directory", "mountinfo", path,
		                   "/inner" };
	cleanup_arena struct arena arena = { 0 };
	struct err err = { 0 };
	const char *const *word;
	int n;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(mkdir("lib", 0755), 0);
	touch("lib/libcuda.so.535.1", "");
	touch("lib/libc.so.6", "");
	touch("lib/libicudata.so.72", ""); /* of ICU */
	touch("lib/libnvidia-ml.conf", "");
	assert_int_equal(symlink("libcuda.so.1", "lib/libcuda.so"), 0);
	assert_int_equal(symlink("libcuda.so.535.1", "lib/libcuda.so.1"), 0);
	assert_int_equal(symlink("nowhere", "lib/libnvidia-gone.so"), 0);
	/* What a link of such a name leads to is one by its own name, too, or nothing. */
	assert_int_equal(symlink("/etc/passwd", "lib/libcuda-token.so"), 0);
	assert_int_equal(symlink("libc.so.6", "lib/libvulkan.so.1"), 0);
	assert_int_equal(mkdir("lib/a:b", 0755), 0);
	touch("lib/a:b/libcuda.so.7", "");
	assert_int_equal(symlink("a:b/libcuda.so.7", "lib/libcuda.so.7"), 0);
	touch("mountinfo", "1 2 0:1 / / rw - ext4 a rw\n"
	                   "3 1 0:2 / /usr/bin/nvidia-smi ro - tmpfs b rw\n"
	                   "4 1 0:2 / /proc/driver/nvidia ro - tmpfs b rw\n"
	                   "5 1 0:2 / /dev/nvidia0 ro - tmpfs b rw\n"
	                   "6 1 0:2 / /srv/data ro - tmpfs b rw\n");
	(void)snprintf(path, sizeof(path), "%s/lib", dir);
	n = gpu_words(&place, &arena, &word, &err);
	assert_int_equal(n, 8);
	assert_string_equal(word[1], "/usr/bin/nvidia-smi:/usr/bin/nvidia-smi:ro");
	for (int i = 0; i < 3; i++) {
		static const char *const name[] = { "libcuda.so", "libcuda.so.1",
			                            "libcuda.so.535.1" };

		(void)snprintf(want, sizeof(want), "%s/lib/libcuda.so.535.1:/inner/%s:ro",
		               dir, name[i]);
		assert_string_equal(word[2 + 2 * i], "--volume");
		assert_string_equal(word[3 + 2 * i], want);
	}
	/* A library that is a mount by itself is given once. */
	place.inside = path;
	(void)snprintf(want, sizeof(want),
	               "9 1 0:2 / %s/lib/libcuda.so.535.1 ro - tmpfs b rw\n", dir);
	touch("mountinfo", want);
	assert_int_equal(gpu_words(&place, &arena, &word, &err), 6);
	place.libraries = "/no/such/directory";
	assert_int_equal(gpu_words(&place, &arena, &word, &err), -ENOENT);
	assert_string_equal(err.text, "list the libraries in '/no/such/directory'");
	(void)unlink("lib/libcuda-token.so");
	(void)unlink("lib/libvulkan.so.1");
	(void)unlink("lib/libcuda.so.7");
	(void)unlink("lib/a:b/libcuda.so.7");
	(void)rmdir("lib/a:b");
	(void)unlink("lib/libcuda.so.535.1");
	(void)unlink("lib/libc.so.6");
	(void)unlink("lib/libicudata.so.72");
	(void)unlink("lib/libnvidia-ml.conf");
	(void)unlink("lib/libcuda.so");
	(void)unlink("lib/libcuda.so.1");
	(void)unlink("lib/libnvidia-gone.so");
	(void)unlink("mountinfo");
	(void)rmdir("lib");
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(dir), 0);
}

/* Where each distribution has libraries, by what its own file says. */
static void test_place_of(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "NAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nID=debian\n",
		  GPU_LIBRARIES },
		{ "ID=ubuntu\nID_LIKE=debian\n", GPU_LIBRARIES },
		{ "ID_LIKE=\"ubuntu debian\"\nID=linuxmint", GPU_LIBRARIES },
		{ "ID=fedora\n", "/usr/lib64" },
		{ "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", "/usr/lib64" },
		{ "ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n", "/usr/lib64" },
		{ "ID='amzn'\r\nID_LIKE='fedora'\r\n", "/usr/lib64" },
		{ "ID=alpine\n", "/usr/lib" },
		{ "ID=archarm\nID_LIKE=arch\n", "/usr/lib" },
		/* By whole words, whole keys and whole lines. */
		{ "ID=mine\nID_LIKE=fedoralike\n", NULL },
		{ "VERSION_ID=debian\n", NULL },
		{ "NAME=x ID=debian\n", NULL },
		{ "ID=\nID_LIKE=\n", NULL },
		{ "ID=", NULL },
		{ "", NULL },
		{ "\n\n", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *place = gpu_place_of(cases[i].text);

		if (!cases[i].want)
			assert_null(place);
		else
			assert_string_equal(place, cases[i].want);
	}
}

/* A root that is somebody else's: no link of it leads out of it, and no FIFO holds us up. */
static void test_inside(void **state)
{
	char dir[] = "/tmp/test-gpu-XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(mkdir("etc", 0755), 0);
	assert_int_equal(mkdir("usr", 0755), 0);
	assert_int_equal(mkdir("usr/lib", 0755), 0);
	assert_string_equal(gpu_inside(dir), GPU_LIBRARIES);
	assert_int_equal(mkdir("usr/lib64", 0755), 0);
	assert_string_equal(gpu_inside(dir), "/usr/lib64");
	touch("usr/lib/os-release", "ID=debian\n");
	assert_string_equal(gpu_inside(dir), GPU_LIBRARIES);
	assert_int_equal(symlink("../usr/lib/os-release", "etc/os-release"), 0);
	touch("usr/lib/os-release", "ID=alpine\n");
	assert_string_equal(gpu_inside(dir), "/usr/lib");
	assert_int_equal(unlink("etc/os-release"), 0);
	/* As of the root, and not the machine's. */
	assert_int_equal(unlink("usr/lib/os-release"), 0);
	assert_int_equal(
		symlink("../../../../../../../../etc/os-release", "etc/os-release"), 0);
	assert_string_equal(gpu_inside(dir), "/usr/lib64");
	assert_int_equal(unlink("etc/os-release"), 0);
	assert_int_equal(mkfifo("etc/os-release", 0644), 0);
	assert_string_equal(gpu_inside(dir), "/usr/lib64");
	assert_int_equal(unlink("etc/os-release"), 0);
	assert_int_equal(rmdir("usr/lib64"), 0);
	assert_int_equal(rmdir("usr/lib"), 0);
	assert_int_equal(rmdir("usr"), 0);
	assert_int_equal(rmdir("etc"), 0);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(dir), 0);
	assert_string_equal(gpu_inside(dir), GPU_LIBRARIES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_place_of),
		cmocka_unit_test(test_inside),
		cmocka_unit_test(test_gpu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
