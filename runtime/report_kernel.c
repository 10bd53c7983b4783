#include "report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "html.h"
#include "policies/caps.h"

/* Root inside may mount as often as it likes. */
#define MOUNTS_MAX 300
#define LINES_MAX 500

static const char *const state_class[VERIFY_STATES] = {
	[VERIFY_HOLDS] = "good",  [VERIFY_DIFFERS] = "bad", [VERIFY_CHANGED] = "warn",
	[VERIFY_ABSENT] = "warn", [VERIFY_UNSEEN] = "none",
};

static const char *const state_words[VERIFY_STATES] = {
	[VERIFY_HOLDS] = "holds",
	[VERIFY_DIFFERS] = "differs",
	[VERIFY_CHANGED] = "changed inside",
	[VERIFY_ABSENT] = "absent",
	[VERIFY_UNSEEN] = "not to be seen",
};

static void begin_table(FILE *out, const char *caption, const char *const *column,
                        size_t n)
{
	html(out,
	     "<div class=\"scroll\" tabindex=\"0\"><table><caption>%s</caption><thead>"
	     "<tr>",
	     caption);
	for (size_t i = 0; i < n; i++)
		html(out, "<th scope=\"col\">%s</th>", column[i]);
	html(out, "</tr></thead><tbody>\n");
}

static void end_table(FILE *out)
{
	html(out, "</tbody></table></div>\n");
}

static void put_check(const struct report *report, const struct verify_row *row,
                      FILE *out)
{
	const size_t step = (size_t)(row->step - report->verify->plan.step) + 1;

	html(out,
	     "<tr class=\"%s\"><th scope=\"row\">%s <span class=\"soft\">step "
	     "%zu</span></th>"
	     "<td "
	     "class=\"name\"><code>%s</code></td><td><code>%s</code></td><td><code>%s</"
	     "code></td>"
	     "<td><span class=\"mark %s\">%s</span></td></tr>\n",
	     row->state == VERIFY_DIFFERS ? "bad" : "", step_name[row->step->step.kind],
	     step, row->what, row->wanted, row->real, state_class[row->state],
	     state_words[row->state]);
}

/* Those in a state of @states, bits 1 << enum verify_state. */
static void put_checks(const struct report *report, unsigned int states,
                       const char *caption, FILE *out)
{
	static const char *const column[] = { "Step", "What", "Wanted", "Real", "State" };

	begin_table(out, caption, column, 5);
	for (size_t i = 0; i < report->verify->n; i++)
		if (states & 1U << report->verify->row[i].state)
			put_check(report, &report->verify->row[i], out);
	end_table(out);
}

static size_t count(const struct verify *verify, unsigned int states)
{
	size_t n = 0;

	for (size_t i = 0; i < verify->n; i++)
		n += (states & 1U << verify->row[i].state) != 0;
	return n;
}

void report_differences(const struct report *report, FILE *out)
{
	const unsigned int differs = 1U << VERIFY_DIFFERS;
	const unsigned int others = 1U << VERIFY_CHANGED | 1U << VERIFY_ABSENT;

	html(out, "<section id=\"differences\" aria-labelledby=\"differences-title\">"
	          "<h2 id=\"differences-title\">Wanted and real</h2>\n");
	if (count(report->verify, differs) > 0)
		put_checks(report, differs,
		           "What has to hold against root inside, and does not", out);
	else
		html(out,
		     "<p><span class=\"mark good\">holds</span> All that has to hold "
		     "against root inside is as it was planned: %zu things were "
		     "looked at.</p>\n",
		     count(report->verify, 1U << VERIFY_HOLDS));
	if (count(report->verify, others) > 0)
		put_checks(report, others,
		           "What root inside changed of its own, as it may, and what was "
		           "optional and is not there",
		           out);
	html(out, "</section>\n");
}

void report_checks(const struct report *report, FILE *out)
{
	html(out, "<section id=\"checks\" aria-labelledby=\"checks-title\">"
	          "<h2 id=\"checks-title\">All that was looked at</h2>\n");
	put_checks(report, ~0U,
	           "Step by step of the plan, as the kernel says from outside", out);
	html(out, "</section>\n");
}

static uint64_t inode_of(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 ? st.st_ino : 0;
}

static void put_namespaces(const struct report *report, FILE *out)
{
	static const char *const column[] = { "Namespace", "The workspace's", "The pod's",
		                              "Whose" };

	html(out, "<h3>Namespaces</h3>\n");
	begin_table(out, "By their numbers in the kernel", column, 4);
	for (int i = 0; i < NS_MAX; i++) {
		const int fd = report->verify->fd[CONTROL_NS + i];
		char path[64];
		struct stat pod = { 0 };

		(void)snprintf(path, sizeof(path), "/proc/self/ns/%s", ns_info[i].name);
		(void)stat(path, &pod);
		html(out, "<tr><th scope=\"row\">%s</th><td><code>", ns_info[i].name);
		if (fd >= 0)
			html(out, "%" PRIu64, inode_of(fd));
		html(out,
		     "</code></td><td><code>%" PRIu64 "</code></td><td>%s</td></tr>\n",
		     (uint64_t)pod.st_ino,
		     fd >= 0 && inode_of(fd) != pod.st_ino ? "its own"
		                                           : "shared with the pod");
	}
	end_table(out);
}

static void put_maps(const struct report *report, FILE *out)
{
	static const char *const column[] = { "Map", "Inside, outside and how many",
		                              "State" };

	html(out, "<h3>ID maps</h3>\n");
	begin_table(out, "Outside of the warden is the pod", column, 3);
	for (size_t i = 0; i < report->verify->n; i++) {
		const struct verify_row *row = &report->verify->row[i];

		if (row->step->step.kind == STEP_MAP)
			html(out,
			     "<tr><th scope=\"row\">%s</th><td><code>%s</code></td>"
			     "<td><span class=\"mark %s\">%s</span></td></tr>\n",
			     row->what, row->real, state_class[row->state],
			     state_words[row->state]);
	}
	end_table(out);
}

