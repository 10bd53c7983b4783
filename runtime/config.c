#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/number.h"
#include "config_complete.h"
#include "netns/egress.h"
#include "netns/rate.h"
#include "options.h"
#include "plan.h"
#include "policies/caps.h"
#include "policies/policy.h"
#include "run.h"

#define LIST_MAX 256
#define ORIGINS_MAX 1024
#define LIMITS_MAX 48
static_assert(LIMITS_MAX + BUDGET_N <= PLAN_LIMITS_MAX,
              "the plan has room for all of them");

/* What the setters fill in; config_parse() makes the config of it. */
struct words {
	struct config config;
	const char *volume[LIST_MAX], *env[LIST_MAX];
	size_t volume_n, env_n;
	struct publish publish[LIST_MAX];
	size_t publish_n;
	const char *egress[EGRESS_RULES];
	size_t egress_n;
	size_t egress_below; /* of them, what a policy says: options come before */
	struct limit limit[LIMITS_MAX];
	size_t limit_n;
	struct slot {
		enum knob knob;
		struct words *words;
	} slot[KNOB_N];
	struct origin *origin; /* NULL while nobody asks for it */
	size_t origin_n;
	struct arena *arena;
	bool json;
};

/* An empty one is somebody's unset variable; taken as a path it would be ".". */
static int set_text(void *field, const char *value, struct err *err)
{
	if (*value == '\0')
		return err_set(err, EINVAL, "'' is empty");
	return option_text(field, value, err);
}

static int set_init(void *field, const char *value, struct err *err)
{
	enum init_mode *mode = field;

	for (int i = 0; i < INIT_MODE_MAX; i++)
		if (!strcmp(value, init_mode_name[i])) {
			*mode = (enum init_mode)i;
			return 0;
		}
	return err_set(err, EINVAL, "'%s' is not auto, systemd, berth or none", value);
}

static int set_net(void *field, const char *value, struct err *err)
{
	enum net_mode *mode = field;

	for (int i = 0; i < NET_MODE_MAX; i++)
		if (!strcmp(value, net_mode_name[i])) {
			*mode = (enum net_mode)i;
			return 0;
		}
	return err_set(err, EINVAL, "'%s' is not auto, relay, host or none", value);
}

static int set_rate(void *field, const char *value, struct err *err)
{
	uint64_t ignored;
	int r = rate_parse(value, &ignored, err);

	if (r == 0)
		*(const char **)field = value;
	return r;
}

static int add_egress(void *field, const char *value, struct err *err)
{
	struct words *words = field;
	struct egress_rule rule;
	int r = egress_parse(value, &rule, err);

	if (r < 0)
		return r;
	if (words->egress_n == EGRESS_RULES)
		return err_set(err, E2BIG, "'%s': more than %d rules", value,
		               EGRESS_RULES);
	words->egress[words->egress_n++] = value;
	return 0;
}

static int set_egress_default(void *field, const char *value, struct err *err)
{
	if (strcmp(value, "allow") != 0 && strcmp(value, "deny") != 0)
		return err_set(err, EINVAL, "'%s' is not allow or deny", value);
	*(const char **)field = value;
	return 0;
}

static int set_per_minute(void *field, const char *value, struct err *err)
{
	return number_parse(value, 1, EGRESS_PER_MINUTE_MAX, field, err);
}

static int set_budget(void *field, const char *value, struct err *err)
{
	return number_parse(value, 1, INT32_MAX, field, err);
}

static int set_from_zero(void *field, const char *value, struct err *err)
{
	return number_parse(value, 0, INT32_MAX, field, err);
}

static int set_bytes(void *field, const char *value, struct err *err)
{
	return size_parse(value, 0, INT64_MAX, field, err);
}

static int add_caps(void *field, const char *value, struct err *err)
{
	return caps_parse(value, field, err);
}

static int set_seconds(void *field, const char *value, struct err *err)
{
	return number_parse(value, 0, 86400, field, err);
}

