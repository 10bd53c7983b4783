#include "config_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policies/policy.h"
#include "run.h"
#include "tests/unit/unit.h"

#define WORDS_MAX 8

static int parse(const char *const *word, const char *const *env, struct arena *arena,
                 struct config *ret, struct err *err)
{
	char **argv = arena_alloc(arena, (WORDS_MAX + 2) * sizeof(*argv));
	int argc = 0;

	argv[argc++] = (char *)arena_dup(arena, "entrypoint");
	while (*word)
		argv[argc++] = (char *)arena_dup(arena, *word++);
	return config_parse_entrypoint(argc, argv, (char *const *)env, arena, ret, err);
}

/* "WHERE:KEY=VALUE" of each value that was given, in the order that counts. */
static const char *origins(struct arena *arena, const struct config *c)
{
	const char *text = "";

	for (size_t i = 0; i < c->origin_n; i++)
		text = arena_printf(arena, "%s%s%s:%s=%s", text, i ? " " : "",
		                    c->origin[i].where, c->origin[i].key,
		                    c->origin[i].value);
	return text;
}

/* What a whole machine has where no policy is named. */
#define DEFAULT                                                                     \
	"profile systemd-docker:init=auto profile systemd-docker:limits.pids=8192 " \
	"profile systemd-docker:limits.best_effort=pids"

static const struct good_case {
	const char *env[WORDS_MAX];
	const char *word[WORDS_MAX];
	const char *origin;
} good_cases[] = {
	{ { NULL }, { NULL }, DEFAULT },
	{ { "HOME=/root", "PATH=/bin", "BERTHS=1" }, { NULL }, DEFAULT },
	{ { "BERTH_CPUS=2" }, { NULL }, DEFAULT " BERTH_CPUS:limits.cpus=2" },
	{ { "BERTH_CPUS=2" },
	  { "--cpus", "3" },
	  DEFAULT " BERTH_CPUS:limits.cpus=2 --cpus:limits.cpus=3" },
	{ { "BERTH_RATE_DOWN=5mbit", "BERTH_ROOTFS=/srv/x:O" },
	  { NULL },
	  DEFAULT
	  " BERTH_ROOTFS:rootfs=/srv/x:O BERTH_RATE_DOWN:network.rate_down=5mbit" },
	{ { "BERTH_PUBLISH=8080:80,8443:443\n53:53/udp\n" },
	  { NULL },
	  DEFAULT " BERTH_PUBLISH:network.publish=8080:80 "
	          "BERTH_PUBLISH:network.publish=8443:443 "
	          "BERTH_PUBLISH:network.publish=53:53/udp" },
	{ { "BERTH_ENV=A=1,2\n\nB=3" },
	  { NULL },
	  DEFAULT " BERTH_ENV:environment=A=1,2 BERTH_ENV:environment=B=3" },
	{ { "BERTH_ENV=HOME" }, { NULL }, DEFAULT " BERTH_ENV:pass_environment=HOME" },
	{ { "BERTH_PUBLISH=auto", "BERTH_PUBLISH_ALLOW=80,81" },
	  { NULL },
	  DEFAULT
	  " BERTH_PUBLISH:network.publish=auto BERTH_PUBLISH_ALLOW:network.publish_allow="
	  "80,81" },
	{ { "BERTH_POLICY=none", "BERTH_CPUS=2" }, { NULL }, "BERTH_CPUS:limits.cpus=2" },
	{ { "BERTH_CPUS=2" }, { "--", "true" }, "BERTH_CPUS:limits.cpus=2" },
	{ { "BERTH_POLICY=shell", "BERTH_MEMORY=1g" }, { "--memory", "2g" }, NULL },
	{ { "BERTH_SCOPE=berth-x.scope", "BERTH_SCOPE_POLICY=shell", "BERTH_RM=false" },
	  { NULL },
	  DEFAULT },
	/* What the kubelet sets where a Service is called berth, or berth-web. */
	{ { "BERTH_SERVICE_HOST=10.0.0.1", "BERTH_SERVICE_PORT=80",
	    "BERTH_PORT=tcp://10.0.0.1:80", "BERTH_PORT_80_TCP_ADDR=10.0.0.1" },
	  { NULL },
	  DEFAULT },
	{ { "BERTH_WEB_SERVICE_HOST=10.0.0.1", "BERTH_WEB_PORT=tcp://10.0.0.1:80",
	    "BERTH_CPUS=1" },
	  { NULL },
	  DEFAULT " BERTH_CPUS:limits.cpus=1" },
};

static void test_good(void **state)
{
	(void)state;

	for (size_t i = 0; i < N_ELEMENTS(good_cases); i++) {
		const struct good_case *c = &good_cases[i];
		cleanup_arena struct arena arena = { 0 };
		struct config config = { 0 };
		struct err err = { 0 };
		char host[256] = "";

		print_message("  %s\n", c->env[0] ? c->env[0] : "nothing");
		assert_int_equal(parse(c->word, c->env, &arena, &config, &err), 0);
		if (c->origin)
			assert_string_equal(origins(&arena, &config), c->origin);
		assert_string_equal(config.name, "workspace");
		assert_int_equal(gethostname(host, sizeof(host)), 0);
		assert_string_equal(config.hostname, host);
		assert_int_equal(config.stop_timeout_s, 25);
		assert_true(config.entrypoint);
		assert_false(config.remove);
	}
}

