#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "policies/seccomp.h"
#include "policies/seccomp_assemble.h"
#include "policies/seccomp_rules.h"
#include "tests/unit/unit.h"

#define HIGH_GARBAGE (1ULL << 32) /* what the kernel cuts off an int */
#define X32_BIT 0x40000000U
#define NR_END 512 /* above every number of Linux, but for arm's private ones */

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define NATIVE AUDIT_ARCH_RISCV64
#else
#error "add this machine, and its row in policies/seccomp_compile.c"
#endif

/*
 * The table and the filter against what the kernel's headers say, so that neither
 * libseccomp nor the generator is asked about its own work. NONE: not on this machine.
 */
#define NONE (-1)
static const struct refused {
	const char *call;
	long nr;
	int code;
} refused[] = {
	{ "kexec_load", SYS_kexec_load, EPERM },
#ifdef SYS_kexec_file_load
	{ "kexec_file_load", SYS_kexec_file_load, EPERM },
#else
	{ "kexec_file_load", NONE, EPERM },
#endif
	{ "init_module", SYS_init_module, EPERM },
	{ "finit_module", SYS_finit_module, EPERM },
	{ "delete_module", SYS_delete_module, EPERM },
	{ "swapon", SYS_swapon, EPERM },
	{ "swapoff", SYS_swapoff, EPERM },
	{ "acct", SYS_acct, EPERM },
	{ "settimeofday", SYS_settimeofday, EPERM },
	{ "clock_settime", SYS_clock_settime, EPERM },
	{ "clock_settime64", NONE, EPERM },
	{ "stime", NONE, EPERM },
	{ "syslog", SYS_syslog, EPERM },
#ifdef SYS_iopl
	{ "ioperm", SYS_ioperm, EPERM },
	{ "iopl", SYS_iopl, EPERM },
	{ "uselib", SYS_uselib, EPERM },
#else
	{ "ioperm", NONE, EPERM },
	{ "iopl", NONE, EPERM },
	{ "uselib", NONE, EPERM },
#endif
	{ "vhangup", SYS_vhangup, EPERM },
	{ "nfsservctl", SYS_nfsservctl, EPERM },
	{ "bpf", SYS_bpf, EPERM },
	{ "perf_event_open", SYS_perf_event_open, EPERM },
	{ "userfaultfd", SYS_userfaultfd, EPERM },
	{ "io_uring_setup", SYS_io_uring_setup, EPERM },
	{ "io_uring_enter", SYS_io_uring_enter, EPERM },
	{ "io_uring_register", SYS_io_uring_register, EPERM },
	{ "open_by_handle_at", SYS_open_by_handle_at, EPERM },
	{ "lookup_dcookie", SYS_lookup_dcookie, EPERM },
	{ "vm86", NONE, EPERM },
	{ "vm86old", NONE, EPERM },
	{ "add_key", SYS_add_key, ENOSYS },
	{ "keyctl", SYS_keyctl, ENOSYS },
	{ "request_key", SYS_request_key, ENOSYS },
	{ "personality", SYS_personality, EPERM },
};

