#include "hook.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/tree.h"
#include "hooks.h"
#include "tests/unit/unit.h"

static void test_parse(void **state)
{
	static const struct {
		const char *text,
			*want; /* words with "|" between, or what the error says */
		int r;
	} cases[] = {
		{ "/a", "/a", 0 },
		{ "/a b c", "/a|b|c", 0 },
		{ " \t/a  b\n$HOME; ", "/a|b|$HOME;", 0 },
		{ "/usr/..a/.b/c.", "/usr/..a/.b/c.", 0 },
		{ "/a/", "/a/", 0 },
		{ "", "'' names no program", -EINVAL },
		{ " \n", "names no program", -EINVAL },
		{ "a", "'a' is not absolute", -EINVAL },
		{ "./a /b", "'./a' is not absolute", -EINVAL },
		{ "/a/../b", "'/a/../b' goes through '..'", -EINVAL },
		{ "/a/..", "goes through '..'", -EINVAL },
		{ "/./b", "goes through '.'", -EINVAL },
		{ "/a 'b c'", "has quotes or a backslash", -EINVAL },
		{ "/a \"b\"", "has quotes or a backslash", -EINVAL },
		{ "/a\\ b", "has quotes or a backslash", -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cleanup_arena struct arena arena = { 0 };
		struct hook hook = { .text = NULL };
		struct err err = { 0 };
		char said[256] = "";

		assert_int_equal(
			hook_parse(HOOK_POSTSTOP, cases[i].text, &arena, &hook, &err),
			cases[i].r);
		if (cases[i].r < 0) {
			assert_null(hook.text);
			assert_non_null(strstr(err.text, cases[i].want));
			continue;
		}
		assert_int_equal(hook.kind, HOOK_POSTSTOP);
		assert_ptr_equal(hook.text, cases[i].text);
		for (const char *const *word = hook.argv; *word; word++) {
			(void)strcat(said, word == hook.argv ? "" : "|");
			(void)strcat(said, *word);
		}
		assert_string_equal(said, cases[i].want);
	}
}

static void test_long_path(void **state)
{
	cleanup_arena struct arena arena = { 0 };
	struct err err = { 0 };
	struct hook hook;
	char path[5000];

	(void)state;
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(hook_parse(HOOK_PRESTART, path, &arena, &hook, &err),
	                 -ENAMETOOLONG);
}

static void test_interpreter(void **state)
{
#define HEAD(text) text, sizeof(text) - 1
	static const struct {
		const char *head;
		size_t n;
		const char *want;
	} cases[] = {
		{ HEAD("#!/bin/sh\n"), "/bin/sh" },
		{ HEAD("#!/bin/sh"), "/bin/sh" },
		{ HEAD("#! \t/usr/bin/env python3\n"), "/usr/bin/env" },
		{ HEAD("#!/bin/sh\0x"), "/bin/sh" },
		{ HEAD("#!sh\n"), "" },
		{ HEAD("#!"), "" },
		{ HEAD("#!\n/bin/sh"), "" },
		{ HEAD("#!   "), "" },
		{ HEAD("\177ELF"), NULL },
		{ HEAD("# !/bin/sh"), NULL },
		{ HEAD("#"), NULL },
		{ HEAD(""), NULL },
	};
#undef HEAD

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cleanup_arena struct arena arena = { 0 };
		const char *got = hook_interpreter(cases[i].head, cases[i].n, &arena);

		if (cases[i].want)
			assert_string_equal(got, cases[i].want);
		else
			assert_null(got);
	}
}

static void test_tail(void **state)
{
	static const struct {
		const char *part[3], *want;
	} cases[] = {
		{ { "", "", "" }, "" },
		{ { "a\nb\n", "", "" }, "b" },
		{ { "a\nb", "c", "d\n\n\n" }, "bcd" },
		{ { "a\n", "b", "" }, "b" },
		{ { "a\033[31m\tx\n", "", "" }, "a?[31m?x" },
		{ { "\302\233m\n", "", "" }, "??m" },
	};
	struct runner_tail longest = { .part_n = 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct runner_tail tail = { .part_n = 0 };

		for (int k = 0; k < 3; k++)
			runner_tail_add(&tail, cases[i].part[k],
			                strlen(cases[i].part[k]));
		assert_string_equal(runner_tail_text(&tail), cases[i].want);
	}
	for (int i = 0; i < 1000; i++)
		runner_tail_add(&longest, "xyz\0", 4);
	assert_int_equal(strlen(runner_tail_text(&longest)), RUNNER_TAIL_MAX - 1);
}

/* Hooks that are scripts in a directory, and what is told of them. */
struct scene {
	char dir[64], said[512];
	int entry;
	struct hook hook[4];
	const char *argv[4][3];
	struct config config;
	struct hooks hooks;
	struct loop loop;
	sigset_t mask;
	int refuse; /* what begin answers to the hook of that number */
	int done;
};

static void say(struct scene *scene, const char *what, const char *more)
{
	(void)strncat(scene->said, what, sizeof(scene->said) - strlen(scene->said) - 1);
	(void)strncat(scene->said, more, sizeof(scene->said) - strlen(scene->said) - 1);
}

