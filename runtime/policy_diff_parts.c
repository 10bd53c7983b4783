#include "policy_diff_parts.h"

#include <stdlib.h>
#include <string.h>

#include "cgroups/knobs.h"
#include "netns/egress.h"
#include "policies/caps.h"
#include "ulimit.h"

const struct ceiling *policy_ceiling(const struct ceilings *ceilings, const char *name)
{
	for (size_t i = 0; i < ceilings->n; i++)
		if (!strcmp(ceilings->one[i].name, name))
			return &ceilings->one[i];
	return NULL;
}

static void add(struct ceilings *all, const char *name, const char *text, double most,
                struct arena *arena)
{
	struct ceiling *one = arena_alloc(arena, (all->n + 1) * sizeof(*one));

	if (!one || arena->failed)
		return;
	for (size_t i = 0; i < all->n; i++) {
		one[i] = all->one[i];
		/* The later one counts. */
		if (!strcmp(one[i].name, name)) {
			all->one[i].text = text;
			all->one[i].most = most;
			return;
		}
	}
	one[all->n++] = (struct ceiling){ name, text, most };
	all->one = one;
}

static const char *cut(const char *text, const char *end, struct arena *arena)
{
	return arena_printf(arena, "%.*s", (int)strcspn(text, end), text);
}

/* "/dev/sda:wbps=1m,riops=9"; beside it limit.value is "wbps=1048576 riops=9". */
static void add_rates(struct ceilings *all, const char *text, const struct limit *limit,
                      struct arena *arena)
{
	const char *word = text + strlen(limit->device) + 1, *number = limit->value;

	while (*word && *number) {
		const size_t key = strcspn(word, "=");
		const char *name =
			arena_printf(arena, "%s %.*s", limit->device, (int)key, word);

		add(all, name, cut(word + key + 1, ",", arena),
		    strtod(number + key + 1, NULL), arena);
		word += strcspn(word, ",");
		word += *word == ',';
		number += strcspn(number, " ");
		number += *number == ' ';
	}
}

static void add_knob(struct ceilings *all, enum knob knob, const char *text,
                     struct arena *arena)
{
	struct err ignored = { 0 };
	struct limit limit;

	if (knob_parse(knob, text, arena, &limit, &ignored) < 0)
		return;
	if (limit.device)
		add_rates(all, text, &limit, arena);
	else /* "hugetlb.2MB.max" is that of "2m:64m" and of "2048k:64m" */
		add(all, cut(strchr(limit.file, '.') + 1, ".", arena),
		    strchr(text, ':') + 1, (double)limit.number, arena);
}

/* Up to the hard limit everybody inside raises the soft one: only the former holds. */
static void add_ulimit(struct ceilings *all, const char *text, struct arena *arena)
{
	struct ulimit list[ULIMIT_N] = { 0 };
	struct err ignored = { 0 };
	uint64_t hard;

	if (ulimit_parse(text, list, &ignored) < 0)
		return;
	hard = list[ulimit_find(text, strcspn(text, "="))].hard;
	add(all, cut(text, "=", arena), strchr(text, '=') + 1,
	    hard == ULIMIT_UNLIMITED ? strtod("inf", NULL) : (double)hard, arena);
}

struct ceilings policy_ceilings(const struct policy_key *key, const struct values *values,
                                struct arena *arena)
{
	const enum knob knob = knob_find(key->option, strlen(key->option));
	struct ceilings ret = { 0 };

	for (size_t i = 0; i < values->n; i++)
		if (knob < KNOB_N)
			add_knob(&ret, knob, values->first[i].value, arena);
		else
			add_ulimit(&ret, values->first[i].value, arena);
	return ret;
}

static bool names_capabilities(const struct policy_key *key)
{
	return !strncmp(key->option, "cap-", strlen("cap-"));
}

/* Whether "a,b" is two items, as the options read it. */
static bool has_commas(const struct policy_key *key)
{
	return key->joined || names_capabilities(key) ||
	       !strncmp(key->option, "seccomp-", strlen("seccomp-"));
}

struct items policy_items(const struct policy_key *key, const struct values *values,
                          struct arena *arena)
{
	struct items ret = { 0 };
	size_t most = values->n;

	for (size_t i = 0; has_commas(key) && i < values->n; i++)
		for (const char *p = values->first[i].value; (p = strchr(p, ',')); p++)
			most++;
	ret.text = arena_alloc(arena, (most + 1) * sizeof(*ret.text));
	if (!ret.text)
		return ret;
	for (size_t i = 0; i < values->n; i++) {
		const char *p = values->first[i].value;

		for (;;) {
			const size_t len = has_commas(key) ? strcspn(p, ",") : strlen(p);

			if (ret.n < most)
				ret.text[ret.n++] =
					arena_printf(arena, "%.*s", (int)len, p);
			if (p[len] == '\0')
				break;
			p += len + 1;
		}
	}
	return ret;
}

static uint64_t capabilities(const char *text)
{
	struct err ignored = { 0 };
	uint64_t ret = 0;

	(void)caps_parse(text, &ret, &ignored);
	return ret;
}

static size_t find(const struct items *items, const char *text)
{
	size_t i = 0;

	while (i < items->n && strcmp(items->text[i], text) != 0)
		i++;
	return i;
}

bool policy_items_have(const struct policy_key *key, const struct items *items,
                       const char *text)
{
	uint64_t all = 0;

	if (!names_capabilities(key))
		return find(items, text) < items->n;
	for (size_t i = 0; i < items->n; i++)
		all |= capabilities(items->text[i]);
	return !(capabilities(text) & ~all);
}

/* Whether an allowing rule and a denying one have something to say of one destination. */
static bool compete(const char *allow, const char *deny)
{
	struct egress_rule a, d;
	struct err ignored = { 0 };

	return egress_parse(allow, &a, &ignored) == 0 && !a.deny &&
	       egress_parse(deny, &d, &ignored) == 0 && d.deny && egress_meet(&a, &d);
}

char policy_items_order(const struct items *a, const struct items *b)
{
	char ret = '~';

	/* Of a rule that stands there twice the first one counts. */
	for (size_t i = 0; i < b->n; i++)
		for (size_t j = i + 1; j < b->n; j++) {
			const size_t first = find(a, b->text[i]);
			const size_t second = find(a, b->text[j]);

			if (first == a->n || second == a->n || first <= second ||
			    find(b, b->text[j]) < j)
				continue;
			if (compete(b->text[i], b->text[j]))
				return '+';
			if (compete(b->text[j], b->text[i]))
				ret = '-';
		}
	return ret;
}
