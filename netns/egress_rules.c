#include "netns/relay_internal.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "netns/denied.h"
#include "netns/nft.h"

/*
 * Where the workspace may go, as rules of the gateway: connections that the relay let pass and
 * datagrams come by here before they are diverted to it (relay_rules.c). Established
 * connections do not: what they reach was judged when they began.
 *
 * With pasta what begins comes by here from where it is forwarded, echo requests too, and
 * nobody is asked before or behind it (pasta_rules.c).
 *
 * The chains: "egress" has the guards, the rules, and what becomes of the rest; "metadata" the
 * same for what is denied as metadata, without permissions that do not name it; "denied" ends
 * both. A permission returns to who asked.
 */

#define METADATA "metadata"

/* As much of a batch as one rule may need stays free. */
#define LINES_PER_BATCH 60
#define BYTES_PER_BATCH (NETLINK_BATCH_BYTES - 6000)

/* With pasta: who sent it is told by the kernel, and our log by the kernel's. */
static void denied_here(struct netlink_batch *batch, bool log)
{
	struct nft_rule rule;

	if (log) {
		rule = nft_rule(RELAY_TABLE, DENIED_CHAIN);
		nft_limit(&rule, DENIED_PER_SECOND, 1, DENIED_BURST);
		nft_log(&rule, DENIED_GROUP, DENIED_BYTES);
		nft_add_rule(batch, &rule, "tell of denials");
	}
	rule = nft_rule(RELAY_TABLE, DENIED_CHAIN);
	nft_count(&rule);
	nft_reject(&rule, NFT_REJECT_ICMPX_UNREACH, NFT_REJECT_ICMPX_ADMIN_PROHIBITED);
	nft_add_rule(batch, &rule, "deny");
}

static void denied(struct netlink_batch *batch, enum egress_end end)
{
	const bool compat = end == EGRESS_QUEUE_COMPAT;
	struct nft_rule rule;

	if (end == EGRESS_LOG || end == EGRESS_SILENT) {
		denied_here(batch, end == EGRESS_LOG);
		return;
	}
	rule = nft_rule(RELAY_TABLE, DENIED_CHAIN);
	/* The relay lets none of these pass: it is asked first. */
	nft_match_l4proto(&rule, IPPROTO_TCP);
	nft_count(&rule);
	nft_reject(&rule, NFT_REJECT_ICMPX_UNREACH, NFT_REJECT_ICMPX_ADMIN_PROHIBITED);
	nft_add_rule(batch, &rule, "deny connections");
	/* The relay tells who sent it, and our log; it cannot let it pass. */
	rule = nft_rule(RELAY_TABLE, DENIED_CHAIN);
	nft_match_l4proto(&rule, IPPROTO_UDP);
	nft_count(&rule);
	nft_queue(&rule, RELAY_QUEUE_DENIED, compat);
	nft_add_rule(batch, &rule, "deny datagrams");
	rule = nft_rule(RELAY_TABLE, DENIED_CHAIN);
	nft_verdict(&rule, NF_DROP);
	nft_add_rule(batch, &rule, "deny the rest");
}

void egress_chains(struct netlink_batch *batch, enum egress_end end)
{
	static const char *const names[] = { EGRESS_CHAIN, METADATA, DENIED_CHAIN };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct nft_chain chain = { .table = RELAY_TABLE, .name = names[i] };

		nft_add_chain(batch, &chain);
	}
	denied(batch, end);
}

/*
 * Echo requests have a number for each family: of a line for any network the first form is
 * ICMP's, and the second ICMPv6's.
 */
static uint8_t echo_protocol(const struct egress_rule *line, bool second)
{
	const unsigned char family = line->network.family;

	if (second && family == AF_INET6)
		return 0;
	return second || family == AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
}

/*
 * What a rule asks of a packet, for IPv4 in two forms: the second is that behind a
 * translator's prefix. @echo: echo requests come by here.
 */
