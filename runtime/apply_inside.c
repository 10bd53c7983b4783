#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "airlock.h"
#include "apply.h"
#include "base/fd.h"
#include "base/syscall.h"
#include "exec.h"
#include "pid1.h"
#include "pty.h"
#include "user.h"

int apply_console(struct launch *launch, const struct step *step, struct err *err)
{
	cleanup_close int tree = -EBADF, target = -EBADF;

	if (pty_open(&launch->pty_master, &launch->pty_slave, err) < 0)
		return -err->code;
	tree = open_tree(launch->pty_slave, "",
	                 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (tree < 0)
		return err_set(err, errno, "bind the terminal");
	target = target_open(launch->root, step->target, S_IFREG, err);
	if (target < 0)
		return target;
	if (move_mount(tree, "", target, "",
	               MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return err_set(err, errno, "mount on '%s'", step->target);
	return 0;
}

int apply_notify(struct launch *launch, const struct step *step, struct err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const int no = 0;
	cleanup_close int sock =
		socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (sock < 0)
		return err_set(err, errno, "make a socket");
	/* Older kernels than Linux 6.16 do not know it: see ear.h. */
	(void)setsockopt(sock, SOL_SOCKET, SO_PASSRIGHTS, &no, sizeof(no));
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", step->target);
	if (bind(sock, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return err_set(err, errno, "make the socket '%s'", step->target);
	launch->notify = take_fd(&sock);
	return 0;
}

int apply_airlock(struct launch *launch, const struct step *step, struct err *err)
{
	(void)step;
	launch->airlock = airlock_open(err);
	return launch->airlock < 0 ? -err->code : 0;
}

/* With INIT_BERTH only the command changes its user, after the fork in apply_exec(). */
int apply_user(struct launch *launch, const struct step *step, struct err *err)
{
	struct user user;
	int r = user_lookup(step->value, &user, err);

	if (r < 0 || launch->plan->init == INIT_BERTH)
		return r;
	return user_become(&user, err);
}

int payload_stdio(const struct launch *launch, struct err *err)
{
	cleanup_close int null = -EBADF;
	const int *fd = launch->stdin_to_stderr;

	if (launch->pty_slave >= 0)
		return fd_replace_stdio(launch->pty_slave, launch->pty_slave,
		                        launch->pty_slave, err);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return err_set(err, errno, "open '/dev/null'");
	return fd_replace_stdio(fd[0] >= 0 ? fd[0] : null, fd[1] >= 0 ? fd[1] : null,
	                        fd[2] >= 0 ? fd[2] : null, err);
}

/* Puts the socket where the airlock looks for it. */
static int place_socket(struct launch *launch, struct err *err)
{
	if (launch->airlock == AIRLOCK_SOCKET) {
		launch->airlock =
			fcntl(launch->airlock, F_DUPFD_CLOEXEC, AIRLOCK_SOCKET + 1);
		if (launch->airlock < 0)
			return err_set(err, errno, "move the airlock's descriptor");
	}
	return fd_hand_down(launch->sync.init[1], AIRLOCK_SOCKET, err);
}

/* From here to execve(): the payload itself. Returns only on failure. */
static int execute(struct launch *launch, struct err *err)
{
	const struct plan *plan = launch->plan;
	const char *who = plan_user(plan, launch->config);
	struct user user = { .home = "/root" };
	int r = payload_stdio(launch, err);

	if (r < 0)
		return r;
	(void)setsid();
	if (launch->pty_slave >= 0 && plan->init != INIT_SYSTEMD)
		(void)ioctl(STDIN_FILENO, TIOCSCTTY, 0);
	if (who) {
		r = user_lookup(who, &user, err);
		if (r < 0)
			return r;
		user_take_stdio(&user);
	}
	if (who && plan->init == INIT_BERTH) {
		r = user_become(&user, err);
		if (r < 0)
			return r;
	}
	r = fd_cloexec_all(err);
	if (r == 0 && launch->airlock >= 0)
		r = place_socket(launch, err);
	if (r < 0)
		return r;
	/* A system is in "/"; the directory of those who come later may be its own to make. */
	return exec_command(plan->command, exec_environment(plan->env, user.home),
	                    plan->init == INIT_SYSTEMD ? NULL : launch->config->workdir,
	                    launch->airlock, err);
}

int apply_exec(struct launch *launch, const struct step *step, struct err *err)
{
	pid_t child;

	(void)step;
	if (launch->plan->init != INIT_BERTH)
		return execute(launch, err);

	/* Signals of the caller's terminal are for the supervisor, which passes them on;
	 * from here the command would get each a second time. */
	(void)setsid();
	/* A copy of our memory that is thrown away at once would cost a tenth of the whole
	 * launch. We wait meanwhile, so only one of us writes, and nobody inside may look
	 * into it: prepare() saw to that. */
	child = vfork();
	if (child < 0) {
		(void)err_set(err, errno, "start the command");
		/* Of the step "exec" it would be the command's failure, 126. */
		return err_step(err, "spawn");
	}
	if (child == 0) {
		/* The error goes up by the copy of the socket that is closed by exec. */
		(void)execute(launch, err);
		(void)err_step(err, "exec");
		(void)hint_for(err);
		sync_fail(launch->sync.init[1], err);
		_exit(125);
	}
	_exit(pid1_run(child, launch->ended[1]));
}
