#include "policy_report.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "control.h"
#include "entries.h"
#include "options.h"
#include "policy_audit.h"
#include "policy_verify.h"
#include "report.h"
#include "run.h"

struct request {
	const char *output;
};

static const struct option rows[] = {
	{ "output", 'o', "FILE", "where the page goes, - for standard output",
	  option_text, offsetof(struct request, output) },
};

static const struct options options = {
	.words = "NAME|POLICY",
	.about = "Write one page of HTML, without scripts and without anything from "
		 "elsewhere: of a\npolicy, its values and what the audit finds; of a "
		 "running "
		 "workspace also what the\nkernel says of it, beside what was planned.",
	.row = rows,
	.n = sizeof(rows) / sizeof(rows[0]),
};

static const char *now(struct arena *arena)
{
	const time_t seconds = time(NULL);
	char text[64] = "";
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		(void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm);
	return arena_dup(arena, text);
}

/* Whole, or not at all; what was there before stays until then. */
static int put_file(const char *path, const char *text, size_t size, struct err *err)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];
	cleanup_close int fd = -EBADF;

	if (slash && (size_t)(slash - path) + 2 > sizeof(dir))
		return err_set(err, ENAMETOOLONG, "write '%.60s...'", path);
	(void)snprintf(dir, sizeof(dir), "%.*s",
	               slash ? (int)(slash - path) + (slash == path) : 1,
	               slash ? path : ".");
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, errno, "open '%s'", dir);
	return file_create(fd, slash ? slash + 1 : path, 0600, text, size, err);
}

static void free_text(char **text)
{
	free(*text);
}

static int write_page(const struct request *request, const struct report *report,
                      struct err *err)
{
	__attribute__((cleanup(free_text))) char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	int r;

	if (!out)
		return err_set(err, ENOMEM, "write the page");
	report_print(report, out);
	if (fclose(out) != 0)
		return err_set(err, ENOMEM, "write the page");
	if (!strcmp(request->output, "-"))
		r = write_all(STDOUT_FILENO, text, size);
	else
		r = put_file(request->output, text, size, err);
	if (r < 0 && !err->code)
		(void)err_set(err, -r, "write to standard output");
	return r < 0 ? err_wrap(err, "write the page") : 0;
}

static int report_policy(const struct request *request, const char *name, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	struct audit audit = { .arena = &arena };
	struct policy policy;
	struct config ignored;
	const char **where;
	int r = policy_load(name, &arena, &policy, err);

	if (r == 0)
		r = config_from_policy(&policy, &arena, &ignored, err);
	if (r == 0)
		r = audit_policy(&audit, &policy, err);
	if (r < 0)
		return r;
	where = arena_alloc(&arena, (policy.n + 1) * sizeof(*where));
	if (!where)
		return err_set(err, ENOMEM, "write the page");
	for (size_t i = 0; i < policy.n; i++)
		where[i] = policy_origin(&arena, &policy.setting[i]);
	return write_page(request,
	                  &(struct report){ .name = name,
	                                    .at = now(&arena),
	                                    .policy = &policy,
	                                    .where = where,
	                                    .audit = &audit },
	                  err);
}

/* Who said a value: the last one that said this one, else the last one that said any. */
static const char *origin_of(const struct record *record, const struct policy_setting *s)
{
	const char *any = NULL;

	for (size_t i = record->origins_n / 3; i > 0; i--) {
		const char *const *origin = &record->origins[3 * (i - 1)];

		if (strcmp(origin[0], s->key->path) != 0)
			continue;
		if (!strcmp(origin[1], s->value))
			return origin[2];
		if (!any)
			any = origin[2];
	}
	return any ? any : "berth run";
}

/* The config that its words are of. */
static int read_words(const struct record *record, struct arena *arena,
                      struct policy *ret, struct err *err)
{
	char **argv = arena_alloc(arena, (record->args_n + 1) * sizeof(*argv));
	struct config config;
	int r;

	if (!argv)
		return err_set(err, ENOMEM, "read its words");
	for (size_t i = 0; i < record->args_n; i++)
		argv[i] = (char *)record->args[i];
	r = config_parse((int)record->args_n, argv, arena, &config, NULL, err);
	if (r == OPTIONS_HELP)
		r = err_set(err, EINVAL, "read its words");
	return r < 0 ? r : config_settings(&config, arena, ret, err);
}

