#include "audit_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

const char *const audit_severity_name[AUDIT_SEVERITY_MAX] = {
	[AUDIT_INFO] = "info",
	[AUDIT_LOW] = "low",
	[AUDIT_MEDIUM] = "medium",
	[AUDIT_HIGH] = "high",
};

const char *const audit_scope_name[AUDIT_SCOPE_MAX] = {
	[AUDIT_POD] = "pod",
	[AUDIT_CONTAINER] = "container",
	[AUDIT_POLICY] = "policy",
	[AUDIT_WORKSPACE] = "workspace",
};

static void add(const struct audit_subject *s, const struct audit_finding *finding)
{
	struct audit *audit = s->audit;
	struct audit_finding *new;

	if (audit->in_file++ >= AUDIT_FINDINGS_MAX)
		return;
	new = arena_alloc(audit->arena, sizeof(*new));
	if (!new)
		return;
	*new = *finding;
	new->rule = s->rule;
	new->severity = s->mapped ? s->rule->mapped : s->rule->severity;
	new->subject = s->name;
	if (audit->last)
		audit->last->next = new;
	else
		audit->first = new;
	audit->last = new;
	audit->n[new->severity]++;
}

void audit_report(const struct audit_subject *s, const struct yaml_value *at,
                  const char *path, const char *detail)
{
	add(s, &(struct audit_finding){
		       .file = s->file,
		       .line = at->key ? at->key_line : at->line,
		       .column = at->key ? at->key_column : at->column,
		       .path = path,
		       .detail = detail,
	       });
}

/* A setting of a file has its place; one of a profile or an option its origin only. */
void audit_report_key(const struct audit_subject *s, const struct policy_setting *at,
                      const char *key, const char *detail)
{
	const char *file = at ? at->file : s->file;
	bool is_file = file && strpbrk(file, "/.") && *file != '-';

	add(s, &(struct audit_finding){
		       .file = is_file ? audit_text(s, "%s", file) : NULL,
		       .line = !is_file ? 0
	                       : at     ? at->line
	                                : 1,
		       .column = !is_file ? 0
	                         : at     ? at->column
	                                  : 1,
		       .path = key,
		       .detail = detail,
	       });
}

const char *audit_text(const struct audit_subject *s, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	if (s->audit->in_file > AUDIT_FINDINGS_MAX)
		return ""; /* nobody will see it */
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return arena_dup(s->audit->arena, text);
}

void audit_run(struct audit_subject *s, enum audit_scope scope)
{
	for (size_t i = 0; i < audit_rules_n; i++) {
		if (audit_rules[i].scope != scope)
			continue;
		s->rule = &audit_rules[i];
		s->rule->check(s);
	}
}

void audit_failed(struct audit *audit, const char *file, const struct err *err)
{
	struct audit_failure *new = arena_alloc(audit->arena, sizeof(*new));

	if (!new)
		return;
	new->file = arena_dup(audit->arena, file);
	new->text = arena_printf(audit->arena, "%s: %s", err->text, strerror(err->code));
	if (audit->failure_last)
		audit->failure_last->next = new;
	else
		audit->failure = new;
	audit->failure_last = new;
}

size_t audit_count(const struct audit *audit, enum audit_severity severity)
{
	size_t n = 0;

	for (size_t i = severity; i < AUDIT_SEVERITY_MAX; i++)
		n += audit->n[i];
	return n;
}
