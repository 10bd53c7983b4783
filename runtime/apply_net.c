#include <errno.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "apply.h"
#include "apply_pasta.h"
#include "base/fd.h"
#include "cgroups/tree.h"
#include "metrics_server.h"
#include "netns/gateway.h"
#include "netns/netlink.h"
#include "netns/relay.h"
#include "spawn.h"

/*
 * A process that stays in the pod's network when we leave it. @sock and @pid are of the launch;
 * the child finds its own end of the pair in its copy of the former.
 */
static int leave_behind(struct launch *launch, int (*child)(void *), int *sock,
                        pid_t *pid, struct err *err)
{
	const struct spawn spec = {
		.cgroup = launch->relay_group,
		.clone3 = launch->facts->clone3,
		.child = child,
		.arg = launch,
	};
	cleanup_close int ours = -EBADF, its = -EBADF, pidfd = -EBADF;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(err, errno, "make a socket pair");
	ours = pair[0];
	its = pair[1];
	*sock = its;
	*pid = spawn(&spec, &pidfd, err);
	*sock = -EBADF;
	if (*pid < 0) {
		*pid = 0;
		return -err->code;
	}
	*sock = take_fd(&ours);
	/* Without clone3(2) it was not born there. */
	if (launch->relay_group >= 0 && !launch->facts->clone3)
		return cgroup_attach(launch->relay_group, *pid, err);
	return 0;
}

int apply_relay(struct launch *launch, const struct step *step, struct err *err)
{
	int r = leave_behind(launch, relay_process, &launch->relay, &launch->relay_pid,
	                     err);

	(void)step;
	return r < 0 ? err_wrap(err, "start the relay") : 0;
}

int apply_pasta(struct launch *launch, const struct step *step, struct err *err)
{
	int r = leave_behind(launch, pasta_process, &launch->pasta, &launch->pasta_pid,
	                     err);

	(void)step;
	return r < 0 ? err_wrap(err, "start pasta") : 0;
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
	int r = 0;

	for (int i = 0; i < RELAY_SOCKETS; i++)
		socket[i] = -EBADF;
	/* With pasta it serves published ports alone. */
	if (launch->plan->net == NET_RELAY)
		r = relay_open(&launch->plan->relay, socket, err);
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

	if (r == 0 && launch->relay < 0)
		r = err_set(err, ESRCH, "there is no relay");
	if (r == 0)
		r = launch->plan->net == NET_PASTA
		            ? pasta_uplink(launch, err)
		            : relay_install(&launch->plan->relay, err);
	if (r == 0)
		r = hand_over(launch, err);
	if (r == 0)
		r = sync_expect(launch->relay, SYNC_SERVING, NULL, NULL, 0, err);
	/* One that does not serve ends at the end of file; nobody depends on it. Who serves
	 * asks for sockets later. */
	if (r < 0) {
		launch->relay_pid = 0;
		drop_fd(&launch->relay);
		pasta_stop(launch);
	}
	if (r < 0 && step->optional && launch->counters >= 0) {
		gateway_disconnect(launch->counters);
		drop_fd(&launch->counters);
	}
	return r;
}

int apply_metrics(struct launch *launch, const struct step *step, struct err *err)
{
	return metrics_server_open(launch->metrics, launch->config, step->source, err);
}

int apply_publish(struct launch *launch, const struct step *step, struct err *err)
{
	return ports_open(launch->ports, &launch->config->publish[step->number], err);
}

int apply_lookout(struct launch *launch, const struct step *step, struct err *err)
{
	(void)step;
	launch->routes = netlink_open_inside(NETLINK_ROUTE, err);
	if (launch->routes < 0)
		return -err->code;
	launch->links = netlink_open_inside(NETLINK_ROUTE, err);
	if (launch->links < 0)
		return -err->code;
	launch->lookout = netlink_open_inside(NETLINK_SOCK_DIAG, err);
	return launch->lookout < 0 ? -err->code : 0;
}

int apply_address(struct launch *launch, const struct step *step, struct err *err)
{
	int r = gateway_join(&launch->plan->gateway, err);

	/* The warden found no uplink, said so, and took our end away. */
	if (r == -ENODEV && step->optional) {
		err_clear(err);
		r = 0;
	}
	return r;
}
