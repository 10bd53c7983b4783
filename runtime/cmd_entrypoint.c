#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "commands.h"
#include "entrypoint.h"
#include "exec.h"
#include "options.h"
#include "pid1.h"
#include "run.h"
#include "story.h"

void entrypoint_tell(const struct err *err)
{
	char text[1024];

	story_last(text, log_err_text(err, text, sizeof(text)));
}

/* The child: the supervisor of the workspace. Its failures are its own to print. */
static int supervisor(const struct config *config, struct arena *arena)
{
	struct err err = { 0 };
	int r = run(config, false, arena, &err);

	if (r < 0) {
		entrypoint_tell(&err);
		log_err(&err);
		r = exec_exit_code(&err);
	}
	return fflush(stdout) == 0 ? r : EXEC_FAILED;
}

static int ended(int status)
{
	char text[128];
	int len;

	if (!WIFSIGNALED(status))
		return WEXITSTATUS(status);
	len = snprintf(text, sizeof(text), "the supervisor was ended by signal %d",
	               WTERMSIG(status));
	log_warn("%s", text);
	story_last(text, (size_t)len);
	return pid1_code(status);
}

/*
 * The first process of the pod does nothing else, so that the supervisor is none: signals
 * have their usual meaning for it, orphans of kubectl exec are not its children, and its end,
 * whatever the cause, is told.
 */
int entrypoint_run(const struct config *config, struct arena *arena, struct err *err)
{
	const pid_t self = getpid();
	sigset_t all, old;
	int status;
	pid_t pid;

	(void)sigfillset(&all);
	if (sigprocmask(SIG_BLOCK, &all, &old) < 0)
		return err_set(err, errno, "block signals");
	/* Where somebody else is the first, as with shareProcessNamespace. */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid = fork();
	if (pid < 0)
		return err_set(err, errno, "start the supervisor");
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != self)
			_exit(EXEC_FAILED);
		(void)sigprocmask(SIG_SETMASK, &old, NULL);
		_exit(supervisor(config, arena));
	}
	status = pid1_serve(pid, true);
	return status < 0 ? err_set(err, -status, "wait for the supervisor")
	                  : ended(status);
}

int cmd_entrypoint(int argc, char **argv, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	struct config config;
	int r = config_parse_entrypoint(argc, argv, environ, &arena, &config, err);

	if (r == OPTIONS_HELP)
		return 0;
	if (r == 0)
		r = entrypoint_run(&config, &arena, err);
	if (r < 0)
		entrypoint_tell(err);
	return r;
}
