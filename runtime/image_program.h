#ifndef IMAGE_PROGRAM_H
#define IMAGE_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define PROGRAM_TAIL_MAX 4096

/**
 * struct program - A program that works for us
 * @argv:	NULL-terminated; the first word is looked up in PATH
 * @env:	NULL for ours
 * @package:	Debian's, for who has not got it
 * @out:	its standard output; -EBADF: each line goes to @line
 * @line:	called for each line of its standard output, without the newline
 * @ctx:	for @line
 * @watched:	another descriptor to poll while it runs, or -EBADF; then @ready is called
 * @alone:	it gets a session of its own: no terminal, and no group where kill(2) with 0 would
 *		reach the caller. For the first process of a PID namespace, which the caller made
 *		by unshare(2): what it started ends with it
 * @patience_s:	how long it may show no sign of work before it is ended; 0 for ever
 * @sign:	asked about once a second then: a number that changes as long as it works
 * @sign_ctx:	for @sign
 * @stalled:	filled in: it was ended for that
 * @tail:	filled in: the end of what it wrote to standard error, NUL-terminated
 * @tail_n:	length of @tail
 */
struct program {
	const char *const *argv, *const *env;
	const char *package;
	int out;
	void (*line)(void *ctx, char *line);
	void *ctx;
	int watched;
	void (*ready)(int watched);
	bool alone;
	uint64_t patience_s;
	uint64_t (*sign)(const void *ctx);
	const void *sign_ctx;
	bool stalled;
	char tail[PROGRAM_TAIL_MAX + 1];
	size_t tail_n;
};

/**
 * program_run() - Run a program and wait for it
 * @program:	see there
 * @err:	filled in where it could not be run
 *
 * It ends when we do, also by SIGKILL. Its standard input is /dev/null. Where it stalled what it
 * started is ended, too, unless there is a terminal whose ^C reaches them.
 *
 * Return: its exit status, 128 + n when signal n ended it; -ENOENT where there is none, and
 * the hint names the package; else -errno.
 */
int program_run(struct program *program, struct err *err);

/* Whether @name is in a directory of @path, NULL for the shell's own. */
bool program_found(const char *name, const char *path);

/**
 * program_require() - Say that a program is missing, before anything is made for it
 * @name:	of the program
 * @package:	Debian's, for who has not got it
 * @path:	as of program_found()
 * @err:	names both on failure
 *
 * Return: 0; -ENOENT.
 */
int program_require(const char *name, const char *package, const char *path,
                    struct err *err);

/* The last line of the tail that says something, without control characters. */
const char *program_said(struct program *program);

#endif
