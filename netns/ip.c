#include "netns/ip.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/number.h"

bool ip_parse(const char *text, struct ip *ret)
{
	const char *slash = strchr(text, '/');
	char host[INET6_ADDRSTRLEN];
	struct err err = { 0 };
	struct ip ip = { 0 };
	uint64_t prefix;
	size_t len = slash ? (size_t)(slash - text) : strlen(text);

	if (len >= sizeof(host))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	ip.family = strchr(host, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(ip.family, host, ip.byte) != 1)
		return false;
	ip.prefix = (unsigned char)(ip_size(ip.family) * 8);
	if (slash) {
		if (number_parse(slash + 1, 0, ip.prefix, &prefix, &err) < 0)
			return false;
		ip.prefix = (unsigned char)prefix;
	}
	*ret = ip;
	return true;
}

const char *ip_text(const struct ip *ip, bool prefix, char buf[IP_TEXT_MAX])
{
	size_t len;

	if (!inet_ntop(ip->family, ip->byte, buf, IP_TEXT_MAX))
		buf[0] = '\0';
	len = strlen(buf);
	if (prefix)
		(void)snprintf(buf + len, IP_TEXT_MAX - len, "/%u", ip->prefix);
	return buf;
}

bool ip_overlap(const struct ip *a, const struct ip *b)
{
	unsigned int bits = a->prefix < b->prefix ? a->prefix : b->prefix;

	if (a->family != b->family || !a->family)
		return false;
	for (size_t i = 0; bits > 0; i++) {
		unsigned int here = bits < 8 ? bits : 8;
		unsigned int mask = 0xff00U >> here & 0xff;

		if ((a->byte[i] ^ b->byte[i]) & mask)
			return false;
		bits -= here;
	}
	return true;
}

struct ip ip_nth(const struct ip *network, unsigned int n)
{
	struct ip ip = *network;

	for (size_t i = ip_size(ip.family); i-- > 0 && n > 0; n >>= 8) {
		n += ip.byte[i];
		ip.byte[i] = (unsigned char)n;
	}
	return ip;
}
