#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run.h"
#include "tests/unit/unit.h"

#define WORDS_MAX 24

/* Parses "run --policy @policy" and @word, which ends with NULL; @policy may be. */
static int parse_below(const char *policy, const char *const *word, struct arena *arena,
                       struct config *ret, struct err *err)
{
	char **argv = arena_alloc(arena, (WORDS_MAX + 4) * sizeof(*argv));
	int argc = 0;

	argv[argc++] = (char *)arena_dup(arena, "run");
	if (policy) {
		argv[argc++] = (char *)arena_dup(arena, "--policy");
		argv[argc++] = (char *)arena_dup(arena, policy);
	}
	while (*word)
		argv[argc++] = (char *)arena_dup(arena, *word++);
	return config_parse(argc, argv, arena, ret, NULL, err);
}

/* Of the words alone. */
static int parse(const char *const *word, struct arena *arena, struct config *ret,
                 struct err *err)
{
	return parse_below(POLICY_NONE, word, arena, ret, err);
}

/* "KEY=VALUE " for all that is not as run without options has it, but the name. */
static const char *differences(struct arena *arena, const struct config *c)
{
	const struct {
		const char *key, *value, *usual;
	} texts[] = {
		{ "rootfs", c->rootfs, "host" },
		{ "init", init_mode_name[c->init], "auto" },
		{ "net", net_mode_name[c->net], "auto" },
		{ "rate-down", c->rate_down, "" },
		{ "rate-up", c->rate_up, "" },
		{ "user", c->user, "" },
		{ "workdir", c->workdir, "" },
		{ "hostname", c->hostname, c->name },
		{ "state", c->state, "" },
	};
	const struct {
		const char *key;
		uint64_t value;
	} numbers[] = {
		{ "stop-timeout", c->stop_timeout_s },
	};
	const struct {
		const char *key;
		bool value;
	} flags[] = {
		{ "overlay", c->overlay }, { "detach", c->detach },
		{ "rm", c->remove },       { "interactive", c->interactive },
		{ "tty", c->tty },
	};
	const char *text = "";

	for (size_t i = 0; i < c->limit_n; i++)
		text = arena_printf(arena, "%s%s=%s ", text,
		                    knob_info[c->limit[i].knob].name, c->limit[i].text);
	if (c->best_effort)
		text = arena_printf(arena, "%sbest-effort=%s ", text, c->best_effort);
	for (size_t i = 0; i < N_ELEMENTS(texts); i++)
		if (strcmp(texts[i].value ? texts[i].value : "", texts[i].usual) != 0)
			text = arena_printf(arena, "%s%s=%s ", text, texts[i].key,
			                    texts[i].value);
	for (size_t i = 0; i < N_ELEMENTS(numbers); i++)
		if (numbers[i].value != LIMIT_UNSET)
			text = arena_printf(arena, "%s%s=%llu ", text, numbers[i].key,
			                    (unsigned long long)numbers[i].value);
	for (size_t i = 0; i < BUDGET_N; i++)
		if (c->budget[i] != LIMIT_UNSET)
			text = arena_printf(arena, "%s%s=%llu ", text,
			                    budget_info[i].name,
			                    (unsigned long long)c->budget[i]);
	for (size_t i = 0; i < N_ELEMENTS(flags); i++)
		if (flags[i].value)
			text = arena_printf(arena, "%s%s ", text, flags[i].key);
	for (size_t i = 0; i < c->volume_n; i++)
		text = arena_printf(arena, "%svolume=%s>%s%s ", text, c->volume[i].source,
		                    c->volume[i].target,
		                    c->volume[i].read_only ? ",ro" : "");
	for (size_t i = 0; i < c->env_n; i++)
		text = arena_printf(arena, "%senv=%s ", text, c->env[i]);
	for (size_t i = 0; c->uid_map && i < c->uid_map->n; i++)
		text = arena_printf(
			arena, "%suid=%u:%u:%u ", text, c->uid_map->extent[i].inside,
			c->uid_map->extent[i].outside, c->uid_map->extent[i].count);
	for (size_t i = 0; c->gid_map && i < c->gid_map->n; i++)
		text = arena_printf(
			arena, "%sgid=%u:%u:%u ", text, c->gid_map->extent[i].inside,
			c->gid_map->extent[i].outside, c->gid_map->extent[i].count);
	for (size_t i = 0; c->command && c->command[i]; i++)
		text = arena_printf(arena, "%s[%s]", text, c->command[i]);
	return text;
}

