/*
 * without SYSCALL[=ERRNO|=KILL]... -- COMMAND [ARG...]
 *
 * Runs COMMAND with the named system calls answering ENOSYS, ERRNO or SIGSYS, so that the path for
 * a kernel or a seccomp profile without them is taken. It needs CAP_SYS_ADMIN and leaves
 * no_new_privs alone: a set-user-ID newuidmap below COMMAND still works after the tests
 * have dropped their privileges. With -n it sets no_new_privs instead and needs nothing.
 *
 * netlink:WORD[=ERRNO] answers EOPNOTSUPP, or ERRNO, to messages of netlink that hold WORD: a kernel
 * without that kind of interface, queue, action or expression. A process beside COMMAND reads them until nobody is left
 * who is filtered.
 *
 * option:NUMBER answers ENOPROTOOPT to this option of SOL_SOCKET: a kernel that does not know it.
 *
 * ioctl:TYPE answers ENOTTY to all requests of this type (ioctl(2)): a kernel that knows none of them.
 *
 * statfs:PATH=KIND answers statfs(2) of PATH, and of what is below, as if it lay on a file system that cannot be mounted
 * where tests run: nfs, smb, cifs or 9p. The rest of the answer is the kernel's.
 *
 * After crun's tests/no_openat2.c. Test code only: berth's own filters are made at build time.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
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
	{ "ENOENT",     ENOENT },
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

static uint16_t code_of(const char *name)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		if (strcmp(name, answers[i].name) == 0)
			return answers[i].code;
	die("unknown answer", name, EINVAL);
	return 0;
}

static uint32_t answer(const char *name)
{
	if (strcmp(name, "KILL") == 0)
		return SCMP_ACT_KILL_PROCESS;
	return SCMP_ACT_ERRNO(code_of(name));
}

/* What messages are refused for, and how; without any they are not looked at. */
static struct {
	const char *word;
	uint16_t code;
} netlink[8];
static size_t netlink_words;

/* Whose file system is said to be another one; without a path nobody's. */
static struct {
	const char *path;
	long magic;
} elsewhere;

static void place_elsewhere(const char *path, const char *kind)
{
	/* <linux/magic.h>, and fs/smb/client for the last ones. */
	static const struct {
		const char *kind;
		long magic;
	} known[] = {
		{ "nfs", 0x6969 },
		{ "9p", 0x01021997 },
		{ "smb", 0xfe534d42 },
		{ "cifs", 0xff534d42 },
	};

	if (elsewhere.path || *path != '/')
		die("one absolute path, not", path, EINVAL);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (kind && strcmp(kind, known[i].kind) == 0) {
			elsewhere.path = path;
			elsewhere.magic = known[i].magic;
			return;
		}
	die("unknown file system", kind ? kind : "", EINVAL);
}

static void refuse_message(const char *word, const char *code)
{
	if (netlink_words == sizeof(netlink) / sizeof(netlink[0]))
		die("too many words", word, E2BIG);
	netlink[netlink_words].word = word;
	netlink[netlink_words++].code = code ? code_of(code) : EOPNOTSUPP;
}

/* setsockopt(2) and getsockopt(2) of an option of SOL_SOCKET. */
static void refuse_ioctl(scmp_filter_ctx ctx, const char *number)
{
	char *end;
	const unsigned long type = strtoul(number, &end, 16);
	int r;

	if (end == number || *end || type > 0xff)
		die("no type of requests", number, EINVAL);
	r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOTTY), SCMP_SYS(ioctl), 1,
	                     SCMP_A1(SCMP_CMP_MASKED_EQ, 0xff00, type << 8));
	if (r < 0)
		die("cannot refuse requests of type", number, -r);
}

static void refuse_option(scmp_filter_ctx ctx, const char *number)
{
	const int calls[] = { SCMP_SYS(setsockopt), SCMP_SYS(getsockopt) };
	char *end;
	const unsigned long option = strtoul(number, &end, 10);

	if (end == number || *end)
		die("no number of an option", number, EINVAL);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		int r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOPROTOOPT), calls[i], 2,
		                         SCMP_A1(SCMP_CMP_EQ, SOL_SOCKET),
		                         SCMP_A2(SCMP_CMP_EQ, option));

		if (r < 0)
			die("cannot refuse the option", number, -r);
	}
}

/* Takes one SYSCALL[=ERRNO] apart, in place. */
static void refuse(scmp_filter_ctx ctx, char *spec)
{
	char *equals = strchr(spec, '=');
	int nr, r;

	if (equals)
		*equals++ = '\0';
	if (strncmp(spec, "statfs:", strlen("statfs:")) == 0) {
		place_elsewhere(spec + strlen("statfs:"), equals);
		r = seccomp_rule_add(ctx, SCMP_ACT_NOTIFY, SCMP_SYS(statfs), 0);
		if (r < 0)
			die("cannot look at", spec, -r);
		return;
	}
	if (strncmp(spec, "netlink:", strlen("netlink:")) == 0) {
		refuse_message(spec + strlen("netlink:"), equals);
		if (netlink_words > 1)
			return;
		r = seccomp_rule_add(ctx, SCMP_ACT_NOTIFY, SCMP_SYS(sendto), 0);
		if (r < 0)
			die("cannot look at", spec, -r);
		return;
	}

	if (strncmp(spec, "option:", strlen("option:")) == 0) {
		refuse_option(ctx, spec + strlen("option:"));
		return;
	}

	if (strncmp(spec, "ioctl:", strlen("ioctl:")) == 0) {
		refuse_ioctl(ctx, spec + strlen("ioctl:"));
		return;
	}

	nr = seccomp_syscall_resolve_name(spec);
	if (nr == __NR_SCMP_ERROR)
		die("unknown system call", spec, EINVAL);
	r = seccomp_rule_add(ctx, answer(equals ? equals : "ENOSYS"), nr, 0);
	if (r < 0)
		die("cannot refuse", spec, -r);
}

