#include "netns/pasta.h"

#include <errno.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "base/fd.h"
#include "netns/nft.h"
#include "netns/relay_internal.h"

/*
 * The gateway's rules with pasta. Chains: "arrive" drops spoofed senders; "local" is for the
 * gateway itself; "forward" for what goes on, by way of "begin" where a connection or a flow
 * begins; "names" leads questions to the pod's name server; "leave" changes the sender. The
 * policy's are as with the relay (egress_rules.c).
 *
 * Published ports are the relay's. Its sockets here are all that begins by "reach", and what
 * answers them is known by the connection tracker, so none of what the relay's own way out takes
 * is needed.
 */

#define ARRIVE "arrive"
#define LOCAL "local"
#define FORWARD "forward"
#define LEAVE "leave"
#define NAMES "names"
#define REACH "reach"

#define DNS_PORT 53
#define MINUTE_S 60

/* A connection that was judged, and may go on: packets of it are not counted again. */
#define MARK_PERMITTED 1
/* One from outside, by a published port; and what comes back of it. */
#define MARK_PUBLISHED 2

static struct nft_rule outwards(const struct relay_config *relay)
{
	struct nft_rule rule = nft_rule(RELAY_TABLE, FORWARD);

	nft_match_input(&rule, relay->ifname);
	nft_match_output(&rule, PASTA_IFNAME);
	return rule;
}

static void chains(struct netlink_batch *batch)
{
	static const struct nft_chain chain[] = {
		{ .table = RELAY_TABLE, .name = BEGIN_CHAIN },
		{ .table = RELAY_TABLE,
		  .name = ARRIVE,
		  .base = true,
		  .hook = NF_INET_PRE_ROUTING,
		  .priority = -150,
		  .policy = NF_ACCEPT },
		{ .table = RELAY_TABLE,
		  .name = LOCAL,
		  .base = true,
		  .hook = NF_INET_LOCAL_IN,
		  .policy = NF_DROP },
		{ .table = RELAY_TABLE,
		  .name = FORWARD,
		  .base = true,
		  .hook = NF_INET_FORWARD,
		  .policy = NF_DROP },
		{ .table = RELAY_TABLE,
		  .name = REACH,
		  .base = true,
		  .hook = NF_INET_LOCAL_OUT,
		  .policy = NF_ACCEPT },
		{ .table = RELAY_TABLE,
		  .name = LEAVE,
		  .base = true,
		  .type = "nat",
		  .hook = NF_INET_POST_ROUTING,
		  .priority = 100,
		  .policy = NF_ACCEPT },
		{ .table = RELAY_TABLE,
		  .name = NAMES,
		  .base = true,
		  .type = "nat",
		  .hook = NF_INET_PRE_ROUTING,
		  .priority = -100,
		  .policy = NF_ACCEPT },
	};

	for (size_t i = 0; i < sizeof(chain) / sizeof(chain[0]); i++)
		nft_add_chain(batch, &chain[i]);
}

/* What the gateway's own kernel gets. pasta has nothing to tell it. */
static void local(struct netlink_batch *batch, const struct relay_config *relay)
{
	for (int i = 0; i < IP_FAMILIES; i++) {
		struct ip host = relay->gateway[i];

		if (!host.family)
			continue;
		host.prefix = host.family == AF_INET ? 32 : 128;
		rules_to_gateway(batch, relay, LOCAL, &host);
	}
	rules_neighbours(batch, relay, LOCAL);
}

static void permit(struct nft_rule *rule)
{
	nft_set_connection_mark(rule, MARK_PERMITTED);
	nft_verdict(rule, NF_ACCEPT);
}

static const uint8_t name_protocols[] = { IPPROTO_UDP, IPPROTO_TCP };

bool pasta_name_server(const struct relay_config *relay, unsigned char family,
                       struct ip *ret)
{
	for (unsigned int i = 0; i < relay->nameservers; i++) {
		const struct endpoint *server = &relay->nameserver[i];
		const bool v4 = endpoint_is_v4(server);
		const unsigned char *byte = &server->address.s6_addr[v4 ? 12 : 0];

		if (v4 != (family == AF_INET))
			continue;
		if (v4 ? byte[0] == IN_LOOPBACKNET
		       : IN6_IS_ADDR_LOOPBACK(&server->address))
			return false;
		*ret = (struct ip){ .family = family, .prefix = v4 ? 32 : 128 };
		memcpy(ret->byte, byte, ip_size(family));
		return true;
	}
	return false;
}

/*
 * Questions go to the pod's name server itself: versions of pasta before 2024 answer for it by
 * UDP alone.
 */
