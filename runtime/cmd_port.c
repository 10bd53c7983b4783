#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "control.h"
#include "entries.h"
#include "netns/publish.h"
#include "policies/json.h"
#include "state.h"

#define CHANGES_MAX 64

/**
 * struct request - What is asked for
 * @change:	in the order given
 * @add, @remove: where the setters put them
 * @json:	how to list
 */
struct request {
	struct change {
		const char *text;
		bool add;
	} change[CHANGES_MAX];
	size_t n;
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
	.words = "NAME",
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

/* As docker port does: the workspace's port first, and each family has its line. */
static void print_line(const struct publish *publish)
{
	static const char *const any[] = { "0.0.0.0", "[::]" };
	const char *protocol = publish->udp ? "udp" : "tcp";
	char address[PUBLISH_TEXT_MAX];

	for (size_t i = 0; i < 2 && !publish->address.family; i++)
		(void)printf("%u/%s -> %s:%u\n", publish->in, protocol, any[i],
		             publish->out);
	if (publish->address.family)
		(void)printf("%u/%s -> %s:%u\n", publish->in, protocol,
		             publish_address(publish, address), publish->out);
}

static void print_object(struct json *json, const struct publish *publish, bool automatic)
{
	char address[IP_TEXT_MAX];

	json_object(json);
	json_put_string(json, "address",
	                publish->address.family
	                        ? ip_text(&publish->address, false, address)
	                        : "");
	json_put_unsigned(json, "out", publish->out);
	json_put_unsigned(json, "in", publish->in);
	json_put_string(json, "protocol", publish->udp ? "udp" : "tcp");
	json_put_bool(json, "auto", automatic);
	json_object_end(json);
}

static int list(int entry, const char *name, bool as_json, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	struct json *json = NULL;
	struct record record;
	int r = state_read(entry, name, &arena, &record, err);

	if (r < 0)
		return r;
	if (as_json) {
		json = json_open(stdout, true);
		json_array(json);
	}
	for (size_t i = 0; i < record.ports_n; i++) {
		const char *blank = strchr(record.ports[i], ' ');
		struct publish publish;

		if (publish_parse(blank ? arena_printf(&arena, "%.*s",
		                                       (int)(blank - record.ports[i]),
		                                       record.ports[i])
		                        : record.ports[i],
		                  &publish, err) < 0)
			return err_wrap(err, "read the record of '%s'", name);
		if (json)
			print_object(json, &publish, blank != NULL);
		else
			print_line(&publish);
	}
	if (!json)
		return 0;
	json_array_end(json);
	r = json_close(json);
	return r < 0 ? err_set(err, -r, "print the ports") : 0;
}

static int port_one(void *ctx, int state, int entry, const char *name, struct err *err)
{
	const struct request *request = ctx;
	int r = 0;

	(void)state;
	for (size_t i = 0; r == 0 && i < request->n; i++)
		r = change(entry, name, &request->change[i], err);
	return r < 0 || request->n > 0 ? r : list(entry, name, request->json, err);
}

int cmd_port(int argc, char **argv, struct err *err)
{
	struct request request = { 0 };
	struct entries entries;
	int r = entries_options(&options, &request, argc, argv, 1, &entries, err);

	if (r != 0)
		return r == OPTIONS_HELP ? 0 : r;
	return entries_walk(&entries, port_one, &request, err);
}
