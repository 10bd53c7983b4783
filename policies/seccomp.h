#ifndef POLICIES_SECCOMP_H
#define POLICIES_SECCOMP_H

#include <stddef.h>

#include "base/err.h"

struct sock_filter;

/**
 * struct seccomp_filter - A filter as the kernel takes it
 * @name:	as in a policy file and in seccomp_sets[] (policies/seccomp_rules.h)
 * @insn:	classic BPF, for every ABI of the machine we were built for
 * @n:		length of @insn, at most BPF_MAXINSNS
 *
 * Compiled from the rules while berth is built (policies/seccomp_compile.c). Loading one
 * takes 0.1 ms, most of which is the kernel's compiler: each instruction counts.
 */
struct seccomp_filter {
	const char *name;
	const struct sock_filter *insn;
	unsigned short n;
};

/* In policies/seccomp_filters.c, which policies/seccomp_compile.c prints. */
extern const struct seccomp_filter seccomp_filters[];
extern const size_t seccomp_filters_n;

/* The filter called @name, or NULL. */
const struct seccomp_filter *seccomp_find(const char *name);

/**
 * seccomp_load() - Put a filter on the calling thread, for good
 * @f:		what to load
 * @err:	filled in on failure
 *
 * Holds for everything the thread makes and executes from now on, also for what
 * the rest of this process does in this thread, so it comes last before execve().
 * Makes one system call and allocates nothing: fit for a cloned child.
 *
 * Return: 0; -EACCES without no_new_privs and with CAP_SYS_ADMIN not effective in
 * our user namespace; -ENOMEM where the filters of this thread exceed 32768
 * instructions; -EINVAL before Linux 4.17; else what seccomp(2) said, negative.
 */
int seccomp_load(const struct seccomp_filter *f, struct err *err);

/**
 * seccomp_load_listener() - Likewise, and get who hears of what the filter asks
 * @f:		what to load, of SECCOMP_ASK
 * @err:	filled in on failure
 *
 * Return: a descriptor, close-on-exec, owned by the caller: seccomp_unotify(2); -EBUSY where a
 * filter around us has such a listener already; as seccomp_load().
 */
int seccomp_load_listener(const struct seccomp_filter *f, struct err *err);

#endif