static int input(void *ctx, enum hook_kind kind, struct err *err)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)ctx;
	(void)kind;
	return fd < 0 ? err_set(err, errno, "open") : fd;
}

static int begin(void *ctx, const struct hook *hook, struct err *err)
{
	struct scene *scene = ctx;

	say(scene, " begin ", strrchr(hook->argv[0], '/') + 1);
	return scene->refuse == hook - scene->hook ? err_set(err, EPERM, "not told") : 0;
}

static void failed(void *ctx, const struct hook *hook, int status, const struct err *why)
{
	char text[32];

	(void)hook;
	(void)snprintf(text, sizeof(text), "%d/%d", status, why->code);
	say(ctx, " failed ", text);
}

static int done(void *ctx, struct err *err)
{
	struct scene *scene = ctx;

	scene->done++;
	say(scene, " done", "");
	return err->code ? -err->code : LOOP_STOP;
}

static void add(struct scene *scene, enum hook_kind kind, const char *script)
{
	const size_t i = scene->config.hook_n++;
	char *path = NULL;
	struct hook_fact fact = { .error = 0 };
	struct err err = { 0 };
	struct stat st;
	int fd;

	assert_true(asprintf(&path, "%s/%zu", scene->dir, i) > 0);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	assert_true(fd >= 0);
	assert_true(write(fd, script, strlen(script)) == (ssize_t)strlen(script));
	assert_int_equal(fchmod(fd, 0755), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(close(fd), 0);
	scene->argv[i][0] = path;
	scene->argv[i][1] = "word";
	scene->hook[i] = (struct hook){ kind, path, scene->argv[i] };
	fact.program.dev = st.st_dev;
	fact.program.ino = st.st_ino;
	fact.mode = st.st_mode & 07777;
	fact.uid = st.st_uid;
	fact.gid = st.st_gid;
	assert_int_equal(hooks_open(&scene->hooks, i, &fact, &err), 0);
	fact.mode ^= 1;
	assert_int_equal(hooks_open(&scene->hooks, i, &fact, &err), -ESTALE);
}

static void set(struct scene *scene)
{
	*scene = (struct scene){ .refuse = -1 };
	(void)snprintf(scene->dir, sizeof(scene->dir), "/tmp/berth-test-hook-XXXXXX");
	assert_non_null(mkdtemp(scene->dir));
	scene->entry = open(scene->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	scene->config.hook = scene->hook;
	scene->config.hook_timeout_s = 20;
	(void)sigemptyset(&scene->mask);
	hooks_init(&scene->hooks, &scene->config, scene->entry);
	scene->hooks.old_mask = &scene->mask;
	scene->hooks.input = input;
	scene->hooks.begin = begin;
	scene->hooks.failed = failed;
	scene->hooks.done = done;
	scene->hooks.ctx = scene;
	(void)alarm(60);
}

static void clear(struct scene *scene)
{
	cleanup_close int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct err err = { 0 };

	(void)alarm(0);
	hooks_close(&scene->hooks);
	for (size_t i = 0; i < scene->config.hook_n; i++)
		free((char *)scene->argv[i][0]);
	(void)close(scene->entry);
	assert_true(tree_remove(tmp, scene->dir + strlen("/tmp/"), &err) >= 0);
}

static int run_all(struct scene *scene, enum hook_kind kind, struct err *err)
{
	int r = hooks_start(&scene->hooks, kind, &scene->loop, err);

	if (r == LOOP_GO)
		r = loop_run(&scene->loop, err);
	assert_int_equal(scene->done, 1);
	assert_false(scene->hooks.busy);
	assert_int_equal(scene->hooks.runner.pid, 0);
	return r < 0 ? r : 0;
}

static void read_log(const struct scene *scene, char *ret, size_t size)
{
	cleanup_close int fd = openat(scene->entry, HOOKS_LOG, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, ret, size - 1);

	ret[n > 0 ? n : 0] = '\0';
}

static void test_in_order(void **state)
{
	struct err err = { 0 };
	struct scene scene;
	char log[256];

	(void)state;
	set(&scene);
	add(&scene, HOOK_POSTSTOP, "#!/bin/sh\necho 0\n");
	add(&scene, HOOK_PRESTART, "#!/bin/sh\necho 1 $1 $#; pwd; cat\n");
	add(&scene, HOOK_PRESTART, "#!/bin/sh\necho 2 >&2\nexit 0\n");
	assert_true(hooks_any(&scene.hooks, HOOK_PRESTART));
	assert_false(hooks_any(&scene.hooks, HOOK_POSTSTART));
	/* What is open is what runs. */
	assert_int_equal(unlink(scene.argv[2][0]), 0);
	assert_int_equal(symlink("/bin/false", scene.argv[2][0]), 0);
	assert_int_equal(run_all(&scene, HOOK_PRESTART, &err), 0);
	assert_string_equal(scene.said, " begin 1 begin 2 done");
	read_log(&scene, log, sizeof(log));
	assert_string_equal(log, "1 word 1\n/\n2\n");
	clear(&scene);
}

static void test_none(void **state)
{
	struct err err = { 0 };
	struct scene scene;

	(void)state;
	set(&scene);
	add(&scene, HOOK_POSTSTOP, "#!/bin/sh\n");
	assert_int_equal(run_all(&scene, HOOK_POSTSTART, &err), 0);
	assert_string_equal(scene.said, " done");
	clear(&scene);
}

static void test_failing(void **state)
{
	static const struct {
		enum hook_kind kind;
		const char *script, *said, *text;
		int refuse, code;
	} cases[] = {
		{ HOOK_PRESTART, "#!/bin/sh\necho why; exit 3\n",
		  " begin 0 failed 3/125 done", "0' ended with 3 ('why')", -1,
		  ECANCELED },
		{ HOOK_POSTSTART, "#!/bin/sh\nexit 3\n", " begin 0 failed 3/125 done",
		  "the poststart hook '", -1, ECANCELED },
		{ HOOK_POSTSTOP, "#!/bin/sh\nkill -9 $$\n",
		  " begin 0 failed 137/125 begin 1 done", "", -1, 0 },
		/* The kernel's word for a file without a format. */
		{ HOOK_PRESTART, "no script", " begin 0 failed 126/125 done",
		  "Exec format error", -1, ECANCELED },
		{ HOOK_PRESTART, "#!/no/such/interpreter\n",
		  " begin 0 failed 127/125 done", "No such file", -1, ECANCELED },
		{ HOOK_PRESTART, "#!/bin/sh\n", " begin 0 done", "': not told", 0,
		  EPERM },
		{ HOOK_POSTSTOP, "#!/bin/sh\n", " begin 0 begin 1 done", "", 0, 0 },
	};

	(void)state;
	assert_int_equal(ECANCELED, 125);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err = { 0 };
		struct scene scene;

		set(&scene);
		scene.refuse = cases[i].refuse;
		add(&scene, cases[i].kind, cases[i].script);
		add(&scene, cases[i].kind, "#!/bin/sh\n");
		assert_int_equal(run_all(&scene, cases[i].kind, &err), -cases[i].code);
		assert_string_equal(scene.said, cases[i].said);
		assert_non_null(strstr(err.text, cases[i].text));
		assert_string_equal(err.step, cases[i].code ? "hook" : "");
		clear(&scene);
	}
}

/* Whoever has it now may not have reaped it yet. */
static bool is_gone(int pid)
{
	char path[64], text[128] = "";
	int fd, tries = 1000;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	while (tries-- > 0) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
		if (fd >= 0)
			(void)close(fd);
		if (n <= 0 || strstr(text, ") Z ") || strstr(text, ") X "))
			return true;
		(void)usleep(10000);
	}
	return false;
}

