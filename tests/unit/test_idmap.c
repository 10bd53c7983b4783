#include "idmap.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/unit.h"

/* More ranges than a map has room for, one ID each. */
static struct idmap many(size_t n)
{
	struct idmap map = { .n = n };

	for (uint32_t i = 0; i < n; i++)
		map.extent[i] = (struct id_extent){ 0, 100000 + 10 * i, 1 };
	return map;
}

static const struct lent_case {
	const char *name;
	uint32_t own;
	struct idmap sub;
	int r;
	const char *want; /* the map's text, or a part of the error's */
} lent_cases[] = {
	{ "a whole range",
	  1000,
	  { 1, { { 0, 100000, 65536 } } },
	  0,
	  "0 1000 1\n1 100000 65536\n" },
	{ "nothing lent", 1000, { 0 }, 0, "0 1000 1\n" },
	{ "two ranges, in the order of the file",
	  1000,
	  { 2, { { 0, 300000, 10 }, { 0, 200000, 20 } } },
	  0,
	  "0 1000 1\n1 300000 10\n11 200000 20\n" },
	{ "@inside of a range is ignored",
	  1000,
	  { 1, { { 77, 100000, 2 } } },
	  0,
	  "0 1000 1\n1 100000 2\n" },
	{ "neighbours are no overlap",
	  1000,
	  { 2, { { 0, 100000, 10 }, { 0, 100010, 10 } } },
	  0,
	  "0 1000 1\n1 100000 10\n11 100010 10\n" },
	{ "own ID just below",
	  999,
	  { 1, { { 0, 1000, 10 } } },
	  0,
	  "0 999 1\n1 1000 10\n" },
	{ "own ID just above",
	  1010,
	  { 1, { { 0, 1000, 10 } } },
	  0,
	  "0 1010 1\n1 1000 10\n" },
	{ "the last ID there is",
	  1000,
	  { 1, { { 0, UINT32_MAX - 10, 10 } } },
	  0,
	  "0 1000 1\n1 4294967285 10\n" },
	{ "own ID first in the range",
	  100000,
	  { 1, { { 0, 100000, 65536 } } },
	  -EINVAL,
	  "range 100000:65536 " },
	{ "own ID last in the range",
	  165535,
	  { 1, { { 0, 100000, 65536 } } },
	  -EINVAL,
	  "range 100000:65536 " },
	{ "empty range", 1000, { 1, { { 0, 100000, 0 } } }, -EINVAL, "range 100000:0 " },
	{ "reaches (uid_t)-1",
	  1000,
	  { 1, { { 0, UINT32_MAX - 9, 10 } } },
	  -EINVAL,
	  "range 4294967286:10 " },
	{ "wraps around",
	  1000,
	  { 1, { { 0, UINT32_MAX - 1, 65536 } } },
	  -EINVAL,
	  "range 4294967294:65536 " },
	{ "the same range twice",
	  1000,
	  { 2, { { 0, 100000, 65536 }, { 0, 100000, 65536 } } },
	  -EINVAL,
	  "range 100000:65536 " },
	{ "ranges overlap by one",
	  1000,
	  { 2, { { 0, 100000, 10 }, { 0, 100009, 10 } } },
	  -EINVAL,
	  "range 100009:10 " },
	{ "own ID is invalid", UINT32_MAX, { 0 }, -EINVAL, "4294967295" },
};

static void test_lent(void **state)
{
	(void)state;

	for (size_t i = 0; i < N_ELEMENTS(lent_cases); i++) {
		const struct lent_case *c = &lent_cases[i];
		cleanup_arena struct arena arena = { 0 };
		struct idmap map = { .n = 77 };
		struct err err = { 0 };

		print_message("  %s\n", c->name);
		assert_int_equal(idmap_lent(c->own, &c->sub, &map, &err), c->r);
		assert_int_equal(err.code, -c->r);
		if (c->r == 0) {
			assert_string_equal(idmap_text(&arena, &map), c->want);
		} else {
			assert_int_equal(map.n, 77);
			assert_non_null(strstr(err.text, c->want));
		}
	}
}

