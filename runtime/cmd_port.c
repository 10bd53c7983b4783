#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "commands.h"
#include "control.h"
#include "entries.h"
#include "ports_text.h"
#include "state.h"

#define CHANGES_MAX 64

/**
 * struct request - What is asked for
 * @change:	in the order given
 * @add, @remove: where the setters put them
 * @only:	the one port of the workspace to list, as @only_text says it; 0: all
 * @json:	how to list
 */
struct request {
	struct change {
		const char *text;
		bool add;
	} change[CHANGES_MAX];
	size_t n;
	const char *only_text;
	uint16_t only;
	bool only_udp;
	bool json;
};

static int note(struct request *request, bool add, const char *text, struct err *err)
{
	struct publish publish;

	if (publish_parse(text, &publish, err) < 0)
		return -err->code;
	if (request->n == CHANGES_MAX || strlen(text) >= CONTROL_TEXT_MAX)
		return err_set(err, E2BIG, "'%.60s': more than %d changes at once", text,
		               CHANGES_MAX);
	request->change[request->n++] = (struct change){ .text = text, .add = add };
	return 0;
}

static int set_add(void *field, const char *value, struct err *err)
{
	return note(field, true, value, err);
}

static int set_remove(void *field, const char *value, struct err *err)
{
	return note(field, false, value, err);
}

static const struct option rows[] = {
	{ "add", 0, "PORTS", "publish more, as -p of run", set_add, 0 },
	{ "remove", 0, "PORTS", "publish them no longer; connections that stand stay",
	  set_remove, 0 },
	{ "format", 0, "text|json", "how to list (text)", option_format,
	  offsetof(struct request, json) },
};

static const struct options options = {
	.words = "NAME [PORT[/udp]]",
	.about = "List the published ports of a workspace, or change them while it runs.",
	.row = rows,
	.n = sizeof(rows) / sizeof(rows[0]),
};

static int change(int entry, const char *name, const struct change *change,
                  struct err *err)
{
	struct control_request request = { .verb = change->add ? CONTROL_PORT_ADD
		                                               : CONTROL_PORT_REMOVE };

	(void)snprintf(request.text, sizeof(request.text), "%s", change->text);
	return entries_ask(entry, &request, err) < 0
	               ? err_wrap(err, "%s '%s' of '%s'",
	                          change->add ? "publish" : "remove", change->text, name)
	               : 0;
}

/* As docker port does: the workspace's port first, unless it was asked for, and each family has
 * its line. */
static void print_line(const struct request *request, const struct publish *publish)
{
	static const char *const any[] = { "0.0.0.0", "[::]" };
	char address[PUBLISH_TEXT_MAX], inside[32] = "";

	if (!request->only)
		(void)snprintf(inside, sizeof(inside), "%u/%s -> ", publish->in,
		               publish->udp ? "udp" : "tcp");

	for (size_t i = 0; i < 2 && !publish->address.family; i++)
		(void)printf("%s%s:%u\n", inside, any[i], publish->out);
	if (publish->address.family)
		(void)printf("%s%s:%u\n", inside, publish_address(publish, address),
		             publish->out);
}

static int list(const struct request *request, int entry, const char *name,
                struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	struct json *json = NULL;
	struct record record;
	bool found = false;
	int r = state_read(entry, name, &arena, &record, err);

	if (r < 0)
		return r;
	if (request->json) {
		json = json_open(stdout, true);
		json_array(json);
	}
	for (size_t i = 0; r == 0 && i < record.ports_n; i++) {
		struct publish publish;
		bool automatic;

		r = ports_read(record.ports[i], &arena, &publish, &automatic, err);
		if (r < 0 || (request->only && (request->only != publish.in ||
		                                request->only_udp != publish.udp)))
			continue;
		found = true;
		if (json)
			ports_put_json(json, &publish, automatic);
		else
			print_line(request, &publish);
	}
	if (json) {
		json_array_end(json);
		if (json_close(json) < 0 && r == 0)
			r = err_set(err, EIO, "print the ports");
	}
	if (r < 0)
		return err_wrap(err, "list the ports of '%s'", name);
	if (request->only && !found) {
		(void)err_set(err, ENOENT, "port '%s' of '%s' is not published",
		              request->only_text, name);
		return err_hint(err, "berth port %s lists those that are", name);
	}
	return 0;
}

static int port_one(void *ctx, int state, int entry, const char *name, struct err *err)
{
	const struct request *request = ctx;
	int r = 0;

	(void)state;
	for (size_t i = 0; r == 0 && i < request->n; i++)
		r = change(entry, name, &request->change[i], err);
	return r < 0 || request->n > 0 ? r : list(request, entry, name, err);
}

/* "80", "80/tcp" or "80/udp". */
static int set_only(struct request *request, const char *text, struct err *err)
{
	const size_t n = strcspn(text, "/");
	cleanup_arena struct arena arena = { 0 };
	uint64_t port = 0;
	int r = request->n > 0 ? err_set(err, EINVAL, "port '%s' beside a change", text)
	                       : number_parse(arena_printf(&arena, "%.*s", (int)n, text),
	                                      1, UINT16_MAX, &port, err);

	request->only_text = text;
	request->only = (uint16_t)port;
	request->only_udp = !strcmp(text + n, "/udp");
	if (r == 0 && text[n] && !request->only_udp && strcmp(text + n, "/tcp") != 0)
		r = err_set(err, EINVAL, "'%s' is no port of tcp or udp", text);
	return r < 0 ? err_step(err, "options") : 0;
}

int cmd_port(int argc, char **argv, struct err *err)
{
	struct request request = { 0 };
	struct entries entries;
	int r = entries_options(&options, &request, argc, argv, 2, &entries, err);

	if (r == 0 && entries.n == 2)
		r = set_only(&request, entries.name[1], err);
	if (r != 0)
		return r == OPTIONS_HELP ? 0 : r;
	entries.n = 1;
	return entries_walk(&entries, port_one, &request, err);
}