/* One call as the filter sees it, and what it must say: SECCOMP_ALLOW or an errno. */
static const struct verdict_case {
	const char *name, *filter;
	uint32_t arch;
	long nr;
	uint64_t arg[6];
	int want;
} verdict_cases[] = {
/* clang-format off */
#define NATIVE_CASE(name, call, a0, a1, want) \
	{ name, "workspace", NATIVE, SYS_##call, { a0, a1 }, want }
#define PERSONALITY(name, value, want) \
	NATIVE_CASE("personality: " name, personality, value, 0, want)
#define I386(name, nr, a0, a1, want) \
	{ "i386: " name, "workspace", AUDIT_ARCH_I386, nr, { a0, a1 }, want }
	NATIVE_CASE("AF_ALG", socket, AF_ALG, 0, EAFNOSUPPORT),
	NATIVE_CASE("AF_ALG, more above", socket, HIGH_GARBAGE | AF_ALG, 0, EAFNOSUPPORT),
	NATIVE_CASE("AF_ALG, sign above", socket, ~0ULL << 32 | AF_ALG, 0, EAFNOSUPPORT),
	NATIVE_CASE("AF_VSOCK", socket, AF_VSOCK, 0, EAFNOSUPPORT),
	NATIVE_CASE("AF_VSOCK, more", socket, HIGH_GARBAGE | AF_VSOCK, 0, EAFNOSUPPORT),
	NATIVE_CASE("between the two", socket, AF_NFC, 0, SECCOMP_ALLOW),
	NATIVE_CASE("AF_UNIX", socket, AF_UNIX, AF_ALG, SECCOMP_ALLOW),
	NATIVE_CASE("AF_NETLINK", socket, AF_NETLINK, 0, SECCOMP_ALLOW),
	NATIVE_CASE("AF_PACKET", socket, AF_PACKET, 0, SECCOMP_ALLOW),
	NATIVE_CASE("TIOCSTI", ioctl, 0, TIOCSTI, EPERM),
	NATIVE_CASE("TIOCSTI, garbage above", ioctl, 0, HIGH_GARBAGE | TIOCSTI, EPERM),
	NATIVE_CASE("TIOCLINUX", ioctl, 0, TIOCLINUX, EPERM),
	NATIVE_CASE("TIOCLINUX, sign above", ioctl, 0, ~0ULL << 32 | TIOCLINUX, EPERM),
	NATIVE_CASE("TIOCSTI as the descriptor", ioctl, TIOCSTI, TCGETS, SECCOMP_ALLOW),
	PERSONALITY("query", 0xffffffff, SECCOMP_ALLOW),
	PERSONALITY("query of libc", ~0ULL, SECCOMP_ALLOW),
	PERSONALITY("none", 0, SECCOMP_ALLOW),
	PERSONALITY("linux32", PER_LINUX32, SECCOMP_ALLOW),
	PERSONALITY("gdb", ADDR_NO_RANDOMIZE, SECCOMP_ALLOW),
	PERSONALITY("both", ADDR_NO_RANDOMIZE | PER_LINUX32, SECCOMP_ALLOW),
	PERSONALITY("page 0", MMAP_PAGE_ZERO, EPERM),
	PERSONALITY("exec", READ_IMPLIES_EXEC, EPERM),
	PERSONALITY("exec and gdb", READ_IMPLIES_EXEC | ADDR_NO_RANDOMIZE, EPERM),
	PERSONALITY("exec, garbage above", HIGH_GARBAGE | READ_IMPLIES_EXEC, EPERM),
	PERSONALITY("SVR4", PER_SVR4, EPERM),
#undef NATIVE_CASE
#undef PERSONALITY
	{ "statmount, rather new", "workspace", NATIVE, 457, { 0 }, SECCOMP_ALLOW },
	{ "file_setattr, the newest", "workspace", NATIVE, 469, { 0 }, SECCOMP_ALLOW },
	{ "the one after", "workspace", NATIVE, 470, { 0 }, ENOSYS },
	{ "no number", "workspace", NATIVE, -1, { 0 }, ENOSYS },
	{ "foreign ABI", "workspace", AUDIT_ARCH_SPARC64, 0, { 0 }, ENOSYS },
#ifdef __x86_64__
	{ "uretprobe", "workspace", NATIVE, 335, { 0 }, SECCOMP_ALLOW },
	{ "uprobe", "workspace", NATIVE, 336, { 0 }, SECCOMP_ALLOW },
	I386("uprobe's number", 336, 0, 0, EPERM),
	{ "x32: read", "workspace", NATIVE, X32_BIT | SYS_read, { 0 }, ENOSYS },
	{ "x32: ioctl", "workspace", NATIVE, X32_BIT | 514, { 0, TIOCSTI }, ENOSYS },
	{ "x32: statmount", "workspace", NATIVE, X32_BIT | 457, { 0 }, ENOSYS },
	{ "x32: bpf", "workspace", NATIVE, X32_BIT | SYS_bpf, { 0 }, ENOSYS },
	I386("read", 3, 0, 0, SECCOMP_ALLOW),
	I386("clone", 120, 0, 0, SECCOMP_ALLOW),
	I386("ipc", 117, 1, 0, SECCOMP_ALLOW),
	I386("mmap2", 192, 0, 0, SECCOMP_ALLOW),
	I386("statmount", 457, 0, 0, SECCOMP_ALLOW),
	I386("futex_time64", 422, 0, 0, SECCOMP_ALLOW),
	I386("AF_ALG", 359, AF_ALG, 0, EAFNOSUPPORT),
	I386("AF_VSOCK", 359, AF_VSOCK, 0, EAFNOSUPPORT),
	I386("connect, alone", 362, 0, 0, SECCOMP_ALLOW),
	I386("semget, alone", 393, 0, 0, SECCOMP_ALLOW),
	I386("AF_INET", 359, AF_INET, 0, SECCOMP_ALLOW),
	I386("socketcall socket", 102, 1, 0, ENOSYS),
	I386("socketcall connect", 102, 3, 0, SECCOMP_ALLOW),
	I386("socketcall socketpair", 102, 8, 0, SECCOMP_ALLOW),
	I386("TIOCSTI", 54, 0, TIOCSTI, EPERM),
	I386("personality", 136, READ_IMPLIES_EXEC, 0, EPERM),
	I386("kexec_load", 283, 0, 0, EPERM),
	I386("init_module", 128, 0, 0, EPERM),
	I386("finit_module", 350, 0, 0, EPERM),
	I386("swapon", 87, 0, 0, EPERM),
	I386("stime", 25, 0, 0, EPERM),
	I386("settimeofday", 79, 0, 0, EPERM),
	I386("clock_settime", 264, 0, 0, EPERM),
	I386("clock_settime64", 404, 0, 0, EPERM),
	I386("syslog", 103, 0, 0, EPERM),
	I386("ioperm", 101, 0, 0, EPERM),
	I386("iopl", 110, 0, 0, EPERM),
	I386("vhangup", 111, 0, 0, EPERM),
	I386("vm86old", 113, 0, 0, EPERM),
	I386("vm86", 166, 0, 0, EPERM),
	I386("bpf", 357, 0, 0, EPERM),
	I386("perf_event_open", 336, 0, 0, EPERM),
	I386("userfaultfd", 374, 0, 0, EPERM),
	I386("io_uring_setup", 425, 0, 0, EPERM),
	I386("open_by_handle_at", 342, 0, 0, EPERM),
	I386("keyctl", 288, 0, 0, ENOSYS),
	I386("unknown", 1000, 0, 0, ENOSYS),
	I386("libseccomp's -201", -201, 0, 0, ENOSYS),
#define WAIVED(name, arch, nr, a0, a1, want) \
	{ "waived: " name, "workspace-i386", arch, nr, { a0, a1 }, want }
	WAIVED("socketcall socket", AUDIT_ARCH_I386, 102, 1, 0, SECCOMP_ALLOW),
	WAIVED("AF_ALG by socket", AUDIT_ARCH_I386, 359, AF_ALG, 0, EAFNOSUPPORT),
	WAIVED("AF_ALG, native", NATIVE, SYS_socket, AF_ALG, 0, EAFNOSUPPORT),
	WAIVED("TIOCSTI", NATIVE, SYS_ioctl, 0, TIOCSTI, EPERM),
#undef WAIVED
	{ "warden: read on i386", "warden", AUDIT_ARCH_I386, 3, { 0 }, ENOSYS },
#endif
#ifdef __aarch64__
	{ "arm: read", "workspace", AUDIT_ARCH_ARM, 3, { 0 }, SECCOMP_ALLOW },
	{ "arm: AF_ALG", "workspace", AUDIT_ARCH_ARM, 281, { AF_ALG }, EAFNOSUPPORT },
	{ "arm: set_tls", "workspace", AUDIT_ARCH_ARM, 0xf0005, { 0 }, SECCOMP_ALLOW },
	{ "arm: statmount", "workspace", AUDIT_ARCH_ARM, 457, { 0 }, SECCOMP_ALLOW },
	{ "arm: bpf", "workspace", AUDIT_ARCH_ARM, 386, { 0 }, EPERM },
	{ "arm: kexec_load", "workspace", AUDIT_ARCH_ARM, 347, { 0 }, EPERM },
	{ "arm: unknown", "workspace", AUDIT_ARCH_ARM, 1000, { 0 }, ENOSYS },
#endif
	{ "warden: read", "warden", NATIVE, SYS_read, { 0 }, SECCOMP_ALLOW },
	{ "warden: ppoll", "warden", NATIVE, SYS_ppoll, { 0 }, SECCOMP_ALLOW },
	{ "warden: waitid", "warden", NATIVE, SYS_waitid, { 0 }, SECCOMP_ALLOW },
	{ "warden: unlinkat", "warden", NATIVE, SYS_unlinkat, { 0 }, SECCOMP_ALLOW },
	{ "warden: socket", "warden", NATIVE, SYS_socket, { AF_UNIX }, EAFNOSUPPORT },
	{ "warden: socket of the gateway", "warden", NATIVE, SYS_socket, { AF_INET6 }, SECCOMP_ALLOW },
	{ "warden: connect", "warden", NATIVE, SYS_connect, { 0 }, ENOSYS },
	{ "relay: listen", "relay", NATIVE, SYS_listen, { 0 }, ENOSYS },
	{ "relay: own limits", "relay", NATIVE, SYS_prlimit64, { 0, 7, 0, 1 }, 0 },
	{ "relay: another's limits", "relay", NATIVE, SYS_prlimit64, { 1, 7, 1, 0 }, EPERM },
	{ "relay: PID -1's limits", "relay", NATIVE, SYS_prlimit64, { UINT32_MAX, 7, 1, 0 }, EPERM },
	{ "metrics: accept4", "metrics", NATIVE, SYS_accept4, { 0 }, SECCOMP_ALLOW },
	{ "metrics: openat", "metrics", NATIVE, SYS_openat, { 0 }, ENOSYS },
	{ "metrics: socket", "metrics", NATIVE, SYS_socket, { AF_INET }, ENOSYS },
	{ "metrics: connect", "metrics", NATIVE, SYS_connect, { 0 }, ENOSYS },
	{ "metrics: execve", "metrics", NATIVE, SYS_execve, { 0 }, ENOSYS },
	{ "metrics: clone", "metrics", NATIVE, SYS_clone, { 0 }, ENOSYS },
	{ "metrics: kill", "metrics", NATIVE, SYS_kill, { 0 }, ENOSYS },
	{ "metrics: ptrace", "metrics", NATIVE, SYS_ptrace, { 0 }, ENOSYS },
	{ "warden: execve", "warden", NATIVE, SYS_execve, { 0 }, ENOSYS },
	{ "warden: clone", "warden", NATIVE, SYS_clone, { 0 }, ENOSYS },
	{ "warden: mount", "warden", NATIVE, SYS_mount, { 0 }, ENOSYS },
	{ "warden: setns", "warden", NATIVE, SYS_setns, { 0 }, ENOSYS },
	{ "warden: ioctl", "warden", NATIVE, SYS_ioctl, { 0 }, ENOSYS },
	{ "warden: unknown", "warden", NATIVE, 1000, { 0 }, ENOSYS },
	/* clang-format on */
};

/* What the workspace is for; none of these may be lost to a slip in the table. */
static const struct {
	const char *call;
	long nr;
} needed[] = {
/* clang-format off */
#define NEED(call) { #call, SYS_##call }
	NEED(clone), NEED(clone3), NEED(unshare), NEED(setns), NEED(mount),
	NEED(umount2), NEED(pivot_root), NEED(chroot), NEED(fsopen), NEED(fsconfig),
	NEED(fsmount), NEED(fspick), NEED(open_tree), NEED(move_mount),
	NEED(mount_setattr), NEED(sethostname), NEED(setdomainname), NEED(reboot),
	NEED(ptrace), NEED(process_vm_readv), NEED(seccomp), NEED(prctl),
	NEED(name_to_handle_at), NEED(quotactl), NEED(adjtimex), NEED(clock_adjtime),
	NEED(execveat), NEED(memfd_create), NEED(fanotify_init),
	NEED(inotify_add_watch), NEED(mbind), NEED(rseq), NEED(openat2),
	NEED(faccessat2), NEED(close_range), NEED(futex_waitv),
	NEED(landlock_restrict_self), NEED(pidfd_getfd), NEED(restart_syscall),
	NEED(rt_sigreturn), NEED(capset), NEED(setgroups),
#undef NEED
	/* clang-format on */
};

/**
 * run_bpf() - Do what the kernel does with a filter
 * @f:		the filter
 * @data:	the call
 * @ret_args:	whether an argument was read on the way; may be NULL
 *
 * The subset of classic BPF that seccomp permits and the generator uses; anything else
 * fails the test.
 *
 * Return: SECCOMP_RET_*.
 */
static uint32_t run_bpf(const struct seccomp_filter *f, const struct seccomp_data *data,
                        bool *ret_args)
{
	uint32_t acc = 0;

	for (size_t pc = 0; pc < f->n; pc++) {
		const struct sock_filter *insn = &f->insn[pc];
		bool yes = false;

		switch (insn->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(insn->k % 4 == 0 && insn->k <= sizeof(*data) - 4);
			memcpy(&acc, (const char *)data + insn->k, sizeof(acc));
			if (ret_args && insn->k >= offsetof(struct seccomp_data, args))
				*ret_args = true;
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			acc &= insn->k;
			continue;
		case BPF_JMP | BPF_JA:
			pc += insn->k;
			continue;
		case BPF_RET | BPF_K:
			return insn->k;
		case BPF_JMP | BPF_JEQ | BPF_K:
			yes = acc == insn->k;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			yes = acc > insn->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			yes = acc >= insn->k;
			break;
		default:
			fail_msg("instruction %zu has code %#x", pc, insn->code);
		}
		pc += yes ? insn->jt : insn->jf;
	}
	fail_msg("ran off the end");
	return 0;
}

/* The answer in the terms of the rules: SECCOMP_ALLOW or an errno. */
static int verdict(const struct seccomp_filter *f, uint32_t arch, long nr,
                   const uint64_t *arg, bool *ret_args)
{
	struct seccomp_data data = { .nr = (int)nr, .arch = arch };
	uint32_t action;

	for (size_t i = 0; arg && i < 6; i++)
		data.args[i] = arg[i];
	action = run_bpf(f, &data, ret_args);
	if (action == SECCOMP_RET_ALLOW)
		return SECCOMP_ALLOW;
	assert_int_equal(action & SECCOMP_RET_ACTION_FULL, SECCOMP_RET_ERRNO);
	assert_int_not_equal(action & SECCOMP_RET_DATA, 0);
	return (int)(action & SECCOMP_RET_DATA);
}

static void check_call(const struct seccomp_set *set, size_t row, const char *call)
{
	size_t final = SIZE_MAX;

	for (size_t i = 0; i < set->n; i++) {
		if (!seccomp_rule_has(&set->rules[i], call))
			continue;
		/* A rule behind the final one would never be reached. */
		if (final != SIZE_MAX)
			fail_msg("%s: '%s' again in row %zu", set->name, call, i);
		if (!set->rules[i].mask)
			final = i;
	}
	if (final == SIZE_MAX)
		fail_msg("%s: '%s' in row %zu has no final rule", set->name, call, row);
}

static void test_table(void **state)
{
	(void)state;

	for (size_t s = 0; s < seccomp_sets_n; s++) {
		const struct seccomp_set *set = &seccomp_sets[s];

		assert_non_null(set->why);
		for (size_t i = 0; i < set->n; i++) {
			const struct seccomp_rule *rule = &set->rules[i];
			const char *calls = rule->calls;
			char call[SECCOMP_NAME_MAX];
			size_t n = 0;

			assert_true(rule->why && strlen(rule->why) > 6);
			assert_true(rule->answer >= 0 && rule->answer < 4096);
			assert_true(rule->arg < 6);
			assert_int_equal(rule->value & ~rule->mask, 0);
			for (; seccomp_next_call(&calls, call, sizeof(call)); n++)
				check_call(set, i, call);
			/* A name too long for the walk would end it early. */
			assert_string_equal(calls, "");
			assert_true(n > 0);
		}
	}
}

static bool in_rules(const char *call)
{
	for (size_t s = 0; s < seccomp_sets_n; s++)
		for (size_t i = 0; i < seccomp_sets[s].n; i++)
			if (seccomp_rule_has(&seccomp_sets[s].rules[i], call))
				return true;
	return false;
}

static void test_numbers(void **state)
{
	(void)state;

	for (size_t i = 0; i < seccomp_numbers_n; i++) {
		const struct seccomp_number *number = &seccomp_numbers[i];

		assert_true(number->arch || number->nr >= 424);
		assert_true(in_rules(number->call));
		for (size_t j = 0; j < i; j++) {
			assert_string_not_equal(seccomp_numbers[j].call, number->call);
			assert_true(seccomp_numbers[j].nr != number->nr);
		}
	}
}

static void test_every_refusal_is_tested(void **state)
{
	const struct seccomp_set *set = &seccomp_sets[0];

	(void)state;

	for (size_t i = 0; i < set->n; i++) {
		const char *calls = set->rules[i].calls;
		char call[SECCOMP_NAME_MAX];

		/* The last row only says what else is ENOSYS. */
		if (set->rules[i].answer == SECCOMP_ALLOW || set->rules[i].mask ||
		    i == set->n - 1)
			continue;
		while (seccomp_next_call(&calls, call, sizeof(call))) {
			size_t j = 0;

			while (j < N_ELEMENTS(refused) &&
			       strcmp(refused[j].call, call) != 0)
				j++;
			if (j == N_ELEMENTS(refused))
				fail_msg("no test that '%s' is refused", call);
			assert_int_equal(refused[j].code, set->rules[i].answer);
		}
	}
}

static void test_find(void **state)
{
	(void)state;

	for (size_t s = 0; s < seccomp_sets_n; s++) {
		const struct seccomp_filter *f = seccomp_find(seccomp_sets[s].name);

		assert_non_null(f);
		assert_string_equal(f->name, seccomp_sets[s].name);
		assert_in_range(f->n, 1, BPF_MAXINSNS);
	}
	assert_int_equal(seccomp_filters_n, seccomp_sets_n);
	assert_null(seccomp_find("work"));
	assert_null(seccomp_find(""));
}

static void test_verdicts(void **state)
{
	(void)state;

	for (size_t i = 0; i < N_ELEMENTS(verdict_cases); i++) {
		const struct verdict_case *c = &verdict_cases[i];
		int got = verdict(seccomp_find(c->filter), c->arch, c->nr, c->arg, NULL);

		print_message("  %s\n", c->name);
		assert_int_equal(got, c->want);
	}
}

static void test_verdicts_by_name(void **state)
{
	const struct seccomp_filter *f = seccomp_find("workspace");
	const uint64_t ones[6] = { 1, 1, 1, 1, 1, 1 };

	(void)state;

	for (size_t i = 0; i < N_ELEMENTS(refused); i++)
		if (refused[i].nr != NONE &&
		    verdict(f, NATIVE, refused[i].nr, ones, NULL) != refused[i].code)
			fail_msg("'%s' is not refused", refused[i].call);
	for (size_t i = 0; i < N_ELEMENTS(needed); i++)
		if (verdict(f, NATIVE, needed[i].nr, NULL, NULL) != SECCOMP_ALLOW)
			fail_msg("'%s' is not allowed", needed[i].call);
}

static void test_nothing_unknown_passes(void **state)
{
	static const uint32_t arch[] = { NATIVE, AUDIT_ARCH_I386, AUDIT_ARCH_ARM,
		                         AUDIT_ARCH_PPC64LE, 0 };

	(void)state;

	for (size_t s = 0; s < seccomp_filters_n; s++)
		for (size_t a = 0; a < N_ELEMENTS(arch); a++)
			for (long nr = NR_END; nr < NR_END + 4096; nr++) {
				const struct seccomp_filter *f = &seccomp_filters[s];

				assert_int_equal(verdict(f, arch[a], nr, NULL, NULL),
				                 ENOSYS);
				assert_int_equal(verdict(f, arch[a], -(nr - NR_END + 1),
				                         NULL, NULL),
				                 ENOSYS);
				assert_int_equal(verdict(f, arch[a],
				                         X32_BIT | (nr - NR_END), NULL,
				                         NULL),
				                 ENOSYS);
			}
}

/*
 * The kernel skips the filter for a call it always allows, but only where the path to
 * the answer reads no argument. A rule with a mask costs that for its call; the list of
 * those must not grow by accident.
 */
static void test_hot_calls_read_no_argument(void **state)
{
	const struct seccomp_filter *f = seccomp_find("workspace");

	(void)state;

	for (long nr = 0; nr < NR_END; nr++) {
		bool args = false;

		(void)verdict(f, NATIVE, nr, NULL, &args);
		assert_int_equal(args, nr == SYS_ioctl || nr == SYS_socket ||
		                               nr == SYS_personality);
	}
}

/*
 * Each instruction is checked, translated and compiled at every launch: with a leaf for each call
 * there were 1058 of them, and they took a tenth of a launch.
 */
static void test_filters_are_short(void **state)
{
	(void)state;

	for (size_t s = 0; s < seccomp_filters_n; s++)
		assert_in_range(seccomp_filters[s].n, 1, 255);
}

/* The calls "c0", "c1", ... of an artificial ABI, whose numbers are three times that. */
static void add_calls(struct seccomp_call *call, char (*name)[8], char *rule[],
                      size_t rules, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *text = rule[i % rules];

		(void)snprintf(name[i], sizeof(name[i]), "c%zu", i);
		call[i] = (struct seccomp_call){ (uint32_t)(3 * i), name[i] };
		(void)sprintf(text + strlen(text), "%s%s", *text ? " " : "", name[i]);
	}
}

