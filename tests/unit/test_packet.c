#include "netns/packet.h"

#include <arpa/inet.h>
#include <string.h>

#include "tests/unit/unit.h"

/* From 10.8.0.2:40000 to 192.0.2.1:443. */
static const unsigned char syn4[] = {
	0x45, 0,  0, 40,  0, 1, 0x40, 0, 64, 6, 0, 0, 10,   8, 0, 2, 192, 0, 2, 1,
	156,  64, 1, 187, 0, 0, 0,    1, 0,  0, 0, 0, 0x50, 2, 0, 0, 0,   0, 0, 0,
};

/* From fd08::2, port 40000, to 2001:db8::1, port 443. */
static const unsigned char syn6[] = {
	0x60, 0,  0, 0,   0,    20, 6,    64,   0xfd, 8, 0, 0, 0,    0, 0, 0, 0, 0, 0, 0,
	0,    0,  0, 2,   0x20, 1,  0x0d, 0xb8, 0,    0, 0, 0, 0,    0, 0, 0, 0, 0, 0, 1,
	156,  64, 1, 187, 0,    0,  0,    1,    0,    0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0,
};

static struct endpoint at(const char *text, uint16_t port)
{
	union address address = { 0 };

	if (strchr(text, ':')) {
		address.v6.sin6_family = AF_INET6;
		address.v6.sin6_port = htons(port);
		assert_int_equal(inet_pton(AF_INET6, text, &address.v6.sin6_addr), 1);
	} else {
		address.v4.sin_family = AF_INET;
		address.v4.sin_port = htons(port);
		assert_int_equal(inet_pton(AF_INET, text, &address.v4.sin_addr), 1);
	}
	return endpoint_from(&address);
}

static void assert_flow(const struct flow *flow, const char *from, const char *to)
{
	const struct flow wanted = { .from = at(from, 40000), .to = at(to, 443) };

	assert_true(flow_equal(flow, &wanted));
}

static void test_syn(void **state)
{
	struct flow flow;

	(void)state;
	assert_true(packet_read_syn(syn4, sizeof(syn4), &flow));
	assert_flow(&flow, "10.8.0.2", "192.0.2.1");
	assert_true(packet_read_syn(syn6, sizeof(syn6), &flow));
	assert_flow(&flow, "fd08::2", "2001:db8::1");
}

static void test_cut(void **state)
{
	struct flow flow;

	(void)state;
	for (size_t n = 0; n < sizeof(syn4); n++)
		assert_false(packet_read_syn(syn4, n, &flow));
	for (size_t n = 0; n < sizeof(syn6); n++)
		assert_false(packet_read_syn(syn6, n, &flow));
}

static void test_crafted(void **state)
{
	static const struct {
		const char *name;
		const unsigned char *packet;
		size_t n, at;
		unsigned char byte;
	} row[] = {
		{ "no IP version", syn4, sizeof(syn4), 0, 0x05 },
		{ "IPv4 header of 16 bytes", syn4, sizeof(syn4), 0, 0x44 },
		{ "IPv4 header longer than the packet", syn4, sizeof(syn4), 0, 0x4f },
		{ "IPv4 header that leaves no room for TCP", syn4, sizeof(syn4), 0,
		  0x46 },
		{ "UDP", syn4, sizeof(syn4), 9, 17 },
		{ "first fragment", syn4, sizeof(syn4), 6, 0x20 },
		{ "later fragment", syn4, sizeof(syn4), 7, 1 },
		{ "SYN and ACK", syn4, sizeof(syn4), 33, 0x12 },
		{ "SYN and FIN", syn4, sizeof(syn4), 33, 0x03 },
		{ "SYN and RST", syn4, sizeof(syn4), 33, 0x06 },
		{ "no SYN", syn4, sizeof(syn4), 33, 0x10 },
		{ "IPv6 with an extension header in place of TCP", syn6, sizeof(syn6), 6,
		  0 },
		{ "IPv6 as IPv4 by its version", syn6, sizeof(syn6), 0, 0x45 },
	};
	struct flow flow;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(row); i++) {
		unsigned char packet[64];

		memcpy(packet, row[i].packet, row[i].n);
		packet[row[i].at] = row[i].byte;
		if (packet_read_syn(packet, row[i].n, &flow))
			fail_msg("taken: %s", row[i].name);
	}
}

