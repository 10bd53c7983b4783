#include <stdint.h>
#include <string.h>

#include "netns/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * What root inside sends. The contract: what is taken lies in the packet, an IPv4 address is
 * in one form only, and refused packets write nothing.
 */
static void check_syn(const uint8_t *data, size_t size)
{
	static const struct flow nothing;
	struct flow flow = nothing;

	if (packet_read_syn(data, size, &flow)) {
		if (size < 40 || flow.from.port == 0 || flow.to.port == 0 ||
		    endpoint_is_v4(&flow.from) != endpoint_is_v4(&flow.to) ||
		    endpoint_is_v4(&flow.to) != (data[0] >> 4 == 4))
			__builtin_trap();
	} else if (memcmp(&flow, &nothing, sizeof(flow)) != 0) {
		__builtin_trap();
	}
}

static void check_udp(const uint8_t *data, size_t size)
{
	static const struct flow nothing;
	struct flow flow = nothing;

	if (packet_read_udp(data, size, &flow)) {
		if (size < 28 || flow.from.port == 0 || flow.to.port == 0 ||
		    endpoint_is_v4(&flow.to) != (data[0] >> 4 == 4))
			__builtin_trap();
	} else if (memcmp(&flow, &nothing, sizeof(flow)) != 0) {
		__builtin_trap();
	}
}

static void check_echo(const uint8_t *data, size_t size)
{
	struct echo echo;

	if (!packet_read_echo(data, size, &echo))
		return;
	if (echo.n < 8 || echo.data < data || echo.data + echo.n != data + size ||
	    endpoint_is_v4(&echo.flow.to) != (data[0] >> 4 == 4))
		__builtin_trap();
}

/* All of a payload comes out, in packets that fit, from any size and place. */
static void check_fragments(const uint8_t *data, size_t size)
{
	static unsigned char buffer[PACKET_HEADROOM + 65536];
	struct flow flow = { 0 };
	size_t n, mtu, offset = 0;

	if (size < 5)
		return;
	n = (size_t)(data[0] << 8 | data[1]) + 1;
	mtu = 1280 + (size_t)(data[2] << 8 | data[3]) % (65520 - 1280 + 1);
	if (data[4] & 1)
		flow.from.address.s6_addr[10] = flow.from.address.s6_addr[11] = 0xff;
	if (n > 65515)
		n = 65515;
	while (offset < n) {
		unsigned char *start;
		size_t length,
			part = packet_write_fragment(buffer + PACKET_HEADROOM, n, offset,
		                                     mtu, &flow, 17, 1, &start, &length);

		if (part == 0 || part > n - offset || length > mtu || start < buffer ||
		    start + length != buffer + PACKET_HEADROOM + offset + part)
			__builtin_trap();
		offset += part;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_syn(data, size);
	check_udp(data, size);
	check_echo(data, size);
	check_fragments(data, size);
	return 0;
}
