#include "policies/seccomp_choice.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/net.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#define NR_END 512
#define ALLOWED 1234 /* what PLUG says in place of doing the call */

/**
 * struct shared - What a confined child saw
 * @error:	of each number of the native ABI, with arguments of 0
 * @error80:	likewise of i386, by int 0x80
 * @probe:	of the call that the case names
 * @i386:	there is that ABI
 */
struct shared {
	bool done, i386;
	int error[NR_END], error80[NR_END], probe;
};

/**
 * struct probe - One call with its arguments
 * @i386:	by int 0x80
 */
struct probe {
	long nr, arg[3];
	bool i386;
};

static struct shared *shared;

/*
 * A filter that refuses everything with an errno that nobody else uses, loaded before the one that
 * is looked at. Of two that refuse the later one is heard (kernel/seccomp.c, seccomp_run_filters()),
 * so every call can be made in earnest, and none is done: ALLOWED is what the filter lets through.
 */
static void plug(void)
{
	struct sock_filter insn[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ALLOWED),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(insn) / sizeof(insn[0]), insn };

	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		_exit(1);
}

#ifdef __x86_64__
static int error80(long nr, long a, long b, long c)
{
	long r;

	__asm__ volatile("int $0x80"
	                 : "=a"(r)
	                 : "a"(nr), "b"(a), "c"(b), "d"(c)
	                 : "r8", "r9", "r10", "r11", "memory", "cc");
	return (int)r < 0 ? -(int)r : 0;
}