static const struct good_case {
	const char *word[WORDS_MAX];
	const char *want;
} good_cases[] = {
	{ { NULL }, "" },
	{ { "--rootfs", "host" }, "" },
	{ { "--rootfs", "/srv/debian" }, "rootfs=/srv/debian " },
	{ { "--rootfs=/srv/debian" }, "rootfs=/srv/debian " },
	{ { "--rootfs", "/srv//debian/" }, "rootfs=/srv/debian " },
	{ { "--rootfs", "/srv/debian:O" }, "rootfs=/srv/debian overlay " },
	{ { "--rootfs", "/srv/a b" }, "rootfs=/srv/a b " },
	{ { "--rootfs", "/srv/..." }, "rootfs=/srv/... " },
	{ { "--rootfs", "/srv/.hidden" }, "rootfs=/srv/.hidden " },
	{ { "--init", "auto" }, "" },
	{ { "--init", "systemd" }, "init=systemd " },
	{ { "--init", "berth" }, "init=berth " },
	{ { "--init", "none", "true" }, "init=none [true]" },
	{ { "--net", "none" }, "net=none " },
	{ { "--net", "host" }, "net=host " },
	{ { "--net", "relay" }, "net=relay " },
	{ { "--net", "auto" }, "" },
	{ { "--rate-down", "100mbit", "--rate-up", "10MB" },
	  "rate-down=100mbit rate-up=10MB " },
	{ { "-v", "/src:/dst" }, "volume=/src>/dst " },
	{ { "-v/src:/dst" }, "volume=/src>/dst " },
	{ { "--volume", "/src:/dst:ro" }, "volume=/src>/dst,ro " },
	{ { "-v", "/src:/dst:rw" }, "volume=/src>/dst " },
	{ { "-v", "/:/host:ro" }, "volume=/>/host,ro " },
	{ { "-v", "/src/:/dst//deep/" }, "volume=/src>/dst/deep " },
	{ { "-v", "/b:/b", "-v", "/a:/a" }, "volume=/b>/b volume=/a>/a " },
	{ { "-e", "K=V" }, "env=K=V " },
	{ { "-e", "K=" }, "env=K= " },
	{ { "-e", "K=a=b c" }, "env=K=a=b c " },
	{ { "--env", "BERTH_TEST_GIVEN" }, "env=BERTH_TEST_GIVEN=from outside " },
	{ { "--env", "BERTH_TEST_ABSENT" }, "" },
	{ { "-e", "A=1", "-e", "A=2" }, "env=A=1 env=A=2 " },
	{ { "--uidmap", "5:7:9", "--uidmap=0:1000", "--gidmap", "0:3:2" },
	  "uid=5:7:9 uid=0:1000:1 gid=0:3:2 " },
	{ { "-u", "dev" }, "user=dev " },
	{ { "--user", "1000:1000" }, "user=1000:1000 " },
	{ { "-w", "/home/dev" }, "workdir=/home/dev " },
	{ { "--workdir", "/" }, "workdir=/ " },
	{ { "--hostname", "box.example" }, "hostname=box.example " },
	{ { "--pids", "1" }, "pids=1 " },
	{ { "--pids", "4194304" }, "pids=4194304 " },
	{ { "--watches", "1000" }, "watches=1000 " },
	{ { "--user-namespaces", "0" }, "user-namespaces=0 " },
	{ { "--message-queues", "64k" }, "message-queues=65536 " },
	{ { "--locked-shm", "64k" }, "locked-shm=65536 " },
	{ { "--pending-signals", "9", "--best-effort", "pending-signals" },
	  "best-effort=pending-signals pending-signals=9 " },
	{ { "--cpus", "1.5", "--cpu-weight", "50", "--cpuset", "0-3,7" },
	  "cpus=1.5 cpu-weight=50 cpuset=0-3,7 " },
	{ { "--memory", "512m", "--memory-high", "400m", "--swap", "0" },
	  "memory=512m memory-high=400m swap=0 " },
	{ { "--memory", "1g", "--memory=2g" }, "memory=2g " },
	{ { "--io", "8:0:rbps=1m", "--io", "8:0:wbps=1m" },
	  "io=8:0:rbps=1m io=8:0:wbps=1m " },
	{ { "--hugetlb", "2m:4m", "--hugetlb", "1g:1g", "--hugetlb", "2m:8m" },
	  "hugetlb=2m:8m hugetlb=1g:1g " },
	{ { "--max-descendants", "10", "--max-depth", "3" },
	  "max-descendants=10 max-depth=3 " },
	{ { "--best-effort", "cpus,watches", "--best-effort", "memory" },
	  "best-effort=cpus,watches,memory " },
	{ { "--best-effort", "cpus", "--best-effort", "memory,cpus" },
	  "best-effort=cpus,memory " },
	{ { "--inotify-instances", "128" }, "inotify-instances=128 " },
	{ { "--state", "/var/lib/berth" }, "state=/var/lib/berth " },
	{ { "--state", "/v", "--rootfs", "/r:O" }, "rootfs=/r state=/v overlay " },
	{ { "--stop-timeout", "0" }, "stop-timeout=0 " },
	{ { "--stop-timeout", "86400" }, "stop-timeout=86400 " },
	{ { "-d" }, "detach " },
	{ { "--detach", "--rm" }, "detach rm " },
	{ { "-it" }, "interactive tty " },
	{ { "-i", "-t", "sh", "-c", "exit 3" }, "interactive tty [sh][-c][exit 3]" },
	{ { "--rm", "--", "-x" }, "rm [-x]" },
	{ { "--", "sh", "--", "x" }, "[sh][--][x]" },
	{ { "ls", "--rm" }, "[ls][--rm]" },
	{ { "" }, "[]" },
	{ { "--pids", "5", "--pids", "6" }, "pids=6 " },
};

