#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/nearest.h"
#include "commands.h"
#include "options.h"
#include "policies/caps.h"
#include "policy_audit.h"
#include "policy_diff.h"
#include "policy_namespaces.h"
#include "policy_path.h"
#include "policy_report.h"
#include "policy_seccomp.h"
#include "policy_suggest.h"
#include "policy_verify.h"
#include "run.h"

/* What the options of the verbs fill in. */
struct request {
	bool json;
};

/* Reads a policy and tries its values, so that what follows deals with good ones only. */
static int load_config(const char *name, struct arena *arena, struct policy *ret,
                       struct config *config, struct err *err)
{
	int r = policy_load(name, arena, ret, err);

	return r < 0 ? r : config_from_policy(ret, arena, config, err);
}

static int load(const char *name, struct arena *arena, struct policy *ret,
                struct err *err)
{
	struct config ignored;

	return load_config(name, arena, ret, &ignored, err);
}

/* What root inside can have at most. The other two sets a new user namespace empties. */
static const char *bounding(const struct config *config, struct arena *arena)
{
	const uint64_t drop = config->cap_drop & ~config->cap_add;

	if (!drop)
		return "all";
	if (config->cap_drop != CAPS_ALL)
		return arena_printf(arena, "all but %s", caps_text(drop, arena));
	return config->cap_add ? caps_text(config->cap_add, arena) : "none";
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
	struct config config;
	struct policy policy;
	int r = load_config(argc > 0 ? argv[0] : POLICY_DEFAULT, &arena, &policy, &config,
	                    err);

	if (r < 0)
		return r;
	if (request->json)
		return policy_print(&policy, stdout, err);
	for (size_t i = 0; i < policy.n; i++)
		(void)printf("%-24s %-20s %s\n", policy.setting[i].key->path,
		             policy.setting[i].value,
		             policy_origin(&arena, &policy.setting[i]));
	(void)printf("\ncapabilities: bounding %s; inheritable none; ambient none\n",
	             bounding(&config, &arena));
	return 0;
}

static int validate(int argc, char **argv, const struct request *request, struct err *err)
{
	(void)request;
	for (int i = 0; i < argc; i++) {
		cleanup_arena struct arena arena = { 0 };
		struct policy policy;
		struct err wrong = { 0 };

		if (load(argv[i], &arena, &policy, &wrong) == 0) {
			(void)printf("%s: good\n", argv[i]);
			continue;
		}
		(void)err_step(&wrong, "policy");
		/* The last one is told by whoever called us. */
		if (err->code)
			log_err(err);
		*err = wrong;
	}
	return -err->code;
}

/* Whether a key is @only, or below it; all are below NULL. */
static bool is_asked(const struct policy_key *key, const char *only)
{
	size_t len = only ? strlen(only) : 0;

	return !only || (!strncmp(key->path, only, len) &&
	                 (key->path[len] == '\0' || key->path[len] == '.'));
}

static bool is_limit(const struct policy_key *key)
{
	return key->sense == POLICY_CEILING || key->sense == POLICY_EACH ||
	       key->sense == POLICY_WITHIN;
}

static bool is_said(const struct policy *policy, const struct policy_key *key)
{
	for (size_t i = 0; i < policy->n; i++)
		if (policy->setting[i].key == key)
			return true;
	return false;
}

static void explain_setting(const struct policy_setting *s, struct arena *arena)
{
	const char *meaning = policy_meaning(s);

	(void)printf("%s: %s%s %s (%s)\n", s->key->path, s->value, meaning ? ":" : "",
	             meaning ? meaning : s->key->about, policy_origin(arena, s));
}

/* What is not said of what was asked, or of all limits, on one line: "a.b, c; d.e". */
static void explain_unsaid(const struct policy *policy, const char *only)
{
	const char *lead = "not said, so what berth or the pod sets counts: ";
	const char *before = NULL;

	for (size_t i = 0; i < policy_keys_n; i++) {
		const char *path = policy_keys[i].path, *dot = strchr(path, '.');
		size_t group = dot ? (size_t)(dot + 1 - path) : 0;
		bool same = before && group > 0 && !strncmp(before, path, group);

		if ((!only && !is_limit(&policy_keys[i])) ||
		    !is_asked(&policy_keys[i], only) || is_said(policy, &policy_keys[i]))
			continue;
		(void)printf("%s%s", same ? ", " : lead, same ? path + group : path);
		lead = "; ";
		before = path;
	}
	if (before)
		(void)putchar('\n');
}