static void lead_names(struct netlink_batch *batch, const struct relay_config *relay,
                       const struct pasta *pasta)
{
	for (int i = 0; i < IP_FAMILIES; i++) {
		struct ip host = pasta->far[i], server;

		if (!host.family || !pasta_name_server(relay, host.family, &server))
			continue;
		host.prefix = server.prefix;
		for (size_t j = 0; j < sizeof(name_protocols); j++) {
			struct nft_rule rule = nft_rule(RELAY_TABLE, NAMES);

			nft_match_input(&rule, relay->ifname);
			nft_match_ip(&rule, false, &host, true);
			nft_match_l4proto(&rule, name_protocols[j]);
			nft_match_ports(&rule, DNS_PORT, DNS_PORT);
			nft_set_connection_mark(&rule, MARK_PERMITTED);
			nft_send_to(&rule, &server);
			nft_add_rule(batch, &rule, "lead questions to a name server");
		}
	}
}

/* Names are asked at the far end of the tap, where nothing else is to be had. */
static void names(struct netlink_batch *batch, const struct relay_config *relay,
                  const struct pasta *pasta)
{
	for (int i = 0; i < IP_FAMILIES; i++) {
		struct ip host = pasta->far[i];
		struct nft_rule rule;

		if (!host.family)
			continue;
		host.prefix = host.family == AF_INET ? 32 : 128;
		for (size_t j = 0; j < sizeof(name_protocols); j++) {
			rule = outwards(relay);
			nft_match_ip(&rule, false, &host, true);
			nft_match_l4proto(&rule, name_protocols[j]);
			nft_match_ports(&rule, DNS_PORT, DNS_PORT);
			permit(&rule);
			nft_add_rule(batch, &rule, "let names be asked");
		}
		rule = outwards(relay);
		nft_match_ip(&rule, false, &pasta->far[i], true);
		nft_verdict(&rule, NF_DROP);
		nft_add_rule(batch, &rule, "nothing else of pasta's");
	}
}

/* No more than @most begin in any minute: half of them at once, and the rest over its time. */
static void limit(struct netlink_batch *batch, uint32_t most)
{
	const uint32_t burst = (most + 1) / 2;
	struct nft_rule rule = nft_rule(RELAY_TABLE, BEGIN_CHAIN);

	nft_match_over(&rule, most + 1 - burst, MINUTE_S, burst);
	nft_count(&rule);
	nft_verdict(&rule, NF_DROP);
	nft_add_rule(batch, &rule, "limit connections");
}

/* What begins: judged, counted, and from then on known. */
static void begin(struct netlink_batch *batch, const struct relay_config *relay)
{
	static const struct {
		uint8_t protocol, type; /* of ICMP; 0: any */
		const char *what;
	} row[] = {
		{ IPPROTO_TCP, 0, "judge connections" },
		{ IPPROTO_UDP, 0, "judge datagrams" },
		{ IPPROTO_ICMP, ICMP_ECHO, "judge echo requests" },
		{ IPPROTO_ICMPV6, ICMPV6_ECHO_REQUEST, "judge echo requests" },
	};
	struct nft_rule rule;

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		rule = outwards(relay);
		nft_match_l4proto(&rule, row[i].protocol);
		if (row[i].type)
			nft_match_payload(&rule, NFT_PAYLOAD_TRANSPORT_HEADER, 0, NULL,
			                  &row[i].type, 1, true);
		nft_goto(&rule, BEGIN_CHAIN);
		nft_add_rule(batch, &rule, row[i].what);
	}
	rule = nft_rule(RELAY_TABLE, BEGIN_CHAIN);
	nft_jump(&rule, EGRESS_CHAIN);
	nft_add_rule(batch, &rule, "ask the policy");
	if (relay->egress.per_minute)
		limit(batch, relay->egress.per_minute);
	rule = nft_rule(RELAY_TABLE, BEGIN_CHAIN);
	permit(&rule);
	nft_add_rule(batch, &rule, "let it begin");
}

static void forward(struct netlink_batch *batch, const struct relay_config *relay,
                    const struct pasta *pasta)
{
	struct nft_rule rule = nft_rule(RELAY_TABLE, FORWARD);

	nft_match_input(&rule, PASTA_IFNAME);
	nft_match_output(&rule, relay->ifname);
	nft_match_state(&rule, NF_CT_STATE_BIT(IP_CT_ESTABLISHED) |
	                               NF_CT_STATE_BIT(IP_CT_RELATED));
	nft_verdict(&rule, NF_ACCEPT);
	nft_add_rule(batch, &rule, "let answers pass");
	/* It would leave with the workspace's own address. */
	rule = outwards(relay);
	nft_match_state(&rule, NF_CT_STATE_INVALID_BIT);
	nft_verdict(&rule, NF_DROP);
	nft_add_rule(batch, &rule, "drop what belongs to nothing");
	rule = outwards(relay);
	nft_match_connection_mark(&rule, MARK_PERMITTED);
	nft_verdict(&rule, NF_ACCEPT);
	nft_add_rule(batch, &rule, "let connections go on");
	lead_names(batch, relay, pasta);
	names(batch, relay, pasta);
	begin(batch, relay);
	rule = nft_rule(RELAY_TABLE, LEAVE);
	nft_match_output(&rule, PASTA_IFNAME);
	nft_masquerade(&rule);
	nft_add_rule(batch, &rule, "send from the tap's address");
}

