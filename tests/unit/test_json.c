#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "policies/json.h"
#include "tests/unit/unit.h"

static const struct parse_case {
	const char *name, *text;
	size_t size; /* 0: strlen(text) */
	int r;
	const char *error; /* part of it */
} parse_cases[] = {
	{ "an object", "{\"a\": [1, true, null, \"x\"]}", 0, 0, NULL },
	{ "only a number", "17", 0, 0, NULL },
	{ "nothing", "", 0, -EINVAL, "line 1: " },
	{ "blanks", "  \n ", 0, -EINVAL, "line " },
	{ "garbage", "hello", 0, -EINVAL, "line 1: lexical error" },
	{ "cut", "{\"a\": ", 0, -EINVAL, "line 1: " },
	{ "second line", "{\n\"a\": x}", 0, -EINVAL, "line 2: lexical error" },
	{ "behind the document", "{} {}", 0, -EINVAL, "trailing garbage" },
	{ "comment", "/* no */ {}", 0, -EINVAL, "line 1: " },
	{ "a key twice", "{\"a\": 1,\n\"a\": 2}", 0, -EINVAL,
	  "line 2: key 'a' is given twice" },
	{ "the same key elsewhere", "{\"a\": {\"a\": 2}}", 0, 0, NULL },
	{ "comma at the end", "[1,]", 0, -EINVAL, "line 1: " },
	{ "NUL as an escape", "[\"a\\u0000b\"]", 0, -EINVAL, "line 1: NUL in a string" },
	{ "NUL in a key", "{\"a\\u0000b\": 1}", 0, -EINVAL, "line 1: NUL in a string" },
	{ "NUL byte in a string", "[\"a\0b\"]", 7, -EINVAL, "line 1: " },
	{ "NUL byte behind", "[]\0", 3, -EINVAL, "line 1: " },
	{ "not UTF-8", "[\"\xff\"]", 0, -EINVAL, "invalid bytes in UTF8" },
	{ "leading zero", "[012]", 0, -EINVAL, "line 1: " },
	{ "infinity", "[Infinity]", 0, -EINVAL, "line 1: " },
};

static void test_parse(void **state)
{
	(void)state;

	for (size_t i = 0; i < N_ELEMENTS(parse_cases); i++) {
		const struct parse_case *c = &parse_cases[i];
		cleanup_arena struct arena arena = { 0 };
		const struct json_value *value = NULL;
		struct err err = { 0 };
		size_t size = c->size ? c->size : strlen(c->text);

		print_message("  %s\n", c->name);
		assert_int_equal(json_parse(c->text, size, &arena, &value, &err), c->r);
		assert_int_equal(err.code, -c->r);
		if (c->error)
			assert_non_null(strstr(err.text, c->error));
		assert_int_equal(value != NULL, c->r == 0);
	}
}

static void test_depth(void **state)
{
	(void)state;

	for (size_t depth = JSON_DEPTH_MAX - 1; depth < 200000; depth = depth * 3 / 2) {
		cleanup_arena struct arena arena = { 0 };
		const struct json_value *value = NULL;
		struct err err = { 0 };
		char *text = calloc(1, 2 * depth + 1);
		int r;

		assert_non_null(text);
		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		r = json_parse(text, 2 * depth, &arena, &value, &err);
		assert_int_equal(r, depth <= JSON_DEPTH_MAX ? 0 : -EINVAL);
		if (r < 0)
			assert_string_equal(err.text, "line 1: nested too deeply");
		free(text);
	}
}

static void test_many_keys(void **state)
{
	(void)state;

	for (size_t n = JSON_MEMBERS_MAX; n <= JSON_MEMBERS_MAX + 1; n++) {
		cleanup_arena struct arena arena = { 0 };
		const struct json_value *value = NULL;
		struct err err = { 0 };
		char *text = NULL;
		size_t size = 0;
		FILE *out = open_memstream(&text, &size);

		assert_non_null(out);
		for (size_t i = 0; i < n; i++)
			(void)fprintf(out, "%s\"k%zu\":0", i ? "," : "{", i);
		(void)fprintf(out, "}");
		assert_int_equal(fclose(out), 0);
		assert_int_equal(json_parse(text, size, &arena, &value, &err),
		                 n > JSON_MEMBERS_MAX ? -EINVAL : 0);
		if (n == JSON_MEMBERS_MAX) {
			size_t work = 0;

			assert_int_equal(value->n, n);
			assert_null(json_twice(value, &work));
			/* Quadratic it would be 8 million. */
			assert_true(work > n / 2 && work < n * 30);
		}
		free(text);
	}
}

