#ifndef SCOPE_H
#define SCOPE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/*
 * A scope of systemd's: a cgroup that the service manager delegates to us for the
 * asking. Where the group we were started in is the manager's own, berth starts itself
 * again in one.
 */

/* In the environment of the berth that systemd-run starts: the scope's name. */
#define SCOPE_VARIABLE "BERTH_SCOPE"

/* Beside it: what --policy named, which the words there do not say. */
#define SCOPE_POLICY_VARIABLE "BERTH_SCOPE_POLICY"

/* Whether a service manager that would give us one answers: the user's, or for root the
 * system's. */
bool scope_available(void);

/* The name of the scope that scope_enter() put us in, or NULL. */
const char *scope_entered(void);

/* What scope_enter() was told of the policy, or NULL. A text to be told on, no policy. */
const char *scope_policy(void);

/**
 * scope_enter() - Start ourselves again in a scope
 * @name:	goes into the scope's name
 * @policy:	for scope_policy(), NULL for none
 * @words:	what main() gets behind argv[0]
 * @n:		length of @words
 * @err:	filled in, with the step "scope"
 *
 * By systemd-run --scope, which registers its own process and executes: terminal,
 * descriptors and PID stay. Returns only on failure.
 *
 * Return: -EPERM when we are in one already, and it did not help; else -errno.
 */
int scope_enter(const char *name, const char *policy, const char *const *words, size_t n,
                struct err *err);

#endif
