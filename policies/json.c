#include "policies/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_gen.h>
#include <yajl/yajl_parse.h>

const char *const json_type_name[JSON_TYPE_MAX] = {
	[JSON_NULL] = "null",       [JSON_BOOL] = "true or false",
	[JSON_NUMBER] = "a number", [JSON_STRING] = "a string",
	[JSON_ARRAY] = "an array",  [JSON_OBJECT] = "an object",
};

size_t json_utf8(const char *text, size_t size)
{
	/* The second byte's range is what keeps out long forms, surrogates and what
	 * lies above U+10FFFF (RFC 3629, section 4). */
	static const struct {
		unsigned char first, last, low, high;
		size_t len;
	} form[] = {
		{ 0x00, 0x7f, 0x00, 0x00, 1 }, { 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};
	const unsigned char *p = (const unsigned char *)text;

	for (size_t i = 0; i < sizeof(form) / sizeof(form[0]); i++) {
		if (p[0] < form[i].first || p[0] > form[i].last)
			continue;
		if (form[i].len > size)
			return 0;
		if (form[i].len > 1 && (p[1] < form[i].low || p[1] > form[i].high))
			return 0;
		for (size_t k = 2; k < form[i].len; k++)
			if (p[k] < 0x80 || p[k] > 0xbf)
				return 0;
		return form[i].len;
	}
	return 0;
}

/**
 * struct json - A document being written
 * @gen:	the library's state
 * @out:	borrowed
 * @code:	the first failure, positive errno, 0 while there is none
 */
struct json {
	yajl_gen gen;
	FILE *out;
	int code;
};

static void print(void *ctx, const char *data, size_t size)
{
	struct json *json = ctx;

	if (fwrite(data, 1, size, json->out) != size && json->code == 0)
		json->code = errno > 0 ? errno : EIO;
}

struct json *json_open(FILE *out, bool pretty)
{
	struct json *json = calloc(1, sizeof(*json));

	if (!json)
		return NULL;
	json->gen = yajl_gen_alloc(NULL);
	if (!json->gen) {
		free(json);
		return NULL;
	}
	json->out = out;
	(void)yajl_gen_config(json->gen, yajl_gen_beautify, pretty ? 1 : 0);
	(void)yajl_gen_config(json->gen, yajl_gen_indent_string, "  ");
	(void)yajl_gen_config(json->gen, yajl_gen_print_callback, print, json);
	return json;
}

static void check(struct json *json, yajl_gen_status status)
{
	if (json && status != yajl_gen_status_ok && json->code == 0)
		json->code = EINVAL;
}

int json_close(struct json *json)
{
	int code;

	if (!json)
		return -ENOMEM;
	/* The library says "complete" to a call that comes after a whole document. */
	if (json->code == 0 && yajl_gen_null(json->gen) != yajl_gen_generation_complete)
		json->code = EINVAL;
	if (fflush(json->out) != 0 && json->code == 0)
		json->code = errno;
	code = json->code;
	yajl_gen_free(json->gen);
	free(json);
	return -code;
}

void json_object(struct json *json)
{
	if (json)
		check(json, yajl_gen_map_open(json->gen));
}

void json_object_end(struct json *json)
{
	if (json)
		check(json, yajl_gen_map_close(json->gen));
}

void json_array(struct json *json)
{
	if (json)
		check(json, yajl_gen_array_open(json->gen));
}

void json_array_end(struct json *json)
{
	if (json)
		check(json, yajl_gen_array_close(json->gen));
}

void json_key(struct json *json, const char *key)
{
	json_string(json, key);
}

/* @value with each byte that is not UTF-8 replaced; NULL where there is no memory. */
static char *scrub(const char *value, size_t size, size_t *ret_size)
{
	static const char replacement[] = "\xef\xbf\xbd";
	char *ret = malloc(size * 3 + 1);
	size_t n = 0;

	for (size_t at = 0; ret && at < size;) {
		size_t len = json_utf8(value + at, size - at);

		if (len > 0) {
			memcpy(ret + n, value + at, len);
			n += len;
			at += len;
		} else {
			memcpy(ret + n, replacement, 3);
			n += 3;
			at++;
		}
	}
	*ret_size = n;
	return ret;
}

static bool is_utf8(const char *value, size_t size)
{
	for (size_t at = 0; at < size;) {
		size_t len = json_utf8(value + at, size - at);

		if (len == 0)
			return false;
		at += len;
	}
	return true;
}

void json_string(struct json *json, const char *value)
{
	size_t size = value ? strlen(value) : 0;
	char *scrubbed;

	if (!json)
		return;
	if (!value) {
		json_null(json);
		return;
	}
	if (is_utf8(value, size)) {
		check(json,
		      yajl_gen_string(json->gen, (const unsigned char *)value, size));
		return;
	}
	scrubbed = scrub(value, size, &size);
	if (scrubbed)
		check(json,
		      yajl_gen_string(json->gen, (const unsigned char *)scrubbed, size));
	else if (json->code == 0)
		json->code = ENOMEM;
	free(scrubbed);
}

void json_number(struct json *json, int64_t value)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%lld", (long long)value);

	if (json)
		check(json, yajl_gen_number(json->gen, text, (size_t)len));
}

