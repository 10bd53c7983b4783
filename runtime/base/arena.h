#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/**
 * struct arena - Memory that is freed all at once
 * @chunk:	newest chunk, NULL while empty
 * @failed:	an allocation was refused; everything since then is void
 *
 * The planner builds its strings here. It does not check each one: it checks
 * @failed once, at the end (arena_failed()).
 */
struct arena {
	struct arena_chunk *chunk;
	bool failed;
};

/* Zeroed memory of @size bytes, owned by the arena; NULL and @failed on ENOMEM. */
void *arena_alloc(struct arena *arena, size_t size);

/* A copy of @text, or "" and @failed. */
const char *arena_dup(struct arena *arena, const char *text);

/* A formatted string, or "" and @failed. */
const char *arena_printf(struct arena *arena, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

void arena_done(struct arena *arena);
#define cleanup_arena __attribute__((cleanup(arena_done)))

#endif