/* What to answer for a word with its NUL, as attributes of netlink hold it; 0 for none. */
static int refused(pid_t pid, uint64_t address, uint64_t size)
{
	static char data[65536]; /* a transaction of nf_tables goes in one message */
	struct iovec here = { data, size < sizeof(data) ? size : sizeof(data) };
	struct iovec there = { (void *)(uintptr_t)address, here.iov_len };
	ssize_t n = process_vm_readv(pid, &here, 1, &there, 1, 0);

	for (size_t i = 0; n > 0 && i < netlink_words; i++)
		if (memmem(data, (size_t)n, netlink[i].word, strlen(netlink[i].word) + 1))
			return netlink[i].code;
	return 0;
}

/* Whether @path, of another process, is the one or below it. */
static bool is_elsewhere(pid_t pid, uint64_t address, char *path, size_t size)
{
	const size_t len = strlen(elsewhere.path);
	struct iovec here = { path, size - 1 };
	struct iovec there = { (void *)(uintptr_t)address, size - 1 };
	ssize_t n = process_vm_readv(pid, &here, 1, &there, 1, 0);

	/* Its page ends where the next one is not there. */
	if (n < 0) {
		here.iov_len = there.iov_len = 4096 - address % 4096;
		n = process_vm_readv(pid, &here, 1, &there, 1, 0);
	}
	if (n <= 0)
		return false;
	path[n] = '\0';
	return strncmp(path, elsewhere.path, len) == 0 &&
	       (path[len] == '/' || path[len] == '\0');
}

/* Fills in the answer: the kernel's, but for the kind. Whether there is one. */
static bool told_elsewhere(const struct seccomp_notif *ask,
                           struct seccomp_notif_resp *answer)
{
	struct statfs fs;
	struct iovec here = { &fs, sizeof(fs) };
	struct iovec there = { (void *)(uintptr_t)ask->data.args[1], sizeof(fs) };
	char path[8192];

	if (!is_elsewhere((pid_t)ask->pid, ask->data.args[0], path, sizeof(path)))
		return false;
	if (statfs(path, &fs) < 0) {
		answer->error = -errno;
		return true;
	}
	fs.f_type = (__typeof__(fs.f_type))elsewhere.magic;
	if (process_vm_writev((pid_t)ask->pid, &here, 1, &there, 1, 0) < 0)
		answer->error = -EFAULT;
	return true;
}

/* Until the last one with the filter is gone. */
static void answer_for(int listener)
{
	struct pollfd pfd = { .fd = listener, .events = POLLIN };
	struct seccomp_notif_resp *answer;
	struct seccomp_notif *ask;

	if (seccomp_notify_alloc(&ask, &answer) < 0)
		_exit(125);
	while (poll(&pfd, 1, -1) > 0 && pfd.revents & POLLIN) {
		memset(ask, 0, sizeof(*ask));
		if (seccomp_notify_receive(listener, ask) < 0)
			continue;
		memset(answer, 0, sizeof(*answer));
		answer->id = ask->id;
		if (elsewhere.path && ask->data.nr == SYS_statfs) {
			if (!told_elsewhere(ask, answer))
				answer->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
			(void)seccomp_notify_respond(listener, answer);
			continue;
		}
		answer->error =
			-refused((pid_t)ask->pid, ask->data.args[1], ask->data.args[2]);
		if (answer->error == 0)
			answer->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		(void)seccomp_notify_respond(listener, answer);
	}
	_exit(0);
}

/* Born before the filter is loaded, so that it is not under it; waits for the listener. */
static int start_reader(void)
{
	int pair[2];

	if (pipe(pair) < 0)
		die("cannot make", "a pipe", errno);
	switch (fork()) {
	case -1:
		die("cannot make", "a process", errno);
		break;
	case 0: {
		const pid_t parent = getppid();
		int at, pidfd, listener;

		(void)close(pair[1]);
		(void)setsid();
		if (read(pair[0], &at, sizeof(at)) != sizeof(at))
			_exit(0);
		pidfd = (int)syscall(SYS_pidfd_open, parent, 0);
		listener = (int)syscall(SYS_pidfd_getfd, pidfd, at, 0);
		/* Whoever waits for the end of our standard output waits for the command's. */
		for (int i = 0; i < 256; i++)
			if (i != listener)
				(void)close(i);
		if (listener < 0)
			_exit(125);
		answer_for(listener);
	}
	}
	(void)close(pair[0]);
	return pair[1];
}

static void hand_over(int to, int listener)
{
	const struct timespec pause = { .tv_nsec = 100000000 };

	(void)fcntl(listener, F_SETFD, FD_CLOEXEC);
	if (write(to, &listener, sizeof(listener)) != sizeof(listener))
		die("cannot hand over", "the listener", errno);
	(void)close(to);
	/* Until it has its own: ours goes with execve(). */
	(void)nanosleep(&pause, NULL);
}

int main(int argc, char **argv)
{
	bool no_new_privs = argc > 1 && strcmp(argv[1], "-n") == 0;
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int i = no_new_privs ? 2 : 1;
	int r, reader = -1;

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

	if (netlink_words || elsewhere.path)
		reader = start_reader();
	r = seccomp_load(ctx);
	if (r < 0)
		die("cannot load", "the filter (root, or -n)", -r);
	if (netlink_words || elsewhere.path)
		hand_over(reader, seccomp_notify_fd(ctx));
	seccomp_release(ctx);

	(void)execvp(argv[i + 1], argv + i + 1);
	die("cannot execute", argv[i + 1], errno);
}
