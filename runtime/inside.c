#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/syscall.h"
#include "launch.h"
#include "pid1.h"

/* Should: hold what the steps need and nothing of the pod beside it. */
static int shed(struct launch *launch, struct err *err)
{
	const int keep[] = {
		launch->sync.init[1],
		launch->sync.birth[1],
		launch->proc,
		launch->ended[1],
		launch->stdin_to_stderr[0],
		launch->stdin_to_stderr[1],
		launch->stdin_to_stderr[2],
	};
	int r = fd_keep_only(keep, sizeof(keep) / sizeof(keep[0]), err);

	/* The warden's, closed by now: the next file opened may get their numbers. */
	launch->root = launch->store = -EBADF;
	return r;
}

static int prepare(struct launch *launch, struct err *err)
{
	int32_t present = 0;
	int fds[SYNC_READY_FDS];
	int r;

	r = shed(launch, err);
	if (r == 0)
		r = sync_expect(launch->sync.birth[1], SYNC_MAPPED, NULL, NULL, 0, err);
	if (r < 0)
		return r;
	/* Where keyctl(2) is refused to us, it is to the workspace, too. */
	(void)sys_join_session_keyring();
	r = apply_until(launch, ACTOR_INIT, STEP_DETACH, err);
	if (r < 0)
		return r;
	drop_fd(&launch->sync.birth[1]);
	drop_fd(&launch->proc);

	fds[SYNC_READY_PTY] = launch->pty_master;
	fds[SYNC_READY_NOTIFY] = launch->notify;
	fds[SYNC_READY_ROUTES] = launch->routes;
	fds[SYNC_READY_LOOKOUT] = launch->lookout;
	fds[SYNC_READY_LINKS] = launch->links;
	for (int i = 0; i < SYNC_READY_FDS; i++)
		present |= fds[i] >= 0 ? 1 << i : 0;
	r = sync_send(launch->sync.init[1], SYNC_READY, present, fds, SYNC_READY_FDS,
	              err);
	if (r < 0)
		return r;
	drop_fd(&launch->pty_master);
	drop_fd(&launch->notify);
	drop_fd(&launch->routes);
	drop_fd(&launch->lookout);
	drop_fd(&launch->links);
	/* What our command line says of outside is nobody's business inside. The words of the
	 * configuration are copies. */
	if (launch->plan->init == INIT_BERTH)
		pid1_disguise(&launch->config->own_words);
	/* While the supervisor gets ready itself: to detach a tree takes the kernel a grace
	 * period, and then it compiles the filter. Not the change of user, after which our files in /proc are not ours. */
	r = apply_until(launch, ACTOR_INIT,
	                launch->plan->service_n > 0               ? STEP_SUPERVISE
	                : plan_user(launch->plan, launch->config) ? STEP_USER
	                                                          : STEP_EXEC,
	                err);
	if (r < 0)
		return r;
	r = sync_expect(launch->sync.init[1], SYNC_GO, NULL, NULL, 0, err);
	/* Before anything of the image runs: our memory is the supervisor's, and
	 * /proc/1/exe is the berth of outside. Not earlier: the supervisor has to open
	 * our namespaces first, and files of /proc/self would not be ours (proc(5)). */
	(void)prctl(PR_SET_DUMPABLE, 0);
	return r;
}

/**
 * init_main() - L2: from its birth to the execution of the payload
 * @arg:	the struct launch
 *
 * Where we are: own user, PID, IPC, UTS and usually network and cgroup namespaces; PID
 * 1; beside the warden in its mount namespace until STEP_UNSHARE, with the pod's tree
 * in sight until STEP_DETACH; IDs not mapped before SYNC_MAPPED.
 *
 * Should: mount what is only convenience (proc, sysfs, devpts), pivot, execute.
 * Mustn't: open anything by a path of the pod, except below @proc; allocate what it
 * cannot name; return.
 *
 * Return: 125 for a failure; what the payload returns otherwise.
 */
int init_main(void *arg)
{
	struct launch *launch = arg;
	struct err err = { 0 };

	if (prepare(launch, &err) == 0)
		(void)apply_until(launch, ACTOR_INIT, STEP_MAX, &err);
	/* Else whoever left us alone has said why, and it is not for us to cover that. */
	if (err.code != ECONNRESET)
		sync_fail(launch->sync.init[1], &err);
	return 125;
}
