#include "base/arena.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_SIZE 16384

struct arena_chunk {
	struct arena_chunk *next;
	size_t used, size;
	alignas(max_align_t) char data[];
};

void *arena_alloc(struct arena *arena, size_t size)
{
	struct arena_chunk *chunk = arena->chunk;
	void *ret;

	if (size > (size_t)1 << 30) {
		arena->failed = true;
		return NULL;
	}
	size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (!chunk || chunk->size - chunk->used < size) {
		size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;

		chunk = calloc(1, sizeof(*chunk) + room);
		if (!chunk) {
			arena->failed = true;
			return NULL;
		}
		chunk->size = room;
		chunk->next = arena->chunk;
		arena->chunk = chunk;
	}
	ret = chunk->data + chunk->used;
	chunk->used += size;
	return ret;
}

const char *arena_dup(struct arena *arena, const char *text)
{
	size_t size = strlen(text) + 1;
	char *ret = arena_alloc(arena, size);

	return ret ? memcpy(ret, text, size) : "";
}

const char *arena_printf(struct arena *arena, const char *fmt, ...)
{
	va_list ap;
	char *ret;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	ret = n < 0 ? NULL : arena_alloc(arena, (size_t)n + 1);
	if (!ret) {
		arena->failed = true;
		return "";
	}
	va_start(ap, fmt);
	(void)vsnprintf(ret, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return ret;
}

void arena_done(struct arena *arena)
{
	while (arena->chunk) {
		struct arena_chunk *next = arena->chunk->next;

		free(arena->chunk);
		arena->chunk = next;
	}
}