static int add(const char **list, size_t *n, const char *value, struct err *err)
{
	if (*n == LIST_MAX)
		return err_set(err, E2BIG, "more than %d of them", LIST_MAX);
	list[(*n)++] = value;
	return 0;
}

static int add_volume(void *field, const char *value, struct err *err)
{
	struct words *words = field;

	return add(words->volume, &words->volume_n, value, err);
}

static int add_publish(void *field, const char *value, struct err *err)
{
	struct words *words = field;

	if (words->publish_n == LIST_MAX)
		return err_set(err, E2BIG, "more than %d of them", LIST_MAX);
	return publish_parse(value, &words->publish[words->publish_n], err) < 0
	               ? -err->code
	               : (words->publish_n++, 0);
}

static int set_ports(void *field, const char *value, struct err *err)
{
	int r = publish_list_check(value, err);

	if (r == 0)
		*(const char **)field = value;
	return r;
}

/* As podman: "LC_*" is each of the caller's own that begins so. */
static int add_own(struct words *words, const char *prefix, size_t len, struct err *err)
{
	int r = 0;

	if (len == 0) {
		(void)err_set(err, EINVAL, "'%s' takes whatever there is", prefix);
		return err_hint(err,
		                "a pod's environment has secrets in it: name what is "
		                "needed, as LANG, or 'LC_*'");
	}
	for (char **own = environ; *own && r == 0; own++)
		if (!strncmp(*own, prefix, len) && strchr(*own, '='))
			r = add(words->env, &words->env_n, arena_dup(words->arena, *own),
			        err);
	return r;
}

static int add_env(void *field, const char *value, struct err *err)
{
	struct words *words = field;
	const size_t len = strlen(value);

	if (len > 0 && value[len - 1] == '*' && !strchr(value, '='))
		return add_own(words, value, len - 1, err);
	if (*value && !strchr(value, '=')) {
		/* As docker: the caller's own value, and nothing where it has none. */
		const char *own = getenv(value);

		if (!own)
			return 0;
		value = arena_printf(words->arena, "%s=%s", value, own);
	}
	if (value[0] == '=' || value[0] == '\0')
		return err_set(err, EINVAL, "'%s' has no name", value);
	return add(words->env, &words->env_n, value, err);
}

static int set_knob(void *field, const char *value, struct err *err)
{
	const struct slot *slot = field;
	struct words *words = slot->words;
	struct limit limit;
	size_t at = 0;
	int r = knob_parse(slot->knob, value, words->arena, &limit, err);

	if (r < 0)
		return r;
	/* As with every option the last one counts; of devices and page sizes, each. */
	while (at < words->limit_n && (words->limit[at].knob != limit.knob ||
	                               knob_info[limit.knob].kind == KNOB_DEVICE_RATE ||
	                               strcmp(words->limit[at].file, limit.file) != 0))
		at++;
	if (at == LIMITS_MAX)
		return err_set(err, E2BIG, "more than %d limits", LIMITS_MAX);
	words->limit[at] = limit;
	if (at == words->limit_n)
		words->limit_n++;
	return 0;
}

static int set_best_effort(void *field, const char *value, struct err *err)
{
	for (const char *p = value;; p++) {
		size_t len = strcspn(p, ",");
		if (knob_find(p, len) == KNOB_N && !budget_known(p, len)) {
			(void)err_set(err, EINVAL, "'%.*s' is no limit", (int)len, p);
			return err_hint(err, "limits are named as their options, "
			                     "without dashes: cpus,memory");
		}
		p += len;
		if (*p == '\0')
			break;
	}
	*(const char **)field = value;
	return 0;
}

