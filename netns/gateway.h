#ifndef NETNS_GATEWAY_H
#define NETNS_GATEWAY_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "netns/plan_addresses.h"

/* The gateway's end of the veth, and the workspace's. */
#define GATEWAY_IFNAME "berth0"
#define WORKSPACE_IFNAME "eth0"

/* Their number, each in its namespace; and that of what upload goes through. */
#define GATEWAY_INDEX 100
#define GATEWAY_IFB_INDEX 101

#define GATEWAY_MTU_MAX 65520
#define GATEWAY_MTU_SLOW 1500
/* Below this rate one large packet takes longer than people like to wait. */
#define GATEWAY_SLOW_BYTES 12500000 /* 100 Mbit/s */

/* Directions of a rate, as the workspace sees them. */
enum direction { DOWNLOAD, UPLOAD, DIRECTIONS };

/**
 * struct gateway - The gateway's network namespace
 * @gateway, @workspace: addresses of the two ends, by family
 * @mtu:	of both ends, bytes
 * @rate:	by direction, bytes a second; 0: as fast as it goes
 */
struct gateway {
	struct ip gateway[IP_FAMILIES], workspace[IP_FAMILIES];
	uint32_t mtu;
	uint64_t rate[DIRECTIONS];
};

/* The MTU for these rates. */
uint32_t gateway_mtu(const uint64_t rate[DIRECTIONS]);

/**
 * gateway_connect() - Make the veth pair, and set up our end of it
 * @gateway:	addresses and MTU
 * @pid:	of the workspace's init, which is not reaped before this returns; its
 *		network namespace gets the other end
 * @err:	filled in on failure
 *
 * Where we are: in the gateway's network namespace, with CAP_NET_ADMIN over both.
 *
 * Return: 0; -EPERM without that; -EOPNOTSUPP where the kernel has no veth; else -errno.
 */
int gateway_connect(const struct gateway *gateway, pid_t pid, struct err *err);

/**
 * gateway_shape() - Keep one direction's rate
 * @gateway:	rates and MTU
 * @direction:	DOWNLOAD is shaped where it leaves for the workspace, UPLOAD where it
 *		comes from there, before any rule sees it: redirected to an ifb and shaped
 *		as it leaves that
 * @err:	filled in on failure
 *
 * Does the same again for another rate on what an earlier call made.
 *
 * Return: 0; -ENOENT or -EOPNOTSUPP where the kernel lacks tbf, or for UPLOAD ifb, a
 * classifier or mirred; else -errno.
 */
int gateway_shape(const struct gateway *gateway, enum direction direction,
                  struct err *err);

/* The same by a socket of NETLINK_ROUTE that was made in the gateway's network namespace. */
int gateway_shape_by(int sock, const struct gateway *gateway, enum direction direction,
                     struct err *err);

/**
 * gateway_join() - Set up the workspace's end, from inside
 * @gateway:	addresses
 * @err:	filled in on failure
 *
 * Where we are: in the workspace's network namespace, after gateway_connect(). Brings up
 * "lo" too.
 *
 * Return: 0 or -errno.
 */
int gateway_join(const struct gateway *gateway, struct err *err);

/**
 * gateway_try() - Keep rates on a veth pair of which both ends are here
 * @gateway:	rates and MTU
 * @err:	filled in on failure
 *
 * Return: as gateway_shape().
 */
int gateway_try(const struct gateway *gateway, struct err *err);

#endif