/* An IPv6 packet with headers between IP and TCP. Return: its length. */
static size_t extend(unsigned char *ret, const unsigned char *extensions, size_t n)
{
	memcpy(ret, syn6, 40);
	ret[6] = extensions[0];
	memcpy(ret + 40, extensions + 1, n - 1);
	memcpy(ret + 40 + n - 1, syn6 + 40, sizeof(syn6) - 40);
	return sizeof(syn6) + n - 1;
}

static void test_extensions(void **state)
{
	/* The type of the first one, then the headers; 0x3c is destination options. */
	static const struct {
		const char *name;
		bool is_read;
		size_t n;
		unsigned char byte[40];
	} row[] = {
		{ "hop by hop", true, 9, { 0, 6, 0, 1, 4 } },
		{ "two of them", true, 25, { 0, 0x3c, 1, 1, 12, [17] = 6, 0, 1, 4 } },
		{ "a route that was gone", true, 9, { 43, 6, 0, 4, 0 } },
		{ "a route to somebody else", false, 9, { 43, 6, 0, 4, 1 } },
		{ "first fragment", false, 9, { 44, 6, 0, 0, 1 } },
		{ "authentication", false, 9, { 51, 6, 0 } },
		{ "longer than the packet", false, 9, { 0, 6, 255 } },
		{ "UDP behind it", false, 9, { 0, 17, 0, 1, 4 } },
		{ "no next header", false, 9, { 0, 59, 0, 1, 4 } },
	};
	unsigned char packet[sizeof(syn6) + 40];
	struct flow flow;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(row); i++) {
		size_t n = extend(packet, row[i].byte, row[i].n);

		print_message("  %s\n", row[i].name);
		assert_int_equal(packet_read_syn(packet, n, &flow), row[i].is_read);
		if (row[i].is_read)
			assert_flow(&flow, "fd08::2", "2001:db8::1");
		for (size_t cut = 0; cut < n; cut++) {
			unsigned char *exact = test_malloc(cut + !cut);

			memcpy(exact, packet, cut);
			assert_false(packet_read_syn(exact, cut, &flow));
			test_free(exact);
		}
	}
}

static void test_mapped_in_ipv6(void **state)
{
	unsigned char packet[sizeof(syn6)];
	struct flow flow;

	(void)state;
	memcpy(packet, syn6, sizeof(syn6));
	memset(packet + 24, 0, 16);
	packet[24 + 10] = packet[24 + 11] = 0xff;
	packet[24 + 12] = 127;
	packet[24 + 15] = 1;
	assert_false(packet_read_syn(packet, sizeof(packet), &flow));
}

static void test_endpoint(void **state)
{
	static const char *const text[] = { "192.0.2.1", "2001:db8::1", "::", "0.0.0.0" };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(text); i++) {
		const struct endpoint one = at(text[i], 53);
		union address address;
		socklen_t n = endpoint_to(&one, &address);
		struct endpoint other = endpoint_from(&address);

		assert_int_equal(address.any.sa_family,
		                 strchr(text[i], ':') ? AF_INET6 : AF_INET);
		assert_int_equal(n, address.any.sa_family == AF_INET
		                            ? sizeof(address.v4)
		                            : sizeof(address.v6));
		assert_true(endpoint_equal(&one, &other));
		other.port = 54;
		assert_false(endpoint_equal(&one, &other));
	}
}

/* 0 over what carries its own checksum. */
static void assert_sum(uint32_t sum)
{
	assert_int_equal(sum, 0xffff);
}

static uint32_t pseudo(const struct flow *flow, uint8_t protocol, size_t n)
{
	const bool v4 = endpoint_is_v4(&flow->from);
	const unsigned char head[] = {
		0, 0, (unsigned char)(n >> 8), (unsigned char)n, 0, 0, 0, protocol
	};
	uint32_t sum = packet_sum(0, head, sizeof(head));

	sum = packet_sum(sum, flow->from.address.s6_addr + (v4 ? 12 : 0), v4 ? 4 : 16);
	return packet_sum(sum, flow->to.address.s6_addr + (v4 ? 12 : 0), v4 ? 4 : 16);
}

