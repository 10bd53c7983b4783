#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/nearest.h"
#include "base/number.h"
#include "commands.h"
#include "image.h"
#include "image_gc.h"
#include "options.h"

/* What the options of a verb say. */
struct request {
	const char *store, *authfile, *cert_dir;
	enum progress_mode progress;
	enum image_when when;
	bool insecure, json, quiet, all;
	uint64_t keep, patience_s;
};

static int set_verify(void *field, const char *value, struct err *err)
{
	bool *insecure = field;

	if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
		return err_set(err, EINVAL, "'%s' is not true or false", value);
	*insecure = !strcmp(value, "false");
	return 0;
}

static int set_patience(void *field, const char *value, struct err *err)
{
	return number_parse(value, 1, 24 * 3600, field, err);
}

static int set_size(void *field, const char *value, struct err *err)
{
	return size_parse(value, 0, INT64_MAX, field, err);
}

#define FIELD(field) offsetof(struct request, field)
#define STORE                                                                          \
	{                                                                              \
		"store", 0, "DIR", "where images are kept (BERTH_STORE)", option_text, \
			FIELD(store)                                                   \
	}
/* clang-format off */
static const struct option pull_options[] = {
	STORE,
	{ "pull",       0,   "WHEN",       "missing: what is in the store is enough (always)", image_when_option, FIELD(when) },
	{ "store-size", 0,   "SIZE",       "what the store may have afterwards: what nobody uses goes (any)", set_size, FIELD(keep) },
	{ "pull-patience", 0, "SECONDS",   "how long nothing may come before it is tried again (180)", set_patience, FIELD(patience_s) },
	{ "progress",   0,   "MODE",       "auto, bar, json or none (auto)", progress_option, FIELD(progress) },
	{ "authfile",   0,   "FILE",       "logins, as in ~/.docker/config.json (REGISTRY_AUTH_FILE)", option_text, FIELD(authfile) },
	{ "cert-dir",   0,   "DIR",        "with ca.crt, client.cert and client.key for the registry", option_text, FIELD(cert_dir) },
	{ "tls-verify", 0,   "true|false", "ask for the registry's certificate (true)", set_verify, FIELD(insecure) },
	{ "quiet",      'q', NULL,         "print no digest", option_flag, FIELD(quiet) },
};
static const struct option ls_options[] = {
	STORE,
	{ "quiet",      'q', NULL,         "only the names", option_flag, FIELD(quiet) },
	{ "format",     0,   "text|json",  "how it prints (text)", option_format, FIELD(json) },
};
static const struct option rm_options[] = {
	STORE,
};
static const struct option prune_options[] = {
	STORE,
	{ "all",        'a', NULL,         "also images with a name that no workspace uses", option_flag, FIELD(all) },
	{ "keep-size",  0,   "SIZE",       "only until the store has this size, what was not used for longest first", set_size, FIELD(keep) },
};
/* clang-format on */

static int pull_verb(int argc, char **argv, struct request *request, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	struct image_ids ids;
	int r = image_ids(&arena, &ids, err);

	for (int i = 0; i < argc && r == 0; i++) {
		struct image_wish wish = {
			.store = request->store,
			.when = request->when,
			.progress = request->progress,
			.authfile = request->authfile,
			.cert_dir = request->cert_dir,
			.insecure = request->insecure,
			.patience_s = request->patience_s,
			.keep = request->keep,
		};
		struct image_tree tree;

		r = image_ref_parse(argv[i], &arena, &wish.ref, err);
		if (r == 0)
			r = image_pull(&wish, &ids, &arena, &tree, err);
		if (r == 0 && !request->quiet)
			(void)printf("%s\n", tree.digest);
	}
	return r;
}

static int ls_verb(int argc, char **argv, struct request *request, struct err *err)
{
	(void)argc;
	(void)argv;
	return image_ls(request->store, request->json, request->quiet, err);
}

static int rm_verb(int argc, char **argv, struct request *request, struct err *err)
{
	int r = 0;

	for (int i = 0; i < argc && r == 0; i++)
		r = image_rm(request->store, argv[i], err);
	return r;
}

static int prune_verb(int argc, char **argv, struct request *request, struct err *err)
{
	(void)argc;
	(void)argv;
	return image_prune(request->store, request->all, request->keep, err);
}