static int explain(int argc, char **argv, const struct request *request, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	const char *only = argc > 1 ? argv[1] : NULL;
	struct config config;
	struct policy policy;
	bool found = false;
	int r = load_config(argc > 0 ? argv[0] : POLICY_DEFAULT, &arena, &policy, &config,
	                    err);

	(void)request;
	if (r < 0)
		return r;
	if (only && only[0] == '/')
		return policy_path_explain(&policy, &config, only, &arena, err);
	if (only && !strcmp(only, "namespaces")) {
		policy_namespaces_explain(&config);
		return 0;
	}
	for (size_t i = 0; i < policy_keys_n; i++)
		found |= is_asked(&policy_keys[i], only);
	if (!found)
		return policy_seccomp_explain(&config, only, err);
	for (size_t i = 0; i < policy.n; i++)
		if (is_asked(policy.setting[i].key, only))
			explain_setting(&policy.setting[i], &arena);
	if (!only || !strcmp("capabilities", only))
		(void)printf("capabilities: root inside, and whatever it executes, can "
		             "have %s; none are inheritable, none ambient\n",
		             bounding(&config, &arena));
	if (!only)
		policy_namespaces_sum_up(&config);
	explain_unsaid(&policy, only);
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
	{ "show", show, "[POLICY]", 0, 1, "Print a policy with all that it extends, and where each value is from.", 1, NULL },
	{ "explain", explain, "[POLICY [KEY|CALL|PATH]]", 0, 2, "Tell in plain words what a policy does: all of it, a key, a call or a path.", 0, NULL },
	{ "diff", diff, "POLICY POLICY", 2, 2, "Print what the second one allows more (+), less (-), or otherwise (~).\nThe exit status is 1 where it allows more.", 0, NULL },
	{ "audit", NULL, "[POLICY|MANIFEST...]", 0, 0, "Audit policies, Kubernetes manifests and workspaces by rules.", 0, policy_audit_main },
	{ "verify", NULL, "NAME", 0, 0, "Ask the kernel whether a running workspace is what it was planned to be.", 0, policy_verify_main },
	{ "report", NULL, "NAME|POLICY", 0, 0, "Write a page of HTML about a policy, or about a running workspace.", 0, policy_report_main },
	{ "seccomp", NULL, "[POLICY]", 0, 0, "Print the filter of system calls that a policy makes.", 0, policy_seccomp_main },
	{ "suggest", NULL, "LOG...", 0, 0, "Make of audit logs the smallest policy that allows what they tell of, for review.", 0, policy_suggest_main },
	{ "schema", schema, "", 0, 0, "Print the JSON Schema of a policy.", 0, NULL },
};
/* clang-format on */
#define VERBS_N (sizeof(verbs) / sizeof(verbs[0]))

static void usage(void)
{
	(void)printf(
		"usage: berth policy VERB [OPTION...] [POLICY...]\n\n"
		"A policy is a profile, or a file with a '/' in its name or .json at "
		"its end.\nshow and explain without one are about " POLICY_DEFAULT
		", which run has without a COMMAND.\n\n");
	for (size_t i = 0; i < VERBS_N; i++)
		(void)printf("  %-9s %-22s %.*s\n", verbs[i].name, verbs[i].words,
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

static int unknown(const char *name, struct err *err)
{
	struct nearest near;
	char meant[NEAREST_TEXT_MAX];

	/* What other programs call the two. */
	if (!strcmp(name, "lint") || !strcmp(name, "check")) {
		(void)err_set(err, EINVAL, "no verb '%s'", name);
		return err_hint(err, "'berth policy validate' reads one and tries every "
		                     "value, 'berth policy audit' goes by rules");
	}
	nearest_begin(&near, name);
	for (size_t i = 0; i < VERBS_N; i++)
		nearest_try(&near, verbs[i].name);
	(void)err_set(err, EINVAL, "no verb '%s'%s", name, nearest_text(&near, meant));
	return err_hint(err, "'berth policy --help' lists them");
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
	(void)unknown(argv[1], err);
	return err_step(err, "policy");
}
