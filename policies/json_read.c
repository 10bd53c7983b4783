#include "policies/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

const char *const json_type_name[JSON_TYPE_MAX] = {
	[JSON_NULL] = "null",       [JSON_BOOL] = "true or false",
	[JSON_NUMBER] = "a number", [JSON_STRING] = "a string",
	[JSON_ARRAY] = "an array",  [JSON_OBJECT] = "an object",
};

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

static bool is_before(const struct json_value *a, const struct json_value *b)
{
	return a->key_line != b->key_line ? a->key_line < b->key_line
	                                  : a->key_column < b->key_column;
}

static int by_key(const void *a, const void *b, void *work)
{
	const struct json_value *const *one = a, *const *other = b;
	const int order = strcmp((*one)->key, (*other)->key);

	++*(size_t *)work;
	return order ? order : is_before(*one, *other) ? -1 : 1;
}

const struct json_value *json_twice(const struct json_value *object, size_t *ret_work)
{
	const struct json_value *sorted[JSON_MEMBERS_MAX], *twice = NULL;
	size_t n = 0;

	*ret_work = 0;
	for (const struct json_value *at = object->first; at && n < JSON_MEMBERS_MAX;
	     at = at->next)
		sorted[n++] = at;
	qsort_r((void *)sorted, n, sizeof(sorted[0]), by_key, ret_work);
	for (size_t i = 1; i < n; i++)
		if (!strcmp(sorted[i - 1]->key, sorted[i]->key) &&
		    (!twice || is_before(sorted[i], twice)))
			twice = sorted[i];
	return twice;
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

static int on_array_end(void *ctx)
{
	struct builder *b = ctx;

	b->depth--;
	return PROCEED;
}

static int on_object_end(void *ctx)
{
	struct builder *b = ctx;
	size_t work;
	const struct json_value *twice = json_twice(b->level[--b->depth].value, &work);

	if (!twice)
		return PROCEED;
	(void)err_set(b->err, EINVAL, "line %u: key '%s' is given twice", twice->key_line,
	              twice->key);
	return CANCEL;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_bool,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_object,
	.yajl_map_key = on_key,
	.yajl_end_map = on_object_end,
	.yajl_start_array = on_array,
	.yajl_end_array = on_array_end,
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
	const struct json_value *at =
		object && object->type == JSON_OBJECT ? object->first : NULL;

	while (at && strcmp(at->key, key) != 0)
		at = at->next;
	return at;
}

static int get(const struct json_value *object, const char *key, enum json_type type,
               const struct json_value **ret, struct err *err)
{
	const struct json_value *value;

	if (!object)
		return err_set(err, ENOENT, "key '%s' is missing, and what holds it",
		               key);
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