static const struct bad_case {
	const char *env, *text, *hint;
} bad_cases[] = {
	{ "BERTH_CPU=2", "unknown variable 'BERTH_CPU', did you mean 'BERTH_CPUS'?",
	  "--variables" },
	{ "BERTH_PORT=tcp://1", "unknown variable 'BERTH_PORT'", "--variables" },
	{ "BERTH_=1", "unknown variable 'BERTH_'", "--variables" },
	{ "BERTH_DETACH=true", "unknown variable 'BERTH_DETACH'", "--variables" },
	{ "BERTH_FORMAT=json", "unknown variable 'BERTH_FORMAT'", "--variables" },
	{ "BERTH_ENTRYPOINT=true", "unknown variable 'BERTH_ENTRYPOINT'", "--variables" },
	{ "BERTH_cpus=1", "unknown variable 'BERTH_cpus'", "--variables" },
	{ "BERTH_MEMORY=", "BERTH_MEMORY is empty", "leave the variable out" },
	{ "BERTH_PUBLISH=\n,\n", "BERTH_PUBLISH is empty", "leave the variable out" },
	{ "BERTH_MEMORY=much", "BERTH_MEMORY: 'much'", "" },
	{ "BERTH_RM=1", "BERTH_RM: '1' is not true or false", "" },
	{ "BERTH_VOLUME=/a:/a,/b:/b", "'/b' is not ro, rw, U, own or seed", "" },
	{ "BERTH_EGRESS=allow:10.0.0.0/8\nperhaps:x", "BERTH_EGRESS: 'perhaps:x'", "" },
	{ "BERTH_POLICY=strictt", "no profile 'strictt', did you mean 'strict'?", "" },
};

static void test_bad(void **state)
{
	(void)state;

	for (size_t i = 0; i < N_ELEMENTS(bad_cases); i++) {
		const struct bad_case *c = &bad_cases[i];
		const char *const none[] = { NULL };
		const char *const env[] = { c->env, NULL };
		cleanup_arena struct arena arena = { 0 };
		struct config config = { 0 };
		struct err err = { 0 };

		print_message("  %s\n", c->env);
		assert_true(parse(none, env, &arena, &config, &err) < 0);
		if (!strstr(err.text, c->text))
			assert_string_equal(err.text, c->text);
		assert_non_null(strstr(err.hint, c->hint));
		assert_string_equal(err.step, "options");
		assert_null(config.name);
	}
}

/* The first rule that meets decides: an option's, then a variable's, then a policy's. */
static void test_rules(void **state)
{
	const char *const env[] = { "BERTH_POLICY=/dev/stdin",
		                    "BERTH_EGRESS=deny:10.0.0.2\ndeny:10.0.0.3", NULL };
	const char *const word[] = { "--egress", "deny:10.0.0.1", NULL };
	const char *const want[] = { "deny:10.0.0.1", "deny:10.0.0.2", "deny:10.0.0.3",
		                     "deny:10.0.0.4" };
	static const char policy[] = "{\"network\": {\"egress\": [\"deny:10.0.0.4\"]}}";
	cleanup_arena struct arena arena = { 0 };
	struct config config = { 0 };
	struct err err = { 0 };
	char path[] = "/tmp/berth-test-XXXXXX.json";
	const char *given[] = { NULL, env[1], NULL };
	int fd = mkstemps(path, 5);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, policy, strlen(policy)), (ssize_t)strlen(policy));
	(void)close(fd);
	given[0] = arena_printf(&arena, "BERTH_POLICY=%s", path);
	assert_int_equal(parse(word, given, &arena, &config, &err), 0);
	(void)unlink(path);
	assert_int_equal(config.egress_n, N_ELEMENTS(want));
	for (size_t i = 0; i < N_ELEMENTS(want); i++)
		assert_string_equal(config.egress[i], want[i]);
}

/* Every option is a variable, no two are the same, and lists are those of a policy. */
static void test_table(void **state)
{
	struct option row[CONFIG_OPTIONS_MAX];
	size_t n = config_options(CONFIG_VARIABLES, row);
	cleanup_arena struct arena arena = { 0 };

	(void)state;
	assert_true(n > 40);
	for (size_t i = 0; i < n; i++) {
		const char *name = config_variable(row[i].name, &arena);

		assert_int_equal(strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"),
		                 strlen(name));
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(name,
			                        config_variable(row[j].name, &arena));
	}
	assert_true(config_repeats("volume"));
	assert_true(config_repeats("env"));
	assert_false(config_repeats("best-effort"));
	assert_false(config_repeats("name"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
