#include "netns/portrait.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <net/if.h>
#include <string.h>

#include "base/fd.h"
#include "netns/link.h"
#include "netns/netlink.h"
#include "netns/portrait_internal.h"

/* The workspace's end, where both are in one namespace. */
#define POSE_PEER 102
#define POSE_PEER_IFNAME "pose0"

void portrait_put(struct portrait_sketch *sketch, const void *data, size_t n)
{
	size_t room = sizeof(sketch->bytes) - sketch->n;

	if (n > room)
		n = room;
	memcpy(sketch->bytes + sketch->n, data, n);
	sketch->n += n;
}

void portrait_put_attr(struct portrait_sketch *sketch, const struct nlattr *attr)
{
	const uint16_t head[] = { mnl_attr_get_type(attr),
		                  mnl_attr_get_payload_len(attr) };

	portrait_put(sketch, head, sizeof(head));
	portrait_put(sketch, mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));
}

void portrait_draw(struct portrait *portrait, enum portrait_part part,
                   const struct portrait_sketch *sketch, const char *text)
{
	void *bytes = arena_alloc(portrait->arena, sketch->n + 1);

	if (portrait->n == portrait->room) {
		size_t room = portrait->room ? portrait->room * 2 : 64;
		struct portrait_line *more =
			arena_alloc(portrait->arena, room * sizeof(*more));

		if (more && portrait->n > 0)
			memcpy(more, portrait->line, portrait->n * sizeof(*more));
		if (!more)
			return; /* the arena remembers */
		portrait->line = more;
		portrait->room = room;
	}
	if (!bytes)
		return;
	memcpy(bytes, sketch->bytes, sketch->n);
	portrait->line[portrait->n++] = (struct portrait_line){
		.part = part, .text = text, .bytes = bytes, .n = sketch->n
	};
}

const struct nlattr *portrait_find(const struct nlmsghdr *message, size_t body,
                                   uint16_t type)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, message, body)
	{
		if (mnl_attr_get_type(attr) == type)
			return attr;
	}
	return NULL;
}

const char *portrait_text(const struct nlattr *attr)
{
	return attr && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0
	               ? mnl_attr_get_str(attr)
	               : "";
}

/* The other ends of what stands in another's place. */
static bool is_posed_peer(int index)
{
	return index == POSE_PEER || index == PASTA_POSE_PEER;
}

/* The same for each tap. */
static int numbered(const struct portrait *portrait, int index)
{
	return index == portrait->tap ? PASTA_POSE_INDEX : index;
}

static int on_link(const struct nlmsghdr *message, void *data)
{
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(message);
	const struct nlattr *name = portrait_find(message, sizeof(*link), IFLA_IFNAME);
	const struct nlattr *mtu = portrait_find(message, sizeof(*link), IFLA_MTU);
	const struct nlattr *kind = netlink_find_in(
		portrait_find(message, sizeof(*link), IFLA_LINKINFO), IFLA_INFO_KIND);
	struct portrait *portrait = data;
	const bool tap = !strcmp(portrait_text(name), PASTA_IFNAME);
	struct portrait_sketch sketch = { .n = 0 };
	uint32_t up;
	int index;

	if (message->nlmsg_type != RTM_NEWLINK || is_posed_peer(link->ifi_index))
		return 0;
	if (tap)
		portrait->tap = link->ifi_index;
	up = link->ifi_flags & IFF_UP;
	index = numbered(portrait, link->ifi_index);
	portrait_put(&sketch, &index, sizeof(index));
	portrait_put(&sketch, &up, sizeof(up));
	if (name)
		portrait_put_attr(&sketch, name);
	if (mtu)
		portrait_put_attr(&sketch, mtu);
	if (kind && !tap)
		portrait_put_attr(&sketch, kind);
	portrait_draw(portrait,
	              link->ifi_index == GATEWAY_IFB_INDEX ? PORTRAIT_UPLOAD
	                                                   : PORTRAIT_LINK,
	              &sketch,
	              arena_printf(portrait->arena, "interface '%s', MTU %u, %s",
	                           portrait_text(name), mtu ? mnl_attr_get_u32(mtu) : 0,
	                           up ? "up" : "down"));
	return 0;
}

