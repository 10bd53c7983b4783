#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/syscall.h"

/* Whether two "K=V" have the same K. */
static bool same_key(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");

	return strncmp(a, b, n + 1) == 0;
}

static const char *find_variable(char *const *envp, const char *key)
{
	size_t n = strlen(key);

	for (; *envp; envp++)
		if (strncmp(*envp, key, n) == 0 && (*envp)[n] == '=')
			return *envp + n + 1;
	return NULL;
}

static size_t put_variable(const char **out, size_t n, const char *variable)
{
	for (size_t i = 0; i < n; i++)
		if (same_key(variable, out[i])) {
			out[i] = variable;
			return n;
		}
	out[n] = variable;
	return n + 1;
}

char *const *exec_environment(const char *const *env, const char *home)
{
	const char **out;
	char *home_variable;
	size_t n = 0;

	while (env[n])
		n++;
	out = calloc(n + 2, sizeof(*out));
	if (!out || asprintf(&home_variable, "HOME=%s", home) < 0) {
		free(out);
		return NULL;
	}
	out[0] = home_variable;
	n = 1;
	for (; *env; env++)
		if (strchr(*env, '=') && **env != '=')
			n = put_variable(out, n, *env);
	if (out[0] != home_variable)
		free(home_variable);
	return (char *const *)out; /* execve(2) does not write to them */
}

static int enter_workdir(const char *workdir, struct err *err)
{
	if (chdir(workdir ? workdir : "/") == 0)
		return 0;
	(void)err_set(err, errno, "enter the working directory '%s' of the workspace",
	              workdir ? workdir : "/");
	(void)err_hint(err, "make the directory first, or leave -w out");
	return err_step(err, "workdir");
}

static void reset_signals(void)
{
	sigset_t none;

	/* SIGKILL and SIGSTOP refuse, and are not changed. */
	for (int i = 1; i < NSIG; i++)
		(void)sys_signal_default(i);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* A failure that says "not here", so that the search goes on. */
static bool is_absent(int code)
{
	return code == ENOENT || code == ENOTDIR || code == ENAMETOOLONG;
}

/*
 * The files to try, NULL-terminated, with room for @more words behind: the command itself
 * where it has a slash, else one in each directory of PATH. NULL where memory ran out.
 */
static const char **candidates(const char *command, const char *path, size_t more,
                               size_t *ret_n)
{
	size_t n = 0, room = more + 2;
	const char **file;

	for (const char *p = path; *p; p++)
		room += *p == ':';
	file = calloc(room, sizeof(*file));
	if (!file || !*command)
		return file;
	*ret_n = 1;
	file[0] = command;
	if (strchr(command, '/'))
		return file;
	for (;;) {
		size_t len = strcspn(path, ":");
		char *name;

		/* An empty one is the current directory, as in a shell. */
		if (asprintf(&name, "%.*s%s%s", (int)len, path, len > 0 ? "/" : "./",
		             command) < 0)
			return NULL;
		file[n++] = name;
		*ret_n = n;
		if (path[len] == '\0')
			return file;
		path += len + 1;
	}
}

/* As airlock() does. Return: why none could be executed. */
static int try_each(const char *const *file, const char *const *argv, char *const *envp,
                    bool *ret_there)
{
	bool only = file[0] && !file[1];
	int why = ENOENT;

	for (; *file; file++) {
		int code;

		(void)execve(*file, (char *const *)argv, envp);
		code = errno;
		if (is_absent(code) && access(*file, F_OK) == 0)
			*ret_there = true;
		if (is_absent(code) && !only)
			continue;
		why = code;
		/* EACCES may be a directory of that name: another may do. */
		if (why != EACCES)
			break;
	}
	return why;
}

/* Returns only where there is no airlock to become. */
static int through(int airlock, const char **file, size_t n, const char *const *argv,
                   char *const *envp, struct err *err)
{
	file[n++] = "";
	while (*argv)
		file[n++] = *argv++;
	(void)execveat(airlock, "", (char *const *)file, envp, AT_EMPTY_PATH);
	(void)err_set(err, errno, "execute the airlock");
	return err_step(err, "airlock");
}

int exec_failed(const char *command, int why, bool there, struct err *err)
{
	if (why == ENOENT && !there && !strchr(command, '/')) {
		(void)err_set(err, why, "find '%s' in the workspace's PATH", command);
		return err_step(err, "exec");
	}
	(void)err_set(err, why, "execute '%s'", command);
	if (why == ENOENT && there)
		(void)err_hint(err,
		               "the file is there: what is missing is the interpreter "
		               "that its first line, or its ELF header, names");
	else if (why == ENOEXEC)
		(void)err_hint(err,
		               "it is built for another machine, or a script without "
		               "#! in its first line");
	return err_step(err, "exec");
}

int exec_command(const char *const *argv, char *const *envp, const char *workdir,
                 int airlock, struct err *err)
{
	const char *command = argv[0] ? argv[0] : "";
	const char *path = envp ? find_variable(envp, "PATH") : NULL;
	const char **file = NULL;
	size_t n = 0, words = 1;
	bool there = false;
	int r, why;

	while (argv[words - 1])
		words++;
	if (envp)
		file = candidates(command, path ? path : EXEC_PATH, words, &n);
	if (!file) {
		(void)err_set(err, ENOMEM, "make the command's environment");
		return err_step(err, "environment");
	}
	r = enter_workdir(workdir, err);
	if (r < 0)
		return r;
	(void)umask(022);
	reset_signals();
	if (airlock >= 0)
		return through(airlock, file, n, argv, envp, err);
	why = try_each(file, argv, envp, &there);
	return exec_failed(command, why, there, err);
}

int exec_exit_code(const struct err *err)
{
	if (strcmp(err->step, "exec") != 0)
		return EXEC_FAILED;
	return is_absent(err->code) ? EXEC_NOT_FOUND : EXEC_NOT_EXECUTABLE;
}
