#include "refusals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "pidfd.h"
#include "refusals_process.h"
#include "spawn.h"

/* A process that was taken over tells what it likes, but no faster. */
#define REPORTS_A_TURN 32
#define LAST_MS 1000

void refusals_init(struct refusals *refusals)
{
	*refusals =
		(struct refusals){ .report = -EBADF, .intake = -EBADF, .pidfd = -EBADF };
}

/* The loop forgets it before its number is somebody else's. */
static void drop_report(struct refusals *refusals)
{
	if (refusals->report >= 0 && refusals->loop)
		loop_remove(refusals->loop, refusals->report);
	drop_fd(&refusals->report);
}

/* Return: whether more may come. */
static bool receive(struct refusals *refusals)
{
	struct refusal refusal;
	ssize_t n;

	if (refusals->report < 0)
		return false;
	n = recv(refusals->report, &refusal, sizeof(refusal), MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0 || (n == sizeof(refusal) && refusal.end)) {
		drop_report(refusals);
		/* Nobody is there to take the listener of another exec: it goes without. */
		drop_fd(&refusals->intake);
		if (n <= 0)
			refusals->lost(refusals->ctx,
			               "who heard of refused system calls is gone: they "
			               "are answered ENOSYS, and not told");
		return false;
	}
	if (n != sizeof(refusal))
		return true;
	if (refusal.unheard) {
		refusals->lost(
			refusals->ctx,
			"of too many execs something is left: refused system calls "
			"of what the last one starts are answered ENOSYS, and not "
			"told");
		return true;
	}
	refusal.call[sizeof(refusal.call) - 1] = '\0';
	refusal.process[sizeof(refusal.process) - 1] = '\0';
	refusals->told(refusals->ctx, &refusal);
	return true;
}

static int on_report(void *ctx, int fd, short revents, struct err *err)
{
	(void)fd;
	(void)revents;
	(void)err;
	for (int i = 0; i < REPORTS_A_TURN && receive(ctx); i++)
		continue;
	return LOOP_GO;
}

int refusals_start(struct refusals *refusals, int listener, struct err *err)
{
	cleanup_close int own = listener;
	cleanup_close int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int far = -EBADF, far_intake = -EBADF;
	struct refusals_process process = { .rules = refusals->rules,
		                            .permit = refusals->permit,
		                            .listener = own,
		                            .proc = proc };
	const struct spawn spec = { .cgroup = -EBADF,
		                    .clone3 = refusals->clone3,
		                    .child = refusals_process,
		                    .arg = &process };
	int pair[2];

	if (proc < 0)
		return err_set(err, errno, "open '/proc'");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(err, errno, "make a socket pair");
	refusals->report = pair[0];
	far = process.report = pair[1];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(err, errno, "make a socket pair");
	refusals->intake = pair[0];
	far_intake = process.intake = pair[1];
	refusals->pid = spawn(&spec, &refusals->pidfd, err);
	if (refusals->pid < 0)
		return err_wrap(err, "start the listener of system calls");
	return loop_add(refusals->loop, refusals->report, POLLIN, on_report, refusals,
	                err);
}

void refusals_finish(struct refusals *refusals)
{
	struct pollfd pfd = { .events = POLLIN };

	/* Who waits inside for an answer is gone, so it ends by itself. */
	for (int i = 0; i < 4 * REFUSALS_MAX && refusals->report >= 0; i++) {
		pfd.fd = refusals->report;
		if (poll(&pfd, 1, LAST_MS) < 1)
			return;
		(void)receive(refusals);
	}
}

void refusals_close(struct refusals *refusals)
{
	struct err ignored = { 0 };

	if (refusals->pidfd >= 0) {
		(void)pidfd_kill(refusals->pidfd, SIGKILL, &ignored);
		while (waitpid(refusals->pid, NULL, 0) < 0 && errno == EINTR)
			continue;
	}
	drop_fd(&refusals->pidfd);
	drop_report(refusals);
	drop_fd(&refusals->intake);
}
