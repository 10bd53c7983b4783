#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/file.h"
#include "cgroups/events.h"
#include "cgroups/v1.h"
#include "commands.h"
#include "control.h"
#include "entries.h"
#include "ns.h"
#include "policies/json.h"
#include "state.h"
#include "watchers_print.h"

static int set_json(void *field, const char *value, struct err *err)
{
	(void)field;
	return strcmp(value, "json") != 0
	               ? err_set(err, EINVAL, "'%s' is not json", value)
	               : 0;
}

static const struct option rows[] = {
	{ "format", '\0', "FORMAT", "json, which is the default", set_json, 0 },
};

static const struct options options = {
	.words = "NAME...",
	.about = "Print all that is known of workspaces, as a JSON array.",
	.row = rows,
	.n = sizeof(rows) / sizeof(rows[0]),
};

/*
 * The inode number of one of init's namespaces, as `ls -l /proc/PID/ns` shows it. @fd is
 * what the supervisor handed out: an init that executed nothing, as berth's own, hides
 * its /proc/PID/ns from us. Without one the namespace is the supervisor's.
 */
static bool find_namespace(int fd, const struct record *record, enum ns ns, uint64_t *ret)
{
	const int64_t pid[] = { record->init, record->supervisor };
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0) {
		*ret = st.st_ino;
		return true;
	}
	for (size_t i = 0; i < sizeof(pid) / sizeof(pid[0]); i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "/proc/%" PRId64 "/ns/%s", pid[i],
		               ns_info[ns].name);
		if (stat(path, &st) == 0) {
			*ret = st.st_ino;
			return true;
		}
	}
	return false;
}

/* Null where there is none, or where we may not look. */
static void put_namespaces(struct json *json, int entry, const struct record *record,
                           bool running)
{
	const struct control_request request = { .verb = CONTROL_JOIN };
	struct control_reply reply;
	struct err ignored = { 0 };
	int fd[CONTROL_FDS];

	for (size_t i = 0; i < CONTROL_FDS; i++)
		fd[i] = -EBADF;
	if (running && control_ask(entry, &request, &reply, fd, &ignored) < 0)
		running = false;
	json_key(json, "namespaces");
	json_object(json);
	for (size_t i = 0; i < NS_MAX; i++) {
		uint64_t inode = 0;

		json_key(json, ns_info[i].name);
		if (running &&
		    find_namespace(fd[CONTROL_NS + i], record, (enum ns)i, &inode))
			json_unsigned(json, inode);
		else
			json_null(json);
	}
	json_object_end(json);
	for (size_t i = 0; i < CONTROL_FDS; i++)
		drop_fd(&fd[i]);
}

/* As of now; null where it has no network of its own, or none any more. */
static void put_network(struct json *json, int entry, bool running)
{
	const struct control_request request = { .verb = CONTROL_TRAFFIC };
	static const char *const name[DIRECTIONS] = { "download", "upload" };
	struct control_reply reply;
	struct err ignored = { 0 };

	json_key(json, "network");
	if (!running || control_ask(entry, &request, &reply, NULL, &ignored) < 0) {
		json_null(json);
		return;
	}
	json_object(json);
	for (int i = 0; i < DIRECTIONS; i++) {
		const struct way_stats *way = &reply.traffic.way[i];

		json_key(json, name[i]);
		json_object(json);
		json_put_unsigned(json, "bytes", way->bytes);
		json_put_unsigned(json, "packets", way->packets);
		json_put_unsigned(json, "drops", way->drops);
		json_put_unsigned(json, "delayed", way->delayed);
		json_put_unsigned(json, "rate_limit", reply.traffic.rate[i]);
		json_object_end(json);
	}
	json_put_unsigned(json, "egress_denied", reply.traffic.denied);
	json_put_unsigned(json, "egress_limited", reply.traffic.limited);
	json_put_unsigned(json, "egress_permitted", reply.traffic.permitted);
	json_object_end(json);
}

/* As of now; null where nobody is to be looked at. */
static void put_watchers(struct json *json, int entry, const struct record *record,
                         bool running)
{
	uint64_t most[WATCHER_KINDS];
	struct watchers watchers;
	struct err ignored = { 0 };
	pid_t init = running ? entries_init(entry, &ignored) : -ESRCH;

	watchers_most(record, most);
	if (init > 0 && watchers_count(init, &watchers, &ignored) == 0)
		watchers_put(json, &watchers, most);
	else
		watchers_put(json, NULL, most);
}

/* The lines of /proc/PID/uid_map: first ID inside, first ID in our namespace, number. */
static void put_map(struct json *json, const char *key, int64_t pid, const char *file)
{
	struct err err = { 0 };
	char path[64], text[16384];
	unsigned int inside, outside, count;
	const char *line = text;
	int used = 0;

	json_key(json, key);
	(void)snprintf(path, sizeof(path), "/proc/%" PRId64 "/%s", pid, file);
	if (pid <= 0 || file_read(AT_FDCWD, path, text, sizeof(text), &err) < 0) {
		json_null(json);
		return;
	}
	json_array(json);
	while (sscanf(line, "%u %u %u%n", &inside, &outside, &count, &used) == 3) {
		json_object(json);
		json_put_unsigned(json, "inside", inside);
		json_put_unsigned(json, "outside", outside);
		json_put_unsigned(json, "count", count);
		json_object_end(json);
		line += used;
	}
	json_array_end(json);
}

