#ifndef NETNS_PACKET_H
#define NETNS_PACKET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * Packets as bytes: what root inside sends is read here, and what he gets is made here.
 * Pure; every length is checked against what is there.
 */

/**
 * struct endpoint - An address and a port
 * @address:	an IPv4 address as ::ffff:a.b.c.d, and nothing else in that form
 * @port:	host byte order
 */
struct endpoint {
	struct in6_addr address;
	uint16_t port;
};

/* Where a packet comes from and where it is to go. */
struct flow {
	struct endpoint from;
	struct endpoint to;
};

static inline bool endpoint_is_v4(const struct endpoint *endpoint)
{
	return IN6_IS_ADDR_V4MAPPED(&endpoint->address);
}

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);
bool flow_equal(const struct flow *a, const struct flow *b);

/* For tables; @seed is random, so that nobody outside can aim at one bucket. */
uint32_t flow_hash(const struct flow *flow, uint32_t seed);

/* Any socket address, with room for it. */
union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/**
 * endpoint_from() - From a socket address
 * @address:	of AF_INET or AF_INET6
 *
 * Return: :: with port 0 for another family.
 */
struct endpoint endpoint_from(const union address *address);

/* To a socket address; its length. */
socklen_t endpoint_to(const struct endpoint *endpoint, union address *ret);

/**
 * packet_read_syn() - Read an IP packet that asks for a TCP connection
 * @data:	begins with the IP header; may be cut behind the TCP header
 * @n:		bytes there are
 * @ret:	who and where; written on success only
 *
 * IPv6 extension headers are refused: nobody opens connections with them.
 *
 * Return: whether it is a whole one; false for everything crafted.
 */
bool packet_read_syn(const void *data, size_t n, struct flow *ret);

#endif
