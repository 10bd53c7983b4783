#include <errno.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/log.h"
#include "claim.h"
#include "commands.h"
#include "control.h"
#include "entries.h"
#include "state.h"

static const struct option rows[] = {
	{ "time", 't', "SECONDS", "before it is killed; by default what run was given",
	  option_seconds, 0 },
};

static const struct options options = {
	.words = "NAME...",
	.about = "End workspaces: politely, and by force when the time is over.",
	.row = rows,
	.n = sizeof(rows) / sizeof(rows[0]),
};

/* Its supervisor said why, to its own log. */
static void tell_left(int entry, const char *name)
{
	cleanup_arena struct arena arena = { 0 };
	struct err ignored = { 0 };
	struct record record;

	if (state_read(entry, name, &arena, &record, &ignored) == 0 &&
	    (*record.cgroup || record.cgroup1_n > 0))
		log_warn("workspace '%s' has ended, and its cgroup is still there: the "
		         "next "
		         "berth command tries to remove it",
		         name);
}

static int stop_one(void *ctx, int state, int entry, const char *name, struct err *err)
{
	struct control_request request = { .verb = CONTROL_STOP,
		                           .timeout_s = *(uint64_t *)ctx };
	int r = claim_end_pull(entry, name, err);

	(void)state;
	if (r == 0)
		r = entries_ask(entry, &request, err);
	/* Its socket, its supervisor or all of it was gone before: that is what stop is
	 * for. One that is alive and has no socket is still being launched. */
	if ((r == -ESRCH || r == -ECONNRESET) &&
	    entries_wait_dead(entry, r == -ECONNRESET ? ENTRIES_END_MS : 0)) {
		err_clear(err);
		r = 0;
	}
	if (r < 0)
		return err_wrap(err, "stop '%s'", name);
	/* So that rm and start find it ended. */
	if (!entries_wait_dead(entry, ENTRIES_END_MS))
		return err_set(err, ETIMEDOUT,
		               "stop '%s': it has ended, its supervisor has not", name);
	tell_left(entry, name);
	(void)printf("%s\n", name);
	return 0;
}

int cmd_stop(int argc, char **argv, struct err *err)
{
	uint64_t timeout_s = CONTROL_DEFAULT_TIMEOUT;
	struct entries entries;
	int r = entries_options(&options, &timeout_s, argc, argv, 0, &entries, err);

	if (r != 0)
		return r == OPTIONS_HELP ? 0 : r;
	return entries_walk(&entries, stop_one, &timeout_s, err);
}