static void test_good(void **state)
{
	(void)state;
	assert_int_equal(setenv("BERTH_TEST_GIVEN", "from outside", 1), 0);
	assert_int_equal(unsetenv("BERTH_TEST_ABSENT"), 0);

	for (size_t i = 0; i < N_ELEMENTS(good_cases); i++) {
		const struct good_case *c = &good_cases[i];
		cleanup_arena struct arena arena = { 0 };
		struct config config;
		struct err err = { 0 };
		int r;

		print_message("  %s %s\n", c->word[0] ? c->word[0] : "(nothing)",
		              c->word[0] && c->word[1] ? c->word[1] : "");
		r = parse(c->word, &arena, &config, &err);
		assert_string_equal(err.text, "");
		assert_int_equal(r, 0);
		assert_string_equal(differences(&arena, &config), c->want);
		assert_non_null(config.name);
	}
}

/* parse(words(config)) is config: "start" says again what "run" was told. */
static void test_round_trip(void **state)
{
	(void)state;

	for (size_t i = 0; i < N_ELEMENTS(good_cases); i++) {
		cleanup_arena struct arena arena = { 0 };
		struct config config, again;
		struct err err = { 0 };
		const char *const *word;
		char *argv[64];
		size_t n = 0;

		assert_int_equal(parse(good_cases[i].word, &arena, &config, &err), 0);
		word = config_words(&config, &arena, &n);
		assert_true(n > 0 && n < N_ELEMENTS(argv));
		assert_string_equal(word[0], "run");
		for (size_t j = 0; j < n; j++)
			argv[j] = (char *)arena_dup(&arena, word[j]);
		argv[n] = NULL;
		/* What it said about the environment stands, whatever that is then. */
		assert_int_equal(setenv("BERTH_TEST_GIVEN", "changed", 1), 0);
		assert_int_equal(config_parse((int)n, argv, &arena, &again, NULL, &err),
		                 0);
		assert_int_equal(setenv("BERTH_TEST_GIVEN", "from outside", 1), 0);
		assert_string_equal(again.name, config.name);
		/* Detached or not is asked for anew. */
		config.detach = false;
		assert_string_equal(differences(&arena, &again),
		                    differences(&arena, &config));
	}
}