/* More spans than a conditional jump can leap over, and arguments at the far end of them. */
static void test_far_jumps(void **state)
{
	enum { CALLS = 900, RULES = 5 };
	static struct seccomp_call call[CALLS + 1];
	static const struct seccomp_call other[] = { { 5, "tail" } };
	const struct seccomp_abi abi[] = { { NATIVE, call, CALLS + 1 }, { 1, other, 1 } };
	static struct seccomp_program prog;
	static char text[RULES][CALLS * 6], name[CALLS][8];
	char *texts[RULES] = { text[0], text[1], text[2], text[3], text[4] };
	const struct seccomp_rule rules[] = {
		{ text[4], EPERM, "where it is 7", 2, 0xff, 7, false },
		{ text[0], SECCOMP_ALLOW, "harmless", 0, 0, 0, false },
		{ text[1], EPERM, "refused", 0, 0, 0, false },
		{ text[2], EACCES, "refused", 0, 0, 0, false },
		{ text[3], ENOSYS, "refused", 0, 0, 0, false },
		{ text[4], SECCOMP_ALLOW, "or not", 0, 0, 0, false },
	};
	const struct seccomp_set set = { "far", "the test", rules, N_ELEMENTS(rules),
		                         true,  NULL,       false };
	static const int want[RULES] = { SECCOMP_ALLOW, EPERM, EACCES, ENOSYS,
		                         SECCOMP_ALLOW };
	const uint64_t seven[6] = { 7, 7, 0xf00000107, 7 };
	struct seccomp_filter f;
	struct err err = { 0 };

	(void)state;

	/* One call a tail, and there are but a few: the last rule names one. */
	add_calls(call, name, texts, RULES - 1, CALLS);
	(void)sprintf(text[4], "tail");
	call[CALLS] = (struct seccomp_call){ 3 * CALLS, "tail" };
	assert_int_equal(seccomp_assemble(&set, abi, 2, &prog, &err), 0);
	f = (struct seccomp_filter){ "far", prog.insn + prog.start,
		                     (unsigned short)(BPF_MAXINSNS - prog.start) };
	assert_in_range(f.n, 256, BPF_MAXINSNS);

	for (long nr = 0; nr < 3L * CALLS; nr++) {
		size_t i = (size_t)nr / 3;

		assert_int_equal(verdict(&f, NATIVE, nr, NULL, NULL),
		                 nr % 3 ? ENOSYS : want[i % (RULES - 1)]);
	}
	assert_int_equal(verdict(&f, NATIVE, 3L * CALLS, NULL, NULL), SECCOMP_ALLOW);
	assert_int_equal(verdict(&f, NATIVE, 3L * CALLS, seven, NULL), EPERM);
	assert_int_equal(verdict(&f, 1, 5, seven, NULL), EPERM);
	assert_int_equal(verdict(&f, 1, 4, seven, NULL), ENOSYS);
	assert_int_equal(verdict(&f, 1, 0, NULL, NULL), ENOSYS);
	assert_int_equal(verdict(&f, 2, 5, NULL, NULL), ENOSYS);
}

