#ifndef METRICS_SERVER_H
#define METRICS_SERVER_H

#include <signal.h>

#include "config.h"
#include "loop.h"
#include "metrics.h"

/**
 * struct metrics_server - The supervisor's side of what serves metrics
 * @config:	borrowed
 * @program:	path of berth-metrics, borrowed
 * @old_mask:	signals that are not blocked in what is executed, borrowed
 * @read:	called with @ctx: the numbers as of now
 * @say:	likewise: a line for people
 * @dir:	where a socket with a path lies
 * @listener:	accepts; made before the launch, and kept when the program dies
 * @link:	to the program
 * @rest:	timer: the next question is read, or the next program is started
 * @pid, @pidfd: the program, 0 without one
 * @begun_ms:	when it was started, CLOCK_MONOTONIC
 * @pause_ms:	before the next one is started
 *
 * No client of the program makes the supervisor wait: it answers one short question at a
 * time, no more than twenty a second, and what does not fit into the socket is dropped.
 */
struct metrics_server {
	const struct config *config;
	const char *program;
	const sigset_t *old_mask;
	void (*read)(void *ctx, struct metrics *ret);
	void (*say)(void *ctx, const char *line);
	void *ctx;
	struct loop *loop;
	int dir, listener, link, rest, pidfd; /* -EBADF when not there */
	pid_t pid;
	int64_t begun_ms;
	int pause_ms;
};

/* All descriptors -EBADF. */
void metrics_server_init(struct metrics_server *server);

/**
 * metrics_server_open() - Listen, and remember what will serve
 * @server:	initialized
 * @config:	says where; borrowed
 * @program:	borrowed
 * @err:	filled in on failure
 *
 * Return: 0; as metrics_address_open().
 */
int metrics_server_open(struct metrics_server *server, const struct config *config,
                        const char *program, struct err *err);

/**
 * metrics_server_start() - Start the program, if it was opened
 * @server:	opened; @old_mask, @read, @say and @ctx are set
 * @loop:	borrowed
 * @err:	filled in on failure, also with what the program says
 *
 * metrics_server_wait() tells whether it serves. When it dies later another one is started,
 * after a pause that grows.
 *
 * Return: 0 or -errno.
 */
int metrics_server_start(struct metrics_server *server, struct loop *loop,
                         struct err *err);

/* Takes what the program says first; @link is readable. Return: 0; what it failed of. */
int metrics_server_wait(struct metrics_server *server, struct err *err);

/* Ends it, reaps it, and closes everything. */
void metrics_server_close(struct metrics_server *server);

#endif
