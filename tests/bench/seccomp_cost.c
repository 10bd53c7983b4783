/*
 * seccomp_cost FILTER loop COUNT: nanoseconds of one getppid() under a filter of
 * "berth policy seccomp --format bpf"; seccomp_cost FILTER run COMMAND...: a command under it.
 * FILTER "-" is none.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int load(const char *path)
{
	static struct sock_filter insn[BPF_MAXINSNS];
	struct sock_fprog prog = { .filter = insn };
	ssize_t n;
	int fd;

	if (!strcmp(path, "-"))
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, insn, sizeof(insn));
	if (n <= 0 || n % (ssize_t)sizeof(insn[0]))
		return -1;
	(void)close(fd);
	prog.len = (unsigned short)((size_t)n / sizeof(insn[0]));
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	                    SECCOMP_FILTER_FLAG_SPEC_ALLOW, &prog);
}

static double now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

int main(int argc, char **argv)
{
	long count = argc > 3 ? strtol(argv[3], NULL, 10) : 0;
	double begin;

	if (argc < 4 || load(argv[1]) < 0) {
		perror("seccomp_cost");
		return 2;
	}
	if (!strcmp(argv[2], "run")) {
		(void)execvp(argv[3], argv + 3);
		perror(argv[3]);
		return 127;
	}
	begin = now();
	for (long i = 0; i < count; i++)
		(void)syscall(SYS_getppid);
	printf("%.2f\n", (now() - begin) / (double)count);
	return 0;
}
