#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "commands.h"
#include "entries.h"
#include "idle.h"
#include "policies/json.h"
#include "ports_text.h"
#include "state.h"

#define ROOTFS_WIDTH 30
#define COMMAND_WIDTH 30

struct ps {
	bool all, quiet, json;
};

static const struct option rows[] = {
	{ "all", 'a', NULL, "those that have ended too", option_flag,
	  offsetof(struct ps, all) },
	{ "quiet", 'q', NULL, "only the names", option_flag, offsetof(struct ps, quiet) },
	{ "format", '\0', "FORMAT", "table or json", option_table_or_json,
	  offsetof(struct ps, json) },
};

static const struct options options = {
	.words = "",
	.about = "List workspaces.",
	.row = rows,
	.n = sizeof(rows) / sizeof(rows[0]),
};

/**
 * struct line - One workspace in the list
 * @unreadable:	why its record cannot be read, or NULL; then only @name is set
 * @ports:	published ones, as text
 */
struct line {
	struct record record;
	const char *unreadable, *ports;
};

/* "5 minutes", as docker(1) tells a time. */
static void put_duration(char *out, size_t size, int64_t ms)
{
	static const struct {
		const char *name;
		int64_t seconds;
	} units[] = {
		{ "second", 1 },      { "minute", 60 },          { "hour", 3600 },
		{ "day", 24 * 3600 }, { "week", 7 * 24 * 3600 },
	};
	int64_t seconds = ms > 0 ? ms / 1000 : 0;
	size_t unit = 0;
	int64_t n;

	/* Two of the larger unit at least: "90 seconds" says more than "1 minute". */
	while (unit + 1 < sizeof(units) / sizeof(units[0]) &&
	       seconds >= 2 * units[unit + 1].seconds)
		unit++;
	n = seconds / units[unit].seconds;
	(void)snprintf(out, size, "%" PRId64 " %s%s", n, units[unit].name,
	               n == 1 ? "" : "s");
}

/* Ended by --idle-stop. */
static bool is_idle(const struct record *r)
{
	return r->reason && !strncmp(r->reason, IDLE_REASON, strlen(IDLE_REASON));
}

static void put_status(char *out, size_t size, const struct line *line, int64_t now)
{
	const struct record *r = &line->record;
	char duration[32];

	if (line->unreadable) {
		(void)snprintf(out, size, "Unreadable");
		return;
	}
	switch (r->status) {
	case STATUS_RUNNING:
		put_duration(duration, sizeof(duration), now - r->started_ms);
		(void)snprintf(out, size, "Up %s (%s)", duration,
		               r->ready ? "ready" : "starting");
		return;
	case STATUS_EXITED:
		if (r->finished_ms == 0) {
			(void)snprintf(out, size, "Exited (%d)", r->exit_code);
			return;
		}
		put_duration(duration, sizeof(duration), now - r->finished_ms);
		(void)snprintf(out, size, "Exited (%d) %s ago%s", r->exit_code, duration,
		               is_idle(r) ? ", idle" : "");
		return;
	case STATUS_PULLING:
		(void)snprintf(out, size, "Pulling");
		return;
	case STATUS_CREATED:
	case STATUS_MAX:
	default:
		(void)snprintf(out, size, "Created");
		return;
	}
}

/*
 * Prints @text in a column, cut at @width characters. What a terminal could take for a
 * command becomes "?": the text is the user's, perhaps pasted from somewhere.
 */
static void print_column(const char *text, size_t width)
{
	size_t size = strlen(text), used = 0;

	while (size > 0) {
		size_t len = json_utf8(text, size);

		if (used + 3 >= width && strnlen(text, 4) > width - used) {
			(void)printf("...");
			used += 3;
			break;
		}
		if (len == 0 || (unsigned char)*text < 0x20 || *text == 0x7f ||
		    ((unsigned char)*text == 0xc2 && (unsigned char)text[1] < 0xa0)) {
			(void)printf("?");
			len = len ? len : 1;
		} else {
			(void)printf("%.*s", (int)len, text);
		}
		text += len;
		size -= len;
		used++;
	}
	(void)printf("%*s", (int)(width - used) + 2, "");
}

static void print_table(const struct line *line, size_t n, int64_t now)
{
	size_t name_width = strlen("NAME"), status_width = strlen("STATUS");
	char status[96];

	for (size_t i = 0; i < n; i++) {
		put_status(status, sizeof(status), &line[i], now);
		if (strlen(status) > status_width)
			status_width = strlen(status);
		if (strlen(line[i].record.name) > name_width)
			name_width = strlen(line[i].record.name);
	}

	print_column("NAME", name_width);
	print_column("ROOTFS", ROOTFS_WIDTH);
	print_column("COMMAND", COMMAND_WIDTH);
	print_column("CREATED", 14);
	print_column("STATUS", status_width);
	(void)printf("PORTS\n");
	for (size_t i = 0; i < n; i++) {
		const struct record *r = &line[i].record;
		char created[48] = "";

		if (!line[i].unreadable) {
			put_duration(created, sizeof(created) - 4, now - r->created_ms);
			(void)strcat(created, " ago");
		}
		put_status(status, sizeof(status), &line[i], now);
		print_column(r->name, name_width);
		print_column(r->image && *r->image ? r->image
		             : r->rootfs           ? r->rootfs
		                                   : "",
		             ROOTFS_WIDTH);
		print_column(r->command ? r->command : "", COMMAND_WIDTH);
		print_column(created, 14);
		print_column(status, status_width);
		(void)printf("%s\n", line[i].ports ? line[i].ports : "");
	}
}

