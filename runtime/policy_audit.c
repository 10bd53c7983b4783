#include "policy_audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "entries.h"
#include "options.h"
#include "policies/audit.h"
#include "policies/json.h"
#include "policies/yaml.h"
#include "run.h"
#include "state.h"

enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_SARIF };

/* What the options fill in. */
struct request {
	enum format format;
	enum audit_severity severity;
	const char *workspace;
	bool list;
};

static int set_format(void *field, const char *value, struct err *err)
{
	static const char *const names[] = { "text", "json", "sarif" };
	enum format *format = field;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(value, names[i])) {
			*format = (enum format)i;
			return 0;
		}
	return err_set(err, EINVAL, "'%s' is not text, json or sarif", value);
}

static int set_severity(void *field, const char *value, struct err *err)
{
	enum audit_severity *severity = field;

	for (size_t i = 0; i < AUDIT_SEVERITY_MAX; i++)
		if (!strcmp(value, audit_severity_name[i])) {
			*severity = (enum audit_severity)i;
			return 0;
		}
	return err_set(err, EINVAL, "'%s' is not info, low, medium or high", value);
}

/* clang-format off */
static const struct option rows[] = {
	{ "format", '\0', "text|json|sarif", "how it prints (text)", set_format, offsetof(struct request, format) },
	{ "severity", '\0', "LEVEL", "info, low, medium or high: findings at or above make the exit status 1 (medium)", set_severity, offsetof(struct request, severity) },
	{ "workspace", '\0', "NAME", "audit a workspace, too: what it was started with, and what is known of it", option_text, offsetof(struct request, workspace) },
	{ "list", '\0', NULL, "print the rules", option_flag, offsetof(struct request, list) },
};
/* clang-format on */

static const struct options options = {
	.words = "[POLICY|MANIFEST...]",
	.about = "Audit policies and Kubernetes manifests (YAML or JSON, - for standard "
		 "input) by\nthe rules of --list, and tell where berth could run.",
	.row = rows,
	.n = sizeof(rows) / sizeof(rows[0]),
};

static bool ends_with(const char *name, const char *end)
{
	size_t len = strlen(name), n = strlen(end);

	return len > n && !strcmp(name + len - n, end);
}

/* By the name as far as it tells, else by the content. @text is NULL for a profile. */
static bool is_policy(const char *name, const char *text, size_t size)
{
	cleanup_arena struct arena arena = { 0 };
	const struct json_value *root = NULL;
	struct err ignored = { 0 };

	if (!text)
		return true;
	if (!strcmp(name, "-") || ends_with(name, ".yaml") || ends_with(name, ".yml"))
		return false;
	/* What is no JSON is told by the reader of what it most likely is. */
	if (json_parse_with(JSON_COMMENTS, text, size, &arena, &root, &ignored) < 0)
		return ends_with(name, ".json") && !strstr(text, "\"apiVersion\"");
	return !json_get(root, "kind");
}

/* Reads what may be a pipe, which can be opened once only. Return: its length or -errno. */
static ssize_t slurp(const char *name, struct arena *arena, const char **ret,
                     struct err *err)
{
	bool is_stdin = !strcmp(name, "-");
	cleanup_close int fd = is_stdin ? -EBADF : open(name, O_RDONLY | O_CLOEXEC);
	size_t size = 0, used = 0;
	char *buf = NULL;

