#include "netns/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/gen_stats.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <linux/veth.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
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

static void assert_mac(const struct nlattr *attr, const struct mac *mac)
{
	assert_int_equal(mnl_attr_get_payload_len(attr), sizeof(*mac));
	assert_memory_equal(mnl_attr_get_payload(attr), mac, sizeof(*mac));
}

static void test_neighbour(void **state)
{
	const struct mac mac = { { 2, 1, 2, 3, 4, 5 } };
	struct netlink_batch batch;
	const struct nlmsghdr *m;
	const struct ndmsg *body;
	struct ip ip;

	(void)state;
	assert_true(ip_parse("fd00::2", &ip));
	netlink_batch_init(&batch);
	neighbour_add(&batch, 7, &ip, &mac);
	m = only(&batch, RTM_NEWNEIGH);
	body = mnl_nlmsg_get_payload(m);
	assert_int_equal(body->ndm_family, AF_INET6);
	assert_int_equal(body->ndm_ifindex, 7);
	assert_int_equal(body->ndm_state, NUD_PERMANENT);
	assert_memory_equal(mnl_attr_get_payload(find(m, sizeof(*body), NDA_DST)),
	                    ip.byte, 16);
	assert_mac(find(m, sizeof(*body), NDA_LLADDR), &mac);
}

static void test_veth(void **state)
{
	const struct mac macs[2] = { { { 2, 0, 0, 0, 0, 1 } }, { { 2, 0, 0, 0, 0, 2 } } };
	struct netlink_batch batch;
	const struct nlmsghdr *m;
	const struct ifinfomsg *link;
	const struct nlattr *info, *peer, *attr;
	int seen = 0;

	(void)state;
	netlink_batch_init(&batch);
	link_add_veth(&batch, "berth0", 100, "eth0", 101, 42, 1500, macs);
	m = only(&batch, RTM_NEWLINK);
	link = mnl_nlmsg_get_payload(m);
	assert_int_equal(link->ifi_index, 100);
	assert_string_equal(mnl_attr_get_str(find(m, sizeof(*link), IFLA_IFNAME)),
	                    "berth0");
	assert_int_equal(mnl_attr_get_u32(find(m, sizeof(*link), IFLA_MTU)), 1500);
	assert_mac(find(m, sizeof(*link), IFLA_ADDRESS), &macs[0]);
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
		else if (mnl_attr_get_type(attr) == IFLA_ADDRESS)
			assert_mac(attr, &macs[1]);
		else
			assert_int_equal(mnl_attr_get_type(attr), IFLA_MTU);
	}
	assert_int_equal(seen, 4);
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
	assert_true(m->nlmsg_flags & NLM_F_EXCL);

	/* Instead of the one that is there, and never a second one. */
	way.window = 49152;
	way.again = true;
	netlink_batch_init(&batch);
	route_add(&batch, &way);
	m = only(&batch, RTM_NEWROUTE);
	assert_int_equal(m->nlmsg_flags & (NLM_F_REPLACE | NLM_F_CREATE | NLM_F_EXCL),
	                 NLM_F_REPLACE);
	assert_int_equal(
		mnl_attr_get_u32(inner(find(m, sizeof(*body), RTA_METRICS), RTAX_WINDOW)),
		49152);

	netlink_batch_init(&batch);
	route_add(&batch, &local);
	m = only(&batch, RTM_NEWROUTE);
	body = mnl_nlmsg_get_payload(m);
	assert_int_equal(body->rtm_family, AF_INET6);
	assert_int_equal(body->rtm_type, RTN_LOCAL);
	assert_int_equal(body->rtm_table, RT_TABLE_UNSPEC);
	assert_int_equal(mnl_attr_get_u32(find(m, sizeof(*body), RTA_TABLE)), 1000);
}

