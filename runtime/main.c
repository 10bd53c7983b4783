#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "commands.h"
#include "exec.h"
#include "oci_wrapper.h"
#include "seal.h"

/* clang-format off */
static const struct command {
	const char *name;
	command_fn *run;
	const char *help;
	bool enters; /* puts a process of ours into a running workspace: see seal.h */
} commands[] = {
	{ "run", cmd_run, "start a workspace: a command, or a whole system", false },
	{ "exec", cmd_exec, "run a command in a running workspace", true },
	{ "plan", cmd_plan, "print what run would do, step by step, and touch nothing", false },
	{ "policy", cmd_policy, "read, check, explain and compare policies", false },
	{ "check", cmd_check, "what this machine or pod permits, and what mends the rest", false },
	{ "port", cmd_port, "list or change the published ports of a workspace", false },
	{ "ps", cmd_ps, "list workspaces", false },
	{ "inspect", cmd_inspect, "all that is known of workspaces, as JSON", false },
	{ "stats", cmd_stats, "what running workspaces use", false },
	{ "logs", cmd_logs, "what a workspace wrote to its console", false },
	{ "wait", cmd_wait, "wait until a workspace is ready, or has ended", false },
	{ "start", cmd_start, "start a workspace that was stopped", false },
	{ "update", cmd_update, "change the rates of a running workspace", false },
	{ "stop", cmd_stop, "end a workspace politely, then by force", false },
	{ "kill", cmd_kill, "send a signal to a workspace's init", false },
	{ "rm", cmd_rm, "remove a workspace that was stopped", false },
	{ "unshare", cmd_unshare, "run a command with the IDs that a workspace would have", false },
	{ "version", cmd_version, "print the version", false },
};
/* clang-format on */
#define COMMANDS_N (sizeof(commands) / sizeof(commands[0]))

static void usage(FILE *out)
{
	(void)fprintf(out, "usage: berth COMMAND [OPTION...]\n\n");
	for (size_t i = 0; i < COMMANDS_N; i++)
		(void)fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].help);
	(void)fprintf(out,
	              "\nberth COMMAND --help tells its options; berth(1) the rest.\n");
}

/* Whoever started us without standard streams: the next file opened must not become
 * one of them. */
static void fill_stdio(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			(void)!open("/dev/null", O_RDWR | O_CLOEXEC);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	struct err err = { 0 };
	int r;

	fill_stdio();
	if (oci_wrapper_called(argv[0]))
		return oci_wrapper_main(argc, argv);
	/* Ignored by the caller, it would take the exit status of our children along. */
	(void)signal(SIGCHLD, SIG_DFL);
	if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
		usage(stdout);
		return 0;
	}
	if (!strcmp(name, "--version"))
		name = "version";
	for (size_t i = 0; i < COMMANDS_N; i++) {
		if (strcmp(name, commands[i].name) != 0)
			continue;
		r = 0;
		if (commands[i].enters && seal_needed())
			r = seal_self(argv, &err);
		if (r == 0)
			r = commands[i].run(argc - 1, argv + 1, &err);
		if (r >= 0)
			return fflush(stdout) == 0 ? r : EXEC_FAILED;
		log_err(&err);
		return exec_exit_code(&err);
	}
	if (!*name) {
		usage(stderr);
		return EXEC_FAILED;
	}
	(void)err_set(&err, EINVAL, "no command '%s'", name);
	(void)err_hint(&err, "berth --help lists them");
	log_err(&err);
	return EXEC_FAILED;
}
