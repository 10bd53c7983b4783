#ifndef POLICIES_SECCOMP_RULES_H
#define POLICIES_SECCOMP_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The answer of a rule that lets the call through. */
#define SECCOMP_ALLOW 0

/**
 * struct seccomp_rule - What happens to some system calls, and why
 * @calls:	names, one blank between two
 * @answer:	SECCOMP_ALLOW, or the errno the caller gets
 * @why:	one line for people; never NULL
 * @arg:	which argument decides, 0 to 5; counts with @mask only
 * @mask:	0 for "whatever the arguments are"; else the rule holds where
 *		(low 32 bits of the argument & @mask) == @value
 * @value:	no bit outside @mask
 * @unasked:	refused by the filter itself also in a set that asks: who meets it goes
 *		another way, which is asked of
 *
 * A call has one rule without @mask in a set. Rules with one come before it, in the
 * order of the table. A call that no rule names is answered ENOSYS: libraries take
 * that as "an older kernel" and do it the older way.
 *
 * Only low words: every argument compared here is an int or unsigned int in the
 * kernel, which drops the upper half of the register, so a comparison of 64 bits
 * would let (1 << 32 | AF_ALG) through as "not AF_ALG".
 */
struct seccomp_rule {
	const char *calls;
	int answer;
	const char *why;
	unsigned int arg;
	uint32_t mask, value;
	bool unasked;
};

/**
 * struct seccomp_set - The rules of one filter
 * @name:	as in a policy file
 * @why:	whom it is for, one line
 * @rules:	in order
 * @n:		length of @rules
 * @compat:	also for the 32-bit ABI of the machine; else that gets ENOSYS
 * @waive:	a call whose rules with a mask are left out, or NULL
 * @ask:	what a rule refuses is asked of whoever listens, unless it says otherwise; a
 *		call without a rule gets ENOSYS all the same
 */
struct seccomp_set {
	const char *name;
	const char *why;
	const struct seccomp_rule *rules;
	size_t n;
	bool compat;
	const char *waive;
	bool ask;
};

/**
 * struct seccomp_number - A call that libseccomp may be too old to know
 * @call:	as in a rule
 * @nr:		its number
 * @arch:	AUDIT_ARCH_* of the only ABI that has it; 0 where every ABI has it
 *		under this number, which holds from 424 on
 */
struct seccomp_number {
	const char *call;
	int nr;
	uint32_t arch;
};

extern const struct seccomp_set seccomp_sets[];
extern const size_t seccomp_sets_n;
extern const struct seccomp_number seccomp_numbers[];
extern const size_t seccomp_numbers_n;

/**
 * seccomp_next_call() - Walk the names of a rule
 * @calls:	where to go on: rule->calls at first, moved behind the name
 * @name:	takes the name
 * @size:	of @name, bytes; SECCOMP_NAME_MAX is enough for every rule here
 *
 * Return: true, or false at the end. A name that does not fit ends the walk too; the
 * unit test sees to it that there is none.
 */
#define SECCOMP_NAME_MAX 40
bool seccomp_next_call(const char **calls, char *name, size_t size);

/* Whether @rule names @call. */
bool seccomp_rule_has(const struct seccomp_rule *rule, const char *call);

#endif
