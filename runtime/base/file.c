#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

ssize_t file_read(int dir, const char *path, char *buf, size_t size, struct err *err)
{
	cleanup_close int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;

	if (fd < 0)
		return err_set(err, errno, "open '%s'", path);
	for (;;) {
		ssize_t n = read(fd, buf + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(err, errno, "read '%s'", path);
		if (n == 0)
			break;
		len += (size_t)n;
		if (len == size)
			return err_set(err, EFBIG, "read '%s': more than %zu bytes", path,
			               size - 1);
	}
	buf[len] = '\0';
	return (ssize_t)len;
}

ssize_t file_slurp(int dir, const char *path, size_t max, struct arena *arena,
                   const char **ret, struct err *err)
{
	size_t size = 8192;

	for (;;) {
		char *buf = arena_alloc(arena, size);
		ssize_t n;

		if (!buf)
			return err_set(err, ENOMEM, "read '%s'", path);
		n = file_read(dir, path, buf, size, err);
		if (n >= 0) {
			*ret = buf;
			return n;
		}
		if (n != -EFBIG || size > max)
			return n;
		err_clear(err);
		size *= 4;
	}
}

ssize_t file_status(int dir, const char *path, char *buf, size_t size, struct err *err)
{
	static const char word[] = "Groups:";
	cleanup_close int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	size_t len = 0, line = 0; /* where the last line begins */

	if (fd < 0)
		return err_set(err, errno, "open '%s'", path);
	for (;;) {
		char part[4096];
		ssize_t n = read(fd, part, sizeof(part));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(err, errno, "read '%s'", path);
		if (n == 0)
			break;
		for (ssize_t i = 0; i < n; i++) {
			const bool left_out = len - line == sizeof(word) - 1 &&
			                      !memcmp(buf + line, word, sizeof(word) - 1);

			if (left_out && part[i] != '\n')
				continue;
			if (len + 1 == size)
				return err_set(err, EFBIG,
				               "read '%s': more than %zu bytes", path,
				               size - 1);
			buf[len++] = part[i];
			if (part[i] == '\n')
				line = len;
		}
	}
	buf[len] = '\0';
	return (ssize_t)len;
}

int file_write(int dir, const char *path, const char *value, struct err *err)
{
	cleanup_close int fd = openat(dir, path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return err_set(err, errno, "open '%s'", path);
	if (write(fd, value, strlen(value)) < 0)
		return err_set(err, errno, "write '%s' to '%s'", value, path);
	return 0;
}

int write_all(int fd, const void *data, size_t size)
{
	const char *p = data;

	while (size > 0) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

int file_create(int dir, const char *name, mode_t mode, const void *data, size_t size,
                struct err *err)
{
	cleanup_close int fd = -EBADF;
	char temp[300];
	int r;

	(void)snprintf(temp, sizeof(temp), ".%.200s.%d", name, (int)getpid());
	(void)unlinkat(dir, temp, 0);
	fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	            mode);
	if (fd < 0)
		return err_set(err, errno, "make '%s'", name);

	r = write_all(fd, data, size);
	if (r == 0 && renameat(dir, temp, dir, name) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(dir, temp, 0);
		return err_set(err, -r, "write '%s'", name);
	}
	return 0;
}
