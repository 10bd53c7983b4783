#include "netns/route.h"

#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#define NEW (NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL)

void address_add(struct netlink_batch *batch, int index, const struct ip *ip)
{
	char text[IP_TEXT_MAX];
	struct nlmsghdr *m = netlink_begin(batch, RTM_NEWADDR, NEW, "add the address %s",
	                                   ip_text(ip, true, text));
	struct ifaddrmsg *address = mnl_nlmsg_put_extra_header(m, sizeof(*address));

	address->ifa_family = ip->family;
	address->ifa_prefixlen = ip->prefix;
	address->ifa_index = (uint32_t)index;
	mnl_attr_put(m, IFA_LOCAL, ip_size(ip->family), ip->byte);
	mnl_attr_put(m, IFA_ADDRESS, ip_size(ip->family), ip->byte);
	if (ip->family == AF_INET6)
		mnl_attr_put_u32(m, IFA_FLAGS, IFA_F_NODAD);
	netlink_end(batch, m);
}

void route_add(struct netlink_batch *batch, const struct route *route)
{
	const struct ip *to = &route->to;
	char text[IP_TEXT_MAX];
	struct nlmsghdr *m = netlink_begin(
		batch, RTM_NEWROUTE, route->again ? NLM_F_ACK | NLM_F_REPLACE : NEW,
		"add the route to %s", ip_text(to, true, text));
	struct rtmsg *body = mnl_nlmsg_put_extra_header(m, sizeof(*body));

	body->rtm_family = to->family;
	body->rtm_dst_len = to->prefix;
	body->rtm_table =
		route->table < 256 ? (unsigned char)route->table : RT_TABLE_UNSPEC;
	body->rtm_protocol = RTPROT_STATIC;
	body->rtm_type = route->local ? RTN_LOCAL : RTN_UNICAST;
	body->rtm_scope = route->local ? RT_SCOPE_HOST
	                  : route->via ? RT_SCOPE_UNIVERSE
	                               : RT_SCOPE_LINK;
	mnl_attr_put_u32(m, RTA_TABLE, route->table);
	if (to->prefix > 0)
		mnl_attr_put(m, RTA_DST, ip_size(to->family), to->byte);
	if (route->via)
		mnl_attr_put(m, RTA_GATEWAY, ip_size(route->via->family),
		             route->via->byte);
	mnl_attr_put_u32(m, RTA_OIF, (uint32_t)route->index);
	if (route->window) {
		struct nlattr *metrics = mnl_attr_nest_start(m, RTA_METRICS);

		mnl_attr_put_u32(m, RTAX_WINDOW, route->window);
		mnl_attr_nest_end(m, metrics);
	}
	netlink_end(batch, m);
}

void neighbour_add(struct netlink_batch *batch, int index, const struct ip *ip,
                   const struct mac *mac)
{
	char text[IP_TEXT_MAX];
	struct nlmsghdr *m = netlink_begin(batch, RTM_NEWNEIGH,
	                                   NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE,
	                                   "say where %s is", ip_text(ip, false, text));
	struct ndmsg *body = mnl_nlmsg_put_extra_header(m, sizeof(*body));

	body->ndm_family = ip->family;
	body->ndm_ifindex = index;
	body->ndm_state = NUD_PERMANENT;
	mnl_attr_put(m, NDA_DST, ip_size(ip->family), ip->byte);
	mnl_attr_put(m, NDA_LLADDR, sizeof(*mac), mac);
	netlink_end(batch, m);
}
