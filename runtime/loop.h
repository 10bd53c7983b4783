#ifndef LOOP_H
#define LOOP_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define LOOP_SOURCES_MAX 64

/* What a source answers: go on, or end loop_run(). Negative: failed, see err. */
enum loop_verdict { LOOP_GO, LOOP_STOP };

/**
 * loop_fn - Called when a source is readable, writable or hung up
 * @ctx:	as given to loop_add()
 * @fd:		the source
 * @revents:	POLLIN, POLLOUT, POLLHUP, POLLERR
 * @err:	filled in on failure
 *
 * May add and remove sources, itself included.
 *
 * Return: enum loop_verdict, or -errno.
 */
typedef int (*loop_fn)(void *ctx, int fd, short revents, struct err *err);

/**
 * struct loop - The event sources of one process, served in the order added
 *
 * Zero it to begin. Descriptors are borrowed. poll(2) underneath: a workspace has
 * a dozen sources, and their order matters more than their number.
 */
struct loop {
	struct loop_source {
		int fd; /* -EBADF: slot is free */
		short events;
		loop_fn fn;
		void *ctx;
		bool fresh; /* added since the last poll(2) */
	} source[LOOP_SOURCES_MAX];
	size_t n;
};

/**
 * loop_add() - Serve a descriptor from now on
 * @loop:	zeroed before the first
 * @fd:		borrowed; may be in the loop once
 * @events:	POLLIN, POLLOUT; 0 to begin paused
 * @fn:		called with @ctx
 * @ctx:	borrowed
 * @err:	filled in on failure
 *
 * Return: 0; -E2BIG when LOOP_SOURCES_MAX are in use, those removed in the same
 * round included; -EEXIST for a descriptor that is in; -EBADF for none.
 */
int loop_add(struct loop *loop, int fd, short events, loop_fn fn, void *ctx,
             struct err *err);

/* What to wait for from now on; 0 pauses the source (hang-ups included). */
void loop_set_events(struct loop *loop, int fd, short events);

/* Take @fd out; nothing happens when it is not in. Does not close it. */
void loop_remove(struct loop *loop, int fd);

/**
 * loop_run() - Serve until a source says LOOP_STOP or fails
 *
 * Return: 0 after LOOP_STOP; -errno, with what the source put in @err.
 */
int loop_run(struct loop *loop, struct err *err);

#endif
