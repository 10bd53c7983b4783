#include "report.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "html.h"

#define RULES_MAX 256

static const char *const severity_class[AUDIT_SEVERITY_MAX] = {
	[AUDIT_INFO] = "none",
	[AUDIT_LOW] = "none",
	[AUDIT_MEDIUM] = "warn",
	[AUDIT_HIGH] = "bad",
};

static size_t differing(const struct report *report)
{
	size_t n = 0;

	for (size_t i = 0; i < report->verify->n; i++)
		n += report->verify->row[i].state == VERIFY_DIFFERS;
	return n;
}

static void put_tile(FILE *out, const char *class, const char *value, const char *what)
{
	html(out, "<div class=\"tile %s\"><b>%s</b>%s</div>\n", class, value, what);
}

static void put_tiles(const struct report *report, FILE *out)
{
	const size_t high = audit_count(report->audit, AUDIT_HIGH);
	const size_t medium = audit_count(report->audit, AUDIT_MEDIUM);
	char text[64];

	html(out, "<div class=\"tiles\">\n");
	if (report->verify) {
		const size_t n = differing(report);

		(void)snprintf(text, sizeof(text), "%zu differ%s", n, n == 1 ? "s" : "");
		put_tile(out, n > 0 ? "bad" : "good", text,
		         "from what was planned, of all that has to hold");
		put_tile(out, report->record->ready ? "good" : "warn",
		         report->record->ready ? "ready" : "not ready",
		         "as the workspace's init says");
	}
	(void)snprintf(text, sizeof(text), "%zu finding%s", medium,
	               medium == 1 ? "" : "s");
	put_tile(out,
	         high > 0     ? "bad"
	         : medium > 0 ? "warn"
	                      : "good",
	         text, "of the audit, medium or high");
	(void)snprintf(text, sizeof(text), "%zu value%s", report->policy->n,
	               report->policy->n == 1 ? "" : "s");
	put_tile(out, "", text, "of the policy");
	html(out, "</div>\n");
}

static void put_nav(const struct report *report, FILE *out)
{
	static const struct {
		const char *id, *title;
		bool workspace;
	} link[] = {
		{ "differences", "Wanted and real", true },
		{ "about", "The workspace", true },
		{ "findings", "Findings", false },
		{ "policy", "Policy", false },
		{ "use", "Use and limits", true },
		{ "kernel", "What the kernel says", true },
		{ "checks", "All that was looked at", true },
	};

	html(out, "<nav aria-label=\"Contents\"><ul>\n");
	for (size_t i = 0; i < sizeof(link) / sizeof(link[0]); i++)
		if (report->verify || !link[i].workspace)
			html(out, "<li><a href=\"#%s\">%s</a></li>\n", link[i].id,
			     link[i].title);
	html(out, "</ul></nav>\n");
}

static void put_time(FILE *out, const char *name, int64_t ms)
{
	const time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	char text[64] = "";

	if (ms > 0 && gmtime_r(&seconds, &tm))
		(void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm);
	html(out, "<dt>%s</dt><dd>%s</dd>\n", name, text);
}

static void put_about(const struct report *report, FILE *out)
{
	const struct record *r = report->record;
	const struct {
		const char *name, *value;
	} fact[] = {
		{ "Root", r->rootfs },          { "Image", r->image },
		{ "Digest", r->image_digest },  { "Init", r->init_mode },
		{ "Command", r->command },      { "Policy", r->policy },
		{ "Network", r->net },          { "Host name", r->hostname },
		{ "Tier of the pod", r->tier }, { "Control group", r->cgroup },
	};

	html(out, "<section id=\"about\" aria-labelledby=\"about-title\">"
	          "<h2 id=\"about-title\">The workspace</h2>\n<dl>\n");
	put_time(out, "Started", r->started_ms);
	for (size_t i = 0; i < sizeof(fact) / sizeof(fact[0]); i++)
		if (fact[i].value && *fact[i].value)
			html(out, "<dt>%s</dt><dd><code>%s</code></dd>\n", fact[i].name,
			     fact[i].value);
	for (size_t i = 0; i < r->ports_n; i++)
		html(out, "<dt>Published port</dt><dd><code>%s</code></dd>\n",
		     r->ports[i]);
	html(out, "</dl>\n</section>\n");
}

/* Of a variable the name: what it is set to may be a secret. */
static void put_value(const struct policy_setting *s, FILE *out)
{
	char name[256];

	if (strcmp(s->key->path, "environment") != 0) {
		html_text(out, s->value);
		return;
	}
	(void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(s->value, "="), s->value);
	html(out, "%s=***", name);
}