static bool has_i386(void)
{
	int status = 0;
	pid_t pid = fork();

	/* ia32_emulation=off makes it a SIGSEGV, which cmocka would catch. */
	if (pid == 0) {
		(void)signal(SIGSEGV, SIG_DFL);
		_exit(error80(20, 0, 0, 0));
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}
#else
static int error80(long nr, long a, long b, long c)
{
	(void)nr, (void)a, (void)b, (void)c;
	return 0;
}

static bool has_i386(void)
{
	return false;
}
#endif

static int make_shared(void **state)
{
	(void)state;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
	              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return -1;
	shared->i386 = has_i386();
	return 0;
}

static int free_shared(void **state)
{
	(void)state;
	return munmap(shared, sizeof(*shared));
}

/* What the plug lets through, and what Linux 6.14 lets past all filters: a SIGILL from anywhere
 * but the kernel's own trampoline. */
static bool is_passed(long nr)
{
#ifdef __x86_64__
	if (nr == 335 /* uretprobe */ || nr == 336 /* uprobe */)
		return true;
#endif
	return nr == SYS_seccomp || nr == SYS_exit_group;
}

static int error_of(long nr, const long arg[3])
{
	return syscall(nr, arg[0], arg[1], arg[2], 0, 0, 0) < 0 ? errno : 0;
}

/*
 * Under the filter of a choice: all numbers where @probe is NULL, else that call alone. What it
 * asks of a listener the plug answers, whose refusal comes before a question.
 */
static void in_child(const struct seccomp_choice *choice, enum seccomp_mode mode,
                     const struct probe *probe)
{
	static struct seccomp_made made;
	const long none[3] = { 0 };
	struct err err = { 0 };
	int status = 0;
	pid_t pid;

	assert_int_equal(seccomp_make(choice, mode, &made, &err), 0);
	shared->done = false;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		plug();
		if (seccomp_load(&made.filter, &err) < 0)
			_exit(1);
		for (long nr = 0; !probe && nr < NR_END; nr++) {
			if (is_passed(nr))
				continue;
			shared->error[nr] = error_of(nr, none);
			if (shared->i386)
				shared->error80[nr] = error80(nr, 0, 0, 0);
		}
		if (probe)
			shared->probe = probe->i386
			                        ? error80(probe->nr, probe->arg[0],
			                                  probe->arg[1], probe->arg[2])
			                        : error_of(probe->nr, probe->arg);
		shared->done = true;
		/* Before _exit() the sanitizer asks for its stack of signals, and the plug says no. */
		(void)syscall(SYS_exit_group, 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(shared->done);
}

#define NONE (-1)

/* What a choice changes of all calls with arguments of 0; all others stay as they are. */
static const struct {
	const char *name;
	struct seccomp_choice choice;
	struct {
		long nr;
		int error;
	} native[4], i386[4];
} change_cases[] = {
	{ "nothing", { NULL, NULL, NULL }, { { NONE, 0 } }, { { NONE, 0 } } },
	{ "allow bpf",
	  { NULL, "bpf", NULL },
	  { { SYS_bpf, ALLOWED }, { NONE, 0 } },
	  { { 357, ALLOWED }, { NONE, 0 } } },
	{ "allow three",
	  { NULL, "keyctl,syslog,userfaultfd", NULL },
	  { { SYS_keyctl, ALLOWED },
	    { SYS_syslog, ALLOWED },
	    { SYS_userfaultfd, ALLOWED },
	    { NONE, 0 } },
	  { { 288, ALLOWED }, { 103, ALLOWED }, { 374, ALLOWED }, { NONE, 0 } } },
	{ "deny ptrace",
	  { NULL, NULL, "ptrace" },
	  { { SYS_ptrace, EPERM }, { NONE, 0 } },
	  { { 26, EPERM }, { NONE, 0 } } },
	{ "deny one that has an older way",
	  { NULL, NULL, "clone3" },
	  { { SYS_clone3, ENOSYS }, { NONE, 0 } },
	  { { 435, ENOSYS }, { NONE, 0 } } },
	{ "deny what is refused with another answer",
	  { NULL, NULL, "keyctl" },
	  { { NONE, 0 } },
	  { { NONE, 0 } } },
	{ "deny counts before allow",
	  { NULL, "bpf,read", "bpf" },
	  { { NONE, 0 } },
	  { { NONE, 0 } } },
	{ "all of a call that arguments decide",
	  { NULL, NULL, "ioctl,socket" },
	  { { SYS_ioctl, EPERM }, { SYS_socket, EPERM }, { NONE, 0 } },
	  { { 54, EPERM }, { 359, EPERM }, { NONE, 0 } } },
	{ "allow beside the i386 filter",
	  { "workspace-i386", "bpf", NULL },
	  { { SYS_bpf, ALLOWED }, { NONE, 0 } },
	  { { 357, ALLOWED }, { NONE, 0 } } },
};

static void expect(const int *got, int *want, size_t n)
{
	for (size_t nr = 0; nr < n; nr++)
		if (got[nr] != want[nr])
			fail_msg("call %zu: errno %d, not %d", nr, got[nr], want[nr]);
}

static void test_changes(void **state)
{
	static int native[NR_END], i386[NR_END];

	(void)state;
	for (size_t i = 0; i < sizeof(change_cases) / sizeof(change_cases[0]); i++) {
		const struct seccomp_choice plain = { change_cases[i].choice.profile,
			                              NULL, NULL };

		print_message("  %s\n", change_cases[i].name);
		in_child(&plain, SECCOMP_REFUSE, NULL);
		memcpy(native, shared->error, sizeof(native));
		memcpy(i386, shared->error80, sizeof(i386));
		assert_int_equal(native[SYS_getpid], ALLOWED);
		assert_int_equal(native[SYS_bpf], EPERM);
		for (size_t j = 0; change_cases[i].native[j].nr != NONE; j++)
			native[change_cases[i].native[j].nr] =
				change_cases[i].native[j].error;
		for (size_t j = 0; change_cases[i].i386[j].nr != NONE; j++)
			i386[change_cases[i].i386[j].nr] = change_cases[i].i386[j].error;
		in_child(&change_cases[i].choice, SECCOMP_REFUSE, NULL);
		expect(shared->error, native, NR_END);
		if (shared->i386)
			expect(shared->error80, i386, NR_END);
	}
}

/* What arguments decide. */
static const struct {
	const char *name;
	struct seccomp_choice choice;
	struct probe probe;
	int want;
} argument_cases[] = {
	/* clang-format off */
	{ "AF_ALG", { NULL, NULL, NULL }, { SYS_socket, { AF_ALG }, false }, EAFNOSUPPORT },
	{ "AF_ALG allowed", { NULL, "socket:AF_ALG", NULL }, { SYS_socket, { AF_ALG }, false }, ALLOWED },
	{ "AF_VSOCK still", { NULL, "socket:AF_ALG", NULL }, { SYS_socket, { AF_VSOCK }, false }, EAFNOSUPPORT },
	{ "AF_PACKET", { NULL, NULL, NULL }, { SYS_socket, { AF_PACKET }, false }, ALLOWED },
	{ "AF_PACKET denied", { NULL, NULL, "socket:AF_PACKET" }, { SYS_socket, { AF_PACKET }, false }, EAFNOSUPPORT },
	{ "with more above", { NULL, NULL, "socket:AF_PACKET" }, { SYS_socket, { 1L << 32 | AF_PACKET }, false }, EAFNOSUPPORT },
	{ "the one beside", { NULL, NULL, "socket:AF_PACKET" }, { SYS_socket, { AF_PACKET + 1 }, false }, ALLOWED },
	{ "socketpair, too", { NULL, NULL, "socket:AF_TIPC" }, { SYS_socketpair, { AF_TIPC }, false }, EAFNOSUPPORT },
	{ "a pair of another", { NULL, NULL, "socket:AF_TIPC" }, { SYS_socketpair, { AF_UNIX }, false }, ALLOWED },
	{ "denied and allowed", { NULL, "socket:AF_ALG", "socket:AF_ALG" }, { SYS_socket, { AF_ALG }, false }, EAFNOSUPPORT },
	{ "all of socket", { NULL, "socket:AF_ALG", "socket" }, { SYS_socket, { AF_INET }, false }, EPERM },
	{ "personality", { NULL, NULL, NULL }, { SYS_personality, { READ_IMPLIES_EXEC }, false }, EPERM },
	{ "personality allowed", { NULL, "personality", NULL }, { SYS_personality, { READ_IMPLIES_EXEC }, false }, ALLOWED },
	{ "personality denied", { NULL, NULL, "personality" }, { SYS_personality, { 0 }, false }, EPERM },
	{ "TIOCSTI beside bpf", { NULL, "bpf", NULL }, { SYS_ioctl, { 0, 0x5412 }, false }, EPERM },
	{ "a user namespace by clone", { NULL, NULL, NULL }, { SYS_clone, { CLONE_NEWUSER | SIGCHLD }, false }, ALLOWED },
	{ "that denied", { NULL, NULL, "namespace:CLONE_NEWUSER" }, { SYS_clone, { CLONE_NEWUSER | SIGCHLD }, false }, EPERM },
	{ "among others", { NULL, NULL, "namespace:CLONE_NEWUSER" }, { SYS_clone, { CLONE_NEWNS | CLONE_NEWUSER | CLONE_VM }, false }, EPERM },
	{ "with more above", { NULL, NULL, "namespace:CLONE_NEWUSER" }, { SYS_clone, { 1L << 32 | CLONE_NEWUSER }, false }, EPERM },
	{ "another kind", { NULL, NULL, "namespace:CLONE_NEWUSER" }, { SYS_clone, { CLONE_NEWNS | CLONE_NEWPID }, false }, ALLOWED },
	{ "a thread", { NULL, NULL, "namespace:CLONE_NEWUSER" }, { SYS_clone, { 0x3d0f00 }, false }, ALLOWED },
	{ "a child", { NULL, NULL, "namespace:CLONE_NEWUSER,namespace:CLONE_NEWTIME" }, { SYS_clone, { SIGCHLD }, false }, ALLOWED },
	{ "a child with any signal", { NULL, NULL, "namespace:CLONE_NEWTIME" }, { SYS_clone, { CLONE_NEWTIME }, false }, ALLOWED },
	{ "by unshare", { NULL, NULL, "namespace:CLONE_NEWUSER" }, { SYS_unshare, { CLONE_NEWUSER | CLONE_NEWNET }, false }, EPERM },
	{ "another by unshare", { NULL, NULL, "namespace:CLONE_NEWUSER" }, { SYS_unshare, { CLONE_NEWNET }, false }, ALLOWED },
	{ "time by unshare", { NULL, NULL, "namespace:CLONE_NEWTIME" }, { SYS_unshare, { CLONE_NEWTIME }, false }, EPERM },
	{ "by setns", { NULL, NULL, "namespace:CLONE_NEWUSER" }, { SYS_setns, { 0, CLONE_NEWUSER }, false }, EPERM },
	{ "another by setns", { NULL, NULL, "namespace:CLONE_NEWUSER" }, { SYS_setns, { CLONE_NEWUSER, CLONE_NEWNET }, false }, ALLOWED },
	{ "by clone3", { NULL, NULL, "namespace:CLONE_NEWUSER" }, { SYS_clone3, { 0 }, false }, ENOSYS },
	{ "by an allowed clone3", { NULL, "clone3,unshare", "namespace:CLONE_NEWNET" }, { SYS_clone3, { 0 }, false }, ENOSYS },
	{ "by an allowed unshare", { NULL, "clone3,unshare", "namespace:CLONE_NEWNET" }, { SYS_unshare, { CLONE_NEWNET }, false }, EPERM },
	{ "two kinds", { NULL, NULL, "namespace:CLONE_NEWNET,namespace:CLONE_NEWPID" }, { SYS_unshare, { CLONE_NEWPID }, false }, EPERM },
	{ "two kinds, a third", { NULL, NULL, "namespace:CLONE_NEWNET,namespace:CLONE_NEWPID" }, { SYS_unshare, { CLONE_NEWUTS }, false }, ALLOWED },
	{ "beside all of unshare", { NULL, NULL, "namespace:CLONE_NEWNET,unshare" }, { SYS_unshare, { CLONE_NEWUTS }, false }, EPERM },
	{ "beside the i386 filter", { "workspace-i386", NULL, "namespace:CLONE_NEWUSER" }, { SYS_unshare, { CLONE_NEWUSER }, false }, EPERM },
	{ "i386: clone", { NULL, NULL, "namespace:CLONE_NEWUSER" }, { 120, { CLONE_NEWUSER }, true }, EPERM },
	{ "i386: fork by clone", { NULL, NULL, "namespace:CLONE_NEWUSER" }, { 120, { SIGCHLD }, true }, ALLOWED },
	{ "i386: unshare", { NULL, NULL, "namespace:CLONE_NEWUSER" }, { 310, { CLONE_NEWUSER }, true }, EPERM },
	{ "i386: setns", { NULL, NULL, "namespace:CLONE_NEWUSER" }, { 346, { 0, CLONE_NEWUSER }, true }, EPERM },
	{ "i386: clone3", { NULL, NULL, "namespace:CLONE_NEWUSER" }, { 435, { 0 }, true }, ENOSYS },
	{ "i386: connect", { NULL, NULL, "connect" }, { 362, { 0 }, true }, EPERM },
	{ "i386: connect by socketcall", { NULL, NULL, "connect" }, { 102, { SYS_CONNECT }, true }, EPERM },
	{ "i386: bind by socketcall", { NULL, NULL, "connect" }, { 102, { SYS_BIND }, true }, ALLOWED },
	{ "i386: socket by socketcall", { "workspace-i386", NULL, NULL }, { 102, { SYS_SOCKET }, true }, ALLOWED },
	{ "i386: that denied", { "workspace-i386", NULL, "socket" }, { 102, { SYS_SOCKET }, true }, EPERM },
	{ "i386: shmget by ipc", { NULL, NULL, "shmget" }, { 117, { 23 }, true }, EPERM },
	{ "i386: with a version", { NULL, NULL, "shmget" }, { 117, { 1 << 16 | 23 }, true }, EPERM },
	{ "i386: msgget by ipc", { NULL, NULL, "shmget" }, { 117, { 13 }, true }, ALLOWED },
	/* clang-format on */
};

static void test_arguments(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(argument_cases) / sizeof(argument_cases[0]); i++) {
		if (argument_cases[i].probe.i386 && !shared->i386)
			continue;
		print_message("  %s\n", argument_cases[i].name);
		in_child(&argument_cases[i].choice, SECCOMP_REFUSE,
		         &argument_cases[i].probe);
		assert_int_equal(shared->probe, argument_cases[i].want);
	}
}

/* Refusals are asked of a listener, but not what each thread would ask. */
static void test_asked(void **state)
{
	static const struct {
		const char *deny;
		long nr, arg;
		int want;
	} cases[] = {
		{ "clone3", SYS_clone3, 0, ALLOWED },
		{ SECCOMP_FLAT, SYS_clone3, 0, ENOSYS },
		{ SECCOMP_FLAT, SYS_clone, CLONE_NEWUSER, ALLOWED },
		{ SECCOMP_FLAT, SYS_unshare, CLONE_NEWUSER, ALLOWED },
		{ SECCOMP_FLAT, SYS_bpf, 0, ALLOWED },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		const struct seccomp_choice choice = { NULL, NULL, cases[i].deny };
		const struct probe probe = { cases[i].nr, { cases[i].arg }, false };

		in_child(&choice, SECCOMP_ASK, &probe);
		assert_int_equal(shared->probe, cases[i].want);
	}
}

/* Each name there is, denied and allowed by itself, as far as that may be. */
static void test_every_call(void **state)
{
	const struct seccomp_abi *abi = &seccomp_abis[0];
	size_t allowed = 0, denied = 0;

	(void)state;
	for (size_t i = 0; i < abi->n; i++) {
		const struct seccomp_call *call = &abi->call[i];
		const struct seccomp_choice allow = { NULL, call->name, NULL };
		const struct seccomp_choice deny = { NULL, NULL, call->name };
		const struct probe probe = { call->nr, { 0 }, false };
		struct err err = { 0 };

		if (is_passed(call->nr))
			continue;
		if (seccomp_items_check(call->name, true, &err) == 0) {
			in_child(&allow, SECCOMP_REFUSE, &probe);
			if (shared->probe != ALLOWED)
				fail_msg("%s is not allowed: %d", call->name,
				         shared->probe);
			allowed++;
		}
		err = (struct err){ 0 };
		if (seccomp_items_check(call->name, false, &err) == 0) {
			in_child(&deny, SECCOMP_REFUSE, &probe);
			if (shared->probe != EPERM && shared->probe != ENOSYS)
				fail_msg("%s is not denied: %d", call->name,
				         shared->probe);
			denied++;
		}
	}
	/* Else this would be about nothing. */
	assert_in_range(allowed, 250, abi->n - 15);
	assert_in_range(denied, 250, abi->n - 10);
}

static const struct {
	const char *items;
	bool allow;
	int r;
	const char *text, *hint;
} check_cases[] = {
	/* clang-format off */
	{ "bpf,socket:AF_VSOCK,read", true, 0, "", "" },
	{ "arm_fadvise64_64", false, 0, "", "" }, /* of another machine */
	{ "io_urin_setup", true, -EINVAL, "'io_urin_setup' is no system call", "did you mean 'io_uring_setup'?" },
	{ "socket:AF_AGL", true, -EINVAL, "'socket:AF_AGL' is no system call", "did you mean 'socket:AF_ALG'?" },
	{ "namespace:CLONE_NEWUSER,namespace:CLONE_NEWNS", false, 0, "", "" },
	{ "namespace:CLONE_NEWUSER", true, -EPERM, "'namespace:CLONE_NEWUSER' is allowed where nothing denies it", NULL },
	{ "namespace:CLONE_NEWUSR", false, -EINVAL, "'namespace:CLONE_NEWUSR' is no system call", "did you mean 'namespace:CLONE_NEWUSER'?" },
	{ "socket:38", true, -EINVAL, "'socket:38' is no system call", NULL },
	{ "", true, -EINVAL, "'' is no system call", NULL },
	{ "bpf,,read", true, -EINVAL, "'' is no system call", NULL },
	{ "bpf,", true, -EINVAL, "'' is no system call", NULL },
	{ "bpf read", true, -EINVAL, "'bpf read' is no system call", NULL },
	{ "BPF", true, -EINVAL, "'BPF' is no system call", NULL },
	{ "a_name_that_is_longer_than_any_system_call_of_linux", false, -EINVAL, "'a_name_that_is_longer_than_any_system_c' is no system call", NULL },
	{ "kexec_load", true, -EPERM, "'kexec_load' is never allowed: would replace the node's kernel", NULL },
	{ "bpf,open_by_handle_at", true, -EPERM, "'open_by_handle_at' is never allowed: opens any inode of a file system, past the root of the mount", NULL },
	{ "ioctl", true, -EPERM, "'ioctl' is allowed but for what types into terminals, which is never allowed", "leave it out" },
	{ "socket", true, -EPERM, "'socket' is decided by its address family", "name that: socket:AF_ALG, socket:AF_VSOCK" },
	{ "socketcall", true, -EPERM, "'socketcall' has its address family behind a pointer", NULL },
	{ "execve", false, -EPERM, "'execve' is never denied: nothing runs without it", "leave it out" },
	{ "kexec_load,ioctl,socket,socketcall", false, 0, "", "" },
	/* clang-format on */
};

static void test_checks(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(check_cases) / sizeof(check_cases[0]); i++) {
		struct err err = { 0 };

		print_message("  '%s'\n", check_cases[i].items);
		assert_int_equal(seccomp_items_check(check_cases[i].items,
		                                     check_cases[i].allow, &err),
		                 check_cases[i].r);
		assert_string_equal(err.text, check_cases[i].text);
		if (check_cases[i].hint)
			assert_string_equal(err.hint, check_cases[i].hint);
	}
}