void json_unsigned(struct json *json, uint64_t value)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%llu", (unsigned long long)value);

	if (json)
		check(json, yajl_gen_number(json->gen, text, (size_t)len));
}

void json_bool(struct json *json, bool value)
{
	if (json)
		check(json, yajl_gen_bool(json->gen, value ? 1 : 0));
}

void json_null(struct json *json)
{
	if (json)
		check(json, yajl_gen_null(json->gen));
}

void json_put_string(struct json *json, const char *key, const char *value)
{
	json_key(json, key);
	json_string(json, value);
}

void json_put_number(struct json *json, const char *key, int64_t value)
{
	json_key(json, key);
	json_number(json, value);
}

void json_put_unsigned(struct json *json, const char *key, uint64_t value)
{
	json_key(json, key);
	json_unsigned(json, value);
}

void json_put_bool(struct json *json, const char *key, bool value)
{
	json_key(json, key);
	json_bool(json, value);
}

void json_put_strings(struct json *json, const char *key, const char *const *value,
                      size_t n)
{
	json_key(json, key);
	json_array(json);
	for (size_t i = 0; i < n; i++)
		json_string(json, value[i]);
	json_array_end(json);
}

/**
 * struct builder - What the library's callbacks share
 * @text:	the document; lines are counted in it up to @counted
 * @column:	of the last byte counted
 * @handle:	the library's state, for the position
 * @arena:	owns the values
 * @err:	where a callback says why it stops
 * @level:	the open arrays and objects, @depth of them
 * @key, @key_line, @key_column: of the next member, NULL before it
 * @root:	the document's value
 */
struct builder {
	const char *text;
	size_t size, counted;
	unsigned int line, column;
	yajl_handle handle;
	struct arena *arena;
	struct err *err;
	struct level {
		struct json_value *value;
		const struct json_value **tail;
	} level[JSON_DEPTH_MAX];
	size_t depth;
	const char *key;
	unsigned int key_line, key_column;
	const struct json_value *root;
};

enum { CANCEL, PROCEED }; /* what the library wants to hear */

static unsigned int line_at(struct builder *b)
{
	size_t end = yajl_get_bytes_consumed(b->handle);

	for (; b->counted < end && b->counted < b->size; b->counted++) {
		bool newline = b->text[b->counted] == '\n';

		b->line += newline;
		b->column = newline ? 0 : b->column + 1;
	}
	return b->line;
}

static int refuse(struct builder *b, const char *why)
{
	(void)err_set(b->err, EINVAL, "line %u: %s", line_at(b), why);
	return CANCEL;
}

static int no_memory(struct builder *b)
{
	(void)err_set(b->err, ENOMEM, "read a document of %zu bytes", b->size);
	return CANCEL;
}

/* A copy in the arena; NULL when refused, and then @err is set. */
static const char *copy(struct builder *b, const void *text, size_t size)
{
	char *ret;

	if (memchr(text, '\0', size)) {
		(void)refuse(b, "NUL in a string");
		return NULL;
	}
	ret = arena_alloc(b->arena, size + 1);
	if (!ret)
		(void)no_memory(b);
	else
		memcpy(ret, text, size);
	return ret;
}

