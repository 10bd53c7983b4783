#include "policy_diff.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "cgroups/knobs.h"
#include "idmap.h"
#include "netns/rate.h"
#include "policy_diff_parts.h"

static struct values values_of(const struct policy *policy, const struct policy_key *key)
{
	struct values ret = { 0 };

	for (size_t i = 0; i < policy->n; i++)
		if (policy->setting[i].key == key) {
			if (ret.n++ == 0)
				ret.first = &policy->setting[i];
		}
	return ret;
}

/* A value of a key as a number, whatever its unit; it was checked before. */
static double amount(const struct policy_key *key, const char *text)
{
	struct err ignored = { 0 };
	uint64_t n;

	if (strstr(key->option, "rate-") && rate_parse(text, &n, &ignored) == 0)
		return (double)n;
	if (size_parse(text, 0, UINT64_MAX, &n, &ignored) == 0)
		return (double)n;
	return strtod(text, NULL); /* "1.5" processors */
}

static double step_of(const struct policy_key *key, const char *text)
{
	int step = 0;

	while (key->choice[step].value && strcmp(key->choice[step].value, text) != 0)
		step++;
	return step;
}

/* On which rung a policy stands that does not say. */
static double default_step(const struct policy_key *key)
{
	static const struct {
		const char *path, *value;
	} defaults[] = {
		{ "nested", "true" },          { "seccomp.profile", "workspace" },
		{ "network.uplink", "auto" },  { "network.egress_default", "allow" },
		{ "audit.required", "false" }, { "audit.permissive", "false" },
	};

	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
		if (!strcmp(defaults[i].path, key->path))
			return step_of(key, defaults[i].value);
	return -1;
}

/* How much a key of one value allows: without it, all for a ceiling, else unknown. */
static double allowed(const struct policy_key *key, const struct values *values)
{
	if (values->n == 0 && key->sense == POLICY_LADDER)
		return default_step(key);
	if (values->n == 0)
		return key->sense == POLICY_CEILING ? strtod("inf", NULL) : -1;
	if (key->sense == POLICY_LADDER)
		return step_of(key, values->first->value);
	return amount(key, values->first->value);
}

static const char *shown(const struct policy_key *key, const struct values *values)
{
	if (values->n > 0)
		return values->first->value;
	return key->sense == POLICY_CEILING || key->sense == POLICY_WITHIN ? "no limit"
	                                                                   : "not said";
}

static char sign_of_amount(const struct policy_key *key, const struct values *a,
                           const struct values *b)
{
	const double before = allowed(key, a), after = allowed(key, b);

	/* A share that only one of them names is compared with who knows what. */
	if (before < 0 || after < 0)
		return '~';
	return after > before ? '+' : after < before ? '-' : '~';
}

static char sign_of_cpus(const struct values *a, const struct values *b)
{
	if (a->n == 0 || b->n == 0)
		return b->n == 0 ? '+' : '-';
	if (!knob_cpus_within(b->first->value, a->first->value))
		return '+';
	return knob_cpus_within(a->first->value, b->first->value) ? '~' : '-';
}

/* Without a user it is root; an image may name another one, which nobody knows here. */
static bool is_root(const struct values *values)
{
	const char *name = values->n > 0 ? values->first->value : "0";
	const size_t len = strcspn(name, ":");

	return strspn(name, "0") == len || (len == 4 && !strncmp(name, "root", len));
}

/* What another value of a key makes possible. */
static char sign_of_value(const struct policy_key *key, const struct values *a,
                          const struct values *b)
{
	switch (key->sense) {
	case POLICY_WHO:
		return is_root(a) == is_root(b) ? '~' : is_root(b) ? '+' : '-';
	case POLICY_WITHIN:
		return sign_of_cpus(a, b);
	case POLICY_GRANT:
		if (key->type == POLICY_TEXT)
			return b->n > 0 ? '+' : '-';
		return sign_of_amount(key, a, b);
	case POLICY_CEILING:
	case POLICY_LADDER:
		return sign_of_amount(key, a, b);
	case POLICY_NEUTRAL:
	case POLICY_EACH:
	case POLICY_ONLY:
	case POLICY_DENIAL:
	case POLICY_IDS:
	case POLICY_RULES:
		break;
	}
	return '~';
}

static bool diff_value(const struct policy_key *key, const struct values *a,
                       const struct values *b, FILE *out)
{
	const char sign = sign_of_value(key, a, b);

	if (a->n == b->n && (a->n == 0 || !strcmp(a->first->value, b->first->value)))
		return false;
	(void)fprintf(out, "%c %s: %s, was %s\n", sign, key->path, shown(key, b),
	              shown(key, a));
	return sign == '+';
}

/* What an item's coming, or its going, makes possible. */
static char sign_of_item(const struct policy_key *key, const char *value, bool comes)
{
	if (key->sense == POLICY_GRANT || key->sense == POLICY_ONLY)
		return comes ? '+' : '-';
	if (key->sense == POLICY_DENIAL)
		return comes ? '-' : '+';
	if (key->sense == POLICY_RULES)
		return !strncmp(value, "allow:", 6) == comes ? '+' : '-';
	return '~';
}