#define FIELD(field) offsetof(struct words, config.field)
/* clang-format off */
static const struct option run_options[] = {
	{ "name",              0,   "NAME",     "name of the workspace", set_text, FIELD(name) },
	{ "policy",            0,   "FILE|PROFILE", "what is allowed and limited; options come on top", set_text, FIELD(policy) },
	{ "rootfs",            0,   "host|DIR", "root file system; DIR:O keeps DIR as it is (host)", set_text, FIELD(rootfs) },
	{ "init",              0,   "MODE",     "auto, systemd, berth or none (auto)", set_init, FIELD(init) },
	{ "net",               0,   "MODE",     "auto, relay, host or none (auto)", set_net, FIELD(net) },
	{ "rate-down",         0,   "RATE",     "download rate: 100mbit, 2gbit, 10MB (bytes a second)", set_rate, FIELD(rate_down) },
	{ "rate-up",           0,   "RATE",     "upload rate", set_rate, FIELD(rate_up) },
	{ "publish",           'p', "[IP:]OUT:IN[/udp]|auto", "lead a port of the pod, or all that listens, inside", add_publish, 0 },
	{ "publish-allow",     0,   "PORTS",    "what -p auto may open: 8000-8999,53/udp (all of TCP)", set_ports, FIELD(publish_allow) },
	{ "publish-deny",      0,   "PORTS",    "what -p auto may not open", set_ports, FIELD(publish_deny) },
	{ "egress",            0,   "RULE",     "allow:TARGET or deny:TARGET: allow:10.0.0.0/8,443/tcp", add_egress, 0 },
	{ "egress-default",    0,   "allow|deny", "what becomes of what no rule meets (allow)", set_egress_default, FIELD(egress_default) },
	{ "connections-per-minute", 0, "N",     "connections and flows begun in any minute", set_per_minute, FIELD(connections_per_minute) },
	{ "volume",            'v', "SRC:DST[:ro]", "attach a directory or file of the pod", add_volume, 0 },
	{ "env",               'e', "K[=V]|K*", "set a variable inside, or pass our own", add_env, 0 },
	{ "user",              'u', "USER[:GROUP]", "run as this user, looked up inside", set_text, FIELD(user) },
	{ "cap-drop",          0,   "CAP",      "a capability that root inside is not to have, or all", add_caps, FIELD(cap_drop) },
	{ "cap-add",           0,   "CAP",      "one to keep of those that --cap-drop takes", add_caps, FIELD(cap_add) },
	{ "workdir",           'w', "DIR",      "start in this directory (/)", set_text, FIELD(workdir) },
	{ "hostname",          0,   "NAME",     "host name inside (the workspace's name)", set_text, FIELD(hostname) },
};
/* Here come the knobs, cgroups/knobs.c, and the budgets, budget.c. */
static const struct option more_options[] = {
	{ "best-effort",       0,   "LIST",   "limits that may be missing: cpus,memory", set_best_effort, FIELD(best_effort) },
	{ "state",             0,   "DIR",      "keep upper layers in DIR/NAME instead of memory", set_text, FIELD(state) },
	{ "stop-timeout",      0,   "SECONDS",  "from the polite signal to SIGKILL (10; systemd 90)", set_seconds, FIELD(stop_timeout_s) },
	{ "detach",            'd', NULL,       "return when it runs, print its name", option_flag, FIELD(detach) },
	{ "rm",                0,   NULL,       "keep nothing when it ends", option_flag, FIELD(remove) },
	{ "interactive",       'i', NULL,       "pass standard input on", option_flag, FIELD(interactive) },
	{ "tty",               't', NULL,       "give the command a terminal of its own", option_flag, FIELD(tty) },
	{ "format",            0,   "text|json", "how plan prints (text)", option_format, offsetof(struct words, json) },
};
/* clang-format on */
#define RUN_OPTIONS_N (sizeof(run_options) / sizeof(run_options[0]))
#define MORE_OPTIONS_N (sizeof(more_options) / sizeof(more_options[0]))
#define BUDGETS_AT (RUN_OPTIONS_N + KNOB_N)
#define OPTIONS_N (BUDGETS_AT + BUDGET_N + MORE_OPTIONS_N)