static void test_lent_room(void **state)
{
	struct idmap fits = many(IDMAP_EXTENTS_MAX - 1), full = many(IDMAP_EXTENTS_MAX);
	struct err err = { 0 };
	struct idmap map;

	(void)state;
	assert_int_equal(idmap_lent(7, &fits, &map, &err), 0);
	assert_int_equal(map.n, IDMAP_EXTENTS_MAX);
	assert_int_equal(idmap_width(&map), IDMAP_EXTENTS_MAX);
	assert_int_equal(idmap_lent(7, &full, &map, &err), -E2BIG);
}

static const struct same_case {
	const char *name;
	struct idmap parent;
	const char *want;
} same_cases[] = {
	{ "a pod's range", { 1, { { 0, 1879048192, 65536 } } }, "0 0 65536\n" },
	/* One extent "0 0 65537" would straddle the parent's two, which is EPERM. */
	{ "extents stay apart",
	  { 2, { { 0, 1000, 1 }, { 1, 100000, 65536 } } },
	  "0 0 1\n1 1 65536\n" },
	{ "a gap stays a gap",
	  { 2, { { 0, 5, 10 }, { 1000, 90, 10 } } },
	  "0 0 10\n1000 1000 10\n" },
	{ "all IDs", { 1, { { 0, 0, UINT32_MAX } } }, "0 0 4294967295\n" },
	{ "none", { 0 }, "" },
};

static void test_same(void **state)
{
	(void)state;

	for (size_t i = 0; i < N_ELEMENTS(same_cases); i++) {
		const struct same_case *c = &same_cases[i];
		cleanup_arena struct arena arena = { 0 };
		struct idmap map = idmap_same(&c->parent);

		print_message("  %s\n", c->name);
		assert_string_equal(idmap_text(&arena, &map), c->want);
	}
}

static const struct width_case {
	const char *name;
	struct idmap map;
	uint64_t want;
} width_cases[] = {
	{ "none", { 0 }, 0 },
	{ "one ID", { 1, { { 0, 1000, 1 } } }, 1 },
	{ "two extents", { 2, { { 0, 1000, 1 }, { 1, 100000, 65535 } } }, 65536 },
	{ "a gap ends it", { 2, { { 0, 1000, 1 }, { 2, 100000, 65535 } } }, 1 },
	{ "root is missing", { 1, { { 1, 100000, 65536 } } }, 0 },
	{ "all IDs", { 1, { { 0, 0, UINT32_MAX } } }, UINT32_MAX },
};

static void test_width(void **state)
{
	(void)state;

	for (size_t i = 0; i < N_ELEMENTS(width_cases); i++) {
		print_message("  %s\n", width_cases[i].name);
		assert_int_equal(idmap_width(&width_cases[i].map), width_cases[i].want);
	}
}

static const struct covers_case {
	const char *name;
	uint32_t outside;
	bool want;
} covers_cases[] = {
	{ "own", 1000, true },
	{ "below it", 999, false },
	{ "above it", 1001, false },
	{ "the node's root", 0, false },
	{ "first lent", 100000, true },
	{ "last lent", 165535, true },
	{ "behind the last", 165536, false },
	{ "(uid_t)-1", UINT32_MAX, false },
};

static void test_covers_outside(void **state)
{
	const struct idmap map = { 2, { { 0, 1000, 1 }, { 1, 100000, 65536 } } };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(covers_cases); i++) {
		print_message("  %s\n", covers_cases[i].name);
		assert_int_equal(idmap_covers_outside(&map, covers_cases[i].outside),
		                 covers_cases[i].want);
	}
}

static const struct parse_case {
	const char *name, *text;
	int r;
	const char *want;
} parse_cases[] = {
	{ "as the kernel writes it", "         0       1000          1\n", 0,
	  "0 1000 1\n" },
	{ "two lines", "0 1000 1\n1 100000 65536\n", 0, "0 1000 1\n1 100000 65536\n" },
	{ "no newline at the end", "0 1000 1", 0, "0 1000 1\n" },
	{ "the initial namespace", "0 0 4294967295\n", 0, "0 0 4294967295\n" },
	{ "not written yet", "", 0, "" },
	{ "two numbers", "0 1000\n", -EINVAL, "'0 1000" },
	{ "a word", "zero 1000 1\n", -EINVAL, "'zero 1000 1" },
	{ "second line broken", "0 1000 1\n1 x 1\n", -EINVAL, "'1 x 1" },
	{ "above 32 bits", "0 4294967296 1\n", -EINVAL, "'0 4294967296 1" },
	{ "above 64 bits", "0 18446744073709551617 1\n", -EINVAL,
	  "'0 18446744073709551617 1" },
	{ "negative", "0 -1 1\n", -EINVAL, "'0 -1 1" },
	{ "a fourth number", "0 1 2 3\n", -EINVAL, "'0 1 2 3" },
	{ "a word behind", "0 1 2x\n", -EINVAL, "'0 1 2x" },
};

