#include "netns/gateway.h"

#include <errno.h>
#include <linux/rtnetlink.h>

#include "base/fd.h"
#include "netns/link.h"
#include "netns/netlink.h"
#include "netns/qdisc.h"
#include "netns/route.h"

/* Both ends have the same number, each in its namespace. */
#define VETH_INDEX GATEWAY_INDEX
#define IFB_INDEX GATEWAY_IFB_INDEX
#define IFB_IFNAME "berth-up"
#define TRY_INDEX 102

uint32_t gateway_mtu(const uint64_t rate[DIRECTIONS])
{
	for (int i = 0; i < DIRECTIONS; i++)
		if (rate[i] > 0 && rate[i] < GATEWAY_SLOW_BYTES)
			return GATEWAY_MTU_SLOW;
	return GATEWAY_MTU_MAX;
}

static void add_addresses(struct netlink_batch *batch, const struct ip ip[IP_FAMILIES])
{
	for (int i = 0; i < IP_FAMILIES; i++)
		if (ip[i].family)
			address_add(batch, VETH_INDEX, &ip[i]);
}

int gateway_connect(const struct gateway *gateway, pid_t pid, struct err *err)
{
	cleanup_close int sock = netlink_open(NETLINK_ROUTE, err);
	struct netlink_batch batch;

	if (sock < 0)
		return sock;
	netlink_batch_init(&batch);
	link_add_veth(&batch, GATEWAY_IFNAME, VETH_INDEX, WORKSPACE_IFNAME, VETH_INDEX,
	              pid, gateway->mtu);
	link_up(&batch, LOOPBACK_INDEX);
	add_addresses(&batch, gateway->gateway);
	link_up(&batch, VETH_INDEX);
	return netlink_commit(sock, &batch, err);
}

int gateway_join(const struct gateway *gateway, struct err *err)
{
	cleanup_close int sock = netlink_open(NETLINK_ROUTE, err);
	struct netlink_batch batch;

	if (sock < 0)
		return sock;
	netlink_batch_init(&batch);
	link_up(&batch, LOOPBACK_INDEX);
	add_addresses(&batch, gateway->workspace);
	link_up(&batch, VETH_INDEX);
	for (int i = 0; i < IP_FAMILIES; i++) {
		const struct route route = {
			.to = { .family = gateway->gateway[i].family },
			.via = &gateway->gateway[i],
			.index = VETH_INDEX,
			.table = RT_TABLE_MAIN,
		};

		if (route.to.family)
			route_add(&batch, &route);
	}
	return netlink_commit(sock, &batch, err);
}

/* What leaves an interface keeps the rate. */
static int shape_leaving(int sock, int index, const struct shape *shape, struct err *err)
{
	struct netlink_batch batch;
	struct err ignored = { 0 };
	int r;

	netlink_batch_init(&batch);
	qdisc_tbf(&batch, index, shape);
	r = netlink_commit(sock, &batch, err);
	if (r < 0)
		return r;
	/* Without it there is one queue for all flows, short enough for the delay. */
	qdisc_fq_codel(&batch, index, shape);
	(void)netlink_commit(sock, &batch, &ignored);
	return 0;
}

/* Makes the ifb, and sends there what comes from the workspace. */
static int divert(int sock, const struct gateway *gateway, struct err *err)
{
	struct netlink_batch batch;
	int r;

	netlink_batch_init(&batch);
	link_add(&batch, "ifb", IFB_IFNAME, IFB_INDEX, gateway->mtu);
	r = netlink_commit(sock, &batch, err);
	if (r == -EEXIST) {
		err_clear(err);
		return 0; /* the rate is being changed */
	}
	for (int by = 0; r == 0 && by < REDIRECT_MAX; by++) {
		if (by == 0) {
			link_up(&batch, IFB_INDEX);
			qdisc_ingress(&batch, VETH_INDEX);
		}
		qdisc_redirect(&batch, VETH_INDEX, IFB_INDEX, (enum redirect)by);
		r = netlink_commit(sock, &batch, err);
		if (r == 0)
			return 0;
		if (r == -ENOENT && by + 1 < REDIRECT_MAX) {
			err_clear(err);
			r = 0;
		}
	}
	return r;
}

int gateway_shape_by(int sock, const struct gateway *gateway, enum direction direction,
                     struct err *err)
{
	const struct shape shape = shape_for(gateway->rate[direction], gateway->mtu);
	int r = direction == UPLOAD ? divert(sock, gateway, err) : 0;

	if (r < 0)
		return r;
	return shape_leaving(sock, direction == UPLOAD ? IFB_INDEX : VETH_INDEX, &shape,
	                     err);
}

int gateway_shape(const struct gateway *gateway, enum direction direction,
                  struct err *err)
{
	cleanup_close int sock = netlink_open(NETLINK_ROUTE, err);

	return sock < 0 ? sock : gateway_shape_by(sock, gateway, direction, err);
}

int gateway_try(const struct gateway *gateway, struct err *err)
{
	cleanup_close int sock = netlink_open(NETLINK_ROUTE, err);
	struct netlink_batch batch;
	int r = sock;

	if (r >= 0) {
		netlink_batch_init(&batch);
		link_add_veth(&batch, "try0", VETH_INDEX, "try1", TRY_INDEX, 0,
		              gateway->mtu);
		r = netlink_commit(sock, &batch, err);
	}
	for (int i = 0; r == 0 && i < DIRECTIONS; i++)
		r = gateway_shape(gateway, (enum direction)i, err);
	return r;
}