static void all_options(struct option row[OPTIONS_N])
{
	memcpy(row, run_options, sizeof(run_options));
	for (size_t i = 0; i < KNOB_N; i++)
		row[RUN_OPTIONS_N + i] = (struct option){
			.name = knob_info[i].name,
			.arg = knob_info[i].arg,
			.help = knob_info[i].help,
			.set = set_knob,
			.offset = offsetof(struct words, slot) + i * sizeof(struct slot),
		};
	for (size_t i = 0; i < BUDGET_N; i++)
		row[BUDGETS_AT + i] = (struct option){
			.name = budget_info[i].name,
			.arg = budget_info[i].arg,
			.help = budget_info[i].help,
			.set = budget_info[i].bytes ? set_bytes
			       : budget_info[i].min ? set_budget
			                            : set_from_zero,
			.offset = FIELD(budget) + i * sizeof(uint64_t),
		};
	memcpy(row + BUDGETS_AT + BUDGET_N, more_options, sizeof(more_options));
}

/* A list that a setter collected, as long as it has to be. */
static const void *kept(struct arena *arena, const void *list, size_t size)
{
	void *ret = size > 0 ? arena_alloc(arena, size) : NULL;

	return ret ? memcpy(ret, list, size) : NULL;
}

/* The first rule that meets decides, and an option is above what a policy says. */
static const char *const *options_first(struct words *words)
{
	const size_t below = words->egress_below, n = words->egress_n - below;
	const char **ret =
		arena_alloc(words->arena, (words->egress_n + 1) * sizeof(*ret));

	if (!ret)
		return NULL;
	memcpy(ret, words->egress + below, n * sizeof(*ret));
	memcpy(ret + n, words->egress, below * sizeof(*ret));
	return ret;
}

/* From what the setters filled in to a config. */
static int complete(struct words *words, struct err *err)
{
	struct config *c = &words->config;
	struct arena *arena = words->arena;

	c->egress = options_first(words);
	c->egress_n = c->egress ? words->egress_n : 0;

	c->env = kept(arena, words->env, words->env_n * sizeof(*words->env));
	c->env_n = words->env_n;
	c->publish =
		kept(arena, words->publish, words->publish_n * sizeof(*words->publish));
	c->publish_n = words->publish_n;
	c->limit = kept(arena, words->limit, words->limit_n * sizeof(*words->limit));
	c->limit_n = words->limit_n;
	c->origin = words->origin;
	c->origin_n = words->origin_n;
	return config_complete(c, words->volume, words->volume_n, arena, err);
}

const struct limit *config_limit(const struct config *config, enum knob knob)
{
	for (size_t i = config->limit_n; i > 0; i--)
		if (config->limit[i - 1].knob == knob)
			return &config->limit[i - 1];
	return NULL;
}

bool config_best_effort(const struct config *config, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = config->best_effort; p; p = strchr(p, ',')) {
		p += *p == ',';
		if (!strncmp(p, name, len) && (p[len] == ',' || p[len] == '\0'))
			return true;
	}
	return false;
}

static void remember(struct words *words, const char *key, const char *value,
                     const char *where)
{
	if (words->origin && words->origin_n < ORIGINS_MAX)
		words->origin[words->origin_n++] = (struct origin){ key, value, where };
}

/* An option that has a key is a policy of one line. */
static void option_given(void *into, const struct option *row, const char *value)
{
	struct words *words = into;

	for (size_t i = 0; words->origin && i < policy_keys_n; i++)
		if (!strcmp(policy_keys[i].option, row->name))
			remember(words, policy_keys[i].path, value,
			         arena_printf(words->arena, "--%s", row->name));
}

static const struct option *option_of(const struct option *row,
                                      const struct policy_key *key)
{
	while (strcmp(row->name, key->option) != 0)
		row++; /* each key has one: tests/unit/test_policy.c */
	return row;
}