/* What cannot be had of these is no reason to fail: the page leaves it out. */
static void look_at_use(struct verify *verify, int entry, struct metrics *ret,
                        struct watchers *watchers, bool *ret_seen)
{
	const struct control_request request = { .verb = CONTROL_TRAFFIC };
	struct control_reply reply;
	struct err ignored = { 0 };

	metrics_begin(verify->record, ret);
	metrics_group(ret, verify->limits);
	*ret_seen = watchers_count(verify->init, watchers, &ignored) == 0;
	if (*ret_seen)
		metrics_watchers(ret, watchers);
	err_clear(&ignored);
	if (control_ask(entry, &request, &reply, NULL, &ignored) < 0)
		return;
	ret->has_network = true;
	ret->network = reply.traffic;
}

static int report_verified(const struct request *request, struct verify *verify,
                           int entry, struct err *err)
{
	struct arena *arena = verify->arena;
	const struct record *record = verify->record;
	struct audit audit = { .arena = arena };
	struct watchers watchers;
	struct metrics metrics;
	struct policy policy;
	const char **where;
	bool seen;
	int r = read_words(record, arena, &policy, err);

	if (r == 0)
		r = policy_audit_record(&audit, record, err);
	if (r == 0)
		r = verify_run(verify, err);
	if (r < 0)
		return r;
	where = arena_alloc(arena, (policy.n + 1) * sizeof(*where));
	if (!where)
		return err_set(err, ENOMEM, "write the page");
	for (size_t i = 0; i < policy.n; i++)
		where[i] = origin_of(record, &policy.setting[i]);
	look_at_use(verify, entry, &metrics, &watchers, &seen);
	return write_page(request,
	                  &(struct report){ .name = record->name,
	                                    .at = now(arena),
	                                    .policy = &policy,
	                                    .where = where,
	                                    .audit = &audit,
	                                    .record = record,
	                                    .verify = verify,
	                                    .metrics = &metrics,
	                                    .watchers = seen ? &watchers : NULL },
	                  err);
}

static int report_entry(void *ctx, int state, int entry, const char *name,
                        struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	struct verify verify = { .arena = &arena };
	const struct request *request = ctx;
	struct record record;
	int r = state_read(entry, name, &arena, &record, err);

	(void)state;
	if (r < 0)
		return r;
	if (!state_alive(entry) || record.status != STATUS_RUNNING) {
		(void)err_set(err, ESRCH, "'%s' is not running", name);
		return err_hint(err, "of its policy alone: berth policy report POLICY");
	}
	verify.record = &record;
	r = verify_open(&verify, entry, err);
	if (r == 0)
		r = report_verified(request, &verify, entry, err);
	verify_close(&verify);
	return r < 0 ? err_wrap(err, "report on '%s'", name) : 0;
}

static bool is_profile(const char *name)
{
	for (size_t i = 0; i < policy_profiles_n; i++)
		if (!strcmp(policy_profiles[i].name, name))
			return true;
	return false;
}

/* A workspace that has a profile's name goes before it. */
static bool is_policy(const char *name)
{
	const size_t len = strlen(name);
	struct err ignored = { 0 };
	cleanup_close int state = -EBADF, entry = -EBADF;

	if (strchr(name, '/') || (len > 5 && !strcmp(name + len - 5, ".json")))
		return true;
	if (!is_profile(name))
		return false;
	state = state_open(false, &ignored);
	entry = state >= 0 ? state_entry(state, name, &ignored) : -EBADF;
	return entry < 0;
}

int policy_report_main(int argc, char **argv, struct err *err)
{
	struct request request = { 0 };
	struct entries entries;
	int r = entries_options(&options, &request, argc, argv, 1, &entries, err);

	if (r != 0)
		return r == OPTIONS_HELP ? 0 : r;
	if (!request.output) {
		(void)err_set(err, EINVAL, "-o FILE is missing");
		(void)err_hint(err, "name a file for the page, or - for standard output");
		return err_step(err, "options");
	}
	if (is_policy(entries.name[0]))
		return report_policy(&request, entries.name[0], err);
	return entries_walk(&entries, report_entry, &request, err);
}
