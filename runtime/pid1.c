#include "pid1.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/memory.h"
#include "sync.h"

/* Reaps all there is; the command's wait status in @ret, and whether it was among it. */
static bool reap(pid_t child, int *ret)
{
	bool ended = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == child) {
			*ret = status;
			ended = true;
		}
	return ended;
}

void pid1_disguise(const struct words_area *words)
{
	struct words_area area = *words;

	if (area.size == 0)
		words_find(&area);
	words_forget(&area, "berth-init");
}

/* What a terminal sends goes to all in its foreground, so the child has it already. */
static bool of_terminal(const siginfo_t *info)
{
	return info->si_code == SI_KERNEL &&
	       (info->si_signo == SIGINT || info->si_signo == SIGQUIT ||
	        info->si_signo == SIGHUP || info->si_signo == SIGWINCH);
}

int pid1_serve(pid_t child, bool terminal)
{
	const struct timespec soon = { .tv_sec = MEMORY_SETTLE_MS / 1000 };
	bool settled = false;
	siginfo_t info;
	sigset_t all;
	int status = 0;

	(void)sigfillset(&all);
	/* Look before the first wait: of a command that ended before its signals were
	 * blocked nothing is pending. */
	while (!reap(child, &status)) {
		if (sigtimedwait(&all, &info, settled ? NULL : &soon) < 0) {
			if (errno != EINTR && errno != EAGAIN)
				return -errno;
			if (errno == EAGAIN) {
				memory_settle();
				settled = true;
			}
		} else if (info.si_signo != SIGCHLD &&
		           !(terminal && of_terminal(&info))) {
			(void)kill(child, info.si_signo);
		}
	}
	return status;
}

int pid1_code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int pid1_run(pid_t child, int sock)
{
	struct err ignored = { 0 };
	sigset_t all;
	int null, status;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, NULL);

	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0)
		(void)fd_replace_stdio(null, null, null, &ignored);
	(void)fd_keep_only(&sock, 1, &ignored);

	status = pid1_serve(child, false);
	if (status < 0)
		return 125;
	status = pid1_code(status);
	if (sock >= 0)
		(void)sync_send(sock, SYNC_EXITED, status << 8, NULL, 0, &ignored);
	return status;
}