static void test_assemble_refuses(void **state)
{
	static struct seccomp_program prog;
	static const struct seccomp_call call[] = { { 1, "a" }, { 1, "b" } };
	static const struct seccomp_call back[] = { { 2, "a" }, { 1, "b" } };
	static const struct seccomp_abi one = { NATIVE, call, 1 };
	static const struct seccomp_abi two = { NATIVE, call, 2 };
	static const struct seccomp_abi backwards = { NATIVE, back, 2 };
	const struct seccomp_rule open[] = { { "a", EPERM, "argument", 0, 1, 1, false } };
	const struct seccomp_rule both[] = { { "a b", EPERM, "refused", 0, 0, 0,
		                               false } };
	const struct seccomp_set open_set = { "open", "", open, 1, false, NULL, false };
	const struct seccomp_set both_set = { "both", "", both, 1, false, NULL, false };
	struct err err = { 0 };

	(void)state;

	assert_int_equal(seccomp_assemble(&open_set, &one, 1, &prog, &err), -EINVAL);
	assert_string_equal(err.text, "'a' has no rule for its other arguments");
	err = (struct err){ 0 };
	assert_int_equal(seccomp_assemble(&both_set, &two, 1, &prog, &err), -EINVAL);
	assert_string_equal(err.text, "'b' is number 1, behind 1");
	err = (struct err){ 0 };
	assert_int_equal(seccomp_assemble(&both_set, &backwards, 1, &prog, &err),
	                 -EINVAL);
	assert_string_equal(err.text, "'b' is number 1, behind 2");
}

