#include "netns/qdisc.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>

/* Handles are ours to choose: MAJOR:0 of a qdisc, the tbf's one class is MAJOR:1. */
#define TBF_HANDLE TC_H_MAKE(1U << 16, 0)
#define TBF_CLASS TC_H_MAKE(1U << 16, 1)
#define LEAF_HANDLE TC_H_MAKE(2U << 16, 0)
#define SHORT_CLASS TC_H_MAKE(2U << 16, 1)
#define LONG_CLASS TC_H_MAKE(2U << 16, 2)
#define SHORT_HANDLE TC_H_MAKE(3U << 16, 0)
#define LONG_HANDLE TC_H_MAKE(4U << 16, 0)
#define INGRESS_HANDLE TC_H_MAKE(TC_H_INGRESS, 0)

#define CHANGE (NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE)

static struct nlmsghdr *begin(struct netlink_batch *batch, uint16_t type, int index,
                              uint32_t parent, uint32_t handle, const char *kind)
{
	struct nlmsghdr *m =
		netlink_begin(batch, type, CHANGE, "add %s '%s' to interface %d",
	                      type == RTM_NEWTFILTER ? "filter" : "queue", kind, index);
	struct tcmsg *tc = mnl_nlmsg_put_extra_header(m, sizeof(*tc));

	tc->tcm_ifindex = index;
	tc->tcm_parent = parent;
	tc->tcm_handle = handle;
	mnl_attr_put_strz(m, TCA_KIND, kind);
	return m;
}

#define MS_PER_S 1000
#define LATE_MS 2
#define QUEUE_MS 20
#define QUEUE_PACKETS 8

static uint32_t bytes_in(uint64_t rate, unsigned int ms, uint64_t least)
{
	/* rate * ms fits: rates are below 2^53. */
	uint64_t bytes = rate * ms / MS_PER_S;

	if (bytes < least)
		bytes = least;
	return bytes > INT32_MAX / 2 ? INT32_MAX / 2 : (uint32_t)bytes;
}

struct shape shape_for(uint64_t rate, uint32_t mtu)
{
	const uint64_t packet = mtu + ETH_HLEN;

	return (struct shape){
		.rate = rate,
		.burst = bytes_in(rate, LATE_MS, 0) + (uint32_t)packet,
		.queue = bytes_in(rate, QUEUE_MS, QUEUE_PACKETS * packet),
	};
}

/* As much as a workspace may have of the kernel's memory for what waits. */
#define PATIENT_BYTES (4U << 20)

struct shape shape_patient(struct shape shape, unsigned int times, uint32_t least)
{
	uint64_t queue = (uint64_t)shape.queue * times;

	if (queue > PATIENT_BYTES)
		queue = PATIENT_BYTES;
	if (queue < least)
		queue = least;
	if (shape.queue < queue)
		shape.queue = (uint32_t)queue;
	shape.patient = true;
	return shape;
}

#define NS_PER_S 1000000000U
#define NS_PER_TICK 64 /* the unit of the kernel's queues, PSCHED_SHIFT */

void qdisc_tbf(struct netlink_batch *batch, int index, const struct shape *shape)
{
	/* With a link layer named, the kernel computes what tables were for. */
	const struct tc_tbf_qopt parameters = {
		.rate = {
			.linklayer = TC_LINKLAYER_ETHERNET,
			.rate = shape->rate < UINT32_MAX ? (uint32_t)shape->rate : UINT32_MAX,
		},
		.limit = shape->queue,
		.buffer = (uint32_t)((uint64_t)shape->burst * NS_PER_S / shape->rate / NS_PER_TICK),
	};
	struct nlmsghdr *m =
		begin(batch, RTM_NEWQDISC, index, TC_H_ROOT, TBF_HANDLE, "tbf");
	struct nlattr *options = mnl_attr_nest_start(m, TCA_OPTIONS);

	mnl_attr_put(m, TCA_TBF_PARMS, sizeof(parameters), &parameters);
	mnl_attr_put_u32(m, TCA_TBF_BURST, shape->burst);
	if (shape->rate >= UINT32_MAX)
		mnl_attr_put_u64(m, TCA_TBF_RATE64, shape->rate);
	mnl_attr_nest_end(m, options);
	netlink_end(batch, m);
}

