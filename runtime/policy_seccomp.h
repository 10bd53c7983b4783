#ifndef POLICY_SECCOMP_H
#define POLICY_SECCOMP_H

#include "base/err.h"
#include "config.h"

/**
 * policy_seccomp_main() - berth policy seccomp
 * @argc, @argv: its options and words, with the verb
 * @err:	filled in on failure
 *
 * Return: 0, or -errno.
 */
int policy_seccomp_main(int argc, char **argv, struct err *err);

/**
 * policy_seccomp_explain() - Tell what becomes of a system call
 * @config:	of a policy
 * @call:	what is no key of a policy
 * @err:	filled in on failure
 *
 * Return: 0; -EINVAL where no call has that name either.
 */
int policy_seccomp_explain(const struct config *config, const char *call,
                           struct err *err);

#endif
