#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "options.h"
#include "policy_audit.h"
#include "policy_diff.h"
#include "run.h"

/* What the options of the verbs fill in. */
struct request {
	bool json;
};

/* Reads a policy and tries its values, so that what follows deals with good ones only. */
static int load(const char *name, struct arena *arena, struct policy *ret,
                struct err *err)
{
	struct config ignored;
	int r = policy_load(name, arena, ret, err);

	if (r == 0)
		r = config_from_policy(ret, arena, &ignored, err);
	return r;
}

/* The comment a profile begins with, on one line. */
static void print_comment(const char *text)
{
	while (!strncmp(text, "//", 2)) {
		size_t len = strcspn(text, "\n");

		(void)printf("%.*s", (int)len - 2, text + 2);
		text += len + (text[len] != '\0');
	}
	(void)putchar('\n');
}

static int list(int argc, char **argv, const struct request *request, struct err *err)
{
	(void)argc;
	(void)argv;
	(void)request;
	(void)err;
	for (size_t i = 0; i < policy_profiles_n; i++) {
		(void)printf("%-15s", policy_profiles[i].name);
		print_comment(policy_profiles[i].text);
	}
	return 0;
}

static int show(int argc, char **argv, const struct request *request, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	struct policy policy;
	int r = load(argv[0], &arena, &policy, err);

	(void)argc;
	if (r < 0)
		return r;
	if (request->json)
		return policy_print(&policy, stdout, err);
	for (size_t i = 0; i < policy.n; i++)
		(void)printf("%-24s %-20s %s\n", policy.setting[i].key->path,
		             policy.setting[i].value,
		             policy_origin(&arena, &policy.setting[i]));
	return 0;
}

static int validate(int argc, char **argv, const struct request *request, struct err *err)
{
	(void)request;
	for (int i = 0; i < argc; i++) {
		cleanup_arena struct arena arena = { 0 };
		struct policy policy;
		int r = load(argv[i], &arena, &policy, err);

		if (r < 0)
			return r;
		(void)printf("%s: good\n", argv[i]);
	}
	return 0;
}

static int explain(int argc, char **argv, const struct request *request, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	const char *only = argc > 1 ? argv[1] : NULL;
	size_t len = only ? strlen(only) : 0;
	struct policy policy;
	bool found = false;
	int r = load(argv[0], &arena, &policy, err);

	(void)request;
	if (r < 0)
		return r;
	for (size_t i = 0; i < policy_keys_n; i++) {
		const struct policy_key *key = &policy_keys[i];
		bool said = false;

		if (only && (strncmp(key->path, only, len) ||
		             (key->path[len] != '\0' && key->path[len] != '.')))
			continue;
		found = true;
		for (size_t j = 0; j < policy.n; j++) {
			const struct policy_setting *s = &policy.setting[j];

			if (s->key != key)
				continue;
			said = true;
			(void)printf("%s: %s %s (%s)\n", key->path, s->value, key->about,
			             policy_origin(&arena, s));
		}
		if (!said && key->sense == POLICY_CEILING)
			(void)printf(
				"%s: not said, so what berth or the pod sets counts\n",
				key->path);
	}
	if (!found) {
		(void)err_set(err, EINVAL, "no key '%s'", only);
		return err_hint(err, "'berth policy schema' lists the keys");
	}
	return 0;
}

static int diff(int argc, char **argv, const struct request *request, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	struct policy before, after;
	bool more;
	int r = load(argv[0], &arena, &before, err);

	(void)argc;
	(void)request;
	if (r == 0)
		r = load(argv[1], &arena, &after, err);
	if (r == 0)
		r = policy_diff(&before, &after, stdout, &more, err);
	return r < 0 ? r : more;
}

static int schema(int argc, char **argv, const struct request *request, struct err *err)
{
	(void)argc;
	(void)argv;
	(void)request;
	return policy_schema(stdout, err);
}

/* clang-format off */
static const struct verb {
	const char *name;
	int (*run)(int argc, char **argv, const struct request *request, struct err *err);
	const char *words;
	int min, max;
	const char *about;
	size_t options_n;
	int (*own)(int argc, char **argv, struct err *err); /* reads its options itself */
} verbs[] = {
	{ "list", list, "", 0, 0, "List the profiles that come with berth, and for whom they are.", 0, NULL },
	{ "validate", validate, "POLICY...", 1, 1000, "Read policies and try every value; say what is wrong, and where.", 0, NULL },
	{ "show", show, "POLICY", 1, 1, "Print a policy with all that it extends, and where each value is from.", 1, NULL },
	{ "explain", explain, "POLICY [KEY]", 1, 2, "Tell in plain words what a policy does, or one key of it.", 0, NULL },
	{ "diff", diff, "POLICY POLICY", 2, 2, "Print what the second one allows more (+), less (-), or otherwise (~).\nThe exit status is 1 where it allows more.", 0, NULL },
	{ "audit", NULL, "[POLICY|MANIFEST...]", 0, 0, "Audit policies, Kubernetes manifests and workspaces by rules.", 0, policy_audit_main },
	{ "schema", schema, "", 0, 0, "Print the JSON Schema of a policy.", 0, NULL },
};
/* clang-format on */
#define VERBS_N (sizeof(verbs) / sizeof(verbs[0]))

static void usage(void)
{
	(void)printf(
		"usage: berth policy VERB [OPTION...] [POLICY...]\n\n"
		"A policy is a profile, or a file with a '/' in its name or .json at "
		"its end.\n\n");
	for (size_t i = 0; i < VERBS_N; i++)
		(void)printf("  %-9s %-14s %.*s\n", verbs[i].name, verbs[i].words,
		             (int)strcspn(verbs[i].about, "\n"), verbs[i].about);
	(void)printf("\nberth policy VERB --help tells its options.\n");
}

static int run_verb(const struct verb *verb, int argc, char **argv, struct err *err)
{
	static const struct option row[] = { {
		"format",
		0,
		"text|json",
		"how it prints: the values one a line, or one document (text)",
		option_format,
		offsetof(struct request, json),
	} };
	const struct options options = {
		.words = verb->words,
		.about = verb->about,
		.row = row,
		.n = verb->options_n,
	};
	char name[32];
	struct request request = { 0 };
	int first;

	(void)snprintf(name, sizeof(name), "policy %s", verb->name);
	argv[0] = name;
	if (verb->own)
		return verb->own(argc, argv, err);
	first = options_parse(&options, &request, argc, argv, err);
	if (first == OPTIONS_HELP)
		return 0;
	if (first < 0)
		return err_step(err, "options");
	if (argc - first < verb->min || argc - first > verb->max) {
		(void)err_set(err, EINVAL, "%s",
		              argc - first < verb->min ? "a policy is missing"
		                                       : "too many words");
		(void)err_hint(err, "berth %s %s", name, verb->words);
		return err_step(err, "options");
	}
	return verb->run(argc - first, argv + first, &request, err);
}

int cmd_policy(int argc, char **argv, struct err *err)
{
	int r;

	if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		usage();
		return argc < 2 ? 125 : 0;
	}
	for (size_t i = 0; i < VERBS_N; i++) {
		if (strcmp(argv[1], verbs[i].name) != 0)
			continue;
		r = run_verb(&verbs[i], argc - 1, argv + 1, err);
		return r < 0 && !err->step[0] ? err_step(err, "policy") : r;
	}
	(void)err_set(err, EINVAL, "no verb '%s'", argv[1]);
	(void)err_hint(err, "'berth policy --help' lists them");
	return err_step(err, "policy");
}
