#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/number.h"
#include "commands.h"
#include "config.h"
#include "options.h"
#include "policies/json.h"
#include "stats.h"
#include "watchers_print.h"

#define SAMPLE_MS 1000
#define NS_PER_S 1000000000.0

enum format { FORMAT_TABLE, FORMAT_JSON, FORMAT_PROMETHEUS };

/* What the options fill in. */
struct request {
	bool watch;
	enum format format;
};

static int set_format(void *field, const char *value, struct err *err)
{
	static const char *const names[] = { "table", "json", "prometheus" };
	enum format *format = field;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(value, names[i])) {
			*format = (enum format)i;
			return 0;
		}
	return err_set(err, EINVAL, "'%s' is not table, json or prometheus", value);
}

static const struct option rows[] = {
	{ "watch", 0, NULL, "again and again, each second", option_flag,
	  offsetof(struct request, watch) },
	{ "format", 0, "FORMAT", "table, json or prometheus (table)", set_format,
	  offsetof(struct request, format) },
};

static const struct options options = {
	.words = "[NAME...]",
	.about = "Print what running workspaces use, all or those named: over one "
		 "second, or for\nprometheus what they used so far.",
	.row = rows,
	.n = sizeof(rows) / sizeof(rows[0]),
};

/* Of @now in a second, since @then. */
static double per_second(uint64_t then, uint64_t now, uint64_t ns)
{
	return ns > 0 && now > then ? (double)(now - then) * NS_PER_S / (double)ns : 0;
}

/* "1.5 Mbit/s", as rates are given. */
static void put_rate(char *out, size_t size, double bytes)
{
	static const char *const unit[] = { "bit/s", "kbit/s", "Mbit/s", "Gbit/s" };
	double bits = bytes * 8;
	size_t i = 0;

	while (bits >= 1000 && i + 1 < sizeof(unit) / sizeof(unit[0])) {
		bits /= 1000;
		i++;
	}
	(void)snprintf(out, size, i > 0 ? "%.1f %s" : "%.0f %s", bits, unit[i]);
}

static void put_of(char *out, size_t size, const char *now, const char *most)
{
	(void)snprintf(out, size, most ? "%s / %s" : "%s", now, most);
}

/* The columns of a workspace's own group; "-" for what is not counted. */
static void print_group(const struct sample *a, const struct sample *b)
{
	const struct cgroup_usage *then = &a->m.group, *now = &b->m.group;
	const uint64_t ns = b->at_ns - a->at_ns;
	char cpu[32] = "-", slow[32] = "-", memory[64] = "-", pids[64] = "-";
	char number[32], most[32];

	if (now->has_cpu && !b->no_group) {
		(void)snprintf(cpu, sizeof(cpu), "%.1f%%",
		               per_second(then->cpu_us, now->cpu_us, ns) / 10000);
		(void)snprintf(slow, sizeof(slow), "%.1f%%",
		               per_second(then->throttled_us, now->throttled_us, ns) /
		                       10000);
	}
	if (now->has_memory && !b->no_group) {
		size_text(now->memory, number, sizeof(number));
		size_text(now->memory_max, most, sizeof(most));
		put_of(memory, sizeof(memory), number,
		       now->memory_max != UINT64_MAX ? most : NULL);
	}
	if (now->has_pids && !b->no_group) {
		(void)snprintf(number, sizeof(number), "%" PRIu64, now->pids);
		(void)snprintf(most, sizeof(most), "%" PRIu64, now->pids_max);
		put_of(pids, sizeof(pids), number,
		       now->pids_max != UINT64_MAX ? most : NULL);
	}
	(void)printf("%8s  %9s  %21s  %15s", cpu, slow, memory, pids);
}

/* What is on a mapped device (LVM, LUKS) counts there, and again at the disk below. */
static void sum_io(const struct cgroup_usage *usage, uint64_t *ret_read,
                   uint64_t *ret_written)
{
	*ret_read = *ret_written = 0;
	for (uint32_t i = 0; i < usage->io_n; i++) {
		*ret_read += usage->io[i].read;
		*ret_written += usage->io[i].written;
	}
}