static void test_parse(void **state)
{
	(void)state;

	for (size_t i = 0; i < N_ELEMENTS(parse_cases); i++) {
		const struct parse_case *c = &parse_cases[i];
		cleanup_arena struct arena arena = { 0 };
		struct idmap map = { .n = 77 };
		struct err err = { 0 };

		print_message("  %s\n", c->name);
		assert_int_equal(idmap_parse(c->text, &map, &err), c->r);
		assert_int_equal(err.code, -c->r);
		if (c->r == 0) {
			assert_string_equal(idmap_text(&arena, &map), c->want);
		} else {
			assert_int_equal(map.n, 77);
			assert_non_null(strstr(err.text, c->want));
		}
	}
}

static void test_parse_room(void **state)
{
	char text[32 * (IDMAP_EXTENTS_MAX + 1)] = "";
	struct err err = { 0 };
	struct idmap map;

	(void)state;
	for (int i = 0; i < IDMAP_EXTENTS_MAX; i++)
		strcat(text, "0 1 1\n");
	assert_int_equal(idmap_parse(text, &map, &err), 0);
	assert_int_equal(map.n, IDMAP_EXTENTS_MAX);
	strcat(text, "0 1 1\n");
	assert_int_equal(idmap_parse(text, &map, &err), -E2BIG);
}

/* What is written can be read again: the same map. */
static void test_round_trip(void **state)
{
	cleanup_arena struct arena arena = { 0 };
	struct idmap sub = many(IDMAP_EXTENTS_MAX - 1), map, again = { 0 };
	struct err err = { 0 };
	const char *text;

	(void)state;
	assert_int_equal(idmap_lent(UINT32_MAX - 1, &sub, &map, &err), 0);
	text = idmap_text(&arena, &map);
	assert_int_equal(idmap_parse(text, &again, &err), 0);
	assert_string_equal(idmap_text(&arena, &again), text);
}

static const struct subids_case {
	const char *name, *text, *user;
	uint32_t uid;
	const char *want; /* first:count of each range found */
} subids_cases[] = {
	{ "by name", "root:1:2\ndev:100000:65536\n", "dev", 1000, "100000:65536 " },
	{ "by number", "1000:100000:65536\n", "dev", 1000, "100000:65536 " },
	{ "by number alone", "1000:100000:65536\n", NULL, 1000, "100000:65536 " },
	{ "both, in the file's order", "dev:300000:10\n1000:200000:20\n", "dev", 1000,
	  "300000:10 200000:20 " },
	{ "no newline at the end", "dev:100000:65536", "dev", 1000, "100000:65536 " },
	{ "empty file", "", "dev", 1000, "" },
	{ "blank lines", "\n\ndev:1:2\n\n", "dev", 1000, "1:2 " },
	{ "a comment", "# dev:1:2\n#dev:3:4\ndev:5:6\n", "dev", 1000, "5:6 " },
	{ "a longer name", "developer:1:2\n", "dev", 1000, "" },
	{ "a shorter name", "de:1:2\n", "dev", 1000, "" },
	{ "a longer number", "10000:1:2\n", "dev", 1000, "" },
	{ "a name on another line", "dev\n:1:2\n", "dev", 1000, "" },
	{ "an empty name", ":1:2\n", "dev", 1000, "" },
	{ "two fields", "dev:100000\ndev:5:6\n", "dev", 1000, "5:6 " },
	{ "no number", "dev:first:10\ndev:5:6\n", "dev", 1000, "5:6 " },
	{ "an empty range", "dev:100000:0\n", "dev", 1000, "" },
	{ "above 32 bits", "dev:4294967296:10\ndev:1:4294967297\ndev:5:6\n", "dev", 1000,
	  "5:6 " },
	{ "above 64 bits", "dev:18446744073709551617:10\n", "dev", 1000, "" },
	{ "negative", "dev:-5:10\n", "dev", 1000, "" },
	{ "letters behind", "dev:1:2x\ndev:1x:2\n", "dev", 1000, "" },
	{ "the same twice", "dev:100000:65536\n1000:100000:65536\n", "dev", 1000,
	  "100000:65536 " },
	{ "overlapping the first", "dev:100000:10\ndev:100009:10\ndev:100010:10\n", "dev",
	  1000, "100000:10 100010:10 " },
};

