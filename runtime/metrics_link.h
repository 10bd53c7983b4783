#ifndef METRICS_LINK_H
#define METRICS_LINK_H

#include "metrics.h"

/*
 * Between the supervisor and berth-metrics, which serves them by HTTP: a pair of
 * SOCK_SEQPACKET. The program asks, one message of one byte, and gets a struct
 * metrics_answer for each; nothing else goes over it. That it ends is the other one's end.
 */

/* Descriptors of berth-metrics: the socket to accept from, which listens, and the pair. */
#define METRICS_LISTENER_FD 3
#define METRICS_LINK_FD 4

/* The first thing it says: confined, and about to serve. Instead: a struct err. */
#define METRICS_SERVING 's'
#define METRICS_ASK '?'

/**
 * struct metrics_answer - What the supervisor says
 * @size:	of this struct: program and supervisor are of the same berth
 * @metrics:	as of now
 */
struct metrics_answer {
	uint32_t size;
	struct metrics metrics;
};

#endif