/* The words of what @word below @policy comes to, on one line. */
static const char *said(const char *policy, const char *const *word, struct arena *arena)
{
	struct config config;
	struct err err = { 0 };
	const char *const *all;
	const char *text = "";
	size_t n = 0;

	assert_int_equal(parse_below(policy, word, arena, &config, &err), 0);
	assert_string_equal(config.policy ? config.policy : "",
	                    policy ? policy : POLICY_DEFAULT);
	all = config_words(&config, arena, &n);
	for (size_t i = 0; i < n; i++)
		text = arena_printf(arena, "%s%s ", text, all[i]);
	return text;
}

/* Without a policy a whole machine has that profile, value for value, and a command none. */
static void test_default(void **state)
{
	static const char *const machine[][WORDS_MAX] = {
		{ "--name", "x", NULL },
		{ "--name", "x", "--rootfs", "/srv/x:O", "--memory", "1g", NULL },
		{ "--name", "x", "--init", "berth", "--pids", "9", NULL },
		{ "--name", "x", "--best-effort", "cpus", NULL },
		{ "--name", "x", "--image", "debian:12", "-d", NULL },
	};
	static const char *const command[] = { "--name", "x", "--", "true", NULL };
	cleanup_arena struct arena arena = { 0 };
	struct config config;
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(machine); i++)
		assert_string_equal(said(NULL, machine[i], &arena),
		                    said(POLICY_DEFAULT, machine[i], &arena));
	assert_non_null(strstr(said(NULL, machine[0], &arena), " --pids 8192 "));
	assert_non_null(
		strstr(said(NULL, machine[3], &arena), " --best-effort pids,cpus "));

	/* The profile takes a command, too: it only says what is to be without one. */
	assert_non_null(strstr(said(POLICY_DEFAULT, command, &arena), " --pids 8192 "));
	assert_int_equal(parse_below(NULL, command, &arena, &config, &err), 0);
	assert_null(config.policy);
	assert_int_equal(config.limit_n + config.origin_n, 0);
	assert_int_equal(parse_below(POLICY_NONE, machine[0], &arena, &config, &err), 0);
	assert_null(config.policy);
	assert_int_equal(config.limit_n + config.origin_n, 0);
}

