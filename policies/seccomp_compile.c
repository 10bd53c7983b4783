/*
 * Prints policies/seccomp_filters.c: the rules of policies/seccomp_rules.c as BPF.
 * Runs while berth is built; nothing that is installed needs libseccomp.
 *
 * libseccomp knows the numbers of the calls on each ABI; seccomp_assemble.c makes the program.
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
#include "policies/seccomp_assemble.h"
#include "policies/seccomp_rules.h"

#define N_ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))
#define NR_END 512        /* above every number that has a part in socketcall or ipc */
#define NOT_HERE (-10000) /* from here down, its __PNR_*, the ABI has no such call */

/*
 * A machine and its ABIs, little-endian all of them. x32 is left out: its numbers are
 * those of x86_64 with bit 30 set, which libseccomp answers as a foreign ABI.
 */
static const struct machine {
	const char *name; /* as autoconf's host_cpu */
	uint32_t abi[SECCOMP_ABIS_MAX];
} machines[] = {
	{ "x86_64", { SCMP_ARCH_X86_64, SCMP_ARCH_X86 } },
	{ "aarch64", { SCMP_ARCH_AARCH64, SCMP_ARCH_ARM } },
	{ "riscv64", { SCMP_ARCH_RISCV64, 0 } },
};

static const struct seccomp_number *find_number(const char *call)
{
	for (size_t i = 0; i < seccomp_numbers_n; i++)
		if (strcmp(seccomp_numbers[i].call, call) == 0)
			return &seccomp_numbers[i];
	return NULL;
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
 * resolve() - The number of a call on an ABI
 * @abi:	SCMP_ARCH_*
 * @call:	name from a rule
 * @ret:	the number, or -1 where the ABI has no such call
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
	if (nr == __NR_SCMP_ERROR && (number->arch == 0 || number->arch == abi))
		nr = number->nr;
	/* Other negative numbers are libseccomp's names for "on other ABIs only". */
	if (nr < __NR_SCMP_ERROR && nr > NOT_HERE)
		nr = find_direct(abi, call);
	*ret = nr >= 0 ? nr : -1;
	return 0;
}

/* The calls of an ABI while they are collected. */
struct list {
	struct seccomp_call call[SECCOMP_CALLS_MAX];
	size_t n;
};

static bool is_listed(const struct list *list, const char *call)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->call[i].name, call) == 0)
			return true;
	return false;
}

static int compare_calls(const void *a, const void *b)
{
	uint32_t left = ((const struct seccomp_call *)a)->nr;
	uint32_t right = ((const struct seccomp_call *)b)->nr;

	return (left > right) - (left < right);
}

/* Fills in @list: the calls of @set that the ABI has. */
static int list_calls(uint32_t abi, const struct seccomp_set *set, struct list *list,
                      struct err *err)
{
	list->n = 0;
	for (size_t i = 0; i < set->n; i++) {
		const char *calls = set->rules[i].calls;
		char call[SECCOMP_NAME_MAX];

		while (seccomp_next_call(&calls, call, sizeof(call))) {
			int nr = -1, r = resolve(abi, call, &nr, err);

			if (r < 0)
				return err_wrap(err, "rule %zu", i + 1);
			if (nr < 0 || is_listed(list, call))
				continue;
			if (list->n == SECCOMP_CALLS_MAX)
				return err_set(err, E2BIG, "over %d calls",
				               SECCOMP_CALLS_MAX);
			list->call[list->n].nr = (uint32_t)nr;
			list->call[list->n].name = strdup(call);
			if (!list->call[list->n++].name)
				return err_set(err, ENOMEM, "list the calls");
		}
	}
	qsort(list->call, list->n, sizeof(list->call[0]), compare_calls);
	return 0;
}

static size_t count_abis(const struct machine *machine)
{
	return machine->abi[1] ? 2 : 1;
}

static int compile(const struct seccomp_set *set, const struct machine *machine,
                   struct seccomp_program *prog, struct err *err)
{
	static struct list list[SECCOMP_ABIS_MAX];
	struct seccomp_abi abi[SECCOMP_ABIS_MAX];
	size_t abis = set->compat ? count_abis(machine) : 1;

	for (size_t i = 0; i < abis; i++) {
		int r = list_calls(machine->abi[i], set, &list[i], err);

		if (r < 0)
			return r;
		/* SCMP_ARCH_* are AUDIT_ARCH_* but for x32, which we leave out. */
		abi[i] = (struct seccomp_abi){ machine->abi[i], list[i].call, list[i].n };
	}
	return seccomp_assemble(set, abi, abis, prog, err);
}

/* The numbers, for filters that are made when a policy is read. */
static int print_tables(const struct machine *machine, struct err *err)
{
	static struct list list;
	size_t n[SECCOMP_ABIS_MAX];

	for (size_t i = 0; i < count_abis(machine); i++) {
		int r = list_calls(machine->abi[i], &seccomp_sets[0], &list, err);

		if (r < 0)
			return r;
		n[i] = list.n;
		printf("\nstatic const struct seccomp_call calls_%zu[] = {\n", i);
		for (size_t j = 0; j < list.n; j++)
			printf("\t{ %u, \"%s\" },\n", list.call[j].nr, list.call[j].name);
		printf("};\n");
	}
	printf("\nconst struct seccomp_abi seccomp_abis[] = {\n");
	for (size_t i = 0; i < count_abis(machine); i++)
		printf("\t{ 0x%08x, calls_%zu, %zu },\n", machine->abi[i], i, n[i]);
	printf("};\nconst size_t seccomp_abis_n = %zu;\n", count_abis(machine));
	return 0;
}

static void print_program(size_t index, const struct seccomp_set *set,
                          const struct seccomp_program *prog)
{
	printf("\n/* %s: %s */\nstatic const struct sock_filter filter_%zu[] = {\n",
	       set->name, set->why, index);
	for (size_t i = prog->start; i < BPF_MAXINSNS; i++)
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
	struct err table_err = { 0 };

	if (argc > 2 || !machine) {
		(void)fprintf(stderr,
		              "seccomp-compile: no list of the ABIs of this machine;"
		              " add a row to machines[]\n");
		return 1;
	}

	printf("/* Made by policies/seccomp_compile.c from policies/seccomp_rules.c for "
	       "%s; "
	       "do not edit. */\n#include <linux/filter.h>\n\n"
	       "#include \"policies/seccomp.h\"\n"
	       "#include \"policies/seccomp_assemble.h\"\n",
	       machine->name);
	for (size_t i = 0; i < seccomp_sets_n; i++) {
		struct seccomp_program prog = { 0 };
		struct err err = { 0 };

		if (compile(&seccomp_sets[i], machine, &prog, &err) < 0) {
			(void)fprintf(stderr, "seccomp-compile: filter '%s': %s: %s\n",
			              seccomp_sets[i].name, err.text, strerror(err.code));
			return 1;
		}
		print_program(i, &seccomp_sets[i], &prog);
	}
	print_index();
	if (print_tables(machine, &table_err) < 0) {
		(void)fprintf(stderr, "seccomp-compile: tables: %s: %s\n", table_err.text,
		              strerror(table_err.code));
		return 1;
	}
	/* A full disk must not leave half a filter behind. */
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
