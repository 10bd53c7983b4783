#include "netns/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/gen_stats.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <linux/veth.h>
#include <sched.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netns/ip.h"
#include "netns/link.h"
#include "netns/qdisc.h"
#include "netns/route.h"
#include "netns/stats.h"
#include "tests/unit/unit.h"

/* The attribute of this type below a header of @offset bytes, which has to be there. */
static const struct nlattr *find(const struct nlmsghdr *m, size_t offset, uint16_t type)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, m,
	                  offset) if (mnl_attr_get_type(attr) == type) return attr;
	fail_msg("no attribute %u", type);
	return NULL;
}

static const struct nlattr *inner(const struct nlattr *nest, uint16_t type)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr,
	                         nest) if (mnl_attr_get_type(attr) == type) return attr;
	fail_msg("no attribute %u", type);
	return NULL;
}

/* The only message of a batch, checked for what all of them have. */
static const struct nlmsghdr *only(const struct netlink_batch *batch, uint16_t type)
{
	const struct nlmsghdr *m = (const struct nlmsghdr *)batch->data;

	assert_int_equal(batch->n, 1);
	assert_false(batch->overflow);
	assert_int_equal(batch->size, NLMSG_ALIGN(m->nlmsg_len));
	assert_int_equal(m->nlmsg_type, type);
	assert_int_equal(m->nlmsg_seq, 1);
	assert_int_equal(m->nlmsg_flags & (NLM_F_REQUEST | NLM_F_ACK),
	                 NLM_F_REQUEST | NLM_F_ACK);
	return m;
}

static void test_veth(void **state)
{
	struct netlink_batch batch;
	const struct nlmsghdr *m;
	const struct ifinfomsg *link;
	const struct nlattr *info, *peer, *attr;
	int seen = 0;

	(void)state;
	netlink_batch_init(&batch);
	link_add_veth(&batch, "berth0", 100, "eth0", 101, 42, 1500);
	m = only(&batch, RTM_NEWLINK);
	link = mnl_nlmsg_get_payload(m);
	assert_int_equal(link->ifi_index, 100);
	assert_string_equal(mnl_attr_get_str(find(m, sizeof(*link), IFLA_IFNAME)),
	                    "berth0");
	assert_int_equal(mnl_attr_get_u32(find(m, sizeof(*link), IFLA_MTU)), 1500);
	info = find(m, sizeof(*link), IFLA_LINKINFO);
	assert_string_equal(mnl_attr_get_str(inner(info, IFLA_INFO_KIND)), "veth");
	peer = inner(inner(info, IFLA_INFO_DATA), VETH_INFO_PEER);
	link = mnl_attr_get_payload(peer);
	assert_int_equal(link->ifi_index, 101);
	for (attr = (const struct nlattr *)(link + 1);
	     mnl_attr_ok(attr,
	                 (int)((const char *)peer + peer->nla_len - (const char *)attr));
	     attr = mnl_attr_next(attr)) {
		seen++;
		if (mnl_attr_get_type(attr) == IFLA_IFNAME)
			assert_string_equal(mnl_attr_get_str(attr), "eth0");
		else if (mnl_attr_get_type(attr) == IFLA_NET_NS_PID)
			assert_int_equal(mnl_attr_get_u32(attr), 42);
		else
			assert_int_equal(mnl_attr_get_type(attr), IFLA_MTU);
	}
	assert_int_equal(seen, 3);
}

static void test_up(void **state)
{
	struct netlink_batch batch;
	const struct ifinfomsg *link;

	(void)state;
	netlink_batch_init(&batch);
	link_up(&batch, 7);
	link = mnl_nlmsg_get_payload(only(&batch, RTM_NEWLINK));
	assert_int_equal(link->ifi_index, 7);
	assert_int_equal(link->ifi_flags, 1);
	assert_int_equal(link->ifi_change, 1);
}

