#include "netns/nft.h"

#include <stdio.h> /* which libnftnl needs first */

#include <arpa/inet.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_NFQUEUE.h>
#include <linux/tcp.h>
#include <net/if.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static void lose(struct nft_rule *rule)
{
	nftnl_rule_free(rule->rule);
	rule->rule = NULL;
}

struct nft_rule nft_rule(const char *table, const char *chain)
{
	struct nft_rule rule = { .rule = nftnl_rule_alloc() };

	if (rule.rule && (nftnl_rule_set_str(rule.rule, NFTNL_RULE_TABLE, table) < 0 ||
	                  nftnl_rule_set_str(rule.rule, NFTNL_RULE_CHAIN, chain) < 0))
		lose(&rule);
	return rule;
}

void nft_drop_rule(struct nft_rule *rule)
{
	if (rule->rule)
		lose(rule);
}

/* A new expression at the end of the rule; NULL, and the rule gone, without memory. */
static struct nftnl_expr *append(struct nft_rule *rule, const char *name)
{
	struct nftnl_expr *expr;

	if (!rule->rule)
		return NULL;
	expr = nftnl_expr_alloc(name);
	if (expr)
		nftnl_rule_add_expr(rule->rule, expr);
	else
		lose(rule);
	return expr;
}

static void compare(struct nft_rule *rule, uint32_t op, const void *data, size_t n)
{
	struct nftnl_expr *expr = append(rule, "cmp");

	if (!expr)
		return;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_CMP_OP, op);
	if (nftnl_expr_set(expr, NFTNL_EXPR_CMP_DATA, data, (uint32_t)n) < 0)
		lose(rule);
}

static void load_payload(struct nft_rule *rule, uint32_t base, uint32_t offset, size_t n)
{
	struct nftnl_expr *expr = append(rule, "payload");

	if (!expr)
		return;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_LEN, (uint32_t)n);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
}

static void load_meta(struct nft_rule *rule, uint32_t key)
{
	struct nftnl_expr *expr = append(rule, "meta");

	if (!expr)
		return;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_META_DREG, NFT_REG_1);
}

void nft_match_meta(struct nft_rule *rule, uint32_t key, const void *data, size_t n)
{
	load_meta(rule, key);
	compare(rule, NFT_CMP_EQ, data, n);
}

void nft_match_not_l4proto(struct nft_rule *rule, uint8_t protocol)
{
	load_meta(rule, NFT_META_L4PROTO);
	compare(rule, NFT_CMP_NEQ, &protocol, sizeof(protocol));
}

void nft_match_l4proto(struct nft_rule *rule, uint8_t protocol)
{
	nft_match_meta(rule, NFT_META_L4PROTO, &protocol, sizeof(protocol));
}

void nft_match_family(struct nft_rule *rule, uint8_t family)
{
	nft_match_meta(rule, NFT_META_NFPROTO, &family, sizeof(family));
}

void nft_match_mark(struct nft_rule *rule, uint32_t mark)
{
	nft_match_meta(rule, NFT_META_MARK, &mark, sizeof(mark));
}

void nft_match_input(struct nft_rule *rule, const char *ifname)
{
	char name[IFNAMSIZ] = "";

	strncpy(name, ifname, sizeof(name) - 1);
	nft_match_meta(rule, NFT_META_IIFNAME, name, sizeof(name));
}

void nft_match_output(struct nft_rule *rule, const char *ifname)
{
	char name[IFNAMSIZ] = "";

	strncpy(name, ifname, sizeof(name) - 1);
	nft_match_meta(rule, NFT_META_OIFNAME, name, sizeof(name));
}

static void keep_bits(struct nft_rule *rule, const void *mask, size_t n)
{
	static const unsigned char zero[16];
	struct nftnl_expr *expr = append(rule, "bitwise");

	if (!expr)
		return;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_LEN, (uint32_t)n);
	nftnl_expr_set(expr, NFTNL_EXPR_BITWISE_MASK, mask, (uint32_t)n);
	nftnl_expr_set(expr, NFTNL_EXPR_BITWISE_XOR, zero, (uint32_t)n);
}

void nft_match_payload(struct nft_rule *rule, uint32_t base, uint32_t offset,
                       const void *mask, const void *data, size_t n, bool equal)
{
	load_payload(rule, base, offset, n);
	if (mask)
		keep_bits(rule, mask, n);
	compare(rule, equal ? NFT_CMP_EQ : NFT_CMP_NEQ, data, n);
}