/* clang-format off */
static const struct verb {
	const char *name, *words, *about;
	int (*run)(int argc, char **argv, struct request *request, struct err *err);
	const struct option *row;
	size_t row_n;
	int min, max;
} verbs[] = {
#define ROWS(row) row, sizeof(row) / sizeof((row)[0])
	{ "pull",  "REF...", "Bring images into the store and unpack them; print their digests.", pull_verb, ROWS(pull_options), 1, INT_MAX },
	{ "ls",    "",       "List the images in the store.", ls_verb, ROWS(ls_options), 0, 0 },
	{ "rm",    "REF|DIGEST...", "Remove images that no workspace uses.", rm_verb, ROWS(rm_options), 1, INT_MAX },
	{ "prune", "",       "Remove what has no name any more and what killed pulls left.", prune_verb, ROWS(prune_options), 0, 0 },
#undef ROWS
};
/* clang-format on */
#define VERBS_N (sizeof(verbs) / sizeof(verbs[0]))

static void usage(void)
{
	(void)printf("usage: berth image VERB [OPTION...] [REF...]\n\n"
	             "A REF is as docker's, debian:12, or oci:DIR, docker-archive:FILE, "
	             "oci-archive:FILE.\n\n");
	for (size_t i = 0; i < VERBS_N; i++)
		(void)printf("  %-9s %-14s %s\n", verbs[i].name, verbs[i].words,
		             verbs[i].about);
	(void)printf("\nberth image VERB --help tells its options.\n");
}

/* A store that was not given is the default one; a relative path is one from here. */
static int find_store(struct request *request, struct arena *arena, struct err *err)
{
	char cwd[PATH_MAX];

	if (!request->store)
		request->store = image_store_default(arena);
	if (!request->store || !*request->store) {
		(void)err_set(err, ENOENT, "there is no place for images");
		return err_hint(err, "--store, or BERTH_STORE, takes a directory");
	}
	if (request->store[0] == '/')
		return 0;
	if (!getcwd(cwd, sizeof(cwd)))
		return err_set(err, errno, "find the working directory");
	request->store = arena_printf(arena, "%s/%s", cwd, request->store);
	return 0;
}

static int run_verb(const struct verb *verb, int argc, char **argv, struct err *err)
{
	const struct options options = {
		.words = verb->words,
		.about = verb->about,
		.row = verb->row,
		.n = verb->row_n,
	};
	struct request request = { .when = IMAGE_ALWAYS,
		                   .keep = UINT64_MAX,
		                   .patience_s = IMAGE_PATIENCE_S };
	cleanup_arena struct arena arena = { 0 };
	char name[32];
	int first;

	(void)snprintf(name, sizeof(name), "image %s", verb->name);
	argv[0] = name;
	first = options_parse(&options, &request, argc, argv, err);
	if (first == OPTIONS_HELP)
		return 0;
	if (first < 0)
		return err_step(err, "options");
	if (argc - first < verb->min || argc - first > verb->max) {
		(void)err_set(err, EINVAL, "%s",
		              argc - first < verb->min ? "an image is missing"
		                                       : "too many words");
		(void)err_hint(err, "berth %s %s", name, verb->words);
		return err_step(err, "options");
	}
	if (find_store(&request, &arena, err) < 0)
		return err_step(err, "options");
	return verb->run(argc - first, argv + first, &request, err);
}

int cmd_image(int argc, char **argv, struct err *err)
{
	struct nearest near;
	char meant[NEAREST_TEXT_MAX];
	int r;

	if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		usage();
		return argc < 2 ? 125 : 0;
	}
	for (size_t i = 0; i < VERBS_N; i++) {
		if (strcmp(argv[1], verbs[i].name) != 0)
			continue;
		r = run_verb(&verbs[i], argc - 1, argv + 1, err);
		return r < 0 && !err->step[0] ? err_step(err, "image") : r;
	}
	nearest_begin(&near, argv[1]);
	for (size_t i = 0; i < VERBS_N; i++)
		nearest_try(&near, verbs[i].name);
	(void)err_set(err, EINVAL, "no verb '%s'%s", argv[1], nearest_text(&near, meant));
	(void)err_hint(err, "'berth image --help' lists them");
	return err_step(err, "image");
}
