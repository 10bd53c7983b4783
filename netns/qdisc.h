#ifndef NETNS_QDISC_H
#define NETNS_QDISC_H

#include <stdbool.h>
#include <stdint.h>

#include "netns/netlink.h"

/**
 * struct shape - How a rate is kept on an interface
 * @rate:	bytes a second, headers included
 * @burst:	bytes that may leave at once
 * @queue:	bytes that may wait; more are dropped, which is what slows a sender down
 * @patient:	none is dropped before that, however long it waits
 */
struct shape {
	uint64_t rate;
	uint32_t burst, queue;
	bool patient;
};

/**
 * shape_for() - Burst and queue of a rate, for low latency
 * @rate:	bytes a second
 * @mtu:	of the interface, bytes
 *
 * The burst is a packet, and what the rate sends in 2 ms: timers are late by less, and a
 * bucket that has room for no more than the packet forgets by how much. The queue is what
 * it sends in 20 ms, but a few packets at least.
 */
struct shape shape_for(uint64_t rate, uint32_t mtu);

/**
 * shape_patient() - The same for who is stopped by a lost packet
 * @shape:	of shape_for()
 * @times:	so many times the queue may wait
 * @least:	bytes that may wait in any case
 */
struct shape shape_patient(struct shape shape, unsigned int times, uint32_t least);

/**
 * qdisc_tbf() - Shape what leaves an interface (tc-tbf(8))
 * @batch:	where the message goes
 * @index:	the interface; an earlier shape of ours is changed
 * @shape:	the rate
 */
void qdisc_tbf(struct netlink_batch *batch, int index, const struct shape *shape);

/* Removes it, with all that waits in it. */
void qdisc_remove(struct netlink_batch *batch, int index);

/* Fair queues with a bound on their delay, inside qdisc_tbf(); not in every kernel. */
void qdisc_fq_codel(struct netlink_batch *batch, int index, const struct shape *shape);

/**
 * qdisc_express() - A way past the queue inside qdisc_tbf(), for kernels without fq_codel
 * @batch:	where the message goes
 * @index:	the interface
 *
 * Two queues, of which that for short packets (acknowledgements, questions, what begins a
 * connection) is served first; an htb that limits nothing sorts them. Fails with -EEXIST
 * where it is there already. Until qdisc_express_queues() nothing bounds its length.
 */
void qdisc_express(struct netlink_batch *batch, int index);

/* The queues themselves; for another rate, again. */
void qdisc_express_queues(struct netlink_batch *batch, int index,
                          const struct shape *shape);

/* Which packets are short: once, behind qdisc_express(). */
void qdisc_express_filters(struct netlink_batch *batch, int index);

/* A place for filters on what enters an interface. */
void qdisc_ingress(struct netlink_batch *batch, int index);

enum redirect {
	REDIRECT_U32,      /* tc-u32(8) that matches everything */
	REDIRECT_MATCHALL, /* tc-matchall(8), newer */
	REDIRECT_MAX,
};

/**
 * qdisc_redirect() - Let all that enters an interface leave another one (tc-mirred(8))
 * @batch:	where the message goes
 * @index:	the interface with qdisc_ingress()
 * @to:		the other one, an ifb: what leaves it is received as if it came from @index
 * @by:		which classifier
 */
void qdisc_redirect(struct netlink_batch *batch, int index, int to, enum redirect by);

#endif
