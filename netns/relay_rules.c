#include "netns/relay_internal.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "base/fd.h"
#include "netns/nft.h"
#include "netns/route.h"

#define HOLD "hold"
#define DIVERT "divert"
#define ANSWERS "answers"
/* Neighbour solicitation and advertisement (RFC 4861); routers inside teach us nothing. */
#define ND_FIRST 135
#define ND_LAST 136

/* Routes of all that comes in, and of what has a mark: a namespace may have both (berth check). */
#define LOCAL_TABLE 100
#define MARKED_TABLE 101
#define LOCAL_PRIORITY 100

/* Beside ports, rules look at these bytes of TCP and ICMP. */
#define TCP_FLAGS_OFFSET 13
#define TCP_SYN 0x02
#define TCP_SYN_RST_FIN_ACK 0x17

void rules_deliver_here(struct netlink_batch *batch, unsigned char family,
                        const char *ifname, uint32_t mark)
{
	const unsigned char table = mark ? MARKED_TABLE : LOCAL_TABLE;
	const struct route local = { .to = { .family = family },
		                     .index = LOOPBACK_INDEX,
		                     .table = table,
		                     .local = true };
	const struct fib_rule_hdr body = { .family = family,
		                           .table = table,
		                           .action = FR_ACT_TO_TBL };
	struct nlmsghdr *message;

	route_add(batch, &local);
	message = netlink_begin(batch, RTM_NEWRULE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
	                        "deliver here what comes in by '%s'", ifname);
	memcpy(mnl_nlmsg_put_extra_header(message, sizeof(body)), &body, sizeof(body));
	mnl_attr_put_strz(message, FRA_IIFNAME, ifname);
	if (mark)
		mnl_attr_put_u32(message, FRA_FWMARK, mark);
	mnl_attr_put_u32(message, FRA_PRIORITY, LOCAL_PRIORITY);
	netlink_end(batch, message);
}

static struct nft_rule from_workspace(const struct relay_config *config,
                                      const char *chain)
{
	struct nft_rule rule = nft_rule(RELAY_TABLE, chain);

	nft_match_input(&rule, config->ifname);
	return rule;
}

/* A sender that the workspace does not have would get answers that are not its own. */
void rules_refuse_spoofed(struct netlink_batch *batch, const struct relay_config *config,
                          const char *chain)
{
	static const struct ip link_local = { .family = AF_INET6,
		                              .prefix = 10,
		                              .byte = { 0xfe, 0x80 } };
	const struct ip *v4 = &config->workspace[0], *v6 = &config->workspace[1];
	const uint8_t icmp = IPPROTO_ICMPV6;
	struct nft_rule rule;

	if (v4->family) {
		struct ip host = *v4;

		host.prefix = 32;
		rule = from_workspace(config, chain);
		nft_match_ip(&rule, true, &host, false);
		nft_count(&rule);
		nft_verdict(&rule, NF_DROP);
		nft_add_rule(batch, &rule, "drop spoofed IPv4");
	}
	/* Neighbours are found from link-local addresses, and before there are any. */
	rule = from_workspace(config, chain);
	nft_match_ip(&rule, true, &link_local, true);
	nft_match_meta(&rule, NFT_META_L4PROTO, &icmp, sizeof(icmp));
	nft_verdict(&rule, NF_ACCEPT);
	nft_add_rule(batch, &rule, "let neighbours be found");
	if (!v6->family) {
		rule = from_workspace(config, chain);
		nft_match_family(&rule, NFPROTO_IPV6);
		nft_count(&rule);
		nft_verdict(&rule, NF_DROP);
		nft_add_rule(batch, &rule, "drop IPv6, which the workspace has not");
	} else {
		struct ip host = *v6;

		host.prefix = 128;
		rule = from_workspace(config, chain);
		nft_match_ip(&rule, true, &host, false);
		nft_count(&rule);
		nft_verdict(&rule, NF_DROP);
		nft_add_rule(batch, &rule, "drop spoofed IPv6");
	}
}

/*
 * Most packets by far belong to connections that stand: they are let go on by the first rule,
 * since the others cost as much as the rest of the way. A SYN alone is no such packet.
 */
