#include "netns/stats.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/gen_stats.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "netns/netlink.h"

/* An attribute as a structure; what an older kernel does not have stays 0. */
static void read_struct(const struct nlattr *attr, void *ret, size_t size)
{
	const size_t there = mnl_attr_get_payload_len(attr);

	memcpy(ret, mnl_attr_get_payload(attr), there < size ? there : size);
}

int stats_link(const struct nlmsghdr *message, void *stats)
{
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(message);
	struct rtnl_link_stats64 now = { 0 };
	struct stats_sum *sum = stats;
	const struct nlattr *attr;

	if (message->nlmsg_type != RTM_NEWLINK)
		return 0;
	mnl_attr_for_each(attr, message,
	                  sizeof(*link)) if (mnl_attr_get_type(attr) == IFLA_STATS64)
		read_struct(attr, &now, sizeof(now));
	/* What leaves it has waited for the rate. */
	if (link->ifi_index == GATEWAY_IFB_INDEX) {
		sum->diverted.bytes = now.tx_bytes;
		sum->diverted.packets = now.tx_packets;
		sum->is_diverted = true;
	}
	if (link->ifi_index != GATEWAY_INDEX)
		return 0;
	sum->found = true;
	sum->way[DOWNLOAD].bytes = now.tx_bytes;
	sum->way[DOWNLOAD].packets = now.tx_packets;
	sum->way[DOWNLOAD].drops += now.tx_dropped;
	sum->way[UPLOAD].bytes = now.rx_bytes;
	sum->way[UPLOAD].packets = now.rx_packets;
	sum->way[UPLOAD].drops += now.rx_dropped;
	return 0;
}

int stats_qdisc(const struct nlmsghdr *message, void *stats)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(message);
	const struct nlattr *attr, *part;
	struct gnet_stats_queue queue = { 0 };
	struct stats_sum *sum = stats;
	enum direction direction;

	/* The root one has what those below it lost, too. */
	if (message->nlmsg_type != RTM_NEWQDISC || tc->tcm_parent != TC_H_ROOT)
		return 0;
	if (tc->tcm_ifindex == GATEWAY_INDEX)
		direction = DOWNLOAD;
	else if (tc->tcm_ifindex == GATEWAY_IFB_INDEX)
		direction = UPLOAD;
	else
		return 0;
	mnl_attr_for_each(attr, message, sizeof(*tc))
	{
		if (mnl_attr_get_type(attr) != TCA_STATS2)
			continue;
		mnl_attr_for_each_nested(part, attr) if (mnl_attr_get_type(part) ==
		                                         TCA_STATS_QUEUE)
			read_struct(part, &queue, sizeof(queue));
	}
	sum->way[direction].drops += queue.drops;
	sum->way[direction].delayed += queue.overlimits;
	return 0;
}

static int dump(int sock, uint16_t type, size_t body,
                int (*each)(const struct nlmsghdr *, void *), struct stats_sum *sum,
                struct err *err)
{
	struct netlink_batch batch;
	struct nlmsghdr *message;

	netlink_batch_init(&batch);
	message = netlink_begin(&batch, type, NLM_F_DUMP, "read the gateway's counters");
	(void)mnl_nlmsg_put_extra_header(message, body);
	netlink_end(&batch, message);
	return netlink_dump(sock, &batch, each, sum, err);
}

int gateway_stats(int sock, struct way_stats ret[DIRECTIONS], bool *ret_diverted,
                  struct err *err)
{
	struct stats_sum sum = { 0 };
	int r = dump(sock, RTM_GETLINK, sizeof(struct ifinfomsg), stats_link, &sum, err);

	if (r == 0)
		r = dump(sock, RTM_GETQDISC, sizeof(struct tcmsg), stats_qdisc, &sum,
		         err);
	if (r == 0 && !sum.found)
		r = err_set(err, ENODEV, "find the gateway's interface");
	if (r < 0)
		return r;
	if (sum.is_diverted) {
		sum.way[UPLOAD].bytes = sum.diverted.bytes;
		sum.way[UPLOAD].packets = sum.diverted.packets;
	}
	memcpy(ret, sum.way, sizeof(sum.way));
	*ret_diverted = sum.is_diverted;
	return 0;
}
