#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "base/fd.h"
#include "claim.h"
#include "commands.h"
#include "control.h"
#include "entries.h"
#include "state.h"

static const struct option rows[] = {
	{ "force", 'f', NULL,
	  "kill those that run; no failure for those that do not exist", option_flag, 0 },
};

static const struct options options = {
	.words = "NAME...",
	.about = "Remove workspaces that have ended: what is known of them, their logs "
		 "and "
		 "their\nupper layers.",
	.row = rows,
	.n = sizeof(rows) / sizeof(rows[0]),
};

static int end_it(int entry, const char *name, struct err *err)
{
	struct control_request request = { .verb = CONTROL_KILL, .signal = SIGKILL };
	int r = claim_end_pull(entry, name, err);

	if (r != 0)
		return r < 0 ? r : 0;
	/* Who has no socket, or has ended meanwhile, needs no signal. */
	if (entries_ask(entry, &request, err) < 0) {
		if (err->code != ESRCH && err->code != ECONNRESET)
			return err_wrap(err, "kill '%s'", name);
		err_clear(err);
	}
	if (!entries_wait_dead(entry, ENTRIES_END_MS))
		return err_set(err, ETIMEDOUT, "workspace '%s' does not end", name);
	return 0;
}

static int remove_outside(int entry, const char *name, bool force, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	struct record record;
	int r = state_read(entry, name, &arena, &record, err);

	if (r == 0)
		r = state_remove_outside(&record, true, err);
	else if (force || r == -ENOENT)
		err_clear(err); /* nothing is known of what lies outside */
	else
		return err_hint(err, "'berth rm -f %s' removes it all the same", name);
	return err->code > 0 ? -err->code : 0;
}

static int remove_one(void *ctx, int state, int entry, const char *name, struct err *err)
{
	bool force = *(bool *)ctx;
	cleanup_close int lock = -EBADF, locked = -EBADF;
	int r;

	if (force && state_alive(entry)) {
		r = end_it(entry, name, err);
		if (r < 0)
			return r;
	}
	locked = state_reopen(state, name, &lock, err);
	if (locked == -ENOENT && force) {
		err_clear(err); /* it was started with --rm */
		(void)printf("%s\n", name);
		return 0;
	}
	if (locked == -EBUSY)
		return err_hint(err, "'berth stop %s' first, or 'berth rm -f %s'", name,
		                name);
	if (locked < 0)
		return locked;
	r = remove_outside(locked, name, force, err);
	if (r == 0)
		r = state_remove(state, name, err);
	if (r == 0)
		(void)printf("%s\n", name);
	return r;
}

int cmd_rm(int argc, char **argv, struct err *err)
{
	struct entries entries;
	bool force = false;
	int r = entries_options(&options, &force, argc, argv, 0, &entries, err);

	if (r != 0)
		return r == OPTIONS_HELP ? 0 : r;
	entries.missing_ok = force;
	return entries_walk(&entries, remove_one, &force, err);
}