/* Hangs a new value into the innermost open one; NULL when refused. */
static struct json_value *add(struct builder *b, enum json_type type)
{
	struct json_value *value = arena_alloc(b->arena, sizeof(*value));
	struct level *level = b->depth > 0 ? &b->level[b->depth - 1] : NULL;

	if (!value) {
		(void)no_memory(b);
		return NULL;
	}
	value->type = type;
	value->line = line_at(b);
	value->column = b->column;
	if (!level) {
		b->root = value;
		return value;
	}
	value->key = b->key;
	value->key_line = b->key_line;
	value->key_column = b->key_column;
	b->key = NULL;
	*level->tail = value;
	level->tail = &value->next;
	level->value->n++;
	return value;
}

static int on_null(void *ctx)
{
	return add(ctx, JSON_NULL) ? PROCEED : CANCEL;
}

static int on_bool(void *ctx, int boolean)
{
	struct json_value *value = add(ctx, JSON_BOOL);

	if (value)
		value->boolean = boolean;
	return value ? PROCEED : CANCEL;
}

static int on_text(struct builder *b, enum json_type type, const void *text, size_t size)
{
	const char *dup = copy(b, text, size);
	struct json_value *value = dup ? add(b, type) : NULL;

	if (value)
		value->text = dup;
	return value ? PROCEED : CANCEL;
}

static int on_number(void *ctx, const char *text, size_t size)
{
	return on_text(ctx, JSON_NUMBER, text, size);
}

static int on_string(void *ctx, const unsigned char *text, size_t size)
{
	return on_text(ctx, JSON_STRING, text, size);
}

static int on_key(void *ctx, const unsigned char *text, size_t size)
{
	struct builder *b = ctx;

	b->key = copy(b, text, size);
	if (!b->key)
		return CANCEL;
	b->key_line = line_at(b);
	b->key_column = b->column;
	if (b->level[b->depth - 1].value->n == JSON_MEMBERS_MAX)
		return refuse(b, "an object with too many keys");
	if (json_get(b->level[b->depth - 1].value, b->key)) {
		(void)err_set(b->err, EINVAL, "line %u: key '%s' is given twice",
		              line_at(b), b->key);
		return CANCEL;
	}
	return PROCEED;
}

static int on_open(struct builder *b, enum json_type type)
{
	struct json_value *value;

	if (b->depth == JSON_DEPTH_MAX)
		return refuse(b, "nested too deeply");
	value = add(b, type);
	if (!value)
		return CANCEL;
	b->level[b->depth++] = (struct level){ .value = value, .tail = &value->first };
	return PROCEED;
}

static int on_object(void *ctx)
{
	return on_open(ctx, JSON_OBJECT);
}

static int on_array(void *ctx)
{
	return on_open(ctx, JSON_ARRAY);
}

static int on_end(void *ctx)
{
	struct builder *b = ctx;

	b->depth--;
	return PROCEED;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_bool,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_object,
	.yajl_map_key = on_key,
	.yajl_end_map = on_end,
	.yajl_start_array = on_array,
	.yajl_end_array = on_end,
};

/* Puts the library's own complaint into @err. */
static int explain(struct builder *b, struct err *err)
{
	unsigned char *text = yajl_get_error(b->handle, 0, NULL, 0);

	if (!text)
		return err_set(err, ENOMEM, "read a document of %zu bytes", b->size);
	(void)err_set(err, EINVAL, "line %u: %.*s", line_at(b),
	              (int)strcspn((const char *)text, "\n"), (const char *)text);
	yajl_free_error(b->handle, text);
	return -err->code;
}

int json_parse_with(unsigned int syntax, const char *text, size_t size,
                    struct arena *arena, const struct json_value **ret, struct err *err)
{
	struct builder b = {
		.text = text, .size = size, .line = 1, .arena = arena, .err = err
	};
	yajl_status status;