static void test_sum(void **state)
{
	/* The example of RFC 1071, and an odd number of bytes. */
	static const unsigned char data[] = { 0x00, 0x01, 0xf2, 0x03,
		                              0xf4, 0xf5, 0xf6, 0xf7 };
	static const unsigned char odd[] = { 0x01, 0x02, 0x03 };

	(void)state;
	assert_int_equal(ntohs((uint16_t)packet_sum(0, data, sizeof(data))), 0xddf2);
	assert_int_equal(ntohs((uint16_t)packet_sum(0, odd, sizeof(odd))), 0x0402);
}

static void test_write_udp(void **state)
{
	static const char *const pair[][2] = { { "192.0.2.1", "10.8.0.2" },
		                               { "2001:db8::1", "fd08::2" } };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(pair); i++) {
		const struct flow flow = { .from = at(pair[i][0], 53),
			                   .to = at(pair[i][1], 40000) };
		unsigned char packet[8 + 5] = { 0 };

		memcpy(packet + 8, "hello", 5);
		packet_write_udp(packet, &flow, 5);
		assert_int_equal(packet[1], 53);
		assert_int_equal(packet[5], 13);
		assert_sum(packet_sum(pseudo(&flow, IPPROTO_UDP, 13), packet, 13));
	}
}

/* Puts the fragments together again, and looks at each header. */
static void check_fragments(const struct flow *flow, size_t n, size_t mtu)
{
	static unsigned char buffer[PACKET_HEADROOM + 65536], whole[65536];
	const bool v4 = endpoint_is_v4(&flow->from);
	unsigned char *payload = buffer + PACKET_HEADROOM;
	size_t offset = 0, parts = 0;

	for (size_t i = 0; i < n; i++)
		payload[i] = (unsigned char)(i * 7 + i / 256);
	while (offset < n) {
		unsigned char *start;
		size_t length, part, head = v4 ? 20 : 40;

		part = packet_write_fragment(payload, n, offset, mtu, flow, IPPROTO_UDP,
		                             77, &start, &length);
		assert_in_range(part, 1, n - offset);
		assert_in_range(length, 1, mtu);
		assert_true(start >= buffer);
		if (v4) {
			const size_t where = (size_t)(start[6] & 0x1f) << 8 | start[7];

			assert_int_equal(start[0], 0x45);
			assert_int_equal(start[2] << 8 | start[3], length);
			assert_int_equal(where * 8, offset);
			assert_int_equal(start[6] >> 5 & 1, offset + part < n);
			assert_sum(packet_sum(0, start, 20));
		} else {
			assert_int_equal(start[4] << 8 | start[5], length - 40);
			if (start[6] == 44) {
				head = 48;
				assert_int_equal(start[40], IPPROTO_UDP);
				assert_int_equal((start[42] << 8 | start[43]) & ~7,
				                 offset);
				assert_int_equal(start[43] & 1, offset + part < n);
			}
		}
		assert_int_equal(length, head + part);
		memcpy(whole + offset, start + head, part);
		offset += part;
		parts++;
	}
	for (size_t i = 0; i < n; i++)
		if (whole[i] != (unsigned char)(i * 7 + i / 256))
			fail_msg("byte %zu of %zu is wrong", i, n);
	assert_int_equal(parts == 1, n + (v4 ? 20 : 40) <= mtu);
}

static void test_fragments(void **state)
{
	static const size_t size[] = { 1,    8,    1232, 1240, 1241,  1260,
		                       1261, 1480, 1481, 9000, 65508, 65515 };
	static const size_t mtu[] = { 1280, 1500, 65520 };
	const struct flow v4 = { .from = at("192.0.2.1", 53), .to = at("10.8.0.2", 4) },
			  v6 = { .from = at("2001:db8::1", 53), .to = at("fd08::2", 4) };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(size); i++)
		for (size_t j = 0; j < N_ELEMENTS(mtu); j++) {
			check_fragments(&v4, size[i], mtu[j]);
			check_fragments(&v6, size[i], mtu[j]);
		}
}

