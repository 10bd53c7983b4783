#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/tree.h"
#include "join.h"
#include "tests/unit/unit.h"

static const struct environment_case {
	const char *name;
	const char *env[4], *want[4];
} environment_cases[] = {
	{ "nothing but HOME", { NULL }, { "HOME=/h" } },
	{ "HOME that is given", { "HOME=/other" }, { "HOME=/other" } },
	{ "an empty HOME", { "HOME=" }, { "HOME=" } },
	{ "the later one", { "A=1", "A=2" }, { "HOME=/h", "A=2" } },
	{ "keys that begin alike", { "A=1", "AB=2" }, { "HOME=/h", "A=1", "AB=2" } },
	{ "a longer one first", { "AB=1", "A=2" }, { "HOME=/h", "AB=1", "A=2" } },
	{ "a value with =", { "A=b=c" }, { "HOME=/h", "A=b=c" } },
	{ "no value, no name", { "A", "=b", "C=" }, { "HOME=/h", "C=" } },
};

static void test_environment(void **state)
{
	(void)state;

	for (size_t i = 0; i < N_ELEMENTS(environment_cases); i++) {
		const struct environment_case *c = &environment_cases[i];
		char *const *got = exec_environment(c->env, "/h");
		size_t n = 0;

		print_message("  %s\n", c->name);
		assert_non_null(got);
		for (; got[n] && n < 3; n++) {
			assert_non_null(c->want[n]);
			assert_string_equal(got[n], c->want[n]);
		}
		assert_null(c->want[n]);
		/* What it owns: the array, and HOME where it is its own. */
		if (strcmp(got[0], "HOME=/h") == 0)
			free(got[0]);
		free((void *)got);
	}
}

/* DIR/a and DIR/b are in the PATH of the cases, DIR/c is not. */
static const struct {
	const char *path, *text;
	mode_t mode;
} files[] = {
	{ "a/plain", "#!/bin/sh\n", 0644 },
	{ "a/both", "#!/bin/sh\n", 0644 },
	{ "b/both", "#!/bin/sh\nexit 4\n", 0755 },
	{ "b/run", "#!/bin/sh\nexit 5\n", 0755 },
	{ "b/lost", "#!/no/such/interpreter\n", 0755 },
	{ "b/text", "exit 6\n", 0755 },
	{ "c/hidden", "#!/bin/sh\nexit 7\n", 0755 },
};

static const struct exec_case {
	const char *name, *command, *workdir;
	int status;       /* of the command; -1: it was not executed */
	int r, exit_code; /* then */
	const char *step, *text;
} exec_cases[] = {
	{ "in the PATH", "run", NULL, 5, 0, 0, "", "" },
	{ "executable further on", "both", NULL, 4, 0, 0, "", "" },
	{ "relative to the working directory", "./hidden", "c", 7, 0, 0, "", "" },
	{ "not in the PATH", "hidden", "c", -1, -ENOENT, 127, "exec",
	  "find 'hidden' in the workspace's PATH" },
	{ "nowhere", "/no/such/file", NULL, -1, -ENOENT, 127, "exec",
	  "execute '/no/such/file'" },
	{ "below a file", "/etc/passwd/x", NULL, -1, -ENOTDIR, 127, "exec",
	  "execute '/etc/passwd/x'" },
	{ "empty", "", NULL, -1, -ENOENT, 127, "exec",
	  "find '' in the workspace's PATH" },
	{ "not executable", "plain", NULL, -1, -EACCES, 126, "exec", "execute 'plain'" },
	{ "a directory", "/etc", NULL, -1, -EACCES, 126, "exec", "execute '/etc'" },
	{ "no interpreter", "lost", NULL, -1, -ENOENT, 127, "exec", "execute 'lost'" },
	{ "no format, and no shell is tried", "text", NULL, -1, -ENOEXEC, 126, "exec",
	  "execute 'text'" },
	{ "no working directory", "run", "none", -1, -ENOENT, 125, "workdir", NULL },
	{ "a file as working directory", "run", "b/run", -1, -ENOTDIR, 125, "workdir",
	  NULL },
};

static int setup(void **state)
{
	char *root = strdup("/tmp/berth-test-exec-XXXXXX");
	struct err err = { 0 };
	int dir;

	if (!root || !mkdtemp(root))
		return -1;
	*state = root;
	dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	(void)mkdirat(dir, "a", 0755);
	(void)mkdirat(dir, "b", 0755);
	(void)mkdirat(dir, "c", 0755);
	for (size_t i = 0; i < N_ELEMENTS(files); i++) {
		if (file_create(dir, "new", files[i].mode, files[i].text,
		                strlen(files[i].text), &err) < 0 ||
		    renameat(dir, "new", dir, files[i].path) < 0)
			return -1;
	}
	(void)close(dir);
	return 0;
}

