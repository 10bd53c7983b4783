/*
 * Prints policies/seccomp_filters.c: the rules of policies/seccomp_rules.c as BPF.
 * Runs while berth is built; nothing that is installed needs libseccomp.
 *
 * libseccomp makes the search tree over the numbers of each ABI. What it cannot say is
 * done on its result: its comparisons are 64 bits wide, one argument can be looked at
 * once in a rule, and it does not know calls newer than itself. So each of its
 * SECCOMP_RET_TRACE leaves, an action no rule of ours has, becomes a jump to one of the
 * tails, which are appended here:
 *
 *	tail 0		any number libseccomp found no leaf for: the newest calls
 *	tail 1...	a call whose arguments decide
 *
 * Everything before the tails is as libseccomp made it and looks at the number and the
 * ABI only. That matters: since 5.11 the kernel remembers which calls a filter always
 * allows, and skips it for those; it gives up on a path that reads an argument
 * (kernel/seccomp.c, seccomp_is_const_allow()).
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "policies/seccomp_rules.h"

#define N_ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))
#define ABIS_MAX 2
#define TAILS_MAX 16
#define TAIL_DEFAULT 0
#define NR_END 512        /* above every number that has a part in socketcall or ipc */
#define NOT_HERE (-10000) /* from here down, its __PNR_*, the ABI has no such call */

/*
 * A machine and its ABIs, little-endian all of them. x32 is left out: its numbers are
 * those of x86_64 with bit 30 set, which libseccomp answers as a foreign ABI.
 */
static const struct machine {
	const char *name; /* as autoconf's host_cpu */
	uint32_t abi[ABIS_MAX];
} machines[] = {
	{ "x86_64", { SCMP_ARCH_X86_64, SCMP_ARCH_X86 } },
	{ "aarch64", { SCMP_ARCH_AARCH64, SCMP_ARCH_ARM } },
	{ "riscv64", { SCMP_ARCH_RISCV64, 0 } },
};

/**
 * struct tail - What a leaf of the tree jumps to
 * @call:	the call whose arguments decide; "" for TAIL_DEFAULT
 * @start:	index of its first instruction
 */
struct tail {
	char call[SECCOMP_NAME_MAX];
	size_t start;
};

struct program {
	struct sock_filter insn[BPF_MAXINSNS];
	size_t n;
	struct tail tail[TAILS_MAX];
	size_t tails;
};

static void release_filter(const scmp_filter_ctx *ctx)
{
	if (*ctx)
		seccomp_release(*ctx);
}
#define cleanup_filter __attribute__((cleanup(release_filter)))

static const struct seccomp_number *find_number(const char *call)
{
	for (size_t i = 0; i < seccomp_numbers_n; i++)
		if (strcmp(seccomp_numbers[i].call, call) == 0)
			return &seccomp_numbers[i];
	return NULL;
}

/* A waived call keeps its rule without a mask. */
static bool counts(const struct seccomp_set *set, const struct seccomp_rule *rule)
{
	return !rule->mask || !set->waive || !seccomp_rule_has(rule, set->waive);
}

static bool arguments_decide(const struct seccomp_set *set, const char *call)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->rules[i].mask && counts(set, &set->rules[i]) &&
		    seccomp_rule_has(&set->rules[i], call))
			return true;
	return false;
}

/*
 * For a call that i386 has twice, alone and as a part of socketcall(2) or ipc(2),
 * libseccomp answers with a negative number of the second kind. Numbers it translates
 * straight. Return: the number, or -1.
 */
static int find_direct(uint32_t abi, const char *call)
{
	for (int nr = 0; nr < NR_END; nr++) {
		char *name = seccomp_syscall_resolve_num_arch(abi, nr);
		bool same = name && strcmp(name, call) == 0;

		free(name);
		if (same)
			return nr;
	}
	return -1;
}

/**
 * resolve() - The number of a call on an ABI, as far as libseccomp knows it
 * @abi:	SCMP_ARCH_*
 * @call:	name from a rule
 * @ret:	the number, or -1 where the tree has no leaf for it: the ABI has no such
 *		call, or only seccomp_numbers[] knows it
 * @err:	filled in on failure
 *
 * Return: 0; -ENOENT for a name nobody knows, because a misspelt refusal would protect
 * nothing; -EINVAL where libseccomp and seccomp_numbers[] disagree.
 */
