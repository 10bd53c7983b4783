#include <errno.h>

#include "commands.h"
#include "entries.h"
#include "run.h"
#include "state.h"

static const struct options options = {
	.words = "NAME...",
	.about =
		"Start workspaces that have ended again, with the options of their run,\n"
		"in the background.",
};

static int start_one(void *ctx, int state, int entry, const char *name, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	struct record record;
	int r;

	(void)ctx;
	(void)state;
	if (state_alive(entry))
		return err_set(err, EBUSY, "workspace '%s' is running", name);
	r = state_read(entry, name, &arena, &record, err);
	/* It prints the name, as a detached run does. */
	return r < 0 ? r : cmd_run_saved(&record, err);
}

int cmd_start(int argc, char **argv, struct err *err)
{
	struct entries entries;
	int r = entries_options(&options, NULL, argc, argv, 0, &entries, err);

	if (r != 0)
		return r == OPTIONS_HELP ? 0 : r;
	return entries_walk(&entries, start_one, NULL, err);
}