#define LEAVES                              \
	"#!/bin/sh\nsleep 300 &\necho $!\n" \
	"echo $(setsid sh -c 'echo $$; exec sleep 300 >/dev/null 2>&1' &)\n"

/* In the log: who was in the group of a hook, and who left it. */
static void assert_group_gone(const struct scene *scene)
{
	int child, other;
	char log[256];

	read_log(scene, log, sizeof(log));
	assert_int_equal(sscanf(log, "%d %d", &child, &other), 2);
	assert_true(is_gone(child));
	assert_int_equal(kill(other, SIGKILL), 0);
}

/* All of its group goes with it, and what left that stays. */
static void test_late(void **state)
{
	struct err err = { 0 };
	struct scene scene;

	(void)state;
	set(&scene);
	scene.config.hook_timeout_s = 3;
	add(&scene, HOOK_PRESTART, LEAVES "wait\n");
	assert_int_equal(run_all(&scene, HOOK_PRESTART, &err), -ETIME);
	assert_string_equal(scene.said, " begin 0 failed 137/62 done");
	assert_non_null(strstr(err.text, "took longer than 3 s"));
	assert_group_gone(&scene);
	clear(&scene);
}

static void test_leftover(void **state)
{
	struct err err = { 0 };
	struct scene scene;

	(void)state;
	set(&scene);
	add(&scene, HOOK_PRESTART, LEAVES);
	assert_int_equal(run_all(&scene, HOOK_PRESTART, &err), 0);
	assert_group_gone(&scene);
	clear(&scene);
}

static void test_stopped(void **state)
{
	struct err err = { 0 };
	struct scene scene;

	(void)state;
	set(&scene);
	add(&scene, HOOK_POSTSTART, "#!/bin/sh\nsleep 300\n");
	assert_int_equal(hooks_start(&scene.hooks, HOOK_POSTSTART, &scene.loop, &err),
	                 LOOP_GO);
	hooks_stop(&scene.hooks);
	assert_int_equal(scene.hooks.runner.pid, 0);
	assert_int_equal(scene.done, 0);
	clear(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),       cmocka_unit_test(test_long_path),
		cmocka_unit_test(test_interpreter), cmocka_unit_test(test_tail),
		cmocka_unit_test(test_in_order),    cmocka_unit_test(test_none),
		cmocka_unit_test(test_failing),     cmocka_unit_test(test_late),
		cmocka_unit_test(test_leftover),    cmocka_unit_test(test_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
