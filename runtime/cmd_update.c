#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "control.h"
#include "entries.h"
#include "netns/rate.h"

static int set_rate(void *field, const char *value, struct err *err)
{
	char *text = field;
	uint64_t ignored;
	int r = rate_parse(value, &ignored, err);

	if (r < 0)
		return r;
	if (strlen(value) >= sizeof(((struct control_request *)NULL)->rate[0]))
		return err_set(err, EINVAL, "'%s' is too long", value);
	(void)strcpy(text, value);
	return 0;
}

static const struct option rows[] = {
	{ "rate-down", 0, "RATE", "download rate from now on: 100mbit, 2gbit, 10MB",
	  set_rate, offsetof(struct control_request, rate[DOWNLOAD]) },
	{ "rate-up", 0, "RATE", "upload rate from now on", set_rate,
	  offsetof(struct control_request, rate[UPLOAD]) },
};

static const struct options options = {
	.words = "NAME...",
	.about = "Change the rates of running workspaces.",
	.row = rows,
	.n = sizeof(rows) / sizeof(rows[0]),
};

static int update_one(void *ctx, int state, int entry, const char *name, struct err *err)
{
	(void)state;
	if (entries_ask(entry, ctx, err) < 0)
		return err_wrap(err, "update '%s'", name);
	(void)printf("%s\n", name);
	return 0;
}

int cmd_update(int argc, char **argv, struct err *err)
{
	struct control_request request = { .verb = CONTROL_UPDATE };
	struct entries entries;
	int r = entries_options(&options, &request, argc, argv, 0, &entries, err);

	if (r != 0)
		return r == OPTIONS_HELP ? 0 : r;
	if (!*request.rate[DOWNLOAD] && !*request.rate[UPLOAD]) {
		(void)err_set(err, EINVAL, "nothing to change");
		(void)err_hint(err, "give --rate-down, --rate-up or both");
		return err_step(err, "update");
	}
	return entries_walk(&entries, update_one, &request, err);
}
