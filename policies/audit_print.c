#include <errno.h>
#include <string.h>

#include "audit_internal.h"
#include "json.h"

#define RULES_MAX 256

/* Text from a manifest is somebody else's: no control character of it reaches a terminal. */
static void put_text(FILE *out, const char *text)
{
	while (*text) {
		size_t len = 0;

		while (text[len] >= ' ' && text[len] < 0x7f)
			len++;
		(void)fwrite(text, 1, len, out);
		text += len;
		if (!*text)
			break;
		len = json_utf8(text, strnlen(text, 4));
		if (len == 1) {
			(void)fprintf(out, "\\x%02x", (unsigned char)*text);
		} else if (len == 0) {
			(void)fprintf(out, "\\x%02x", (unsigned char)*text);
			len = 1;
		} else if (len == 2 && (unsigned char)text[0] == 0xc2 &&
		           (unsigned char)text[1] < 0xa0) {
			(void)fprintf(out, "\\x%02x", (unsigned char)text[1]);
		} else {
			(void)fwrite(text, 1, len, out);
		}
		text += len;
	}
}

static void put_place(FILE *out, const char *file, const char *subject, unsigned int line,
                      unsigned int column)
{
	put_text(out, file ? file : subject);
	if (file && line > 0)
		(void)fprintf(out, ":%u:%u", line, column);
	(void)fputs(": ", out);
}

static void put_finding(FILE *out, const struct audit_finding *f, bool explained)
{
	put_place(out, f->file, f->subject, f->line, f->column);
	(void)fprintf(out, "%s: %s %s: %s\n    ", audit_severity_name[f->severity],
	              f->rule->id, f->rule->name, f->rule->title);
	put_text(out, f->path);
	(void)fputs(": ", out);
	put_text(out, f->detail);
	(void)fputc('\n', out);
	if (explained)
		return;
	(void)fprintf(out, "    why: %s\n    remedy: %s\n    see: %s\n", f->rule->why,
	              f->rule->remedy, f->rule->reference);
}

void audit_print(const struct audit *audit, FILE *out)
{
	bool explained[RULES_MAX] = { false };

	/* Each rule is explained once. */
	for (const struct audit_finding *f = audit->first; f; f = f->next) {
		size_t i = (size_t)(f->rule - audit_rules);

		put_finding(out, f, i < RULES_MAX && explained[i]);
		if (i < RULES_MAX)
			explained[i] = true;
	}
	for (const struct audit_tier *t = audit->tier; t; t = t->next) {
		put_place(out, t->file, t->subject, t->line, t->column);
		(void)fputs("berth in ", out);
		put_text(out, t->subject);
		(void)fprintf(out, " %s: tier %c", t->path, t->best);
		if (t->worst != t->best)
			(void)fprintf(out, " to %c", t->worst);
		(void)fputc('\n', out);
		for (size_t i = 0; i < t->reasons_n; i++)
			(void)fprintf(out, "    %s\n", t->reason[i]);
	}
	(void)fprintf(out, "%zu audited: %zu high, %zu medium, %zu low, %zu info\n",
	              audit->subjects, audit->n[AUDIT_HIGH], audit->n[AUDIT_MEDIUM],
	              audit->n[AUDIT_LOW], audit->n[AUDIT_INFO]);
}

/* A member of an object, left out where there is none. */
static void put_given(struct json *json, const char *key, const char *value)
{
	if (value)
		json_put_string(json, key, value);
}

static void put_position(struct json *json, const char *file, unsigned int line,
                         unsigned int column)
{
	put_given(json, "file", file);
	if (!file || line == 0)
		return;
	json_put_unsigned(json, "line", line);
	json_put_unsigned(json, "column", column);
}

static const char *letter(char tier)
{
	static const char *const letters[] = { "A", "B", "C", "D" };

	return letters[tier - 'A'];
}

int audit_print_json(const struct audit *audit, FILE *out, struct err *err)
{
	struct json *json = json_open(out, true);
	int r;

	json_object(json);
	json_put_unsigned(json, "audited", audit->subjects);
	json_key(json, "findings");
	json_array(json);
	for (const struct audit_finding *f = audit->first; f; f = f->next) {
		json_object(json);
		json_put_string(json, "rule", f->rule->id);
		json_put_string(json, "name", f->rule->name);
		json_put_string(json, "severity", audit_severity_name[f->severity]);
		json_put_string(json, "subject", f->subject);
		put_position(json, f->file, f->line, f->column);
		json_put_string(json, "path", f->path);
		json_put_string(json, "detail", f->detail);
		json_object_end(json);
	}
	json_array_end(json);
	json_key(json, "tiers");
	json_array(json);
	for (const struct audit_tier *t = audit->tier; t; t = t->next) {
		json_object(json);
		json_put_string(json, "subject", t->subject);
		put_position(json, t->file, t->line, t->column);
		json_put_string(json, "path", t->path);
		json_put_string(json, "best", letter(t->best));
		json_put_string(json, "worst", letter(t->worst));
		json_put_strings(json, "reasons", t->reason, t->reasons_n);
		json_object_end(json);
	}
	json_array_end(json);
	json_key(json, "failures");
	json_array(json);
	for (const struct audit_failure *f = audit->failure; f; f = f->next) {
		json_object(json);
		json_put_string(json, "file", f->file);
		json_put_string(json, "error", f->text);
		json_object_end(json);
	}
	json_array_end(json);
	json_object_end(json);
	r = json_close(json);
	return r < 0 ? err_set(err, -r, "print the findings") : 0;
}

void audit_list(FILE *out)
{
	for (size_t i = 0; i < audit_rules_n; i++) {
		const struct audit_rule *rule = &audit_rules[i];

		(void)fprintf(out, "%s %-30s %-9s ", rule->id, rule->name,
		              audit_scope_name[rule->scope]);
		if (rule->mapped == rule->severity)
			(void)fprintf(out, "%s", audit_severity_name[rule->severity]);
		else
			(void)fprintf(out, "%s (%s with hostUsers: false)",
			              audit_severity_name[rule->severity],
			              audit_severity_name[rule->mapped]);
		(void)fprintf(out, "\n    %s\n    why: %s\n    remedy: %s\n    see: %s\n",
		              rule->title, rule->why, rule->remedy, rule->reference);
	}
}

int audit_list_json(FILE *out, struct err *err)
{
	struct json *json = json_open(out, true);
	int r;

	json_array(json);
	for (size_t i = 0; i < audit_rules_n; i++) {
		const struct audit_rule *rule = &audit_rules[i];

		json_object(json);
		json_put_string(json, "rule", rule->id);
		json_put_string(json, "name", rule->name);
		json_put_string(json, "scope", audit_scope_name[rule->scope]);
		json_put_string(json, "severity", audit_severity_name[rule->severity]);
		json_put_string(json, "severity_mapped",
		                audit_severity_name[rule->mapped]);
		json_put_string(json, "title", rule->title);
		json_put_string(json, "why", rule->why);
		json_put_string(json, "remedy", rule->remedy);
		json_put_string(json, "reference", rule->reference);
		json_object_end(json);
	}
	json_array_end(json);
	r = json_close(json);
	return r < 0 ? err_set(err, -r, "print the rules") : 0;
}