static void test_address(void **state)
{
	struct netlink_batch batch;
	const struct nlmsghdr *m;
	const struct ifaddrmsg *body;
	struct ip ip;

	(void)state;
	assert_true(ip_parse("10.1.2.3/30", &ip));
	netlink_batch_init(&batch);
	address_add(&batch, 9, &ip);
	m = only(&batch, RTM_NEWADDR);
	body = mnl_nlmsg_get_payload(m);
	assert_int_equal(body->ifa_family, AF_INET);
	assert_int_equal(body->ifa_prefixlen, 30);
	assert_int_equal(body->ifa_index, 9);
	assert_int_equal(ntohl(mnl_attr_get_u32(find(m, sizeof(*body), IFA_LOCAL))),
	                 0x0a010203);

	assert_true(ip_parse("fd00::1/64", &ip));
	netlink_batch_init(&batch);
	address_add(&batch, 9, &ip);
	m = only(&batch, RTM_NEWADDR);
	body = mnl_nlmsg_get_payload(m);
	assert_int_equal(body->ifa_family, AF_INET6);
	assert_int_equal(mnl_attr_get_u32(find(m, sizeof(*body), IFA_FLAGS)),
	                 IFA_F_NODAD);
	assert_memory_equal(mnl_attr_get_payload(find(m, sizeof(*body), IFA_ADDRESS)),
	                    ip.byte, 16);
}

static void test_route(void **state)
{
	struct netlink_batch batch;
	const struct nlmsghdr *m;
	const struct rtmsg *body;
	struct ip via;
	const struct route local = {
		.to = { .family = AF_INET6 }, .index = 1, .table = 1000, .local = true
	};
	struct route way = { .to = { .family = AF_INET },
		             .via = &via,
		             .index = 5,
		             .table = RT_TABLE_MAIN };

	(void)state;
	assert_true(ip_parse("10.1.2.3", &via));
	netlink_batch_init(&batch);
	route_add(&batch, &way);
	m = only(&batch, RTM_NEWROUTE);
	body = mnl_nlmsg_get_payload(m);
	assert_int_equal(body->rtm_dst_len, 0);
	assert_int_equal(body->rtm_type, RTN_UNICAST);
	assert_int_equal(body->rtm_scope, RT_SCOPE_UNIVERSE);
	assert_int_equal(mnl_attr_get_u32(find(m, sizeof(*body), RTA_OIF)), 5);
	assert_memory_equal(mnl_attr_get_payload(find(m, sizeof(*body), RTA_GATEWAY)),
	                    via.byte, 4);

	netlink_batch_init(&batch);
	route_add(&batch, &local);
	m = only(&batch, RTM_NEWROUTE);
	body = mnl_nlmsg_get_payload(m);
	assert_int_equal(body->rtm_family, AF_INET6);
	assert_int_equal(body->rtm_type, RTN_LOCAL);
	assert_int_equal(body->rtm_table, RT_TABLE_UNSPEC);
	assert_int_equal(mnl_attr_get_u32(find(m, sizeof(*body), RTA_TABLE)), 1000);
}

static void test_rule(void **state)
{
	struct netlink_batch batch;
	const struct nlmsghdr *m;
	const struct fib_rule_hdr *body;

	(void)state;
	netlink_batch_init(&batch);
	rule_add(&batch, AF_INET, 1, 100, 50);
	m = only(&batch, RTM_NEWRULE);
	body = mnl_nlmsg_get_payload(m);
	assert_int_equal(body->family, AF_INET);
	assert_int_equal(body->action, FR_ACT_TO_TBL);
	assert_int_equal(mnl_attr_get_u32(find(m, sizeof(*body), FRA_FWMARK)), 1);
	assert_int_equal(mnl_attr_get_u32(find(m, sizeof(*body), FRA_TABLE)), 100);
	assert_int_equal(mnl_attr_get_u32(find(m, sizeof(*body), FRA_PRIORITY)), 50);
}

