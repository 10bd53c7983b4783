#ifndef POLICY_AUDIT_H
#define POLICY_AUDIT_H

#include "base/err.h"
#include "policies/audit.h"
#include "state.h"

/**
 * policy_audit_main() - The verb audit of berth policy
 * @argc, @argv: @argv[0] is "policy audit"
 * @err:	of the last thing that could not be audited; the others were printed
 *
 * Return: 0; 1 where a finding is at or above --severity; -errno.
 */
int policy_audit_main(int argc, char **argv, struct err *err);

/* Audits what a workspace was started with, and what is known of it. Return: 0 or -ENOMEM. */
int policy_audit_record(struct audit *audit, const struct record *record,
                        struct err *err);

#endif
