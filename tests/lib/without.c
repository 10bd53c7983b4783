/*
 * without SYSCALL[=ERRNO|=KILL]... -- COMMAND [ARG...]
 *
 * Runs COMMAND with the named system calls answering ENOSYS, ERRNO or SIGSYS, so that the path for
 * a kernel or a seccomp profile without them is taken. It needs CAP_SYS_ADMIN and leaves
 * no_new_privs alone: a set-user-ID newuidmap below COMMAND still works after the tests
 * have dropped their privileges. With -n it sets no_new_privs instead and needs nothing.
 *
 * After crun's tests/no_openat2.c. Test code only: berth's own filters are made at build time.
 */
#include <errno.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *name;
	uint16_t code;
} answers[] = {
	/* clang-format off */
	{ "EACCES",     EACCES },
	{ "EAGAIN",     EAGAIN },
	{ "EINVAL",     EINVAL },
	{ "EMFILE",     EMFILE },
	{ "ENOMEM",     ENOMEM },
	{ "ENOSPC",     ENOSPC },
	{ "ENOSYS",     ENOSYS },
	{ "EOPNOTSUPP", EOPNOTSUPP },
	{ "EPERM",      EPERM },
	{ "EROFS",      EROFS },
	/* clang-format on */
};

static void die(const char *what, const char *name, int code)
{
	(void)fprintf(stderr, "without: %s '%s': %s\n", what, name, strerror(code));
	exit(125);
}

static uint32_t answer(const char *name)
{
	if (strcmp(name, "KILL") == 0)
		return SCMP_ACT_KILL_PROCESS;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		if (strcmp(name, answers[i].name) == 0)
			return SCMP_ACT_ERRNO(answers[i].code);
	die("unknown answer", name, EINVAL);
	return SCMP_ACT_KILL;
}

/* Takes one SYSCALL[=ERRNO] apart, in place. */
static void refuse(scmp_filter_ctx ctx, char *spec)
{
	char *equals = strchr(spec, '=');
	uint32_t action = answer(equals ? equals + 1 : "ENOSYS");
	int nr, r;

	if (equals)
		*equals = '\0';
	nr = seccomp_syscall_resolve_name(spec);
	if (nr == __NR_SCMP_ERROR)
		die("unknown system call", spec, EINVAL);
	r = seccomp_rule_add(ctx, action, nr, 0);
	if (r < 0)
		die("cannot refuse", spec, -r);
}

int main(int argc, char **argv)
{
	bool no_new_privs = argc > 1 && strcmp(argv[1], "-n") == 0;
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int i = no_new_privs ? 2 : 1;
	int r;

	if (!ctx)
		die("cannot make", "a filter", ENOMEM);
	/* A program for another architecture runs on, unfiltered. */
	r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW);
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, no_new_privs);
	/* Otherwise libseccomp turns every cause of a failed load into ECANCELED. */
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_API_SYSRAWRC, 1);
	if (r < 0)
		die("cannot set up", "the filter", -r);

	for (; i < argc && strcmp(argv[i], "--") != 0; i++)
		refuse(ctx, argv[i]);
	if (i + 1 >= argc) {
		(void)fputs(
			"usage: without [-n] SYSCALL[=ERRNO]... -- COMMAND [ARG...]\n",
			stderr);
		return 125;
	}

	r = seccomp_load(ctx);
	if (r < 0)
		die("cannot load", "the filter (root, or -n)", -r);
	seccomp_release(ctx);

	(void)execvp(argv[i + 1], argv + i + 1);
	die("cannot execute", argv[i + 1], errno);
}