/* The items that @in has and @other has not. */
static bool diff_some(const struct policy_key *key, const struct items *in,
                      const struct items *other, bool comes, FILE *out)
{
	bool more = false;

	for (size_t i = 0; i < in->n; i++) {
		char sign = sign_of_item(key, in->text[i], comes);

		if (policy_items_have(key, other, in->text[i]))
			continue;
		/* The first one ends that there is everything, the last one begins it. */
		if (key->sense == POLICY_ONLY && other->n == 0)
			sign = comes ? '-' : '+';
		(void)fprintf(out, "%c %s: %s'%s'\n", sign, key->path,
		              comes ? "" : "no longer ", in->text[i]);
		more |= sign == '+';
	}
	return more;
}

/* The same items, but not in the same order. */
static bool is_reordered(const struct policy_key *key, const struct items *a,
                         const struct items *b)
{
	bool moved = false;

	for (size_t i = 0; i < a->n; i++)
		if (!policy_items_have(key, b, a->text[i]))
			return false;
	for (size_t i = 0; i < b->n; i++) {
		if (!policy_items_have(key, a, b->text[i]))
			return false;
		moved |= i >= a->n || strcmp(a->text[i], b->text[i]) != 0;
	}
	return moved || a->n != b->n;
}

static bool diff_items(const struct policy_key *key, const struct values *values_a,
                       const struct values *values_b, FILE *out, struct arena *arena)
{
	const struct items a = policy_items(key, values_a, arena);
	const struct items b = policy_items(key, values_b, arena);
	bool more = diff_some(key, &a, &b, false, out);
	char sign;

	more |= diff_some(key, &b, &a, true, out);
	if (key->sense != POLICY_RULES)
		return more;
	/* Which of them decides is another one then. */
	sign = policy_items_order(&a, &b);
	if (sign != '~' || is_reordered(key, &a, &b))
		(void)fprintf(out, "%c %s: in another order\n", sign, key->path);
	return more || sign == '+';
}

static bool diff_ceiling(const struct policy_key *key, const struct ceiling *a,
                         const struct ceiling *b, FILE *out)
{
	const double before = a ? a->most : strtod("inf", NULL);
	const double after = b ? b->most : strtod("inf", NULL);
	const char sign = after > before ? '+' : after < before ? '-' : '~';

	if (a && b && !strcmp(a->text, b->text))
		return false;
	(void)fprintf(out, "%c %s: %s: %s, was %s\n", sign, key->path,
	              a ? a->name : b->name, b ? b->text : "no limit",
	              a ? a->text : "no limit");
	return sign == '+';
}

static bool diff_ceilings(const struct policy_key *key, const struct values *values_a,
                          const struct values *values_b, FILE *out, struct arena *arena)
{
	const struct ceilings a = policy_ceilings(key, values_a, arena);
	const struct ceilings b = policy_ceilings(key, values_b, arena);
	bool more = false;

	for (size_t i = 0; i < a.n; i++)
		more |= diff_ceiling(key, &a.one[i], policy_ceiling(&b, a.one[i].name),
		                     out);
	for (size_t i = 0; i < b.n; i++)
		if (!policy_ceiling(&a, b.one[i].name))
			more |= diff_ceiling(key, NULL, &b.one[i], out);
	return more;
}

/* "0:1000:1, 1:100000:65536". */
static const char *all_of(const struct values *values, struct arena *arena)
{
	const char *text = values->n > 0 ? values->first[0].value : "all there are";

	for (size_t i = 1; i < values->n; i++)
		text = arena_printf(arena, "%s, %s", text, values->first[i].value);
	return text;
}

static void map_of(const struct values *values, struct idmap *ret)
{
	struct err ignored = { 0 };

	*ret = (struct idmap){ 0 };
	for (size_t i = 0; i < values->n; i++)
		(void)idmap_add(ret, values->first[i].value, &ignored);
}

/* Whether each ID outside that @a maps is one that @b maps, too; nothing said maps all. */
static bool has_ids(const struct values *b, const struct values *a)
{
	struct err ignored = { 0 };
	struct idmap of_a, of_b, both;

	if (b->n == 0)
		return true;
	map_of(a, &of_a);
	map_of(b, &of_b);
	return a->n > 0 && idmap_choose("", &of_a, &of_b, &both, &ignored) == 0;
}

/* What counts is whose IDs they are out here, and not their names inside. */
static bool diff_ids(const struct policy_key *key, const struct values *a,
                     const struct values *b, FILE *out, struct arena *arena)
{
	const char sign = !has_ids(a, b) ? '+' : !has_ids(b, a) ? '-' : '~';
	const char *before = all_of(a, arena), *after = all_of(b, arena);

	if (!strcmp(before, after))
		return false;
	(void)fprintf(out, "%c %s: %s, was %s\n", sign, key->path, after, before);
	return sign == '+';
}

int policy_diff(const struct policy *a, const struct policy *b, FILE *out, bool *ret_more,
                struct err *err)
{
	cleanup_arena struct arena arena = { 0 };

	*ret_more = false;
	for (size_t i = 0; i < policy_keys_n; i++) {
		const struct policy_key *key = &policy_keys[i];
		const struct values before = values_of(a, key), after = values_of(b, key);

		if (key->sense == POLICY_IDS)
			*ret_more |= diff_ids(key, &before, &after, out, &arena);
		else if (key->sense == POLICY_EACH)
			*ret_more |= diff_ceilings(key, &before, &after, out, &arena);
		else if (key->type == POLICY_LIST || key->type == POLICY_MAP)
			*ret_more |= diff_items(key, &before, &after, out, &arena);
		else
			*ret_more |= diff_value(key, &before, &after, out);
	}
	return arena.failed ? err_set(err, ENOMEM, "compare the policies") : 0;
}
