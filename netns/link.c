#include "netns/link.h"

#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>

/* glibc's <net/if.h> and the kernel's own cannot be included together: IFF_UP is both's. */

static struct nlmsghdr *begin(struct netlink_batch *batch, uint16_t flags, int index,
                              const char *what, const char *name)
{
	struct nlmsghdr *message = netlink_begin(batch, RTM_NEWLINK, NLM_F_ACK | flags,
	                                         "%s '%s'", what, name);
	struct ifinfomsg *link = mnl_nlmsg_put_extra_header(message, sizeof(*link));

	link->ifi_index = index;
	return message;
}

#define NEW (NLM_F_CREATE | NLM_F_EXCL)

void link_add_veth(struct netlink_batch *batch, const char *name, int index,
                   const char *peer, int peer_index, pid_t pid, uint32_t mtu,
                   const struct mac macs[2])
{
	struct nlmsghdr *m = begin(batch, NEW, index, "make the veth pair", name);
	struct nlattr *info, *data, *other;
	struct ifinfomsg *link;

	mnl_attr_put_strz(m, IFLA_IFNAME, name);
	mnl_attr_put_u32(m, IFLA_MTU, mtu);
	if (macs)
		mnl_attr_put(m, IFLA_ADDRESS, sizeof(macs[0]), &macs[0]);
	info = mnl_attr_nest_start(m, IFLA_LINKINFO);
	mnl_attr_put_strz(m, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(m, IFLA_INFO_DATA);
	other = mnl_attr_nest_start(m, VETH_INFO_PEER);
	link = mnl_nlmsg_put_extra_header(m, sizeof(*link));
	link->ifi_index = peer_index;
	mnl_attr_put_strz(m, IFLA_IFNAME, peer);
	mnl_attr_put_u32(m, IFLA_MTU, mtu);
	if (macs)
		mnl_attr_put(m, IFLA_ADDRESS, sizeof(macs[1]), &macs[1]);
	if (pid > 0)
		mnl_attr_put_u32(m, IFLA_NET_NS_PID, (uint32_t)pid);
	mnl_attr_nest_end(m, other);
	mnl_attr_nest_end(m, data);
	mnl_attr_nest_end(m, info);
	netlink_end(batch, m);
}

void link_add(struct netlink_batch *batch, const char *kind, const char *name, int index,
              uint32_t mtu)
{
	struct nlmsghdr *m = begin(batch, NEW, index, "make the interface", name);
	struct nlattr *info;

	mnl_attr_put_strz(m, IFLA_IFNAME, name);
	mnl_attr_put_u32(m, IFLA_MTU, mtu);
	info = mnl_attr_nest_start(m, IFLA_LINKINFO);
	mnl_attr_put_strz(m, IFLA_INFO_KIND, kind);
	mnl_attr_nest_end(m, info);
	netlink_end(batch, m);
}

static struct nlmsghdr *begin_change(struct netlink_batch *batch, int index,
                                     const char *what, struct ifinfomsg **ret)
{
	struct nlmsghdr *m =
		netlink_begin(batch, RTM_NEWLINK, NLM_F_ACK, "%s %d", what, index);

	*ret = mnl_nlmsg_put_extra_header(m, sizeof(**ret));
	(*ret)->ifi_index = index;
	return m;
}

void link_up(struct netlink_batch *batch, int index)
{
	struct ifinfomsg *link;
	struct nlmsghdr *m = begin_change(batch, index, "bring up interface", &link);

	link->ifi_flags = IFF_UP;
	link->ifi_change = IFF_UP;
	netlink_end(batch, m);
}

void link_mtu(struct netlink_batch *batch, int index, uint32_t mtu)
{
	struct ifinfomsg *link;
	struct nlmsghdr *m =
		begin_change(batch, index, "set the MTU of interface", &link);

	mnl_attr_put_u32(m, IFLA_MTU, mtu);
	netlink_end(batch, m);
}

void link_remove(struct netlink_batch *batch, int index)
{
	struct nlmsghdr *m = netlink_begin(batch, RTM_DELLINK, NLM_F_ACK,
	                                   "remove interface %d", index);
	struct ifinfomsg *link = mnl_nlmsg_put_extra_header(m, sizeof(*link));

	link->ifi_index = index;
	netlink_end(batch, m);
}

void link_forward(struct netlink_batch *batch, int index)
{
	struct ifinfomsg *link;
	struct nlmsghdr *m = begin_change(batch, index, "forward from interface", &link);
	struct nlattr *families = mnl_attr_nest_start(m, IFLA_AF_SPEC);
	struct nlattr *family = mnl_attr_nest_start(m, AF_INET);
	struct nlattr *values = mnl_attr_nest_start(m, IFLA_INET_CONF);

	mnl_attr_put_u32(m, IPV4_DEVCONF_FORWARDING, 1);
	mnl_attr_nest_end(m, values);
	mnl_attr_nest_end(m, family);
	mnl_attr_nest_end(m, families);
	netlink_end(batch, m);
}