	b.handle = yajl_alloc(&callbacks, NULL, &b);
	if (!b.handle)
		return err_set(err, ENOMEM, "read a document of %zu bytes", size);
	(void)yajl_config(b.handle, yajl_allow_comments, (syntax & JSON_COMMENTS) != 0);
	status = yajl_parse(b.handle, (const unsigned char *)text, size);
	if (status == yajl_status_ok)
		status = yajl_complete_parse(b.handle);
	if (status != yajl_status_ok && err->code == 0)
		(void)explain(&b, err);
	yajl_free(b.handle);
	if (err->code > 0)
		return -err->code;
	*ret = b.root;
	return 0;
}

const struct json_value *json_get(const struct json_value *object, const char *key)
{
	const struct json_value *at = object->type == JSON_OBJECT ? object->first : NULL;

	while (at && strcmp(at->key, key) != 0)
		at = at->next;
	return at;
}

static int get(const struct json_value *object, const char *key, enum json_type type,
               const struct json_value **ret, struct err *err)
{
	const struct json_value *value;

	if (object->type != JSON_OBJECT)
		return err_set(err, EINVAL, "line %u: %s, not an object with a key '%s'",
		               object->line, json_type_name[object->type], key);
	value = json_get(object, key);
	if (!value)
		return err_set(err, ENOENT, "line %u: key '%s' is missing", object->line,
		               key);
	if (value->type != type)
		return err_set(err, EINVAL, "line %u: key '%s' is %s, not %s",
		               value->line, key, json_type_name[value->type],
		               json_type_name[type]);
	*ret = value;
	return 0;
}

int json_get_string(const struct json_value *object, const char *key, const char **ret,
                    struct err *err)
{
	const struct json_value *value = NULL;
	int r = get(object, key, JSON_STRING, &value, err);

	if (r == 0)
		*ret = value->text;
	return r;
}

int json_get_bool(const struct json_value *object, const char *key, bool *ret,
                  struct err *err)
{
	const struct json_value *value = NULL;
	int r = get(object, key, JSON_BOOL, &value, err);

	if (r == 0)
		*ret = value->boolean;
	return r;
}

int json_get_array(const struct json_value *object, const char *key,
                   const struct json_value **ret, struct err *err)
{
	return get(object, key, JSON_ARRAY, ret, err);
}

int json_get_object(const struct json_value *object, const char *key,
                    const struct json_value **ret, struct err *err)
{
	return get(object, key, JSON_OBJECT, ret, err);
}

int json_get_number(const struct json_value *object, const char *key, int64_t min,
                    int64_t max, int64_t *ret, struct err *err)
{
	const struct json_value *value = NULL;
	int r = get(object, key, JSON_NUMBER, &value, err);
	long long number;
	char *end;

	if (r < 0)
		return r;
	errno = 0;
	number = strtoll(value->text, &end, 10);
	if (*end != '\0')
		return err_set(err, EINVAL,
		               "line %u: key '%s': '%s' is not a whole number",
		               value->line, key, value->text);
	if (errno == ERANGE || number < min || number > max)
		return err_set(
			err, ERANGE, "line %u: key '%s': '%s' is not in %lld..%lld",
			value->line, key, value->text, (long long)min, (long long)max);
	*ret = number;
	return 0;
}

/* Not deeper than JSON_DEPTH_MAX, which json_parse() saw to. */
void json_copy(struct json *json, const struct json_value *value)
{
	switch (value->type) {
	case JSON_BOOL:
		json_bool(json, value->boolean);
		return;
	case JSON_NUMBER:
		if (json)
			check(json, yajl_gen_number(json->gen, value->text,
			                            strlen(value->text)));
		return;
	case JSON_STRING:
		json_string(json, value->text);
		return;
	case JSON_ARRAY:
		json_array(json);
		for (const struct json_value *v = value->first; v; v = v->next)
			json_copy(json, v);
		json_array_end(json);
		return;
	case JSON_OBJECT:
		json_object(json);
		for (const struct json_value *v = value->first; v; v = v->next) {
			json_key(json, v->key);
			json_copy(json, v);
		}
		json_object_end(json);
		return;
	case JSON_NULL:
	case JSON_TYPE_MAX:
		json_null(json);
	}
}