/**
 * struct shared - What a confined child tells the test
 * @done:	set at the end, so that a killed child is not taken for a good one
 * @errors:	errno per call, 0 for success
 */
struct shared {
	bool done;
	int loaded;
	int errors[64];
};

static void confine(struct shared *sh, const char *filter)
{
	struct err err = { 0 };

	/* vhangup() in a filter that fails must not take the tester's terminal. */
	(void)setsid();
	if (!filter)
		return;
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	sh->loaded = seccomp_load(seccomp_find(filter), &err);
	if (sh->loaded < 0)
		_exit(1);
}

/* Runs @body in a child under @filter (NULL: none); @sh is fresh. */
static void in_child(const char *filter, void (*body)(struct shared *sh),
                     struct shared *sh)
{
	int status = 0;
	pid_t pid;

	memset(sh, 0, sizeof(*sh));
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		confine(sh, filter);
		body(sh);
		sh->done = true;
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(sh->loaded, 0);
	assert_true(sh->done);
	assert_int_equal(status, 0);
}

static int make_shared(void **state)
{
	struct shared *sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE,
	                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	*state = sh == MAP_FAILED ? NULL : sh;
	return *state ? 0 : -1;
}

static int free_shared(void **state)
{
	return munmap(*state, sizeof(struct shared));
}

