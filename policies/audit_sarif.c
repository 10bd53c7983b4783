#include <errno.h>
#include <string.h>

#include "audit_internal.h"
#include "json.h"

/* Static Analysis Results Interchange Format 2.1.0, an OASIS standard. */

#define SCHEMA "https://json.schemastore.org/sarif-2.1.0.json"
#define TIER_RULE "BT001" /* no finding: what docs/kubernetes.md calls the tier */

static const char *const level[AUDIT_SEVERITY_MAX] = {
	[AUDIT_INFO] = "note",
	[AUDIT_LOW] = "note",
	[AUDIT_MEDIUM] = "warning",
	[AUDIT_HIGH] = "error",
};

/* What those who show SARIF sort by: 0 to 10, as of CVSS. */
static const char *const weight[AUDIT_SEVERITY_MAX] = {
	[AUDIT_INFO] = "1.0",
	[AUDIT_LOW] = "3.0",
	[AUDIT_MEDIUM] = "5.5",
	[AUDIT_HIGH] = "8.0",
};

/* An object with one member, "text". */
static void put_message(struct json *json, const char *key, const char *text)
{
	json_key(json, key);
	json_object(json);
	json_put_string(json, "text", text);
	json_object_end(json);
}

static void put_rule(struct json *json, struct arena *arena,
                     const struct audit_rule *rule)
{
	static const char *const tags[] = { "security" };

	json_object(json);
	json_put_string(json, "id", rule->id);
	json_put_string(json, "name", rule->name);
	put_message(json, "shortDescription", rule->title);
	put_message(json, "fullDescription", rule->why);
	put_message(json, "help",
	            arena_printf(arena, "%s\nSee: %s", rule->remedy, rule->reference));
	json_key(json, "defaultConfiguration");
	json_object(json);
	json_put_string(json, "level", level[rule->severity]);
	json_object_end(json);
	json_key(json, "properties");
	json_object(json);
	json_put_string(json, "security-severity", weight[rule->severity]);
	json_put_string(json, "severity", audit_severity_name[rule->severity]);
	json_put_strings(json, "tags", tags, 1);
	json_object_end(json);
	json_object_end(json);
}

static void put_tier_rule(struct json *json)
{
	json_object(json);
	json_put_string(json, "id", TIER_RULE);
	json_put_string(json, "name", "tier");
	put_message(json, "shortDescription", "what berth could do in a container");
	put_message(json, "help", "docs/kubernetes.md says what the tiers are.");
	json_key(json, "defaultConfiguration");
	json_object(json);
	json_put_string(json, "level", "none");
	json_object_end(json);
	json_object_end(json);
}

/* A path as a reference of RFC 3986. */
static const char *uri_of(struct arena *arena, const char *file)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-._~/";
	static const char digits[] = "0123456789ABCDEF";
	size_t len, n = 0;
	char *ret;

	if (!strncmp(file, "./", 2))
		file += 2;
	len = strlen(file);
	ret = arena_alloc(arena, 3 * len + 1);
	if (!ret)
		return "";
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)file[i];

		if (memchr(plain, c, sizeof(plain) - 1)) {
			ret[n++] = (char)c;
			continue;
		}
		ret[n++] = '%';
		ret[n++] = digits[c >> 4];
		ret[n++] = digits[c & 15];
	}
	return *file == '/' ? arena_printf(arena, "file://%s", ret) : ret;
}

static void put_location(struct json *json, struct arena *arena, const char *file,
                         unsigned int line, unsigned int column, const char *subject,
                         const char *path)
{
	json_key(json, "locations");
	json_array(json);
	json_object(json);
	if (file && line > 0) {
		json_key(json, "physicalLocation");
		json_object(json);
		json_key(json, "artifactLocation");
		json_object(json);
		json_put_string(json, "uri", uri_of(arena, file));
		json_object_end(json);
		json_key(json, "region");
		json_object(json);
		json_put_unsigned(json, "startLine", line);
		json_put_unsigned(json, "startColumn", column);
		json_object_end(json);
		json_object_end(json);
	}
	json_key(json, "logicalLocations");
	json_array(json);
	json_object(json);
	json_put_string(json, "name", path);
	json_put_string(json, "fullyQualifiedName",
	                arena_printf(arena, "%s/%s", subject, path));
	json_put_string(json, "kind", "member");
	json_object_end(json);
	json_array_end(json);
	json_object_end(json);
	json_array_end(json);
}

