#ifndef NETNS_LINK_H
#define NETNS_LINK_H

#include <stdint.h>
#include <sys/types.h>

#include "netns/netlink.h"

/* Numbers of interfaces are chosen by us, so that nothing needs to be looked up between
 * the messages of one batch; a new namespace has low ones taken by the kernel itself. */

/* A hardware address of Ethernet. */
struct mac {
	unsigned char byte[6];
};

/**
 * link_add_veth() - Make a pair of virtual Ethernet devices
 * @batch:	where the message goes
 * @name, @index: our end, in the socket's namespace
 * @peer, @peer_index: the other end, made down
 * @pid:	a process in the network namespace the other end is born in, as our PID
 *		namespace numbers it; 0: ours
 * @mtu:	of both
 * @macs:	hardware addresses of ours and of the other end; NULL: the kernel chooses
 *
 * The kernel asks for CAP_NET_ADMIN over both namespaces.
 */
void link_add_veth(struct netlink_batch *batch, const char *name, int index,
                   const char *peer, int peer_index, pid_t pid, uint32_t mtu,
                   const struct mac macs[2]);

/* Make an interface of a kind that needs no more words: "ifb", "dummy". */
void link_add(struct netlink_batch *batch, const char *kind, const char *name, int index,
              uint32_t mtu);

/* Bring an interface up. */
void link_up(struct netlink_batch *batch, int index);

/* Let packets of IPv4 that come in by an interface go on to another one: what the sysctl does,
 * where /proc/sys may not be written. */
void link_forward(struct netlink_batch *batch, int index);

/* Remove an interface; of a pair, both ends. */
void link_remove(struct netlink_batch *batch, int index);

/* Change an interface's MTU. */
void link_mtu(struct netlink_batch *batch, int index, uint32_t mtu);

#endif
