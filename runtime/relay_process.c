#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/memory.h"
#include "launch.h"
#include "netns/relay.h"
#include "policies/caps.h"
#include "policies/seccomp.h"

static int receive(const struct launch *launch, int ret[RELAY_SOCKETS], struct err *err)
{
	int fd[RELAY_SOCKETS];
	int32_t present = 0;
	size_t next = 0;
	int r = sync_expect(launch->relay, SYNC_SOCKETS, &present, fd, RELAY_SOCKETS,
	                    err);

	for (int i = 0; r == 0 && i < RELAY_SOCKETS; i++)
		ret[i] = present & 1 << i ? fd[next++] : -EBADF;
	return r;
}

/*
 * Should: keep the gateway's sockets, and the capability to bind foreign addresses on
 * some of them.
 * Mustn't: keep a path, another descriptor, or a system call it does not need.
 */
static int confine(const struct launch *launch, const int sockets[RELAY_SOCKETS],
                   struct err *err)
{
	cleanup_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	/* A directory in which only our own descriptors can be found, by number. */
	cleanup_close int nowhere =
		openat(launch->proc, "self/fdinfo", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const int net_admin = CAP_NET_ADMIN;
	int keep[RELAY_SOCKETS + 5] = { launch->relay, launch->ports->link[1],
		                        launch->report[1], null, nowhere };
	struct rlimit files;
	int r;

	if (null < 0 || nowhere < 0)
		return err_set(err, errno, "confine the relay");
	for (int i = 0; i < RELAY_SOCKETS; i++)
		keep[5 + i] = sockets[i];
	r = fd_replace_stdio(null, null, null, err);
	if (r == 0)
		r = fd_keep_only(keep, sizeof(keep) / sizeof(keep[0]), err);
	if (r == 0 && (fchdir(nowhere) < 0 || chroot(".") < 0))
		r = err_set(err, errno, "confine the relay");
	/* Two a connection; the pod's own limit is the bound. */
	if (r == 0 && getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	if (r == 0)
		r = caps_keep_only(&net_admin, 1, err);
	if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = err_set(err, errno, "set no_new_privs");
	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)prctl(PR_SET_NAME, "berth-relay");
	drop_fd(&nowhere);
	drop_fd(&null);
	if (r == 0)
		r = seccomp_load(seccomp_find("relay"), err);
	return r;
}

/**
 * relay_process() - The relay: from its birth to its end
 * @arg:	the struct launch
 *
 * Where we are: the warden's namespaces, but the pod's network, which the warden is about
 * to leave. We end with it, by the kernel's hand; when we end, it ends the workspace.
 *
 * Return: 1; what serves never returns.
 */
int relay_process(void *arg)
{
	struct launch *launch = arg;
	const int keep[] = { launch->relay, launch->proc, launch->ports->link[1],
		             launch->report[1] };
	struct relay_config config = launch->plan->relay;
	struct err err = { 0 };
	struct relay_links links;
	int sockets[RELAY_SOCKETS];
	int r = fd_keep_only(keep, sizeof(keep) / sizeof(keep[0]), &err);

	(void)signal(SIGPIPE, SIG_IGN);
	if (r == 0)
		r = receive(launch, sockets, &err);
	if (r == 0)
		r = confine(launch, sockets, &err);
	if (r == 0)
		r = sync_send(launch->relay, SYNC_SERVING, 0, NULL, 0, &err);
	if (r < 0) {
		(void)err_step(&err, "relay");
		sync_fail(launch->relay, &err);
		return 1;
	}
	links = (struct relay_links){ .maker = launch->relay,
		                      .ports = launch->ports->link[1] };
	config.report = launch->report[1];
	if (launch->config->detach)
		memory_settle();
	(void)relay_main(&config, sockets, &links, &err);
	return 1;
}