static void test_subids(void **state)
{
	(void)state;

	for (size_t i = 0; i < N_ELEMENTS(subids_cases); i++) {
		const struct subids_case *c = &subids_cases[i];
		cleanup_arena struct arena arena = { 0 };
		struct idmap map = { .n = 77 };
		const char *got = "";

		print_message("  %s\n", c->name);
		idmap_subids(c->text, c->user, c->uid, &map);
		for (size_t j = 0; j < map.n; j++) {
			assert_int_equal(map.extent[j].inside, 0);
			got = arena_printf(&arena, "%s%u:%u ", got, map.extent[j].outside,
			                   map.extent[j].count);
		}
		assert_string_equal(got, c->want);
	}
}

/* However many lines there are, what is found fits into a map with our own ID. */
static void test_subids_room(void **state)
{
	cleanup_arena struct arena arena = { 0 };
	const char *text = "";
	struct err err = { 0 };
	struct idmap sub, map;

	(void)state;
	for (int i = 0; i < 3 * IDMAP_EXTENTS_MAX; i++)
		text = arena_printf(&arena, "%sdev:%d:10\n", text, 100000 + 10 * i);
	idmap_subids(text, "dev", 1000, &sub);
	assert_int_equal(sub.n, IDMAP_EXTENTS_MAX - 1);
	assert_int_equal(idmap_lent(1000, &sub, &map, &err), 0);
}

/* A pod of 65536 IDs, the first of them apart, has no 100000 and splits at 1. */
static void test_within(void **state)
{
	const struct idmap own = { 2, { { 0, 1000, 1 }, { 1, 100000, 65535 } } };
	const struct {
		const char *sub, *want;
	} cases[] = {
		{ "dev:100000:65536", "" },
		{ "dev:2000:60000", "2000:60000 " },
		{ "dev:60000:65536", "60000:5536 " },
		{ "dev:0:65536", "0:1 1:65535 " },
		{ "dev:70000:10\ndev:3000:10", "3000:10 " },
		{ "", "" },
	};
	cleanup_arena struct arena arena = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *got = "";
		struct idmap sub, map;

		idmap_subids(cases[i].sub, "dev", 1000, &sub);
		map = idmap_within(&sub, &own);
		for (size_t j = 0; j < map.n; j++)
			got = arena_printf(&arena, "%s%u:%u ", got, map.extent[j].outside,
			                   map.extent[j].count);
		assert_string_equal(got, cases[i].want);
	}
}

static const struct choose_case {
	const char *name;
	const char *wish[4];
	int r;
	const char *want; /* the map, or what the error has in it */
} choose_cases[] = {
	{ "in order", { "5:100005:5", "0:1000" }, 0, "0 1000 1\n5 100005 5\n" },
	{ "cut where two ranges meet",
	  { "0:100000:65536", "65536:200000:2" },
	  0,
	  "0 100000 10\n10 100010 65526\n65536 200000 2\n" },
	{ "the last one of a range", { "0:200009:1" }, 0, "0 200009 1\n" },
	{ "one too many", { "0:200009:2" }, -EPERM, "'0:200009:2': 200010 is not" },
	{ "below", { "0:99999:2" }, -EPERM, ": 99999 is not" },
	{ "a hole in it", { "0:165530:100000" }, -EPERM, ": 165536 is not" },
	{ "the same inside", { "0:1000", "0:100000" }, -EINVAL, "IDs inside in common" },
	{ "the same outside", { "0:1000", "1:999:2" }, -EINVAL, "IDs outside in common" },
	{ "inside by one", { "0:100000:10", "9:200000:1" }, -EINVAL, "inside in common" },
	{ "beside one another",
	  { "0:100000:10", "10:200000:1" },
	  0,
	  "0 100000 10\n10 200000 1\n" },
	{ "none", { "0:1000:0" }, -EINVAL, "'0:1000:0' has no ID" },
	{ "beyond, inside", { "4294967290:1000:6" }, -EINVAL, "beyond the last" },
	{ "beyond, outside", { "0:4294967290:6" }, -EINVAL, "beyond the last" },
	{ "too large", { "0:4294967296:1" }, -EINVAL, "no range" },
	{ "one number", { "0" }, -EINVAL, "'0' is no range" },
	{ "four", { "0:1:2:3" }, -EINVAL, "'0:1:2:3' is no range" },
	{ "empty count", { "0:1:" }, -EINVAL, "'0:1:' is no range" },
	{ "a sign", { "0:-1:1" }, -EINVAL, "no range" },
	{ "a blank", { "0: 1:1" }, -EINVAL, "no range" },
	{ "podman's flag", { "0:@1000:1" }, -EINVAL, "no range" },
	{ "empty", { "" }, -EINVAL, "'' is no range" },
};