static void put_record(struct json *json, const struct record *r)
{
	json_put_string(json, "name", r->name);
	json_put_string(json, "status", status_name[r->status]);
	json_put_bool(json, "ready", r->ready);
	json_put_number(json, "exit_code", r->exit_code);
	json_put_string(json, "reason", r->reason);
	json_put_number(json, "created_ms", r->created_ms);
	json_put_number(json, "started_ms", r->started_ms);
	json_put_number(json, "finished_ms", r->finished_ms);
	json_put_string(json, "init_mode", r->init_mode);
	json_put_string(json, "rootfs", r->rootfs);
	json_put_string(json, "image", r->image);
	json_put_string(json, "image_digest", r->image_digest);
	json_put_string(json, "policy", r->policy);
	json_put_string(json, "net", r->net);
	json_put_string(json, "hostname", r->hostname);
	json_put_string(json, "command", r->command);
	json_put_strings(json, "args", r->args, r->args_n);
	json_put_strings(json, "limits", r->limits, r->limits_n);
	json_put_strings(json, "ports", r->ports, r->ports_n);
	json_put_bool(json, "remove", r->remove);
	json_put_string(json, "upper", r->upper);
	json_put_string(json, "tier", r->tier);
	json_put_string(json, "cgroup_mount", r->cgroup_mount);
	json_put_string(json, "cgroup", r->cgroup);
	json_put_strings(json, "cgroup1", r->cgroup1, r->cgroup1_n);
}

static void add_cgroup1(const char *mount, const char *group, struct cgroup_events *now)
{
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s%s", mount, group);
	cleanup_close int limits = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int payload =
		limits < 0 ? -EBADF
			   : openat(limits, "payload", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct cgroup1_group here = { .limits = limits, .payload = payload };

	cgroup1_events(&here, now);
}

/* What the group met; of a group that is there, as of now. */
static void put_events(struct json *json, const struct record *r, bool alive)
{
	struct cgroup_events now = {
		.oom_kill = (uint64_t)r->oom_kills,
		.memory_max = (uint64_t)r->memory_max,
		.pids_max = (uint64_t)r->pids_max,
		.cpu_us = (uint64_t)r->cpu_wait_us,
		.memory_us = (uint64_t)r->memory_wait_us,
		.io_us = (uint64_t)r->io_wait_us,
	};
	char path[4096];

	if (alive && (r->cgroup[0] || r->cgroup1_n > 0)) {
		(void)snprintf(path, sizeof(path), "%s%s", r->cgroup_mount, r->cgroup);
		cleanup_close int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (dir >= 0 || r->cgroup1_n > 0)
			cgroup_events_read(dir, &now);
		for (size_t i = 0; i + 1 < r->cgroup1_n; i += 2)
			add_cgroup1(r->cgroup1[i], r->cgroup1[i + 1], &now);
	}
	json_key(json, "events");
	json_object(json);
	json_put_unsigned(json, "oom_kills", now.oom_kill);
	json_put_unsigned(json, "memory_max", now.memory_max);
	json_put_unsigned(json, "pids_max", now.pids_max);
	json_put_unsigned(json, "cpu_wait_us", now.cpu_us);
	json_put_unsigned(json, "memory_wait_us", now.memory_us);
	json_put_unsigned(json, "io_wait_us", now.io_us);
	json_object_end(json);
}

/* An array is begun where there is something to put into it, so that an error stands alone. */
static struct json *begin(struct json **json)
{
	if (!*json) {
		*json = json_open(stdout, true);
		json_array(*json);
	}
	return *json;
}

static int inspect_one(void *ctx, int state, int entry, const char *name, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	struct json *json;
	struct record record;
	bool alive = state_alive(entry);
	int64_t init;
	int r = state_read(entry, name, &arena, &record, err);

	(void)state;
	if (r < 0)
		return r;
	json = begin(ctx);
	/* Its number may belong to somebody else by now. */
	init = alive && record.status == STATUS_RUNNING ? record.init : 0;
	json_object(json);
	put_record(json, &record);
	put_events(json, &record, alive);
	json_put_bool(json, "alive", alive);
	json_key(json, "pids");
	json_object(json);
	json_put_number(json, "supervisor", alive ? record.supervisor : 0);
	json_put_number(json, "init", init);
	json_object_end(json);
	put_namespaces(json, entry, &record, init > 0);
	put_network(json, entry, init > 0);
	put_watchers(json, entry, &record, init > 0);
	json_key(json, "id_maps");
	json_object(json);
	put_map(json, "uid", init, "uid_map");
	put_map(json, "gid", init, "gid_map");
	json_object_end(json);
	json_object_end(json);
	return 0;
}

int cmd_inspect(int argc, char **argv, struct err *err)
{
	struct entries entries;
	struct json *json = NULL;
	bool json_only;
	int r = entries_options(&options, &json_only, argc, argv, 0, &entries, err);
	int closed;

	if (r != 0)
		return r == OPTIONS_HELP ? 0 : r;
	r = entries_walk(&entries, inspect_one, &json, err);
	if (r < 0 && !json)
		return r;
	json_array_end(begin(&json));
	closed = json_close(json);
	if (r == 0 && closed < 0)
		r = err_set(err, -closed, "print it");
	return r;
}
