#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/nearest.h"
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
	{ "entrypoint", cmd_entrypoint, "be the first process of a pod, and see its workspace through", false },
	{ "envbox", cmd_envbox, "the same, by the variables and flags of envbox", false },
	{ "exec", cmd_exec, "run a command in a running workspace", true },
	{ "plan", cmd_plan, "print what run would do, step by step, and touch nothing", false },
	{ "policy", cmd_policy, "read, check, explain and compare policies", false },
	{ "check", cmd_check, "what this machine or pod permits, and what mends the rest", false },
	{ "port", cmd_port, "list or change the published ports of a workspace", false },
	{ "ps", cmd_ps, "list workspaces", false },
	{ "inspect", cmd_inspect, "all that is known of workspaces, as JSON", false },
	{ "stats", cmd_stats, "what running workspaces use", false },
	{ "logs", cmd_logs, "what a workspace wrote to its console", false },
	{ "health", cmd_health, "whether a workspace lives, or is ready: for probes", false },
	{ "wait", cmd_wait, "wait until a workspace is ready, or has ended", false },
	{ "start", cmd_start, "start a workspace that was stopped", false },
	{ "update", cmd_update, "change the rates of a running workspace", false },
	{ "stop", cmd_stop, "end a workspace politely, then by force", false },
	{ "kill", cmd_kill, "send a signal to a workspace's init", false },
	{ "rm", cmd_rm, "remove a workspace that was stopped", false },
	{ "image", cmd_image, "pull, list and remove images", false },
	{ "unshare", cmd_unshare, "run a command with the IDs that a workspace would have", false },
	{ "version", cmd_version, "print the version", false },
};
/* clang-format on */
#define COMMANDS_N (sizeof(commands) / sizeof(commands[0]))

static void usage(FILE *out)
{
	(void)fprintf(out, "usage: berth COMMAND [OPTION...]\n\n");
	for (size_t i = 0; i < COMMANDS_N; i++)
		(void)fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
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

/* Sealed where the workspace will see us. */
static int enter(command_fn *command, int argc, char **argv, char **self, struct err *err)
{
	int r = seal_needed() ? seal_self(self, err) : 0;

	return r < 0 ? r : command(argc, argv, err);
}

static int finish(int r, const struct err *err)
{
	if (r >= 0)
		return fflush(stdout) == 0 ? r : EXEC_FAILED;
	log_err(err);
	return exec_exit_code(err);
}

/* What others call it, or what comes to mind. */
static const struct {
	const char *name, *hint;
} elsewhere[] = {
	{ "attach",
	  "'berth exec -it NAME sh' enters it, 'berth logs -f NAME' follows its output" },
	{ "build", "'berth run --image' takes what others have built" },
	{ "create",
	  "'berth plan' shows what 'berth run' would do; 'berth run -d' starts it" },
	{ "images", "'berth image ls' lists them" },
	{ "list", "'berth ps' lists workspaces" },
	{ "ls", "'berth ps' lists workspaces" },
	{ "pull", "'berth image pull' does" },
	{ "restart", "'berth stop NAME', then 'berth start NAME'" },
	{ "rmi", "'berth image rm' does" },
	{ "top", "'berth stats' tells what workspaces use" },
};

static int unknown(const char *name, struct err *err)
{
	struct nearest near;
	char meant[NEAREST_TEXT_MAX];

	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++)
		if (!strcmp(name, elsewhere[i].name)) {
			(void)err_set(err, EINVAL, "no command '%s'", name);
			return err_hint(err, "%s", elsewhere[i].hint);
		}
	nearest_begin(&near, name);
	for (size_t i = 0; i < COMMANDS_N; i++)
		nearest_try(&near, commands[i].name);
	(void)err_set(err, EINVAL, "no command '%s'%s", name, nearest_text(&near, meant));
	return err_hint(err, "'berth --help' lists them");
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
	if (envbox_called(argv[0]))
		return finish(cmd_envbox(argc, argv, &err), &err);
	if (exec_called(argv[0]))
		return finish(enter(exec_as_called, argc, argv, argv, &err), &err);
	if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
		usage(stdout);
		return 0;
	}
	if (!strcmp(name, "--version"))
		name = "version";
	for (size_t i = 0; i < COMMANDS_N; i++) {
		if (strcmp(name, commands[i].name) != 0)
			continue;
		r = commands[i].enters
		            ? enter(commands[i].run, argc - 1, argv + 1, argv, &err)
		            : commands[i].run(argc - 1, argv + 1, &err);
		return finish(r, &err);
	}
	if (!*name) {
		usage(stderr);
		return EXEC_FAILED;
	}
	(void)unknown(name, &err);
	log_err(&err);
	return EXEC_FAILED;
}
