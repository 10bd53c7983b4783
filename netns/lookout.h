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

typedef void lookout_fn(void *ctx, const struct listener *listener);

/**
 * struct look - How far a look came; zeroed: at its begin
 * @question:	of the kernel's families and protocols
 * @asked:	the answer to it is not over
 */
struct look {
	size_t question;
	bool asked;
};

/**
 * lookout_go_on() - Look who listens, some of the time
 * @look:	of this socket; at its begin again when it is over
 * @sock:	of NETLINK_SOCK_DIAG, made in the workspace
 * @until_ns:	CLOCK_MONOTONIC. Some hundred sockets are asked for at a time, one time at least:
 *		whoever is inside may have as many as he likes
 * @each:	called for each, in no order, a port perhaps several times
 * @ctx:	for @each
 * @err:	filled in on failure
 *
 * Return: 1 where there are more; 0 where that was all; -ENOENT where the kernel has no
 * inet_diag; -errno. After a failure it is at its begin.
 */
int lookout_go_on(struct look *look, int sock, int64_t until_ns, lookout_fn *each,
                  void *ctx, struct err *err);

/* The same to the end, with a look of its own: for a network that is nobody's to fill. */
int lookout_listeners(int sock, lookout_fn *each, void *ctx, struct err *err);

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
