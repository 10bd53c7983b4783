#include "netns/relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <string.h>

#include "netns/nft.h"
#include "netns/relay_internal.h"
#include "tests/unit/unit.h"

static struct relay_config config(void)
{
	struct relay_config config = { .ifname = "gate0" };

	assert_true(ip_parse("10.8.0.1/30", &config.gateway[0]));
	assert_true(ip_parse("10.8.0.2/30", &config.workspace[0]));
	assert_true(ip_parse("fd08::1/64", &config.gateway[1]));
	assert_true(ip_parse("fd08::2/64", &config.workspace[1]));
	return config;
}

static struct in6_addr address(const char *text)
{
	struct endpoint endpoint;
	union address at = { 0 };

	at.any.sa_family = strchr(text, ':') ? AF_INET6 : AF_INET;
	assert_int_equal(inet_pton(at.any.sa_family, text,
	                           at.any.sa_family == AF_INET
	                                   ? (void *)&at.v4.sin_addr
	                                   : (void *)&at.v6.sin6_addr),
	                 1);
	endpoint = endpoint_from(&at);
	return endpoint.address;
}

static void test_gateway(void **state)
{
	const struct relay_config with = config();
	const struct in6_addr v4 = address("10.8.0.1"), v6 = address("fd08::1"),
			      other = address("10.8.0.2");

	(void)state;
	assert_true(relay_is_gateway(&with, &v4));
	assert_true(relay_is_gateway(&with, &v6));
	assert_false(relay_is_gateway(&with, &other));
}

/* The names of the expressions of a rule: "meta cmp ...". */
static void expressions(const struct nlmsghdr *message, char *text, size_t size)
{
	const struct nlattr *attr, *element, *part;

	text[0] = '\0';
	mnl_attr_for_each(attr, message, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) != NFTA_RULE_EXPRESSIONS)
			continue;
		mnl_attr_for_each_nested(element, attr)
			mnl_attr_for_each_nested(part, element)
		{
			if (mnl_attr_get_type(part) != NFTA_EXPR_NAME)
				continue;
			strncat(text, mnl_attr_get_str(part), size - strlen(text) - 1);
			strncat(text, " ", size - strlen(text) - 1);
		}
	}
}

/* The rule that does @what. */
static const struct nlmsghdr *rule_of(const struct netlink_batch *batch, const char *what)
{
	const struct nlmsghdr *message = (const struct nlmsghdr *)batch->data;
	int left = (int)batch->size;

	for (size_t i = 0; mnl_nlmsg_ok(message, left);
	     i++, message = mnl_nlmsg_next(message, &left))
		if (strcmp(batch->what[i], what) == 0)
			return message;
	fail_msg("no message '%s'", what);
	return NULL;
}

static void test_rules(void **state)
{
	static const struct {
		const char *what, *expressions;
	} row[] = {
		{ "drop spoofed IPv4",
		  "meta cmp meta cmp payload cmp counter immediate " },
		{ "drop spoofed IPv6",
		  "meta cmp meta cmp payload cmp counter immediate " },
		{ "hold SYNs (queue)", "meta cmp meta cmp payload bitwise cmp queue " },
		{ "divert connections (tproxy)",
		  "meta cmp meta cmp immediate tproxy immediate " },
		{ "answer: refused", "meta cmp meta cmp reject " },
		{ "judge connections",
		  "meta cmp meta cmp meta cmp meta cmp payload cmp immediate " },
		{ "judge datagrams",
		  "meta cmp meta cmp meta cmp payload cmp immediate " },
		{ "deny connections", "meta cmp counter reject " },
		{ "deny datagrams", "meta cmp counter queue " },
		{ "drop the rest", "meta cmp counter immediate " },
	};
	const struct relay_config with = config();
	const struct nlmsghdr *message;
	struct netlink_batch batch;
	char text[256];

	(void)state;
	netlink_batch_init(&batch);
	relay_rules(&batch, &with, false);
	assert_false(batch.overflow);
	message = (const struct nlmsghdr *)batch.data;
	assert_int_equal(message->nlmsg_type, NFNL_MSG_BATCH_BEGIN);
	for (size_t i = 0; i < N_ELEMENTS(row); i++) {
		message = rule_of(&batch, row[i].what);
		assert_int_equal(message->nlmsg_type,
		                 NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE);
		expressions(message, text, sizeof(text));
		assert_string_equal(text, row[i].expressions);
	}
	assert_int_equal(rule_of(&batch, "end with nf_tables")->nlmsg_type,
	                 NFNL_MSG_BATCH_END);
	netlink_batch_init(&batch);
	relay_rules(&batch, &with, true);
	expressions(rule_of(&batch, "hold SYNs (xt NFQUEUE)"), text, sizeof(text));
	assert_string_equal(text, "meta cmp meta cmp payload bitwise cmp target ");
}

/* Without IPv6 there is nothing of it. */
static void test_rules_v4(void **state)
{
	struct relay_config with = config();
	struct netlink_batch batch;

	(void)state;
	with.gateway[1] = with.workspace[1] = (struct ip){ 0 };
	netlink_batch_init(&batch);
	relay_rules(&batch, &with, false);
	assert_false(batch.overflow);
	for (size_t i = 0; i < batch.n; i++)
		assert_string_not_equal(batch.what[i], "drop spoofed IPv6");
	(void)rule_of(&batch, "drop IPv6, which the workspace has not");
}

static void test_queue(void **state)
{
	struct netlink_batch batch;
	const struct nlmsghdr *message = (const struct nlmsghdr *)batch.data;
	const struct nlattr *attr;
	int left, found = 0;

	(void)state;
	netlink_batch_init(&batch);
	relay_queue_messages(&batch, 77);
	assert_int_equal(batch.n, 6);
	left = (int)batch.size;
	message = mnl_nlmsg_next(message, &left);
	mnl_attr_for_each(attr, message,
	                  sizeof(struct nfgenmsg)) if (mnl_attr_get_type(attr) ==
	                                               NFQA_CFG_QUEUE_MAXLEN)
	{
		assert_in_range(ntohl(mnl_attr_get_u32(attr)), 77 + 1, 4096);
		found++;
	}
	assert_int_equal(found, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gateway),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_rules_v4),
		cmocka_unit_test(test_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
