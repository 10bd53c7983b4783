#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/syscall.h"
#include "gpu.h"

/* The specification's is a screenful; what is larger is none. */
#define OS_RELEASE_MAX 16384

/* One word of ID or ID_LIKE. NULL: nothing is known of it. */
static const char *place_of(const char *word, size_t n)
{
	static const struct {
		const char *id, *place;
	} known[] = {
		/* clang-format off */
		{ "debian",   GPU_LIBRARIES },
		{ "ubuntu",   GPU_LIBRARIES },
		{ "fedora",   GPU_LIBRARIES_64 },
		{ "rhel",     GPU_LIBRARIES_64 },
		{ "centos",   GPU_LIBRARIES_64 },
		{ "amzn",     GPU_LIBRARIES_64 },
		{ "azurelinux", GPU_LIBRARIES_64 },
		{ "suse",     GPU_LIBRARIES_64 },
		{ "opensuse", GPU_LIBRARIES_64 },
		{ "gentoo",   GPU_LIBRARIES_64 },
		{ "arch",     "/usr/lib" },
		{ "alpine",   "/usr/lib" },
		{ "void",     "/usr/lib" },
		/* clang-format on */
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strlen(known[i].id) == n && !strncmp(word, known[i].id, n))
			return known[i].place;
	return NULL;
}

/* The value of a line "KEY=value", whose quotes are a shell's; NULL: there is none. */
static const char *value_of(const char *text, const char *key, size_t *ret_n)
{
	const size_t len = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, len) != 0 || line[len] != '=')
			continue;
		line += len + 1;
		line += strspn(line, "\"'");
		*ret_n = strcspn(line, "\"'\r\n");
		return line;
	}
	return NULL;
}

const char *gpu_place_of(const char *os_release)
{
	static const char *const keys[] = { "ID", "ID_LIKE" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		size_t n = 0;
		const char *value = value_of(os_release, keys[i], &n);

		if (!value)
			continue;
		for (const char *p = value, *end = value + n; p < end;) {
			size_t word = strcspn(p, " \t\"'\r\n");
			const char *place = place_of(p, word);

			if (place)
				return place;
			p += word + 1;
		}
	}
	return NULL;
}

/* What is below @root is somebody else's: no link of it leads out, and nothing of it is waited for. */
static int open_below(int root, const char *path, int flags)
{
	const struct open_how how = {
		.flags = (unsigned int)flags | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};

	return sys_openat2(root, path, &how);
}

const char *gpu_inside(const char *rootfs)
{
	static const char *const files[] = { "/etc/os-release", "/usr/lib/os-release" };
	cleanup_close int root = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char text[OS_RELEASE_MAX];

	for (size_t i = 0; root >= 0 && i < sizeof(files) / sizeof(files[0]); i++) {
		cleanup_close int fd =
			open_below(root, files[i], O_RDONLY | O_NONBLOCK | O_NOCTTY);
		const char *place = NULL;
		struct stat st;
		ssize_t n;

		if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		n = read(fd, text, sizeof(text) - 1);
		text[n > 0 ? n : 0] = '\0';
		place = gpu_place_of(text);
		if (place)
			return place;
		break;
	}
	/* A distribution that we have never heard of: by what it has. */
	if (root >= 0) {
		cleanup_close int multiarch = open_below(root, GPU_LIBRARIES, O_PATH);
		cleanup_close int lib64 = open_below(root, GPU_LIBRARIES_64, O_PATH);

		if (multiarch < 0 && lib64 >= 0)
			return GPU_LIBRARIES_64;
	}
	return GPU_LIBRARIES;
}