static int resolve(uint32_t abi, const char *call, int *ret, struct err *err)
{
	const struct seccomp_number *number = find_number(call);
	int nr = seccomp_syscall_resolve_name_arch(abi, call);

	if (nr == __NR_SCMP_ERROR && !number)
		return err_set(err, ENOENT, "no system call '%s'", call);
	if (nr >= 0 && number && number->nr != nr)
		return err_set(err, EINVAL, "'%s' is %d here and %d for libseccomp", call,
		               number->nr, nr);
	/* Other negative numbers are libseccomp's names for "on other ABIs only". */
	if (nr < __NR_SCMP_ERROR && nr > NOT_HERE)
		nr = find_direct(abi, call);
	*ret = nr >= 0 ? nr : -1;
	return 0;
}

/* The action of a leaf: the answer, or the tail that finds it. */
static int leaf(const struct seccomp_set *set, const struct seccomp_rule *rule,
                const char *call, struct program *prog, uint32_t *ret, struct err *err)
{
	size_t i;

	if (!arguments_decide(set, call)) {
		*ret = SCMP_ACT_ALLOW;
		if (rule->answer != SECCOMP_ALLOW)
			*ret = SCMP_ACT_ERRNO((uint32_t)rule->answer);
		return 0;
	}

	for (i = TAIL_DEFAULT + 1; i < prog->tails; i++)
		if (strcmp(prog->tail[i].call, call) == 0)
			break;
	if (i == prog->tails) {
		if (i == TAILS_MAX)
			return err_set(err, E2BIG, "arguments of '%s' and %d more calls",
			               call, TAILS_MAX - 1);
		(void)snprintf(prog->tail[i].call, SECCOMP_NAME_MAX, "%s", call);
		prog->tails++;
	}
	*ret = SCMP_ACT_TRACE((uint32_t)i);
	return 0;
}

static int add_rule(scmp_filter_ctx ctx, uint32_t abi, const struct seccomp_set *set,
                    const struct seccomp_rule *rule, struct program *prog,
                    struct err *err)
{
	const char *calls = rule->calls;
	char call[SECCOMP_NAME_MAX];
	int r;

	while (seccomp_next_call(&calls, call, sizeof(call))) {
		uint32_t action = 0;
		int nr = -1;

		r = resolve(abi, call, &nr, err);
		if (r < 0)
			return r;
		/* No leaf is needed to say ENOSYS: that is what is left over. */
		if (nr < 0 || rule->mask || rule->answer == ENOSYS)
			continue;
		r = leaf(set, rule, call, prog, &action, err);
		if (r < 0)
			return r;
		/* It takes a number of the machine it runs on, and translates. */
		r = seccomp_rule_add(ctx, action, seccomp_syscall_resolve_name(call), 0);
		if (r < 0)
			return err_set(err, -r, "add '%s' to the filter", call);
	}
	return 0;
}

/* The tree of one ABI alone; merged later, so that no leaf is for a missing call. */
static int make_tree(uint32_t abi, const struct seccomp_set *set, struct program *prog,
                     scmp_filter_ctx *ret, struct err *err)
{
	cleanup_filter scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_TRACE(TAIL_DEFAULT));
	int r = 0;

	if (!ctx)
		return err_set(err, ENOMEM, "allocate a filter");
	if (abi != seccomp_arch_native()) {
		r = seccomp_arch_add(ctx, abi);
		if (r == 0)
			r = seccomp_arch_remove(ctx, SCMP_ARCH_NATIVE);
	}
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH,
		                     SCMP_ACT_ERRNO(ENOSYS));
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (r < 0)
		return err_set(err, -r, "prepare a filter for ABI %#x", abi);

	for (size_t i = 0; i < set->n; i++) {
		r = add_rule(ctx, abi, set, &set->rules[i], prog, err);
		if (r < 0)
			return err_wrap(err, "rule %zu", i + 1);
	}

	*ret = ctx;
	ctx = NULL;
	return 0;
}

/* Reads the tree back as instructions; libseccomp only writes to a descriptor. */
static int export_tree(scmp_filter_ctx ctx, struct program *prog, struct err *err)
{
	FILE *file = tmpfile();
	int r;

	if (!file)
		return err_set(err, errno, "make a temporary file");
	r = seccomp_export_bpf(ctx, fileno(file));
	if (r < 0) {
		(void)fclose(file);
		return err_set(err, -r, "export the filter");
	}
	rewind(file);
	prog->n = fread(prog->insn, sizeof(prog->insn[0]), BPF_MAXINSNS, file);
	(void)fclose(file);
	if (prog->n == 0 || prog->n == BPF_MAXINSNS)
		return err_set(err, E2BIG, "the filter has %zu instructions", prog->n);
	return 0;
}