static void test_tbf(void **state)
{
	static const struct {
		uint64_t rate;
		uint32_t mtu, burst, queue;
	} shapes[] = {
		{ 125000, 1500, 1514, 12112 },         /* 1 Mbit/s: a packet is 12 ms */
		{ 1250000, 1500, 2500, 25000 },        /* 10 Mbit/s */
		{ 12500000, 65520, 65534, 524272 },    /* 100 Mbit/s */
		{ 125000000, 65520, 250000, 2500000 }, /* 1 Gbit/s */
		{ 5000000000, 65520, 10000000, 100000000 }, /* 40 Gbit/s */
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(shapes); i++) {
		struct shape shape = shape_for(shapes[i].rate, shapes[i].mtu);
		struct netlink_batch batch;
		const struct nlmsghdr *m;
		const struct nlattr *options;
		const struct tc_tbf_qopt *opt;

		assert_int_equal(shape.rate, shapes[i].rate);
		assert_int_equal(shape.burst, shapes[i].burst);
		assert_int_equal(shape.queue, shapes[i].queue);
		netlink_batch_init(&batch);
		qdisc_tbf(&batch, 3, &shape);
		m = only(&batch, RTM_NEWQDISC);
		assert_string_equal(
			mnl_attr_get_str(find(m, sizeof(struct tcmsg), TCA_KIND)), "tbf");
		options = find(m, sizeof(struct tcmsg), TCA_OPTIONS);
		opt = mnl_attr_get_payload(inner(options, TCA_TBF_PARMS));
		assert_int_equal(opt->limit, shape.queue);
		assert_int_equal(opt->rate.linklayer, TC_LINKLAYER_ETHERNET);
		if (shape.rate < UINT32_MAX)
			assert_int_equal(opt->rate.rate, shape.rate);
		else
			assert_int_equal(mnl_attr_get_u64(inner(options, TCA_TBF_RATE64)),
			                 shape.rate);
		assert_int_equal(mnl_attr_get_u32(inner(options, TCA_TBF_BURST)),
		                 shape.burst);
	}
}

static void test_redirect(void **state)
{
	static const struct {
		enum redirect by;
		const char *kind;
		uint16_t actions;
	} ways[] = {
		{ REDIRECT_U32, "u32", TCA_U32_ACT },
		{ REDIRECT_MATCHALL, "matchall", TCA_MATCHALL_ACT },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(ways); i++) {
		struct netlink_batch batch;
		const struct nlmsghdr *m;
		const struct tcmsg *tc;
		const struct nlattr *action;
		const struct tc_mirred *mirred;

		netlink_batch_init(&batch);
		qdisc_redirect(&batch, 3, 4, ways[i].by);
		m = only(&batch, RTM_NEWTFILTER);
		tc = mnl_nlmsg_get_payload(m);
		assert_int_equal(tc->tcm_ifindex, 3);
		assert_int_equal(TC_H_MIN(tc->tcm_info), htons(ETH_P_ALL));
		assert_string_equal(mnl_attr_get_str(find(m, sizeof(*tc), TCA_KIND)),
		                    ways[i].kind);
		action = inner(inner(find(m, sizeof(*tc), TCA_OPTIONS), ways[i].actions),
		               1);
		assert_string_equal(mnl_attr_get_str(inner(action, TCA_ACT_KIND)),
		                    "mirred");
		mirred = mnl_attr_get_payload(
			inner(inner(action, TCA_ACT_OPTIONS), TCA_MIRRED_PARMS));
		assert_int_equal(mirred->ifindex, 4);
		assert_int_equal(mirred->eaction, TCA_EGRESS_REDIR);
	}
}

/* What the kernel says of its counters, made by hand. */
static struct nlmsghdr *counters_of_link(void *buffer, int index, uint64_t n)
{
	const struct rtnl_link_stats64 stats = { .rx_bytes = 10 * n,
		                                 .rx_packets = n,
		                                 .rx_dropped = 1,
		                                 .tx_bytes = 20 * n,
		                                 .tx_packets = 2 * n,
		                                 .tx_dropped = 2 };
	struct nlmsghdr *m = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *link;

