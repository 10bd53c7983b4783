#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "cgroups/usage.h"
#include "commands.h"
#include "control.h"
#include "entries.h"
#include "policies/json.h"
#include "state.h"

#define SAMPLE_MS 1000
#define LINES_MAX 64
#define NS_PER_S 1000000000.0

/**
 * struct sample - One workspace at one time
 * @at_ns:	CLOCK_MONOTONIC
 * @no_group, @no_network: why there is none of it, or NULL
 */
struct sample {
	char name[STATE_NAME_MAX + 1];
	uint64_t at_ns;
	const char *no_group, *no_network;
	struct cgroup_usage group;
	struct traffic_numbers network;
};

struct stats {
	bool watch, json;
	struct sample sample[LINES_MAX];
	size_t n;
};

static const struct option rows[] = {
	{ "watch", 0, NULL, "again and again, each second", option_flag,
	  offsetof(struct stats, watch) },
	{ "format", 0, "FORMAT", "table or json", option_table_or_json,
	  offsetof(struct stats, json) },
};

static const struct options options = {
	.words = "NAME...",
	.about = "Print what running workspaces use, over one second.",
	.row = rows,
	.n = sizeof(rows) / sizeof(rows[0]),
};

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static const char *look_at_group(const struct record *record, struct cgroup_usage *ret)
{
	char path[4096];

	if (record->cgroup1_n > 0)
		return "its groups are on cgroup v1, which is not read";
	if (!*record->cgroup)
		return "it has no group of its own here: see 'berth check'";
	(void)snprintf(path, sizeof(path), "%s%s", record->cgroup_mount, record->cgroup);
	cleanup_close int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return "its group cannot be opened from here";
	cgroup_usage_read(dir, ret);
	return NULL;
}

static int sample_one(void *ctx, int state, int entry, const char *name, struct err *err)
{
	const struct control_request request = { .verb = CONTROL_TRAFFIC };
	cleanup_arena struct arena arena = { 0 };
	struct stats *stats = ctx;
	struct sample *sample = &stats->sample[stats->n];
	struct control_reply reply;
	struct record record;
	int r = state_read(entry, name, &arena, &record, err);

	(void)state;
	if (r < 0)
		return r;
	if (!state_alive(entry) || record.status != STATUS_RUNNING)
		return err_set(err, ESRCH, "'%s' is not running", name);
	*sample = (struct sample){ .at_ns = now_ns() };
	(void)snprintf(sample->name, sizeof(sample->name), "%s", name);
	sample->no_group = look_at_group(&record, &sample->group);
	r = control_ask(entry, &request, &reply, NULL, err);
	if (r == -ENONET) {
		err_clear(err);
		sample->no_network = strcmp(record.net, "host") == 0
		                             ? "its network is the pod's own"
		                             : "it has no network";
	} else if (r < 0) {
		return err_wrap(err, "look at '%s'", name);
	} else {
		sample->network = reply.traffic;
	}
	stats->n++;
	return 0;
}

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

static void put_size(char *out, size_t size, uint64_t bytes)
{
	static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double n = (double)bytes;
	size_t i = 0;

	while (n >= 1024 && i + 1 < sizeof(unit) / sizeof(unit[0])) {
		n /= 1024;
		i++;
	}
	(void)snprintf(out, size, i > 0 ? "%.1f %s" : "%.0f %s", n, unit[i]);
}

static void put_of(char *out, size_t size, const char *now, const char *most)
{
	(void)snprintf(out, size, most ? "%s / %s" : "%s", now, most);
}

