#ifndef REPORT_H
#define REPORT_H

#include <stdio.h>

#include "metrics.h"
#include "policies/audit.h"
#include "policies/policy.h"
#include "verify.h"

/**
 * struct report - What a page tells
 * @name:	of the policy, or of the workspace
 * @at:		when, "2026-11-29 12:00:00 UTC"
 * @policy:	all values
 * @where:	of each, where it came from
 * @audit:	findings
 * @record, @verify, @metrics, @watchers: of a running workspace; NULL for a policy
 */
struct report {
	const char *name, *at;
	const struct policy *policy;
	const char *const *where;
	const struct audit *audit;
	const struct record *record;
	const struct verify *verify;
	const struct metrics *metrics;
	const struct watchers *watchers;
};

/* Writes the page: whole, without a script, and without anything from elsewhere. */
void report_print(const struct report *report, FILE *out);

/* Its parts. */
void report_style(FILE *out);
void report_differences(const struct report *report, FILE *out);
void report_use(const struct report *report, FILE *out);
void report_kernel(const struct report *report, FILE *out);
void report_checks(const struct report *report, FILE *out);

#endif
