#ifndef NETNS_DENIED_H
#define NETNS_DENIED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "netns/packet.h"

/*
 * What the gateway's rules denied, with pasta: the kernel counts all of it, and tells of some,
 * 20 at once and then five a second, whatever root inside sends.
 */

#define DENIED_BURST 20
#define DENIED_PER_SECOND 5

/**
 * struct denied - One packet; plain data
 * @to:		where to; port 0 of what has none
 * @protocol:	IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP or IPPROTO_ICMPV6
 */
struct denied {
	struct endpoint to;
	uint8_t protocol;
};

/**
 * denied_open() - Listen to the log of the network namespace we are in
 * @err:	filled in on failure
 *
 * Return: the socket, owned by the caller; -errno.
 */
int denied_open(struct err *err);

/**
 * denied_read() - Read what the kernel sent
 * @data:	messages of nfnetlink_log; the packets in them are root's inside
 * @n:		bytes
 * @ret:	those that could be read, the rest is passed over
 * @max:	length of @ret
 *
 * Pure.
 *
 * Return: how many.
 */
size_t denied_read(const void *data, size_t n, struct denied *ret, size_t max);

/* Packets that were denied, and those that were too many in a minute. */
struct denied_sum {
	uint64_t denied, limited;
};

/**
 * denied_count() - Read the counters of the rules
 * @rules:	of NETLINK_NETFILTER, made in the gateway's network namespace
 * @ret:	set on success only
 * @err:	filled in on failure
 *
 * Return: 0 or -errno.
 */
int denied_count(int rules, struct denied_sum *ret, struct err *err);

#endif
