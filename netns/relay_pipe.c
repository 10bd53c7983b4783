#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "netns/relay_internal.h"

/*
 * Bytes go from socket to socket through a pipe. A user has 16384 pages of pipes
 * (pipe-user-pages-soft), shared with everybody of the same user, root inside too: so the
 * large ones are made before the workspace runs, and are few. When all of them are held by
 * connections whose reader does not read, the others go on with small ones.
 */
#define LARGE_PIPES 16
#define LARGE_BYTES (1024 * 1024)
#define SMALL_BYTES (16 * 1024)
#define SPARE_PIPES 16

static struct pipe *make(int bytes)
{
	struct pipe *pipe = malloc(sizeof(*pipe));
	int fds[2], got;

	if (!pipe)
		return NULL;
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) {
		free(pipe);
		return NULL;
	}
	got = fcntl(fds[1], F_SETPIPE_SZ, bytes);
	if (got < 0)
		got = fcntl(fds[1], F_GETPIPE_SZ);
	*pipe = (struct pipe){ .read = fds[0],
		               .write = fds[1],
		               .size = got > 0 ? (uint32_t)got : 4096,
		               .large = got >= bytes };
	return pipe;
}

static void destroy(struct pipe *pipe)
{
	(void)close(pipe->read);
	(void)close(pipe->write);
	free(pipe);
}

void pipes_fill(struct pipe_pool *pool, unsigned int most)
{
	int bytes = LARGE_BYTES;

	SLIST_INIT(&pool->large);
	SLIST_INIT(&pool->small);
	pool->most = most;
	for (int i = 0; i < LARGE_PIPES; i++) {
		struct pipe *pipe = make(bytes);

		/* Half as large where others have used up the budget. */
		while (pipe && !pipe->large && bytes > SMALL_BYTES) {
			destroy(pipe);
			bytes /= 2;
			pipe = make(bytes);
		}
		if (!pipe)
			return;
		pipe->large = true;
		SLIST_INSERT_HEAD(&pool->large, pipe, next);
	}
}

bool pipes_spare(const struct pipe_pool *pool)
{
	return !SLIST_EMPTY(&pool->large) || !SLIST_EMPTY(&pool->small);
}

struct pipe *pipes_take(struct pipe_pool *pool)
{
	struct pipe *pipe = SLIST_FIRST(&pool->large);

	if (pipe) {
		SLIST_REMOVE_HEAD(&pool->large, next);
		return pipe;
	}
	pipe = SLIST_FIRST(&pool->small);
	if (pipe) {
		SLIST_REMOVE_HEAD(&pool->small, next);
		pool->spare--;
		return pipe;
	}
	if (pool->made >= pool->most)
		return NULL;
	pipe = make(SMALL_BYTES);
	if (pipe) {
		pipe->large = false;
		pool->made++;
	}
	return pipe;
}

void pipes_give(struct pipe_pool *pool, struct pipe *pipe)
{
	if (pipe->large) {
		SLIST_INSERT_HEAD(&pool->large, pipe, next);
	} else if (pool->spare < SPARE_PIPES) {
		SLIST_INSERT_HEAD(&pool->small, pipe, next);
		pool->spare++;
	} else {
		destroy(pipe);
		pool->made--;
	}
}

void pipes_drop(struct pipe_pool *pool, struct pipe *pipe)
{
	const bool large = pipe->large;
	const int bytes = (int)pipe->size;

	destroy(pipe);
	if (!large) {
		pool->made--;
		return;
	}
	pipe = make(bytes);
	if (pipe) {
		pipe->large = true;
		SLIST_INSERT_HEAD(&pool->large, pipe, next);
	}
}