void qdisc_remove(struct netlink_batch *batch, int index)
{
	struct nlmsghdr *m =
		begin(batch, RTM_DELQDISC, index, TC_H_ROOT, TBF_HANDLE, "tbf");

	m->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	netlink_end(batch, m);
}

#define US_PER_S 1000000U
#define CODEL_TARGET_US 5000
#define CODEL_INTERVAL_US 100000
#define CODEL_PACKETS 2 /* the target is never below what these take */

void qdisc_fq_codel(struct netlink_batch *batch, int index, const struct shape *shape)
{
	const uint64_t bytes =
		shape->patient ? shape->queue : (uint64_t)CODEL_PACKETS * ETH_DATA_LEN;
	uint64_t target = bytes * US_PER_S / shape->rate;
	struct nlmsghdr *m =
		begin(batch, RTM_NEWQDISC, index, TBF_CLASS, LEAF_HANDLE, "fq_codel");
	struct nlattr *options = mnl_attr_nest_start(m, TCA_OPTIONS);

	if (target < CODEL_TARGET_US)
		target = CODEL_TARGET_US;
	if (target > UINT32_MAX)
		target = UINT32_MAX;
	mnl_attr_put_u32(m, TCA_FQ_CODEL_TARGET, (uint32_t)target);
	mnl_attr_put_u32(m, TCA_FQ_CODEL_INTERVAL, CODEL_INTERVAL_US);
	mnl_attr_put_u32(m, TCA_FQ_CODEL_MEMORY_LIMIT, shape->queue * 4);
	mnl_attr_nest_end(m, options);
	netlink_end(batch, m);
}

#define HTB_VERSION 3
#define HTB_QUANTUM ETH_FRAME_LEN
#define HTB_BURST_US 1000
#define NS_PER_US 1000U

void qdisc_express(struct netlink_batch *batch, int index)
{
	const struct tc_htb_glob parameters = { .version = HTB_VERSION,
		                                .rate2quantum = 1,
		                                .defcls = TC_H_MIN(LONG_CLASS) };
	struct nlmsghdr *m =
		begin(batch, RTM_NEWQDISC, index, TBF_CLASS, LEAF_HANDLE, "htb");
	struct nlattr *options = mnl_attr_nest_start(m, TCA_OPTIONS);

	m->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
	mnl_attr_put(m, TCA_HTB_INIT, sizeof(parameters), &parameters);
	mnl_attr_nest_end(m, options);
	netlink_end(batch, m);
}

/* Sends more than there ever is: the tbf above it is what keeps the rate. */
static void put_class(struct netlink_batch *batch, int index, uint32_t handle,
                      uint32_t priority, uint64_t rate)
{
	const struct tc_ratespec unbound = { .linklayer = TC_LINKLAYER_ETHERNET,
		                             .rate = UINT32_MAX };
	const struct tc_htb_opt parameters = {
		.rate = unbound,
		.ceil = unbound,
		.buffer = HTB_BURST_US * NS_PER_US / NS_PER_TICK,
		.cbuffer = HTB_BURST_US * NS_PER_US / NS_PER_TICK,
		.quantum = HTB_QUANTUM,
		.prio = priority,
	};
	struct nlmsghdr *m =
		begin(batch, RTM_NEWTCLASS, index, LEAF_HANDLE, handle, "htb");
	struct nlattr *options = mnl_attr_nest_start(m, TCA_OPTIONS);

	mnl_attr_put(m, TCA_HTB_PARMS, sizeof(parameters), &parameters);
	mnl_attr_put_u64(m, TCA_HTB_RATE64, UINT32_MAX + 2 * rate);
	mnl_attr_put_u64(m, TCA_HTB_CEIL64, UINT32_MAX + 2 * rate);
	mnl_attr_nest_end(m, options);
	netlink_end(batch, m);
}

static void put_fifo(struct netlink_batch *batch, int index, uint32_t parent,
                     uint32_t handle, uint32_t bytes)
{
	const struct tc_fifo_qopt parameters = { .limit = bytes };
	struct nlmsghdr *m = begin(batch, RTM_NEWQDISC, index, parent, handle, "bfifo");

	mnl_attr_put(m, TCA_OPTIONS, sizeof(parameters), &parameters);
	netlink_end(batch, m);
}