/* The items of a joined list as the option takes them. */
static const char *joined(struct arena *arena, const struct policy_setting *s, size_t n)
{
	const char *text = s->value;

	for (size_t i = 1; i < n; i++)
		text = arena_printf(arena, "%s,%s", text, s[i].value);
	return text;
}

/* What a policy says, by the setters of the options that mean the same. */
static int apply_policy(struct words *words, const struct option *row,
                        const struct policy *policy, struct err *err)
{
	for (size_t i = 0, n = 1; i < policy->n; i += n) {
		const struct policy_setting *s = &policy->setting[i];
		const struct option *option = option_of(row, s->key);
		const char *value = s->value;

		for (n = 1; s->key->joined && i + n < policy->n && s[n].key == s->key;)
			n++;
		if (n > 1)
			value = joined(words->arena, s, n);
		if (option->set((char *)words + option->offset, value, err) < 0)
			return err_wrap(err, "%s:%u:%u: %s", s->file, s->line, s->column,
			                s->key->path);
		remember(words, s->key->path, value, policy_origin(words->arena, s));
	}
	return 0;
}

static void words_init(struct words *words, struct arena *arena)
{
	*words = (struct words){ .arena = arena,
		                 .config = {
					 .connections_per_minute = LIMIT_UNSET,
					 .net = NET_AUTO,
					 .stop_timeout_s = LIMIT_UNSET,
				 } };
	for (size_t i = 0; i < BUDGET_N; i++)
		words->config.budget[i] = LIMIT_UNSET;
	for (size_t i = 0; i < KNOB_N; i++)
		words->slot[i] = (struct slot){ .knob = (enum knob)i, .words = words };
}

/* The options once more, above what the policy says. */
static int parse_above(const struct options *options, struct words *words, int argc,
                       char **argv, struct err *err)
{
	const char *name = words->config.policy;
	struct arena *arena = words->arena;
	struct policy policy;
	int r = policy_load(name, arena, &policy, err);

	if (r < 0)
		return r;
	words_init(words, arena);
	words->origin = arena_alloc(arena, ORIGINS_MAX * sizeof(*words->origin));
	r = apply_policy(words, options->row, &policy, err);
	words->egress_below = words->egress_n;
	return r < 0 ? r : options_parse(options, words, argc, argv, err);
}

int config_parse(int argc, char **argv, struct arena *arena, struct config *ret,
                 bool *json, struct err *err)
{
	struct option row[OPTIONS_N];
	const struct options options = {
		.words = "[--] [COMMAND [ARG...]]",
		.about =
			json ? "Print what run would do, step by step, and touch nothing."
			     : "Start a workspace: a command, or a whole system.",
		.row = row,
		.n = OPTIONS_N - (json ? 0 : 1), /* --format is the last one */
		.stop_at_word = true,
		.given = option_given,
	};
	struct words words;
	int first, r;

	words_init(&words, arena);
	all_options(row);
	first = options_parse(&options, &words, argc, argv, err);
	if (first >= 0 && first != OPTIONS_HELP && words.config.policy)
		first = parse_above(&options, &words, argc, argv, err);
	if (first == OPTIONS_HELP)
		return first;
	if (first < 0)
		return err_step(err, "options");
	if (first < argc)
		words.config.command = (const char *const *)argv + first;
	r = complete(&words, err);
	if (r < 0)
		return err_step(err, "options");
	*ret = words.config;
	if (json)
		*json = words.json;
	return 0;
}

int config_from_policy(const struct policy *policy, struct arena *arena,
                       struct config *ret, struct err *err)
{
	struct option row[OPTIONS_N];
	struct words words;
	int r;

	words_init(&words, arena);
	all_options(row);
	r = apply_policy(&words, row, policy, err);
	if (r == 0)
		r = complete(&words, err);
	if (r == 0)
		*ret = words.config;
	return r;
}
