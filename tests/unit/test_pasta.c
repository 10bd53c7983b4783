#include "netns/pasta.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "netns/denied.h"
#include "netns/link.h"
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

static struct pasta addresses(void)
{
	struct pasta pasta;

	assert_true(ip_parse("10.8.0.6/30", &pasta.tap[0]));
	assert_true(ip_parse("10.8.0.5/30", &pasta.far[0]));
	assert_true(ip_parse("fd09::2/64", &pasta.tap[1]));
	assert_true(ip_parse("fd09::1/64", &pasta.far[1]));
	return pasta;
}

static const struct nlattr *inner(const struct nlattr *nest, uint16_t type)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr,
	                         nest) if (mnl_attr_get_type(attr) == type) return attr;
	fail_msg("no attribute %u", type);
	return NULL;
}

/* The names of the expressions of a rule: "meta cmp ...". */
static void expressions(const struct nlmsghdr *message, char *text, size_t size)
{
	const struct nlattr *attr, *element;

	text[0] = '\0';
	mnl_attr_for_each(attr, message, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) != NFTA_RULE_EXPRESSIONS)
			continue;
		mnl_attr_for_each_nested(element, attr)
		{
			strncat(text, mnl_attr_get_str(inner(element, NFTA_EXPR_NAME)),
			        size - strlen(text) - 1);
			strncat(text, " ", size - strlen(text) - 1);
		}
	}
}

/* How many messages do @what; the expressions of the first one. */
static size_t messages(const struct netlink_batch *batch, const char *what, char *text,
                       size_t size)
{
	const struct nlmsghdr *message = (const struct nlmsghdr *)batch->data;
	int left = (int)batch->size;
	size_t found = 0;

	for (size_t i = 0; mnl_nlmsg_ok(message, left);
	     i++, message = mnl_nlmsg_next(message, &left))
		if (strcmp(batch->what[i], what) == 0 && found++ == 0)
			expressions(message, text, size);
	return found;
}

static void test_rules(void **state)
{
	static const struct {
		const char *what, *expressions;
		size_t n;
	} row[] = {
		{ "drop spoofed IPv4", "meta cmp meta cmp payload cmp counter immediate ",
		  1 },
		{ "let answers pass", "meta cmp meta cmp ct bitwise cmp immediate ", 1 },
		{ "drop what belongs to nothing",
		  "meta cmp meta cmp ct bitwise cmp immediate ", 1 },
		{ "let connections go on", "meta cmp meta cmp ct cmp immediate ", 1 },
		/* UDP and TCP, of both families. */
		{ "let names be asked",
		  "meta cmp meta cmp meta cmp payload cmp meta cmp payload cmp immediate "
		  "ct immediate ",
		  4 },
		/* IPv4 alone: the other one is at a loopback. */
		{ "lead questions to a name server",
		  "meta cmp meta cmp payload cmp meta cmp payload cmp immediate ct "
		  "immediate "
		  "nat ",
		  2 },
		{ "nothing else of pasta's",
		  "meta cmp meta cmp meta cmp payload bitwise cmp immediate ", 2 },
		{ "judge connections", "meta cmp meta cmp meta cmp immediate ", 1 },
		{ "judge echo requests",
		  "meta cmp meta cmp meta cmp payload cmp immediate ", 2 },
		{ "ask the policy", "immediate ", 1 },
		{ "limit connections", "limit counter immediate ", 1 },
		{ "let it begin", "immediate ct immediate ", 1 },
		{ "know who comes by a published port",
		  "meta cmp meta cmp ct bitwise cmp immediate ct ", 2 },
		{ "lead answers to the relay", "meta cmp ct cmp immediate meta ", 1 },
		/* TCP, UDP, and what tells of an error. */
		{ "let answers to the relay pass", "meta cmp ct cmp meta cmp immediate ",
		  5 },
		{ "send from the tap's address", "meta cmp masq ", 1 },
		{ "tell of denials", "limit log ", 1 },
		{ "deny", "counter reject ", 1 },
	};
	struct relay_config with = config();
	const struct pasta pasta = addresses();
	struct netlink_batch batch;
	char text[256];

	(void)state;
	with.egress.per_minute = 10;
	with.nameservers = 2;
	with.nameserver[0].address = in6addr_loopback;
	with.nameserver[1].address.s6_addr16[5] = 0xffff;
	with.nameserver[1].address.s6_addr[12] = 10;
	netlink_batch_init(&batch);
	pasta_rules(&batch, &with, &pasta, true);
	assert_false(batch.overflow);
	for (size_t i = 0; i < N_ELEMENTS(row); i++) {
		print_message("  %s\n", row[i].what);
		assert_int_equal(messages(&batch, row[i].what, text, sizeof(text)),
		                 row[i].n);
		assert_string_equal(text, row[i].expressions);
	}
	with.egress.per_minute = 0;
	netlink_batch_init(&batch);
	pasta_rules(&batch, &with, &pasta, false);
	assert_int_equal(messages(&batch, "limit connections", text, sizeof(text)), 0);
	assert_int_equal(messages(&batch, "tell of denials", text, sizeof(text)), 0);
}

static void test_rules_v4(void **state)
{
	struct relay_config with = config();
	struct pasta pasta = addresses();
	struct netlink_batch batch;
	char text[256];

	(void)state;
	with.gateway[1] = with.workspace[1] = (struct ip){ 0 };
	pasta.tap[1] = pasta.far[1] = (struct ip){ 0 };
	netlink_batch_init(&batch);
	pasta_rules(&batch, &with, &pasta, true);
	assert_false(batch.overflow);
	assert_int_equal(messages(&batch, "let names be asked", text, sizeof(text)), 2);
	assert_int_equal(messages(&batch, "drop IPv6, which the workspace has not", text,
	                          sizeof(text)),
	                 1);
}

