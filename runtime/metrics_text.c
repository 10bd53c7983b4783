#include "metrics.h"

#include <inttypes.h>
#include <string.h>

enum type { GAUGE, COUNTER };

/* What a value is, and what becomes of it. */
enum unit {
	NUMBER,  /* UINT64_MAX: there is none */
	MICRO,   /* of a second */
	MILLI,   /* likewise; of a processor, too */
	FLAG,    /* bool */
	ABOUT,   /* always 1; what is told is in the labels */
	DEVICES, /* one each, in struct cgroup_io */
};

/**
 * struct family_row - A line for each workspace; those of one name stand together
 * @help:	of the first of them
 * @label:	beside the workspace's, or NULL
 * @value:	offset of it; of DEVICES in struct cgroup_io
 * @has:	offset of the bool that tells whether it is counted; 0: it always is
 */
struct family_row {
	const char *name;
	enum type type;
	const char *help, *label;
	enum unit unit;
	size_t value, has;
};

#define AT(field) offsetof(struct metrics, field)
#define WAY(direction, field) AT(network.way[direction].field)
#define OF_DEVICE(field) DEVICES, offsetof(struct cgroup_io, field), AT(group.has_io)
#define DOWN "direction=\"download\""
#define UP "direction=\"upload\""

/* clang-format off */
static const struct family_row rows[] = {
	{ "berth_workspace_info", GAUGE, "What the workspace is; always 1.", NULL, ABOUT, 0, 0 },
	{ "berth_ready", GAUGE, "Whether it is ready: its init said so, or its command runs.", NULL, FLAG, AT(ready), 0 },
	{ "berth_start_time_seconds", GAUGE, "When its init was started, in seconds since 1970.", NULL, MILLI, AT(started_ms), 0 },

	{ "berth_cpu_seconds_total", COUNTER, "Processor time used.", "mode=\"user\"", MICRO, AT(group.user_us), AT(group.has_cpu) },
	{ "berth_cpu_seconds_total", COUNTER, NULL, "mode=\"system\"", MICRO, AT(group.system_us), AT(group.has_cpu) },
	{ "berth_cpu_limit_cores", GAUGE, "The most processor time that it gets in a second, in seconds.", NULL, MILLI, AT(group.cpu_milli), AT(group.has_cpu) },
	{ "berth_cpu_periods_total", COUNTER, "Periods of its limit of processor time.", NULL, NUMBER, AT(group.periods), AT(group.has_quota) },
	{ "berth_cpu_throttled_periods_total", COUNTER, "Those of them in which it had to wait.", NULL, NUMBER, AT(group.throttled), AT(group.has_quota) },
	{ "berth_cpu_throttled_seconds_total", COUNTER, "Time in which it had to wait for its limit of processor time.", NULL, MICRO, AT(group.throttled_us), AT(group.has_quota) },
	{ "berth_waiting_seconds_total", COUNTER, "Time in which some process of it waited for a resource (PSI, some).", "resource=\"cpu\"", MICRO, AT(events.cpu_us), AT(has_group) },
	{ "berth_waiting_seconds_total", COUNTER, NULL, "resource=\"memory\"", MICRO, AT(events.memory_us), AT(has_group) },
	{ "berth_waiting_seconds_total", COUNTER, NULL, "resource=\"io\"", MICRO, AT(events.io_us), AT(has_group) },

	{ "berth_memory_bytes", GAUGE, "Memory in use, caches of files counted.", NULL, NUMBER, AT(group.memory), AT(group.has_memory) },
	{ "berth_memory_limit_bytes", GAUGE, "The most memory that it gets.", NULL, NUMBER, AT(group.memory_max), AT(group.has_memory) },
	{ "berth_memory_limit_hits_total", COUNTER, "How often its memory was about to pass the limit.", NULL, NUMBER, AT(events.memory_max), 0 },
	{ "berth_swap_bytes", GAUGE, "Swap space in use.", NULL, NUMBER, AT(group.swap), AT(group.has_swap) },
	{ "berth_swap_limit_bytes", GAUGE, "The most swap space that it gets.", NULL, NUMBER, AT(group.swap_max), AT(group.has_swap) },
	{ "berth_oom_kills_total", COUNTER, "Processes killed for want of memory, by whatever limit.", NULL, NUMBER, AT(events.oom_kill), 0 },

	{ "berth_pids", GAUGE, "Processes and threads.", NULL, NUMBER, AT(group.pids), AT(group.has_pids) },
	{ "berth_pids_limit", GAUGE, "The most processes and threads that it may have.", NULL, NUMBER, AT(group.pids_max), AT(group.has_pids) },
	{ "berth_pids_limit_hits_total", COUNTER, "Forks that failed at that limit.", NULL, NUMBER, AT(events.pids_max), 0 },

	{ "berth_io_read_bytes_total", COUNTER, "Bytes read from a device.", NULL, OF_DEVICE(read) },
	{ "berth_io_written_bytes_total", COUNTER, "Bytes written to a device.", NULL, OF_DEVICE(written) },
	{ "berth_io_reads_total", COUNTER, "Requests to read from a device.", NULL, OF_DEVICE(reads) },
	{ "berth_io_writes_total", COUNTER, "Requests to write to a device.", NULL, OF_DEVICE(writes) },

	{ "berth_watchers", GAUGE, "File watchers in use, when they were looked at last.", "kind=\"inotify_watches\"", NUMBER, AT(watchers[WATCHER_WATCHES]), AT(has_watchers) },
	{ "berth_watchers", GAUGE, NULL, "kind=\"inotify_instances\"", NUMBER, AT(watchers[WATCHER_INSTANCES]), AT(has_watchers) },
	{ "berth_watchers", GAUGE, NULL, "kind=\"fanotify_marks\"", NUMBER, AT(watchers[WATCHER_MARKS]), AT(has_watchers) },
	{ "berth_watchers", GAUGE, NULL, "kind=\"fanotify_groups\"", NUMBER, AT(watchers[WATCHER_GROUPS]), AT(has_watchers) },
	{ "berth_watchers_limit", GAUGE, "The most file watchers that it may have.", "kind=\"inotify_watches\"", NUMBER, AT(watchers_max[WATCHER_WATCHES]), 0 },
	{ "berth_watchers_limit", GAUGE, NULL, "kind=\"inotify_instances\"", NUMBER, AT(watchers_max[WATCHER_INSTANCES]), 0 },
	{ "berth_watchers_limit", GAUGE, NULL, "kind=\"fanotify_marks\"", NUMBER, AT(watchers_max[WATCHER_MARKS]), 0 },
	{ "berth_watchers_limit", GAUGE, NULL, "kind=\"fanotify_groups\"", NUMBER, AT(watchers_max[WATCHER_GROUPS]), 0 },

	{ "berth_network_bytes_total", COUNTER, "Bytes that came through, headers counted.", DOWN, NUMBER, WAY(DOWNLOAD, bytes), AT(has_network) },
	{ "berth_network_bytes_total", COUNTER, NULL, UP, NUMBER, WAY(UPLOAD, bytes), AT(has_network) },
	{ "berth_network_packets_total", COUNTER, "Packets that came through.", DOWN, NUMBER, WAY(DOWNLOAD, packets), AT(has_network) },
	{ "berth_network_packets_total", COUNTER, NULL, UP, NUMBER, WAY(UPLOAD, packets), AT(has_network) },
	{ "berth_network_dropped_packets_total", COUNTER, "Packets lost at the gateway, or at the rate.", DOWN, NUMBER, WAY(DOWNLOAD, drops), AT(has_network) },
	{ "berth_network_dropped_packets_total", COUNTER, NULL, UP, NUMBER, WAY(UPLOAD, drops), AT(has_network) },
	{ "berth_network_delayed_packets_total", COUNTER, "How often a packet had to wait for the rate.", DOWN, NUMBER, WAY(DOWNLOAD, delayed), AT(has_network) },
	{ "berth_network_delayed_packets_total", COUNTER, NULL, UP, NUMBER, WAY(UPLOAD, delayed), AT(has_network) },
	{ "berth_network_rate_limit_bytes_per_second", GAUGE, "The rate that is kept; 0 for none.", DOWN, NUMBER, AT(network.rate[DOWNLOAD]), AT(has_network) },
	{ "berth_network_rate_limit_bytes_per_second", GAUGE, NULL, UP, NUMBER, AT(network.rate[UPLOAD]), AT(has_network) },
	{ "berth_egress_denied_total", COUNTER, "Connections, datagrams and echo requests that the egress policy denied.", NULL, NUMBER, AT(network.denied), AT(has_network) },
	{ "berth_egress_permitted_total", COUNTER, "Those that it denies, and that were let through (--audit-permissive).", NULL, NUMBER, AT(network.permitted), AT(has_network) },
	{ "berth_egress_limited_total", COUNTER, "Those that were too many in a minute.", NULL, NUMBER, AT(network.limited), AT(has_network) },
};
/* clang-format on */
#define ROWS_N (sizeof(rows) / sizeof(rows[0]))

