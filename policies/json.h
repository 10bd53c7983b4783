#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/err.h"

/* Deeper documents are refused. */
#define JSON_DEPTH_MAX 32

/* Objects with more keys are refused: who looks for one walks over all. */
#define JSON_MEMBERS_MAX 4096

/* Writing */

struct json;

/**
 * json_open() - Begin a document
 * @out:	borrowed; open_memstream(3) makes one of a buffer
 * @pretty:	indented, for people; else on one line
 *
 * The functions below never fail by themselves: json_close() tells.
 *
 * Return: a writer, or NULL where there is no memory.
 */
struct json *json_open(FILE *out, bool pretty);

/**
 * json_close() - End a document
 * @json:	from json_open(), may be NULL; gone afterwards
 *
 * Return: 0; -ENOMEM for NULL; -EINVAL for calls that make no document; -errno of
 * writing to the file.
 */
int json_close(struct json *json);

void json_object(struct json *json);
void json_object_end(struct json *json);
void json_array(struct json *json);
void json_array_end(struct json *json);
void json_key(struct json *json, const char *key);

/* NULL is written as null; bytes that are not UTF-8 as U+FFFD, what a terminal obeys escaped. */
void json_string(struct json *json, const char *value);
void json_number(struct json *json, int64_t value);
void json_unsigned(struct json *json, uint64_t value);
void json_bool(struct json *json, bool value);
void json_null(struct json *json);

/* One member of an object. */
void json_put_string(struct json *json, const char *key, const char *value);
void json_put_number(struct json *json, const char *key, int64_t value);
void json_put_unsigned(struct json *json, const char *key, uint64_t value);
void json_put_bool(struct json *json, const char *key, bool value);
void json_put_strings(struct json *json, const char *key, const char *const *value,
                      size_t n);

/* Reading */

enum json_type {
	JSON_NULL,
	JSON_BOOL,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
	JSON_TYPE_MAX,
};

/* Comments as of C and C++ may stand where a blank may: for files that people write. */
#define JSON_COMMENTS (1U << 0)

/* "a number", "an object": for messages. */
extern const char *const json_type_name[JSON_TYPE_MAX];

/**
 * struct json_value - A value and its place
 * @type:	which of the others is set
 * @key:	of a member of an object, else NULL
 * @line, @column: of its last character, of an object or array the first one, from 1;
 *		columns count bytes
 * @key_line, @key_column: of the quote that ends its key
 * @boolean:	of JSON_BOOL
 * @text:	of JSON_STRING; of JSON_NUMBER as it was written
 * @first:	of JSON_ARRAY and JSON_OBJECT: the first value in it
 * @next:	the next value in the same array or object
 * @n:		number of values in an array or object
 */
struct json_value {
	enum json_type type;
	const char *key;
	unsigned int line, column, key_line, key_column;
	bool boolean;
	const char *text;
	const struct json_value *first, *next;
	size_t n;
};

/**
 * json_twice() - The first key of an object that it had before
 * @object:	JSON_OBJECT, with JSON_MEMBERS_MAX keys at most
 * @ret_work:	how often two keys were compared: n log n times, whoever wrote the document
 *
 * json_parse() refuses such an object.
 *
 * Return: the later one of both members; NULL where there is none.
 */
const struct json_value *json_twice(const struct json_value *object, size_t *ret_work);

/**
 * json_parse_with() - Read a document
 * @syntax:	JSON_COMMENTS, or 0 for what RFC 8259 calls JSON
 * @text:	UTF-8
 * @size:	of @text, bytes
 * @arena:	owns the result
 * @ret:	set on success only
 * @err:	says the line on failure
 *
 * Refused beside what RFC 8259 forbids: a key given twice, NUL in a string
 * (nothing here can hold one), more than JSON_DEPTH_MAX levels or JSON_MEMBERS_MAX
 * keys in one object, anything behind the document.
 *
 * Return: 0; -EINVAL for what is no such document; -ENOMEM.
 */
int json_parse_with(unsigned int syntax, const char *text, size_t size,
                    struct arena *arena, const struct json_value **ret, struct err *err);

static inline int json_parse(const char *text, size_t size, struct arena *arena,
                             const struct json_value **ret, struct err *err)
{
	return json_parse_with(0, text, size, arena, ret, err);
}

/* The member of an object; NULL where it has none, for what is no object, and for NULL: so lookups
 * can be chained. */
const struct json_value *json_get(const struct json_value *object, const char *key);

/**
 * json_get_string() - The member of an object, which has to be a string
 * @object:	a value of any type, or NULL
 * @key:	the member's name
 * @ret:	borrowed from the document, set on success only
 * @err:	quotes @key on failure
 *
 * Return: 0; -ENOENT where it is missing, or @object; -EINVAL where it, or @object, is of another
 * type. So do the next ones.
 */
int json_get_string(const struct json_value *object, const char *key, const char **ret,
                    struct err *err);
int json_get_bool(const struct json_value *object, const char *key, bool *ret,
                  struct err *err);
int json_get_array(const struct json_value *object, const char *key,
                   const struct json_value **ret, struct err *err);
int json_get_object(const struct json_value *object, const char *key,
                    const struct json_value **ret, struct err *err);

/* An integer; also -ERANGE where it is not in @min..@max. */
int json_get_number(const struct json_value *object, const char *key, int64_t min,
                    int64_t max, int64_t *ret, struct err *err);

/**
 * json_copy() - Write a value that was read
 * @json:	the document being written
 * @value:	with all that is in it; numbers as they were written
 */
void json_copy(struct json *json, const struct json_value *value);

/**
 * json_utf8() - Length of the UTF-8 character at the start of a text
 * @text:	at least one byte
 * @size:	of @text, bytes
 *
 * Return: 1 to 4; 0 where the bytes are not UTF-8 (RFC 3629).
 */
size_t json_utf8(const char *text, size_t size);

#endif
