#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "commands.h"
#include "options.h"
#include "probe.h"

struct arguments {
	enum tier required;
	const char *state;
	bool json;
};

static int set_required(void *field, const char *value, struct err *err)
{
	enum tier *required = field;

	for (*required = TIER_A; *required < TIER_D; ++*required)
		if (!strcmp(value, tier_name[*required]))
			return 0;
	return err_set(err, EINVAL, "--require '%s' is none of A, B and C", value);
}

static int set_state(void *field, const char *value, struct err *err)
{
	if (!*value)
		return err_set(err, EINVAL, "--state ''");
	*(const char **)field = value;
	return 0;
}

/* clang-format off */
static const struct option rows[] = {
	{ "format", 0, "text|json", "how to print it; text by default", option_format, offsetof(struct arguments, json) },
	{ "require", 0, "A|B|C", "exit with 1 unless it is this tier, or a better one", set_required, offsetof(struct arguments, required) },
	{ "state", 0, "DIR", "where upper layers are to lie (BERTH_STATE)", set_state, offsetof(struct arguments, state) },
};
/* clang-format on */

static const struct options options = {
	.words = "",
	.about = "Try what this machine or pod permits, and print what mends the rest.\n"
		 "Nothing is left of it.",
	.row = rows,
	.n = sizeof(rows) / sizeof(rows[0]),
};

static int parse(int argc, char **argv, struct arguments *ret, struct err *err)
{
	int first = options_parse(&options, ret, argc, argv, err);

	if (first == OPTIONS_HELP)
		return first;
	if (first >= 0 && first < argc)
		(void)err_set(err, EINVAL, "'%s': check takes options only", argv[first]);
	return err->code ? err_step(err, "options") : 0;
}

int cmd_check(int argc, char **argv, struct err *err)
{
	/* Nothing of the root but that it is there: its files do not matter here. */
	struct config config = {
		.rootfs = "/",
	};
	const char *state = getenv("BERTH_STATE");
	struct arguments arguments = { .required = TIER_D,
		                       .state = state && *state ? state : NULL };
	cleanup_arena struct arena arena = { 0 };
	struct report report;
	struct facts facts = { 0 };
	int r = parse(argc, argv, &arguments, err);

	if (r != 0)
		return r == OPTIONS_HELP ? 0 : r;
	for (size_t i = 0; i < BUDGET_N; i++)
		config.budget[i] = LIMIT_UNSET;
	r = probe(&config, NULL, &arena, &facts, err);
	if (r == 0)
		probe_cgroup1(&arena, &facts);
	if (r == 0)
		r = check_run(&facts, arguments.state, &arena, &report, err);
	if (r == 0 && arguments.json)
		r = check_print_json(&report, arguments.required, stdout, err);
	else if (r == 0)
		check_print(&report, isatty(STDOUT_FILENO) && !getenv("NO_COLOR"),
		            stdout);
	if (r < 0)
		return hint_for(err);
	return report.tier <= arguments.required ? 0 : 1;
}
