#ifndef EXEC_H
#define EXEC_H

#include <stdbool.h>

#include "base/err.h"

/* Where commands are looked for when the environment has no PATH. */
#define EXEC_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Exit codes of berth itself, as docker(1) and podman(1) have them. */
enum {
	EXEC_FAILED = 125,         /* berth failed */
	EXEC_NOT_EXECUTABLE = 126, /* the command cannot be executed */
	EXEC_NOT_FOUND = 127,
};

/**
 * exec_environment() - Make the environment of a command
 * @env:	"K=V" each, NULL-terminated; of two with the same K the later one counts;
 *		words without "=" are left out
 * @home:	HOME, unless @env has it
 *
 * Return: the environment, for execve(2), whose strings are those of @env; never freed,
 * since the process becomes the command. NULL where memory ran out: exec_command()
 * reports that.
 */
char *const *exec_environment(const char *const *env, const char *home);

/**
 * exec_failed() - Say why a command could not be executed
 * @command:	its first word
 * @why:	errno of execve(2), ENOENT where no directory of PATH has it
 * @there:	the file is there all the same: its interpreter is missing
 * @err:	filled in, with the step "exec" and a hint where one is known
 *
 * Return: -@why.
 */
int exec_failed(const char *command, int why, bool there, struct err *err);

/**
 * exec_command() - Become a command of the workspace
 * @argv:	the command and its words, NULL-terminated
 * @envp:	its environment, from exec_environment()
 * @workdir:	directory to start in, resolved in the current root; NULL for "/"
 * @airlock:	from airlock_open(): to become that first, with AIRLOCK_SOCKET open; then
 *		it tells of a command that cannot be executed. -EBADF to do without
 * @err:	filled in
 *
 * Should: look the command up in @envp's PATH; leave it every signal with its default
 * disposition and none blocked, and umask 022.
 * Mustn't: fall back to a shell for a file without a known format, as execvp(3) does.
 *
 * Returns only on failure, and then with the step "workdir" for the directory and
 * "exec" for the command.
 *
 * Return: -ENOENT where there is no such command, or no interpreter for it; -EACCES;
 * -ENOEXEC; else -errno of chdir(2) or execve(2).
 */
int exec_command(const char *const *argv, char *const *envp, const char *workdir,
                 int airlock, struct err *err);

/**
 * exec_exit_code() - The exit code of berth for a failure
 * @err:	holds a failure
 *
 * Return: 127 or 126 where the step is "exec", else 125.
 */
int exec_exit_code(const struct err *err);

#endif
