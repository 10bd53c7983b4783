#include "policies/policy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroups/knobs.h"
#include "policies/json.h"
#include "runtime/config.h"
#include "runtime/run.h"
#include "tests/unit/unit.h"

static char dir[] = "/tmp/test_policy.XXXXXX";

static const char *path_of(struct arena *arena, const char *name)
{
	return arena_printf(arena, "%s/%s", dir, name);
}

static void write_file(struct arena *arena, const char *name, const char *text)
{
	int fd = open(path_of(arena, name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(close(fd), 0);
}

static int enter(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int leave(void **state)
{
	static const char *const names[] = { "a.json", "b.json" };
	struct arena arena = { 0 };

	(void)state;
	for (size_t i = 0; i < 2; i++)
		(void)unlink(path_of(&arena, names[i]));
	arena_done(&arena);
	return rmdir(dir);
}

/* Every key has an option, every limit a key, and every value is taken by the option. */
static void test_keys_and_options(void **state)
{
	(void)state;
	for (size_t i = 0; i < KNOB_N; i++) {
		bool found = false;

		for (size_t j = 0; j < policy_keys_n; j++)
			found |= !strcmp(policy_keys[j].option, knob_info[i].name);
		if (!found)
			fail_msg("limit %s has no key", knob_info[i].name);
	}
	for (size_t i = 0; i < policy_keys_n; i++) {
		struct arena arena = { 0 };
		struct config config;
		struct err err = { 0 };
		char option[64];
		char *argv[] = { (char *)"run", option, NULL };

		/* Known, and it needs a value, but for those that are said by their name. */
		(void)snprintf(option, sizeof(option), "--%s", policy_keys[i].option);
		assert_int_equal(config_parse(2, argv, &arena, &config, NULL, &err),
		                 -EINVAL);
		assert_int_equal(strstr(err.text, "needs a value") == NULL,
		                 policy_keys[i].type == POLICY_BOOL &&
		                         strcmp(policy_keys[i].option, "nested") != 0);
		assert_null(strstr(err.text, "unknown"));
		arena_done(&arena);
	}
}

static void test_profiles_are_good(void **state)
{
	(void)state;
	assert_true(policy_profiles_n > 0);
	for (size_t i = 0; i < policy_profiles_n; i++) {
		struct arena arena = { 0 };
		struct policy policy;
		struct config config;
		struct err err = { 0 };

		assert_int_equal(
			policy_load(policy_profiles[i].name, &arena, &policy, &err), 0);
		assert_int_equal(config_from_policy(&policy, &arena, &config, &err), 0);
		arena_done(&arena);
	}
}

static const struct policy_setting *find(const struct policy *policy, const char *path)
{
	for (size_t i = 0; i < policy->n; i++)
		if (!strcmp(policy->setting[i].key->path, path))
			return &policy->setting[i];
	return NULL;
}

static void test_extends(void **state)
{
	struct arena arena = { 0 };
	struct policy policy;
	struct err err = { 0 };
	size_t lists = 0, names = 0;

	(void)state;
	write_file(&arena, "a.json",
	           "{ \"extends\": \"shell\", // a profile\n"
	           "  \"environment\": { \"A\": \"1\", \"B\": \"2\" },\n"
	           "  \"limits\": { \"pids\": 7, \"io\": [\"8:0:riops=1\"] } }");
	write_file(&arena, "b.json",
	           "{ \"extends\": \"./a.json\",\n"
	           "  \"environment\": { \"A\": null, \"C\": \"x=y\" }, /* gone */\n"
	           "  \"limits\": { \"io\": [\"8:1:riops=2\"] } }");
	assert_int_equal(policy_load(path_of(&arena, "b.json"), &arena, &policy, &err),
	                 0);
	assert_string_equal(find(&policy, "init")->value, "berth");
	assert_string_equal(policy_origin(&arena, find(&policy, "init")),
	                    "profile shell");
	assert_string_equal(find(&policy, "limits.pids")->value, "7");
	assert_int_equal(find(&policy, "limits.pids")->line, 3);
	for (size_t i = 0; i < policy.n; i++) {
		lists += !strcmp(policy.setting[i].key->path, "limits.io");
		if (!strcmp(policy.setting[i].key->path, "environment")) {
			names++;
			assert_string_not_equal(policy.setting[i].value, "A=1");
		}
	}
	assert_int_equal(lists, 2);
	assert_int_equal(names, 2);
	arena_done(&arena);
}

static const struct {
	const char *text, *says;
	int code;
} bad[] = {
	{ "[]", ":1:1: the document: not an object", EINVAL },
	{ "{ \"limits\": { \"memry\": 1 } }",
	  ":1:21: unknown key 'limits.memry', did you mean 'limits.memory'?", EINVAL },
	{ "{\n \"memory\": 1 }",
	  ":2:9: unknown key 'memory', did you mean 'limits.memory'?", EINVAL },
	{ "{ \"xyzzy\": 1 }", ":1:9: unknown key 'xyzzy'", EINVAL },
	{ "{ \"limits\": 3 }", ":1:13: limits: not an object", EINVAL },
	{ "{ \"init\": 3 }", "init: a number, not a string", EINVAL },
	{ "{ \"init\": \"sysv\" }", ":1:16: init: 'sysv' is not possible", EINVAL },
	{ "{ \"volumes\": \"/a:/b\" }", "volumes: a string, not an array of strings",
	  EINVAL },
	{ "{ \"volumes\": [1] }", "volumes: not an array of strings", EINVAL },
	{ "{ \"environment\": { \"A\": 1 } }", "environment.A: not a string or null",
	  EINVAL },
	{ "{ \"environment\": { \"A=B\": \"\" } }", "environment.A=B: no name", EINVAL },
	{ "{ \"extends\": \"shel\" }", "no profile 'shel', did you mean 'shell'?",
	  ENOENT },
	{ "{ \"extends\": \"./none.json\" }", ":1:26: extends", ENOENT },
	{ "{ \"extends\": \"./a.json\" }", "extends: './a.json'", ELOOP },
	{ "{ \"extends\": 1 }", "extends: not the name of a profile or a file", EINVAL },
	{ "{ \"init\": \"berth\", \"init\": \"none\" }", "'init' is given twice",
	  EINVAL },
	{ "{ \"init\": \"a\\u0000b\" }", "NUL in a string", EINVAL },
	{ "{ \"init\": }", "line 1", EINVAL },
	{ "", "line 1", EINVAL },
	{ "{ \"limits\": { \"memory\": \"3q\" } }", "limits.memory: '3q' is not a size",
	  EINVAL },
	{ "{ \"limits\": { \"pids\": 1.5 } }", "limits.pids: '1.5'", EINVAL },
	{ "{ \"limits\": { \"pids\": -1 } }", "limits.pids: '-1'", EINVAL },
	{ "{ \"audit\": { \"log\": \"/x\", \"required\": \"true\" } }",
	  "audit.required: a string, not true or false", EINVAL },
	{ "{ \"audit\": { \"log\": \"/x\", \"required\": 1 } }",
	  "audit.required: a number, not true or false", EINVAL },
	{ "{ \"audit\": { \"log\": \"/x\", \"size\": 1000 } }", "audit.size: '1000'",
	  ERANGE },
	{ "{ \"seccomp\": { \"allow\": [\"bpf\",\n \"ptrase\"] } }",
	  ":2:9: seccomp.allow: 'ptrase' is no system call", EINVAL },
	{ "{ \"seccomp\": { \"deny\": [\"read\"] } }",
	  "seccomp.deny: 'read' is never denied", EPERM },
	{ "{ \"seccomp\": { \"allow\": [\"init_module\"] } }",
	  "seccomp.allow: 'init_module' is never allowed", EPERM },
	{ "{ \"seccomp\": { \"profile\": \"warden\" } }",
	  "seccomp.profile: 'warden' is not possible", EINVAL },
	{ "{ \"seccomp\": { \"profile\": \"workspace-i386\", \"deny\": "
	  "[\"socket:AF_CAN\"] } }",
	  "'socket:AF_CAN' is denied under seccomp.profile 'workspace-i386'", EINVAL },
	{ "{ \"limits\": { \"best_effort\": [\"beer\"] } }",
	  "limits.best_effort: 'beer' is no limit", EINVAL },
};

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct arena arena = { 0 };
		struct policy policy;
		struct config config;
		struct err err = { 0 };
		int r;

		write_file(&arena, "a.json", bad[i].text);
		r = policy_load(path_of(&arena, "a.json"), &arena, &policy, &err);
		if (r == 0)
			r = config_from_policy(&policy, &arena, &config, &err);
		print_message("  %s\n", bad[i].text);
		assert_int_equal(r, -bad[i].code);
		if (!strstr(err.text, bad[i].says))
			fail_msg("'%s' is not in '%s'", bad[i].says, err.text);
		arena_done(&arena);
	}
}

/* What show prints is a policy, and the same one. */
static void test_print_and_read_again(void **state)
{
	struct arena arena = { 0 };
	struct policy policy, again;
	struct err err = { 0 };
	char *text = NULL;
	size_t size = 0;
	FILE *out;

	(void)state;
	write_file(&arena, "a.json",
	           "{ \"extends\": \"shell\", \"volumes\": [\"/a:/b\", \"/c:/d:ro\"],"
	           "  \"environment\": { \"A\": \"\", \"B\": \"x=y\" },"
	           "  \"limits\": { \"cpus\": 1.5, \"memory\": \"1g\" },"
	           "  \"stop\": { \"timeout\": 3 } }");
	assert_int_equal(policy_load(path_of(&arena, "a.json"), &arena, &policy, &err),
	                 0);
	out = open_memstream(&text, &size);
	assert_int_equal(policy_print(&policy, out, &err), 0);
	assert_int_equal(fclose(out), 0);
	write_file(&arena, "b.json", text);
	free(text);
	assert_int_equal(policy_load(path_of(&arena, "b.json"), &arena, &again, &err), 0);
	assert_int_equal(again.n, policy.n);
	for (size_t i = 0; i < policy.n; i++) {
		assert_ptr_equal(again.setting[i].key, policy.setting[i].key);
		assert_string_equal(again.setting[i].value, policy.setting[i].value);
	}
	arena_done(&arena);
}

/* The member of a schema that describes a key. */
static const struct json_value *property(const struct json_value *schema,
                                         const char *path)
{
	const struct json_value *at = json_get(schema, "properties");
	const char *dot = strchr(path, '.');
	char group[32];

	if (!dot)
		return json_get(at, path);
	(void)snprintf(group, sizeof(group), "%.*s", (int)(dot - path), path);
	at = json_get(at, group);
	return at ? json_get(json_get(at, "properties"), dot + 1) : NULL;
}

static void test_choices_are_explained(void **state)
{
	(void)state;
	for (size_t i = 0; i < policy_keys_n; i++) {
		struct policy_setting setting = { .key = &policy_keys[i] };
		size_t n = 0;

		for (; setting.key->choice && setting.key->choice[n].value; n++) {
			setting.value = setting.key->choice[n].value;
			assert_ptr_equal(policy_meaning(&setting),
			                 setting.key->choice[n].means);
			if (!*policy_meaning(&setting))
				fail_msg("%s: %s means nothing", setting.key->path,
				         setting.value);
		}
		if (setting.key->type == POLICY_BOOL && n != 2)
			fail_msg("%s: not both are explained", setting.key->path);
		setting.value = "something else";
		assert_null(policy_meaning(&setting));
	}
}

static void test_schema_has_the_keys(void **state)
{
	struct arena arena = { 0 };
	const struct json_value *schema;
	struct err err = { 0 };
	char *text = NULL;
	size_t size = 0, n = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	assert_int_equal(policy_schema(out, &err), 0);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(json_parse(text, size, &arena, &schema, &err), 0);
	for (size_t i = 0; i < policy_keys_n; i++)
		if (!property(schema, policy_keys[i].path))
			fail_msg("%s is not in the schema", policy_keys[i].path);
	for (const struct json_value *v = json_get(schema, "properties")->first; v;
	     v = v->next) {
		const struct json_value *group = json_get(v, "properties");

		n += group ? group->n : 1;
	}
	assert_int_equal(n, policy_keys_n + 1); /* and "extends" */
	free(text);
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys_and_options),
		cmocka_unit_test(test_profiles_are_good),
		cmocka_unit_test(test_extends),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_print_and_read_again),
		cmocka_unit_test(test_choices_are_explained),
		cmocka_unit_test(test_schema_has_the_keys),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