static int error_of(long r)
{
	return r < 0 ? errno : 0;
}

static void do_refused(struct shared *sh)
{
	for (size_t i = 0; i < N_ELEMENTS(refused); i++)
		if (refused[i].nr != NONE)
			/* Arguments that do no harm should the filter fail; 1 is a
			 * personality that is not allowed. */
			sh->errors[i] =
				error_of(syscall(refused[i].nr, 1, -1, -1, -1, -1));
}

static void test_kernel_refuses(void **state)
{
	struct shared *sh = *state;

	in_child("workspace", do_refused, sh);
	for (size_t i = 0; i < N_ELEMENTS(refused); i++)
		if (refused[i].nr != NONE && sh->errors[i] != refused[i].code)
			fail_msg("%s: errno %d", refused[i].call, sh->errors[i]);
}

static void do_unknown(struct shared *sh)
{
	size_t i = 0;

	sh->errors[i++] = error_of(syscall(1000));
	sh->errors[i++] = error_of(syscall(4095));
	sh->errors[i++] = error_of(syscall(X32_BIT | SYS_getpid));
	sh->errors[i++] = error_of(syscall(X32_BIT | SYS_bpf, -1, -1, -1));
}

static void test_kernel_does_not_know(void **state)
{
	struct shared *sh = *state;

	in_child("workspace", do_unknown, sh);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(sh->errors[i], ENOSYS);
}