static void test_error(void **state)
{
	static const unsigned char head[8] = { 156, 64, 0, 9, 0, 8, 0, 0 };
	const struct flow flow = { .from = at("10.8.0.2", 40000),
		                   .to = at("192.0.2.1", 9) },
			  flow6 = { .from = at("fd08::2", 40000),
		                    .to = at("2001:db8::1", 9) };
	const struct icmp_error error = { .reporter = at("192.0.2.9", 0).address,
		                          .type = 3,
		                          .code = 4,
		                          .info = 1400 },
				error6 = { .reporter = at("2001:db8::9", 0).address,
		                           .type = 1,
		                           .code = 4 };
	const struct flow back6 = { .from = at("2001:db8::9", 0), .to = flow6.from };
	unsigned char message[PACKET_ERROR_MAX];
	size_t n;

	(void)state;
	n = packet_write_error(message, &flow, IPPROTO_UDP, head, &error);
	assert_int_equal(n, 8 + 20 + 8);
	assert_int_equal(message[0], 3);
	assert_int_equal(message[1], 4);
	assert_int_equal(message[6] << 8 | message[7], 1400);
	assert_memory_equal(message + 8 + 12, "\x0a\x08\x00\x02\xc0\x00\x02\x01", 8);
	assert_memory_equal(message + 28, head, 8);
	assert_sum(packet_sum(0, message, n));
	n = packet_write_error(message, &flow6, IPPROTO_UDP, head, &error6);
	assert_int_equal(n, 8 + 40 + 8);
	assert_sum(packet_sum(pseudo(&back6, IPPROTO_ICMPV6, n), message, n));
}

static void test_echo(void **state)
{
	unsigned char packet[] = { 0x45, 0, 0,  30, 0,    0,    0,   0, 64,  1,
		                   0,    0, 10, 8,  0,    2,    192, 0, 2,   1,
		                   8,    0, 0,  0,  0x12, 0x34, 0,   1, 'x', 'y' };
	struct echo echo;

	(void)state;
	assert_true(packet_read_echo(packet, sizeof(packet), &echo));
	assert_int_equal(echo.flow.from.port, 0x1234);
	assert_int_equal(echo.flow.to.port, 0);
	assert_int_equal(echo.n, 10);
	assert_ptr_equal(echo.data, packet + 20);
	for (size_t n = 0; n < 28; n++)
		assert_false(packet_read_echo(packet, n, &echo));
	packet[20] = 0; /* a reply */
	assert_false(packet_read_echo(packet, sizeof(packet), &echo));
}

static void test_udp(void **state)
{
	unsigned char packet[] = { 0x45, 0,    0,  30, 0, 0,  0,   0, 64,  17,
		                   0,    0,    10, 8,  0, 2,  192, 0, 2,   1,
		                   0x12, 0x34, 0,  53, 0, 10, 0,   0, 'x', 'y' };
	struct flow flow = { 0 };

	(void)state;
	assert_true(packet_read_udp(packet, sizeof(packet), &flow));
	assert_int_equal(flow.from.port, 0x1234);
	assert_int_equal(flow.to.port, 53);
	assert_true(endpoint_is_v4(&flow.to));
	for (size_t n = 0; n < 28; n++)
		assert_false(packet_read_udp(packet, n, &flow));
	packet[23] = 0; /* to port 0 */
	assert_false(packet_read_udp(packet, sizeof(packet), &flow));
	packet[23] = 53;
	packet[9] = 6;
	assert_false(packet_read_udp(packet, sizeof(packet), &flow));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_udp),        cmocka_unit_test(test_syn),
		cmocka_unit_test(test_cut),        cmocka_unit_test(test_crafted),
		cmocka_unit_test(test_extensions), cmocka_unit_test(test_mapped_in_ipv6),
		cmocka_unit_test(test_endpoint),   cmocka_unit_test(test_sum),
		cmocka_unit_test(test_write_udp),  cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_error),      cmocka_unit_test(test_echo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