/* What the rules of one line are, where echo requests come by. */
static void line_rules(const char *line, size_t n, const char *wanted)
{
	struct egress egress = { .n = 1 };
	struct netlink_batch batch;
	struct err err = { 0 };
	char text[256] = "";
	size_t cursor = 0;

	print_message("  %s\n", line);
	assert_int_equal(egress_parse(line, &egress.rule[0], &err), 0);
	netlink_batch_init(&batch);
	while (egress_rules(&batch, &egress, true, &cursor))
		continue;
	/* Once more in the chain of metadata. */
	assert_int_equal(messages(&batch, "deny by policy", text, sizeof(text)), 2 * n);
	assert_string_equal(text, wanted);
}

static void test_echo(void **state)
{
	(void)state;
	/* ICMP and ICMPv6. */
	line_rules("deny:any,icmp", 2, "meta cmp counter immediate ");
	/* IPv4, and that behind a translator. */
	line_rules("deny:10.0.0.0/8,icmp", 2,
	           "meta cmp payload bitwise cmp meta cmp counter immediate ");
	line_rules("deny:fd00::/8,icmp", 1,
	           "meta cmp payload bitwise cmp meta cmp counter immediate ");
	/* Ports are of TCP and UDP: two comparisons keep echo requests out. */
	line_rules("deny:any,25", 1, "meta cmp meta cmp payload cmp counter immediate ");
	line_rules("deny:any,25/tcp", 1, "meta cmp payload cmp counter immediate ");
	line_rules("deny:any", 1, "counter immediate ");
}

/* A message of the log with this packet. */
static size_t log_message(unsigned char *data, uint16_t type, const void *packet,
                          size_t n)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(data);
	const struct nfgenmsg body = { .nfgen_family = AF_INET };

	message->nlmsg_type = (uint16_t)(NFNL_SUBSYS_ULOG << 8 | type);
	memcpy(mnl_nlmsg_put_extra_header(message, sizeof(body)), &body, sizeof(body));
	mnl_attr_put(message, NFULA_PAYLOAD, n, packet);
	return message->nlmsg_len;
}

static void test_denied_read(void **state)
{
	static const unsigned char syn[40] = {
		0x45, 0, 0, 40, 0,  0, 0x40, 0, 64,   6,    0,    0,
		10,   8, 0, 2,  10, 9, 0,    2, 0x10, 0x00, 0x01, 0xbb,
		0,    0, 0, 1,  0,  0, 0,    0, 0x50, 0x02, 0xff, 0xff
	};
	static const unsigned char udp[28] = { 0x45, 0,    0,    28, 0, 0,  0x40,
		                               0,    64,   17,   0,  0, 10, 8,
		                               0,    2,    10,   9,  0, 3,  0x10,
		                               0x00, 0x00, 0x35, 0,  8, 0,  0 };
	_Alignas(NLMSG_ALIGNTO) unsigned char data[2048];
	struct denied denied[4];
	size_t n = 0;

	(void)state;
	n += NLMSG_ALIGN(log_message(data, NFULNL_MSG_PACKET, syn, sizeof(syn)));
	/* A packet of another kind of message, one that is cut, and one of nothing. */
	n += NLMSG_ALIGN(log_message(data + n, NFULNL_MSG_CONFIG, syn, sizeof(syn)));
	n += NLMSG_ALIGN(log_message(data + n, NFULNL_MSG_PACKET, syn, 21));
	n += NLMSG_ALIGN(log_message(data + n, NFULNL_MSG_PACKET, syn, 0));
	n += NLMSG_ALIGN(log_message(data + n, NFULNL_MSG_PACKET, udp, sizeof(udp)));
	assert_int_equal(denied_read(data, n, denied, N_ELEMENTS(denied)), 2);
	assert_int_equal(denied[0].protocol, IPPROTO_TCP);
	assert_int_equal(denied[0].to.port, 443);
	assert_int_equal(denied[0].to.address.s6_addr[15], 2);
	assert_int_equal(denied[1].protocol, IPPROTO_UDP);
	assert_int_equal(denied[1].to.port, 53);
	assert_int_equal(denied_read(data, n, denied, 1), 1);
	/* Cut anywhere. */
	for (size_t i = 0; i < n; i++)
		assert_in_range(denied_read(data, i, denied, N_ELEMENTS(denied)), 0, 2);
}

static void test_forward(void **state)
{
	struct netlink_batch batch;
	const struct nlmsghdr *message = (const struct nlmsghdr *)batch.data;
	const struct nlattr *attr, *conf = NULL;
	const struct ifinfomsg *link;

	(void)state;
	netlink_batch_init(&batch);
	link_forward(&batch, 7);
	assert_int_equal(message->nlmsg_type, RTM_NEWLINK);
	link = mnl_nlmsg_get_payload(message);
	assert_int_equal(link->ifi_index, 7);
	mnl_attr_for_each(attr, message,
	                  sizeof(*link)) if (mnl_attr_get_type(attr) == IFLA_AF_SPEC)
		conf = inner(inner(attr, AF_INET), IFLA_INET_CONF);
	assert_non_null(conf);
	assert_int_equal(mnl_attr_get_u32(inner(conf, IPV4_DEVCONF_FORWARDING)), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),   cmocka_unit_test(test_rules_v4),
		cmocka_unit_test(test_echo),    cmocka_unit_test(test_denied_read),
		cmocka_unit_test(test_forward),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
