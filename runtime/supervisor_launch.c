#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "join.h"
#include "supervisor_internal.h"

/* The supervisor's part of a launch: docs/launch.md. */

int supervisor_patient(struct supervisor *sup, int sock, struct err *err)
{
	struct pollfd source[] = {
		{ .fd = sock, .events = POLLIN },
		{ .fd = sup->signals, .events = POLLIN },
	};

	for (;;) {
		struct signalfd_siginfo info;

		if (poll(source, 2, -1) < 0 && errno != EINTR)
			return err_set(err, errno, "wait for the launch");
		if (source[0].revents)
			return 0;
		if (read(sup->signals, &info, sizeof(info)) != sizeof(info))
			continue;
		if (info.ssi_signo == SIGINT || info.ssi_signo == SIGTERM ||
		    info.ssi_signo == SIGHUP || info.ssi_signo == SIGQUIT)
			return err_set(err, EINTR, "signal %u during the launch",
			               info.ssi_signo);
	}
}

/* Init dies with the warden: where that one failed, it said why before. */
static int ask_warden(struct supervisor *sup, struct err *err)
{
	struct err why = { 0 };

	if (sync_expect(sup->launch.sync.warden[0], SYNC_EXITED, NULL, NULL, 0, &why) <
	            0 &&
	    why.step[0] != '\0')
		*err = why;
	return -err->code;
}

/* Whom a step did not find any more has said why it ended. */
static int ask_init(struct supervisor *sup, struct err *err)
{
	struct err why = { 0 };

	if (sync_expect(sup->launch.sync.init[0], SYNC_READY, NULL, NULL, 0, &why) < 0 &&
	    why.code != ECONNRESET)
		*err = why;
	return -err->code;
}

static int expect_confined(struct launch *l, struct err *err)
{
	int *const received[SYNC_CONFINED_FDS] = { &l->counters, &l->denials, &l->rules };
	int fds[SYNC_FDS_MAX], *at = fds;
	int32_t present = 0;
	int r = sync_expect(l->sync.warden[0], SYNC_CONFINED, &present, fds, SYNC_FDS_MAX,
	                    err);

	for (int i = 0; r == 0 && i < SYNC_CONFINED_FDS; i++)
		*received[i] = present & 1 << i ? *at++ : -EBADF;
	return r;
}

static int write_first(struct workspace *ws, struct err *err)
{
	int r = ws->unwritten ? state_write(ws->entry, &ws->record, err) : 0;

	ws->unwritten = false;
	if (r < 0)
		(void)err_step(err, "state");
	return r;
}

int supervisor_launch(struct supervisor *sup, struct err *err)
{
	struct launch *l = &sup->launch;
	int fds[SYNC_FDS_MAX], *at = fds;
	int *const received[SYNC_READY_FDS] = { &sup->stdio.master, &sup->notify,
		                                &l->routes, &sup->ports.lookout,
		                                &l->links };
	int32_t present = 0;
	int r;

	for (size_t i = 0; i < 3; i++)
		l->stdin_to_stderr[i] = sup->stdio.far[i];
	r = sync_open(&l->sync, err);
	if (r == 0 && plan_has_gateway(l->plan) &&
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sup->ports.link) < 0)
		r = err_set(err, errno, "make a socket pair");
	/* With pasta the kernel tells of what is denied. */
	if (r == 0 && l->plan->net == NET_RELAY &&
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, l->report) < 0)
		r = err_set(err, errno, "make a socket pair");
	if (r == 0 && plan_tells_end(l->plan) &&
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, l->ended) < 0)
		r = err_set(err, errno, "make a socket pair");
	if (r == 0)
		r = apply_until(l, ACTOR_SUPERVISOR, STEP_CGROUP_JOIN, err);
	if (r == 0)
		r = write_first(sup->ws, err);
	if (r == 0)
		r = supervisor_patient(sup, l->sync.warden[0], err);
	if (r == 0)
		r = sync_expect(l->sync.warden[0], SYNC_BORN, NULL, &l->init_pidfd, 1,
		                err);
	if (r == 0)
		r = apply_until(l, ACTOR_SUPERVISOR, STEP_MAX, err);
	drop_fd(&l->sync.init[1]);
	drop_fd(&l->ended[1]);
	drop_fd(&sup->ports.link[1]);
	drop_fd(&l->report[1]);
	if (r == -ESRCH)
		r = ask_init(sup, err);
	if (r < 0)
		return r;
	r = supervisor_patient(sup, l->sync.init[0], err);
	if (r == 0)
		r = sync_expect(l->sync.init[0], SYNC_READY, &present, fds, SYNC_FDS_MAX,
		                err);
	if (r == -ECONNRESET)
		r = ask_warden(sup, err);
	if (r < 0)
		return r;
	for (int i = 0; i < SYNC_READY_FDS; i++)
		*received[i] = present & 1 << i ? *at++ : -EBADF;

	/* Nothing of the image runs below a warden that still holds the pod's files. */
	r = supervisor_patient(sup, l->sync.warden[0], err);
	if (r == 0)
		r = expect_confined(l, err);
	if (r == 0)
		r = join_namespaces(l->init_pidfd, config_namespaces(l->config), sup->ns,
		                    err);
	return r == -ESRCH || r == -ENOENT ? ask_init(sup, err) : r;
}
