#include <arpa/inet.h>
#include <string.h>

#include "netns/relay_internal.h"

/*
 * Where clouds keep metadata and credentials beside 169.254.0.0/16: Azure's WireServer,
 * Alibaba's and Oracle's. Name servers there are the relay's own and not asked about here.
 */
static bool is_metadata4(uint32_t address)
{
	return address == 0xa83f8110 || address == 0x646464c8 || address == 0xc00000c0;
}

static bool refuses4(const struct relay_config *config, uint32_t host)
{
	const uint32_t address = ntohl(host), first = address >> 24;

	if (first == 0 || first == 127 ||
	    first >= 224) /* multicast, reserved, broadcast */
		return true;
	return (address >> 16 == 0xa9fe || is_metadata4(address)) && !config->link_local;
}

/* Amazon's fd00:ec2::254 and fd00:ec2::23, Google's fd20:ce::254. */
static bool is_metadata(const struct in6_addr *address)
{
	return address->s6_addr32[0] == htonl(0xfd000ec2) ||
	       address->s6_addr32[0] == htonl(0xfd2000ce);
}

/* 64:ff9b::/96 (RFC 6052): a translator outside would make the IPv4 address of it. */
static bool is_translated(const struct in6_addr *address)
{
	return address->s6_addr32[0] == htonl(0x0064ff9b) && !address->s6_addr32[1] &&
	       !address->s6_addr32[2];
}

bool relay_refuses(const struct relay_config *config, const struct in6_addr *address)
{
	if (IN6_IS_ADDR_V4MAPPED(address) || is_translated(address))
		return refuses4(config, address->s6_addr32[3]);
	if (IN6_IS_ADDR_UNSPECIFIED(address) || IN6_IS_ADDR_LOOPBACK(address) ||
	    IN6_IS_ADDR_V4COMPAT(address) || IN6_IS_ADDR_MULTICAST(address) ||
	    IN6_IS_ADDR_LINKLOCAL(address))
		return true;
	return is_metadata(address) && !config->link_local;
}

bool relay_is_gateway(const struct relay_config *config, const struct in6_addr *address)
{
	const struct ip *v4 = &config->gateway[0], *v6 = &config->gateway[1];

	if (IN6_IS_ADDR_V4MAPPED(address))
		return v4->family == AF_INET &&
		       memcmp(v4->byte, &address->s6_addr32[3], 4) == 0;
	return v6->family == AF_INET6 && memcmp(v6->byte, address, 16) == 0;
}