/* Told of several is the one that comes first, wherever the others are. */
static void test_twice(void **state)
{
	static const char *const text[] = {
		"{\"a\":0,\"b\":0,\n\"b\":0,\n\"a\":0,\n\"b\":0}",
		"{\"x\":{\"b\":0,\"a\":0,\n\"b\":0},\n\"x\":0}",
		"{\"x\":[{\"b\":0},{\"b\":0}],\"c\":0,\n\"b\":0,\"b\":0}",
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(text); i++) {
		cleanup_arena struct arena arena = { 0 };
		const struct json_value *value = NULL;
		struct err err = { 0 };

		assert_int_equal(
			json_parse(text[i], strlen(text[i]), &arena, &value, &err),
			-EINVAL);
		assert_string_equal(err.text, "line 2: key 'b' is given twice");
	}
}

static const char document[] = "{\n"
			       "  \"string\": \"x\",\n"
			       "  \"number\": -7,\n"
			       "  \"half\": 0.5,\n"
			       "  \"large\": 99999999999999999999,\n"
			       "  \"bool\": true,\n"
			       "  \"null\": null,\n"
			       "  \"array\": [1, 2],\n"
			       "  \"object\": {}\n"
			       "}\n";

static const struct number_case {
	const char *key;
	int64_t min, max;
	int r;
	const char *error;
} number_cases[] = {
	{ "number", INT64_MIN, INT64_MAX, 0, "" },
	{ "number", -7, -7, 0, "" },
	{ "number", -6, 7, -ERANGE, "line 3: key 'number': '-7' is not in -6..7" },
	{ "half", 0, 1, -EINVAL, "line 4: key 'half': '0.5' is not a whole number" },
	{ "large", INT64_MIN, INT64_MAX, -ERANGE,
	  "line 5: key 'large': '99999999999999999999' is not in "
	  "-9223372036854775808..9223372036854775807" },
	{ "missing", 0, 1, -ENOENT, "line 10: key 'missing' is missing" },
	{ "string", 0, 1, -EINVAL, "line 2: key 'string' is a string, not a number" },
	{ "null", 0, 1, -EINVAL, "line 7: key 'null' is null, not a number" },
	{ "bool", 0, 1, -EINVAL, "line 6: key 'bool' is true or false, not a number" },
};

static void test_get_number(void **state)
{
	cleanup_arena struct arena arena = { 0 };
	const struct json_value *root = NULL;
	struct err err = { 0 };

	(void)state;

	assert_int_equal(json_parse(document, strlen(document), &arena, &root, &err), 0);
	for (size_t i = 0; i < N_ELEMENTS(number_cases); i++) {
		const struct number_case *c = &number_cases[i];
		int64_t got = 99;

		print_message("  %s %d\n", c->key, c->r);
		err_clear(&err);
		assert_int_equal(
			json_get_number(root, c->key, c->min, c->max, &got, &err), c->r);
		assert_int_equal(got, c->r == 0 ? -7 : 99);
		/* The line of a missing key is that of its object, which is told last. */
		if (c->r != -ENOENT)
			assert_string_equal(err.text, c->error);
		else
			assert_non_null(strstr(err.text, "key 'missing' is missing"));
	}
}

static void test_get_others(void **state)
{
	cleanup_arena struct arena arena = { 0 };
	const struct json_value *root = NULL, *value = NULL;
	const char *string = NULL;
	struct err err = { 0 };
	bool boolean = false;

	(void)state;

	assert_int_equal(json_parse(document, strlen(document), &arena, &root, &err), 0);
	assert_int_equal(root->n, 8);
	assert_int_equal(json_get_string(root, "string", &string, &err), 0);
	assert_string_equal(string, "x");
	assert_int_equal(json_get_bool(root, "bool", &boolean, &err), 0);
	assert_true(boolean);
	assert_int_equal(json_get_array(root, "array", &value, &err), 0);
	assert_int_equal(value->n, 2);
	assert_string_equal(value->first->next->text, "2");
	assert_null(value->first->next->next);
	assert_int_equal(json_get_string(value, "x", &string, &err), -EINVAL);
	assert_non_null(strstr(err.text, "an array, not an object with a key 'x'"));
	err_clear(&err);
	assert_int_equal(json_get_object(root, "object", &value, &err), 0);
	assert_null(value->first);
	assert_null(json_get(value, "x"));
	assert_null(json_get(NULL, "x"));
	assert_null(json_get(json_get(json_get(value, "x"), "y"), "z"));
	err_clear(&err);
	assert_int_equal(json_get_string(NULL, "x", &string, &err), -ENOENT);
	assert_non_null(strstr(err.text, "'x'"));
	err_clear(&err);
	assert_int_equal(json_get_object(root, "array", &value, &err), -EINVAL);
}

static void test_types_have_names(void **state)
{
	(void)state;

	for (size_t i = 0; i < JSON_TYPE_MAX; i++)
		assert_non_null(json_type_name[i]);
}

