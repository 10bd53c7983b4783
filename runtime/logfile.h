#ifndef LOGFILE_H
#define LOGFILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * What a workspace wrote to its console or its output: ENTRY/log, and ENTRY/log.1
 * behind it, plain bytes. Each holds LOGFILE_MAX bytes at most, so that a workspace
 * cannot fill the caller's runtime directory.
 */
#define LOGFILE_MAX ((uint64_t)1 << 20)

/* A line of berth's own. */
#define LOGFILE_LINE_MAX 1023

#define LOGFILE_NAME "log"
#define LOGFILE_NAME_MAX 32

/**
 * struct logfile - The writing side
 * @entry:	borrowed
 * @name:	of the file, LOGFILE_NAME or another; the one behind it has ".1" at its end
 * @fd:		owned, -EBADF until the first byte
 * @size:	of the file, bytes
 */
struct logfile {
	int entry;
	const char *name;
	int fd;
	uint64_t size;
};

void logfile_init(struct logfile *log, int entry, const char *name);

/**
 * logfile_write() - Append, a stdio_tee_fn
 * @ctx:	a struct logfile
 * @data:	any bytes
 * @size:	of @data, bytes
 *
 * What cannot be written is lost: a full disk does not stop the workspace.
 */
void logfile_write(void *ctx, const char *data, size_t size);

/**
 * logfile_say() - A line of berth's own, among the workspace's
 * @log:	see there
 * @line:	without "berth: " and newline. Of a longer one than LOGFILE_LINE_MAX its begin is
 *		written, and a '?' for what a terminal would obey
 */
void logfile_say(struct logfile *log, const char *line);

void logfile_close(struct logfile *log);

#define LOGFILE_ALL UINT64_MAX

/**
 * struct logreader - The reading side
 * @entry:	borrowed
 * @name:	as of struct logfile
 * @out:	where to, borrowed
 * @fd:		the file we are in, -EBADF before there is one
 */
struct logreader {
	int entry, out;
	const char *name;
	int fd;
};

/**
 * logreader_begin() - Copy what is in the log already
 * @reader:	@entry and @out are set
 * @tail:	lines from the end, or LOGFILE_ALL
 * @err:	filled in on failure
 *
 * Return: 0, also where there is no log; -errno.
 */
int logreader_begin(struct logreader *reader, uint64_t tail, struct err *err);

/**
 * logreader_more() - Copy what has come since, through rotations
 * @reader:	begun
 * @err:	filled in on failure
 *
 * A reader that is slower than two whole files misses what was in between.
 *
 * Return: 0 or -errno.
 */
int logreader_more(struct logreader *reader, struct err *err);

void logreader_end(struct logreader *reader);

#endif
