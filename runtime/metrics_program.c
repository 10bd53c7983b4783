/*
 * berth-metrics - Serve the numbers of one workspace by HTTP
 *
 *	berth-metrics	3: a socket that listens; 4: the supervisor (metrics_link.h)
 *
 * The only program that links libmicrohttpd, executed by berth where --metrics-listen is
 * given, and nowhere else. Strangers talk to it, so it keeps nothing that is worth taking.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "exec.h"
#include "metrics_http.h"
#include "metrics_link.h"
#include "policies/caps.h"
#include "policies/seccomp.h"

#define FILES_MAX 128
#define MEMORY_MAX ((rlim_t)64 << 20)

static int socket_option(int fd, int name)
{
	socklen_t size;
	int value = 0;

	size = sizeof(value);
	return getsockopt(fd, SOL_SOCKET, name, &value, &size) < 0 ? -1 : value;
}

/* A root with nothing in it but our own descriptors by number, and a network without anybody.
 * Where one more user namespace is not to be had the filter holds alone: it knows no call that
 * opens anything. */
static void leave_the_pod(int nowhere)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC) == 0 &&
	    fchdir(nowhere) == 0)
		(void)!chroot(".");
}

static int limit(int resource, rlim_t most, struct err *err)
{
	const struct rlimit both = { most, most };

	return setrlimit(resource, &both) < 0 ? err_set(err, errno, "limit ourselves")
	                                      : 0;
}

/*
 * Should: keep the two sockets.
 * Mustn't: keep a path, a capability, another descriptor, or a system call it does not need.
 */
static int confine(struct err *err)
{
	cleanup_close int nowhere =
		open("/proc/self/fdinfo", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (nowhere < 0)
		return err_set(err, errno, "open '/proc/self/fdinfo'");
	leave_the_pod(nowhere);
	r = limit(RLIMIT_CORE, 0, err);
	if (r == 0)
		r = limit(RLIMIT_NOFILE, FILES_MAX, err);
#ifndef __SANITIZE_ADDRESS__ /* it has terabytes mapped, and no more memory than others */
	if (r == 0)
		r = limit(RLIMIT_DATA, MEMORY_MAX, err);
#endif
	if (r == 0)
		r = caps_keep_only(NULL, 0, err);
	if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = err_set(err, errno, "set no_new_privs");
	(void)prctl(PR_SET_DUMPABLE, 0);
	/* What came before undid it. Where the supervisor is gone by now, its socket says so. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	drop_fd(&nowhere);
	return r < 0 ? r : seccomp_load(seccomp_find("metrics"), err);
}

int main(void)
{
	const char serving = METRICS_SERVING;
	struct metrics_http *http;
	struct err err = { 0 };

	if (socket_option(METRICS_LISTENER_FD, SO_ACCEPTCONN) != 1 ||
	    socket_option(METRICS_LINK_FD, SO_TYPE) != SOCK_SEQPACKET) {
		(void)fprintf(stderr, "berth-metrics is executed by berth, with "
		                      "--metrics-listen\n");
		return EXEC_FAILED;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	http = metrics_http_start(METRICS_LISTENER_FD, METRICS_LINK_FD, &err);
	if (!http || confine(&err) < 0) {
		(void)err_wrap(&err, "serve metrics");
		(void)send(METRICS_LINK_FD, &err, sizeof(err), MSG_NOSIGNAL);
		return EXEC_FAILED;
	}
	if (send(METRICS_LINK_FD, &serving, 1, MSG_NOSIGNAL) < 0)
		return EXEC_FAILED;
	metrics_http_serve(http);
	return 0;
}
