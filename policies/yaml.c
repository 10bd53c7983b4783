#include "yaml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define ANCHORS_MAX 1000

/* Comparisons that merging may take in one file: it is quadratic. */
#define MERGE_MAX 20000000

const char *const yaml_type_name[YAML_TYPE_MAX] = {
	[YAML_NULL] = "null",     [YAML_BOOL] = "a boolean",  [YAML_INT] = "an integer",
	[YAML_FLOAT] = "a float", [YAML_STRING] = "a string", [YAML_LIST] = "a list",
	[YAML_MAP] = "a map",
};

/**
 * struct level - A list or map whose end has not come
 * @value:	it
 * @last:	the last value in it
 * @key, @key_line, @key_column: of a map: the key whose value comes next, NULL for none
 * @merge:	that key is a plain "<<"
 * @anchor:	its index in the anchors, -1 for none
 */
struct level {
	struct yaml_value *value, *last;
	const char *key;
	unsigned int key_line, key_column;
	bool merge;
	int anchor;
};

/**
 * struct reader - A file being read
 * @level:	what is open, @depth of them
 * @anchor:	of the document; its value is NULL until it is complete
 * @values:	so far, those of aliases included
 * @merged:	comparisons so far
 */
struct reader {
	const char *file;
	struct arena *arena;
	struct err *err;
	struct yaml_value *documents, *last;
	struct level level[YAML_DEPTH_MAX];
	size_t depth;
	struct {
		const char *name;
		struct yaml_value *value;
	} anchor[ANCHORS_MAX];
	int anchors;
	size_t values, merged;
};

static int refuse(struct reader *reader, int code, yaml_mark_t at, const char *what)
{
	return err_set(reader->err, code, "%s:%zu:%zu: %s", reader->file, at.line + 1,
	               at.column + 1, what);
}

static int no_memory(struct reader *reader)
{
	return err_set(reader->err, ENOMEM, "read '%s'", reader->file);
}

/* By its tag, or by its words where it has none and no quotes. */
static int type_scalar(struct reader *reader, const yaml_event_t *event,
                       struct yaml_value *value)
{
	static const struct {
		const char *tag;
		enum yaml_type type;
	} tags[] = {
		{ YAML_STR_TAG, YAML_STRING },  { "!", YAML_STRING },
		{ YAML_BOOL_TAG, YAML_BOOL },   { YAML_INT_TAG, YAML_INT },
		{ YAML_FLOAT_TAG, YAML_FLOAT }, { YAML_NULL_TAG, YAML_NULL },
	};
	const char *tag = (const char *)event->data.scalar.tag;
	bool boolean;
	enum yaml_type found = yaml_resolve(value->text, &boolean);

	if (!tag) {
		value->type = event->data.scalar.plain_implicit ? found : YAML_STRING;
		value->boolean = boolean && value->type == YAML_BOOL;
		return 0;
	}
	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		if (strcmp(tags[i].tag, tag) != 0)
			continue;
		value->type = tags[i].type;
		value->boolean = boolean && value->type == YAML_BOOL;
		if (value->type == YAML_STRING || value->type == found ||
		    (value->type == YAML_FLOAT && found == YAML_INT))
			return 0;
		return refuse(reader, EINVAL, event->start_mark,
		              arena_printf(reader->arena, "'%.40s' is not %s",
		                           value->text, yaml_type_name[value->type]));
	}
	return refuse(reader, EINVAL, event->start_mark,
	              arena_printf(reader->arena, "no type for the tag '%.60s'", tag));
}

/* Puts a complete value, or one whose content follows, where it belongs. */
static int place(struct reader *reader, struct yaml_value *value, yaml_mark_t at)
{
	struct level *level = reader->depth ? &reader->level[reader->depth - 1] : NULL;
	struct yaml_value **last = level ? &level->last : &reader->last;

	if (level && level->value->type == YAML_MAP) {
		if (!level->key) {
			(void)refuse(reader, EINVAL, at, "a key is not a scalar");
			return err_hint(reader->err,
			                "'{{' is of a chart, which has to be "
			                "rendered before: helm template");
		}
		value->key = level->key;
		value->key_line = level->key_line;
		value->key_column = level->key_column;
		value->merge = level->merge;
		level->key = NULL;
	}
	if (*last)
		(*last)->next = value;
	else if (level)
		level->value->first = value;
	else
		reader->documents->first = value;
	*last = value;
	if (level)
		level->value->n++;
	else
		reader->documents->n++;
	return 0;
}

