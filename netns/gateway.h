#ifndef NETNS_GATEWAY_H
#define NETNS_GATEWAY_H

#include <stdbool.h>
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
 * @paced:	the relay keeps that of uploads, since the kernel has no ifb or mirred
 * @patient:	who carries on what is sent (pasta) sends what a window takes and is stopped by a
 *		lost packet: with a rate more may wait, and windows are small
 */
struct gateway {
	struct ip gateway[IP_FAMILIES], workspace[IP_FAMILIES];
	uint32_t mtu;
	uint64_t rate[DIRECTIONS];
	bool paced, patient;
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
 * gateway_disconnect() - Take the veth pair away again
 * @sock:	of NETLINK_ROUTE, made in the gateway's network namespace
 *
 * Where nothing answers behind it: without a route a program inside is refused at once
 * (ENETUNREACH), instead of waiting. Who has gone already is no error.
 */
void gateway_disconnect(int sock);

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
 * gateway_resize() - Change the MTU of the pair while it is in use
 * @sock:	of NETLINK_ROUTE, made in the gateway's network namespace
 * @inside:	the same of the workspace
 * @from, @to:	the MTU of now, and the one to be
 * @diverted:	whether upload goes by the ifb
 * @err:	filled in on failure
 *
 * Who sends less does so first, so that no end gets what is too large for it. A workspace that
 * has its end no more is left alone.
 *
 * Return: 0 or -errno, and it is as it was.
 */
int gateway_resize(int sock, int inside, uint32_t from, uint32_t to, bool diverted,
                   struct err *err);

/**
 * gateway_rewindow() - The windows of the workspace's connections from now on, by its routes
 * @inside:	of NETLINK_ROUTE, of the workspace
 * @gateway:	with the rate of now
 *
 * For a gateway that is patient. Root inside may have other routes: then it stays as it is, and
 * costs him speed.
 */
void gateway_rewindow(int inside, const struct gateway *gateway);

/**
 * gateway_empty() - Throw away what waits for a rate
 * @sock:	as of gateway_shape_by(), which has to be called next
 * @direction:	which has a rate
 *
 * Before the MTU becomes smaller: a packet larger than the new burst would never leave, and
 * nothing behind it.
 */
void gateway_empty(int sock, enum direction direction);

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
 * gateway_pose() - Make the gateway's side of a plan, to look at what becomes of it
 * @gateway:	addresses, MTU and rates; a rate of 0 is none
 * @peer, @peer_index: the other end, which is here, too, and stays down
 * @err:	filled in on failure
 *
 * Return: as gateway_connect() and gateway_shape().
 */
int gateway_pose(const struct gateway *gateway, const char *peer, int peer_index,
                 struct err *err);

/**
 * gateway_try_divert() - Lead what enters an interface through an ifb
 * @err:	filled in on failure
 *
 * In a network namespace of its own, which keeps what was made.
 *
 * Return: 0; -ENOENT or -EOPNOTSUPP where the kernel lacks ifb, a classifier or mirred; else
 * -errno.
 */
int gateway_try_divert(struct err *err);

/* Whether a failure to shape uploads says that the kernel cannot. */
bool gateway_lacks_divert(int code);

/**
 * gateway_try() - Keep rates on a veth pair of which both ends are here
 * @gateway:	rates and MTU
 * @err:	filled in on failure
 *
 * Return: as gateway_shape().
 */
int gateway_try(const struct gateway *gateway, struct err *err);

#endif