/* Appends an instruction; one that jumps skips @jf more where it does not hold. */
static int put(struct program *prog, int code, uint8_t jf, uint32_t k, struct err *err)
{
	if (prog->n == BPF_MAXINSNS)
		return err_set(err, E2BIG, "the filter has over %d instructions",
		               BPF_MAXINSNS);
	prog->insn[prog->n++] =
		(struct sock_filter){ .code = (uint16_t)code, .jf = jf, .k = k };
	return 0;
}

static int put_load(struct program *prog, size_t offset, struct err *err)
{
	return put(prog, BPF_LD | BPF_W | BPF_ABS, 0, (uint32_t)offset, err);
}

static int put_answer(struct program *prog, int answer, struct err *err)
{
	uint32_t action = SECCOMP_RET_ALLOW;

	if (answer != SECCOMP_ALLOW)
		action = SECCOMP_RET_ERRNO | (uint32_t)answer;
	return put(prog, BPF_RET | BPF_K, 0, action, err);
}

/* "If what was loaded is @value, answer; else go on behind this." */
static int put_case(struct program *prog, uint32_t value, int answer, struct err *err)
{
	int r = put(prog, BPF_JMP | BPF_JEQ | BPF_K, 1, value, err);

	return r < 0 ? r : put_answer(prog, answer, err);
}

static int put_rule(const struct seccomp_rule *rule, struct program *prog,
                    struct err *err)
{
	int r;

	if (!rule->mask)
		return put_answer(prog, rule->answer, err);

	/* The low word stands first on the machines above. */
	r = put_load(prog, offsetof(struct seccomp_data, args[rule->arg]), err);
	if (r == 0 && rule->mask != UINT32_MAX)
		r = put(prog, BPF_ALU | BPF_AND | BPF_K, 0, rule->mask, err);
	if (r == 0)
		r = put_case(prog, rule->value, rule->answer, err);
	return r;
}

static int put_call_tail(const struct seccomp_set *set, struct tail *tail,
                         struct program *prog, struct err *err)
{
	tail->start = prog->n;
	for (size_t i = 0; i < set->n; i++) {
		const struct seccomp_rule *rule = &set->rules[i];
		int r;

		if (!counts(set, rule) || !seccomp_rule_has(rule, tail->call))
			continue;
		r = put_rule(rule, prog, err);
		if (r < 0)
			return r;
		/* The rule without a mask answers whatever is left. */
		if (!rule->mask)
			return 0;
	}
	return err_set(err, EINVAL, "'%s' has no rule for its other arguments",
	               tail->call);
}

