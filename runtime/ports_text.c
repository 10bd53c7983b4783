#include "ports_text.h"

#include <stdlib.h>
#include <string.h>

int ports_read(const char *line, struct arena *arena, struct publish *ret,
               bool *ret_automatic, struct err *err)
{
	const size_t n = strcspn(line, " ");

	*ret_automatic = line[n] != '\0';
	return publish_parse(arena_printf(arena, "%.*s", (int)n, line), ret, err);
}

void ports_put_json(struct json *json, const struct publish *publish, bool automatic)
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

/* By protocol, address and port, so that those of a range stand side by side. */
static int compare(const void *left, const void *right)
{
	const struct publish *a = left, *b = right;
	int r = a->udp - b->udp;

	if (r == 0)
		r = memcmp(&a->address, &b->address, sizeof(a->address));
	return r ? r : a->out - b->out;
}

static bool follows(const struct publish *range, const struct publish *next)
{
	return range->udp == next->udp && range->out + range->n == next->out &&
	       range->in + range->n == next->in &&
	       !memcmp(&range->address, &next->address, sizeof(range->address));
}

static const char *range_text(uint16_t first, uint16_t n, struct arena *arena)
{
	return n > 1 ? arena_printf(arena, "%u-%u", first, first + n - 1U)
	             : arena_printf(arena, "%u", first);
}

static const char *add(const char *text, const char *address, const struct publish *range,
                       struct arena *arena)
{
	const char *out = range_text(range->out, range->n, arena);
	const char *in = range_text(range->in, range->n, arena);

	if (arena->failed)
		return NULL;
	return arena_printf(arena, "%s%s%s:%s->%s/%s", text, *text ? ", " : "", address,
	                    out, in, range->udp ? "udp" : "tcp");
}

const char *ports_column(const char *const *line, size_t n, struct arena *arena)
{
	struct publish *publish = arena_alloc(arena, (n + 1) * sizeof(*publish));
	char address[PUBLISH_TEXT_MAX];
	const char *text = "";
	struct err ignored = { 0 };
	bool automatic;
	size_t used = 0;

	for (size_t i = 0; publish && i < n; i++)
		if (ports_read(line[i], arena, &publish[used], &automatic, &ignored) == 0)
			used++;
	if (arena->failed)
		return NULL;
	qsort(publish, used, sizeof(*publish), compare);
	for (size_t i = 0, next; text && i < used; i = next) {
		struct publish range = publish[i];

		for (next = i + 1; next < used && follows(&range, &publish[next]); next++)
			range.n++;
		if (range.address.family) {
			text = add(text, publish_address(&range, address), &range, arena);
			continue;
		}
		text = add(text, "0.0.0.0", &range, arena);
		if (text)
			text = add(text, "[::]", &range, arena);
	}
	return text;
}
