#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

static const size_t sizes[] = { 0,    1,     2,     7,     8,     15,      16, 17,
	                        4096, 16383, 16384, 16385, 65536, 1 << 20, 3,  1 };

/* Zeroed, aligned, and no two share a byte. */
static void test_alloc(void **state)
{
	cleanup_arena struct arena arena = { 0 };
	unsigned char *at[N_ELEMENTS(sizes)];

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(sizes); i++) {
		at[i] = arena_alloc(&arena, sizes[i]);
		assert_non_null(at[i]);
		assert_int_equal((uintptr_t)at[i] % alignof(max_align_t), 0);
		for (size_t j = 0; j < sizes[i]; j++)
			assert_int_equal(at[i][j], 0);
		memset(at[i], (int)i + 1, sizes[i]);
	}
	for (size_t i = 0; i < N_ELEMENTS(sizes); i++)
		for (size_t j = 0; j < sizes[i]; j++)
			assert_int_equal(at[i][j], i + 1);
	assert_false(arena.failed);
}

static void test_strings(void **state)
{
	cleanup_arena struct arena arena = { 0 };
	char text[] = "first";
	const char *copy, *longer = "x";

	(void)state;
	copy = arena_dup(&arena, text);
	text[0] = 'F';
	assert_string_equal(copy, "first");
	assert_string_equal(arena_dup(&arena, ""), "");
	assert_string_equal(arena_printf(&arena, "%s-%d", copy, 7), "first-7");
	assert_string_equal(arena_printf(&arena, "%s", ""), "");
	/* Its own result as an argument, far beyond the size of a chunk. */
	for (int i = 0; i < 18; i++)
		longer = arena_printf(&arena, "%s%s", longer, longer);
	assert_int_equal(strlen(longer), 1 << 18);
	assert_int_equal(strspn(longer, "x"), 1 << 18);
	assert_string_equal(copy, "first");
	assert_false(arena.failed);
}

/* A failure is remembered, strings stay printable, and later requests go on. */
static void test_refused(void **state)
{
	cleanup_arena struct arena arena = { 0 };

	(void)state;
	assert_null(arena_alloc(&arena, SIZE_MAX));
	assert_true(arena.failed);
	arena.failed = false;
	assert_null(arena_alloc(&arena, SIZE_MAX - 7)); /* would wrap when rounded up */
	assert_true(arena.failed);
	assert_non_null(arena_alloc(&arena, 10));
	assert_true(arena.failed);
}

static void test_done(void **state)
{
	struct arena arena = { 0 };

	(void)state;
	arena_done(&arena);
	assert_non_null(arena_alloc(&arena, 100));
	arena_done(&arena);
	assert_null(arena.chunk);
	/* And it can be used again. */
	assert_string_equal(arena_dup(&arena, "again"), "again");
	arena_done(&arena);
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alloc),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
