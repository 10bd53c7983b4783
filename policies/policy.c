#include "policy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/nearest.h"
#include "json.h"

#define FILE_MAX (256 * 1024)
#define EXTENDS_MAX 8
#define SETTINGS_MAX 4096

static const struct {
	enum json_type json;
	const char *what;
} policy_types[POLICY_TYPE_MAX] = {
	[POLICY_TEXT] = { JSON_STRING, "a string" },
	[POLICY_BOOL] = { JSON_BOOL, "true or false" },
	[POLICY_NUMBER] = { JSON_NUMBER, "a number" },
	[POLICY_AMOUNT] = { JSON_STRING, "a number, or a string with a unit" },
	[POLICY_LIST] = { JSON_ARRAY, "an array of strings" },
	[POLICY_MAP] = { JSON_OBJECT, "an object of strings and nulls" },
};

/**
 * struct reader - A policy being read
 * @file:	which of the documents, for messages
 * @setting:	taken so far, later ones count
 * @depth:	documents that extend one another
 */
struct reader {
	struct arena *arena;
	struct err *err;
	const char *file;
	struct policy_setting *setting;
	size_t n;
	unsigned int depth;
};

static int refuse(const struct reader *reader, const struct json_value *at,
                  const char *path, const char *why)
{
	return err_set(reader->err, EINVAL, "%s:%u:%u: %s: %s", reader->file, at->line,
	               at->column, path, why);
}

static int add(struct reader *reader, const struct policy_key *key, const char *value,
               const struct json_value *at)
{
	if (!value)
		return err_set(reader->err, ENOMEM, "read '%s'", reader->file);
	if (reader->n == SETTINGS_MAX)
		return refuse(reader, at, key->path, "too many values");
	reader->setting[reader->n++] = (struct policy_setting){
		.key = key,
		.value = value,
		.file = reader->file,
		.line = at->line,
		.column = at->column,
	};
	return 0;
}

/* Drops what an earlier document said: all of a key, or one name of a map. */
static void forget(struct reader *reader, const struct policy_key *key, const char *name)
{
	size_t len = name ? strlen(name) : 0, kept = 0;

	for (size_t i = 0; i < reader->n; i++) {
		const struct policy_setting *s = &reader->setting[i];

		if (s->key != key ||
		    (name && (strncmp(s->value, name, len) || s->value[len] != '=')))
			reader->setting[kept++] = *s;
	}
	reader->n = kept;
}

static bool chosen(const struct policy_key *key, const char *text)
{
	for (const struct policy_choice *choice = key->choice; choice && choice->value;
	     choice++)
		if (!strcmp(choice->value, text))
			return true;
	return !key->choice;
}

static int not_chosen(const struct reader *reader, const struct policy_key *key,
                      const struct json_value *value)
{
	struct nearest near;
	char meant[NEAREST_TEXT_MAX];
	const char *all = "";

	nearest_begin(&near, value->text);
	for (const struct policy_choice *choice = key->choice; choice->value; choice++) {
		nearest_try(&near, choice->value);
		all = arena_printf(reader->arena, "%s%s%s", all, *all ? ", " : "",
		                   choice->value);
	}
	(void)refuse(reader, value, key->path,
	             arena_printf(reader->arena, "'%s' is not possible%s", value->text,
	                          nearest_text(&near, meant)));
	return err_hint(reader->err, "what is: %s", all);
}