static bool bool_at(const void *base, size_t offset)
{
	return *(const bool *)((const char *)base + offset);
}

static uint64_t number_at(const void *base, size_t offset)
{
	uint64_t number;

	memcpy(&number, (const char *)base + offset, sizeof(number));
	return number;
}

/* Counters are whole numbers, so that none is rounded. */
static void put_value(FILE *out, const struct family_row *row, uint64_t value)
{
	switch (row->unit) {
	case MICRO:
		(void)fprintf(out, "%" PRIu64 ".%06" PRIu64 "\n", value / 1000000,
		              value % 1000000);
		return;
	case MILLI:
		(void)fprintf(out, "%" PRIu64 ".%03" PRIu64 "\n", value / 1000,
		              value % 1000);
		return;
	case NUMBER:
	case FLAG:
	case ABOUT:
	case DEVICES:
		(void)fprintf(out, "%" PRIu64 "\n", value);
	}
}

static void put_devices(FILE *out, const struct family_row *row, const struct metrics *m)
{
	for (uint32_t i = 0; i < m->group.io_n && i < CGROUP_IO_MAX; i++) {
		const struct cgroup_io *io = &m->group.io[i];

		(void)fprintf(out,
		              "%s{workspace=\"%s\",device=\"%" PRIu32 ":%" PRIu32 "\"} ",
		              row->name, m->workspace, io->major, io->minor);
		put_value(out, row, number_at(io, row->value));
	}
}

