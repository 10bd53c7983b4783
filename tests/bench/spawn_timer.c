/*
 * spawn_timer ROUNDS [OPTION] NAME COMMAND [ARG...] [+ [OPTION] NAME COMMAND [ARG...]]...
 *
 * Runs each command once a round, in a new order each time, and prints how long it took
 * from just before its process is made until that process was waited for, in
 * microseconds: a line of names, then a line a round. One more round goes before and is
 * not printed. No shell is in the figures.
 *
 *   --no-new-privs   run the command under it: setuid programs cannot help it
 *   --first-byte     until its output begins: what it takes to start something, not to end it
 *   --to-the-end     until nothing of it is left: also what it leaves running when it ends
 *   --id-map         the command is newuidmap or newgidmap: it gets the PID of a process
 *                    in a new user namespace, made for it, as its first argument
 *
 * A command that fails ends the run: a launch that did not happen has no duration.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TIMED_MAX 32
#define ARGS_MAX 128
#define ROUNDS_MAX 100000

/* What ended leaves work to the kernel (namespaces, a group): not at the cost of the
 * next one. */
#define PAUSE_MS 5

struct timed {
	const char *name;
	char **argv;
	bool no_new_privs, id_map, first_byte, to_the_end;
};

static void fail(const char *what)
{
	(void)fprintf(stderr, "spawn_timer: %s: %s\n", what, strerror(errno));
	exit(2);
}

static int64_t now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * (int64_t)1000000000 + ts.tv_nsec;
}

/* A process in a user namespace of its own, which waits for its end. */
static pid_t start_target(void)
{
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL,
	                           NULL);

	if (pid < 0)
		fail("make a user namespace");
	if (pid == 0)
		for (;;)
			(void)pause();
	return pid;
}

static void end_target(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

/* Like posix_spawn(3), which does not know no_new_privs. */
static pid_t start(const struct timed *timed, char **argv, int in, int out)
{
	pid_t pid = vfork();

	if (pid < 0)
		fail("vfork");
	if (pid == 0) {
		(void)dup2(in, STDIN_FILENO);
		(void)dup2(out, STDOUT_FILENO);
		if (timed->no_new_privs)
			(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		(void)execvp(argv[0], argv);
		_exit(127);
	}
	return pid;
}

/* Return: microseconds. */
static double run(const struct timed *timed, int null)
{
	char *argv[ARGS_MAX + 2], number[16];
	char **args = timed->argv;
	pid_t target = 0, pid;
	int output[2] = { -1, null };
	int64_t begin, end;
	int status;
	char byte;

	if (timed->id_map) {
		target = start_target();
		(void)snprintf(number, sizeof(number), "%d", (int)target);
		argv[0] = args[0];
		argv[1] = number;
		for (size_t i = 0; i < ARGS_MAX && (argv[i + 2] = args[i + 1]); i++)
			continue;
		args = argv;
	}
	if (timed->first_byte && pipe2(output, O_CLOEXEC) < 0)
		fail("make a pipe");
	begin = now_ns();
	pid = start(timed, args, null, output[1]);
	if (timed->first_byte) {
		(void)close(output[1]);
		if (read(output[0], &byte, 1) != 1)
			fail("read the output");
	}
	end = now_ns();
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			fail("wait");
	/* Orphans are ours: main() made us the subreaper. */
	while (timed->to_the_end && (waitpid(-1, NULL, 0) > 0 || errno == EINTR))
		continue;
	if (timed->first_byte)
		(void)close(output[0]);
	else
		end = now_ns();
	if (target > 0)
		end_target(target);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		(void)fprintf(stderr, "spawn_timer: '%s' failed (wait status 0x%x)\n",
		              timed->name, (unsigned int)status);
		exit(1);
	}
	return (double)(end - begin) / 1000;
}

/* Splits the arguments at each "+"; returns how many commands there are. */
static size_t parse(char **argv, struct timed timed[TIMED_MAX])
{
	size_t n = 0;

	while (*argv) {
		struct timed *t = &timed[n++];
		size_t length = 0;

		if (n > TIMED_MAX)
			goto usage;
		for (; *argv && !strncmp(*argv, "--", 2); argv++) {
			if (!strcmp(*argv, "--no-new-privs"))
				t->no_new_privs = true;
			else if (!strcmp(*argv, "--first-byte"))
				t->first_byte = true;
			else if (!strcmp(*argv, "--to-the-end"))
				t->to_the_end = true;
			else if (!strcmp(*argv, "--id-map"))
				t->id_map = true;
			else
				goto usage;
		}
		if (!argv[0] || !argv[1])
			goto usage;
		t->name = *argv++;
		t->argv = argv;
		for (; *argv && strcmp(*argv, "+") != 0; argv++)
			length++;
		if (length == 0 || length >= ARGS_MAX)
			goto usage;
		if (*argv)
			*argv++ = NULL;
	}
	if (n > 0)
		return n;
usage:
	(void)fprintf(stderr, "usage: spawn_timer ROUNDS "
	                      "[--no-new-privs|--first-byte|--to-the-end|--id-map] "
	                      "NAME COMMAND [ARG...] [+ ...]\n");
	exit(2);
}

static void shuffle(size_t *order, size_t n)
{
	for (size_t i = n; i > 1; i--) {
		size_t j = (size_t)random() % i, kept = order[i - 1];

		order[i - 1] = order[j];
		order[j] = kept;
	}
}

int main(int argc, char **argv)
{
	const struct timespec pause_time = { .tv_nsec = PAUSE_MS * 1000000L };
	struct timed timed[TIMED_MAX] = { 0 };
	long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	size_t order[TIMED_MAX], n;
	double took[TIMED_MAX];

	if (null < 0)
		fail("open '/dev/null'");
	n = parse(argc > 1 && rounds > 0 && rounds < ROUNDS_MAX ? argv + 2 : argv + argc,
	          timed);
	for (size_t i = 0; i < n; i++) {
		order[i] = i;
		(void)printf("%s%c", timed[i].name, i + 1 < n ? '\t' : '\n');
	}
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		fail("become a subreaper");
	srandom(1); /* the same orders in each run */
	for (long round = -1; round < rounds; round++) {
		shuffle(order, n);
		for (size_t i = 0; i < n; i++) {
			took[order[i]] = run(&timed[order[i]], null);
			(void)nanosleep(&pause_time, NULL);
			while (waitpid(-1, NULL, WNOHANG) > 0) /* what others left */
				continue;
		}
		for (size_t i = 0; round >= 0 && i < n; i++)
			(void)printf("%.1f%c", took[i], i + 1 < n ? '\t' : '\n');
		(void)fflush(stdout);
	}
	return 0;
}
