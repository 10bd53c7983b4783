#include <errno.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "apply.h"
#include "base/fd.h"
#include "cgroups/tree.h"
#include "netns/gateway.h"
#include "netns/netlink.h"
#include "netns/relay.h"
#include "spawn.h"

int apply_relay(struct launch *launch, const struct step *step, struct err *err)
{
	const struct spawn spec = {
		.cgroup = launch->relay_group,
		.clone3 = launch->facts->clone3,
		.child = relay_process,
		.arg = launch,
	};
	cleanup_close int ours = -EBADF, its = -EBADF, pidfd = -EBADF;
	int pair[2];

	(void)step;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(err, errno, "make a socket pair");
	ours = pair[0];
	its = pair[1];
	launch->relay = its;
	launch->relay_pid = spawn(&spec, &pidfd, err);
	launch->relay = -EBADF;
	if (launch->relay_pid < 0) {
		launch->relay_pid = 0;
		return err_wrap(err, "start the relay");
	}
	launch->relay = take_fd(&ours);
	/* Without clone3(2) it was not born there. */
	if (launch->relay_group >= 0 && !launch->facts->clone3)
		return cgroup_attach(launch->relay_group, launch->relay_pid, err);
	return 0;
}

int apply_gateway(struct launch *launch, const struct step *step, struct err *err)
{
	(void)step;
	if (unshare(CLONE_NEWNET) < 0)
		return err_set(err, errno, "make the gateway's network namespace");
	launch->gateway = true;
	return 0;
}

/* Without it we are in the pod's network, where nothing is to be changed. */
static int need_gateway(const struct launch *launch, struct err *err)
{
	return launch->gateway ? 0 : err_set(err, ENONET, "there is no gateway");
}

int apply_veth(struct launch *launch, const struct step *step, struct err *err)
{
	int r = need_gateway(launch, err);

	(void)step;
	/* For counters and other rates while the workspace runs. */
	if (r == 0)
		r = launch->counters = netlink_open(NETLINK_ROUTE, err);
	return r < 0 ? r : gateway_connect(&launch->plan->gateway, launch->init, err);
}

int apply_shape(struct launch *launch, const struct step *step, struct err *err)
{
	int r = need_gateway(launch, err);

	return r < 0 ? r
	             : gateway_shape(&launch->plan->gateway, (enum direction)step->number,
	                             err);
}

/* The sockets belong to the namespace they were made in, and so have to be made here. */
static int hand_over(struct launch *launch, struct err *err)
{
	int socket[RELAY_SOCKETS];
	int32_t present = 0;
	int r = relay_open(&launch->plan->relay, socket, err);

	if (r < 0)
		return r;
	for (int i = 0; i < RELAY_SOCKETS; i++)
		present |= socket[i] >= 0 ? 1 << i : 0;
	r = sync_send(launch->relay, SYNC_SOCKETS, present, socket, RELAY_SOCKETS, err);
	for (int i = 0; i < RELAY_SOCKETS; i++)
		drop_fd(&socket[i]);
	return r;
}

int apply_uplink(struct launch *launch, const struct step *step, struct err *err)
{
	int r = need_gateway(launch, err);

	(void)step;
	if (r == 0 && launch->relay < 0)
		r = err_set(err, ESRCH, "there is no relay");
	if (r == 0)
		r = relay_install(&launch->plan->relay, err);
	if (r == 0)
		r = hand_over(launch, err);
	if (r == 0)
		r = sync_expect(launch->relay, SYNC_SERVING, NULL, NULL, 0, err);
	/* One that does not serve ends at the end of file; nobody depends on it. Who serves
	 * asks for sockets later. */
	if (r < 0) {
		launch->relay_pid = 0;
		drop_fd(&launch->relay);
	}
	return r;
}

int apply_publish(struct launch *launch, const struct step *step, struct err *err)
{
	return ports_open(launch->ports, &launch->config->publish[step->number], err);
}

int apply_lookout(struct launch *launch, const struct step *step, struct err *err)
{
	(void)step;
	launch->routes = netlink_open(NETLINK_ROUTE, err);
	if (launch->routes < 0)
		return -err->code;
	launch->lookout = netlink_open(NETLINK_SOCK_DIAG, err);
	return launch->lookout < 0 ? -err->code : 0;
}

int apply_address(struct launch *launch, const struct step *step, struct err *err)
{
	(void)step;
	return gateway_join(&launch->plan->gateway, err);
}
