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
 * @at_ns:	CLOCK_MONOTONIC
 */
struct traffic_numbers {
	struct way_stats way[DIRECTIONS];
	uint64_t rate[DIRECTIONS];
	uint64_t denied, limited;
	uint64_t at_ns;
};

/**
 * struct traffic - A workspace's own network, from the supervisor's side
 * @plan:	borrowed
 * @rules:	texts of the egress rules, borrowed
 * @log:	where denials are written, borrowed
 * @loop:	set by traffic_start()
 * @gateway:	with the rates of now
 * @sock:	of NETLINK_ROUTE, made in the gateway by the warden; owned; -EBADF where the
 *		workspace has no network of its own
 * @report:	what the relay denied comes here; owned
 * @before:	what was uploaded before there was a rate for it
 * @denied, @limited: as told last
 */
struct traffic {
	const struct plan *plan;
	const char *const *rules;
	struct logfile *log;
	struct loop *loop;
	struct gateway gateway;
	int sock, report;
	struct way_stats before;
	uint64_t denied, limited;
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
 * Queues are changed in place: no packet is lost. Where the second one fails the first is set
 * back.
 *
 * Return: 0; -ENONET; else as gateway_shape().
 */
int traffic_update(struct traffic *traffic, const uint64_t rate[DIRECTIONS],
                   struct err *err);

/* Takes the last reports; the log is open still. */
void traffic_close(struct traffic *traffic);

#endif