void nft_match_ip(struct nft_rule *rule, bool source, const struct ip *network,
                  bool equal)
{
	const bool v4 = network->family == AF_INET;
	const size_t n = ip_size(network->family);
	unsigned char mask[16] = { 0 }, masked[16] = { 0 };
	size_t offset;

	if (v4)
		offset = source ? offsetof(struct iphdr, saddr)
		                : offsetof(struct iphdr, daddr);
	else
		offset = source ? offsetof(struct ipv6hdr, saddr)
		                : offsetof(struct ipv6hdr, daddr);
	for (size_t i = 0; i < n; i++) {
		unsigned int bits = network->prefix > 8 * i ? network->prefix - 8 * i : 0;

		mask[i] = bits >= 8 ? 0xff : (unsigned char)(0xff00 >> bits);
		masked[i] = network->byte[i] & mask[i];
	}
	nft_match_family(rule, v4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
	nft_match_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, (uint32_t)offset,
	                  network->prefix < 8 * n ? mask : NULL, masked, n, equal);
}

void nft_match_ports(struct nft_rule *rule, uint16_t first, uint16_t last)
{
	const uint16_t low = htons(first), high = htons(last);

	load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, offsetof(struct tcphdr, dest),
	             sizeof(low));
	if (first == last) {
		compare(rule, NFT_CMP_EQ, &low, sizeof(low));
		return;
	}
	/* The comparison is of bytes, which is that of numbers in network order. */
	compare(rule, NFT_CMP_GTE, &low, sizeof(low));
	compare(rule, NFT_CMP_LTE, &high, sizeof(high));
}

void nft_match_socket(struct nft_rule *rule, uint32_t key, uint8_t value)
{
	struct nftnl_expr *expr = append(rule, "socket");

	if (!expr)
		return;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_SOCKET_KEY, key);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_SOCKET_DREG, NFT_REG_1);
	compare(rule, NFT_CMP_EQ, &value, sizeof(value));
}

static void load_connection(struct nft_rule *rule, uint32_t key)
{
	struct nftnl_expr *expr = append(rule, "ct");

	if (!expr)
		return;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_CT_KEY, key);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_CT_DREG, NFT_REG_1);
}

void nft_match_state(struct nft_rule *rule, uint32_t states)
{
	static const uint32_t none;

	load_connection(rule, NFT_CT_STATE);
	keep_bits(rule, &states, sizeof(states));
	compare(rule, NFT_CMP_NEQ, &none, sizeof(none));
}

void nft_match_connection_mark(struct nft_rule *rule, uint32_t mark)
{
	load_connection(rule, NFT_CT_MARK);
	compare(rule, NFT_CMP_EQ, &mark, sizeof(mark));
}

/* What the next expression takes from the register. Return: false where memory ran out. */
static bool load_value(struct nft_rule *rule, const void *data, size_t n)
{
	struct nftnl_expr *expr = append(rule, "immediate");

	if (!expr)
		return false;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_DREG, NFT_REG_1);
	if (nftnl_expr_set(expr, NFTNL_EXPR_IMM_DATA, data, (uint32_t)n) == 0)
		return true;
	lose(rule);
	return false;
}

void nft_set_connection_mark(struct nft_rule *rule, uint32_t mark)
{
	struct nftnl_expr *expr =
		load_value(rule, &mark, sizeof(mark)) ? append(rule, "ct") : NULL;

	if (!expr)
		return;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_CT_KEY, NFT_CT_MARK);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_CT_SREG, NFT_REG_1);
}

void nft_set_mark(struct nft_rule *rule, uint32_t mark)
{
	struct nftnl_expr *expr =
		load_value(rule, &mark, sizeof(mark)) ? append(rule, "meta") : NULL;

	if (!expr)
		return;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_META_KEY, NFT_META_MARK);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_META_SREG, NFT_REG_1);
}