static bool match(struct nft_rule *rule, const struct egress_rule *line, bool second,
                  bool echo)
{
	const bool ports = line->first != 0 || line->last != UINT16_MAX;
	const bool icmp = line->protocol == IPPROTO_ICMP;
	struct ip network = line->network;
	uint8_t protocol = line->protocol;

	if (icmp)
		protocol = echo ? echo_protocol(line, second) : 0;
	if (icmp && !protocol)
		return false;
	if (second && network.family != AF_INET && !(icmp && !network.family))
		return false;
	if (second && network.family == AF_INET)
		network = egress_translated(&line->network);
	/* Any address of a family is met by what only names the family, too. */
	if (network.family && network.prefix == 0)
		nft_match_family(rule,
		                 network.family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6);
	else if (network.family)
		nft_match_ip(rule, false, &network, true);
	if (protocol)
		nft_match_l4proto(rule, protocol);
	if (ports && !protocol && echo) {
		nft_match_not_l4proto(rule, IPPROTO_ICMP);
		nft_match_not_l4proto(rule, IPPROTO_ICMPV6);
	}
	if (ports)
		nft_match_ports(rule, line->first, line->last);
	return true;
}

static void decide(struct nft_rule *rule, bool deny)
{
	nft_count(rule);
	if (deny)
		nft_goto(rule, DENIED_CHAIN);
	else
		nft_verdict(rule, NFT_RETURN);
}

static void user_line(struct netlink_batch *batch, const char *chain,
                      const struct egress_rule *line, bool second, bool echo)
{
	struct nft_rule rule;

	rule = nft_rule(RELAY_TABLE, chain);
	if (!match(&rule, line, second, echo)) {
		nft_drop_rule(&rule);
		return;
	}
	decide(&rule, line->deny);
	nft_add_rule(batch, &rule, line->deny ? "deny by policy" : "allow by policy");
}

static void guard_line(struct netlink_batch *batch, const struct egress_guard *guard,
                       bool second)
{
	const struct egress_rule line = { .network = guard->network, .last = UINT16_MAX };
	struct nft_rule rule;

	rule = nft_rule(RELAY_TABLE, EGRESS_CHAIN);
	if (!match(&rule, &line, second, false)) {
		nft_drop_rule(&rule);
		return;
	}
	if (guard->verdict == EGRESS_METADATA) {
		nft_goto(&rule, METADATA);
		nft_add_rule(batch, &rule, "guard metadata");
		return;
	}
	nft_count(&rule);
	if (guard->verdict == EGRESS_MANY)
		nft_verdict(&rule, NF_DROP);
	else
		nft_goto(&rule, DENIED_CHAIN);
	nft_add_rule(batch, &rule,
	             guard->verdict == EGRESS_MANY ? "drop multicast" : "guard loopback");
}

static void rest(struct netlink_batch *batch, const char *chain, bool deny)
{
	struct nft_rule rule = nft_rule(RELAY_TABLE, chain);

	decide(&rule, deny);
	nft_add_rule(batch, &rule, deny ? "deny what no rule meets" : "allow the rest");
}

/* Line @at of all there are; false behind the last one. */
static bool put_line(struct netlink_batch *batch, const struct egress *egress, bool echo,
                     size_t at)
{
	const size_t rules = 2 * (size_t)egress->n, guards = 2 * egress_guards_n;

	if (at < rules) {
		const struct egress_rule *line = &egress->rule[at / 2];

		if (line->deny || egress_names_metadata(line))
			user_line(batch, METADATA, line, at % 2, echo);
		return true;
	}
	at -= rules;
	if (at == 0) {
		rest(batch, METADATA, true);
		return true;
	}
	at--;
	if (at < guards) {
		guard_line(batch, &egress_guards[at / 2], at % 2);
		return true;
	}
	at -= guards;
	if (at < rules) {
		user_line(batch, EGRESS_CHAIN, &egress->rule[at / 2], at % 2, echo);
		return true;
	}
	if (at > rules)
		return false;
	rest(batch, EGRESS_CHAIN, egress->deny_rest);
	return true;
}

bool egress_rules(struct netlink_batch *batch, const struct egress *egress, bool echo,
                  size_t *cursor)
{
	bool more = true;

	nft_begin(batch);
	while (more && batch->n < LINES_PER_BATCH && batch->size < BYTES_PER_BATCH) {
		more = put_line(batch, egress, echo, *cursor);
		*cursor += more;
	}
	nft_end(batch);
	return more;
}
