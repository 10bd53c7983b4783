#include "netns/nft.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/rule.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

static struct nlmsghdr *begin(struct netlink_batch *batch, uint16_t type, uint16_t flags,
                              uint8_t family, uint16_t res_id, const char *what,
                              const char *name)
{
	const struct nfgenmsg body = { .nfgen_family = family,
		                       .version = NFNETLINK_V0,
		                       .res_id = htons(res_id) };
	struct nlmsghdr *message =
		netlink_begin(batch, type, flags, "%s%s%s%s", what, *name ? " '" : "",
	                      name, *name ? "'" : "");

	memcpy(mnl_nlmsg_put_extra_header(message, sizeof(body)), &body, sizeof(body));
	return message;
}

void nft_begin(struct netlink_batch *batch)
{
	netlink_end(batch, begin(batch, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC,
	                         NFNL_SUBSYS_NFTABLES, "begin with nf_tables", ""));
}

void nft_end(struct netlink_batch *batch)
{
	netlink_end(batch, begin(batch, NFNL_MSG_BATCH_END, 0, AF_UNSPEC,
	                         NFNL_SUBSYS_NFTABLES, "end with nf_tables", ""));
}

static struct nlmsghdr *change(struct netlink_batch *batch, uint16_t type, uint16_t flags,
                               const char *what, const char *name)
{
	return begin(batch, NFNL_SUBSYS_NFTABLES << 8 | type, NLM_F_ACK | flags,
	             NFPROTO_INET, 0, what, name);
}

void nft_add_table(struct netlink_batch *batch, const char *table)
{
	struct nlmsghdr *message = change(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE,
	                                  "make the nf_tables table", table);
	struct nftnl_table *made = nftnl_table_alloc();

	if (made && nftnl_table_set_str(made, NFTNL_TABLE_NAME, table) == 0)
		nftnl_table_nlmsg_build_payload(message, made);
	else
		batch->overflow = true;
	netlink_end(batch, message);
	if (made)
		nftnl_table_free(made);
}

static bool describe(struct nftnl_chain *at, const struct nft_chain *chain)
{
	if (nftnl_chain_set_str(at, NFTNL_CHAIN_TABLE, chain->table) < 0 ||
	    nftnl_chain_set_str(at, NFTNL_CHAIN_NAME, chain->name) < 0)
		return false;
	if (!chain->base)
		return true;
	nftnl_chain_set_u32(at, NFTNL_CHAIN_HOOKNUM, chain->hook);
	nftnl_chain_set_s32(at, NFTNL_CHAIN_PRIO, chain->priority);
	nftnl_chain_set_u32(at, NFTNL_CHAIN_POLICY, chain->policy);
	return nftnl_chain_set_str(at, NFTNL_CHAIN_TYPE,
	                           chain->type ? chain->type : "filter") == 0;
}

void nft_add_chain(struct netlink_batch *batch, const struct nft_chain *chain)
{
	struct nlmsghdr *message = change(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE,
	                                  "make the nf_tables chain", chain->name);
	struct nftnl_chain *at = nftnl_chain_alloc();

	if (at && describe(at, chain))
		nftnl_chain_nlmsg_build_payload(message, at);
	else
		batch->overflow = true;
	netlink_end(batch, message);
	if (at)
		nftnl_chain_free(at);
}

void nft_add_rule(struct netlink_batch *batch, struct nft_rule *rule, const char *what)
{
	struct nlmsghdr *message =
		change(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, what, "");

	if (rule->rule) {
		nftnl_rule_nlmsg_build_payload(message, rule->rule);
		nftnl_rule_free(rule->rule);
	} else {
		batch->overflow = true;
	}
	netlink_end(batch, message);
	rule->rule = NULL;
}
