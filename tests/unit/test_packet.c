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
		{ "IPv6 with an extension header", syn6, sizeof(syn6), 6, 0 },
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_syn),      cmocka_unit_test(test_cut),
		cmocka_unit_test(test_crafted),  cmocka_unit_test(test_mapped_in_ipv6),
		cmocka_unit_test(test_endpoint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