/* A field of /proc/PID/status into @ret. */
static void field_of(const char *status, const char *field, char *ret, size_t size)
{
	const size_t len = strlen(field);

	*ret = '\0';
	for (const char *line = status; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, field, len) != 0 || line[len] != ':')
			continue;
		line += len + 1;
		line += strspn(line, " \t");
		(void)snprintf(ret, size, "%.*s", (int)strcspn(line, "\n"), line);
		return;
	}
}

/* "a,b" with room to break a line: names of libcap, so nothing is to be escaped. */
static void put_names(const char *names, FILE *out)
{
	while (*names) {
		const size_t len = strcspn(names, ",");

		(void)fprintf(out, "%.*s%s", (int)len, names, names[len] ? ", " : "");
		names += len + (names[len] != '\0');
	}
}

static void put_init(const struct report *report, FILE *out)
{
	static const struct {
		const char *field, *name;
	} caps[] = { { "CapBnd", "Bounding set" },
		     { "CapEff", "Effective" },
		     { "CapPrm", "Permitted" },
		     { "CapInh", "Inheritable" },
		     { "CapAmb", "Ambient" } };
	const char *status = report->verify->init_status;
	cleanup_arena struct arena arena = { 0 };
	char text[128];

	html(out, "<h3>PID 1</h3>\n<dl>\n");
	field_of(status, "Name", text, sizeof(text));
	html(out, "<dt>Name</dt><dd><code>%s</code></dd>\n", text);
	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		uint64_t set;

		field_of(status, caps[i].field, text, sizeof(text));
		set = strtoull(text, NULL, 16);
		html(out, "<dt>%s</dt><dd>", caps[i].name);
		put_names(set ? caps_text(set, &arena) : "none", out);
		html(out, " <code class=\"soft\">%s</code></dd>\n", text);
	}
	field_of(status, "Seccomp", text, sizeof(text));
	html(out, "<dt>Seccomp</dt><dd>%s</dd>\n",
	     !strcmp(text, "2") ? "filtered" : "not filtered");
	field_of(status, "Seccomp_filters", text, sizeof(text));
	if (*text)
		html(out, "<dt>Filters</dt><dd>%s</dd>\n", text);
	field_of(status, "NoNewPrivs", text, sizeof(text));
	html(out, "<dt>No new privileges</dt><dd>%s</dd>\n",
	     !strcmp(text, "1") ? "yes" : "no");
	html(out,
	     "</dl>\n<p class=\"soft\">Capabilities are those over the workspace's own "
	     "user namespace, and none of the pod's or the node's.</p>\n");
}

static void put_mounts(const struct report *report, FILE *out)
{
	static const char *const column[] = { "Mounted on", "File system",
		                              "Directory of it", "Flags", "Options" };
	const struct verify *verify = report->verify;

	html(out, "<h3>Mounts</h3>\n");
	begin_table(out, "Of the mount namespace that init was given, seen from its root",
	            column, 5);
	for (size_t i = 0; i < verify->mount_n && i < MOUNTS_MAX; i++) {
		const struct mount_fact *m = &verify->mount[i];

		html(out,
		     "<tr><th scope=\"row\"><code>%s</code></th><td><code>%s</code></td>"
		     "<td><code>%s</code></td><td><code class=\"whole\">%s</code></td>"
		     "<td><code>%s</code></td></tr>\n",
		     m->point, m->fstype, m->root, m->flags, m->options);
	}
	end_table(out);
	if (verify->mount_n > MOUNTS_MAX)
		html(out, "<p>and %zu more</p>\n", verify->mount_n - MOUNTS_MAX);
}

static void put_part(const struct portrait *portrait, enum portrait_part part,
                     const char *title, FILE *out)
{
	size_t n = 0;

	html(out, "<h3>%s</h3>\n<ul class=\"plain columns\">\n", title);
	for (size_t i = 0; i < portrait->n; i++)
		if (portrait->line[i].part == part && n++ < LINES_MAX)
			html(out, "<li><code>%s</code></li>\n", portrait->line[i].text);
	html(out, "</ul>\n");
	if (n > LINES_MAX)
		html(out, "<p>and %zu more</p>\n", n - LINES_MAX);
	if (n == 0)
		html(out, "<p>none</p>\n");
}

static void put_gateway(const struct report *report, FILE *out)
{
	const struct portrait *real = &report->verify->real;

	html(out,
	     "<section id=\"gateway\" aria-labelledby=\"gateway-title\">"
	     "<h2 id=\"gateway-title\">The gateway</h2>\n"
	     "<p>Its network namespace belongs to the level above the workspace, which "
	     "can neither see nor change it.</p>\n");
	put_part(real, PORTRAIT_LINK, "Interfaces and addresses", out);
	put_part(real, PORTRAIT_DOWNLOAD, "Queues of downloads", out);
	put_part(real, PORTRAIT_UPLOAD, "Queues of uploads", out);
	put_part(real, PORTRAIT_RULES, "Routes and nftables rules", out);
	html(out, "</section>\n");
}

void report_kernel(const struct report *report, FILE *out)
{
	html(out, "<section id=\"kernel\" aria-labelledby=\"kernel-title\">"
	          "<h2 id=\"kernel-title\">What the kernel says</h2>\n");
	put_namespaces(report, out);
	put_maps(report, out);
	put_init(report, out);
	put_mounts(report, out);
	html(out, "</section>\n");
	if (report->verify->has_gateway)
		put_gateway(report, out);
}
