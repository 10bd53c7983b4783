#include "netns/denied.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "netns/relay_internal.h"

static struct nlmsghdr *configure(struct netlink_batch *batch, const char *what)
{
	const struct nfgenmsg body = { .nfgen_family = AF_UNSPEC,
		                       .version = NFNETLINK_V0,
		                       .res_id = htons(DENIED_GROUP) };
	struct nlmsghdr *message = netlink_begin(
		batch, NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG, NLM_F_ACK, "%s", what);

	memcpy(mnl_nlmsg_put_extra_header(message, sizeof(body)), &body, sizeof(body));
	return message;
}

int denied_open(struct err *err)
{
	const struct nfulnl_msg_config_cmd listen = { .command = NFULNL_CFG_CMD_BIND };
	const struct nfulnl_msg_config_mode mode = { .copy_range = htonl(DENIED_BYTES),
		                                     .copy_mode = NFULNL_COPY_PACKET };
	const struct sockaddr_nl any = { .nl_family = AF_NETLINK };
	cleanup_close int sock = netlink_open(NETLINK_NETFILTER, err);
	struct netlink_batch batch;
	struct nlmsghdr *message;
	int r;

	if (sock < 0)
		return sock;
	if (bind(sock, (const struct sockaddr *)&any, sizeof(any)) < 0)
		return err_set(err, errno, "bind the log's socket");
	netlink_batch_init(&batch);
	message = configure(&batch, "listen to an nfnetlink log");
	mnl_attr_put(message, NFULA_CFG_CMD, sizeof(listen), &listen);
	netlink_end(&batch, message);
	message = configure(&batch, "set what an nfnetlink log tells");
	mnl_attr_put(message, NFULA_CFG_MODE, sizeof(mode), &mode);
	/* Each by itself, at once: there are few. */
	mnl_attr_put_u32(message, NFULA_CFG_QTHRESH, htonl(1));
	netlink_end(&batch, message);
	r = netlink_commit(sock, &batch, err);
	return r < 0 ? r : take_fd(&sock);
}

static bool read_packet(const void *data, size_t n, struct denied *ret)
{
	struct echo echo;
	struct flow flow;

	if (packet_read_udp(data, n, &flow))
		*ret = (struct denied){ .to = flow.to, .protocol = IPPROTO_UDP };
	else if (packet_read_syn(data, n, &flow))
		*ret = (struct denied){ .to = flow.to, .protocol = IPPROTO_TCP };
	else if (packet_read_echo(data, n, &echo))
		*ret = (struct denied){ .to = echo.flow.to,
			                .protocol = endpoint_is_v4(&echo.flow.to)
			                                    ? IPPROTO_ICMP
			                                    : IPPROTO_ICMPV6 };
	else
		return false;
	return true;
}

size_t denied_read(const void *data, size_t n, struct denied *ret, size_t max)
{
	const struct nlmsghdr *message = data;
	const struct nlattr *attr;
	size_t found = 0;
	int left = (int)n;

	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
		if (message->nlmsg_type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET) ||
		    mnl_nlmsg_get_payload_len(message) < sizeof(struct nfgenmsg))
			continue;
		mnl_attr_for_each(attr, message, sizeof(struct nfgenmsg))
		{
			if (mnl_attr_get_type(attr) == NFULA_PAYLOAD && found < max &&
			    read_packet(mnl_attr_get_payload(attr),
			                mnl_attr_get_payload_len(attr), &ret[found]))
				found++;
		}
	}
	return found;
}

/* The packets that the counter of an expression has seen; 0 for another one. */
static uint64_t counted(const struct nlattr *expression)
{
	const struct nlattr *name = netlink_find_in(expression, NFTA_EXPR_NAME);
	const struct nlattr *packets = netlink_find_in(
		netlink_find_in(expression, NFTA_EXPR_DATA), NFTA_COUNTER_PACKETS);
	uint64_t value = 0;

	if (!name || !packets || mnl_attr_get_payload_len(packets) != sizeof(value) ||
	    mnl_attr_validate(name, MNL_TYPE_NUL_STRING) < 0 ||
	    strcmp(mnl_attr_get_str(name), "counter") != 0)
		return 0;
	memcpy(&value, mnl_attr_get_payload(packets), sizeof(value));
	return be64toh(value);
}

static int on_rule(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *attr, *expression;
	uint64_t *sum = data;

	if (message->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE))
		return 0;
	mnl_attr_for_each(attr, message, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) != NFTA_RULE_EXPRESSIONS)
			continue;
		mnl_attr_for_each_nested(expression, attr) *sum += counted(expression);
	}
	return 0;
}

static int count(int rules, const char *chain, uint64_t *ret, struct err *err)
{
	const struct nfgenmsg body = { .nfgen_family = NFPROTO_INET,
		                       .version = NFNETLINK_V0 };
	struct netlink_batch batch;
	struct nlmsghdr *message;

	netlink_batch_init(&batch);
	message = netlink_begin(&batch, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETRULE,
	                        NLM_F_DUMP, "read the counters of chain '%s'", chain);
	memcpy(mnl_nlmsg_put_extra_header(message, sizeof(body)), &body, sizeof(body));
	mnl_attr_put_strz(message, NFTA_RULE_TABLE, RELAY_TABLE);
	mnl_attr_put_strz(message, NFTA_RULE_CHAIN, chain);
	netlink_end(&batch, message);
	return netlink_dump(rules, &batch, on_rule, ret, err);
}

int denied_count(int rules, struct denied_sum *ret, struct err *err)
{
	struct denied_sum sum = { 0 };
	int r = count(rules, DENIED_CHAIN, &sum.denied, err);

	if (r == 0)
		r = count(rules, BEGIN_CHAIN, &sum.limited, err);
	if (r == 0)
		*ret = sum;
	return r;
}
