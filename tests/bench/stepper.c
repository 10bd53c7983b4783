/*
 * stepper FILE PROGRAM [ARG...]
 *
 * Runs PROGRAM step by step, with all that it clones, and writes to FILE each place of it that was
 * executed: "OFFSET LEVEL", OFFSET in the file's own addresses, LEVEL 0 for what PROGRAM itself was
 * alone in, 1 for what a child of it came to as well. Other programs that it executes run free. A
 * start of 3 ms takes a minute so.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE (8UL << 20) /* of the program, at most */

static void fail(const char *what)
{
	(void)fprintf(stderr, "stepper: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* Where the kernel put the program: the first mapping of its file. */
static unsigned long base_of(pid_t pid, const char *program)
{
	char path[64], line[4352], real[4096];
	unsigned long base = 0;
	FILE *maps;

	(void)snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "r");
	if (!maps || !realpath(program, real))
		fail(program);
	while (base == 0 && fgets(line, sizeof(line), maps))
		if (strstr(line, real))
			base = strtoul(line, NULL, 16);
	(void)fclose(maps);
	if (base == 0)
		fail("find the program in its own memory");
	return base;
}

static unsigned long place(pid_t pid, unsigned long base)
{
	struct user_regs_struct regs;

	return ptrace(PTRACE_GETREGS, pid, NULL, &regs) == 0 ? regs.rip - base : SIZE;
}

static pid_t start(char **argv)
{
	const long options = PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
	                     PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
	pid_t pid = fork();
	int status;

	if (pid < 0)
		fail("fork");
	if (pid == 0) {
		(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		(void)raise(SIGSTOP);
		(void)execv(argv[0], argv);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) < 0 ||
	    ptrace(PTRACE_SETOPTIONS, pid, NULL, options) < 0 ||
	    ptrace(PTRACE_CONT, pid, NULL, NULL) < 0)
		fail(argv[0]);
	return pid;
}

/* Return: the wait status of @first. */
static int step_all(pid_t first, const char *program, unsigned char *reached)
{
	unsigned long base = 0;
	int status;

	for (;;) {
		pid_t pid = waitpid(-1, &status, __WALL);
		const int event = status >> 16;
		int signal = 0;

		if (pid < 0)
			fail("wait");
		if (!WIFSTOPPED(status)) {
			if (pid == first)
				return status;
			continue;
		}
		if (event == PTRACE_EVENT_EXEC && pid != first) {
			(void)ptrace(PTRACE_DETACH, pid, NULL, NULL);
			continue;
		}
		if (event == PTRACE_EVENT_EXEC) {
			base = base_of(pid, program);
		} else if (event == 0 && WSTOPSIG(status) == SIGTRAP) {
			unsigned long at = place(pid, base);

			if (at < SIZE)
				reached[at] |= pid == first ? 1 : 2;
		} else if (event == 0 && WSTOPSIG(status) != SIGSTOP) {
			signal = WSTOPSIG(status);
		}
		(void)ptrace(base ? PTRACE_SINGLESTEP : PTRACE_CONT, pid, NULL, signal);
	}
}

int main(int argc, char **argv)
{
	unsigned char *reached = calloc(SIZE, 1);
	int status;
	FILE *out;

	if (argc < 3 || !reached) {
		(void)fprintf(stderr, "usage: stepper FILE PROGRAM [ARG...]\n");
		return 2;
	}
	status = step_all(start(argv + 2), argv[2], reached);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		(void)fprintf(stderr, "stepper: '%s' failed (wait status 0x%x)\n",
		              argv[2], (unsigned int)status);
		return 1;
	}
	out = fopen(argv[1], "w");
	if (!out)
		fail(argv[1]);
	for (unsigned long at = 0; at < SIZE; at++)
		if (reached[at])
			(void)fprintf(out, "%lx %d\n", at, reached[at] > 1);
	return fclose(out) == 0 ? 0 : 2;
}