static void test_choose(void **state)
{
	const struct idmap may = { 4,
		                   { { 0, 1000, 1 },
		                     { 1, 100000, 10 },
		                     { 11, 100010, 65526 },
		                     { 70000, 200000, 10 } } };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(choose_cases); i++) {
		const struct choose_case *c = &choose_cases[i];
		cleanup_arena struct arena arena = { 0 };
		struct idmap wish = { 0 }, map = { .n = 77 };
		struct err err = { 0 };
		int r = 0;

		print_message("  %s\n", c->name);
		for (size_t j = 0; r == 0 && j < N_ELEMENTS(c->wish) && c->wish[j]; j++)
			r = idmap_add(&wish, c->wish[j], &err);
		if (r == 0)
			r = idmap_choose("--uidmap", &wish, &may, &map, &err);
		assert_int_equal(r, c->r);
		if (r == 0) {
			assert_string_equal(idmap_text(&arena, &map), c->want);
			continue;
		}
		assert_int_equal(map.n, 77);
		assert_non_null(strstr(err.text, c->want));
		if (r == -EPERM)
			assert_non_null(strstr(err.hint,
			                       "here: 1000, 100000-100009, "
			                       "100010-165535, 200000-200009;"));
	}
}

static void test_choose_room(void **state)
{
	cleanup_arena struct arena arena = { 0 };
	struct idmap wish = { 0 }, may = { 0 }, map;
	struct err err = { 0 };
	char text[64];

	(void)state;
	/* The longest of maps is what the kernel reads at once. */
	for (uint32_t i = 0; i < IDMAP_EXTENTS_MAX; i++) {
		const uint32_t inside = 4000000000 + i, outside = 4000000000 + 2 * i;

		may.extent[may.n++] = (struct id_extent){ 0, outside, 2 };
		(void)snprintf(text, sizeof(text), "%u:%u:1", inside, outside);
		assert_int_equal(idmap_add(&wish, text, &err), 0);
	}
	assert_int_equal(idmap_choose("x", &wish, &may, &map, &err), 0);
	assert_int_equal(map.n, IDMAP_EXTENTS_MAX);
	assert_true(strlen(idmap_text(&arena, &map)) < 4096);
	assert_int_equal(idmap_add(&wish, "1:1:1", &err), -E2BIG);
	err = (struct err){ 0 };
	/* As many ranges, each of which is cut in two. */
	for (size_t i = 0; i < may.n; i++)
		wish.extent[i] = (struct id_extent){ (uint32_t)(2 * i),
			                             may.extent[i].outside + 1, 1 };
	wish.extent[0] = (struct id_extent){ 0, 4000000000, 3 };
	wish.extent[1].outside++;
	assert_int_equal(idmap_choose("x", &wish, &may, &map, &err), -E2BIG);
}

static void test_find(void **state)
{
	const struct idmap map = { 2, { { 0, 1000, 1 }, { 10, 100000, 5 } } };
	uint32_t outside = 7;

	(void)state;
	assert_true(idmap_find(&map, 14, &outside));
	assert_int_equal(outside, 100004);
	assert_true(idmap_find(&map, 0, NULL));
	assert_false(idmap_find(&map, 15, &outside));
	assert_false(idmap_find(&map, 9, &outside));
	assert_int_equal(outside, 100004);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lent),           cmocka_unit_test(test_lent_room),
		cmocka_unit_test(test_same),           cmocka_unit_test(test_width),
		cmocka_unit_test(test_covers_outside), cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_room),     cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_subids),         cmocka_unit_test(test_subids_room),
		cmocka_unit_test(test_within),         cmocka_unit_test(test_choose),
		cmocka_unit_test(test_choose_room),    cmocka_unit_test(test_find),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