/* The columns of a workspace's own group; "-" for what is not counted. */
static void print_group(const struct sample *a, const struct sample *b)
{
	const struct cgroup_usage *then = &a->group, *now = &b->group;
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
		put_size(number, sizeof(number), now->memory);
		put_size(most, sizeof(most), now->memory_max);
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

static void print_network(const struct sample *a, const struct sample *b)
{
	const uint64_t ns = b->network.at_ns - a->network.at_ns;
	char down[32] = "-", up[32] = "-", drops[48] = "-";

	if (!b->no_network) {
		put_rate(down, sizeof(down),
		         per_second(a->network.way[DOWNLOAD].bytes,
		                    b->network.way[DOWNLOAD].bytes, ns));
		put_rate(up, sizeof(up),
		         per_second(a->network.way[UPLOAD].bytes,
		                    b->network.way[UPLOAD].bytes, ns));
		(void)snprintf(drops, sizeof(drops), "%" PRIu64 " / %" PRIu64,
		               b->network.way[DOWNLOAD].drops,
		               b->network.way[UPLOAD].drops);
	}
	(void)printf("  %12s  %12s  %13s\n", down, up, drops);
}

static void print_reasons(const struct sample *s)
{
	static const char *const name[] = { "CPU", "memory", "pids" };
	const bool there[] = { s->group.has_cpu, s->group.has_memory, s->group.has_pids };

	if (s->no_group)
		(void)printf("%s: no CPU, memory, pids: %s\n", s->name, s->no_group);
	for (size_t i = 0; !s->no_group && i < sizeof(name) / sizeof(name[0]); i++)
		if (!there[i])
			(void)printf("%s: no %s: the controller is not in its group\n",
			             s->name, name[i]);
	if (s->no_network)
		(void)printf("%s: no network: %s\n", s->name, s->no_network);
}

static void print_table(const struct stats *then, const struct stats *now)
{
	int width = (int)strlen("NAME");

	for (size_t i = 0; i < now->n; i++)
		if ((int)strlen(now->sample[i].name) > width)
			width = (int)strlen(now->sample[i].name);
	(void)printf("%-*s  %8s  %9s  %21s  %15s  %12s  %12s  %13s\n", width, "NAME",
	             "CPU", "THROTTLED", "MEMORY", "PIDS", "DOWNLOAD", "UPLOAD",
	             "DROPPED");
	for (size_t i = 0; i < now->n; i++) {
		(void)printf("%-*s  ", width, now->sample[i].name);
		print_group(&then->sample[i], &now->sample[i]);
		print_network(&then->sample[i], &now->sample[i]);
	}
	for (size_t i = 0; i < now->n; i++)
		print_reasons(&now->sample[i]);
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
	const struct way_stats *then = &a->network.way[direction],
			       *now = &b->network.way[direction];
	const uint64_t ns = b->network.at_ns - a->network.at_ns;

	json_key(json, key);
	json_object(json);
	json_put_unsigned(json, "bytes", now->bytes);
	json_put_unsigned(json, "packets", now->packets);
	json_put_unsigned(json, "drops", now->drops);
	json_put_unsigned(json, "delayed", now->delayed);
	json_put_unsigned(json, "bytes_per_second",
	                  (uint64_t)per_second(then->bytes, now->bytes, ns));
	json_put_unsigned(json, "rate_limit", b->network.rate[direction]);
	json_object_end(json);
}

static void put_sample(struct json *json, const struct sample *a, const struct sample *b)
{
	const struct cgroup_usage *then = &a->group, *now = &b->group;
	const bool group = !b->no_group;

	json_object(json);
	json_put_string(json, "name", b->name);
	put_count(json, "over_us", true, (b->at_ns - a->at_ns) / 1000);
	put_count(json, "cpu_us", group && now->has_cpu, now->cpu_us - then->cpu_us);
	put_count(json, "throttled_us", group && now->has_cpu,
	          now->throttled_us - then->throttled_us);
	put_count(json, "memory", group && now->has_memory, now->memory);
	put_count(json, "memory_max", group && now->memory_max != UINT64_MAX,
	          now->memory_max);
	put_count(json, "pids", group && now->has_pids, now->pids);
	put_count(json, "pids_max", group && now->pids_max != UINT64_MAX, now->pids_max);
	json_put_string(json, "no_group", b->no_group ? b->no_group : "");
	json_put_string(json, "no_network", b->no_network ? b->no_network : "");
	json_key(json, "network");
	if (b->no_network) {
		json_null(json);
	} else {
		json_object(json);
		put_way(json, "download", a, b, DOWNLOAD);
		put_way(json, "upload", a, b, UPLOAD);
		json_put_unsigned(json, "egress_denied", b->network.denied);
		json_put_unsigned(json, "egress_limited", b->network.limited);
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

static int print(const struct stats *then, const struct stats *now, struct err *err)
{
	int r = 0;

	if (now->json) {
		r = print_json(then, now, err);
	} else {
		if (now->watch && isatty(STDOUT_FILENO))
			(void)printf("\033[H\033[2J");
		print_table(then, now);
	}
	if (r == 0 && fflush(stdout) != 0)
		r = err_set(err, errno, "print the statistics");
	return r;
}

int cmd_stats(int argc, char **argv, struct err *err)
{
	const struct timespec pause = { .tv_sec = SAMPLE_MS / 1000 };
	static const struct stats none;
	struct stats now = none, then;
	struct entries entries;
	int r = entries_options(&options, &now, argc, argv, 0, &entries, err);

	if (r != 0)
		return r == OPTIONS_HELP ? 0 : r;
	if (entries.n > LINES_MAX)
		return err_set(err, E2BIG, "more than %d workspaces", LINES_MAX);
	r = entries_walk(&entries, sample_one, &now, err);
	while (r == 0) {
		then = now;
		now.n = 0;
		(void)nanosleep(&pause, NULL);
		r = entries_walk(&entries, sample_one, &now, err);
		if (r == 0)
			r = print(&then, &now, err);
		if (!now.watch)
			break;
	}
	return r;
}
