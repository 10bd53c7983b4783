#ifndef AUDIT_H
#define AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/err.h"
#include "policies/policy.h"

/* Findings of one file above this number are refused, so that no file takes all memory. */
#define AUDIT_FINDINGS_MAX 10000

enum audit_severity {
	AUDIT_INFO,
	AUDIT_LOW,
	AUDIT_MEDIUM,
	AUDIT_HIGH,
	AUDIT_SEVERITY_MAX,
};

/* "info", "low", ... */
extern const char *const audit_severity_name[AUDIT_SEVERITY_MAX];

/* What a rule looks at. */
enum audit_scope {
	AUDIT_POD,       /* each pod, or template of one, of a manifest */
	AUDIT_CONTAINER, /* each of its containers, those of init and ephemeral ones too */
	AUDIT_POLICY,    /* a policy, or what a workspace was started with */
	AUDIT_WORKSPACE, /* what is known of a workspace beside that */
	AUDIT_SCOPE_MAX,
};

/* "pod", "container", ... */
extern const char *const audit_scope_name[AUDIT_SCOPE_MAX];

struct audit_subject;

/**
 * struct audit_rule - One rule: checks, --list, SARIF and docs/audit.md read this row
 * @id:		"BK001"; never given to another rule
 * @name:	the same as words, "host-network"
 * @scope:	what it looks at
 * @severity:	of its findings
 * @mapped:	of its findings in a pod with hostUsers: false, whose root is nobody of the
 *		node
 * @title:	what is wrong, one clause
 * @why:	what can come of it, a sentence
 * @remedy:	what to write instead, a sentence
 * @reference:	standards, CVEs, manual pages
 * @arg:	for @check, where several rules share one
 * @check:	looks, and reports what it finds
 */
struct audit_rule {
	const char *id, *name;
	enum audit_scope scope;
	enum audit_severity severity, mapped;
	const char *title, *why, *remedy, *reference, *arg;
	void (*check)(const struct audit_subject *subject);
};

extern const struct audit_rule audit_rules[];
extern const size_t audit_rules_n;

/**
 * struct audit_finding - Where a rule does not hold
 * @rule:	which
 * @severity:	of this finding
 * @file:	as it was given; of a policy where the value was written; NULL for what is no
 *		file
 * @subject:	"Deployment web", "profile shell", "workspace ws"
 * @line, @column: from 1; 0 where there is no file
 * @path:	of the key, "spec.containers[0].image"
 * @detail:	what stands there; never a secret's value
 * @next:	the next one
 */
struct audit_finding {
	const struct audit_rule *rule;
	enum audit_severity severity;
	const char *file, *subject, *path, *detail;
	unsigned int line, column;
	struct audit_finding *next;
};

#define AUDIT_REASONS_MAX 8

/**
 * struct audit_tier - Whether berth could run in a container: docs/kubernetes.md
 * @file, @subject, @path, @line, @column: of the container, as of a finding
 * @best, @worst: 'A' to 'D'; they differ where it depends on the node
 * @reason:	what they are because of, the decisive one first
 * @reasons_n:	length of @reason
 * @next:	the next one
 */
struct audit_tier {
	const char *file, *subject, *path;
	unsigned int line, column;
	char best, worst;
	const char *reason[AUDIT_REASONS_MAX];
	size_t reasons_n;
	struct audit_tier *next;
};

/**
 * struct audit_failure - What could not be audited
 * @file:	as it was given
 * @text:	why, with the place
 */
struct audit_failure {
	const char *file, *text;
	struct audit_failure *next;
};

/**
 * struct audit - What was found so far
 * @arena:	owns it
 * @first, @last: findings, in the order of files and rules
 * @n:		their number, and by severity
 * @tier, @tier_last: of containers
 * @failure, @failure_last: set by audit_failed()
 * @subjects:	pods, policies and workspaces that were looked at
 * @in_file:	findings of the current file
 */
struct audit {
	struct arena *arena;
	struct audit_finding *first, *last;
	size_t n[AUDIT_SEVERITY_MAX];
	struct audit_tier *tier, *tier_last;
	struct audit_failure *failure, *failure_last;
	size_t subjects, in_file;
};

/**
 * struct audit_workspace - What is known of a workspace
 * @name:	of it
 * @words, @words_n: of "berth run", as its state has them
 * @limits, @limits_n: each limit that was asked for, and how it is held
 * @net:	what --net came to
 * @tier:	of the pod, "" for unknown
 * @grouped:	it has a control group of its own
 * @oom_kills, @pids_max: what its group met
 */
struct audit_workspace {
	const char *name;
	const char *const *words;
	size_t words_n;
	const char *const *limits;
	size_t limits_n;
	const char *net, *tier;
	bool grouped;
	uint64_t oom_kills, pids_max;
};

/**
 * audit_manifest() - Audit the pods in a file of Kubernetes objects
 * @audit:	findings are added
 * @file:	its name
 * @text:	YAML or JSON, any number of documents
 * @size:	of @text, bytes
 * @err:	"FILE:LINE:COLUMN: what is wrong"; nothing of the file is added then
 *
 * Objects that make no pods are passed over.
 *
 * Return: 0; -EINVAL for what is no such file; as yaml_parse(); -E2BIG above
 * AUDIT_FINDINGS_MAX.
 */
int audit_manifest(struct audit *audit, const char *file, const char *text, size_t size,
                   struct err *err);

/* Audit a policy that was loaded. Return: 0 or -ENOMEM. */
int audit_policy(struct audit *audit, const struct policy *policy, struct err *err);

/* Audit a workspace: what it was started with, and what is known of it. Return: likewise. */
int audit_workspace(struct audit *audit, const struct audit_workspace *workspace,
                    struct err *err);

/* Notes that a file could not be audited. */
void audit_failed(struct audit *audit, const char *file, const struct err *err);

/* Findings at or above a severity. */
size_t audit_count(const struct audit *audit, enum audit_severity severity);

/* What was found, for people. */
void audit_print(const struct audit *audit, FILE *out);

/* The same as JSON: docs/audit.md. Return: 0 or -errno. */
int audit_print_json(const struct audit *audit, FILE *out, struct err *err);

/* The same as SARIF 2.1.0, by @version of berth. Return: 0 or -errno. */
int audit_print_sarif(const struct audit *audit, const char *version, FILE *out,
                      struct err *err);

/* The rules, for people and as JSON. Return: 0 or -errno. */
void audit_list(FILE *out);
int audit_list_json(FILE *out, struct err *err);

#endif
