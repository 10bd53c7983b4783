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

/* An echo request (ping). */
struct echo {
	struct flow flow;          /* @from.port is the identifier, @to.port 0 */
	const unsigned char *data; /* from the ICMP header on, in the packet */
	size_t n;
};

/**
 * packet_read_echo() - Read an IP packet that is an echo request
 * @data:	begins with the IP header; whole
 * @n:		its bytes
 * @ret:	written on success only
 *
 * Return: whether it is one.
 */
bool packet_read_echo(const void *data, size_t n, struct echo *ret);

/**
 * packet_read_udp() - Read whom an IP packet with a UDP datagram is from and to
 * @data:	begins with the IP header; may be cut behind the UDP header
 * @n:		bytes there are
 * @ret:	written on success only
 *
 * Return: whether it is one; false for everything crafted.
 */
bool packet_read_udp(const void *data, size_t n, struct flow *ret);

/* What packet_write_fragment() may write before the payload: IPv6 and its fragment header. */
#define PACKET_HEADROOM 48

/* The Internet checksum, to be complemented, of more bytes. */
uint32_t packet_sum(uint32_t sum, const void *data, size_t n);

/**
 * packet_write_udp() - Write a UDP header
 * @head:	8 bytes, directly before the data
 * @flow:	from whom to whom
 * @n:		bytes of data, at most 65527
 */
void packet_write_udp(unsigned char *head, const struct flow *flow, size_t n);

/* Writes the checksum of an ICMP or ICMPv6 message of @n bytes. */
void packet_sum_icmp(unsigned char *message, size_t n, const struct flow *flow);

/**
 * struct icmp_error - What became of a packet
 * @reporter:	who says so
 * @type:	as for the family of the packet, with @code
 * @code:	of it
 * @info:	of its second word: the MTU, where the type has one
 */
struct icmp_error {
	struct in6_addr reporter;
	uint8_t type, code;
	uint32_t info;
};

/* Enough for the message, with the header of the packet it is about and 8 bytes of it. */
#define PACKET_ERROR_MAX 64

/**
 * packet_write_error() - Write an ICMP or ICMPv6 message about a packet
 * @message:	PACKET_ERROR_MAX bytes; headroom before it is for the caller to have
 * @flow:	of the packet that failed
 * @protocol:	of it: IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6
 * @head:	its first 8 bytes behind the IP header
 * @error:	what to say
 *
 * Return: bytes of the message.
 */
size_t packet_write_error(unsigned char *message, const struct flow *flow,
                          uint8_t protocol, const unsigned char head[8],
                          const struct icmp_error *error);

/**
 * packet_write_fragment() - Put an IP header before (a part of) a payload
 * @payload:	writable from PACKET_HEADROOM before it on
 * @n:		its bytes
 * @offset:	of the part, 0 or a sum of what was returned
 * @mtu:	the most that packet may have, at least 1280
 * @flow:	from whom to whom
 * @protocol:	of the payload
 * @id:		the same for all parts, different for others
 * @ret_start:	where the packet begins
 * @ret_n:	its bytes
 *
 * The header overwrites the end of the part before: send that first.
 *
 * Return: bytes of @payload that the packet has.
 */
size_t packet_write_fragment(unsigned char *payload, size_t n, size_t offset, size_t mtu,
                             const struct flow *flow, uint8_t protocol, uint32_t id,
                             unsigned char **ret_start, size_t *ret_n);

#endif
