#ifndef NETNS_PASTA_H
#define NETNS_PASTA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "netns/plan_addresses.h"
#include "netns/relay.h"

/*
 * The other way out: pasta(1), somebody else's program, makes a tap in the gateway and carries
 * what is sent there on by sockets of the pod. The gateway forwards what the workspace may send,
 * with the tap's address as its sender. The tap is never the workspace's own, so that rates and
 * rules are kept a step before it.
 */

#define PASTA_IFNAME "berth-out"

/* What pasta itself has as hardware address (-M), so that nobody has to be asked for it. */
#define PASTA_MAC "02:be:72:74:68:02"

#define PASTA_MTU 65520

/* Its number, and that of its other end, where something stands in its place. */
#define PASTA_POSE_INDEX 103
#define PASTA_POSE_PEER 104

/**
 * struct pasta - Of the tap; plain data
 * @tap:	the gateway's addresses there, by family
 * @far:	pasta's: port 53 there stands for the pod's name server of that family
 */
struct pasta {
	struct ip tap[IP_FAMILIES], far[IP_FAMILIES];
};

/**
 * pasta_name_server() - Whom the gateway asks for names itself
 * @relay:	the pod's name servers
 * @family:	AF_INET or AF_INET6
 * @ret:	set on success only
 *
 * Return: whether there is one; false, too, where the first one is at a loopback, which only
 * pasta reaches.
 */
bool pasta_name_server(const struct relay_config *relay, unsigned char family,
                       struct ip *ret);

/**
 * pasta_install() - Put the rules into the network namespace we are in
 * @relay:	whose interface is there and up; what the workspace may
 * @pasta:	addresses; those of a family that @relay has
 * @ret_log:	whether the kernel tells of denials; see denied.h
 * @err:	filled in on failure
 *
 * The tap need not be there. Nothing but answers goes from it to the workspace. What the relay's
 * sockets begin here (published ports) is answered to them.
 *
 * Return: 0; -ENOENT or -EOPNOTSUPP where the kernel lacks masquerading, connection
 * tracking or routing by marks; else -errno.
 */
int pasta_install(const struct relay_config *relay, const struct pasta *pasta,
                  bool *ret_log, struct err *err);

/**
 * pasta_connect() - Set the tap up and forward to it
 * @sock:	of NETLINK_ROUTE, made in the gateway's network namespace
 * @index:	of the tap
 * @pasta:	addresses
 * @err:	filled in on failure
 *
 * IPv6 takes a sysctl beside this.
 *
 * Return: 0 or -errno.
 */
int pasta_connect(int sock, int index, const struct pasta *pasta, struct err *err);

/**
 * pasta_pose() - Something in the tap's place, to look at what becomes of a plan
 * @pasta:	addresses
 * @err:	filled in on failure
 *
 * Return: 0 or -errno.
 */
int pasta_pose(const struct pasta *pasta, struct err *err);

#endif