static void test_make_refuses(void **state)
{
	static struct seccomp_made made;
	static char many[64 * 1024];
	struct seccomp_choice choice = { "workspace-i386", NULL, "socket:AF_PACKET" };
	struct err err = { 0 };

	(void)state;
	/* Where 32-bit programs get any family it would be no denial. */
	assert_int_equal(seccomp_make(&choice, SECCOMP_REFUSE, &made, &err), -EINVAL);
	assert_non_null(strstr(err.text, "'socket:AF_PACKET' is denied under"));
	choice.profile = "warden";
	err = (struct err){ 0 };
	assert_int_equal(seccomp_make(&choice, SECCOMP_REFUSE, &made, &err), -EINVAL);
	assert_string_equal(err.text, "no seccomp filter 'warden'");
	choice = (struct seccomp_choice){ "warden", NULL, NULL };
	err = (struct err){ 0 };
	assert_int_equal(seccomp_make(&choice, SECCOMP_REFUSE, &made, &err), -EINVAL);

	for (size_t n = 0; n + 6 < sizeof(many); n += 5)
		memcpy(many + n, "read,", 6);
	choice = (struct seccomp_choice){ NULL, many, NULL };
	err = (struct err){ 0 };
	assert_int_equal(seccomp_make(&choice, SECCOMP_REFUSE, &made, &err), -E2BIG);
}

