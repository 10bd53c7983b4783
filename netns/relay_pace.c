#include <netinet/in.h>

#include "base/clock.h"
#include "netns/qdisc.h"
#include "netns/relay_internal.h"

/*
 * The rate of uploads where the kernel cannot lead them through a queue: a token bucket in what
 * the relay reads. Streams wait in their sockets, whose senders feel it; datagrams and echo
 * requests that find the bucket empty are lost, as they are in a queue that is full.
 *
 * The bucket is a time: when the next byte would be due. It may lie ahead by what a queue holds,
 * so that a stream and a datagram have the same chance, and behind by the burst.
 */

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

/* What a wake-up may be late by without a loss of rate. */
#define BURST_NS (20 * NS_PER_MS)

/* Streams take turns of so much, or of a packet. */
#define QUANTUM_MS 1

/* Streams that are woken at once; there is no use in more than the bucket has something for. */
#define RESUMED 16

#define ETHERNET 14
#define IPV4 20
#define IPV6 40
#define TCP 32 /* with time stamps */

static int64_t time_of(const struct relay *relay, uint64_t bytes)
{
	/* Rates are below 2^53, and bytes below 2^24. */
	return (int64_t)((double)bytes * (double)NS_PER_S / (double)relay->pace.rate);
}

void pace_set(struct relay *relay, uint64_t rate)
{
	relay->pace.rate = rate;
	if (rate)
		relay->pace.ahead = time_of(relay, shape_for(rate, relay->mtu).queue);
	relay->pace.next = clock_ns(CLOCK_MONOTONIC);
	pace_resume(relay);
}

bool pace_open(struct relay *relay)
{
	const int64_t now = relay->pace.rate ? clock_ns(CLOCK_MONOTONIC) : 0;

	if (!relay->pace.rate)
		return true;
	if (relay->pace.next < now - BURST_NS)
		relay->pace.next = now - BURST_NS;
	return relay->pace.next <= now + relay->pace.ahead;
}

size_t pace_most(const struct relay *relay, size_t most)
{
	uint64_t quantum = relay->pace.rate * QUANTUM_MS / 1000;

	if (!relay->pace.rate)
		return most;
	if (quantum < relay->mtu)
		quantum = relay->mtu;
	return quantum < most ? (size_t)quantum : most;
}

static void spend(struct relay *relay, uint64_t bytes)
{
	if (relay->pace.rate)
		relay->pace.next += time_of(relay, bytes);
}

void pace_packet(struct relay *relay, const struct endpoint *to, size_t n)
{
	spend(relay, n + ETHERNET + (endpoint_is_v4(to) ? IPV4 : IPV6));
}

void pace_stream(struct relay *relay, const struct endpoint *to, size_t n)
{
	const size_t head = (endpoint_is_v4(to) ? IPV4 : IPV6) + TCP;
	const size_t payload = relay->mtu - head;

	/* As if each packet were full, as those of a fast stream are. */
	spend(relay, n + n * (head + ETHERNET) / payload);
}

int pace_wait_ms(const struct relay *relay)
{
	const int64_t left =
		relay->pace.next - relay->pace.ahead - clock_ns(CLOCK_MONOTONIC);

	return left > 0 ? (int)(left / NS_PER_MS) + 1 : 0;
}

void pace_resume(struct relay *relay)
{
	struct tcp *tcp;

	/* Each takes its turn, and waits behind the others for the next one. */
	for (int i = 0; i < RESUMED && (tcp = TAILQ_FIRST(&relay->paced)); i++)
		tcp_move(tcp, &relay->ready);
}