static void put_policy(const struct report *report, FILE *out)
{
	html(out,
	     "<section id=\"policy\" aria-labelledby=\"policy-title\">"
	     "<h2 id=\"policy-title\">Policy</h2>\n"
	     "<div class=\"scroll\" tabindex=\"0\"><table><caption>%s</caption><thead>"
	     "<tr><th scope=\"col\">Key</th><th scope=\"col\">Value</th>"
	     "<th scope=\"col\">What it does</th><th scope=\"col\">From</th></tr>"
	     "</thead><tbody>\n",
	     report->verify ? "All that it was started with, by policies, variables and "
	                      "options; defaults included"
	                    : "All values, with those of policies that it extends");
	for (size_t i = 0; i < report->policy->n; i++) {
		const struct policy_setting *s = &report->policy->setting[i];
		const char *meaning = policy_meaning(s);

		html(out,
		     "<tr><th scope=\"row\"><code "
		     "class=\"whole\">%s</code></th><td><code>",
		     s->key->path);
		put_value(s, out);
		html(out, "</code></td><td>%s</td><td><code>%s</code></td></tr>\n",
		     meaning ? meaning : s->key->about, report->where[i]);
	}
	html(out, "</tbody></table></div>\n</section>\n");
}

static void put_finding(const struct audit_finding *f, bool explained, FILE *out)
{
	/* Most say themselves of which key they are. */
	const bool placed = !strncmp(f->detail, f->path, strlen(f->path));

	html(out,
	     "<div class=\"finding\"><p><span class=\"mark %s\">%s</span> <strong>%s"
	     "</strong> <span class=\"soft\">%s "
	     "%s</span></p>\n<p><code>%s%s%s</code></p>\n",
	     severity_class[f->severity], audit_severity_name[f->severity],
	     f->rule->title, f->rule->id, f->rule->name, placed ? "" : f->path,
	     *f->detail && !placed ? ": " : "", f->detail);
	if (!explained)
		html(out,
		     "<dl><dt>Why</dt><dd>%s</dd><dt>Remedy</dt><dd>%s</dd>"
		     "<dt>See</dt><dd>%s</dd></dl>\n",
		     f->rule->why, f->rule->remedy, f->rule->reference);
	html(out, "</div>\n");
}

static void put_findings(const struct report *report, FILE *out)
{
	bool explained[RULES_MAX] = { false };

	html(out, "<section id=\"findings\" aria-labelledby=\"findings-title\">"
	          "<h2 id=\"findings-title\">Findings of the audit</h2>\n");
	if (!report->audit->first)
		html(out, "<p>None.</p>\n");
	/* The gravest first; each rule is explained once. */
	for (int severity = AUDIT_HIGH; severity >= 0; severity--)
		for (const struct audit_finding *f = report->audit->first; f;
		     f = f->next) {
			const size_t i = (size_t)(f->rule - audit_rules);

			if ((int)f->severity != severity)
				continue;
			put_finding(f, i < RULES_MAX && explained[i], out);
			if (i < RULES_MAX)
				explained[i] = true;
		}
	html(out, "</section>\n");
}

void report_print(const struct report *report, FILE *out)
{
	const char *kind = report->verify ? "Workspace" : "Policy";

	/* Should an escape ever be missing, a browser still runs and fetches nothing. */
	html(out,
	     "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	     "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	     "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
	     "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	     "<meta name=\"referrer\" content=\"no-referrer\">\n"
	     "<title>%s %s: report of berth</title>\n",
	     kind, report->name);
	report_style(out);
	html(out,
	     "</head>\n<body>\n<header>\n<h1>%s <code>%s</code></h1>\n"
	     "<p class=\"soft\">%s, by berth %s</p>\n",
	     kind, report->name, report->at, PACKAGE_VERSION);
	put_nav(report, out);
	html(out, "</header>\n<main>\n");
	put_tiles(report, out);
	if (report->verify) {
		report_differences(report, out);
		put_about(report, out);
	}
	put_findings(report, out);
	put_policy(report, out);
	if (report->verify) {
		report_use(report, out);
		report_kernel(report, out);
		report_checks(report, out);
	}
	html(out,
	     "</main>\n<footer><p>What is told of a running workspace is what the kernel "
	     "said to a process outside of it. Values of variables are not shown.</p>"
	     "</footer>\n</body>\n</html>\n");
}