static void put_ports(struct json *json, const struct record *record)
{
	cleanup_arena struct arena arena = { 0 };

	json_key(json, "ports");
	json_array(json);
	for (size_t i = 0; i < record->ports_n; i++) {
		struct err ignored = { 0 };
		struct publish publish;
		bool automatic;

		if (ports_read(record->ports[i], &arena, &publish, &automatic,
		               &ignored) == 0)
			ports_put_json(json, &publish, automatic);
	}
	json_array_end(json);
}

static void put_line(struct json *json, const struct line *line)
{
	const struct record *r = &line->record;

	json_object(json);
	json_put_string(json, "name", r->name);
	json_put_string(json, "status",
	                line->unreadable ? "unreadable" : status_name[r->status]);
	if (line->unreadable) {
		json_put_string(json, "error", line->unreadable);
	} else {
		json_put_bool(json, "ready", r->ready);
		json_put_number(json, "exit_code", r->exit_code);
		json_put_string(json, "reason", r->reason);
		json_put_number(json, "created_ms", r->created_ms);
		json_put_number(json, "started_ms", r->started_ms);
		json_put_number(json, "finished_ms", r->finished_ms);
		json_put_string(json, "rootfs", r->rootfs);
		json_put_string(json, "image", r->image);
		json_put_string(json, "command", r->command);
		json_put_string(json, "init_mode", r->init_mode);
		json_put_string(json, "net", r->net);
		json_put_number(json, "init", r->init);
		put_ports(json, r);
	}
	json_object_end(json);
}

static int print_json(const struct line *line, size_t n, struct err *err)
{
	struct json *json = json_open(stdout, true);
	int r;

	json_array(json);
	for (size_t i = 0; i < n; i++)
		put_line(json, &line[i]);
	json_array_end(json);
	r = json_close(json);
	return r < 0 ? err_set(err, -r, "print the list") : 0;
}

/* Reads one entry into @line. Return: whether it belongs into the list. */
static bool read_line(int state, const char *name, const struct ps *ps,
                      struct arena *arena, struct line *line)
{
	struct err err = { 0 };
	cleanup_close int entry = state_entry(state, name, &err);

	*line = (struct line){ .record = { .name = name } };
	if (entry == -ENOENT)
		return false; /* gone since it was listed */
	if (entry < 0 || state_read(entry, name, arena, &line->record, &err) < 0) {
		if (err.code == ENOENT && entry >= 0 && !state_alive(entry))
			return false;
		line->record = (struct record){ .name = name };
		/* Made a moment ago: its record is not written yet. */
		if (err.code != ENOENT)
			line->unreadable = arena_printf(arena, "%s: %s", err.text,
			                                strerror(err.code));
	}
	if (line->record.status != STATUS_RUNNING)
		line->record.ports_n = 0;
	line->ports = ports_column(line->record.ports, line->record.ports_n, arena);
	/* While hooks of its end run, and between two lives, it still is. */
	return ps->all || (!line->unreadable &&
	                   (line->record.status != STATUS_EXITED || state_alive(entry)));
}

/* Return: number of lines, or -errno. */
static int collect(const struct ps *ps, struct arena *arena, struct line **ret,
                   struct err *err)
{
	cleanup_close int state = entries_open(err);
	const char **names = NULL;
	struct line *line;
	int n, used = 0;

	if (state == -ENOENT) {
		err_clear(err);
		return 0;
	}
	if (state < 0)
		return state;
	n = state_each(state, arena, &names, err);
	if (n <= 0)
		return n;
	line = arena_alloc(arena, (size_t)n * sizeof(*line));
	if (!line)
		return err_set(err, ENOMEM, "list the workspaces");
	for (int i = 0; i < n; i++)
		used += read_line(state, names[i], ps, arena, &line[used]);
	*ret = line;
	return used;
}

int cmd_ps(int argc, char **argv, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	struct line *line = NULL;
	struct ps ps = { 0 };
	int r = options_parse(&options, &ps, argc, argv, err);

	if (r == OPTIONS_HELP)
		return 0;
	if (r >= 0 && r < argc)
		r = err_set(err, EINVAL, "ps: unexpected '%s'", argv[r]);
	if (r < 0)
		return err_step(err, "options");
	r = collect(&ps, &arena, &line, err);
	if (r < 0)
		return err_step(err, "ps");

	if (ps.json)
		return print_json(line, (size_t)r, err);
	if (ps.quiet) {
		for (int i = 0; i < r; i++)
			(void)printf("%s\n", line[i].record.name);
		return 0;
	}
	print_table(line, (size_t)r, clock_ms(CLOCK_REALTIME));
	return 0;
}
