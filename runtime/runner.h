#ifndef RUNNER_H
#define RUNNER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "logfile.h"
#include "loop.h"

#define RUNNER_TAIL_MAX 160

/**
 * struct runner_tail - The last line of an output, for messages
 * @line:	of the last line that is not empty, as much as fits; no control characters
 * @part:	of the one that has no end yet; @part_n bytes
 */
struct runner_tail {
	char line[RUNNER_TAIL_MAX], part[RUNNER_TAIL_MAX];
	size_t part_n;
};

/* Any bytes of an output, in order. */
void runner_tail_add(struct runner_tail *tail, const char *data, size_t n);

/* The last line, also where it has no end. Owned by @tail. */
const char *runner_tail_text(struct runner_tail *tail);

/**
 * struct runner - A process of ours whose output goes to a log and whose end is told: a script
 *	of bootstrap.h, a hook
 * @loop:	borrowed; where both are waited for
 * @group:	the process makes a group of its own, which ends with it
 * @ended:	called at its end, with the exit status, 128 + n where signal n ended it; may
 *		start the next one. What it returns is the loop's
 * @ctx:	for that
 *
 * The rest is its own; runner_init() it.
 */
struct runner {
	struct loop *loop;
	bool group;
	int (*ended)(void *ctx, int status, struct err *err);
	void *ctx;

	struct logfile log;
	struct runner_tail tail;
	pid_t pid; /* 0 while none runs */
	int pidfd, output;
};

/* @entry: borrowed, where the log is written, under the name @log. */
void runner_init(struct runner *runner, int entry, const char *log);

/**
 * runner_start() - Start a process
 * @runner:	@loop, @group, @ended and @ctx are set; none runs
 * @become:	what the child is: gets @arg and a pipe for its output, and ends in _exit()
 * @arg:	borrowed
 * @err:	filled in on failure; nothing runs then
 *
 * Return: 0 or -errno.
 */
int runner_start(struct runner *runner, void (*become)(void *arg, int output), void *arg,
                 struct err *err);

/* SIGKILL, for all of its group; @ended is called as with any other end. */
void runner_kill(const struct runner *runner);

/* Ends what runs, without a word, and closes everything; safe to call twice. */
void runner_close(struct runner *runner);

#endif