	m->nlmsg_type = RTM_NEWLINK;
	link = mnl_nlmsg_put_extra_header(m, sizeof(*link));
	link->ifi_index = index;
	mnl_attr_put(m, IFLA_STATS64, sizeof(stats), &stats);
	return m;
}

static struct nlmsghdr *counters_of_qdisc(void *buffer, int index, uint32_t parent)
{
	const struct gnet_stats_queue queue = { .drops = 5, .overlimits = 7 };
	struct nlmsghdr *m = mnl_nlmsg_put_header(buffer);
	struct nlattr *nest;
	struct tcmsg *tc;

	m->nlmsg_type = RTM_NEWQDISC;
	tc = mnl_nlmsg_put_extra_header(m, sizeof(*tc));
	tc->tcm_ifindex = index;
	tc->tcm_parent = parent;
	nest = mnl_attr_nest_start(m, TCA_STATS2);
	mnl_attr_put(m, TCA_STATS_QUEUE, sizeof(queue), &queue);
	mnl_attr_nest_end(m, nest);
	return m;
}

static void test_stats(void **state)
{
	_Alignas(NLMSG_ALIGNTO) unsigned char buffer[1024];
	struct stats_sum sum = { 0 };

	(void)state;
	(void)stats_link(counters_of_link(buffer, 1, 1000), &sum);
	assert_false(sum.found);
	(void)stats_link(counters_of_link(buffer, GATEWAY_INDEX, 3), &sum);
	assert_true(sum.found);
	assert_false(sum.is_diverted);
	(void)stats_link(counters_of_link(buffer, GATEWAY_IFB_INDEX, 1), &sum);
	assert_true(sum.is_diverted);
	assert_int_equal(sum.diverted.bytes, 20);
	assert_int_equal(sum.way[DOWNLOAD].bytes, 60);
	assert_int_equal(sum.way[DOWNLOAD].packets, 6);
	assert_int_equal(sum.way[UPLOAD].bytes, 30);
	/* The root queue of each direction, and no other. */
	(void)stats_qdisc(counters_of_qdisc(buffer, GATEWAY_INDEX, TC_H_ROOT), &sum);
	(void)stats_qdisc(counters_of_qdisc(buffer, GATEWAY_INDEX, 0x10001), &sum);
	(void)stats_qdisc(counters_of_qdisc(buffer, 1, TC_H_ROOT), &sum);
	assert_int_equal(sum.way[DOWNLOAD].drops, 2 + 5);
	assert_int_equal(sum.way[DOWNLOAD].delayed, 7);
	assert_int_equal(sum.way[UPLOAD].drops, 1);
	(void)stats_qdisc(counters_of_qdisc(buffer, GATEWAY_IFB_INDEX, TC_H_ROOT), &sum);
	assert_int_equal(sum.way[UPLOAD].drops, 1 + 5);
}

static void test_overflow(void **state)
{
	struct netlink_batch batch;
	struct err err = { 0 };

	(void)state;
	netlink_batch_init(&batch);
	for (int i = 0; i <= NETLINK_BATCH_MESSAGES; i++)
		link_up(&batch, 1);
	assert_true(batch.overflow);
	assert_int_equal(netlink_commit(-EBADF, &batch, &err), -ENOBUFS);
	assert_non_null(strstr(err.text, "interface 1"));
	assert_false(batch.overflow);
}

/* A reader of a dump: counts interfaces. */
static int count(const struct nlmsghdr *m, void *data)
{
	assert_int_equal(m->nlmsg_type, RTM_NEWLINK);
	++*(int *)data;
	return 0;
}