static const struct bad_case {
	const char *name;
	const char *word[WORDS_MAX];
	int r;
	const char *quoted; /* in the error */
} bad_cases[] = {
	{ "unknown option", { "--nmae", "x" }, -EINVAL, "'--nmae'" },
	{ "unknown letter", { "-q" }, -EINVAL, "'-q'" },
	{ "format of plan", { "--format", "json" }, -EINVAL, "'--format'" },
	{ "value is missing", { "--name" }, -EINVAL, "'--name'" },
	{ "flag with a value", { "--rm=yes" }, -EINVAL, "'yes'" },
	{ "name: empty", { "--name", "" }, -EINVAL, "''" },
	{ "name: slash", { "--name", "a/b" }, -EINVAL, "'a/b'" },
	{ "name: dots", { "--name", ".." }, -EINVAL, "'..'" },
	{ "name: dash first", { "--name=-a" }, -EINVAL, "'-a'" },
	{ "name: blank", { "--name", "a b" }, -EINVAL, "'a b'" },
	{ "name: newline", { "--name", "a\n" }, -EINVAL, "'a\n'" },
	{ "name: not ASCII", { "--name", "caf\xc3\xa9" }, -EINVAL, "'caf\xc3\xa9'" },
	{ "name: 64 characters",
	  { "--name",
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
	  -EINVAL,
	  "'aaaaaaaaaaaaaaaa" },
	{ "rootfs: empty", { "--rootfs", "" }, -EINVAL, "''" },
	{ "rootfs: only a suffix", { "--rootfs", ":O" }, -EINVAL, "':O'" },
	{ "rootfs: the host", { "--rootfs", "/" }, -EINVAL, "'/'" },
	{ "rootfs: the host, above", { "--rootfs", "//:O" }, -EINVAL, "'/'" },
	{ "rootfs: up", { "--rootfs", "/srv/../etc" }, -EINVAL, "'/srv/../etc'" },
	{ "rootfs: up at the end", { "--rootfs", "/srv/.." }, -EINVAL, "'/srv/..'" },
	{ "rootfs: relative and up", { "--rootfs", "../x" }, -EINVAL, "'..'" },
	{ "rootfs: a dot on the way", { "--rootfs", "/srv/./x" }, -EINVAL, "'/srv/./x'" },
	{ "init: unknown", { "--init", "runit" }, -EINVAL, "'runit'" },
	{ "init: capital", { "--init", "Systemd" }, -EINVAL, "'Systemd'" },
	{ "init: empty", { "--init=" }, -EINVAL, "''" },
	{ "init none, no command", { "--init", "none" }, -EINVAL, "--init none" },
	{ "init systemd, command", { "--init", "systemd", "ls" }, -EINVAL, "'ls'" },
	{ "uidmap: no root",
	  { "--uidmap", "1:1000:1" },
	  -EINVAL,
	  "'1:1000:1' without root" },
	{ "gidmap: overlap",
	  { "--gidmap", "0:5:2", "--gidmap", "2:6:1" },
	  -EINVAL,
	  "'2:6:1' and '0:5:2' have IDs outside in common" },
	{ "net: unknown", { "--net", "bridge" }, -EINVAL, "'bridge'" },
	{ "net: empty", { "--net", "" }, -EINVAL, "''" },
	{ "rate-up: no unit", { "--rate-up", "100" }, -EINVAL, "'100'" },
	{ "rate-down: too slow", { "--rate-down", "1kbit" }, -ERANGE, "'1kbit'" },
	{ "volume: empty", { "-v", "" }, -EINVAL, "''" },
	{ "volume: one path", { "-v", "/src" }, -EINVAL, "'/src'" },
	{ "volume: no source", { "-v", ":/dst" }, -EINVAL, "':/dst'" },
	{ "volume: no target", { "-v", "/src:" }, -EINVAL, "''" },
	{ "volume: no target, ro", { "-v", "/src::ro" }, -EINVAL, "''" },
	{ "volume: relative target", { "-v", "/src:dst" }, -EINVAL, "'dst'" },
	{ "volume: target is /", { "-v", "/src:/" }, -EINVAL, "'/src:/'" },
	{ "volume: target is //", { "-v", "/src://" }, -EINVAL, "'/src://'" },
	{ "volume: target up", { "-v", "/src:/a/../b" }, -EINVAL, "'/a/../b'" },
	{ "volume: source up", { "-v", "/a/../b:/dst" }, -EINVAL, "'/a/../b'" },
	{ "volume: unknown word", { "-v", "/src:/dst:z" }, -EINVAL, "'z'" },
	{ "volume: empty word", { "-v", "/src:/dst:" }, -EINVAL, "''" },
	{ "volume: two words", { "-v", "/src:/dst:ro:z" }, -EINVAL, "'ro:z'" },
	{ "env: no name", { "-e", "=x" }, -EINVAL, "'=x'" },
	{ "env: empty", { "-e", "" }, -EINVAL, "''" },
	{ "user: empty", { "-u", "" }, -EINVAL, "''" },
	{ "workdir: relative", { "-w", "home" }, -EINVAL, "'home'" },
	{ "workdir: empty", { "-w", "" }, -EINVAL, "''" },
	{ "workdir: up", { "-w", "/home/../etc" }, -EINVAL, "'/home/../etc'" },
	{ "hostname: empty", { "--hostname", "" }, -EINVAL, "''" },
	{ "hostname: dash first", { "--hostname=-a" }, -EINVAL, "'-a'" },
	{ "hostname: blank", { "--hostname", "a b" }, -EINVAL, "'a b'" },
	{ "hostname: newline", { "--hostname", "a\nb" }, -EINVAL, "'a\nb'" },
	{ "hostname: slash", { "--hostname", "a/b" }, -EINVAL, "'a/b'" },
	{ "hostname: 65 characters",
	  { "--hostname",
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
	  -EINVAL,
	  "'aaaaaaaaaaaaaaaa" },
	{ "pids: none", { "--pids", "0" }, -ERANGE, "'0'" },
	{ "pids: too many", { "--pids", "4194305" }, -ERANGE, "'4194305'" },
	{ "pids: negative", { "--pids=-1" }, -EINVAL, "'-1'" },
	{ "pids: a word", { "--pids", "many" }, -EINVAL, "'many'" },
	{ "pids: empty", { "--pids", "" }, -EINVAL, "''" },
	{ "limits: nonsense", { "--memory", "lots" }, -EINVAL, "--memory" },
	{ "best-effort: unknown", { "--best-effort", "cpus,cpu" }, -EINVAL, "'cpu'" },
	{ "best-effort: empty", { "--best-effort", "" }, -EINVAL, "''" },
	{ "best-effort: half", { "--best-effort", "cpus," }, -EINVAL, "''" },
	{ "watches: a size", { "--watches", "64k" }, -EINVAL, "'64k'" },
	{ "watches: none", { "--watches", "0" }, -ERANGE, "'0'" },
	{ "instances: none", { "--inotify-instances", "0" }, -ERANGE, "'0'" },
	{ "instances: hexadecimal", { "--inotify-instances=0x80" }, -EINVAL, "'0x80'" },
	{ "state: empty", { "--state", "" }, -EINVAL, "''" },
	{ "state: up", { "--state", "/var/../x" }, -EINVAL, "'/var/../x'" },
	{ "state: nothing to keep",
	  { "--state", "/v", "--rootfs", "/r" },
	  -EINVAL,
	  "'/v'" },
	{ "stop-timeout: too long", { "--stop-timeout", "86401" }, -ERANGE, "'86401'" },
	{ "stop-timeout: a unit", { "--stop-timeout", "10s" }, -EINVAL, "'10s'" },
};

static void test_bad(void **state)
{
	(void)state;

	for (size_t i = 0; i < N_ELEMENTS(bad_cases); i++) {
		const struct bad_case *c = &bad_cases[i];
		cleanup_arena struct arena arena = { 0 };
		struct config config = { .name = "untouched" };
		struct err err = { 0 };

		print_message("  %s\n", c->name);
		assert_int_equal(parse(c->word, &arena, &config, &err), c->r);
		assert_int_equal(err.code, -c->r);
		if (!strstr(err.text, c->quoted))
			fail_msg("\"%s\" does not quote %s", err.text, c->quoted);
		assert_string_equal(err.step, "options");
		assert_string_equal(config.name, "untouched");
	}
}

static const struct long_case {
	const char *name, *option, *before, *after;
} long_cases[] = {
	{ "rootfs", "--rootfs", "/", "" },       { "state", "--state", "/", "" },
	{ "workdir", "--workdir", "/", "" },     { "volume source", "-v", "/", ":/dst" },
	{ "volume target", "-v", "/src:/", "" },
};

/* A path that the kernel would refuse is refused by name, cut to what can be read. */
static void test_too_long(void **state)
{
	char path[PATH_MAX + 1];

	(void)state;
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	for (size_t i = 0; i < N_ELEMENTS(long_cases); i++) {
		const struct long_case *c = &long_cases[i];
		cleanup_arena struct arena arena = { 0 };
		const char *word[] = {
			c->option,
			arena_printf(&arena, "%s%s%s", c->before, path, c->after), NULL
		};
		struct config config;
		struct err err = { 0 };

		print_message("  %s\n", c->name);
		assert_int_equal(parse(word, &arena, &config, &err), -ENAMETOOLONG);
		assert_non_null(strstr(err.text, "'/xxxxxxxx"));
	}
}

/* What the caller says relative to where it stands is absolute from here on. */
static void test_relative(void **state)
{
	cleanup_arena struct arena arena = { 0 };
	const char *const word[] = { "--rootfs", "./os:O", "--state", "keep", "-v",
		                     ".:/here",  "-v",     "a/b:/b",  NULL };
	char cwd[PATH_MAX];
	struct config config;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(chdir("/tmp"), 0);
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_int_equal(parse(word, &arena, &config, &err), 0);
	assert_string_equal(config.rootfs, arena_printf(&arena, "%s/os", cwd));
	assert_true(config.overlay);
	assert_string_equal(config.state, arena_printf(&arena, "%s/keep", cwd));
	assert_string_equal(config.volume[0].source, cwd);
	assert_string_equal(config.volume[1].source, arena_printf(&arena, "%s/a/b", cwd));
}

static void test_names(void **state)
{
	cleanup_arena struct arena arena = { 0 };
	const char *const named[] = { "--name", "A_b.c-9", NULL }, *const none[] = {
		NULL
	};
	struct config a, b;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(parse(named, &arena, &a, &err), 0);
	assert_string_equal(a.name, "A_b.c-9");
	assert_string_equal(a.hostname, "A_b.c-9");
	/* Two without a name do not meet. */
	assert_int_equal(parse(none, &arena, &a, &err), 0);
	assert_int_equal(parse(none, &arena, &b, &err), 0);
	assert_string_not_equal(a.name, b.name);
	assert_int_equal(strspn(a.name, "ws-0123456789abcdef"), strlen(a.name));
}

static void test_format(void **state)
{
	static const struct {
		const char *value;
		int r;
		bool want;
	} cases[] = { { "json", 0, true },
		      { "text", 0, false },
		      { "yaml", -EINVAL, false } };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		cleanup_arena struct arena arena = { 0 };
		char *argv[] = { (char *)arena_dup(&arena, "plan"),
			         (char *)arena_dup(&arena, "--format"),
			         (char *)arena_dup(&arena, cases[i].value), NULL };
		struct config config;
		struct err err = { 0 };
		bool json = false;

		assert_int_equal(config_parse(3, argv, &arena, &config, &json, &err),
		                 cases[i].r);
		assert_int_equal(json, cases[i].want);
		if (cases[i].r < 0)
			assert_non_null(strstr(err.text, "'yaml'"));
	}
}

static void test_many(void **state)
{
	static const char *const options[] = { "-v/s:/d", "-eK=V" };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(options); i++)
		for (int n = 256; n <= 257; n++) {
			cleanup_arena struct arena arena = { 0 };
			char *argv[260];
			struct config config;
			struct err err = { 0 };

			argv[0] = (char *)arena_dup(&arena, "run");
			for (int j = 1; j <= n; j++)
				argv[j] = (char *)arena_dup(&arena, options[i]);
			argv[n + 1] = NULL;
			assert_int_equal(
				config_parse(n + 1, argv, &arena, &config, NULL, &err),
				n == 256 ? 0 : -E2BIG);
			if (n == 256)
				assert_int_equal(config.volume_n + config.env_n, 256);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),     cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_default),  cmocka_unit_test(test_bad),
		cmocka_unit_test(test_too_long), cmocka_unit_test(test_relative),
		cmocka_unit_test(test_names),    cmocka_unit_test(test_format),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
