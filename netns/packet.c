#include "netns/packet.h"

#include <arpa/inet.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>

#define ECHO_HEADER 8
#define UDP_HEADER 8

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && IN6_ARE_ADDR_EQUAL(&a->address, &b->address);
}

bool flow_equal(const struct flow *a, const struct flow *b)
{
	return endpoint_equal(&a->from, &b->from) && endpoint_equal(&a->to, &b->to);
}

static uint32_t mix(uint32_t hash, uint32_t word)
{
	hash = (hash ^ word) * 0x9e3779b1u;
	return hash ^ hash >> 15;
}

uint32_t flow_hash(const struct flow *flow, uint32_t seed)
{
	uint32_t hash = mix(seed, (uint32_t)flow->from.port << 16 | flow->to.port);

	for (int i = 0; i < 4; i++) {
		hash = mix(hash, flow->from.address.s6_addr32[i]);
		hash = mix(hash, flow->to.address.s6_addr32[i]);
	}
	return mix(hash, seed);
}

static struct in6_addr mapped(uint32_t v4)
{
	struct in6_addr address = { 0 };

	address.s6_addr32[2] = htonl(0xffff);
	address.s6_addr32[3] = v4;
	return address;
}

struct endpoint endpoint_from(const union address *address)
{
	struct endpoint ret = { 0 };

	if (address->any.sa_family == AF_INET) {
		ret.address = mapped(address->v4.sin_addr.s_addr);
		ret.port = ntohs(address->v4.sin_port);
	} else if (address->any.sa_family == AF_INET6) {
		ret.address = address->v6.sin6_addr;
		ret.port = ntohs(address->v6.sin6_port);
	}
	return ret;
}

socklen_t endpoint_to(const struct endpoint *endpoint, union address *ret)
{
	*ret = (union address){ 0 };
	if (endpoint_is_v4(endpoint)) {
		ret->v4.sin_family = AF_INET;
		ret->v4.sin_port = htons(endpoint->port);
		ret->v4.sin_addr.s_addr = endpoint->address.s6_addr32[3];
		return sizeof(ret->v4);
	}
	ret->v6.sin6_family = AF_INET6;
	ret->v6.sin6_port = htons(endpoint->port);
	ret->v6.sin6_addr = endpoint->address;
	return sizeof(ret->v6);
}

#define EXTENSION_UNIT 8
#define ROUTING_LEFT 3 /* offset of "segments left" */

/*
 * Behind the extension headers of IPv6, as the kernel and its rules go by them; 0 unless
 * @protocol begins there. The bound is the packet's end. Whoever has another destination than
 * the header says (routing), or a part of a packet (fragments), is nobody's.
 */
static size_t skip_extensions(const unsigned char *data, size_t n, uint8_t next,
                              uint8_t protocol)
{
	size_t at = sizeof(struct ipv6hdr);

	while (next != protocol) {
		if ((next != IPPROTO_HOPOPTS && next != IPPROTO_DSTOPTS &&
		     next != IPPROTO_ROUTING) ||
		    n - at < EXTENSION_UNIT ||
		    (next == IPPROTO_ROUTING && data[at + ROUTING_LEFT] != 0))
			return 0;
		next = data[at];
		at += (data[at + 1] + (size_t)1) * EXTENSION_UNIT;
		if (at > n)
			return 0;
	}
	return at;
}

/* The IP header: addresses and how long it is; 0 unless a whole packet of @protocol. */
static size_t read_ip(const unsigned char *data, size_t n, uint8_t protocol,
                      struct flow *ret)
{
	struct iphdr v4;
	struct ipv6hdr v6;

	if (n < sizeof(v4))
		return 0;
	if (data[0] >> 4 == 4) {
		memcpy(&v4, data, sizeof(v4));
		/* The bits but "don't fragment": a first or a later fragment. */
		if (v4.ihl < 5 || n < v4.ihl * 4u || v4.protocol != protocol ||
		    v4.frag_off & htons(0x3fff))
			return 0;
		ret->from.address = mapped(v4.saddr);
		ret->to.address = mapped(v4.daddr);
		return v4.ihl * 4u;
	}
	if (data[0] >> 4 != 6 || n < sizeof(v6))
		return 0;
	memcpy(&v6, data, sizeof(v6));
	memcpy(&ret->from.address, &v6.saddr, sizeof(v6.saddr));
	memcpy(&ret->to.address, &v6.daddr, sizeof(v6.daddr));
	if (IN6_IS_ADDR_V4MAPPED(&ret->from.address) ||
	    IN6_IS_ADDR_V4MAPPED(&ret->to.address))
		return 0;
	return skip_extensions(data, n, v6.nexthdr, protocol);
}

bool packet_read_syn(const void *data, size_t n, struct flow *ret)
{
	struct flow flow = { 0 };
	size_t at = read_ip(data, n, IPPROTO_TCP, &flow);
	struct tcphdr tcp;

	if (at == 0 || n - at < sizeof(tcp))
		return false;
	memcpy(&tcp, (const unsigned char *)data + at, sizeof(tcp));
	if (!tcp.syn || tcp.ack || tcp.rst || tcp.fin || tcp.dest == 0 || tcp.source == 0)
		return false;
	flow.from.port = ntohs(tcp.source);
	flow.to.port = ntohs(tcp.dest);
	*ret = flow;
	return true;
}

bool packet_read_udp(const void *data, size_t n, struct flow *ret)
{
	struct flow flow = { 0 };
	size_t at = read_ip(data, n, IPPROTO_UDP, &flow);
	const unsigned char *head;

	if (at == 0 || n - at < UDP_HEADER)
		return false;
	head = (const unsigned char *)data + at;
	flow.from.port = (uint16_t)(head[0] << 8 | head[1]);
	flow.to.port = (uint16_t)(head[2] << 8 | head[3]);
	if (flow.from.port == 0 || flow.to.port == 0)
		return false;
	*ret = flow;
	return true;
}

bool packet_read_echo(const void *data, size_t n, struct echo *ret)
{
	struct echo echo = { 0 };
	size_t at = read_ip(data, n, IPPROTO_ICMP, &echo.flow);
	const unsigned char *message;
	const bool v4 = at != 0;

	if (!v4)
		at = read_ip(data, n, IPPROTO_ICMPV6, &echo.flow);
	if (at == 0 || n - at < ECHO_HEADER)
		return false;
	message = (const unsigned char *)data + at;
	if (endpoint_is_v4(&echo.flow.to) != v4 ||
	    message[0] != (v4 ? ICMP_ECHO : ICMPV6_ECHO_REQUEST) || message[1] != 0)
		return false;
	echo.flow.from.port = (uint16_t)(message[4] << 8 | message[5]);
	echo.data = message;
	echo.n = n - at;
	*ret = echo;
	return true;
}
