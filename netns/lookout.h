#ifndef NETNS_LOOKOUT_H
#define NETNS_LOOKOUT_H

#include <linux/netlink.h>

#include "base/err.h"
#include "netns/packet.h"

/*
 * Questions to the workspace's kernel, from outside, by netlink sockets that init made there:
 * nothing inside takes part in the answer.
 */

/**
 * struct listener - A port at which somebody listens
 * @port:	of all addresses, or of @address
 * @udp:	a socket that is bound and not connected; else TCP's
 */
struct listener {
	struct in6_addr address;
	uint16_t port;
	bool udp;
};

/* More are passed over. */
#define LISTENERS_MAX 1024

/**
 * lookout_listeners() - Who listens
 * @sock:	of NETLINK_SOCK_DIAG, made in the workspace
 * @ret:	room for LISTENERS_MAX, in no order, a port perhaps several times
 * @ret_n:	how many
 * @err:	filled in on failure
 *
 * Return: 0; -ENOENT where the kernel has no inet_diag; -errno.
 */
int lookout_listeners(int sock, struct listener *ret, size_t *ret_n, struct err *err);

/**
 * lookout_goes_to() - Whether the workspace would answer an address by its way out
 * @sock:	of NETLINK_ROUTE, made in the workspace
 * @to:		the address
 * @gateway:	of the same family: the gateway's
 *
 * Return: whether the route to it goes by that gateway; false where nobody knows.
 */
bool lookout_goes_to(int sock, const struct in6_addr *to, const struct in6_addr *gateway);

/* The answer to that question; tests give their own. */
bool lookout_read_route(const struct nlmsghdr *message, const struct in6_addr *gateway);

#endif