/* No name has a quote or a backslash in it, so nothing is to be escaped. */
static void put_row(FILE *out, const struct family_row *row, const struct metrics *m)
{
	uint64_t value = 1;

	if (row->has && !bool_at(m, row->has))
		return;
	if (row->unit == DEVICES) {
		put_devices(out, row, m);
		return;
	}
	if (row->unit == ABOUT) {
		(void)fprintf(
			out,
			"%s{workspace=\"%s\",version=\"%s\",tier=\"%s\",init=\"%s\","
			"net=\"%s\"} 1\n",
			row->name, m->workspace, PACKAGE_VERSION, m->tier, m->init,
			m->net);
		return;
	}
	value = row->unit == FLAG ? bool_at(m, row->value) : number_at(m, row->value);
	if (value == UINT64_MAX)
		return;
	(void)fprintf(out, "%s{workspace=\"%s\"%s%s} ", row->name, m->workspace,
	              row->label ? "," : "", row->label ? row->label : "");
	put_value(out, row, value);
}

void metrics_print(FILE *out, const struct metrics *metrics, size_t n)
{
	for (size_t first = 0, end; first < ROWS_N; first = end) {
		const struct family_row *row = &rows[first];

		for (end = first + 1; end < ROWS_N && !strcmp(rows[end].name, row->name);)
			end++;
		(void)fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help,
		              row->name, row->type == COUNTER ? "counter" : "gauge");
		for (size_t i = 0; i < n; i++)
			for (size_t j = first; j < end; j++)
				put_row(out, &rows[j], &metrics[i]);
	}
}