	if (!is_stdin && fd < 0)
		return err_set(err, errno, "open '%s'", name);
	for (;;) {
		ssize_t n;

		if (used + 1 >= size) {
			char *more = arena_alloc(arena, size ? 4 * size : 16384);

			if (!more)
				return err_set(err, ENOMEM, "read '%s'", name);
			if (used > 0)
				memcpy(more, buf, used);
			buf = more;
			size = size ? 4 * size : 16384;
		}
		n = read(is_stdin ? STDIN_FILENO : fd, buf + used, size - used - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(err, errno, "read '%s'", name);
		if (n == 0)
			break;
		used += (size_t)n;
		if (used > YAML_SIZE_MAX)
			return err_set(err, EFBIG,
			               "read '%s', which has more than %zu bytes", name,
			               YAML_SIZE_MAX);
	}
	buf[used] = '\0';
	*ret = buf;
	return (ssize_t)used;
}

static int audit_word(struct audit *audit, const char *name, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	bool is_file = strchr(name, '/') || ends_with(name, ".json") ||
	               ends_with(name, ".yaml") || ends_with(name, ".yml") ||
	               !strcmp(name, "-");
	const char *text = NULL;
	struct policy policy;
	struct config ignored;
	ssize_t size = 0;
	int r;

	if (is_file)
		size = slurp(name, &arena, &text, err);
	if (size < 0)
		return (int)size;
	if (!is_policy(name, text, (size_t)size))
		return audit_manifest(audit, strcmp(name, "-") ? name : "stdin", text,
		                      (size_t)size, err);
	r = policy_load(name, &arena, &policy, err);
	if (r == 0)
		r = config_from_policy(&policy, &arena, &ignored, err);
	return r < 0 ? r : audit_policy(audit, &policy, err);
}

int policy_audit_record(struct audit *audit, const struct record *record, struct err *err)
{
	const struct audit_workspace workspace = {
		.name = record->name,
		.words = record->args,
		.words_n = record->args_n,
		.limits = record->limits,
		.limits_n = record->limits_n,
		.net = record->net,
		.grouped = record->cgroup[0] || record->cgroup1_n > 0,
		.oom_kills = (uint64_t)record->oom_kills,
		.pids_max = (uint64_t)record->pids_max,
	};

	return audit_workspace(audit, &workspace, err);
}

static int audit_entry(void *ctx, int state, int entry, const char *name, struct err *err)
{
	struct audit *audit = ctx;
	struct record record;
	int r = state_read(entry, name, audit->arena, &record, err);

	(void)state;
	return r < 0 ? r : policy_audit_record(audit, &record, err);
}

/* Keeps @err for the last failure; the one before is printed. */
static void failed(struct audit *audit, const char *name, const struct err *one,
                   struct err *err)
{
	if (err->code)
		log_err(err);
	*err = *one;
	(void)err_step(err, "policy");
	audit_failed(audit, name, one);
}

static int print(const struct audit *audit, enum format format, struct err *err)
{
	switch (format) {
	case FORMAT_JSON:
		return audit_print_json(audit, stdout, err);
	case FORMAT_SARIF:
		return audit_print_sarif(audit, PACKAGE_VERSION, stdout, err);
	case FORMAT_TEXT:
		audit_print(audit, stdout);
	}
	return 0;
}

static int audit_all(const struct request *request, int argc, char **argv,
                     struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	struct audit audit = { .arena = &arena };
	struct err print_err = { 0 };

	for (int i = 0; i < argc; i++) {
		struct err one = { 0 };

		if (audit_word(&audit, argv[i], &one) < 0)
			failed(&audit, argv[i], &one, err);
	}
	if (request->workspace) {
		char *name = (char *)request->workspace;
		const struct entries entries = { "policy audit", &name, 1, false };
		struct err one = { 0 };

		if (entries_walk(&entries, audit_entry, &audit, &one) < 0)
			failed(&audit, request->workspace, &one, err);
	}
	if (print(&audit, request->format, &print_err) < 0)
		failed(&audit, "standard output", &print_err, err);
	if (err->code)
		return -err->code;
	return audit_count(&audit, request->severity) > 0;
}

int policy_audit_main(int argc, char **argv, struct err *err)
{
	struct request request = { .severity = AUDIT_MEDIUM };
	int first = options_parse(&options, &request, argc, argv, err);

	if (first == OPTIONS_HELP)
		return 0;
	if (first < 0)
		return err_step(err, "options");
	if (request.list) {
		if (first < argc || request.workspace || request.format == FORMAT_SARIF) {
			(void)err_set(err, EINVAL,
			              "--list takes nothing but --format text|json");
			return err_step(err, "options");
		}
		if (request.format == FORMAT_JSON)
			return audit_list_json(stdout, err);
		audit_list(stdout);
		return 0;
	}
	if (first == argc && !request.workspace) {
		(void)err_set(err, EINVAL, "nothing to audit");
		(void)err_hint(err, "name a policy, a manifest, or --workspace NAME");
		return err_step(err, "options");
	}
	return audit_all(&request, argc - first, argv + first, err);
}