static void test_tbf(void **state)
{
	static const struct {
		uint64_t rate;
		uint32_t mtu, burst, queue;
	} shapes[] = {
		{ 125000, 1500, 1764, 12112 },         /* 1 Mbit/s: a packet is 12 ms */
		{ 1250000, 1500, 4014, 25000 },        /* 10 Mbit/s */
		{ 12500000, 65520, 90534, 524272 },    /* 100 Mbit/s */
		{ 125000000, 65520, 315534, 2500000 }, /* 1 Gbit/s */
		{ 5000000000, 65520, 10065534, 100000000 }, /* 40 Gbit/s */
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

static void test_patient(void **state)
{
	static const struct {
		uint32_t queue;
		unsigned int times;
		uint32_t least, is;
	} row[] = {
		{ 25000, 16, 0, 400000 },         { 25000, 16, 1000000, 1000000 },
		{ 100000, 16, 1000000, 1600000 }, { 500000, 16, 0, 4U << 20 },
		{ 100000000, 16, 0, 100000000 },  { 100000000, 4, 1000000, 100000000 },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(row); i++) {
		const struct shape shape = { .rate = 1250000, .queue = row[i].queue };
		const struct shape patient =
			shape_patient(shape, row[i].times, row[i].least);
		struct netlink_batch batch;
		const struct nlattr *options;

		assert_true(patient.patient);
		assert_int_equal(patient.queue, row[i].is);
		/* What waits is not dropped for that. */
		netlink_batch_init(&batch);
		qdisc_fq_codel(&batch, 3, &patient);
		options = find(only(&batch, RTM_NEWQDISC), sizeof(struct tcmsg),
		               TCA_OPTIONS);
		assert_int_equal(mnl_attr_get_u32(inner(options, TCA_FQ_CODEL_TARGET)),
		                 (uint64_t)row[i].is * 1000000 / 1250000);
	}
}

/* The message that is number @n in a batch, counted from 0. */
static const struct nlmsghdr *nth(const struct netlink_batch *batch, size_t n)
{
	const struct nlmsghdr *m = (const struct nlmsghdr *)batch->data;

	assert_true(n < batch->n);
	while (n-- > 0)
		m = (const struct nlmsghdr *)((const char *)m +
		                              NLMSG_ALIGN(m->nlmsg_len));
	return m;
}

static void assert_tc(const struct nlmsghdr *m, uint32_t parent, uint32_t handle,
                      const char *kind)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(m);

	assert_int_equal(tc->tcm_ifindex, 3);
	assert_int_equal(tc->tcm_parent, parent);
	assert_int_equal(tc->tcm_handle, handle);
	assert_string_equal(mnl_attr_get_str(find(m, sizeof(*tc), TCA_KIND)), kind);
}

static void test_express(void **state)
{
	const struct shape shape = shape_for(1250000, 1500);
	const struct nlattr *options;
	const struct tc_htb_glob *htb;
	struct netlink_batch batch;
	const struct nlmsghdr *m;

	(void)state;
	netlink_batch_init(&batch);
	qdisc_express(&batch, 3);
	m = only(&batch, RTM_NEWQDISC);
	assert_tc(m, 0x10001, 0x20000, "htb");
	/* One that is there keeps its filters. */
	assert_true(m->nlmsg_flags & NLM_F_EXCL);
	options = find(m, sizeof(struct tcmsg), TCA_OPTIONS);
	htb = mnl_attr_get_payload(inner(options, TCA_HTB_INIT));
	assert_int_equal(htb->version, 3);
	assert_int_equal(htb->defcls, 2);

	netlink_batch_init(&batch);
	qdisc_express_queues(&batch, 3, &shape);
	assert_int_equal(batch.n, 4);
	for (uint32_t i = 0; i < 2; i++) {
		const struct tc_htb_opt *class;
		const struct tc_fifo_qopt *fifo;

		m = nth(&batch, i);
		assert_int_equal(m->nlmsg_type, RTM_NEWTCLASS);
		assert_tc(m, 0x20000, 0x20001 + i, "htb");
		options = find(m, sizeof(struct tcmsg), TCA_OPTIONS);
		class = mnl_attr_get_payload(inner(options, TCA_HTB_PARMS));
		assert_int_equal(class->prio, i);
		assert_int_equal(class->rate.linklayer, TC_LINKLAYER_ETHERNET);
		assert_true(mnl_attr_get_u64(inner(options, TCA_HTB_RATE64)) >
		            shape.rate);
		assert_true(mnl_attr_get_u64(inner(options, TCA_HTB_CEIL64)) >
		            shape.rate);
		m = nth(&batch, 2 + i);
		assert_int_equal(m->nlmsg_type, RTM_NEWQDISC);
		assert_tc(m, 0x20001 + i, (3 + i) << 16, "bfifo");
		fifo = mnl_attr_get_payload(find(m, sizeof(struct tcmsg), TCA_OPTIONS));
		assert_int_equal(fifo->limit, i ? shape.queue : shape.queue / 2);
	}
}

/* By the kernel's own arithmetic: a key meets where no bit of its mask differs. */
static bool meets(const struct nlmsghdr *m, const unsigned char *packet)
{
	const struct nlattr *options = find(m, sizeof(struct tcmsg), TCA_OPTIONS);
	const struct tc_u32_sel *sel = mnl_attr_get_payload(inner(options, TCA_U32_SEL));
	uint32_t word;

	assert_int_equal(sel->nkeys, 1);
	assert_int_equal(mnl_attr_get_u32(inner(options, TCA_U32_CLASSID)), 0x20001);
	memcpy(&word, packet + sel->keys[0].off, sizeof(word));
	return ((word ^ sel->keys[0].val) & sel->keys[0].mask) == 0;
}

static void test_express_filters(void **state)
{
	static const struct {
		uint16_t length;
		bool is_short;
	} row[] = { { 20, true },
		    { 127, true },
		    { 128, false },
		    { 1500, false },
		    { 65520, false } };
	struct netlink_batch batch;

	(void)state;
	netlink_batch_init(&batch);
	qdisc_express_filters(&batch, 3);
	assert_int_equal(batch.n, 2);
	for (size_t family = 0; family < 2; family++) {
		const struct nlmsghdr *m = nth(&batch, family);
		const struct tcmsg *tc = mnl_nlmsg_get_payload(m);

		assert_tc(m, 0x20000, 0, "u32");
		assert_int_equal(TC_H_MIN(tc->tcm_info),
		                 htons(family ? ETH_P_IPV6 : ETH_P_IP));
		for (size_t i = 0; i < N_ELEMENTS(row); i++) {
			const uint16_t length = htons(row[i].length);
			unsigned char packet[40];

			memset(packet, 0xff, sizeof(packet));
			memcpy(packet + (family ? 4 : 2), &length, sizeof(length));
			assert_int_equal(meets(m, packet), row[i].is_short);
		}
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

/* Refusals whose lengths lie, as whoever may send to one of our sockets can make them. */
static const struct forged {
	uint32_t length; /* that the request is said to have had */
	uint16_t flags;
	bool words; /* that are found all the same */
} forged_cases[] = {
	{ NLMSG_HDRLEN, NLM_F_ACK_TLVS, true },
	{ 0, NLM_F_ACK_TLVS | NLM_F_CAPPED, true },
	{ 0xfffffff0, NLM_F_ACK_TLVS | NLM_F_CAPPED, true },
	{ 0xfffffff0, NLM_F_ACK_TLVS, false },
	{ 0xffffffff, NLM_F_ACK_TLVS, false },
	{ 0x80000000, NLM_F_ACK_TLVS, false },
	{ 0, NLM_F_ACK_TLVS, false },
	{ NLMSG_HDRLEN - 1, NLM_F_ACK_TLVS, false },
	{ NLMSG_HDRLEN + 8, NLM_F_ACK_TLVS, false }, /* just at the end */
	{ NLMSG_HDRLEN + 9, NLM_F_ACK_TLVS, false },
	{ 4096, NLM_F_ACK_TLVS, false },
	{ 0xfffffff0, 0, false },
};

static int ask(int sock, bool dump, struct err *err)
{
	struct netlink_batch batch;
	int n = 0;

	netlink_batch_init(&batch);
	link_up(&batch, 1);
	return dump ? netlink_dump(sock, &batch, count, &n, err)
	            : netlink_commit(sock, &batch, err);
}

static void test_forged(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * N_ELEMENTS(forged_cases); i++) {
		const struct forged *c = &forged_cases[i / 2];
		_Alignas(NLMSG_ALIGNTO) unsigned char data[256];
		struct nlmsghdr *m = mnl_nlmsg_put_header(data);
		struct nlmsgerr *told;
		struct err err = { 0 };
		int pair[2];

		print_message("  %#x, flags %#x\n", c->length, c->flags);
		m->nlmsg_type = NLMSG_ERROR;
		m->nlmsg_flags = c->flags;
		m->nlmsg_seq = 1;
		told = mnl_nlmsg_put_extra_header(m, sizeof(*told));
		told->error = -EPERM;
		told->msg.nlmsg_len = c->length;
		mnl_attr_put_strz(m, NLMSGERR_ATTR_MSG, "abc");
		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
		assert_int_equal(send(pair[1], m, m->nlmsg_len, 0), m->nlmsg_len);
		assert_int_equal(ask(pair[0], i % 2, &err), -EPERM);
		assert_true(!!strstr(err.text, ": abc") == c->words);
		(void)close(pair[0]);
		(void)close(pair[1]);
	}
}

/* What somebody sends to a socket of the workspace's namespace gets nowhere. */
static int forge(void)
{
	struct sockaddr_nl to = { 0 };
	socklen_t size = sizeof(to);
	struct nlmsghdr m = { .nlmsg_len = sizeof(m), .nlmsg_type = NLMSG_DONE };
	struct err err = { 0 };
	int ours = netlink_open_inside(NETLINK_ROUTE, &err);
	int open = netlink_open(NETLINK_ROUTE, &err);
	int theirs = netlink_open(NETLINK_ROUTE, &err);

	if (ours < 0 || open < 0 || theirs < 0 || ask(ours, false, &err) < 0 ||
	    ask(open, false, &err) < 0)
		return 1;
	/* It would arrive at one that is not connected. */
	if (getsockname(open, (struct sockaddr *)&to, &size) < 0 ||
	    sendto(theirs, &m, sizeof(m), 0, (struct sockaddr *)&to, size) < 0 ||
	    recv(open, &m, sizeof(m), MSG_DONTWAIT) != sizeof(m))
		return 2;
	if (getsockname(ours, (struct sockaddr *)&to, &size) < 0 || to.nl_pid == 0)
		return 3;
	if (sendto(theirs, &m, sizeof(m), 0, (struct sockaddr *)&to, size) >= 0 ||
	    errno != ECONNREFUSED)
		return 4;
	return recv(ours, &m, sizeof(m), MSG_DONTWAIT) < 0 && errno == EAGAIN ? 0 : 5;
}

static void in_own_namespace(int (*body)(void))
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 &&
		                      unshare(CLONE_NEWNET) < 0
		              ? 77
		              : body());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip(); /* no namespaces, or no veth, for us here */
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_inside(void **state)
{
	(void)state;
	in_own_namespace(forge);
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
		link_add_veth(&batch, "a", 100, "b", 101, 0, 1500, NULL);
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
	err_clear(&err);
	/* Both ends go with one. */
	link_remove(&batch, 101);
	if (netlink_commit(sock, &batch, &err) < 0)
		return 8;
	link_remove(&batch, 100);
	return netlink_commit(sock, &batch, &err) == -ENODEV ? 0 : 9;
}

static void test_kernel(void **state)
{
	(void)state;
	in_own_namespace(talk);
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
		cmocka_unit_test(test_neighbour),
		cmocka_unit_test(test_veth),
		cmocka_unit_test(test_up),
		cmocka_unit_test(test_address),
		cmocka_unit_test(test_route),
		cmocka_unit_test(test_tbf),
		cmocka_unit_test(test_patient),
		cmocka_unit_test(test_express),
		cmocka_unit_test(test_express_filters),
		cmocka_unit_test(test_redirect),
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_stats),
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_kernel),
		cmocka_unit_test(test_inside),
		cmocka_unit_test(test_ip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
