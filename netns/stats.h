#ifndef NETNS_STATS_H
#define NETNS_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "netns/gateway.h"

struct nlmsghdr;

/**
 * struct way_stats - One direction, as the workspace sees it
 * @bytes, @packets: that came through, headers counted; of what is shaped what the rate let
 *		through
 * @drops:	packets lost there, or at its rate
 * @delayed:	how often a packet had to wait for the rate
 */
struct way_stats {
	uint64_t bytes, packets, drops, delayed;
};

/**
 * gateway_stats() - Read the kernel's counters
 * @sock:	of NETLINK_ROUTE, made in the gateway's network namespace
 * @ret:	by direction; set on success only
 * @ret_diverted: whether upload goes through what shapes it, and is counted from when that
 *		was made
 * @err:	filled in on failure
 *
 * Return: 0; -ENODEV where there is no veth; else -errno.
 */
int gateway_stats(int sock, struct way_stats ret[DIRECTIONS], bool *ret_diverted,
                  struct err *err);

/* What a message of the kernel's says of it, passed over if nothing; for netlink_dump(). */
int stats_link(const struct nlmsghdr *message, void *stats);
int stats_qdisc(const struct nlmsghdr *message, void *stats);

/* What the two collect in. */
struct stats_sum {
	struct way_stats way[DIRECTIONS];
	struct way_stats diverted;
	bool found, is_diverted;
};

#endif