/* The calls of @set on @abi (0: on every ABI) that libseccomp is too old for. */
static int put_numbers(const struct seccomp_set *set, uint32_t native, uint32_t abi,
                       struct program *prog, struct err *err)
{
	for (size_t i = 0; i < seccomp_numbers_n; i++) {
		const struct seccomp_number *number = &seccomp_numbers[i];
		int r = 0;

		if (number->arch != abi ||
		    seccomp_syscall_resolve_name_arch(native, number->call) >= 0)
			continue;
		if (arguments_decide(set, number->call))
			return err_set(err, EINVAL,
			               "arguments of '%s' need a newer libseccomp",
			               number->call);
		for (size_t j = 0; j < set->n && r == 0; j++)
			if (seccomp_rule_has(&set->rules[j], number->call))
				r = put_case(prog, (uint32_t)number->nr,
				             set->rules[j].answer, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int put_default_tail(const struct seccomp_set *set, const struct machine *machine,
                            struct program *prog, struct err *err)
{
	uint32_t native = machine->abi[0];
	size_t skip;
	int r;

	prog->tail[TAIL_DEFAULT].start = prog->n;
	r = put_load(prog, offsetof(struct seccomp_data, nr), err);
	if (r == 0)
		r = put_numbers(set, native, 0, prog, err);

	/* Only the native ABI has calls of its own in seccomp_numbers[]. */
	if (r == 0)
		r = put_load(prog, offsetof(struct seccomp_data, arch), err);
	skip = prog->n;
	if (r == 0)
		r = put(prog, BPF_JMP | BPF_JEQ | BPF_K, 0, native, err);
	if (r == 0)
		r = put_load(prog, offsetof(struct seccomp_data, nr), err);
	if (r == 0)
		r = put_numbers(set, native, native, prog, err);
	if (r == 0) {
		prog->insn[skip].jf = (uint8_t)(prog->n - skip - 1);
		r = put_answer(prog, ENOSYS, err);
	}
	return r;
}

/* Turns the leaves that stand for a tail into jumps there. */
static int link_tails(struct program *prog, size_t tree, struct err *err)
{
	for (size_t i = 0; i < tree; i++) {
		struct sock_filter *insn = &prog->insn[i];
		size_t tail = insn->k & SECCOMP_RET_DATA;

		if (insn->code != (BPF_RET | BPF_K) ||
		    (insn->k & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_TRACE)
			continue;
		if (tail >= prog->tails)
			return err_set(err, EINVAL, "libseccomp made a leaf of its own");
		insn->code = BPF_JMP | BPF_JA;
		insn->k = (uint32_t)(prog->tail[tail].start - i - 1);
	}
	return 0;
}

static int compile(const struct seccomp_set *set, const struct machine *machine,
                   struct program *prog, struct err *err)
{
	cleanup_filter scmp_filter_ctx ctx = NULL;
	size_t tree;
	int r;

	prog->tails = TAIL_DEFAULT + 1;
	r = make_tree(machine->abi[0], set, prog, &ctx, err);
	if (r < 0)
		return r;
	if (set->compat && machine->abi[1]) {
		cleanup_filter scmp_filter_ctx other = NULL;

		r = make_tree(machine->abi[1], set, prog, &other, err);
		if (r < 0)
			return r;
		r = seccomp_merge(ctx, other);
		if (r < 0)
			return err_set(err, -r, "merge the ABIs");
		other = NULL; /* owned by ctx */
	}
	r = export_tree(ctx, prog, err);
	if (r < 0)
		return r;

	tree = prog->n;
	r = put_default_tail(set, machine, prog, err);
	for (size_t i = TAIL_DEFAULT + 1; i < prog->tails && r == 0; i++)
		r = put_call_tail(set, &prog->tail[i], prog, err);
	return r < 0 ? r : link_tails(prog, tree, err);
}

static void print_program(size_t index, const struct seccomp_set *set,
                          const struct program *prog)
{
	printf("\n/* %s: %s */\nstatic const struct sock_filter filter_%zu[] = {\n",
	       set->name, set->why, index);
	for (size_t i = 0; i < prog->n; i++)
		printf("\t{ 0x%02x, %u, %u, 0x%08x },\n", prog->insn[i].code,
		       prog->insn[i].jt, prog->insn[i].jf, prog->insn[i].k);
	printf("};\n");
}

static void print_index(void)
{
	printf("\n#define N(filter) (sizeof(filter) / sizeof((filter)[0]))\n"
	       "const struct seccomp_filter seccomp_filters[] = {\n");
	for (size_t i = 0; i < seccomp_sets_n; i++)
		printf("\t{ \"%s\", filter_%zu, N(filter_%zu) },\n", seccomp_sets[i].name,
		       i, i);
	printf("};\nconst size_t seccomp_filters_n = %zu;\n", seccomp_sets_n);
}

static const struct machine *find_machine(const char *name)
{
	for (size_t i = 0; i < N_ELEMENTS(machines); i++)
		if (name ? strcmp(machines[i].name, name) == 0
		         : machines[i].abi[0] == seccomp_arch_native())
			return &machines[i];
	return NULL;
}

/* seccomp-compile [MACHINE]: the one it runs on, or what a cross build is for. */
int main(int argc, char **argv)
{
	const struct machine *machine = find_machine(argc > 1 ? argv[1] : NULL);

	if (argc > 2 || !machine) {
		(void)fprintf(stderr,
		              "seccomp-compile: no list of the ABIs of this machine;"
		              " add a row to machines[]\n");
		return 1;
	}

	printf("/* Made by policies/seccomp_compile.c from policies/seccomp_rules.c for "
	       "%s; "
	       "do not edit. */\n#include <linux/filter.h>\n\n"
	       "#include \"policies/seccomp.h\"\n",
	       machine->name);
	for (size_t i = 0; i < seccomp_sets_n; i++) {
		struct program prog = { 0 };
		struct err err = { 0 };

		if (compile(&seccomp_sets[i], machine, &prog, &err) < 0) {
			(void)fprintf(stderr, "seccomp-compile: filter '%s': %s: %s\n",
			              seccomp_sets[i].name, err.text, strerror(err.code));
			return 1;
		}
		print_program(i, &seccomp_sets[i], &prog);
	}
	print_index();
	/* A full disk must not leave half a filter behind. */
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
