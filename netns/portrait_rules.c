#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#include "netns/netlink.h"
#include "netns/portrait_internal.h"

/* The rules of nf_tables: tables, chains, and rules by their place in them. */

static bool is_nft(const struct nlmsghdr *message, uint16_t type)
{
	return message->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | type) &&
	       mnl_nlmsg_get_payload_len(message) >= sizeof(struct nfgenmsg);
}

static int on_table(const struct nlmsghdr *message, void *data)
{
	const struct nfgenmsg *body = mnl_nlmsg_get_payload(message);
	const char *name =
		portrait_text(portrait_find(message, sizeof(*body), NFTA_TABLE_NAME));
	const struct nlattr *flags =
		portrait_find(message, sizeof(*body), NFTA_TABLE_FLAGS);
	struct portrait *portrait = data;
	struct portrait_sketch sketch = { .n = 0 };

	if (!is_nft(message, NFT_MSG_NEWTABLE))
		return 0;
	portrait_put(&sketch, &body->nfgen_family, sizeof(body->nfgen_family));
	portrait_put(&sketch, name, strlen(name));
	if (flags)
		portrait_put_attr(&sketch, flags);
	portrait_draw(portrait, PORTRAIT_RULES, &sketch,
	              arena_printf(portrait->arena, "table '%s'", name));
	return 0;
}

static int on_chain(const struct nlmsghdr *message, void *data)
{
	const struct nfgenmsg *body = mnl_nlmsg_get_payload(message);
	static const uint16_t wanted[] = { NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME,
		                           NFTA_CHAIN_HOOK, NFTA_CHAIN_POLICY,
		                           NFTA_CHAIN_TYPE };
	struct portrait *portrait = data;
	struct portrait_sketch sketch = { .n = 0 };

	if (!is_nft(message, NFT_MSG_NEWCHAIN))
		return 0;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		const struct nlattr *attr =
			portrait_find(message, sizeof(*body), wanted[i]);

		if (attr)
			portrait_put_attr(&sketch, attr);
	}
	portrait_draw(portrait, PORTRAIT_RULES, &sketch,
	              arena_printf(portrait->arena, "chain '%s'",
	                           portrait_text(portrait_find(message, sizeof(*body),
	                                                       NFTA_CHAIN_NAME))));
	return 0;
}

/* Its name and what it does; a counter's numbers are not what it does. Return: the name. */
static const char *put_expression(struct portrait_sketch *sketch,
                                  const struct nlattr *element)
{
	const char *name = portrait_text(netlink_find_in(element, NFTA_EXPR_NAME));
	const struct nlattr *data = netlink_find_in(element, NFTA_EXPR_DATA);

	portrait_put(sketch, name, strlen(name) + 1);
	if (data && strcmp(name, "counter") != 0)
		portrait_put_attr(sketch, data);
	return name;
}

static int on_rule(const struct nlmsghdr *message, void *data)
{
	const struct nfgenmsg *body = mnl_nlmsg_get_payload(message);
	const char *table =
		portrait_text(portrait_find(message, sizeof(*body), NFTA_RULE_TABLE));
	const char *chain =
		portrait_text(portrait_find(message, sizeof(*body), NFTA_RULE_CHAIN));
	const struct nlattr *list =
		portrait_find(message, sizeof(*body), NFTA_RULE_EXPRESSIONS);
	const struct nlattr *element;
	struct portrait *portrait = data;
	struct portrait_sketch sketch = { .n = 0 };
	const char *names = "";
	size_t before = 1;

	if (!is_nft(message, NFT_MSG_NEWRULE))
		return 0;
	portrait_put(&sketch, table, strlen(table) + 1);
	portrait_put(&sketch, chain, strlen(chain) + 1);
	/* Its place counts: the first rule that meets decides. */
	for (size_t i = 0; i < portrait->n; i++) {
		const struct portrait_line *line = &portrait->line[i];

		before += line->n >= sketch.n && !strncmp(line->text, "rule ", 5) &&
		          !memcmp(line->bytes, sketch.bytes, sketch.n);
	}
	portrait_put(&sketch, &before, sizeof(before));
	if (list)
		mnl_attr_for_each_nested(element, list) names =
			arena_printf(portrait->arena, "%s %s", names,
		                     put_expression(&sketch, element));
	portrait_draw(portrait, PORTRAIT_RULES, &sketch,
	              arena_printf(portrait->arena, "rule %zu of chain '%s':%s", before,
	                           chain, names));
	return 0;
}

int portrait_rules(int sock, struct portrait *portrait, struct err *err)
{
	static const struct portrait_question questions[] = {
		{ NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE, sizeof(struct nfgenmsg),
		  on_table },
		{ NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN, sizeof(struct nfgenmsg),
		  on_chain },
		{ NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETRULE, sizeof(struct nfgenmsg),
		  on_rule },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(questions) / sizeof(questions[0]); i++)
		r = portrait_ask(sock, &questions[i], NULL, portrait, err);
	return r;
}