static void print_io(const struct sample *a, const struct sample *b)
{
	const uint64_t ns = b->at_ns - a->at_ns;
	char read[32] = "-", written[32] = "-";
	uint64_t then[2], now[2];

	if (b->m.group.has_io && !b->no_group) {
		sum_io(&a->m.group, &then[0], &then[1]);
		sum_io(&b->m.group, &now[0], &now[1]);
		size_text((uint64_t)per_second(then[0], now[0], ns), read, sizeof(read));
		size_text((uint64_t)per_second(then[1], now[1], ns), written,
		          sizeof(written));
	}
	(void)printf("  %10s  %10s", read, written);
}

static void print_watches(const struct sample *s)
{
	const uint64_t most = s->m.watchers_max[WATCHER_WATCHES];
	char text[64] = "-", now[32], limit[32];

	if (s->watchers) {
		(void)snprintf(now, sizeof(now), "%" PRIu64 "%s",
		               s->watchers->use[WATCHER_WATCHES],
		               s->watchers->partial ? "+" : "");
		(void)snprintf(limit, sizeof(limit), "%" PRIu64, most);
		put_of(text, sizeof(text), now, most != LIMIT_UNSET ? limit : NULL);
	}
	(void)printf("  %15s", text);
}

/* Who has them, where more than half of what there may be is used. */
static void print_watchers(const struct sample *s)
{
	for (int i = 0; s->watchers && i < WATCHER_KINDS; i++) {
		char who[256];

		if (s->m.watchers_max[i] == LIMIT_UNSET ||
		    s->watchers->use[i] <= s->m.watchers_max[i] / 2)
			continue;
		watchers_text(s->watchers, (enum watcher_kind)i, who, sizeof(who));
		(void)printf("%s: %s: %" PRIu64 " of %" PRIu64 ": %s\n", s->m.workspace,
		             watcher_kind[i].words, s->watchers->use[i],
		             s->m.watchers_max[i], who);
	}
}

static void print_network(const struct sample *a, const struct sample *b)
{
	const uint64_t ns = b->m.network.at_ns - a->m.network.at_ns;
	char down[32] = "-", up[32] = "-", drops[48] = "-";

	if (!b->no_network) {
		put_rate(down, sizeof(down),
		         per_second(a->m.network.way[DOWNLOAD].bytes,
		                    b->m.network.way[DOWNLOAD].bytes, ns));
		put_rate(up, sizeof(up),
		         per_second(a->m.network.way[UPLOAD].bytes,
		                    b->m.network.way[UPLOAD].bytes, ns));
		(void)snprintf(drops, sizeof(drops), "%" PRIu64 " / %" PRIu64,
		               b->m.network.way[DOWNLOAD].drops,
		               b->m.network.way[UPLOAD].drops);
	}
	(void)printf("  %12s  %12s  %13s\n", down, up, drops);
}

static void print_reasons(const struct sample *s)
{
	static const char *const name[] = { "CPU", "memory", "pids", "disks" };
	const bool there[] = { s->m.group.has_cpu, s->m.group.has_memory,
		               s->m.group.has_pids, s->m.group.has_io };

	if (s->no_group)
		(void)printf("%s: no CPU, memory, pids, disks: %s\n", s->m.workspace,
		             s->no_group);
	for (size_t i = 0; !s->no_group && i < sizeof(name) / sizeof(name[0]); i++)
		if (!there[i])
			(void)printf("%s: no %s: the controller is not in its group\n",
			             s->m.workspace, name[i]);
	if (s->no_network)
		(void)printf("%s: no network: %s\n", s->m.workspace, s->no_network);
}

/* Since its start; nothing where none was. */
static void print_hits(const struct sample *s)
{
	const struct cgroup_events *met = &s->m.events;

	if (met->memory_max > 0 || met->oom_kill > 0 || met->pids_max > 0)
		(void)printf(
			"%s: limits met: memory %" PRIu64 ", processes killed for it "
			"%" PRIu64 ", forks refused %" PRIu64 "\n",
			s->m.workspace, met->memory_max, met->oom_kill, met->pids_max);
}

