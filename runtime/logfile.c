#include "logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/terminal.h"

/* The file behind one. */
static const char *older_name(const char *name, char buf[LOGFILE_NAME_MAX])
{
	(void)snprintf(buf, LOGFILE_NAME_MAX, "%s.1", name);
	return buf;
}

void logfile_init(struct logfile *log, int entry, const char *name)
{
	*log = (struct logfile){ .entry = entry, .name = name, .fd = -EBADF };
}

/* Goes on with the log of an earlier run, which start does not forget. */
static void open_log(struct logfile *log)
{
	struct stat st;

	log->fd = openat(log->entry, log->name,
	                 O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK |
	                         O_CLOEXEC,
	                 0600);
	if (log->fd < 0 || fstat(log->fd, &st) < 0 || !S_ISREG(st.st_mode))
		drop_fd(&log->fd);
	else
		log->size = (uint64_t)st.st_size;
}

static void rotate(struct logfile *log)
{
	char older[LOGFILE_NAME_MAX];

	drop_fd(&log->fd);
	(void)renameat(log->entry, log->name, log->entry, older_name(log->name, older));
	open_log(log);
}

void logfile_write(void *ctx, const char *data, size_t size)
{
	struct logfile *log = ctx;

	if (log->fd < 0)
		open_log(log);
	while (log->fd >= 0 && size > 0) {
		size_t room, part;
		ssize_t n;

		if (log->size >= LOGFILE_MAX)
			rotate(log);
		/* Still full where it could not be renamed: then nothing more is kept. */
		if (log->fd < 0 || log->size >= LOGFILE_MAX)
			return;
		room = (size_t)(LOGFILE_MAX - log->size);
		part = size < room ? size : room;
		n = write(log->fd, data, part);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		log->size += (uint64_t)n;
		data += n;
		size -= (size_t)n;
	}
}

void logfile_say(struct logfile *log, const char *line)
{
	char text[LOGFILE_LINE_MAX + 1];
	size_t n;

	(void)snprintf(text, sizeof(text), "berth: %s", line);
	terminal_mute(text);
	n = strlen(text);
	text[n] = '\n';
	logfile_write(log, text, n + 1);
}

void logfile_close(struct logfile *log)
{
	drop_fd(&log->fd);
}

static int open_for_reading(int entry, const char *name)
{
	cleanup_close int fd =
		openat(entry, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -EPERM;
	return take_fd(&fd);
}

static bool same_file(int a, int b)
{
	struct stat here, there;

	return fstat(a, &here) == 0 && fstat(b, &there) == 0 &&
	       here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

/* Copies from where @fd stands to its end. */
static int copy(int fd, int out, struct err *err)
{
	char data[16384];

	for (;;) {
		ssize_t n = read(fd, data, sizeof(data));
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(err, errno, "read the log");
		if (n == 0)
			return 0;
		r = write_all(out, data, (size_t)n);
		if (r < 0)
			return err_set(err, -r, "write the log out");
	}
}

/*
 * Places @fd where its last *@lines lines begin, and takes those it has off *@lines.
 * @last: nothing comes behind this file; a newline at its end begins no line then.
 */
static int seek_tail(int fd, bool last, uint64_t *lines, struct err *err)
{
	off_t end = lseek(fd, 0, SEEK_END);
	char data[8192];

	if (end < 0)
		return err_set(err, errno, "seek in the log");
	for (off_t at = end; at > 0;) {
		size_t part = at > (off_t)sizeof(data) ? sizeof(data) : (size_t)at;
		ssize_t n = pread(fd, data, part, at - (off_t)part);

		if (n != (ssize_t)part)
			return err_set(err, n < 0 ? errno : EIO, "read the log");
		for (size_t i = part; i-- > 0;) {
			off_t here = at - (off_t)part + (off_t)i;

			if (data[i] != '\n' || (last && here == end - 1))
				continue;
			if (*lines == 0 || --*lines == 0)
				return lseek(fd, here + 1, SEEK_SET) < 0
				               ? err_set(err, errno, "seek in the log")
				               : 0;
		}
		at -= (off_t)part;
	}
	return lseek(fd, 0, SEEK_SET) < 0 ? err_set(err, errno, "seek in the log") : 0;
}

/* Copies what is kept, the older file first. @older: may be -EBADF. */
static int copy_both(struct logreader *reader, int older, uint64_t tail, struct err *err)
{
	uint64_t lines = tail;
	struct stat st;
	int r = 0;

	if (tail == 0)
		return lseek(reader->fd, 0, SEEK_END) < 0
		               ? err_set(err, errno, "seek in the log")
		               : 0;
	if (tail != LOGFILE_ALL)
		r = seek_tail(reader->fd, true, &lines, err);
	/* A line may begin in the older file and end in this one. */
	if (r == 0 && older >= 0 && lines > 0) {
		if (tail != LOGFILE_ALL)
			r = seek_tail(older,
			              fstat(reader->fd, &st) == 0 && st.st_size == 0,
			              &lines, err);
		if (r == 0)
			r = copy(older, reader->out, err);
	}
	return r < 0 ? r : copy(reader->fd, reader->out, err);
}

int logreader_begin(struct logreader *reader, uint64_t tail, struct err *err)
{
	cleanup_close int older = -EBADF;
	char name[LOGFILE_NAME_MAX];

	reader->fd = open_for_reading(reader->entry, reader->name);
	older = open_for_reading(reader->entry, older_name(reader->name, name));
	if (reader->fd == -ENOENT) {
		/* None yet, or between the two calls of a rotation: then it is
		 * the older one that we are in. */
		if (older < 0)
			return 0;
		reader->fd = take_fd(&older);
	}
	if (reader->fd < 0)
		return err_set(err, -reader->fd, "open the log");
	/* Rotated between our two calls. */
	if (older >= 0 && same_file(older, reader->fd))
		drop_fd(&older);
	return copy_both(reader, older, tail, err);
}

/* The next file, if the one we are in has been rotated away. Return: 1, 0 or -errno. */
static int advance(struct logreader *reader, struct err *err)
{
	cleanup_close int newest = open_for_reading(reader->entry, reader->name);
	cleanup_close int older = -EBADF;
	char name[LOGFILE_NAME_MAX];
	int r;

	/* -ENOENT: between the two calls of a rotation, or the entry is gone. */
	if (newest < 0 || (reader->fd >= 0 && same_file(newest, reader->fd)))
		return 0;
	if (reader->fd >= 0) {
		/* Nothing is added to a file that has been renamed. */
		r = copy(reader->fd, reader->out, err);
		if (r < 0)
			return r;
		older = open_for_reading(reader->entry, older_name(reader->name, name));
		if (older >= 0 && !same_file(older, reader->fd) &&
		    !same_file(older, newest)) {
			r = copy(older, reader->out, err);
			if (r < 0)
				return r;
		}
	}
	drop_fd(&reader->fd);
	reader->fd = take_fd(&newest);
	return 1;
}

int logreader_more(struct logreader *reader, struct err *err)
{
	int r = 1;

	while (r > 0) {
		if (reader->fd >= 0) {
			r = copy(reader->fd, reader->out, err);
			if (r < 0)
				return r;
		}
		r = advance(reader, err);
	}
	return r;
}

void logreader_end(struct logreader *reader)
{
	drop_fd(&reader->fd);
}
