#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "policies/yaml.h"
#include "tests/unit/unit.h"

/* What Kubernetes makes of a value: go-yaml 2, by which its objects are read. */
static const struct type_case {
	const char *text;
	enum yaml_type type;
	bool boolean;
} type_cases[] = {
	{ "true", YAML_BOOL, true },
	{ "yes", YAML_BOOL, true },
	{ "On", YAML_BOOL, true },
	{ "y", YAML_BOOL, true },
	{ "False", YAML_BOOL, false },
	{ "NO", YAML_BOOL, false },
	{ "off", YAML_BOOL, false },
	{ "N", YAML_BOOL, false },
	{ "tRUE", YAML_STRING, false },
	{ "'true'", YAML_STRING, false },
	{ "\"yes\"", YAML_STRING, false },
	{ "!!str true", YAML_STRING, false },
	{ "! true", YAML_STRING, false },
	{ "!!bool yes", YAML_BOOL, true },
	{ "~", YAML_NULL, false },
	{ "null", YAML_NULL, false },
	{ "Null", YAML_NULL, false },
	{ "nULL", YAML_STRING, false },
	{ "\"\"", YAML_STRING, false },
	{ "", YAML_NULL, false },
	{ "0", YAML_INT, false },
	{ "-17", YAML_INT, false },
	{ "+1", YAML_INT, false },
	{ "0x1F", YAML_INT, false },
	{ "0b101", YAML_INT, false },
	{ "0o17", YAML_INT, false },
	{ "0755", YAML_INT, false },
	{ "1_000", YAML_INT, false },
	{ "0x", YAML_STRING, false },
	{ "_1", YAML_STRING, false },
	{ "1.5", YAML_FLOAT, false },
	{ ".5", YAML_FLOAT, false },
	{ "1e3", YAML_FLOAT, false },
	{ "1.", YAML_FLOAT, false },
	{ ".inf", YAML_FLOAT, false },
	{ "-.INF", YAML_FLOAT, false },
	{ ".nan", YAML_FLOAT, false },
	{ "1e", YAML_STRING, false },
	{ ".", YAML_STRING, false },
	{ "1Gi", YAML_STRING, false },
	{ "1.2.3", YAML_STRING, false },
	{ "-", YAML_LIST, false },
	{ "|\n  true", YAML_STRING, false },
	{ "[]", YAML_LIST, false },
	{ "{}", YAML_MAP, false },
	{ "!!float 1", YAML_FLOAT, false },
};

static void test_types(void **state)
{
	(void)state;

	for (size_t i = 0; i < N_ELEMENTS(type_cases); i++) {
		const struct type_case *c = &type_cases[i];
		cleanup_arena struct arena arena = { 0 };
		const struct yaml_value *documents = NULL, *value;
		struct err err = { 0 };
		char text[64];
		int n = snprintf(text, sizeof(text), "a:%s%s\n",
		                 c->text[0] == '-' && !c->text[1] ? "\n  " : " ",
		                 c->text);

		print_message("  %s\n", c->text);
		assert_int_equal(
			yaml_parse("f", text, (size_t)n, &arena, &documents, &err), 0);
		value = yaml_get(documents->first, "a");
		assert_non_null(value);
		assert_int_equal(value->type, c->type);
		assert_int_equal(value->boolean, c->boolean);
	}
}

static const struct parse_case {
	const char *name, *text;
	int r;
	const char *error; /* what it begins with */
} parse_cases[] = {
	{ "nothing", "", 0, NULL },
	{ "a comment", "# x\n", 0, NULL },
	{ "JSON", "{\n\t\"a\": [1, true, null, \"x\"]}", 0, NULL },
	{ "two documents", "a: 1\n---\na: 2\n", 0, NULL },
	{ "an anchor of the document before", "a: &a 1\n---\nb: *a\n", -EINVAL,
	  "f:3:4: no anchor 'a'" },
	{ "a key twice", "a: 1\nb: 2\na: 3\n", -EINVAL, "f:3:1: key 'a' given twice" },
	{ "a key twice, in quotes", "a: 1\n'a': 3\n", -EINVAL, "f:2:1: key 'a'" },
	{ "the same key elsewhere", "a: {a: 1}\n", 0, NULL },
	{ "a key that was merged", "x: &x {a: 1}\ny: {<<: *x, a: 2}\n", 0, NULL },
	{ "merged twice", "x: &x {a: 1}\ny: {<<: *x, <<: *x}\n", -EINVAL,
	  "f:2:13: key '<<'" },
	{ "a list as a key", "? [a]\n: b\n", -EINVAL, "f:1:3: a key is not a scalar" },
	{ "an alias as a key", "a: &a x\n*a : y\n", -EINVAL, "f:2:1: a key is not" },
	{ "NUL", "a: \"\\0\"", -EINVAL, "f:1:4: NUL" },
	{ "NUL in a key", "\"\\0\": a", -EINVAL, "f:1:1: NUL" },
	{ "not UTF-8", "a: \xff\n", -EINVAL, "f:1:" },
	{ "a tag for a list", "a: !x [1]\n", -EINVAL, "f:1:4: no type for the tag '!x'" },
	{ "a tag for a map", "a: !!map {}\n", 0, NULL },
	{ "a wrong one", "a: !!seq {}\n", -EINVAL, "f:1:4: no type" },
	{ "held by itself", "&a {b: *a}\n", -EINVAL,
	  "f:1:8: the anchor 'a' holds itself" },
	{ "merging a scalar", "<<: a\n", -EINVAL, "f:2:1: '<<' merges maps only" },
	{ "merging in quotes", "'<<': a\n", 0, NULL },
	{ "merging lists of maps", "<<: [{a: 1}, {a: 2, b: 1}]\n", 0, NULL },
	{ "merging lists of others", "<<: [1]\n", -EINVAL, "f:2:1: '<<' merges" },
	{ "cut", "a: [1,", -EINVAL, "f:2:1: " },
	{ "a directive", "%YAML 3.0\n---\na\n", -EINVAL, "f:1:1: found incompatible" },
};

