#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/syscall.h"
#include "join_internal.h"
#include "policies/caps.h"
#include "pty.h"
#include "sync.h"
#include "user.h"

/* Inside: from a process of ours to the command. */

/*
 * Tied to whoever starts us: its death is ours, unless the command is to outlive it.
 * Said again after each change of credentials, which ends it (prctl(2)).
 */
static int tie(const struct joining *j, struct err *err)
{
	struct pollfd pfd = { .fd = j->sock, .events = POLLIN };

	if (prctl(PR_SET_PDEATHSIG, j->join->detach ? 0 : SIGKILL) < 0)
		return err_set(err, errno, "ask for a signal at the client's death");
	/* It may have died before; getppid() tells nothing in another PID namespace. */
	if (poll(&pfd, 1, 0) > 0 && (pfd.revents & POLLHUP))
		return err_set(err, ECONNRESET, "the client is gone");
	return 0;
}

int join_hide(struct err *err)
{
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return err_set(err, errno, "hide our memory");
	return 0;
}

static int joiner_stdio(const struct joining *j, struct err *err)
{
	cleanup_close int master = -EBADF, slave = -EBADF, null = -EBADF;
	const int *fd = j->join->stdio;
	int r;

	if (setsid() < 0)
		return err_set(err, errno, "begin a session");
	if (!j->join->tty) {
		null = open("/dev/null", O_RDWR | O_NOCTTY | O_CLOEXEC);
		r = fd_replace_stdio(fd[0] >= 0 ? fd[0] : null, fd[1] >= 0 ? fd[1] : null,
		                     fd[2] >= 0 ? fd[2] : null, err);
		return r < 0 ? r : sync_send(j->sock, SYNC_READY, 0, NULL, 0, err);
	}
	r = pty_open(&master, &slave, err);
	if (r < 0)
		return r;
	if (j->join->size.ws_row > 0)
		(void)ioctl(slave, TIOCSWINSZ, &j->join->size);
	r = fd_replace_stdio(slave, slave, slave, err);
	if (r < 0)
		return r;
	if (ioctl(STDIN_FILENO, TIOCSCTTY, 0) < 0)
		return err_set(err, errno, "take the pty as controlling terminal");
	return sync_send(j->sock, SYNC_READY, 0, &master, 1, err);
}

static int confine(const struct joining *j, struct err *err)
{
	const enum seccomp_mode mode =
		j->join->listener >= 0 ? SECCOMP_ASK : SECCOMP_REFUSE;
	cleanup_close int listener = -EBADF;
	struct seccomp_made made;
	int r = seccomp_make(&j->join->seccomp, mode, &made, err);

	if (r < 0 || mode == SECCOMP_REFUSE)
		return r < 0 ? r : seccomp_load(&made.filter, err);
	listener = seccomp_load_listener(&made.filter, err);
	if (listener < 0)
		return listener;
	return sync_send(j->sock, SYNC_LISTENER, 0, &listener, 1, err);
}

static int change_user(const struct joining *j, struct err *err)
{
	struct user user;
	const char *const shell[] = { user.shell, "-l", NULL };
	char *const *envp;
	int r;

	r = user_lookup(j->join->user ? j->join->user : "0", &user, err);
	if (r < 0)
		return r;
	envp = exec_environment(j->join->env, user.home);
	user_take_stdio(&user);
	/* Where keyctl(2) is refused to us, it is to the workspace, too. */
	(void)sys_join_session_keyring();
	r = j->join->cap_drop ? caps_unbind(j->join->cap_drop, err) : 0;
	if (r < 0)
		return err_step(err, "capabilities");
	/* Before the user: it takes CAP_SYS_ADMIN, or no_new_privs, which breaks sudo. */
	if (confine(j, err) < 0)
		return err_step(err, "seccomp");
	r = user_become(&user, err);
	if (r == 0)
		r = join_hide(err);
	if (r == 0)
		r = tie(j, err);
	if (r == 0 && ulimit_set_all(j->join->ulimit, err) < 0)
		return err_step(err, "ulimit");
	if (r < 0)
		return r;
	return exec_command(j->join->command ? j->join->command : shell, envp,
	                    j->join->workdir, -EBADF, err);
}

static int become_command(const struct joining *j, struct err *err)
{
	const int keep[] = { j->sock, j->join->stdio[0], j->join->stdio[1],
		             j->join->stdio[2] };
	const int sock[] = { j->sock };
	int r = join_hide(err);

	if (r == 0)
		r = tie(j, err);
	if (r == 0)
		r = fd_keep_only(keep, sizeof(keep) / sizeof(keep[0]), err);
	if (r == 0)
		r = joiner_stdio(j, err);
	if (r == 0)
		r = fd_keep_only(sock, 1, err);
	if (r == 0)
		r = sync_expect(j->sock, SYNC_GO, NULL, NULL, 0, err);
	if (r == 0)
		r = fd_cloexec_all(err);
	return r < 0 ? r : change_user(j, err);
}

/*
 * join_command() - From our last look outside to the command
 *
 * Where we are: every namespace of the workspace; root of it, with all capabilities
 * there. Root inside sees us in its /proc.
 *
 * Should: hold no descriptor but 0 to 2 and one close-on-exec socket; run from a sealed
 * memfd (seal_self()), since "#!/proc/self/exe" makes whatever we execute lead to our
 * binary; resolve every path here, where it can only lead to what root inside has.
 * Mustn't: be dumpable; load a library (NSS, iconv) of the workspace's.
 */
int join_command(void *arg)
{
	const struct joining *j = arg;
	struct err err = { 0 };

	(void)become_command(j, &err);
	sync_fail(j->sock, &err);
	return EXEC_FAILED;
}