/* IFA_LOCAL is missing where IFA_ADDRESS says the same: with IPv6. */
static int on_address(const struct nlmsghdr *message, void *data)
{
	const struct ifaddrmsg *body = mnl_nlmsg_get_payload(message);
	const struct nlattr *address = portrait_find(message, sizeof(*body), IFA_ADDRESS);
	struct portrait *portrait = data;
	const int index = numbered(portrait, (int)body->ifa_index);
	struct portrait_sketch sketch = { .n = 0 };
	char text[INET6_ADDRSTRLEN] = "?";

	/* Link-local ones are made of a random hardware address. */
	if (message->nlmsg_type != RTM_NEWADDR || is_posed_peer(index) ||
	    body->ifa_scope == RT_SCOPE_LINK || !address)
		return 0;
	portrait_put(&sketch, &body->ifa_family, sizeof(body->ifa_family));
	portrait_put(&sketch, &body->ifa_prefixlen, sizeof(body->ifa_prefixlen));
	portrait_put(&sketch, &index, sizeof(index));
	portrait_put_attr(&sketch, address);
	(void)inet_ntop(body->ifa_family, mnl_attr_get_payload(address), text,
	                sizeof(text));
	portrait_draw(portrait, PORTRAIT_LINK, &sketch,
	              arena_printf(portrait->arena, "address %s/%u of interface %u", text,
	                           body->ifa_prefixlen, body->ifa_index));
	return 0;
}

/* Of those that were put there: the kernel makes its own of the addresses. */
static int on_route(const struct nlmsghdr *message, void *data)
{
	const struct rtmsg *body = mnl_nlmsg_get_payload(message);
	static const uint16_t wanted[] = { RTA_TABLE, RTA_DST, RTA_GATEWAY, RTA_OIF };
	const struct nlattr *table = portrait_find(message, sizeof(*body), RTA_TABLE);
	struct portrait *portrait = data;
	struct portrait_sketch sketch = { .n = 0 };
	int index = 0;

	if (message->nlmsg_type != RTM_NEWROUTE || body->rtm_protocol == RTPROT_KERNEL)
		return 0;
	portrait_put(&sketch, &body->rtm_family, sizeof(body->rtm_family));
	portrait_put(&sketch, &body->rtm_dst_len, sizeof(body->rtm_dst_len));
	portrait_put(&sketch, &body->rtm_type, sizeof(body->rtm_type));
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		const struct nlattr *attr =
			portrait_find(message, sizeof(*body), wanted[i]);

		if (attr && wanted[i] == RTA_OIF)
			index = numbered(portrait, (int)mnl_attr_get_u32(attr));
		else if (attr)
			portrait_put_attr(&sketch, attr);
	}
	portrait_put(&sketch, &index, sizeof(index));
	portrait_draw(portrait, PORTRAIT_RULES, &sketch,
	              arena_printf(portrait->arena, "a route of IPv%c in table %u",
	                           body->rtm_family == AF_INET ? '4' : '6',
	                           table ? mnl_attr_get_u32(table) : body->rtm_table));
	return 0;
}

static int on_route_rule(const struct nlmsghdr *message, void *data)
{
	const struct fib_rule_hdr *body = mnl_nlmsg_get_payload(message);
	const struct nlattr *priority =
		portrait_find(message, sizeof(*body), FRA_PRIORITY);
	const struct nlattr *attr;
	struct portrait *portrait = data;
	struct portrait_sketch sketch = { .n = 0 };

	if (message->nlmsg_type != RTM_NEWRULE)
		return 0;
	portrait_put(&sketch, body, sizeof(*body));
	mnl_attr_for_each(attr, message, sizeof(*body))
	{
		portrait_put_attr(&sketch, attr);
	}
	portrait_draw(portrait, PORTRAIT_RULES, &sketch,
	              arena_printf(portrait->arena, "the rule of routes at %u, for IPv%c",
	                           priority ? mnl_attr_get_u32(priority) : 0,
	                           body->family == AF_INET ? '4' : '6'));
	return 0;
}

