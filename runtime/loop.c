#include "loop.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>

/* Free slots stay in place until the end of a round: the order is the promise. */
static void close_gaps(struct loop *loop)
{
	size_t n = 0;

	for (size_t i = 0; i < loop->n; i++)
		if (loop->source[i].fd >= 0)
			loop->source[n++] = loop->source[i];
	loop->n = n;
}

static struct loop_source *find(struct loop *loop, int fd)
{
	for (size_t i = 0; fd >= 0 && i < loop->n; i++)
		if (loop->source[i].fd == fd)
			return &loop->source[i];
	return NULL;
}

int loop_add(struct loop *loop, int fd, short events, loop_fn fn, void *ctx,
             struct err *err)
{
	if (fd < 0)
		return err_set(err, EBADF, "wait for descriptor %d", fd);
	if (find(loop, fd))
		return err_set(err, EEXIST, "wait for descriptor %d twice", fd);
	if (loop->n == LOOP_SOURCES_MAX)
		return err_set(err, E2BIG, "wait for more than %d descriptors",
		               LOOP_SOURCES_MAX);
	loop->source[loop->n++] = (struct loop_source){
		.fd = fd,
		.events = events,
		.fn = fn,
		.ctx = ctx,
		.fresh = true,
	};
	return 0;
}

void loop_set_events(struct loop *loop, int fd, short events)
{
	struct loop_source *source = find(loop, fd);

	if (source)
		source->events = events;
}

void loop_remove(struct loop *loop, int fd)
{
	struct loop_source *source = find(loop, fd);

	if (source)
		source->fd = -EBADF;
}

/* Calls what poll(2) reported. Return: enum loop_verdict, or -errno. */
static int serve(struct loop *loop, const struct pollfd *pfd, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		struct loop_source source = loop->source[i];
		int r;

		/*
		 * An earlier source of this round may have removed this one, paused it,
		 * or closed it and added another one under the same number.
		 */
		if (!pfd[i].revents || source.fd != pfd[i].fd || source.fresh ||
		    source.events == 0)
			continue;
		r = source.fn(source.ctx, source.fd, pfd[i].revents, err);
		if (r != LOOP_GO)
			return r;
	}
	return LOOP_GO;
}

int loop_run(struct loop *loop, struct err *err)
{
	for (;;) {
		struct pollfd pfd[LOOP_SOURCES_MAX];
		int r;

		close_gaps(loop);
		for (size_t i = 0; i < loop->n; i++) {
			struct loop_source *source = &loop->source[i];

			/* With a negative number poll(2) leaves the hang-up out too. */
			pfd[i] = (struct pollfd){
				.fd = source->events ? source->fd : -1,
				.events = source->events,
			};
			source->fresh = false;
		}
		if (poll(pfd, loop->n, -1) < 0) {
			if (errno == EINTR)
				continue;
			return err_set(err, errno, "wait for events");
		}
		r = serve(loop, pfd, loop->n, err);
		if (r != LOOP_GO)
			return r == LOOP_STOP ? 0 : r;
	}
}
