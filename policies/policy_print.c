#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "json.h"
#include "policy.h"

/* The length of "limits" in "limits.memory", 0 where a key stands by itself. */
static size_t group_len(const struct policy_key *key)
{
	const char *dot = strchr(key->path, '.');

	return dot ? (size_t)(dot - key->path) : 0;
}

static bool same_group(const struct policy_key *a, const struct policy_key *b)
{
	size_t len = group_len(a);

	return group_len(b) == len && !strncmp(a->path, b->path, len);
}

/* "a=b" as a member of an object. */
static void put_pair(struct json *json, struct arena *arena, const char *value)
{
	int len = (int)strcspn(value, "=");

	json_put_string(json, arena_printf(arena, "%.*s", len, value), value + len + 1);
}

const char *policy_meaning(const struct policy_setting *setting)
{
	for (const struct policy_choice *c = setting->key->choice; c && c->value; c++)
		if (!strcmp(c->value, setting->value))
			return c->means;
	return NULL;
}

/* All settings of one key, @n of them. */
static void put_settings(struct json *json, struct arena *arena,
                         const struct policy_setting *setting, size_t n)
{
	const struct policy_key *key = setting->key;

	json_key(json, key->path + group_len(key) + (group_len(key) > 0));
	switch (key->type) {
	case POLICY_LIST:
		json_array(json);
		for (size_t i = 0; i < n; i++)
			json_string(json, setting[i].value);
		json_array_end(json);
		return;
	case POLICY_MAP:
		json_object(json);
		for (size_t i = 0; i < n; i++)
			put_pair(json, arena, setting[i].value);
		json_object_end(json);
		return;
	case POLICY_BOOL:
		json_bool(json, !strcmp(setting->value, "true"));
		return;
	case POLICY_NUMBER:
		json_copy(json, &(struct json_value){ .type = JSON_NUMBER,
		                                      .text = setting->value });
		return;
	case POLICY_TEXT:
	case POLICY_AMOUNT:
	case POLICY_TYPE_MAX:
		json_string(json, setting->value);
	}
}

int policy_print(const struct policy *policy, FILE *out, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	struct json *json = json_open(out, true);
	int r;

	json_object(json);
	for (size_t i = 0, n; i < policy->n; i += n) {
		const struct policy_setting *s = &policy->setting[i];
		bool grouped = group_len(s->key) > 0;

		for (n = 1; i + n < policy->n && s[n].key == s->key;)
			n++;
		if (grouped && (i == 0 || !same_group(s[-1].key, s->key))) {
			json_key(json,
			         arena_printf(&arena, "%.*s", (int)group_len(s->key),
			                      s->key->path));
			json_object(json);
		}
		put_settings(json, &arena, s, n);
		if (grouped && (i + n == policy->n || !same_group(s[n].key, s->key)))
			json_object_end(json);
	}
	json_object_end(json);
	r = json_close(json);
	return r < 0 ? err_set(err, -r, "print the policy") : 0;
}

static void put_type(struct json *json, const char *type)
{
	json_key(json, "type");
	json_string(json, type);
}

/* What may stand behind a key. */
static void put_property(struct json *json, const struct policy_key *key)
{
	static const char *const amount[] = { "number", "string" };
	static const char *const map[] = { "string", "null" };

	json_key(json, key->path + group_len(key) + (group_len(key) > 0));
	json_object(json);
	json_put_string(json, "description", key->about);
	switch (key->type) {
	case POLICY_TEXT:
		put_type(json, "string");
		break;
	case POLICY_BOOL:
		put_type(json, "boolean");
		break;
	case POLICY_NUMBER:
		put_type(json, "number");
		break;
	case POLICY_AMOUNT:
		json_put_strings(json, "type", amount, 2);
		break;
	case POLICY_LIST:
		put_type(json, "array");
		json_key(json, "items");
		json_object(json);
		put_type(json, "string");
		json_object_end(json);
		break;
	case POLICY_MAP:
		put_type(json, "object");
		json_key(json, "additionalProperties");
		json_object(json);
		json_put_strings(json, "type", map, 2);
		json_object_end(json);
		break;
	case POLICY_TYPE_MAX:
		break;
	}
	if (key->choice && key->type != POLICY_BOOL) {
		json_key(json, "enum");
		json_array(json);
		for (const struct policy_choice *c = key->choice; c->value; c++)
			json_string(json, c->value);
		json_array_end(json);
	}
	json_object_end(json);
}

int policy_schema(FILE *out, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	struct json *json = json_open(out, true);
	int r;

	json_object(json);
	json_put_string(json, "$schema", "https://json-schema.org/draft/2020-12/schema");
	json_put_string(json, "title", "berth policy");
	put_type(json, "object");
	json_put_bool(json, "additionalProperties", false);
	json_key(json, "properties");
	json_object(json);
	json_key(json, "extends");
	json_object(json);
	json_put_string(json, "description",
	                "is a profile, or a file beside this one, whose values count "
	                "where this one has none");
	put_type(json, "string");
	json_object_end(json);
	for (size_t i = 0; i < policy_keys_n; i++) {
		const struct policy_key *key = &policy_keys[i];
		bool grouped = group_len(key) > 0;

		if (grouped && (i == 0 || !same_group(key - 1, key))) {
			json_key(json, arena_printf(&arena, "%.*s", (int)group_len(key),
			                            key->path));
			json_object(json);
			put_type(json, "object");
			json_put_bool(json, "additionalProperties", false);
			json_key(json, "properties");
			json_object(json);
		}
		put_property(json, key);
		if (grouped && (i + 1 == policy_keys_n || !same_group(key + 1, key))) {
			json_object_end(json);
			json_object_end(json);
		}
	}
	json_object_end(json);
	json_object_end(json);
	r = json_close(json);
	return r < 0 ? err_set(err, -r, "print the schema") : 0;
}