void qdisc_express_queues(struct netlink_batch *batch, int index,
                          const struct shape *shape)
{
	put_class(batch, index, SHORT_CLASS, 0, shape->rate);
	put_class(batch, index, LONG_CLASS, 1, shape->rate);
	put_fifo(batch, index, SHORT_CLASS, SHORT_HANDLE, shape->queue / 2);
	put_fifo(batch, index, LONG_CLASS, LONG_HANDLE, shape->queue);
}

void qdisc_express_filters(struct netlink_batch *batch, int index)
{
	/* Below 128 bytes: no bit of the length above the lowest seven. */
	static const struct {
		uint16_t protocol;
		int offset; /* of the word that has the length */
		uint32_t mask;
	} row[] = {
		{ ETH_P_IP, 0, 0x0000ff80 },   /* all of the packet */
		{ ETH_P_IPV6, 4, 0xff800000 }, /* without the header */
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		const struct {
			struct tc_u32_sel sel;
			struct tc_u32_key key;
		} is_short = { .sel = { .flags = TC_U32_TERMINAL, .nkeys = 1 },
			       .key = { .mask = htonl(row[i].mask),
			                .off = row[i].offset } };
		struct nlmsghdr *m =
			begin(batch, RTM_NEWTFILTER, index, LEAF_HANDLE, 0, "u32");
		struct tcmsg *tc = mnl_nlmsg_get_payload(m);
		struct nlattr *options = mnl_attr_nest_start(m, TCA_OPTIONS);

		tc->tcm_info = TC_H_MAKE((uint32_t)(i + 1) << 16, htons(row[i].protocol));
		mnl_attr_put_u32(m, TCA_U32_CLASSID, SHORT_CLASS);
		mnl_attr_put(m, TCA_U32_SEL, sizeof(is_short), &is_short);
		mnl_attr_nest_end(m, options);
		netlink_end(batch, m);
	}
}

void qdisc_ingress(struct netlink_batch *batch, int index)
{
	netlink_end(batch, begin(batch, RTM_NEWQDISC, index, TC_H_INGRESS, INGRESS_HANDLE,
	                         "ingress"));
}

/* The actions of a filter: one, all it meets goes out of another interface. */
static void put_mirred(struct nlmsghdr *m, uint16_t attribute, int to)
{
	const struct tc_mirred parameters = {
		.action = TC_ACT_STOLEN,
		.eaction = TCA_EGRESS_REDIR,
		.ifindex = (uint32_t)to,
	};
	struct nlattr *actions = mnl_attr_nest_start(m, attribute);
	struct nlattr *first = mnl_attr_nest_start(m, 1);
	struct nlattr *options;

	mnl_attr_put_strz(m, TCA_ACT_KIND, "mirred");
	options = mnl_attr_nest_start(m, TCA_ACT_OPTIONS);
	mnl_attr_put(m, TCA_MIRRED_PARMS, sizeof(parameters), &parameters);
	mnl_attr_nest_end(m, options);
	mnl_attr_nest_end(m, first);
	mnl_attr_nest_end(m, actions);
}

void qdisc_redirect(struct netlink_batch *batch, int index, int to, enum redirect by)
{
	/* One key that compares no bit. */
	const struct {
		struct tc_u32_sel sel;
		struct tc_u32_key key;
	} everything = { .sel = { .flags = TC_U32_TERMINAL, .nkeys = 1 } };
	struct nlmsghdr *m = begin(batch, RTM_NEWTFILTER, index, INGRESS_HANDLE, 0,
	                           by == REDIRECT_U32 ? "u32" : "matchall");
	struct tcmsg *tc = mnl_nlmsg_get_payload(m);
	struct nlattr *options = mnl_attr_nest_start(m, TCA_OPTIONS);

	tc->tcm_info = TC_H_MAKE(1U << 16, htons(ETH_P_ALL)); /* priority and protocol */
	if (by == REDIRECT_U32) {
		mnl_attr_put(m, TCA_U32_SEL, sizeof(everything), &everything);
		put_mirred(m, TCA_U32_ACT, to);
	} else {
		put_mirred(m, TCA_MATCHALL_ACT, to);
	}
	mnl_attr_nest_end(m, options);
	netlink_end(batch, m);
}