static void do_arguments(struct shared *sh)
{
	size_t i = 0;

	sh->errors[i++] = error_of(syscall(SYS_socket, AF_ALG, SOCK_SEQPACKET, 0));
	sh->errors[i++] =
		error_of(syscall(SYS_socket, HIGH_GARBAGE | AF_ALG, SOCK_SEQPACKET, 0));
	sh->errors[i++] = error_of(syscall(SYS_socket, AF_VSOCK, SOCK_STREAM, 0));
	sh->errors[i++] = error_of(syscall(SYS_ioctl, -1, TIOCSTI, -1));
	sh->errors[i++] = error_of(syscall(SYS_ioctl, -1, HIGH_GARBAGE | TIOCSTI, -1));
	sh->errors[i++] = error_of(syscall(SYS_ioctl, -1, ~0ULL << 32 | TIOCLINUX, -1));
	sh->errors[i++] = error_of(syscall(SYS_personality, READ_IMPLIES_EXEC));
	sh->errors[i++] =
		error_of(syscall(SYS_personality, HIGH_GARBAGE | READ_IMPLIES_EXEC));
}

static void test_kernel_looks_at_arguments(void **state)
{
	static const int with[] = { EAFNOSUPPORT, EAFNOSUPPORT, EAFNOSUPPORT, EPERM,
		                    EPERM,        EPERM,        EPERM,        EPERM };
	struct shared *sh = *state;

	in_child("workspace", do_arguments, sh);
	for (size_t i = 0; i < N_ELEMENTS(with); i++)
		assert_int_equal(sh->errors[i], with[i]);

	/* The control: the same calls mean something else to a kernel left alone. */
	in_child(NULL, do_arguments, sh);
	assert_int_equal(sh->errors[3], EBADF);
	assert_int_equal(sh->errors[4], EBADF); /* so it does cut the garbage off */
	assert_int_equal(sh->errors[6], 0);
}

/* Harmless calls of the kinds the workspace lives on; most fail on their arguments. */
static void do_allowed(struct shared *sh)
{
	char buf[16];
	size_t i = 0;

	sh->errors[i++] = error_of(syscall(SYS_getpid));
	sh->errors[i++] = error_of(syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY, 0));
	sh->errors[i++] = error_of(syscall(SYS_read, -1, buf, sizeof(buf)));
	sh->errors[i++] = error_of(syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0));
	sh->errors[i++] = error_of(syscall(SYS_socket, AF_NETLINK, SOCK_RAW, 0));
	sh->errors[i++] = error_of(syscall(SYS_personality, 0xffffffff));
	sh->errors[i++] = error_of(syscall(SYS_personality, ADDR_NO_RANDOMIZE));
	sh->errors[i++] = error_of(syscall(SYS_ioctl, -1, TCGETS, buf));
	sh->errors[i++] = error_of(syscall(SYS_clone3, NULL, 0));
	sh->errors[i++] = error_of(syscall(SYS_unshare, 1));
	sh->errors[i++] = error_of(syscall(SYS_setns, -1, 0));
	sh->errors[i++] = error_of(syscall(SYS_mount, NULL, NULL, NULL, 0, NULL));
	sh->errors[i++] = error_of(syscall(SYS_umount2, NULL, 0));
	sh->errors[i++] = error_of(syscall(SYS_fsmount, -1, 0, 0));
	sh->errors[i++] = error_of(syscall(SYS_open_tree, -1, "x", 0));
	sh->errors[i++] = error_of(syscall(SYS_mount_setattr, -1, "x", 0, NULL, 0));
	sh->errors[i++] = error_of(syscall(SYS_pidfd_open, -1, 0));
	sh->errors[i++] = error_of(syscall(SYS_ptrace, -1, 0, 0, 0));
	sh->errors[i++] = error_of(syscall(SYS_adjtimex, NULL));
	sh->errors[i++] =
		error_of(syscall(SYS_name_to_handle_at, -1, "x", NULL, NULL, 0));
	sh->errors[i++] = error_of(syscall(SYS_reboot, 0, 0, 0, NULL));
	sh->errors[i++] = error_of(syscall(451 /* cachestat */, -1, NULL, NULL, 0));
	sh->errors[i++] = error_of(syscall(457 /* statmount */, NULL, NULL, 0, 0));
	sh->errors[i++] = error_of(syscall(462 /* mseal */, 1, 0, 0));
	sh->errors[i++] = error_of(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0,
	                                   &(uint32_t){ SECCOMP_RET_ALLOW }));
}

static void test_kernel_allows(void **state)
{
	struct shared *sh = *state;
	int without[N_ELEMENTS(sh->errors)];

	in_child(NULL, do_allowed, sh);
	memcpy(without, sh->errors, sizeof(without));
	assert_int_equal(without[2], EBADF);
	in_child("workspace", do_allowed, sh);
	for (size_t i = 0; i < N_ELEMENTS(without); i++)
		if (sh->errors[i] != without[i])
			fail_msg("call %zu: errno %d, %d without the filter", i,
			         sh->errors[i], without[i]);
}

/* A container engine inside loads filters of its own, and may listen to one. */
static void do_nested(struct shared *sh)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog prog = { 1, &allow };

	sh->errors[0] = error_of(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	                                 SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog));
	sh->errors[1] = error_of(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog));
}

static void test_filters_nest(void **state)
{
	struct shared *sh = *state;

	in_child("workspace", do_nested, sh);
	assert_int_equal(sh->errors[0], 0);
	assert_int_equal(sh->errors[1], 0);
}

static void do_warden(struct shared *sh)
{
	int pipes[2] = { -EBADF, -EBADF };

	sh->errors[0] = error_of(syscall(SYS_getpid));
	sh->errors[1] = error_of(syscall(SYS_waitid, P_ALL, 0, NULL, WEXITED, NULL));
	sh->errors[2] = error_of(pipe2(pipes, O_CLOEXEC));
	sh->errors[3] = error_of(syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0));
	sh->errors[4] = error_of(syscall(SYS_execve, "/", NULL, NULL));
	sh->errors[5] = error_of(syscall(SYS_unshare, 0));
	sh->errors[6] = error_of(syscall(SYS_ptrace, -1, 0, 0, 0));
}