static struct yaml_value *new_value(struct reader *reader, yaml_mark_t at)
{
	struct yaml_value *value = arena_alloc(reader->arena, sizeof(*value));

	if (!value)
		return NULL;
	value->line = (unsigned int)at.line + 1;
	value->column = (unsigned int)at.column + 1;
	value->weight = 1;
	return value;
}

static int count(struct reader *reader, size_t weight, yaml_mark_t at)
{
	reader->values += weight;
	if (weight <= YAML_VALUES_MAX && reader->values <= YAML_VALUES_MAX)
		return 0;
	return refuse(
		reader, E2BIG, at,
		arena_printf(reader->arena,
	                     "more than %d values, those of aliases counted each time",
	                     YAML_VALUES_MAX));
}

/* Return: the anchor's index, -1 for none, else -errno below that. */
static int add_anchor(struct reader *reader, const yaml_char_t *name, yaml_mark_t at)
{
	if (!name)
		return -1;
	if (reader->anchors == ANCHORS_MAX) {
		(void)refuse(reader, E2BIG, at, "more than 1000 anchors");
		return -E2BIG;
	}
	reader->anchor[reader->anchors].name =
		arena_dup(reader->arena, (const char *)name);
	reader->anchor[reader->anchors].value = NULL;
	return reader->anchors++;
}

static int read_scalar(struct reader *reader, const yaml_event_t *event)
{
	struct level *level = reader->depth ? &reader->level[reader->depth - 1] : NULL;
	const char *text = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;
	bool is_key = level && level->value->type == YAML_MAP && !level->key;
	struct yaml_value *value;
	int anchor, r;

	if (memchr(text, '\0', len))
		return refuse(reader, EINVAL, event->start_mark, "NUL in a string");
	r = count(reader, 1, event->start_mark);
	if (r < 0)
		return r;
	anchor = add_anchor(reader, event->data.scalar.anchor, event->start_mark);
	value = new_value(reader, event->start_mark);
	if (anchor < -1 || !value)
		return anchor < -1 ? anchor : no_memory(reader);
	value->text = arena_dup(reader->arena, text);
	r = type_scalar(reader, event, value);
	if (r < 0)
		return r;
	if (anchor >= 0)
		reader->anchor[anchor].value = value;
	if (!is_key)
		return place(reader, value, event->start_mark);
	level->key = value->text;
	level->key_line = value->line;
	level->key_column = value->column;
	level->merge = event->data.scalar.plain_implicit && !event->data.scalar.tag &&
	               !strcmp(value->text, "<<");
	return 0;
}

static int read_alias(struct reader *reader, const yaml_event_t *event)
{
	const char *name = (const char *)event->data.alias.anchor;
	struct yaml_value *copy, *value;
	int i = reader->anchors, r;

	/* The latest of a name counts. */
	while (--i >= 0 && strcmp(reader->anchor[i].name, name) != 0)
		;
	if (i < 0)
		return refuse(reader, EINVAL, event->start_mark,
		              arena_printf(reader->arena, "no anchor '%.60s'", name));
	value = reader->anchor[i].value;
	if (!value)
		return refuse(reader, EINVAL, event->start_mark,
		              arena_printf(reader->arena,
		                           "the anchor '%.60s' holds itself", name));
	r = count(reader, value->weight, event->start_mark);
	if (r < 0)
		return r;
	copy = arena_alloc(reader->arena, sizeof(*copy));
	if (!copy)
		return no_memory(reader);
	*copy = *value;
	copy->next = NULL;
	copy->key = NULL;
	copy->merge = false;
	return place(reader, copy, event->start_mark);
}

