#include "stats.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "entries.h"

static const char *look_at_group(const struct record *record, struct metrics *ret)
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
	metrics_group(ret, dir);
	return NULL;
}

static bool is_running(int entry, const struct record *record)
{
	return state_alive(entry) && record->status == STATUS_RUNNING;
}

/* While we talked to it. */
static bool has_ended(int entry, const char *name)
{
	cleanup_arena struct arena arena = { 0 };
	struct err ignored = { 0 };
	struct record record;

	return state_read(entry, name, &arena, &record, &ignored) < 0 ||
	       !is_running(entry, &record);
}

/* What cannot be seen is no failure: its owner may have hidden itself, or ended. */
static const struct watchers *look_at_watchers(int entry, struct arena *arena)
{
	struct watchers *watchers = arena_alloc(arena, sizeof(*watchers));
	struct err ignored = { 0 };
	pid_t init = entries_init(entry, &ignored);

	if (!watchers || init < 0 || watchers_count(init, watchers, &ignored) < 0)
		return NULL;
	return watchers;
}

/* Why there is none, or NULL; NULL with an error, too. */
static const char *look_at_network(int entry, const struct record *record,
                                   struct metrics *ret, struct err *err)
{
	const struct control_request request = { .verb = CONTROL_TRAFFIC };
	struct control_reply reply;
	int r = control_ask(entry, &request, &reply, NULL, err);

	if (r == -ENONET) {
		err_clear(err);
		return strcmp(record->net, "host") == 0 ? "its network is the pod's own"
		                                        : "it has no network";
	}
	if (r == 0) {
		ret->has_network = true;
		ret->network = reply.traffic;
	}
	return NULL;
}

int stats_sample(void *ctx, int state, int entry, const char *name, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	struct stats *stats = ctx;
	struct sample *sample = &stats->sample[stats->n];
	struct record record;
	int r;

	(void)state;
	if (stats->n == STATS_MAX)
		return err_set(err, E2BIG, "more than %d workspaces", STATS_MAX);
	r = state_read(entry, name, &arena, &record, err);
	if (r < 0)
		return r;
	if (!is_running(entry, &record)) {
		if (stats->again)
			return 0;
		(void)err_set(err, ESRCH, "'%s' is not running", name);
		return entries_stopped(name, err);
	}
	*sample = (struct sample){ .at_ns = (uint64_t)clock_ns(CLOCK_MONOTONIC) };
	metrics_begin(&record, &sample->m);
	sample->no_group = look_at_group(&record, &sample->m);
	if (stats->arena)
		sample->watchers = look_at_watchers(entry, stats->arena);
	if (sample->watchers)
		metrics_watchers(&sample->m, sample->watchers);
	sample->no_network = look_at_network(entry, &record, &sample->m, err);
	if (err->code && stats->again && has_ended(entry, name)) {
		err_clear(err);
		return 0;
	}
	if (err->code)
		return err_wrap(err, "look at '%s'", name);
	stats->n++;
	return 0;
}