static void test_warden(void **state)
{
	static const int want[] = { 0,      ECHILD, ENOSYS, EAFNOSUPPORT,
		                    ENOSYS, ENOSYS, ENOSYS };
	struct shared *sh = *state;

	in_child("warden", do_warden, sh);
	for (size_t i = 0; i < N_ELEMENTS(want); i++)
		assert_int_equal(sh->errors[i], want[i]);
}

static void do_load_without_right(struct shared *sh)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct none[2] = { 0 };
	struct err err = { 0 };

	(void)syscall(SYS_capset, &header, none);
	sh->errors[0] = -seccomp_load(seccomp_find("workspace"), &err);
	sh->errors[1] = err.code;
	sh->errors[2] = err.hint[0] != '\0' && strstr(err.text, "'workspace'");
}

static void test_load_without_right(void **state)
{
	struct shared *sh = *state;

	/* Once set it stays, in whatever runs the tests too. */
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		skip();
	in_child(NULL, do_load_without_right, sh);
	assert_int_equal(sh->errors[0], EACCES);
	assert_int_equal(sh->errors[1], EACCES);
	assert_true(sh->errors[2]);
}

#ifdef __x86_64__
/* A system call of the i386 ABI, which any 64-bit program can make. */
static long int80(long nr, long a, long b, long c)
{
	long r;

	__asm__ volatile("int $0x80"
	                 : "=a"(r)
	                 : "a"(nr), "b"(a), "c"(b), "d"(c)
	                 : "r8", "r9", "r10", "r11", "memory", "cc");
	return (int)r;
}

static int error80(long nr, long a, long b, long c)
{
	long r = int80(nr, a, b, c);

	return r < 0 ? (int)-r : 0;
}

static bool has_i386(void)
{
	int status = 0;
	pid_t pid = fork();

	/* ia32_emulation=off makes it a SIGSEGV, which cmocka would catch. */
	if (pid == 0) {
		(void)signal(SIGSEGV, SIG_DFL);
		_exit(int80(20, 0, 0, 0) == getpid() ? 0 : 1);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static const struct i386_case {
	const char *name;
	long nr, arg[3];
	int with, without; /* errno; ANY where the machine decides */
} i386_cases[] = {
#define ANY (-1)
	{ "getpid", 20, { 0 }, 0, 0 },
	{ "AF_UNIX by socket", 359, { AF_UNIX, SOCK_STREAM, 0 }, 0, 0 },
	{ "AF_ALG by socket", 359, { AF_ALG, SOCK_SEQPACKET, 0 }, EAFNOSUPPORT, ANY },
	{ "AF_VSOCK by socket", 359, { AF_VSOCK, SOCK_STREAM, 0 }, EAFNOSUPPORT, ANY },
	{ "any family by socketcall", 102, { 1, 0, 0 }, ENOSYS, EFAULT },
	{ "connect by socketcall", 102, { 3, 0, 0 }, EFAULT, EFAULT },
	{ "TIOCSTI", 54, { -1, TIOCSTI, 0 }, EPERM, EBADF },
	{ "TCGETS", 54, { -1, TCGETS, 0 }, EBADF, EBADF },
	{ "personality", 136, { READ_IMPLIES_EXEC, 0, 0 }, EPERM, 0 },
	{ "kexec_load", 283, { 0, 0, -1 }, EPERM, ANY },
	{ "bpf", 357, { -1, 0, 0 }, EPERM, ANY },
	{ "keyctl", 288, { -1, 0, 0 }, ENOSYS, ANY },
	{ "unknown", 1000, { 0 }, ENOSYS, ENOSYS },
	{ "x32 bit", X32_BIT | 20, { 0 }, ENOSYS, ENOSYS },
};

static void do_i386(struct shared *sh)
{
	for (size_t i = 0; i < N_ELEMENTS(i386_cases); i++)
		sh->errors[i] = error80(i386_cases[i].nr, i386_cases[i].arg[0],
		                        i386_cases[i].arg[1], i386_cases[i].arg[2]);
}

static void test_kernel_i386(void **state)
{
	struct shared *sh = *state;

	if (!has_i386())
		skip();
	in_child("workspace", do_i386, sh);
	for (size_t i = 0; i < N_ELEMENTS(i386_cases); i++) {
		print_message("  %s\n", i386_cases[i].name);
		assert_int_equal(sh->errors[i], i386_cases[i].with);
	}
	in_child(NULL, do_i386, sh);
	for (size_t i = 0; i < N_ELEMENTS(i386_cases); i++)
		if (i386_cases[i].without != ANY)
			assert_int_equal(sh->errors[i], i386_cases[i].without);
	in_child("workspace-i386", do_i386, sh);
	assert_int_equal(sh->errors[4], EFAULT); /* socketcall reaches the kernel */
	assert_int_equal(sh->errors[2], EAFNOSUPPORT);
}
#endif

int main(void)
{
#define FORKING(test) cmocka_unit_test_setup_teardown(test, make_shared, free_shared)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_every_refusal_is_tested),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_verdicts_by_name),
		cmocka_unit_test(test_nothing_unknown_passes),
		cmocka_unit_test(test_hot_calls_read_no_argument),
		cmocka_unit_test(test_filters_are_short),
		cmocka_unit_test(test_far_jumps),
		cmocka_unit_test(test_assemble_refuses),
		FORKING(test_kernel_refuses),
		FORKING(test_kernel_does_not_know),
		FORKING(test_kernel_looks_at_arguments),
		FORKING(test_kernel_allows),
		FORKING(test_filters_nest),
		FORKING(test_warden),
		FORKING(test_load_without_right),
#ifdef __x86_64__
		FORKING(test_kernel_i386),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