static void print_table(const struct stats *then, const struct stats *now)
{
	int width = (int)strlen("NAME");

	for (size_t i = 0; i < now->n; i++)
		if ((int)strlen(now->sample[i].m.workspace) > width)
			width = (int)strlen(now->sample[i].m.workspace);
	(void)printf("%-*s  %8s  %9s  %21s  %15s  %10s  %10s  %15s  %12s  %12s  %13s\n",
	             width, "NAME", "CPU", "THROTTLED", "MEMORY", "PIDS", "READ/S",
	             "WRITTEN/S", "WATCHES", "DOWNLOAD", "UPLOAD", "DROPPED");
	for (size_t i = 0; i < now->n; i++) {
		(void)printf("%-*s  ", width, now->sample[i].m.workspace);
		print_group(&then->sample[i], &now->sample[i]);
		print_io(&then->sample[i], &now->sample[i]);
		print_watches(&now->sample[i]);
		print_network(&then->sample[i], &now->sample[i]);
	}
	for (size_t i = 0; i < now->n; i++)
		print_reasons(&now->sample[i]);
	for (size_t i = 0; i < now->n; i++)
		print_hits(&now->sample[i]);
	for (size_t i = 0; i < now->n; i++)
		print_watchers(&now->sample[i]);
}

/* Null for what is not counted. */
static void put_count(struct json *json, const char *key, bool there, uint64_t value)
{
	json_key(json, key);
	if (there)
		json_unsigned(json, value);
	else
		json_null(json);
}

static void put_way(struct json *json, const char *key, const struct sample *a,
                    const struct sample *b, enum direction direction)
{
	const struct way_stats *then = &a->m.network.way[direction],
			       *now = &b->m.network.way[direction];
	const uint64_t ns = b->m.network.at_ns - a->m.network.at_ns;

	json_key(json, key);
	json_object(json);
	json_put_unsigned(json, "bytes", now->bytes);
	json_put_unsigned(json, "packets", now->packets);
	json_put_unsigned(json, "drops", now->drops);
	json_put_unsigned(json, "delayed", now->delayed);
	json_put_unsigned(json, "bytes_per_second",
	                  (uint64_t)per_second(then->bytes, now->bytes, ns));
	json_put_unsigned(json, "rate_limit", b->m.network.rate[direction]);
	json_object_end(json);
}

/* By device; what came since the sample before, where that had it. */
static void put_io(struct json *json, const struct sample *a, const struct sample *b)
{
	const struct cgroup_usage *then = &a->m.group, *now = &b->m.group;
	const uint64_t ns = b->at_ns - a->at_ns;

	json_key(json, "io");
	if (b->no_group || !now->has_io) {
		json_null(json);
		return;
	}
	json_array(json);
	for (uint32_t i = 0; i < now->io_n; i++) {
		const struct cgroup_io *io = &now->io[i];
		struct cgroup_io before = { 0 };
		char device[32];

		for (uint32_t k = 0; k < then->io_n; k++)
			if (then->io[k].major == io->major &&
			    then->io[k].minor == io->minor)
				before = then->io[k];
		(void)snprintf(device, sizeof(device), "%" PRIu32 ":%" PRIu32, io->major,
		               io->minor);
		json_object(json);
		json_put_string(json, "device", device);
		json_put_unsigned(json, "read", io->read);
		json_put_unsigned(json, "written", io->written);
		json_put_unsigned(json, "read_per_second",
		                  (uint64_t)per_second(before.read, io->read, ns));
		json_put_unsigned(json, "written_per_second",
		                  (uint64_t)per_second(before.written, io->written, ns));
		json_object_end(json);
	}
	json_array_end(json);
}

static void put_sample(struct json *json, const struct sample *a, const struct sample *b)
{
	const struct cgroup_usage *then = &a->m.group, *now = &b->m.group;
	const bool group = !b->no_group;

	json_object(json);
	json_put_string(json, "name", b->m.workspace);
	put_count(json, "over_us", true, (b->at_ns - a->at_ns) / 1000);
	put_count(json, "cpu_us", group && now->has_cpu, now->cpu_us - then->cpu_us);
	put_count(json, "throttled_us", group && now->has_cpu,
	          now->throttled_us - then->throttled_us);
	put_count(json, "memory", group && now->has_memory, now->memory);
	put_count(json, "memory_max", group && now->memory_max != UINT64_MAX,
	          now->memory_max);
	put_count(json, "pids", group && now->has_pids, now->pids);
	put_count(json, "pids_max", group && now->pids_max != UINT64_MAX, now->pids_max);
	put_count(json, "swap", group && now->has_swap, now->swap);
	put_count(json, "swap_max", group && now->swap_max != UINT64_MAX, now->swap_max);
	put_io(json, a, b);
	json_key(json, "limits_met");
	json_object(json);
	json_put_unsigned(json, "memory_max", b->m.events.memory_max);
	json_put_unsigned(json, "oom_kills", b->m.events.oom_kill);
	json_put_unsigned(json, "pids_max", b->m.events.pids_max);
	json_object_end(json);
	watchers_put(json, b->watchers, b->m.watchers_max);
	json_put_string(json, "no_group", b->no_group ? b->no_group : "");
	json_put_string(json, "no_network", b->no_network ? b->no_network : "");
	json_key(json, "network");
	if (b->no_network) {
		json_null(json);
	} else {
		json_object(json);
		put_way(json, "download", a, b, DOWNLOAD);
		put_way(json, "upload", a, b, UPLOAD);
		json_put_unsigned(json, "egress_denied", b->m.network.denied);
		json_put_unsigned(json, "egress_limited", b->m.network.limited);
		json_put_unsigned(json, "egress_permitted", b->m.network.permitted);
		json_object_end(json);
	}
	json_object_end(json);
}

