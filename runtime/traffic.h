#ifndef TRAFFIC_H
#define TRAFFIC_H

#include <stdint.h>

#include "base/err.h"
#include "logfile.h"
#include "loop.h"
#include "netns/gateway.h"
#include "netns/stats.h"
#include "plan.h"

/**
 * struct traffic_numbers - What a workspace's network did; plain data of the control socket
 * @way:	by direction
 * @rate:	that is kept, bytes a second; 0 for none
 * @denied:	connections, datagrams and echo requests that the policy denied
 * @limited:	those that were too many in a minute
 * @permitted:	those that it denies, and that were let through (--audit-permissive)
 * @at_ns:	CLOCK_MONOTONIC
 */
struct traffic_numbers {
	struct way_stats way[DIRECTIONS];
	uint64_t rate[DIRECTIONS];
	uint64_t denied, limited, permitted;
	uint64_t at_ns;
};

/**
 * struct traffic_denial - What the egress policy denied
 * @protocol, @to, @reason, @rule: as texts; the last one NULL where no rule did
 * @permitted:	it was let through all the same (--audit-permissive)
 * @untold:	not 0: only that so many more were denied
 */
struct traffic_denial {
	const char *protocol, *to, *reason, *rule;
	bool permitted;
	uint64_t untold;
};

/**
 * struct traffic - A workspace's own network, from the supervisor's side
 * @plan:	borrowed
 * @rules:	texts of the egress rules, borrowed
 * @log:	where denials are written, borrowed
 * @denied_one:	what is told of them instead, NULL for nobody; called with @ctx
 * @ctx:	for @denied_one
 * @loop:	set by traffic_start()
 * @gateway:	with the rates of now
 * @sock:	of NETLINK_ROUTE, made in the gateway by the warden; owned; -EBADF where the
 *		workspace has no network of its own
 * @inside:	the same, made in the workspace by init, to change its end's MTU; owned
 * @report:	what the relay denied comes here; owned
 * @denials, @counts: with pasta, what the gateway denied comes to the one, and by the other it
 *		is counted; owned
 * @told, @seen:	of those how many were told of, and counted at the last look
 * @before:	what was uploaded before there was a rate for it
 * @denied, @limited, @permitted: as told last
 */
struct traffic {
	const struct plan *plan;
	const char *const *rules;
	struct logfile *log;
	void (*denied_one)(void *ctx, const struct traffic_denial *denial);
	void *ctx;
	struct loop *loop;
	struct gateway gateway;
	int sock, inside, report, denials, counts;
	uint64_t told, seen;
	struct way_stats before;
	uint64_t denied, limited, permitted;
};

/* Serves the relay's reports. @traffic: all but the counters is set. Return: 0 or -errno. */
int traffic_start(struct traffic *traffic, struct loop *loop, struct err *err);

/* What it did so far. Return: 0; -ENONET without a network of its own; else -errno. */
int traffic_numbers(const struct traffic *traffic, struct traffic_numbers *ret,
                    struct err *err);

/**
 * traffic_update() - Keep other rates from now on
 * @traffic:	of a running workspace
 * @rate:	by direction, bytes a second; 0: as it is
 * @err:	filled in on failure
 *
 * Queues are changed in place: no packet is lost unless the MTU becomes smaller. The MTU follows the rate, unless root inside
 * keeps his end where it is. Where the second one fails the first is set
 * back.
 *
 * Return: 0; -ENONET; else as gateway_shape().
 */
int traffic_update(struct traffic *traffic, const uint64_t rate[DIRECTIONS],
                   struct err *err);

/* Takes the last reports, which are told before the packets are answered; logs are open still. */
void traffic_finish(struct traffic *traffic);

void traffic_close(struct traffic *traffic);

#endif