static void test_write(void **state)
{
	const char *const words[] = { "run", "a\"b\n" };
	cleanup_arena struct arena arena = { 0 };
	const struct json_value *root = NULL;
	struct err err = { 0 };
	struct json *json;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;

	assert_non_null(out);
	json = json_open(out, true);
	json_object(json);
	json_put_string(json, "text", "\xc3\xa4 \xff");
	json_put_string(json, "none", NULL);
	json_put_number(json, "least", INT64_MIN);
	json_put_unsigned(json, "most", UINT64_MAX);
	json_put_bool(json, "yes", true);
	json_put_strings(json, "words", words, 2);
	json_object_end(json);
	assert_int_equal(json_close(json), 0);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(text, "{\n"
	                          "  \"text\": \"\xc3\xa4 \xef\xbf\xbd\",\n"
	                          "  \"none\": null,\n"
	                          "  \"least\": -9223372036854775808,\n"
	                          "  \"most\": 18446744073709551615,\n"
	                          "  \"yes\": true,\n"
	                          "  \"words\": [\n"
	                          "    \"run\",\n"
	                          "    \"a\\\"b\\n\"\n"
	                          "  ]\n"
	                          "}\n");
	assert_int_equal(json_parse(text, size, &arena, &root, &err), 0);
	free(text);
}

/* What a terminal obeys is escaped, and comes back as it was. */
static void test_write_controls(void **state)
{
	static const char name[] = "\x1b\x7f\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0\xe2\x82\x9b";
	cleanup_arena struct arena arena = { 0 };
	const struct json_value *root = NULL;
	struct err err = { 0 };
	struct json *json;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;

	assert_non_null(out);
	json = json_open(out, false);
	json_object(json);
	json_put_string(json, name, name);
	json_object_end(json);
	assert_int_equal(json_close(json), 0);
	assert_int_equal(fclose(out), 0);
#define ESCAPED "\"\\u001B\\u007f\\u0080\\u009b\\u009f\xc2\xa0\xe2\x82\x9b\""
	assert_string_equal(text, "{" ESCAPED ":" ESCAPED "}");
	assert_int_equal(json_parse(text, size, &arena, &root, &err), 0);
	assert_string_equal(root->first->key, name);
	assert_string_equal(root->first->text, name);
	free(text);
}

/* Longer than what is kept before it is passed on. */
static void test_write_long(void **state)
{
	enum { N = 20000 };
	cleanup_arena struct arena arena = { 0 };
	struct err err = { 0 };
	const struct json_value *root = NULL;
	struct json *json;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;

	assert_non_null(out);
	json = json_open(out, false);
	json_array(json);
	for (int i = 0; i < N; i++)
		json_number(json, i);
	json_array_end(json);
	assert_int_equal(json_close(json), 0);
	assert_int_equal(fclose(out), 0);
	assert_true(size > 100000);
	assert_int_equal(json_parse(text, size, &arena, &root, &err), 0);
	assert_int_equal(root->n, N);
	free(text);
}

static void test_write_fails(void **state)
{
	FILE *full = fopen("/dev/full", "we");
	struct json *json;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;

	assert_non_null(full);
	json = json_open(full, false);
	json_array(json);
	json_array_end(json);
	assert_int_equal(json_close(json), -ENOSPC);
	(void)fclose(full);

	json = json_open(out, false);
	json_object(json);
	assert_int_equal(json_close(json), -EINVAL);
	json = json_open(out, false);
	json_object(json);
	json_number(json, 1);
	json_object_end(json);
	assert_int_equal(json_close(json), -EINVAL);
	assert_int_equal(json_close(NULL), -ENOMEM);
	(void)fclose(out);
	free(text);
}

static const struct utf8_case {
	const char *text;
	size_t len;
} utf8_cases[] = {
	{ "a", 1 },
	{ "\xc3\xa4", 2 },
	{ "\xe2\x82\xac", 3 },
	{ "\xf0\x9f\x9a\xa2", 4 },
	{ "\xc3", 0 },             /* cut */
	{ "\xc0\xaf", 0 },         /* long form of '/' */
	{ "\xe0\x80\xaf", 0 },     /* the same in three */
	{ "\xed\xa0\x80", 0 },     /* a surrogate */
	{ "\xf4\x90\x80\x80", 0 }, /* above U+10FFFF */
	{ "\xf5\x80\x80\x80", 0 },
	{ "\x80", 0 },
	{ "\xe2\x28\xa1", 0 },
	{ "\xf0\x9f\x9a\x28", 0 },
};

static void test_utf8(void **state)
{
	(void)state;

	for (size_t i = 0; i < N_ELEMENTS(utf8_cases); i++)
		assert_int_equal(
			json_utf8(utf8_cases[i].text, strlen(utf8_cases[i].text)),
			utf8_cases[i].len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_many_keys),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_get_number),
		cmocka_unit_test(test_get_others),
		cmocka_unit_test(test_types_have_names),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_write_controls),
		cmocka_unit_test(test_write_long),
		cmocka_unit_test(test_write_fails),
		cmocka_unit_test(test_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
