#ifndef NETNS_LOOPBACK_H
#define NETNS_LOOPBACK_H

#include "base/err.h"

/**
 * loopback_up() - Bring up "lo" in the network namespace we are in
 * @err:	filled in on failure
 *
 * The kernel then gives it 127.0.0.1/8 and ::1/128 by itself (netdevice(7)).
 *
 * Return: 0; -EPERM without CAP_NET_ADMIN over the namespace; else -errno.
 */
int loopback_up(struct err *err);

#endif