static int read_map(struct reader *reader, const struct policy_key *key,
                    const struct json_value *value)
{
	for (const struct json_value *v = value->first; v; v = v->next) {
		int r = 0;

		if (v->type != JSON_STRING && v->type != JSON_NULL)
			return refuse(
				reader, v,
				arena_printf(reader->arena, "%s.%s", key->path, v->key),
				"not a string or null");
		if (*v->key == '\0' || strchr(v->key, '='))
			return refuse(
				reader, v,
				arena_printf(reader->arena, "%s.%s", key->path, v->key),
				"no name");
		forget(reader, key, v->key);
		if (v->type == JSON_STRING)
			r = add(reader, key,
			        arena_printf(reader->arena, "%s=%s", v->key, v->text), v);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_list(struct reader *reader, const struct policy_key *key,
                     const struct json_value *value)
{
	for (const struct json_value *v = value->first; v; v = v->next) {
		int r;

		if (v->type != JSON_STRING)
			return refuse(reader, v, key->path, "not an array of strings");
		r = add(reader, key, v->text, v);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_value(struct reader *reader, const struct policy_key *key,
                      const struct json_value *value)
{
	bool amount = key->type == POLICY_AMOUNT && value->type == JSON_NUMBER;

	if (value->type != policy_types[key->type].json && !amount)
		return refuse(reader, value, key->path,
		              arena_printf(reader->arena, "%s, not %s",
		                           json_type_name[value->type],
		                           policy_types[key->type].what));
	if (key->type == POLICY_MAP)
		return read_map(reader, key, value);
	if (key->type == POLICY_LIST)
		return read_list(reader, key, value);
	forget(reader, key, NULL);
	if (key->type == POLICY_BOOL)
		return add(reader, key, value->boolean ? "true" : "false", value);
	if (!chosen(key, value->text))
		return not_chosen(reader, key, value);
	return add(reader, key, value->text, value);
}

static bool below(const char *path, const char *group)
{
	size_t len = strlen(group);

	return !strncmp(path, group, len) && path[len] == '.';
}

static int unknown(const struct reader *reader, const struct json_value *at,
                   const char *path)
{
	struct nearest near;
	char meant[NEAREST_TEXT_MAX];
	const char *dot;

	nearest_begin(&near, path);
	/* Groups first: "limit" is one cut short, and no key of it. */
	for (size_t i = 0; i < policy_keys_n; i++) {
		dot = strrchr(policy_keys[i].path, '.');
		if (dot)
			nearest_try(&near, arena_printf(reader->arena, "%.*s",
			                                (int)(dot - policy_keys[i].path),
			                                policy_keys[i].path));
	}
	for (size_t i = 0; i < policy_keys_n; i++)
		nearest_try(&near, policy_keys[i].path);
	/* The right name in the wrong place is the likeliest mistake of all. */
	dot = strrchr(path, '.');
	for (size_t i = 0; i < policy_keys_n && !near.ret; i++) {
		const char *last = strrchr(policy_keys[i].path, '.');

		if (!strcmp(last ? last + 1 : policy_keys[i].path, dot ? dot + 1 : path))
			near.ret = policy_keys[i].path;
	}
	(void)err_set(reader->err, EINVAL, "%s:%u:%u: unknown key '%s'%s", reader->file,
	              at->key_line, at->key_column, path, nearest_text(&near, meant));
	if (!strncmp(path, "namespaces", strlen("namespaces")))
		return err_hint(reader->err,
		                "'berth policy explain " POLICY_DEFAULT
		                " namespaces' tells which key decides about which kind");
	return err_hint(reader->err, "'berth policy schema' lists the keys");
}

/* The members of the document, or of a group of keys in it. */
static int read_keys(struct reader *reader, const struct json_value *object,
                     const char *group)
{
	for (const struct json_value *v = object->first; v; v = v->next) {
		const char *path =
			group ? arena_printf(reader->arena, "%s.%s", group, v->key)
			      : v->key;
		const struct policy_key *key = NULL;
		bool is_group = false;
		int r;

		if (!group && !strcmp(path, "extends"))
			continue;
		for (size_t i = 0; i < policy_keys_n && !key; i++) {
			is_group |= below(policy_keys[i].path, path);
			if (!strcmp(policy_keys[i].path, path))
				key = &policy_keys[i];
		}
		if (key)
			r = read_value(reader, key, v);
		else if (!is_group)
			r = unknown(reader, v, path);
		else if (v->type != JSON_OBJECT)
			r = refuse(reader, v, path, "not an object");
		else
			r = read_keys(reader, v, path);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool is_file(const char *name)
{
	size_t len = strlen(name);

	return strchr(name, '/') || (len > 5 && !strcmp(name + len - 5, ".json"));
}

static int unknown_profile(const char *name, struct err *err)
{
	struct nearest near;
	char meant[NEAREST_TEXT_MAX];

	nearest_begin(&near, name);
	for (size_t i = 0; i < policy_profiles_n; i++)
		nearest_try(&near, policy_profiles[i].name);
	(void)err_set(err, ENOENT, "no profile '%s'%s", name, nearest_text(&near, meant));
	return err_hint(err, "'berth policy list' shows them; a file has a '/' in its "
	                     "name, or ends with .json");
}

/* The text of a profile or a file. Return: its length or -errno. */
static ssize_t get_text(struct reader *reader, const char *name, const char **ret)
{
	if (is_file(name))
		return file_slurp(AT_FDCWD, name, FILE_MAX, reader->arena, ret,
		                  reader->err);
	for (size_t i = 0; i < policy_profiles_n; i++)
		if (!strcmp(policy_profiles[i].name, name)) {
			*ret = policy_profiles[i].text;
			return (ssize_t)strlen(*ret);
		}
	return unknown_profile(name, reader->err);
}

static int read_document(struct reader *reader, const char *name);

/* What @root extends comes first. A file is looked for beside the one that names it. */
static int read_extended(struct reader *reader, const char *name,
                         const struct json_value *root)
{
	const struct json_value *extends = json_get(root, "extends");
	const char *slash = strrchr(name, '/');
	const char *other;

	if (!extends)
		return 0;
	if (extends->type != JSON_STRING)
		return refuse(reader, extends, "extends",
		              "not the name of a profile or a file");
	other = extends->text;
	if (is_file(other) && other[0] != '/' && slash)
		other = arena_printf(reader->arena, "%.*s/%s", (int)(slash - name), name,
		                     strncmp(other, "./", 2) ? other : other + 2);
	if (reader->depth == EXTENDS_MAX)
		return err_set(reader->err, ELOOP, "%s:%u:%u: extends: '%s'", name,
		               extends->line, extends->column, extends->text);
	if (read_document(reader, other) < 0)
		return reader->err->code == ENOENT
		               ? err_wrap(reader->err, "%s:%u:%u: extends", name,
		                          extends->line, extends->column)
		               : -reader->err->code;
	return 0;
}

static int read_document(struct reader *reader, const char *name)
{
	const struct json_value *root = NULL;
	const char *text = NULL;
	ssize_t size = get_text(reader, name, &text);
	int r;

	if (size < 0)
		return (int)size;
	r = json_parse_with(JSON_COMMENTS, text, (size_t)size, reader->arena, &root,
	                    reader->err);
	if (r == -EINVAL)
		(void)err_hint(reader->err,
		               "a policy is JSON with comments, and no YAML: "
		               "'berth policy schema' describes it");
	if (r < 0)
		return err_wrap(reader->err, "%s", name);
	reader->file = name;
	if (root->type != JSON_OBJECT)
		return refuse(reader, root, "the document", "not an object");
	reader->depth++;
	r = read_extended(reader, name, root);
	reader->file = name;
	return r < 0 ? r : read_keys(reader, root, NULL);
}

/*
 * The rules of a document count before those of what it extends: the first one that meets
 * decides. The documents are in the order read, what is extended first.
 */
static size_t put_rules(const struct reader *reader, const struct policy_key *key,
                        struct policy_setting *ret)
{
	size_t n = 0, end = reader->n;

	while (end > 0) {
		const char *file = reader->setting[end - 1].file;
		size_t begin = end - 1;

		while (begin > 0 && reader->setting[begin - 1].file == file)
			begin--;
		for (size_t i = begin; i < end; i++)
			if (reader->setting[i].key == key)
				ret[n++] = reader->setting[i];
		end = begin;
	}
	return n;
}

/* In the order of the table, so that two policies compare line by line. */
static void sort(struct reader *reader, struct policy_setting *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < policy_keys_n; i++) {
		if (policy_keys[i].sense == POLICY_RULES) {
			n += put_rules(reader, &policy_keys[i], ret + n);
			continue;
		}
		for (size_t j = 0; j < reader->n; j++)
			if (reader->setting[j].key == &policy_keys[i])
				ret[n++] = reader->setting[j];
	}
}

int policy_load(const char *name, struct arena *arena, struct policy *ret,
                struct err *err)
{
	struct reader reader = { .arena = arena, .err = err };
	struct policy_setting *sorted;
	int r;

	reader.setting = arena_alloc(arena, SETTINGS_MAX * sizeof(*reader.setting));
	if (!reader.setting)
		return err_set(err, ENOMEM, "read the policy '%s'", name);
	r = read_document(&reader, name);
	if (r < 0)
		return r;
	sorted = arena_alloc(arena, (reader.n + 1) * sizeof(*sorted));
	if (!sorted || arena->failed)
		return err_set(err, ENOMEM, "read the policy '%s'", name);
	sort(&reader, sorted);
	*ret = (struct policy){ .name = name, .setting = sorted, .n = reader.n };
	return 0;
}

const char *policy_origin(struct arena *arena, const struct policy_setting *setting)
{
	if (!is_file(setting->file))
		return arena_printf(arena, "profile %s", setting->file);
	return arena_printf(arena, "%s:%u", setting->file, setting->line);
}