static int print_json(const struct stats *then, const struct stats *now, struct err *err)
{
	struct json *json = json_open(stdout, true);
	int r;

	json_array(json);
	for (size_t i = 0; i < now->n; i++)
		put_sample(json, &then->sample[i], &now->sample[i]);
	json_array_end(json);
	r = json_close(json);
	return r < 0 ? err_set(err, -r, "print the statistics") : 0;
}

static int print(const struct request *request, const struct stats *then,
                 const struct stats *now, struct err *err)
{
	int r = 0;

	if (request->format == FORMAT_JSON) {
		r = print_json(then, now, err);
	} else {
		if (request->watch && isatty(STDOUT_FILENO))
			(void)printf("\033[H\033[2J");
		print_table(then, now);
	}
	if (r == 0 && fflush(stdout) != 0)
		r = err_set(err, errno, "print the statistics");
	return r;
}

/* Keeps of @then those that @now has, too: they are printed in pairs. */
static void drop_ended(struct stats *then, const struct stats *now)
{
	size_t n = 0;

	for (size_t i = 0; i < then->n && n < now->n; i++)
		if (!strcmp(then->sample[i].m.workspace, now->sample[n].m.workspace))
			then->sample[n++] = then->sample[i];
	then->n = n;
}

/* Counters are for who asks again: one look is enough. */
static int print_prometheus(const struct entries *entries, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	struct stats now = { .arena = &arena, .again = entries->n == 0 };
	struct metrics metrics[STATS_MAX];
	int r = entries_walk(entries, stats_sample, &now, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < now.n; i++)
		metrics[i] = now.sample[i].m;
	metrics_print(stdout, metrics, now.n);
	return fflush(stdout) != 0 ? err_set(err, errno, "print the statistics") : 0;
}

static int print_rates(const struct request *request, struct entries *entries,
                       struct err *err)
{
	const struct timespec pause = { .tv_sec = SAMPLE_MS / 1000 };
	struct stats now = { .again = entries->n == 0 }, then;
	int r = entries_walk(entries, stats_sample, &now, err);

	while (r == 0 && now.n > 0) {
		cleanup_arena struct arena arena = { 0 };

		then = now;
		now.n = 0;
		now.again = entries->missing_ok = request->watch || entries->n == 0;
		now.arena = &arena;
		(void)nanosleep(&pause, NULL);
		r = entries_walk(entries, stats_sample, &now, err);
		drop_ended(&then, &now);
		if (r == 0 && now.n > 0)
			r = print(request, &then, &now, err);
		if (!request->watch)
			break;
	}
	return r;
}

int cmd_stats(int argc, char **argv, struct err *err)
{
	struct request request = { 0 };
	struct entries entries;
	int r = entries_options(&options, &request, argc, argv, 0, &entries, err);

	if (r != 0)
		return r == OPTIONS_HELP ? 0 : r;
	if (entries.n > STATS_MAX)
		return err_set(err, E2BIG, "more than %d workspaces", STATS_MAX);
	if (request.format != FORMAT_PROMETHEUS)
		return print_rates(&request, &entries, err);
	if (request.watch) {
		(void)err_set(err, EINVAL, "--watch with --format prometheus");
		(void)err_hint(err, "Prometheus asks by itself: run --metrics-listen "
		                    "serves it");
		return err_step(err, "options");
	}
	return print_prometheus(&entries, err);
}
