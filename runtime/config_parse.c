#include "run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config_complete.h"
#include "config_internal.h"

#define ORIGINS_MAX 1024

/* Of a workspace that is a pod's: its name has to be the same in the next pod, and
 * kubelet gives a pod 30 seconds by default. */
#define ENTRYPOINT_NAME "workspace"
#define ENTRYPOINT_STOP_S 25
#define ENTRYPOINT_POLICY "/etc/berth/policy.json"

/* A list that a setter collected, as long as it has to be. */
static const void *kept(struct arena *arena, const void *list, size_t size)
{
	void *ret = size > 0 ? arena_alloc(arena, size) : NULL;

	return ret ? memcpy(ret, list, size) : NULL;
}

static void copy_rules(const struct words *words, const char **ret, size_t *n,
                       size_t begin, size_t end)
{
	memcpy(ret + *n, words->egress + begin, (end - begin) * sizeof(*ret));
	*n += end - begin;
}

/* The first rule that meets decides: options, what variables say, a policy. */
static const char *const *options_first(struct words *words)
{
	const size_t *level = words->egress_level;
	size_t n = 0;
	const char **ret =
		arena_alloc(words->arena, (words->egress_n + 1) * sizeof(*ret));

	if (!ret)
		return NULL;
	copy_rules(words, ret, &n, level[1], words->egress_n);
	copy_rules(words, ret, &n, level[0], level[1]);
	copy_rules(words, ret, &n, 0, level[0]);
	return ret;
}

/* From what the setters filled in to a config. */
static int complete(struct words *words, struct err *err)
{
	struct config *c = &words->config;
	struct arena *arena = words->arena;

	c->egress = options_first(words);
	c->egress_n = c->egress ? words->egress_n : 0;

	c->uid_map = words->uid_map.n > 0 ? &words->uid_map : NULL;
	c->gid_map = words->gid_map.n > 0 ? &words->gid_map : NULL;
	c->env = kept(arena, words->env, words->env_n * sizeof(*words->env));
	c->env_n = words->env_n;
	c->publish =
		kept(arena, words->publish, words->publish_n * sizeof(*words->publish));
	c->publish_n = words->publish_n;
	c->hook = kept(arena, words->hook, words->hook_n * sizeof(*words->hook));
	c->hook_n = words->hook_n;
	c->host = kept(arena, words->host, words->host_n * sizeof(*words->host));
	c->host_n = words->host_n;
	c->limit = kept(arena, words->limit, words->limit_n * sizeof(*words->limit));
	c->limit_n = words->limit_n;
	c->origin = words->origin;
	c->origin_n = words->origin_n;
	return config_complete(c, words, arena, err);
}

static void remember(struct words *words, const char *key, const char *value,
                     const char *where)
{
	if (words->origin && words->origin_n < ORIGINS_MAX)
		words->origin[words->origin_n++] = (struct origin){ key, value, where };
}

/* Two keys mean --env: of a name and a value one, of a name alone the other. */
static bool meant(const struct policy_key *key, const char *option, const char *value)
{
	if (strcmp(key->option, option) != 0)
		return false;
	return strcmp(option, "env") != 0 ||
	       (key->type == POLICY_MAP) == (strchr(value, '=') != NULL);
}

/* An option that has a key is a policy of one line. */
static void remember_option(struct words *words, const char *option, const char *value,
                            const char *where)
{
	for (size_t i = 0; words->origin && i < policy_keys_n; i++)
		if (meant(&policy_keys[i], option, value))
			remember(words, policy_keys[i].path, value, where);
}