/* "queue 'tbf' at 12500000 bytes/s" */
static const char *queue_text(struct arena *arena, const char *kind,
                              const struct nlattr *options)
{
	const struct nlattr *values = netlink_find_in(options, TCA_TBF_PARMS);
	const struct nlattr *wide = netlink_find_in(options, TCA_TBF_RATE64);
	struct tc_tbf_qopt tbf;
	uint64_t rate;

	if (strcmp(kind, "tbf") != 0 || !values ||
	    mnl_attr_get_payload_len(values) < sizeof(tbf))
		return arena_printf(arena, "queue '%s'", kind);
	memcpy(&tbf, mnl_attr_get_payload(values), sizeof(tbf));
	rate = tbf.rate.rate;
	if (wide && mnl_attr_get_payload_len(wide) == sizeof(rate))
		memcpy(&rate, mnl_attr_get_payload(wide), sizeof(rate));
	return arena_printf(arena, "queue 'tbf' at %" PRIu64 " bytes/s", rate);
}

/* An htb counts the packets of no class among its options. */
static void put_htb(struct portrait_sketch *sketch, const struct nlattr *options)
{
	const struct nlattr *option;

	mnl_attr_for_each_nested(option, options)
	{
		struct tc_htb_glob htb;

		if (mnl_attr_get_type(option) != TCA_HTB_INIT ||
		    mnl_attr_get_payload_len(option) < sizeof(htb)) {
			portrait_put_attr(sketch, option);
			continue;
		}
		memcpy(&htb, mnl_attr_get_payload(option), sizeof(htb));
		htb.direct_pkts = 0;
		portrait_put(sketch, &htb, sizeof(htb));
	}
}

static int on_queue(const struct nlmsghdr *message, void *data)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(message);
	const char *kind = portrait_text(portrait_find(message, sizeof(*tc), TCA_KIND));
	const struct nlattr *options = portrait_find(message, sizeof(*tc), TCA_OPTIONS);
	struct portrait *portrait = data;
	struct portrait_sketch sketch = { .n = 0 };
	bool upload;

	if (message->nlmsg_type != RTM_NEWQDISC ||
	    (tc->tcm_ifindex != GATEWAY_INDEX && tc->tcm_ifindex != GATEWAY_IFB_INDEX))
		return 0;
	/* What an interface has without anybody's doing, and behind a rate as well. */
	if (!strcmp(kind, "noqueue"))
		return 0;
	upload = tc->tcm_ifindex == GATEWAY_IFB_INDEX || tc->tcm_parent == TC_H_INGRESS;
	portrait_put(&sketch, &tc->tcm_ifindex, sizeof(tc->tcm_ifindex));
	portrait_put(&sketch, &tc->tcm_parent, sizeof(tc->tcm_parent));
	portrait_put(&sketch, kind, strlen(kind));
	if (options && !strcmp(kind, "htb"))
		put_htb(&sketch, options);
	else if (options)
		portrait_put_attr(&sketch, options);
	portrait_draw(portrait, upload ? PORTRAIT_UPLOAD : PORTRAIT_DOWNLOAD, &sketch,
	              queue_text(portrait->arena, kind, options));
	return 0;
}

/* Where a filter sends packets; an action's age and counters stay out. */
static void put_action(struct portrait_sketch *sketch, const struct nlattr *actions)
{
	const struct nlattr *action;

	if (!actions)
		return;
	mnl_attr_for_each_nested(action, actions)
	{
		const struct nlattr *kind = netlink_find_in(action, TCA_ACT_KIND);
		const struct nlattr *values = netlink_find_in(
			netlink_find_in(action, TCA_ACT_OPTIONS), TCA_MIRRED_PARMS);
		struct tc_mirred mirred;

		portrait_put(sketch, portrait_text(kind), strlen(portrait_text(kind)));
		if (!values || mnl_attr_get_payload_len(values) < sizeof(mirred))
			continue;
		memcpy(&mirred, mnl_attr_get_payload(values), sizeof(mirred));
		portrait_put(sketch, &mirred.action, sizeof(mirred.action));
		portrait_put(sketch, &mirred.eaction, sizeof(mirred.eaction));
		portrait_put(sketch, &mirred.ifindex, sizeof(mirred.ifindex));
	}
}

