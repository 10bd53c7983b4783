#include <signal.h>
#include <stdio.h>

#include "commands.h"
#include "control.h"
#include "entries.h"
#include "signals.h"

static int set_signal(void *field, const char *value, struct err *err)
{
	return signal_parse(value, field, err);
}

static const struct option rows[] = {
	{ "signal", 's', "SIGNAL", "name or number, KILL by default", set_signal, 0 },
};

static const struct options options = {
	.words = "NAME...",
	.about = "Send a signal to the init of workspaces.",
	.row = rows,
	.n = sizeof(rows) / sizeof(rows[0]),
};

static int kill_one(void *ctx, int state, int entry, const char *name, struct err *err)
{
	struct control_request request = { .verb = CONTROL_KILL, .signal = *(int *)ctx };
	struct control_reply reply;

	(void)state;
	if (control_ask(entry, &request, &reply, NULL, err) < 0) {
		(void)entries_stopped(name, err);
		return err_wrap(err, "send a signal to '%s'", name);
	}
	(void)printf("%s\n", name);
	return 0;
}

int cmd_kill(int argc, char **argv, struct err *err)
{
	struct entries entries;
	int sig = SIGKILL;
	int r = entries_options(&options, &sig, argc, argv, 0, &entries, err);

	if (r != 0)
		return r == OPTIONS_HELP ? 0 : r;
	return entries_walk(&entries, kill_one, &sig, err);
}