static int begin(struct reader *reader, enum yaml_type type, const yaml_char_t *name,
                 const char *tag, const char *own_tag, yaml_mark_t at)
{
	struct yaml_value *value = new_value(reader, at);
	int anchor = add_anchor(reader, name, at), r;

	if (anchor < -1 || !value)
		return anchor < -1 ? anchor : no_memory(reader);
	if (tag && strcmp(tag, own_tag) != 0)
		return refuse(
			reader, EINVAL, at,
			arena_printf(reader->arena, "no type for the tag '%.60s'", tag));
	if (reader->depth == YAML_DEPTH_MAX)
		return refuse(reader, EINVAL, at,
		              arena_printf(reader->arena, "nested deeper than %d levels",
		                           YAML_DEPTH_MAX));
	value->type = type;
	r = count(reader, 1, at);
	if (r == 0)
		r = place(reader, value, at);
	if (r < 0)
		return r;
	reader->level[reader->depth++] =
		(struct level){ .value = value, .anchor = anchor };
	return 0;
}

static const struct yaml_value *find(const struct yaml_value *map, const char *key,
                                     struct reader *reader)
{
	for (const struct yaml_value *v = map->first; v; v = v->next) {
		reader->merged++;
		if (!v->merge && !strcmp(v->key, key))
			return v;
	}
	return NULL;
}

/* The members of @from that @map has no own of. */
static int merge_map(struct reader *reader, struct level *level,
                     const struct yaml_value *from, yaml_mark_t at)
{
	if (from->type != YAML_MAP)
		return refuse(reader, EINVAL, at, "'<<' merges maps only");
	for (const struct yaml_value *v = from->first; v; v = v->next) {
		struct yaml_value *copy;
		int r;

		if (v->merge || find(level->value, v->key, reader))
			continue;
		if (reader->merged > MERGE_MAX)
			return refuse(reader, E2BIG, at, "'<<' merges too much");
		r = count(reader, v->weight, at);
		if (r < 0)
			return r;
		copy = arena_alloc(reader->arena, sizeof(*copy));
		if (!copy)
			return no_memory(reader);
		*copy = *v;
		copy->next = NULL;
		level->last->next = copy;
		level->last = copy;
		level->value->n++;
	}
	return 0;
}

static int merge(struct reader *reader, struct level *level, yaml_mark_t at)
{
	struct yaml_value *last = level->last; /* what is merged comes behind */

	for (const struct yaml_value *v = level->value->first; v; v = v->next) {
		int r = 0;

		if (v->merge && v->type == YAML_LIST) {
			for (const struct yaml_value *m = v->first; m && r == 0;
			     m = m->next)
				r = merge_map(reader, level, m, at);
		} else if (v->merge) {
			r = merge_map(reader, level, v, at);
		}
		if (r < 0)
			return r;
		if (v == last)
			break;
	}
	return 0;
}

static int by_key(const void *a, const void *b)
{
	const struct yaml_value *const *one = a, *const *other = b;
	int order = strcmp((*one)->key, (*other)->key);

	if (order != 0)
		return order;
	if ((*one)->key_line != (*other)->key_line)
		return (*one)->key_line < (*other)->key_line ? -1 : 1;
	return (*one)->key_column < (*other)->key_column ? -1 : 1;
}

/* A key given twice, which some readers take the first of and others the last. */
static int check_keys(struct reader *reader, const struct yaml_value *map)
{
	const struct yaml_value **sorted;
	size_t n = 0;
	int r = 0;

	if (map->n < 2)
		return 0;
	sorted = malloc(map->n * sizeof(struct yaml_value *));
	if (!sorted)
		return no_memory(reader);
	for (const struct yaml_value *v = map->first; v; v = v->next)
		sorted[n++] = v;
	qsort(sorted, n, sizeof(struct yaml_value *), by_key);
	for (size_t i = 1; i < n && r == 0; i++)
		if (!strcmp(sorted[i - 1]->key, sorted[i]->key))
			r = err_set(reader->err, EINVAL,
			            "%s:%u:%u: key '%.60s' given twice, first on line %u",
			            reader->file, sorted[i]->key_line,
			            sorted[i]->key_column, sorted[i]->key,
			            sorted[i - 1]->key_line);
	free(sorted);
	return r;
}