static int on_filter(const struct nlmsghdr *message, void *data)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(message);
	const char *kind = portrait_text(portrait_find(message, sizeof(*tc), TCA_KIND));
	const struct nlattr *options = portrait_find(message, sizeof(*tc), TCA_OPTIONS);
	const bool u32 = !strcmp(kind, "u32");
	const struct nlattr *selector =
		u32 ? netlink_find_in(options, TCA_U32_SEL) : NULL;
	struct portrait *portrait = data;
	struct portrait_sketch sketch = { .n = 0 };

	if (message->nlmsg_type != RTM_NEWTFILTER)
		return 0;
	portrait_put(&sketch, &tc->tcm_info, sizeof(tc->tcm_info));
	portrait_put(&sketch, kind, strlen(kind));
	if (selector)
		portrait_put_attr(&sketch, selector);
	put_action(&sketch,
	           netlink_find_in(options, u32 ? TCA_U32_ACT : TCA_MATCHALL_ACT));
	portrait_draw(portrait, PORTRAIT_UPLOAD, &sketch,
	              arena_printf(portrait->arena, "filter '%s'", kind));
	return 0;
}

int portrait_ask(int sock, const struct portrait_question *question,
                 const struct tcmsg *tc, struct portrait *portrait, struct err *err)
{
	struct netlink_batch batch;
	struct nlmsghdr *message;
	void *body;

	netlink_batch_init(&batch);
	message =
		netlink_begin(&batch, question->type, NLM_F_DUMP, "look at the gateway");
	body = mnl_nlmsg_put_extra_header(message, question->body);
	if (tc)
		memcpy(body, tc, sizeof(*tc));
	netlink_end(&batch, message);
	return netlink_dump(sock, &batch, question->each, portrait, err);
}

static int take_routes(int sock, struct portrait *portrait, struct err *err)
{
	static const struct portrait_question questions[] = {
		{ RTM_GETLINK, sizeof(struct ifinfomsg), on_link },
		{ RTM_GETADDR, sizeof(struct ifaddrmsg), on_address },
		{ RTM_GETROUTE, sizeof(struct rtmsg), on_route },
		{ RTM_GETRULE, sizeof(struct fib_rule_hdr), on_route_rule },
		{ RTM_GETQDISC, sizeof(struct tcmsg), on_queue },
	};
	static const struct portrait_question filters = { RTM_GETTFILTER,
		                                          sizeof(struct tcmsg),
		                                          on_filter };
	const struct tcmsg entering = { .tcm_ifindex = GATEWAY_INDEX,
		                        .tcm_parent = TC_H_MAKE(TC_H_INGRESS, 0) };
	bool shaped = false;
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(questions) / sizeof(questions[0]); i++)
		r = portrait_ask(sock, &questions[i], NULL, portrait, err);
	for (size_t i = 0; i < portrait->n; i++)
		shaped |= portrait->line[i].part == PORTRAIT_UPLOAD;
	return r < 0 || !shaped ? r
	                        : portrait_ask(sock, &filters, &entering, portrait, err);
}

int portrait_take(int routes, int rules, struct portrait *ret, struct err *err)
{
	int r = take_routes(routes, ret, err);

	if (r == 0)
		r = portrait_rules(rules, ret, err);
	if (r == 0 && ret->arena->failed)
		r = err_set(err, ENOMEM, "look at the gateway");
	return r;
}

int portrait_pose(const struct gateway *gateway, const struct relay_config *relay,
                  const struct pasta *pasta, struct err *err)
{
	int r = gateway_pose(gateway, POSE_PEER_IFNAME, POSE_PEER, err);
	bool log;

	if (r < 0 || !pasta)
		return r < 0 ? r : relay_install(relay, err);
	r = pasta_pose(pasta, err);
	return r < 0 ? r : pasta_install(relay, pasta, &log, err);
}

static bool has(const struct portrait *in, const struct portrait_line *line)
{
	for (size_t i = 0; i < in->n; i++)
		if (in->line[i].part == line->part && in->line[i].n == line->n &&
		    !memcmp(in->line[i].bytes, line->bytes, line->n))
			return true;
	return false;
}

const char *portrait_missing(const struct portrait *of, const struct portrait *in,
                             enum portrait_part part, size_t *ret_n)
{
	const char *first = NULL;

	*ret_n = 0;
	for (size_t i = 0; i < of->n; i++) {
		if (of->line[i].part != part || has(in, &of->line[i]))
			continue;
		if ((*ret_n)++ == 0)
			first = of->line[i].text;
	}
	return first;
}

const char *portrait_first(const struct portrait *portrait, enum portrait_part part,
                           size_t *ret_n)
{
	const char *first = NULL;

	*ret_n = 0;
	for (size_t i = 0; i < portrait->n; i++)
		if (portrait->line[i].part == part && (*ret_n)++ == 0)
			first = portrait->line[i].text;
	return first;
}