static void limit(struct nft_rule *rule, uint32_t n, uint32_t seconds, uint32_t burst,
                  uint32_t flags)
{
	struct nftnl_expr *expr = append(rule, "limit");

	if (!expr)
		return;
	nftnl_expr_set_u64(expr, NFTNL_EXPR_LIMIT_RATE, n);
	nftnl_expr_set_u64(expr, NFTNL_EXPR_LIMIT_UNIT, seconds);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_LIMIT_BURST, burst);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_LIMIT_TYPE, NFT_LIMIT_PKTS);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_LIMIT_FLAGS, flags);
}

void nft_limit(struct nft_rule *rule, uint32_t n, uint32_t seconds, uint32_t burst)
{
	limit(rule, n, seconds, burst, 0);
}

void nft_match_over(struct nft_rule *rule, uint32_t n, uint32_t seconds, uint32_t burst)
{
	limit(rule, n, seconds, burst, NFT_LIMIT_F_INV);
}

void nft_masquerade(struct nft_rule *rule)
{
	(void)append(rule, "masq");
}

void nft_send_to(struct nft_rule *rule, const struct ip *host)
{
	const bool v4 = host->family == AF_INET;
	struct nftnl_expr *expr = load_value(rule, host->byte, ip_size(host->family))
	                                  ? append(rule, "nat")
	                                  : NULL;

	if (!expr)
		return;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_NAT_FAMILY, v4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_NAT_REG_ADDR_MIN, NFT_REG_1);
}

void nft_log(struct nft_rule *rule, uint16_t group, uint32_t bytes)
{
	struct nftnl_expr *expr = append(rule, "log");

	if (!expr)
		return;
	nftnl_expr_set_u16(expr, NFTNL_EXPR_LOG_GROUP, group);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_LOG_SNAPLEN, bytes);
}

void nft_count(struct nft_rule *rule)
{
	(void)append(rule, "counter");
}

static void verdict(struct nft_rule *rule, int code, const char *chain)
{
	struct nftnl_expr *expr = append(rule, "immediate");

	if (!expr)
		return;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_VERDICT, (uint32_t)code);
	if (chain && nftnl_expr_set_str(expr, NFTNL_EXPR_IMM_CHAIN, chain) < 0)
		lose(rule);
}

void nft_verdict(struct nft_rule *rule, int code)
{
	verdict(rule, code, NULL);
}

void nft_jump(struct nft_rule *rule, const char *chain)
{
	verdict(rule, NFT_JUMP, chain);
}

void nft_goto(struct nft_rule *rule, const char *chain)
{
	verdict(rule, NFT_GOTO, chain);
}

void nft_reject(struct nft_rule *rule, uint32_t type, uint8_t code)
{
	struct nftnl_expr *expr = append(rule, "reject");

	if (!expr)
		return;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_REJECT_TYPE, type);
	nftnl_expr_set_u8(expr, NFTNL_EXPR_REJECT_CODE, code);
}

void nft_tproxy(struct nft_rule *rule, uint16_t port)
{
	const uint16_t wire = htons(port);
	struct nftnl_expr *expr =
		load_value(rule, &wire, sizeof(wire)) ? append(rule, "tproxy") : NULL;

	if (!expr)
		return;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_TPROXY_FAMILY, NFPROTO_UNSPEC);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_TPROXY_REG_PORT, NFT_REG_1);
}

static void queue_by_target(struct nft_rule *rule, uint16_t number)
{
	struct nftnl_expr *expr = append(rule, "target");
	struct xt_NFQ_info_v3 *info;

	if (!expr)
		return;
	info = calloc(1, XT_ALIGN(sizeof(*info)));
	if (!info || nftnl_expr_set_str(expr, NFTNL_EXPR_TG_NAME, "NFQUEUE") < 0) {
		free(info);
		lose(rule);
		return;
	}
	info->queuenum = number;
	info->queues_total = 1;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_TG_REV, 3);
	/* libnftnl keeps the pointer and frees it with the expression. */
	nftnl_expr_set(expr, NFTNL_EXPR_TG_INFO, info, XT_ALIGN(sizeof(*info)));
}

void nft_queue(struct nft_rule *rule, uint16_t number, bool compat)
{
	struct nftnl_expr *expr;

	if (compat) {
		queue_by_target(rule, number);
		return;
	}
	expr = append(rule, "queue");
	if (!expr)
		return;
	nftnl_expr_set_u16(expr, NFTNL_EXPR_QUEUE_NUM, number);
	nftnl_expr_set_u16(expr, NFTNL_EXPR_QUEUE_TOTAL, 1);
}
