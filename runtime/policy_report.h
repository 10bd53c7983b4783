#ifndef POLICY_REPORT_H
#define POLICY_REPORT_H

#include "base/err.h"

/*
 * berth policy report: one page of HTML about a policy, or about a running workspace.
 * Return: 0; OPTIONS_HELP was handled; -errno.
 */
int policy_report_main(int argc, char **argv, struct err *err);

#endif
