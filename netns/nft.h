#ifndef NETNS_NFT_H
#define NETNS_NFT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netns/ip.h"
#include "netns/netlink.h"

struct nftnl_rule;

/*
 * nf_tables without the nft program: builders of messages, as netlink.h has them. What is
 * between nft_begin() and nft_end() is taken by the kernel whole or not at all. A builder
 * that runs out of memory marks the batch, and netlink_commit() refuses it.
 */

/**
 * struct nft_rule - A rule in the making
 * @rule:	owned until nft_add_rule(); NULL where memory ran out
 */
struct nft_rule {
	struct nftnl_rule *rule;
};

/* The bounds of a transaction. */
void nft_begin(struct netlink_batch *batch);
void nft_end(struct netlink_batch *batch);

/* A table of family inet, made if it is not there. */
void nft_add_table(struct netlink_batch *batch, const char *table);

/**
 * struct nft_chain - A chain
 * @table:	where
 * @name:	its name
 * @base:	whether packets come here by themselves; the rest counts only then
 * @type:	NULL for "filter", or "nat"
 * @hook:	NF_INET_PRE_ROUTING ...
 * @priority:	lower is earlier
 * @policy:	NF_ACCEPT or NF_DROP, for what comes to the end
 */
struct nft_chain {
	const char *table;
	const char *name;
	bool base;
	const char *type;
	uint32_t hook;
	int32_t priority;
	uint32_t policy;
};

void nft_add_chain(struct netlink_batch *batch, const struct nft_chain *chain);

/**
 * nft_add_rule() - The rule, at the end of its chain
 * @batch:	grows
 * @rule:	of nft_rule(); its expressions are gone afterwards
 * @what:	what it does, for errors
 */
void nft_add_rule(struct netlink_batch *batch, struct nft_rule *rule, const char *what);

/* Forgets a rule that is not to be added. */
void nft_drop_rule(struct nft_rule *rule);

/*
 * Rules, expression by expression (nft_rule.c). A rule that lost an expression to want of
 * memory is empty; the functions pass it over, and the batch remembers.
 */

/* A rule without an expression: it matches everything and does nothing. */
struct nft_rule nft_rule(const char *table, const char *chain);

/**
 * nft_match_meta() - Go on if a property of the packet is this
 * @rule:	grows
 * @key:	NFT_META_L4PROTO, NFT_META_IIFNAME, NFT_META_MARK ...
 * @data:	in the byte order of the property
 * @n:		its size in bytes
 */
void nft_match_meta(struct nft_rule *rule, uint32_t key, const void *data, size_t n);

/* Shorthands: the transport protocol; NFPROTO_IPV4 or NFPROTO_IPV6; the packet's mark. */
void nft_match_l4proto(struct nft_rule *rule, uint8_t protocol);
void nft_match_family(struct nft_rule *rule, uint8_t family);
void nft_match_mark(struct nft_rule *rule, uint32_t mark);
void nft_match_input(struct nft_rule *rule, const char *ifname);
void nft_match_output(struct nft_rule *rule, const char *ifname);

/* Go on if the transport protocol is another one. */
void nft_match_not_l4proto(struct nft_rule *rule, uint8_t protocol);

/**
 * nft_match_payload() - Go on if these bytes of the packet are those, or are not
 * @rule:	grows
 * @base:	NFT_PAYLOAD_NETWORK_HEADER or NFT_PAYLOAD_TRANSPORT_HEADER
 * @offset:	of the first byte
 * @mask:	of @n bytes, or NULL for all bits
 * @data:	what to compare with, @n bytes, as on the wire
 * @n:		at most 16
 * @equal:	whether they are to be equal
 */
void nft_match_payload(struct nft_rule *rule, uint32_t base, uint32_t offset,
                       const void *mask, const void *data, size_t n, bool equal);

/**
 * nft_match_ip() - Go on if an address is in a network, or is not
 * @rule:	grows; packets of the other family do not go on in either case
 * @source:	of the packet; else its destination
 * @network:	with its prefix
 * @equal:	whether it is to be in it
 */
void nft_match_ip(struct nft_rule *rule, bool source, const struct ip *network,
                  bool equal);

/* Go on if the destination port lies in this range (TCP and UDP; host byte order). */
void nft_match_ports(struct nft_rule *rule, uint16_t first, uint16_t last);

/**
 * nft_match_socket() - Go on if the packet is for a socket of which this is true
 * @rule:	grows
 * @key:	NFT_SOCKET_TRANSPARENT, NFT_SOCKET_WILDCARD (Linux 5.14): bound to no address
 * @value:	0 or 1
 *
 * Nowhere without CONFIG_NFT_SOCKET: -ENOENT of the commit.
 */
void nft_match_socket(struct nft_rule *rule, uint32_t key, uint8_t value);

/**
 * nft_match_state() - Go on if the connection is in one of these states
 * @rule:	grows
 * @states:	NF_CT_STATE_INVALID_BIT, NF_CT_STATE_BIT(IP_CT_ESTABLISHED) ...
 *
 * This and all of nft_set_connection_mark() takes CONFIG_NFT_CT.
 */
void nft_match_state(struct nft_rule *rule, uint32_t states);

/* Go on if the connection has this mark; give it one. */
void nft_match_connection_mark(struct nft_rule *rule, uint32_t mark);
void nft_set_connection_mark(struct nft_rule *rule, uint32_t mark);

/* Go on with the first @burst at once, and then with @n in @seconds; or with what is more. */
void nft_limit(struct nft_rule *rule, uint32_t n, uint32_t seconds, uint32_t burst);
void nft_match_over(struct nft_rule *rule, uint32_t n, uint32_t seconds, uint32_t burst);

/* Give the packet a mark, for routing and for later chains. */
void nft_set_mark(struct nft_rule *rule, uint32_t mark);

/* Send from the address of the interface that it leaves by; in a chain of type "nat". */
void nft_masquerade(struct nft_rule *rule);

/* Send to another address instead; in a chain of type "nat" on the way in. */
void nft_send_to(struct nft_rule *rule, const struct ip *host);

/* Tell who listens to the nfnetlink log @group of it, with the first @bytes. */
void nft_log(struct nft_rule *rule, uint16_t group, uint32_t bytes);

/* Count packets and bytes that come this far. */
void nft_count(struct nft_rule *rule);

/* End here: NF_ACCEPT, NF_DROP, NFT_RETURN; or go on in a plain chain. */
void nft_verdict(struct nft_rule *rule, int verdict);
void nft_jump(struct nft_rule *rule, const char *chain);

/* Go on there, and not come back: its end is that of the chain that jumped here. */
void nft_goto(struct nft_rule *rule, const char *chain);

/**
 * nft_reject() - Answer with an error and drop
 * @rule:	grows
 * @type:	NFT_REJECT_TCP_RST or NFT_REJECT_ICMPX_UNREACH
 * @code:	NFT_REJECT_ICMPX_NO_ROUTE ... for the latter
 */
void nft_reject(struct nft_rule *rule, uint32_t type, uint8_t code);

/* Deliver to the IP_TRANSPARENT socket at this port; TCP and UDP only. */
void nft_tproxy(struct nft_rule *rule, uint16_t port);

/**
 * nft_queue() - Hand the packet to who listens on the nfnetlink queue, and wait
 * @rule:	grows
 * @number:	of the queue
 * @compat:	by the xt target NFQUEUE, for kernels without nft's own queue
 *
 * Nobody there: dropped. An accepted packet goes on with the next base chain.
 */
void nft_queue(struct nft_rule *rule, uint16_t number, bool compat);

#endif