static void hurry(struct netlink_batch *batch, const struct relay_config *config,
                  const char *chain)
{
	const uint8_t mask = TCP_SYN_RST_FIN_ACK, syn = TCP_SYN;

	for (size_t i = 0; i < 2; i++) {
		struct ip host = config->workspace[i];
		struct nft_rule rule;

		if (!host.family)
			continue;
		host.prefix = host.family == AF_INET ? 32 : 128;
		rule = from_workspace(config, chain);
		nft_match_ip(&rule, true, &host, true);
		nft_match_l4proto(&rule, IPPROTO_TCP);
		nft_match_payload(&rule, NFT_PAYLOAD_TRANSPORT_HEADER, TCP_FLAGS_OFFSET,
		                  &mask, &syn, sizeof(syn), false);
		nft_verdict(&rule, NF_ACCEPT);
		nft_add_rule(batch, &rule, "let connections hurry");
	}
}

static void hold(struct netlink_batch *batch, const struct relay_config *config,
                 bool compat)
{
	const uint8_t mask = TCP_SYN_RST_FIN_ACK, syn = TCP_SYN;
	struct nft_rule rule = from_workspace(config, HOLD);

	nft_match_l4proto(&rule, IPPROTO_TCP);
	nft_match_payload(&rule, NFT_PAYLOAD_TRANSPORT_HEADER, TCP_FLAGS_OFFSET, &mask,
	                  &syn, sizeof(syn), true);
	nft_queue(&rule, RELAY_QUEUE_SYN, compat);
	nft_add_rule(batch, &rule,
	             compat ? "hold SYNs (xt NFQUEUE)" : "hold SYNs (queue)");
	/* The gateway would answer for everybody. */
	for (size_t i = 0; i < 2; i++) {
		struct ip gateway = config->gateway[i];
		const bool v4 = gateway.family == AF_INET;
		const uint8_t echo = v4 ? ICMP_ECHO : ICMPV6_ECHO_REQUEST;

		if (!gateway.family)
			continue;
		gateway.prefix = v4 ? 32 : 128;
		rule = from_workspace(config, HOLD);
		nft_match_ip(&rule, false, &gateway, false);
		nft_match_l4proto(&rule, v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
		nft_match_payload(&rule, NFT_PAYLOAD_TRANSPORT_HEADER, 0, NULL, &echo,
		                  sizeof(echo), true);
		nft_queue(&rule, RELAY_QUEUE_ECHO, compat);
		nft_add_rule(batch, &rule, "relay echo requests");
	}
}

/* What the relay's verdict on a SYN was. */
static void answer(struct netlink_batch *batch)
{
	static const struct {
		uint32_t mark;
		uint8_t code;
		const char *what;
	} unreachable[] = {
		{ MARK_NO_ROUTE, NFT_REJECT_ICMPX_NO_ROUTE, "answer: no route" },
		{ MARK_NO_HOST, NFT_REJECT_ICMPX_HOST_UNREACH, "answer: no host" },
		{ MARK_FORBIDDEN, NFT_REJECT_ICMPX_ADMIN_PROHIBITED,
		  "answer: forbidden" },
	};
	struct nft_rule rule = nft_rule(RELAY_TABLE, DIVERT);

	nft_match_mark(&rule, MARK_REFUSED);
	nft_match_l4proto(&rule, IPPROTO_TCP);
	nft_reject(&rule, NFT_REJECT_TCP_RST, 0);
	nft_add_rule(batch, &rule, "answer: refused");
	for (size_t i = 0; i < sizeof(unreachable) / sizeof(unreachable[0]); i++) {
		rule = nft_rule(RELAY_TABLE, DIVERT);
		nft_match_mark(&rule, unreachable[i].mark);
		nft_reject(&rule, NFT_REJECT_ICMPX_UNREACH, unreachable[i].code);
		nft_add_rule(batch, &rule, unreachable[i].what);
	}
}

/*
 * What begins here goes by the chain of what may: a SYN that the relay let pass (@mark), or a
 * datagram. What is for the gateway itself is for nobody beyond it.
 */
static void ask_policy(struct netlink_batch *batch, const struct relay_config *config,
                       uint8_t protocol, uint32_t mark)
{
	for (size_t i = 0; i < 2; i++) {
		struct ip gateway = config->gateway[i];
		struct nft_rule rule;

		if (!gateway.family)
			continue; /* and nothing of that family comes this far */
		gateway.prefix = gateway.family == AF_INET ? 32 : 128;
		rule = from_workspace(config, DIVERT);
		if (mark)
			nft_match_mark(&rule, mark);
		nft_match_l4proto(&rule, protocol);
		nft_match_ip(&rule, false, &gateway, false);
		nft_jump(&rule, EGRESS_CHAIN);
		nft_add_rule(batch, &rule,
		             mark ? "judge connections" : "judge datagrams");
	}
}

void rules_to_gateway(struct netlink_batch *batch, const struct relay_config *config,
                      const char *chain, const struct ip *host)
{
	static const uint8_t four[] = { ICMP_DEST_UNREACH, ICMP_ECHO, ICMP_TIME_EXCEEDED,
		                        ICMP_PARAMETERPROB };
	static const uint8_t six[] = { ICMPV6_DEST_UNREACH, ICMPV6_PKT_TOOBIG,
		                       ICMPV6_TIME_EXCEED, ICMPV6_PARAMPROB,
		                       ICMPV6_ECHO_REQUEST };
	const bool v4 = host->family == AF_INET;

	for (size_t i = 0; i < (v4 ? sizeof(four) : sizeof(six)); i++) {
		struct nft_rule rule = from_workspace(config, chain);

		nft_match_ip(&rule, false, host, true);
		nft_match_l4proto(&rule, v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
		nft_match_payload(&rule, NFT_PAYLOAD_TRANSPORT_HEADER, 0, NULL,
		                  v4 ? &four[i] : &six[i], 1, true);
		nft_verdict(&rule, NF_ACCEPT);
		nft_add_rule(batch, &rule, "let the gateway answer");
	}
}

void rules_neighbours(struct netlink_batch *batch, const struct relay_config *config,
                      const char *chain)
{
	for (uint8_t type = ND_FIRST; type <= ND_LAST; type++) {
		struct nft_rule rule = from_workspace(config, chain);

		nft_match_l4proto(&rule, IPPROTO_ICMPV6);
		nft_match_payload(&rule, NFT_PAYLOAD_TRANSPORT_HEADER, 0, NULL, &type,
		                  sizeof(type), true);
		nft_verdict(&rule, NF_ACCEPT);
		nft_add_rule(batch, &rule, "let neighbours be found");
	}
}

static void divert(struct netlink_batch *batch, const struct relay_config *config)
{
	struct nft_rule rule;

	hurry(batch, config, DIVERT);
	ask_policy(batch, config, IPPROTO_TCP, MARK_STANDS);
	rule = from_workspace(config, DIVERT);
	nft_match_l4proto(&rule, IPPROTO_UDP);
	nft_jump(&rule, ANSWERS);
	nft_add_rule(batch, &rule, "look for answers");
	ask_policy(batch, config, IPPROTO_UDP, 0);
	rule = nft_rule(RELAY_TABLE, DIVERT);
	nft_match_mark(&rule, MARK_STANDS);
	nft_match_l4proto(&rule, IPPROTO_TCP);
	nft_tproxy(&rule, RELAY_PORT);
	nft_verdict(&rule, NF_ACCEPT);
	nft_add_rule(batch, &rule, "divert connections (tproxy)");
	answer(batch);
	rule = from_workspace(config, DIVERT);
	nft_match_l4proto(&rule, IPPROTO_UDP);
	nft_tproxy(&rule, RELAY_PORT);
	nft_verdict(&rule, NF_ACCEPT);
	nft_add_rule(batch, &rule, "divert datagrams (tproxy)");
	rule = from_workspace(config, DIVERT);
	nft_match_l4proto(&rule, IPPROTO_TCP);
	nft_verdict(&rule, NF_ACCEPT);
	nft_add_rule(batch, &rule, "let connections go on");
	/* The rest is for the gateway itself or for nobody. */
	for (size_t i = 0; i < 2; i++) {
		struct ip host = config->gateway[i];

		if (!host.family)
			continue;
		host.prefix = host.family == AF_INET ? 32 : 128;
		rules_to_gateway(batch, config, DIVERT, &host);
	}
	rules_neighbours(batch, config, DIVERT);
	rule = from_workspace(config, DIVERT);
	nft_count(&rule);
	nft_verdict(&rule, NF_DROP);
	nft_add_rule(batch, &rule, "drop the rest");
}

void relay_rules(struct netlink_batch *batch, const struct relay_config *config,
                 bool compat)
{
	static const struct nft_chain first = { .table = RELAY_TABLE,
		                                .name = HOLD,
		                                .base = true,
		                                .hook = NF_INET_PRE_ROUTING,
		                                .priority = -150,
		                                .policy = NF_ACCEPT };
	static const struct nft_chain second = { .table = RELAY_TABLE,
		                                 .name = DIVERT,
		                                 .base = true,
		                                 .hook = NF_INET_PRE_ROUTING,
		                                 .priority = -140,
		                                 .policy = NF_ACCEPT };

	static const struct nft_chain answers = { .table = RELAY_TABLE, .name = ANSWERS };

	nft_begin(batch);
	nft_add_table(batch, RELAY_TABLE);
	nft_add_chain(batch, &answers);
	/* Two: what the queue lets through goes on with the next base chain. */
	nft_add_chain(batch, &first);
	nft_add_chain(batch, &second);
	egress_chains(batch, compat ? EGRESS_QUEUE_COMPAT : EGRESS_QUEUE);
	hurry(batch, config, HOLD);
	rules_refuse_spoofed(batch, config, HOLD);
	hold(batch, config, compat);
	divert(batch, config);
	nft_end(batch);
}

/*
 * What answers a client of a published UDP port was not begun by the workspace, so no policy
 * judges it. The relay's sockets for such clients are the only transparent ones with an address.
 * Kernels that cannot tell judge it.
 */
static void let_answers_pass(int sock)
{
	struct nft_rule rule = nft_rule(RELAY_TABLE, ANSWERS);
	struct netlink_batch batch;
	struct err ignored = { 0 };

	netlink_batch_init(&batch);
	nft_begin(&batch);
	nft_match_socket(&rule, NFT_SOCKET_WILDCARD, 0);
	nft_match_socket(&rule, NFT_SOCKET_TRANSPARENT, 1);
	nft_verdict(&rule, NF_ACCEPT);
	nft_add_rule(&batch, &rule, "let answers pass");
	nft_end(&batch);
	(void)netlink_commit(sock, &batch, &ignored);
}

/* More than one transaction; nothing comes from the workspace yet. */
static int install_policy(int sock, const struct relay_config *config, struct err *err)
{
	const struct egress kept = egress_kept(&config->egress);
	struct netlink_batch batch;
	size_t cursor = 0;
	bool more = true;
	int r = 0;

	let_answers_pass(sock);
	netlink_batch_init(&batch);
	while (r == 0 && more) {
		more = egress_rules(&batch, &kept, false, &cursor);
		r = netlink_commit(sock, &batch, err);
	}
	return r;
}

int relay_install(const struct relay_config *config, struct err *err)
{
	cleanup_close int routes = -EBADF, rules = -EBADF;
	struct netlink_batch batch;
	int r;

	routes = netlink_open(NETLINK_ROUTE, err);
	if (routes < 0)
		return routes;
	rules = netlink_open(NETLINK_NETFILTER, err);
	if (rules < 0)
		return rules;
	netlink_batch_init(&batch);
	rules_deliver_here(&batch, AF_INET, config->ifname, 0);
	if (config->workspace[1].family)
		rules_deliver_here(&batch, AF_INET6, config->ifname, 0);
	r = netlink_commit(routes, &batch, err);
	if (r < 0)
		return r;
	relay_rules(&batch, config, false);
	r = netlink_commit(rules, &batch, err);
	if (r == 0)
		return install_policy(rules, config, err);
	if (r != -ENOENT && r != -EOPNOTSUPP)
		return r;
	/* No queue of nft's own: CONFIG_NFT_QUEUE is often left out. */
	err_clear(err);
	relay_rules(&batch, config, true);
	r = netlink_commit(rules, &batch, err);
	return r < 0 ? r : install_policy(rules, config, err);
}
