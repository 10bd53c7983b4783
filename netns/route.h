#ifndef NETNS_ROUTE_H
#define NETNS_ROUTE_H

#include <stdint.h>

#include "netns/ip.h"
#include "netns/link.h"
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
 * @window:	most bytes that a connection by it lets be under way to us; 0: no bound
 * @again:	instead of the one that is there, and nothing where there is none
 */
struct route {
	struct ip to;
	const struct ip *via;
	int index;
	uint32_t table;
	bool local;
	uint32_t window;
	bool again;
};

void route_add(struct netlink_batch *batch, const struct route *route);

/* Where a neighbour is, for good: nobody has to be asked, through a queue that may be full. */
void neighbour_add(struct netlink_batch *batch, int index, const struct ip *ip,
                   const struct mac *mac);

#endif
