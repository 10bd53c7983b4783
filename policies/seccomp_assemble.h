#ifndef POLICIES_SECCOMP_ASSEMBLE_H
#define POLICIES_SECCOMP_ASSEMBLE_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "policies/seccomp_rules.h"

#define SECCOMP_ABIS_MAX 2
#define SECCOMP_CALLS_MAX 1024 /* of one ABI; none has half as many */

/**
 * struct seccomp_call - A system call of one ABI
 * @nr:		its number there
 * @name:	as in the rules
 */
struct seccomp_call {
	uint32_t nr;
	const char *name;
};

/**
 * struct seccomp_abi - What the calls are on one ABI of a machine
 * @arch:	AUDIT_ARCH_*
 * @call:	by their numbers; a number has one name
 * @n:		length of @call, SECCOMP_CALLS_MAX at most
 */
struct seccomp_abi {
	uint32_t arch;
	const struct seccomp_call *call;
	size_t n;
};

/* Those of the machine that we were built for, the native one first, with all calls that the
 * rules of "workspace" name; in policies/seccomp_filters.c. */
extern const struct seccomp_abi seccomp_abis[];
extern const size_t seccomp_abis_n;

/**
 * struct seccomp_program - A filter that grows from its end to its begin
 * @insn:	the instructions, from @start on
 * @start:	index of the first one
 *
 * Jumps of BPF go forward only, so whatever is jumped to is there already.
 */
struct seccomp_program {
	struct sock_filter insn[BPF_MAXINSNS];
	size_t start;
};

/**
 * seccomp_assemble() - Make the filter of a set
 * @set:	its rules
 * @abi:	the native ABI, then the others that the set is for
 * @abis:	length of @abi, 1 to SECCOMP_ABIS_MAX
 * @ret:	takes the program
 * @err:	filled in on failure
 *
 * Allocates nothing and makes no system call.
 *
 * Return: 0; -EINVAL for a call whose arguments decide and that has no rule for all the
 * others, or for calls that do not stand by their numbers; -E2BIG where a filter has over BPF_MAXINSNS
 * instructions.
 */
int seccomp_assemble(const struct seccomp_set *set, const struct seccomp_abi *abi,
                     size_t abis, struct seccomp_program *ret, struct err *err);

#endif