/* The compiled filters and those that are made by the same rules are the same program. */
static void test_same_as_built(void **state)
{
	static struct seccomp_made made;

	(void)state;
	for (size_t i = 0; i < seccomp_sets_n; i++) {
		const struct seccomp_set *set = &seccomp_sets[i];
		const struct seccomp_filter *built = seccomp_find(set->name);
		struct err err = { 0 };

		/* Theirs are tables with their own calls alone. */
		if (!seccomp_is_profile(set->name))
			continue;
		assert_int_equal(seccomp_assemble(set, seccomp_abis,
		                                  set->compat ? seccomp_abis_n : 1,
		                                  &made.program, &err),
		                 0);
		assert_int_equal(BPF_MAXINSNS - made.program.start, built->n);
		assert_memory_equal(made.program.insn + made.program.start, built->insn,
		                    built->n * sizeof(*built->insn));
	}
}

static void test_risks(void **state)
{
	static const struct {
		const char *item;
		enum seccomp_risk risk;
	} cases[] = {
		{ "bpf", SECCOMP_ESCAPE },
		{ "socket:AF_VSOCK", SECCOMP_ESCAPE },
		{ "socket:AF_ALG", SECCOMP_MORE },
		{ "keyctl", SECCOMP_MORE },
		{ "personality", SECCOMP_MORE },
		{ "syslog", SECCOMP_MORE },
		{ "socket:AF_INET", SECCOMP_HARMLESS },
		{ "read", SECCOMP_HARMLESS },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(seccomp_item_risk(cases[i].item), cases[i].risk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_checks),        cmocka_unit_test(test_make_refuses),
		cmocka_unit_test(test_same_as_built), cmocka_unit_test(test_risks),
		cmocka_unit_test(test_changes),       cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_every_call),    cmocka_unit_test(test_asked),
	};

	return cmocka_run_group_tests(tests, make_shared, free_shared);
}
