#include <arpa/inet.h>
#include <string.h>

#include "netns/relay_internal.h"

static bool refuses4(const struct relay_config *config, uint32_t host)
{
	const uint32_t address = ntohl(host), first = address >> 24;

	if (first == 0 || first == 127 ||
	    first >= 224) /* multicast, reserved, broadcast */
		return true;
	return address >> 16 == 0xa9fe && !config->link_local;
}

/* Where Amazon keeps metadata and credentials: fd00:ec2::254, fd00:ec2::23. */
static bool is_metadata(const struct in6_addr *address)
{
	return address->s6_addr32[0] == htonl(0xfd000ec2);
}

bool relay_refuses(const struct relay_config *config, const struct in6_addr *address)
{
	if (IN6_IS_ADDR_V4MAPPED(address))
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
