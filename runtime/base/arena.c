#include "base/arena.h"

#include <stdalign.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* Mapped, not allocated: the kernel's pages are zero already, only those that are used
 * cost anything, and giving them back after a fork writes to none of them. */
#define CHUNK_SIZE (256U << 10)

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
		size_t whole = sizeof(*chunk) + size;

		if (whole < CHUNK_SIZE)
			whole = CHUNK_SIZE;
		chunk = mmap(NULL, whole, PROT_READ | PROT_WRITE,
		             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (chunk == MAP_FAILED) {
			arena->failed = true;
			return NULL;
		}
		chunk->size = whole - sizeof(*chunk);
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
		struct arena_chunk *chunk = arena->chunk;

		arena->chunk = chunk->next;
		(void)munmap(chunk, sizeof(*chunk) + chunk->size);
	}
}