static void option_given(void *into, const struct option *row, const char *value)
{
	struct words *words = into;

	if (words->origin)
		remember_option(words, row->name, value,
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

/* In the arena, since its 16 KiB are hardly touched: on the stack they would all be cleared. */
static struct words *words_new(struct arena *arena, struct err *err)
{
	struct words *words = arena_alloc(arena, sizeof(*words));

	if (!words) {
		(void)err_set(err, ENOMEM, "read the options");
		return NULL;
	}
	words->arena = arena;
	words->config.connections_per_minute = LIMIT_UNSET;
	words->config.net = NET_AUTO;
	words->config.stop_timeout_s = LIMIT_UNSET;
	words->config.audit_size = LIMIT_UNSET;
	words->config.store_size = words->config.pull_patience_s = LIMIT_UNSET;
	words->config.hook_timeout_s = LIMIT_UNSET;
	words->config.idle_stop_s = words->config.idle_cpu = LIMIT_UNSET;
	for (size_t i = 0; i < BUDGET_N; i++)
		words->config.budget[i] = LIMIT_UNSET;
	for (size_t i = 0; i < KNOB_N; i++)
		words->slot[i] = (struct slot){ .knob = (enum knob)i, .words = words };
	return words;
}

/* The workspace's init wipes the words it was started with (pid1_disguise()). */
static char **copy_words(int argc, char **argv, struct arena *arena, struct err *err)
{
	char **copy = arena_alloc(arena, ((size_t)argc + 1) * sizeof(*copy));

	for (int i = 0; copy && i < argc; i++)
		copy[i] = (char *)arena_dup(arena, argv[i]);
	if (arena->failed)
		(void)err_set(err, ENOMEM, "read the options");
	return arena->failed ? NULL : copy;
}

/* What variables say, by the setters of their options. */
static int apply_variables(struct words *words, char *const *envp, struct err *err)
{
	struct option row[CONFIG_OPTIONS_MAX];
	const struct setting *setting = NULL;
	size_t n = 0;
	int r = config_env(row, config_options(CONFIG_VARIABLES, row), envp, words->arena,
	                   &setting, &n, err);

	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct setting *s = &setting[i];

		if (s->row->set((char *)words + s->row->offset, s->value, err) < 0) {
			(void)err_wrap(err, "%s", s->where);
			return config_repeats(s->row->name)
			               ? err_hint(err, "%s takes one item a line",
			                          s->where)
			               : -err->code;
		}
		remember_option(words, s->row->name, s->value, s->where);
	}
	return r;
}

/* That of an option, else of the variable, else the file where an image has it. */
static int entrypoint_policy(char *const *envp, const char **name, struct err *err)
{
	static const char variable[] = "BERTH_POLICY=";

	for (; !*name && *envp; envp++)
		if (!strncmp(*envp, variable, strlen(variable)))
			*name = *envp + strlen(variable);
	if (*name || access(ENTRYPOINT_POLICY, F_OK) == 0)
		*name = *name ? *name : ENTRYPOINT_POLICY;
	else if (errno != ENOENT && errno != ENOTDIR)
		return err_set(err, errno, "look for '%s'", ENTRYPOINT_POLICY);
	return 0;
}

/*
 * A whole machine has the default; a command, or whoever says "none", has what options
 * say. NULL for that.
 */
static const char *effective_policy(const char *name, bool command)
{
	if (!name)
		return command ? NULL : POLICY_DEFAULT;
	return strcmp(name, POLICY_NONE) != 0 ? name : NULL;
}

/**
 * struct roots - Where the root is, as one level says it
 * @image, @rootfs: one of them, or none
 */
struct roots {
	const char *image, *rootfs;
};

static struct roots take_roots(struct words *words)
{
	const struct roots ret = { words->config.image, words->config.rootfs };

	words->config.image = words->config.rootfs = NULL;
	return ret;
}

/* One root takes the place of the other, whichever of the two options says it. */
static void keep_roots(struct words *words, struct roots below)
{
	if (words->config.image || words->config.rootfs)
		return;
	words->config.image = below.image;
	words->config.rootfs = below.rootfs;
}

/* The options once more, above what a policy says, and variables where there are. */
static int parse_above(const struct options *options, struct words **ret,
                       const char *name, char *const *envp, int argc, char **argv,
                       struct err *err)
{
	struct arena *arena = (*ret)->arena;
	struct roots below;
	struct words *words;
	struct policy policy;
	int r = name ? policy_load(name, arena, &policy, err) : 0;

	if (r < 0)
		return r;
	words = *ret = words_new(arena, err);
	if (!words)
		return -err->code;
	words->origin = arena_alloc(arena, ORIGINS_MAX * sizeof(*words->origin));
	if (name)
		r = apply_policy(words, options->row, &policy, err);
	words->egress_level[0] = words->egress_n;
	below = take_roots(words);
	if (r == 0 && envp)
		r = apply_variables(words, envp, err);
	words->egress_level[1] = words->egress_n;
	keep_roots(words, below);
	below = take_roots(words);
	if (r == 0)
		r = options_parse(options, words, argc, argv, err);
	keep_roots(words, below);
	return r;
}

/* What an image does not have to say. */
static void entrypoint_defaults(struct words *words)
{
	struct config *c = &words->config;
	char host[256];

	c->entrypoint = true;
	if (!c->name)
		c->name = ENTRYPOINT_NAME;
	if (!c->hostname && gethostname(host, sizeof(host) - 1) == 0) {
		host[sizeof(host) - 1] = '\0';
		c->hostname = arena_dup(words->arena, host);
	}
	if (c->stop_timeout_s == LIMIT_UNSET)
		c->stop_timeout_s = ENTRYPOINT_STOP_S;
}

/* @ret takes what was read, also with OPTIONS_HELP; NULL where there is no memory. */
static int parse(enum config_of of, char *const *envp, int argc, char **argv,
                 struct arena *arena, struct words **ret, struct err *err)
{
	static const char *const about[] = {
		[CONFIG_RUN] = "Start a workspace: a command, or a whole system.",
		[CONFIG_PLAN] =
			"Print what run would do, step by step, and touch nothing.",
		[CONFIG_ENTRYPOINT] =
			"Be the first process of a pod: see a workspace through, as "
			"/etc/berth/policy.json,\nBERTH_* variables and the options say, "
			"each above those before it.",
	};
	struct option *row = arena_alloc(arena, CONFIG_OPTIONS_MAX * sizeof(*row));
	struct words *words = words_new(arena, err);
	const struct options options = {
		.words = "[--] [COMMAND [ARG...]]",
		.about = about[of],
		.row = row,
		.n = row ? config_options(of, row) : 0,
		.stop_at_word = true,
		.given = option_given,
	};
	const char *name;
	bool entrypoint;
	int first, r = 0;

	*ret = words;
	argv = copy_words(argc, argv, arena, err);
	if (!argv || !words)
		return -err->code;
	first = options_parse(&options, words, argc, argv, err);
	name = words->config.policy;
	entrypoint = of == CONFIG_ENTRYPOINT || words->entrypoint;
	if (first < 0 || first == OPTIONS_HELP || words->variables)
		return first;
	if (entrypoint)
		r = entrypoint_policy(envp, &name, err);
	name = effective_policy(name, first < argc);
	if (r == 0 && (name || entrypoint))
		first = parse_above(&options, ret, name, entrypoint ? envp : NULL, argc,
		                    argv, err);
	words = *ret;
	if (r < 0 || first < 0)
		return -err->code;
	words->config.policy = name;
	if (entrypoint)
		entrypoint_defaults(words);
	if (first < argc)
		words->config.command = (const char *const *)argv + first;
	return complete(words, err);
}

int config_parse(int argc, char **argv, struct arena *arena, struct config *ret,
                 bool *json, struct err *err)
{
	struct words *words;
	int r = parse(json ? CONFIG_PLAN : CONFIG_RUN, environ, argc, argv, arena, &words,
	              err);

	if (r == OPTIONS_HELP)
		return r;
	if (r < 0)
		return err_step(err, "options");
	*ret = words->config;
	ret->own_words = words_of(argc, argv);
	if (json)
		*json = words->json;
	return 0;
}

static int print_variables(struct arena *arena)
{
	struct option row[CONFIG_OPTIONS_MAX];
	size_t n = config_options(CONFIG_VARIABLES, row);

	for (size_t i = 0; i < n; i++)
		(void)printf("%-30s %-22s %s\n", config_variable(row[i].name, arena),
		             row[i].arg ? row[i].arg : "true|false", row[i].help);
	return OPTIONS_HELP;
}

int config_parse_entrypoint(int argc, char **argv, char *const *envp, struct arena *arena,
                            struct config *ret, struct err *err)
{
	struct words *words;
	int r = parse(CONFIG_ENTRYPOINT, envp, argc, argv, arena, &words, err);

	if (r == OPTIONS_HELP)
		return r;
	if (r < 0)
		return err_step(err, "options");
	if (words->variables)
		return print_variables(arena);
	*ret = words->config;
	ret->own_words = words_of(argc, argv);
	return 0;
}

int config_from_policy(const struct policy *policy, struct arena *arena,
                       struct config *ret, struct err *err)
{
	struct option row[CONFIG_OPTIONS_MAX];
	struct words *words = words_new(arena, err);
	int r;

	if (!words)
		return -err->code;
	words->reading = true;
	(void)config_options(CONFIG_RUN, row);
	r = apply_policy(words, row, policy, err);
	if (r == 0)
		r = complete(words, err);
	if (r == 0)
		*ret = words->config;
	return r;
}