static int teardown(void **state)
{
	struct err err = { 0 };
	char *root = *state;
	int dir = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = tree_remove(dir, root + strlen("/tmp/"), &err);

	(void)close(dir);
	free(root);
	return r;
}

/* Executes in a child; its exit status, or -1 with @ret_err filled in. */
static int execute(const char *root, const struct exec_case *c, struct err *ret_err)
{
	struct err *err = mmap(NULL, sizeof(*err), PROT_READ | PROT_WRITE,
	                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const char *const argv[] = { c->command, NULL };
	char path[256], workdir[256];
	const char *const env[] = { path, NULL };
	int status;
	pid_t pid;

	assert_true(err != MAP_FAILED);
	(void)snprintf(path, sizeof(path), "PATH=%s/a:%s/none:%s/b", root, root, root);
	(void)snprintf(workdir, sizeof(workdir), "%s/%s", root,
	               c->workdir ? c->workdir : "");
	pid = fork();
	if (pid == 0) {
		(void)exec_command(argv, exec_environment(env, "/"),
		                   c->workdir ? workdir : NULL, -EBADF, err);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	*ret_err = *err;
	(void)munmap(err, sizeof(*err));
	return ret_err->code ? -1 : WEXITSTATUS(status);
}

static void test_command(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(exec_cases); i++) {
		const struct exec_case *c = &exec_cases[i];
		struct err err;

		print_message("  %s\n", c->name);
		assert_int_equal(execute(*state, c, &err), c->status);
		assert_int_equal(err.code, -c->r);
		assert_string_equal(err.step, c->step);
		if (c->text)
			assert_string_equal(err.text, c->text);
		if (c->r < 0)
			assert_int_equal(exec_exit_code(&err), c->exit_code);
	}
}

static void test_no_memory_for_the_environment(void **state)
{
	const char *const argv[] = { "true", NULL };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(exec_command(argv, NULL, NULL, -EBADF, &err), -ENOMEM);
	assert_int_equal(exec_exit_code(&err), 125);
}

/* What a command must not inherit from a process that blocks and ignores. */
static void test_signals_and_umask(void **state)
{
	const char *const argv[] = {
		"/bin/sh", "-c",
		"set -- $(sed -n 's/^Sig\\(Blk\\|Ign\\):[^0-9a-f]*//p' "
		"/proc/self/status); "
		"[ \"$1$2\" = 00000000000000000000000000000000 ] && [ \"$(umask)\" = "
		"0022 ] && "
		"[ \"$PWD\" = / ]",
		NULL
	};
	const char *const env[] = { NULL };
	sigset_t all;
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		struct err err = { 0 };

		(void)umask(0);
		(void)signal(SIGPIPE, SIG_IGN);
		(void)signal(SIGHUP, SIG_IGN);
		(void)signal(SIGRTMIN + 3, SIG_IGN);
		(void)sigfillset(&all);
		(void)sigprocmask(SIG_BLOCK, &all, NULL);
		(void)exec_command(argv, exec_environment(env, "/"), NULL, -EBADF, &err);
		_exit(99);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Who is inside says nothing: root there has stopped him. */
static void test_patience(void **state)
{
	static const struct {
		int signal;
		bool speaks;
		int r;
	} cases[] = {
		{ SIGINT, false, -EINTR }, { SIGTERM, false, -EINTR },
		{ SIGHUP, false, -EINTR }, { SIGQUIT, false, -EINTR },
		{ SIGWINCH, true, 0 },     { 0, true, 0 },
	};
	sigset_t all, before;
	int pair[2], signals;

	(void)state;
	(void)sigfillset(&all);
	assert_int_equal(sigprocmask(SIG_BLOCK, &all, &before), 0);
	signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct err err = { 0 };
		char word;

		if (cases[i].signal)
			assert_int_equal(kill(getpid(), cases[i].signal), 0);
		if (cases[i].speaks)
			assert_int_equal(send(pair[1], "x", 1, 0), 1);
		assert_int_equal(join_patience(pair[0], signals, &err), cases[i].r);
		if (cases[i].speaks)
			assert_int_equal(recv(pair[0], &word, 1, 0), 1);
	}
	(void)close(pair[0]);
	(void)close(pair[1]);
	(void)close(signals);
	assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_patience),
		cmocka_unit_test(test_environment),
		cmocka_unit_test_setup_teardown(test_command, setup, teardown),
		cmocka_unit_test(test_no_memory_for_the_environment),
		cmocka_unit_test(test_signals_and_umask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
