#ifndef NETNS_TRY_H
#define NETNS_TRY_H

#include <stdbool.h>

#include "base/err.h"

/*
 * Whether an uplink could be built in the network namespace we are in, by trying. They
 * leave what they made: for a namespace that goes with its process.
 */

/**
 * netns_try_veth() - Make a pair of virtual Ethernet devices
 * @err:	filled in on failure
 *
 * Return: 0; -EPERM without CAP_NET_ADMIN over the namespace; -EOPNOTSUPP where the
 * kernel has no veth, and may load none; else -errno.
 */
int netns_try_veth(struct err *err);

/**
 * netns_try_nftables() - Make an nftables table
 * @err:	filled in on failure
 *
 * Return: 0; -EPROTONOSUPPORT or -EINVAL where the kernel has no nf_tables; -EPERM as
 * above; else -errno.
 */
int netns_try_nftables(struct err *err);

/**
 * netns_try_relay() - Make what the relay needs of a gateway: routes, rules, sockets
 * @err:	filled in on failure
 *
 * Return: 0; -ENOENT where the kernel lacks tproxy or both forms of queue; else -errno.
 */
int netns_try_relay(struct err *err);

/**
 * netns_try_forwarding() - Make what pasta needs of a gateway: rules
 * @err:	filled in on failure
 *
 * Return: 0; -ENOENT or -EOPNOTSUPP where the kernel lacks masquerading or connection
 * tracking; else -errno.
 */
int netns_try_forwarding(struct err *err);

/**
 * netns_try_shaping() - Keep a rate in both directions of a veth pair
 * @ret_paced:	the kernel cannot keep that of uploads, so the relay has to; set on success
 * @err:	filled in on failure
 *
 * Return: 0; -ENOENT or -EOPNOTSUPP where the kernel lacks tbf; else -errno.
 */
int netns_try_shaping(bool *ret_paced, struct err *err);

#endif
