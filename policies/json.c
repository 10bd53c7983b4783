#include "policies/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_gen.h>

#include "base/terminal.h"

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

/* The library's buffer is given on in one piece: its texts are one to twenty bytes long. */
#define BUFFER_MAX (32U << 10)

static void put(struct json *json, const char *data, size_t size)
{
	if (fwrite(data, 1, size, json->out) != size && json->code == 0)
		json->code = errno > 0 ? errno : EIO;
}

/*
 * The library escapes the controls of C0, as it must. Those of C1 and DEL are as good for
 * speaking to a terminal, and stand nowhere but in a string; none is cut by the buffer's end.
 */
static void pass_on(struct json *json)
{
	const unsigned char *data = NULL;
	size_t size = 0, at = 0, from = 0;
	char escape[8];

	(void)yajl_gen_get_buf(json->gen, &data, &size);
	while (at < size) {
		const size_t n = terminal_control((const char *)data + at);

		if (n == 0 || data[at] == '\n') { /* a pretty one's own */
			at++;
			continue;
		}
		if (from < at)
			put(json, (const char *)data + from, at - from);
		(void)snprintf(escape, sizeof(escape), "\\u%04x", data[at + n - 1]);
		put(json, escape, 6);
		from = at += n;
	}
	if (from < size)
		put(json, (const char *)data + from, size - from);
	yajl_gen_clear(json->gen);
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
	return json;
}

static void check(struct json *json, yajl_gen_status status)
{
	const unsigned char *data;
	size_t size;

	if (!json)
		return;
	if (status != yajl_gen_status_ok && json->code == 0)
		json->code = EINVAL;
	if (yajl_gen_get_buf(json->gen, &data, &size) == yajl_gen_status_ok &&
	    size >= BUFFER_MAX)
		pass_on(json);
}

int json_close(struct json *json)
{
	int code;

	if (!json)
		return -ENOMEM;
	/* The library says "complete" to a call that comes after a whole document. */
	if (json->code == 0 && yajl_gen_null(json->gen) != yajl_gen_generation_complete)
		json->code = EINVAL;
	pass_on(json);
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
		size_t len = (unsigned char)value[at] < 0x80
		                     ? 1
		                     : json_utf8(value + at, size - at);

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
