#include "report.h"

#include <inttypes.h>

#include "base/number.h"
#include "config.h"
#include "html.h"

/* From these parts of a limit on a chart says so by its colour. */
#define NEAR_PERCENT 75
#define FULL_PERCENT 95

enum what { COUNT, BYTES };

static void put_amount(FILE *out, uint64_t value, enum what what)
{
	char text[32];

	if (what == BYTES) {
		size_text(value, text, sizeof(text));
		html(out, "%s", text);
	} else {
		html(out, "%" PRIu64, value);
	}
}

/* In thousandths, so that little is not nothing. */
static unsigned int permille(uint64_t part, uint64_t all)
{
	if (all == 0)
		return part > 0 ? 1000 : 0;
	return part >= all ? 1000 : (unsigned int)((double)part * 1000 / (double)all);
}

static void put_chart(FILE *out, const char *name, uint64_t now, uint64_t most)
{
	const unsigned int part = permille(now, most), percent = part / 10;

	html(out,
	     "<svg viewBox=\"0 0 1000 14\" preserveAspectRatio=\"none\" role=\"img\" "
	     "aria-label=\"%s: %u percent\"><rect class=\"all\" width=\"1000\" "
	     "height=\"14\"/><rect class=\"part%s\" width=\"%u\" height=\"14\"/></svg>",
	     name, percent,
	     percent >= FULL_PERCENT   ? " bad"
	     : percent >= NEAR_PERCENT ? " warn"
	                               : "",
	     part);
}

/* @most: UINT64_MAX for no limit. */
static void put_row(FILE *out, const char *name, uint64_t now, uint64_t most,
                    enum what what)
{
	html(out, "<tr><th scope=\"row\">%s</th><td>", name);
	put_amount(out, now, what);
	html(out, "</td><td>");
	if (most == UINT64_MAX) {
		html(out, "<span class=\"soft\">none of its own</span></td>"
		          "<td class=\"chart\"></td></tr>\n");
		return;
	}
	put_amount(out, most, what);
	html(out, "</td><td class=\"chart\">");
	put_chart(out, name, now, most);
	html(out, "</td></tr>\n");
}

static void put_group(const struct metrics *m, FILE *out)
{
	const struct cgroup_usage *g = &m->group;

	if (!m->has_group)
		html(out,
		     "<p>It has no control group of its own that can be read here, so "
		     "processor time, memory, processes and disks are not "
		     "counted.</p>\n");
	html(out,
	     "<div class=\"scroll\" tabindex=\"0\"><table><caption>Use now, beside the "
	     "limit one level above the workspace</caption><thead><tr>"
	     "<th scope=\"col\">What</th><th scope=\"col\">Now</th>"
	     "<th scope=\"col\">Limit</th><th scope=\"col\">Part used</th></tr></thead>"
	     "<tbody>\n");
	if (g->has_memory)
		put_row(out, "Memory", g->memory, g->memory_max, BYTES);
	if (g->has_swap)
		put_row(out, "Swap space", g->swap, g->swap_max, BYTES);
	if (g->has_pids)
		put_row(out, "Processes and threads", g->pids, g->pids_max, COUNT);
	if (g->has_quota && g->periods > 0)
		put_row(out, "Periods of the processor limit in which it had to wait",
		        g->throttled, g->periods, COUNT);
	for (int i = 0; i < WATCHER_KINDS && m->has_watchers; i++)
		put_row(out, watcher_kind[i].words, m->watchers[i], m->watchers_max[i],
		        COUNT);
	html(out, "</tbody></table></div>\n");
}

static void put_fact(FILE *out, const char *name, uint64_t value, enum what what)
{
	html(out, "<dt>%s</dt><dd>", name);
	put_amount(out, value, what);
	html(out, "</dd>\n");
}

static void put_counters(const struct metrics *m, FILE *out)
{
	static const char *const way[DIRECTIONS] = {
		[DOWNLOAD] = "Downloaded", [UPLOAD] = "Uploaded"
	};
	static const char *const rate[DIRECTIONS] = {
		[DOWNLOAD] = "Download rate", [UPLOAD] = "Upload rate"
	};
	char text[32];

	html(out, "<h3>Counted since its start</h3>\n<dl>\n");
	if (m->group.has_cpu)
		html(out, "<dt>Processor time</dt><dd>%" PRIu64 ".%d s</dd>\n",
		     m->group.cpu_us / 1000000, (int)(m->group.cpu_us / 100000 % 10));
	put_fact(out, "Memory limit met", m->events.memory_max, COUNT);
	put_fact(out, "Killed for want of memory", m->events.oom_kill, COUNT);
	put_fact(out, "Forks refused at the limit", m->events.pids_max, COUNT);
	for (int i = 0; i < DIRECTIONS && m->has_network; i++) {
		put_fact(out, way[i], m->network.way[i].bytes, BYTES);
		size_text(m->network.rate[i], text, sizeof(text));
		html(out, "<dt>%s</dt><dd>%s%s</dd>\n", rate[i],
		     m->network.rate[i] ? text : "no limit",
		     m->network.rate[i] ? " a second" : "");
	}
	if (m->has_network)
		put_fact(out, "Denied by the egress policy", m->network.denied, COUNT);
	if (m->has_network && m->network.permitted > 0)
		put_fact(out, "Let through against the egress policy",
		         m->network.permitted, COUNT);
	for (uint32_t i = 0; i < m->group.io_n; i++) {
		const struct cgroup_io *io = &m->group.io[i];

		html(out, "<dt>Disk %u:%u</dt><dd>read ", io->major, io->minor);
		put_amount(out, io->read, BYTES);
		html(out, ", written ");
		put_amount(out, io->written, BYTES);
		html(out, "</dd>\n");
	}
	html(out, "</dl>\n");
}

static void put_watchers(const struct watchers *watchers, FILE *out)
{
	if (!watchers || watchers->n == 0)
		return;
	html(out,
	     "<h3>Who watches files</h3>\n<div class=\"scroll\" tabindex=\"0\"><table>"
	     "<caption>Processes that have most, by their number and name inside%s"
	     "</caption><thead><tr><th scope=\"col\">Process</th>"
	     "<th scope=\"col\">Container</th>",
	     watchers->partial ? "; there was more than is looked at" : "");
	for (int i = 0; i < WATCHER_KINDS; i++)
		html(out, "<th scope=\"col\">%s</th>", watcher_kind[i].words);
	html(out, "</tr></thead><tbody>\n");
	for (size_t i = 0; i < watchers->n; i++) {
		const struct watcher *w = &watchers->top[i];

		html(out, "<tr><th scope=\"row\"><code>%s[%d]</code></th><td>%s</td>",
		     w->name, w->pid, w->container);
		for (int kind = 0; kind < WATCHER_KINDS; kind++)
			html(out, "<td>%" PRIu64 "</td>", w->use[kind]);
		html(out, "</tr>\n");
	}
	html(out, "</tbody></table></div>\n");
}

void report_use(const struct report *report, FILE *out)
{
	html(out, "<section id=\"use\" aria-labelledby=\"use-title\">"
	          "<h2 id=\"use-title\">Use and limits</h2>\n");
	put_group(report->metrics, out);
	put_counters(report->metrics, out);
	put_watchers(report->watchers, out);
	if (report->record->limits_n > 0) {
		html(out, "<h3>How limits are held</h3>\n<ul class=\"plain\">\n");
		for (size_t i = 0; i < report->record->limits_n; i++)
			html(out, "<li><code>%s</code></li>\n",
			     report->record->limits[i]);
		html(out, "</ul>\n");
	}
	html(out, "</section>\n");
}