static void put_result(struct json *json, struct arena *arena,
                       const struct audit_finding *f)
{
	json_object(json);
	json_put_string(json, "ruleId", f->rule->id);
	json_put_unsigned(json, "ruleIndex", (uint64_t)(f->rule - audit_rules));
	json_put_string(json, "kind", "fail");
	json_put_string(json, "level", level[f->severity]);
	put_message(json, "message",
	            arena_printf(arena, "%s: %s: %s (%s). %s", f->subject, f->path,
	                         f->rule->title, f->detail, f->rule->remedy));
	put_location(json, arena, f->file, f->line, f->column, f->subject, f->path);
	json_key(json, "properties");
	json_object(json);
	json_put_string(json, "severity", audit_severity_name[f->severity]);
	json_object_end(json);
	json_object_end(json);
}

static void put_tier(struct json *json, struct arena *arena, const struct audit_tier *t)
{
	const char *text =
		arena_printf(arena, "%s: %s: tier %c", t->subject, t->path, t->best);

	if (t->worst != t->best)
		text = arena_printf(arena, "%s to %c", text, t->worst);
	for (size_t i = 0; i < t->reasons_n; i++)
		text = arena_printf(arena, "%s; %s", text, t->reason[i]);
	json_object(json);
	json_put_string(json, "ruleId", TIER_RULE);
	json_put_unsigned(json, "ruleIndex", audit_rules_n);
	json_put_string(json, "kind", "informational");
	json_put_string(json, "level", "none");
	put_message(json, "message", text);
	put_location(json, arena, t->file, t->line, t->column, t->subject, t->path);
	json_object_end(json);
}

/* What could not be read is told, or its silence would pass for health. */
static void put_invocation(struct json *json, const struct audit *audit)
{
	json_key(json, "invocations");
	json_array(json);
	json_object(json);
	json_put_bool(json, "executionSuccessful", audit->failure == NULL);
	json_key(json, "toolExecutionNotifications");
	json_array(json);
	for (const struct audit_failure *f = audit->failure; f; f = f->next) {
		json_object(json);
		json_put_string(json, "level", "error");
		put_message(json, "message", f->text);
		json_object_end(json);
	}
	json_array_end(json);
	json_object_end(json);
	json_array_end(json);
}

int audit_print_sarif(const struct audit *audit, const char *version, FILE *out,
                      struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	struct json *json = json_open(out, true);
	int r;

	json_object(json);
	json_put_string(json, "$schema", SCHEMA);
	json_put_string(json, "version", "2.1.0");
	json_key(json, "runs");
	json_array(json);
	json_object(json);
	json_key(json, "tool");
	json_object(json);
	json_key(json, "driver");
	json_object(json);
	json_put_string(json, "name", "berth");
	json_put_string(json, "version", version);
	json_key(json, "rules");
	json_array(json);
	for (size_t i = 0; i < audit_rules_n; i++)
		put_rule(json, &arena, &audit_rules[i]);
	put_tier_rule(json);
	json_array_end(json);
	json_object_end(json);
	json_object_end(json);
	put_invocation(json, audit);
	json_put_string(json, "columnKind", "unicodeCodePoints");
	json_key(json, "results");
	json_array(json);
	for (const struct audit_finding *f = audit->first; f; f = f->next)
		put_result(json, &arena, f);
	for (const struct audit_tier *t = audit->tier; t; t = t->next)
		put_tier(json, &arena, t);
	json_array_end(json);
	json_object_end(json);
	json_array_end(json);
	json_object_end(json);
	r = json_close(json);
	if (r == 0 && arena.failed)
		r = -ENOMEM;
	return r < 0 ? err_set(err, -r, "print the findings") : 0;
}