/*
 * Whom the relay brings: the gateway's own errors and resets belong to what they are about, and
 * are not new.
 */
static void published(struct netlink_batch *batch, const struct relay_config *relay)
{
	static const struct {
		uint8_t protocol, type; /* of ICMP; 0: any */
	} answer[] = {
		{ IPPROTO_TCP, 0 },
		{ IPPROTO_UDP, 0 },
		{ IPPROTO_ICMP, ICMP_DEST_UNREACH },
		{ IPPROTO_ICMPV6, ICMPV6_DEST_UNREACH },
		{ IPPROTO_ICMPV6, ICMPV6_PKT_TOOBIG },
	};
	struct nft_rule rule;

	for (size_t i = 0; i < 2; i++) {
		rule = nft_rule(RELAY_TABLE, REACH);
		nft_match_output(&rule, relay->ifname);
		nft_match_l4proto(&rule, answer[i].protocol);
		nft_match_state(&rule, NF_CT_STATE_BIT(IP_CT_NEW));
		nft_set_connection_mark(&rule, MARK_PUBLISHED);
		nft_add_rule(batch, &rule, "know who comes by a published port");
	}
	rule = nft_rule(RELAY_TABLE, ARRIVE);
	nft_match_input(&rule, relay->ifname);
	nft_match_connection_mark(&rule, MARK_PUBLISHED);
	nft_set_mark(&rule, MARK_PUBLISHED);
	nft_add_rule(batch, &rule, "lead answers to the relay");
	for (size_t i = 0; i < sizeof(answer) / sizeof(answer[0]); i++) {
		rule = nft_rule(RELAY_TABLE, LOCAL);
		nft_match_input(&rule, relay->ifname);
		nft_match_connection_mark(&rule, MARK_PUBLISHED);
		nft_match_l4proto(&rule, answer[i].protocol);
		if (answer[i].type)
			nft_match_payload(&rule, NFT_PAYLOAD_TRANSPORT_HEADER, 0, NULL,
			                  &answer[i].type, 1, true);
		nft_verdict(&rule, NF_ACCEPT);
		nft_add_rule(batch, &rule, "let answers to the relay pass");
	}
}

void pasta_rules(struct netlink_batch *batch, const struct relay_config *relay,
                 const struct pasta *pasta, bool log)
{
	nft_begin(batch);
	nft_add_table(batch, RELAY_TABLE);
	chains(batch);
	egress_chains(batch, log ? EGRESS_LOG : EGRESS_SILENT);
	rules_refuse_spoofed(batch, relay, ARRIVE);
	local(batch, relay);
	published(batch, relay);
	forward(batch, relay, pasta);
	nft_end(batch);
}

static int install(int sock, const struct relay_config *relay, const struct pasta *pasta,
                   bool log, struct err *err)
{
	struct netlink_batch batch;
	size_t cursor = 0;
	bool more = true;
	int r;

	netlink_batch_init(&batch);
	pasta_rules(&batch, relay, pasta, log);
	r = netlink_commit(sock, &batch, err);
	while (r == 0 && more) {
		more = egress_rules(&batch, &relay->egress, true, &cursor);
		r = netlink_commit(sock, &batch, err);
	}
	return r;
}

static int lead_answers(const struct relay_config *relay, struct err *err)
{
	cleanup_close int sock = netlink_open(NETLINK_ROUTE, err);
	struct netlink_batch batch;

	if (sock < 0)
		return sock;
	netlink_batch_init(&batch);
	rules_deliver_here(&batch, AF_INET, relay->ifname, MARK_PUBLISHED);
	if (relay->workspace[IP_V6].family)
		rules_deliver_here(&batch, AF_INET6, relay->ifname, MARK_PUBLISHED);
	return netlink_commit(sock, &batch, err);
}

int pasta_install(const struct relay_config *relay, const struct pasta *pasta,
                  bool *ret_log, struct err *err)
{
	cleanup_close int sock = netlink_open(NETLINK_NETFILTER, err);
	int r = sock;

	if (r >= 0)
		r = lead_answers(relay, err);
	if (r == 0)
		r = install(sock, relay, pasta, true, err);
	*ret_log = r == 0;
	if (r != -ENOENT && r != -EOPNOTSUPP)
		return r;
	/* No nft_log, or something that is needed: then the same error comes again. */
	err_clear(err);
	return install(sock, relay, pasta, false, err);
}
