#ifndef YAML_READER_H
#define YAML_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

/* Deeper documents are refused. */
#define YAML_DEPTH_MAX 64

/* More values in one file are refused; those of an alias count each time it is used. */
#define YAML_VALUES_MAX 500000

/* Larger files are refused, bytes. */
#define YAML_SIZE_MAX ((size_t)8 << 20)

/* What Kubernetes makes of a value: plain scalars by the words of YAML 1.1, as its own
 * reader does. "yes" is true, and 'yes' in quotes a string. */
enum yaml_type {
	YAML_NULL,
	YAML_BOOL,
	YAML_INT,
	YAML_FLOAT,
	YAML_STRING,
	YAML_LIST,
	YAML_MAP,
	YAML_TYPE_MAX,
};

/* "an integer", "a map": for messages. */
extern const char *const yaml_type_name[YAML_TYPE_MAX];

/**
 * struct yaml_value - A value and its place
 * @type:	which of the others is set
 * @boolean:	of YAML_BOOL
 * @merge:	it stands behind a plain "<<"
 * @key:	of a member of a map, else NULL
 * @text:	of a scalar, as it was written
 * @line, @column: where it begins, from 1; columns count characters. A value that came by
 *		an alias keeps the place of its anchor
 * @key_line, @key_column: where its key begins
 * @first:	of YAML_LIST and YAML_MAP: the first value in it
 * @next:	the next value in the same list or map
 * @n:		number of values in a list or map
 * @weight:	number of values in it, itself and all below counted
 */
struct yaml_value {
	enum yaml_type type;
	bool boolean, merge;
	const char *key, *text;
	unsigned int line, column, key_line, key_column;
	struct yaml_value *first, *next;
	size_t n, weight;
};

/**
 * yaml_parse() - Read all documents of a file
 * @file:	its name, for messages
 * @text:	UTF-8, or UTF-16 with a byte order mark
 * @size:	of @text, bytes
 * @arena:	owns the result
 * @ret:	a YAML_LIST of the documents, set on success only
 * @err:	"FILE:LINE:COLUMN: what is wrong"
 *
 * Refused beside what YAML forbids: a key given twice, keys that are no scalars, NUL in
 * a string, tags that JSON has no type for, an anchor that holds itself, and more than
 * the limits above. Keys of "<<" are merged.
 *
 * Return: 0; -EINVAL; -EFBIG above YAML_SIZE_MAX; -E2BIG above YAML_VALUES_MAX; -ENOMEM.
 */
int yaml_parse(const char *file, const char *text, size_t size, struct arena *arena,
               const struct yaml_value **ret, struct err *err);

/* The member of a map, NULL where there is none, or where @map is NULL or no map. */
const struct yaml_value *yaml_get(const struct yaml_value *map, const char *key);

/* For yaml_parse(): what a scalar without tag and quotes is, yaml_resolve.c; @ret_boolean where it is
 * a boolean. */
enum yaml_type yaml_resolve(const char *text, bool *ret_boolean);

#endif