/* In a network namespace of its own; what has to hold there ends in status 0. */
static int talk(void)
{
	struct netlink_batch batch;
	struct err err = { 0 };
	struct ip ip;
	struct nlmsghdr *m;
	int before = 0, after = 0;
	int sock = netlink_open(NETLINK_ROUTE, &err);

	for (int *n = &before;; n = &after) {
		netlink_batch_init(&batch);
		m = netlink_begin(&batch, RTM_GETLINK, NLM_F_DUMP, "list the interfaces");
		(void)mnl_nlmsg_put_extra_header(m, sizeof(struct ifinfomsg));
		netlink_end(&batch, m);
		if (netlink_dump(sock, &batch, count, n, &err) < 0)
			return 1;
		if (n == &after)
			break;
		link_add_veth(&batch, "a", 100, "b", 101, 0, 1500);
		link_up(&batch, 100);
		if (!ip_parse("10.1.2.1/30", &ip))
			return 2;
		address_add(&batch, 100, &ip);
		if (netlink_commit(sock, &batch, &err) < 0)
			return err.code == EOPNOTSUPP ? 77 : 3;
	}
	if (before < 1 || after != before + 2)
		return 4;
	/* The second fails, the answer to the third is not left for the next batch. */
	link_up(&batch, 100);
	link_mtu(&batch, 999, 1400);
	link_up(&batch, 101);
	if (netlink_commit(sock, &batch, &err) != -ENODEV || !strstr(err.text, "999"))
		return 5;
	err_clear(&err);
	link_mtu(&batch, 100, 1400);
	if (netlink_commit(sock, &batch, &err) < 0)
		return 6;
	link_mtu(&batch, 100, 17);
	/* "mtu less than device minimum" */
	if (netlink_commit(sock, &batch, &err) != -EINVAL ||
	    !strstr(err.text, "mtu less"))
		return 7;
	return 0;
}

static void test_kernel(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0)
		_exit(unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 &&
		                      unshare(CLONE_NEWNET) < 0
		              ? 77
		              : talk());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip(); /* no namespaces, or no veth, for us here */
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_ip(void **state)
{
	static const struct {
		const char *text, *again;
	} good[] = {
		{ "10.0.0.1", "10.0.0.1/32" },          { "0.0.0.0/0", "0.0.0.0/0" },
		{ "fd00::1/64", "fd00::1/64" },         { "::", "::/128" },
		{ "192.168.1.0/24", "192.168.1.0/24" },
	};
	static const char *const bad[] = { "",           "10.0.0",     "10.0.0.1/33",
		                           "10.0.0.1/",  "fe80::1%lo", "fd00::/129",
		                           "10.0.0.1/a", "/8",         "01.2.3.4" };
	static const struct {
		const char *a, *b;
		bool overlap;
	} pairs[] = {
		{ "10.0.0.0/8", "10.255.0.0/16", true },
		{ "10.0.0.0/9", "10.128.0.0/9", false },
		{ "10.1.2.3", "10.1.2.3", true },
		{ "10.1.2.3", "10.1.2.2", false },
		{ "0.0.0.0/0", "10.1.2.2", true },
		{ "::/0", "10.1.2.2", false },
		{ "fd00::/8", "fdab:cd::/32", true },
	};
	char text[IP_TEXT_MAX];
	struct ip a, b;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(good); i++) {
		assert_true(ip_parse(good[i].text, &a));
		assert_string_equal(ip_text(&a, true, text), good[i].again);
	}
	for (size_t i = 0; i < N_ELEMENTS(bad); i++)
		if (ip_parse(bad[i], &a))
			fail_msg("'%s' was taken", bad[i]);
	for (size_t i = 0; i < N_ELEMENTS(pairs); i++) {
		assert_true(ip_parse(pairs[i].a, &a) && ip_parse(pairs[i].b, &b));
		assert_int_equal(ip_overlap(&a, &b), pairs[i].overlap);
		assert_int_equal(ip_overlap(&b, &a), pairs[i].overlap);
	}
	assert_true(ip_parse("10.0.0.255/16", &a));
	b = ip_nth(&a, 2);
	assert_string_equal(ip_text(&b, true, text), "10.0.1.1/16");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_veth),     cmocka_unit_test(test_up),
		cmocka_unit_test(test_address),  cmocka_unit_test(test_route),
		cmocka_unit_test(test_rule),     cmocka_unit_test(test_tbf),
		cmocka_unit_test(test_redirect), cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_stats),    cmocka_unit_test(test_kernel),
		cmocka_unit_test(test_ip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
