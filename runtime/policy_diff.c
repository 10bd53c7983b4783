#include "policy_diff.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cgroups/knobs.h"
#include "netns/rate.h"
#include "ulimit.h"

/* The settings of one key. */
struct values {
	const struct policy_setting *first;
	size_t n;
};

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

static bool has(const struct values *values, const char *text)
{
	for (size_t i = 0; i < values->n; i++)
		if (!strcmp(values->first[i].value, text))
			return true;
	return false;
}

/* A value of a key as a number, whatever its unit; it was checked before. */
static double amount(const struct policy_key *key, const char *text, struct arena *arena)
{
	enum knob knob = knob_find(key->option, strlen(key->option));
	struct err ignored = { 0 };
	struct limit limit;
	uint64_t rate;

	if (strstr(key->option, "rate-") && rate_parse(text, &rate, &ignored) == 0)
		return (double)rate;
	if (knob < KNOB_N && knob_info[knob].kind == KNOB_SIZE &&
	    knob_parse(knob, text, arena, &limit, &ignored) == 0)
		return (double)limit.number;
	return strtod(text, NULL);
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
static double allowed(const struct policy_key *key, const struct values *values,
                      struct arena *arena)
{
	if (values->n == 0 && key->sense == POLICY_LADDER)
		return default_step(key);
	if (values->n == 0)
		return key->sense == POLICY_CEILING ? strtod("inf", NULL) : -1;
	if (key->sense == POLICY_LADDER)
		return step_of(key, values->first->value);
	return amount(key, values->first->value, arena);
}

static const char *shown(const struct policy_key *key, const struct values *values)
{
	if (values->n > 0)
		return values->first->value;
	return key->sense == POLICY_CEILING ? "no limit" : "not said";
}

/* What a rule's coming, or its going, makes possible. */
static char sign_of(const struct policy_key *key, const char *value, bool comes)
{
	if (key->sense == POLICY_GRANT)
		return comes ? '+' : '-';
	if (key->sense == POLICY_DENIAL)
		return comes ? '-' : '+';
	if (key->sense == POLICY_RULES)
		return !strncmp(value, "allow:", 6) == comes ? '+' : '-';
	return '~';
}

static bool same_order(const struct values *a, const struct values *b)
{
	for (size_t i = 0; i < a->n && i < b->n; i++)
		if (strcmp(a->first[i].value, b->first[i].value) != 0)
			return false;
	return a->n == b->n;
}

static bool diff_items(const struct policy_key *key, const struct values *a,
                       const struct values *b, FILE *out)
{
	bool more = false, same = true;

	for (size_t i = 0; i < a->n; i++)
		if (!has(b, a->first[i].value)) {
			char sign = sign_of(key, a->first[i].value, false);

			(void)fprintf(out, "%c %s: no longer '%s'\n", sign, key->path,
			              a->first[i].value);
			more |= sign == '+';
			same = false;
		}
	for (size_t i = 0; i < b->n; i++)
		if (!has(a, b->first[i].value)) {
			char sign = sign_of(key, b->first[i].value, true);

			(void)fprintf(out, "%c %s: '%s'\n", sign, key->path,
			              b->first[i].value);
			more |= sign == '+';
			same = false;
		}
	/* Which of them decides is another one then. */
	if (same && key->sense == POLICY_RULES && !same_order(a, b))
		(void)fprintf(out, "~ %s: in another order\n", key->path);
	return more;
}

/* What a policy says of one name of a map of ulimits; nothing is all that there is. */
static const struct policy_setting *find_name(const struct values *values,
                                              const char *pair)
{
	const size_t len = strcspn(pair, "=") + 1;

	for (size_t i = 0; i < values->n; i++)
		if (!strncmp(values->first[i].value, pair, len))
			return &values->first[i];
	return NULL;
}

/* Up to the hard limit everybody inside raises the soft one: only the former holds. */
static double hard_limit(const struct policy_setting *setting)
{
	struct ulimit all[ULIMIT_N] = { 0 };
	struct err ignored = { 0 };
	enum ulimit_kind kind;

	if (!setting || ulimit_parse(setting->value, all, &ignored) < 0)
		return strtod("inf", NULL);
	kind = ulimit_find(setting->value, strcspn(setting->value, "="));
	return all[kind].hard == ULIMIT_UNLIMITED ? strtod("inf", NULL)
	                                          : (double)all[kind].hard;
}

static bool diff_ulimit(const struct policy_key *key, const struct policy_setting *a,
                        const struct policy_setting *b, FILE *out)
{
	const double before = hard_limit(a), after = hard_limit(b);
	const char *name = a ? a->value : b->value;
	const char sign = after > before ? '+' : after < before ? '-' : '~';

	if (a && b && !strcmp(a->value, b->value))
		return false;
	(void)fprintf(out, "%c %s: %.*s: %s, was %s\n", sign, key->path,
	              (int)strcspn(name, "="), name,
	              b ? strchr(b->value, '=') + 1 : "no limit",
	              a ? strchr(a->value, '=') + 1 : "no limit");
	return sign == '+';
}

static bool diff_ulimits(const struct policy_key *key, const struct values *a,
                         const struct values *b, FILE *out)
{
	bool more = false;

	for (size_t i = 0; i < a->n; i++)
		more |= diff_ulimit(key, &a->first[i], find_name(b, a->first[i].value),
		                    out);
	for (size_t i = 0; i < b->n; i++)
		if (!find_name(a, b->first[i].value))
			more |= diff_ulimit(key, NULL, &b->first[i], out);
	return more;
}

static bool diff_value(const struct policy_key *key, const struct values *a,
                       const struct values *b, FILE *out, struct arena *arena)
{
	double before = allowed(key, a, arena), after = allowed(key, b, arena);
	char sign = after > before ? '+' : '-';

	if (a->n == b->n && (a->n == 0 || !strcmp(a->first->value, b->first->value)))
		return false;
	/* A share that only one of them names is compared with who knows what. */
	if (key->sense == POLICY_NEUTRAL || before < 0 || after < 0 ||
	    (before >= after && before <= after))
		sign = '~';
	(void)fprintf(out, "%c %s: %s, was %s\n", sign, key->path, shown(key, b),
	              shown(key, a));
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
		bool items = key->type == POLICY_LIST || key->type == POLICY_MAP;

		if (key->type == POLICY_MAP && key->sense == POLICY_CEILING)
			*ret_more |= diff_ulimits(key, &before, &after, out);
		else
			*ret_more |=
				items ? diff_items(key, &before, &after, out)
				      : diff_value(key, &before, &after, out, &arena);
	}
	return arena.failed ? err_set(err, ENOMEM, "compare the policies") : 0;
}
