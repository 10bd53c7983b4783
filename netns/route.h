#ifndef NETNS_ROUTE_H
#define NETNS_ROUTE_H

#include <stdint.h>

#include "netns/ip.h"
#include "netns/netlink.h"

/* The loopback interface has this number in every network namespace. */
#define LOOPBACK_INDEX 1

/**
 * address_add() - Give an interface an address
 * @batch:	where the message goes
 * @index:	the interface
 * @ip:		with the prefix of its network, to which the kernel makes a route
 *
 * An IPv6 address is usable at once: nobody else is there to have it too.
 */
void address_add(struct netlink_batch *batch, int index, const struct ip *ip);

/**
 * struct route - Where packets to a network go
 * @to:		the network; a prefix of 0 is all of its family
 * @via:	the gateway, or NULL
 * @index:	the interface
 * @table:	RT_TABLE_MAIN, or a number of ours
 * @local:	they are for us, whatever their address (tproxy's routes to "lo")
 */
struct route {
	struct ip to;
	const struct ip *via;
	int index;
	uint32_t table;
	bool local;
};

void route_add(struct netlink_batch *batch, const struct route *route);

/**
 * rule_add() - Send packets with a mark to a routing table
 * @batch:	where the message goes
 * @family:	AF_INET, AF_INET6
 * @mark:	all bits of it
 * @table:	where to look for a route
 * @priority:	lower ones are asked first; above 0 and below 32766, the main table's
 */
void rule_add(struct netlink_batch *batch, unsigned char family, uint32_t mark,
              uint32_t table, uint32_t priority);

#endif
