#include <arpa/inet.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <string.h>

#include "netns/packet.h"

#define HOPS 64
#define FRAGMENT_HEADER 8
#define MORE_FRAGMENTS 0x2000

uint32_t packet_sum(uint32_t sum, const void *data, size_t n)
{
	const unsigned char *at = data;
	uint64_t total = sum;

	for (; n >= 4; at += 4, n -= 4) {
		uint32_t word;

		memcpy(&word, at, sizeof(word));
		total += word;
	}
	if (n > 0) {
		uint32_t word = 0;

		memcpy(&word, at, n);
		total += word;
	}
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return (uint32_t)total;
}

static uint16_t finish(uint32_t sum)
{
	return (uint16_t)~sum;
}

/* The header that exists for the checksum only. */
static uint32_t sum_pseudo(const struct flow *flow, uint8_t protocol, size_t n)
{
	const uint32_t words[] = { htonl((uint32_t)n), htonl(protocol) };
	uint32_t sum = packet_sum(0, words, sizeof(words));

	if (endpoint_is_v4(&flow->from)) {
		sum = packet_sum(sum, &flow->from.address.s6_addr32[3], 4);
		return packet_sum(sum, &flow->to.address.s6_addr32[3], 4);
	}
	sum = packet_sum(sum, &flow->from.address, sizeof(flow->from.address));
	return packet_sum(sum, &flow->to.address, sizeof(flow->to.address));
}

void packet_write_udp(unsigned char *head, const struct flow *flow, size_t n)
{
	const size_t all = n + sizeof(struct udphdr);
	struct udphdr udp = { .source = htons(flow->from.port),
		              .dest = htons(flow->to.port),
		              .len = htons((uint16_t)all) };

	memcpy(head, &udp, sizeof(udp));
	udp.check = finish(packet_sum(sum_pseudo(flow, IPPROTO_UDP, all), head, all));
	if (udp.check == 0) /* which would be "none" */
		udp.check = 0xffff;
	memcpy(head, &udp, sizeof(udp));
}

void packet_sum_icmp(unsigned char *message, size_t n, const struct flow *flow)
{
	uint32_t sum = 0;
	uint16_t check;

	memset(message + 2, 0, sizeof(check));
	if (!endpoint_is_v4(&flow->from))
		sum = sum_pseudo(flow, IPPROTO_ICMPV6, n);
	check = finish(packet_sum(sum, message, n));
	memcpy(message + 2, &check, sizeof(check));
}

/* An IP header for @n bytes of payload; its own bytes. */
static size_t write_ip(unsigned char *head, const struct flow *flow, uint8_t protocol,
                       size_t n, uint32_t id, uint16_t fragment)
{
	struct iphdr v4 = { .version = 4,
		            .ihl = sizeof(v4) / 4,
		            .tot_len = htons((uint16_t)(sizeof(v4) + n)),
		            .id = htons((uint16_t)id),
		            .frag_off = htons(fragment),
		            .ttl = HOPS,
		            .protocol = protocol,
		            .saddr = flow->from.address.s6_addr32[3],
		            .daddr = flow->to.address.s6_addr32[3] };
	struct ipv6hdr v6 = { .version = 6,
		              .payload_len = htons((uint16_t)n),
		              .nexthdr = protocol,
		              .hop_limit = HOPS };

	if (endpoint_is_v4(&flow->from)) {
		v4.check = finish(packet_sum(0, &v4, sizeof(v4)));
		memcpy(head, &v4, sizeof(v4));
		return sizeof(v4);
	}
	memcpy(&v6.saddr, &flow->from.address, sizeof(v6.saddr));
	memcpy(&v6.daddr, &flow->to.address, sizeof(v6.daddr));
	memcpy(head, &v6, sizeof(v6));
	return sizeof(v6);
}

size_t packet_write_error(unsigned char *message, const struct flow *flow,
                          uint8_t protocol, const unsigned char head[8],
                          const struct icmp_error *error)
{
	const uint32_t info = htonl(error->info);
	const struct flow back = { .from.address = error->reporter, .to = flow->from };
	size_t n = 8;

	message[0] = error->type;
	message[1] = error->code;
	memcpy(message + 4, &info, sizeof(info));
	n += write_ip(message + n, flow, protocol, 8, 0, 0);
	memcpy(message + n, head, 8);
	n += 8;
	packet_sum_icmp(message, n, &back);
	return n;
}

static size_t write_fragment6(unsigned char *at, const struct flow *flow,
                              uint8_t protocol, size_t n, size_t offset, bool more,
                              uint32_t id)
{
	const uint16_t where = htons((uint16_t)(offset | more));
	const uint32_t number = htonl(id);

	(void)write_ip(at, flow, IPPROTO_FRAGMENT, n + FRAGMENT_HEADER, 0, 0);
	at += sizeof(struct ipv6hdr);
	at[0] = protocol;
	at[1] = 0;
	memcpy(at + 2, &where, sizeof(where));
	memcpy(at + 4, &number, sizeof(number));
	return sizeof(struct ipv6hdr) + FRAGMENT_HEADER;
}

size_t packet_write_fragment(unsigned char *payload, size_t n, size_t offset, size_t mtu,
                             const struct flow *flow, uint8_t protocol, uint32_t id,
                             unsigned char **ret_start, size_t *ret_n)
{
	const bool v4 = endpoint_is_v4(&flow->from);
	size_t head = v4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr),
	       part = n - offset;
	const bool whole = offset == 0 && head + n <= mtu;
	bool more;

	if (!whole && !v4)
		head += FRAGMENT_HEADER;
	more = head + part > mtu;
	if (more)
		part = (mtu - head) & ~(size_t)7;
	*ret_start = payload + offset - head;
	*ret_n = head + part;
	if (whole || v4)
		(void)write_ip(*ret_start, flow, protocol, part, id,
		               (uint16_t)(offset / 8 | (more ? MORE_FRAGMENTS : 0)));
	else
		(void)write_fragment6(*ret_start, flow, protocol, part, offset, more, id);
	return part;
}