static void test_parse(void **state)
{
	(void)state;

	for (size_t i = 0; i < N_ELEMENTS(parse_cases); i++) {
		const struct parse_case *c = &parse_cases[i];
		cleanup_arena struct arena arena = { 0 };
		const struct yaml_value *value = NULL;
		struct err err = { 0 };
		int r = yaml_parse("f", c->text, strlen(c->text), &arena, &value, &err);

		print_message("  %s: %s\n", c->name, err.text);
		assert_int_equal(r, c->r);
		assert_int_equal(err.code, -c->r);
		if (c->error)
			assert_memory_equal(err.text, c->error, strlen(c->error));
		assert_int_equal(value != NULL, c->r == 0);
	}
}

static void test_places(void **state)
{
	static const char text[] = "x: &x\n  a: 1\n  b: [2, 3]\ny:\n  <<: *x\n  a: é 5\n"
				   "  ü: 6\n";
	cleanup_arena struct arena arena = { 0 };
	const struct yaml_value *documents, *y;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(yaml_parse("f", text, strlen(text), &arena, &documents, &err),
	                 0);
	assert_int_equal(documents->n, 1);
	y = yaml_get(documents->first, "y");
	assert_string_equal(yaml_get(y, "a")->text, "é 5");
	assert_int_equal(yaml_get(y, "a")->line, 6);
	assert_int_equal(yaml_get(y, "a")->column, 6);
	assert_int_equal(yaml_get(y, "a")->key_column, 3);
	/* Columns count characters. */
	assert_int_equal(yaml_get(y, "ü")->column, 6);
	/* What was merged keeps its place, and its own is left alone. */
	assert_int_equal(yaml_get(y, "b")->line, 3);
	assert_int_equal(yaml_get(y, "b")->n, 2);
	assert_string_equal(yaml_get(yaml_get(documents->first, "x"), "a")->text, "1");
	assert_null(yaml_get(y, "c"));
	assert_null(yaml_get(NULL, "a"));
	assert_null(yaml_get(yaml_get(y, "a"), "a"));
}

/* Text of @size bytes, of which each item is @item. */
static int parse_many(const char *begin, const char *item, size_t n, const char *end,
                      struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	const struct yaml_value *value;
	size_t size = strlen(begin) + n * strlen(item) + strlen(end), used;
	char *text = malloc(size + 1);
	int r;

	assert_non_null(text);
	used = strlen(begin);
	memcpy(text, begin, used);
	for (size_t i = 0; i < n; i++, used += strlen(item))
		memcpy(text + used, item, strlen(item));
	memcpy(text + used, end, strlen(end) + 1);
	r = yaml_parse("f", text, size, &arena, &value, err);
	free(text);
	return r;
}

static const struct bound_case {
	const char *name, *begin, *item;
	size_t n;
	const char *end;
	int r;
} bound_cases[] = {
	{ "as deep as can be", "", "- ", YAML_DEPTH_MAX, "x", 0 },
	{ "one deeper", "", "- ", YAML_DEPTH_MAX + 1, "x", -EINVAL },
	{ "much deeper", "", "[", 1000000, "", -EINVAL },
	{ "many values", "[", "1,", YAML_VALUES_MAX - 1, "]", 0 },
	{ "too many", "[", "1,", YAML_VALUES_MAX, "]", -E2BIG },
	{ "too large", "#", "0123456789abcdef", YAML_SIZE_MAX / 16, "", -EFBIG },
	{ "many anchors", "", "- &a 1\n", 1000, "", 0 },
	{ "too many anchors", "", "- &a 1\n", 1001, "", -E2BIG },
	{ "an alias a thousand times", "- &a [1,2,3]\n", "- *a\n", 100000, "", 0 },
	{ "more often", "- &a [1,2,3]\n", "- *a\n", 130000, "", -E2BIG },
	{ "a long key", "", "k", 1000000, ": 1", -EINVAL },
	{ "a long word", "", "k", 1000000, "", 0 },
	{ "many documents", "", "--- 1\n", 100000, "", 0 },
};

static void test_bounds(void **state)
{
	(void)state;

	for (size_t i = 0; i < N_ELEMENTS(bound_cases); i++) {
		const struct bound_case *c = &bound_cases[i];
		struct err err = { 0 };

		print_message("  %s\n", c->name);
		assert_int_equal(parse_many(c->begin, c->item, c->n, c->end, &err), c->r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