static int end(struct reader *reader, yaml_mark_t at)
{
	struct level *level = &reader->level[reader->depth - 1];
	struct yaml_value *value = level->value;
	int r = 0;

	if (value->type == YAML_MAP) {
		r = check_keys(reader, value);
		if (r == 0)
			r = merge(reader, level, at);
	}
	if (r < 0)
		return r;
	for (const struct yaml_value *v = value->first; v; v = v->next)
		value->weight += v->weight;
	if (level->anchor >= 0)
		reader->anchor[level->anchor].value = value;
	reader->depth--;
	return 0;
}

static int read_event(struct reader *reader, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		reader->anchors = 0;
		return 0;
	case YAML_SCALAR_EVENT:
		return read_scalar(reader, event);
	case YAML_ALIAS_EVENT:
		return read_alias(reader, event);
	case YAML_SEQUENCE_START_EVENT:
		return begin(reader, YAML_LIST, event->data.sequence_start.anchor,
		             (const char *)event->data.sequence_start.tag, YAML_SEQ_TAG,
		             event->start_mark);
	case YAML_MAPPING_START_EVENT:
		return begin(reader, YAML_MAP, event->data.mapping_start.anchor,
		             (const char *)event->data.mapping_start.tag, YAML_MAP_TAG,
		             event->start_mark);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return end(reader, event->start_mark);
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		break;
	}
	return 0;
}

static int syntax_error(struct reader *reader, const yaml_parser_t *parser)
{
	if (parser->error == YAML_MEMORY_ERROR)
		return no_memory(reader);
	if (parser->error == YAML_READER_ERROR)
		return err_set(reader->err, EINVAL, "%s:%zu:%zu: %s at byte %zu",
		               reader->file, parser->mark.line + 1,
		               parser->mark.column + 1, parser->problem,
		               parser->problem_offset);
	return err_set(reader->err, EINVAL, "%s:%zu:%zu: %s%s%s", reader->file,
	               parser->problem_mark.line + 1, parser->problem_mark.column + 1,
	               parser->problem ? parser->problem : "no YAML",
	               parser->context ? " " : "",
	               parser->context ? parser->context : "");
}

static int read_all(struct reader *reader, yaml_parser_t *parser)
{
	bool more = true;

	while (more) {
		yaml_event_t event;
		int r;

		if (!yaml_parser_parse(parser, &event))
			return syntax_error(reader, parser);
		more = event.type != YAML_STREAM_END_EVENT;
		r = read_event(reader, &event);
		yaml_event_delete(&event);
		if (r < 0)
			return r;
	}
	return reader->arena->failed ? no_memory(reader) : 0;
}

int yaml_parse(const char *file, const char *text, size_t size, struct arena *arena,
               const struct yaml_value **ret, struct err *err)
{
	struct reader *reader = arena_alloc(arena, sizeof(*reader));
	yaml_parser_t parser;
	int r;

	if (!reader)
		return err_set(err, ENOMEM, "read '%s'", file);
	reader->file = file;
	reader->arena = arena;
	reader->err = err;
	if (size > YAML_SIZE_MAX)
		return err_set(err, EFBIG, "read '%s', which has more than %zu bytes",
		               file, YAML_SIZE_MAX);
	reader->documents = arena_alloc(arena, sizeof(*reader->documents));
	if (!reader->documents || !yaml_parser_initialize(&parser))
		return no_memory(reader);
	reader->documents->type = YAML_LIST;
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
	r = read_all(reader, &parser);
	yaml_parser_delete(&parser);
	if (r < 0)
		return r;
	*ret = reader->documents;
	return 0;
}

const struct yaml_value *yaml_get(const struct yaml_value *map, const char *key)
{
	if (!map || map->type != YAML_MAP)
		return NULL;
	for (const struct yaml_value *v = map->first; v; v = v->next)
		if (!strcmp(v->key, key))
			return v;
	return NULL;
}
