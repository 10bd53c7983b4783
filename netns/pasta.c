#include "netns/pasta.h"

#include <linux/rtnetlink.h>

#include "base/fd.h"
#include "netns/gateway.h"
#include "netns/link.h"
#include "netns/netlink.h"
#include "netns/route.h"

/* PASTA_MAC */
static const struct mac pasta_mac = { { 0x02, 0xbe, 0x72, 0x74, 0x68, 0x02 } };

static void add_tap(struct netlink_batch *batch, int index, const struct pasta *pasta)
{
	for (int i = 0; i < IP_FAMILIES; i++)
		if (pasta->tap[i].family)
			address_add(batch, index, &pasta->tap[i]);
	link_up(batch, index);
	for (int i = 0; i < IP_FAMILIES; i++) {
		const struct route route = {
			.to = { .family = pasta->far[i].family },
			.via = &pasta->far[i],
			.index = index,
			.table = RT_TABLE_MAIN,
		};

		if (!route.to.family)
			continue;
		neighbour_add(batch, index, &pasta->far[i], &pasta_mac);
		route_add(batch, &route);
	}
}

int pasta_connect(int sock, int index, const struct pasta *pasta, struct err *err)
{
	struct netlink_batch batch;

	netlink_batch_init(&batch);
	link_mtu(&batch, index, PASTA_MTU);
	add_tap(&batch, index, pasta);
	link_forward(&batch, index);
	link_forward(&batch, GATEWAY_INDEX);
	return netlink_commit(sock, &batch, err);
}

int pasta_pose(const struct pasta *pasta, struct err *err)
{
	cleanup_close int sock = netlink_open(NETLINK_ROUTE, err);
	struct netlink_batch batch;

	if (sock < 0)
		return sock;
	netlink_batch_init(&batch);
	link_add_veth(&batch, PASTA_IFNAME, PASTA_POSE_INDEX, "pose1", PASTA_POSE_PEER, 0,
	              PASTA_MTU, NULL);
	add_tap(&batch, PASTA_POSE_INDEX, pasta);
	return netlink_commit(sock, &batch, err);
}
