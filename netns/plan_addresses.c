#include "netns/plan_addresses.h"

/*
 * Where to look, in this order. Each is a block in which the next candidate is @step
 * addresses further on: small networks in ranges that hardly anybody routes.
 */
static const struct {
	const char *first;
	unsigned int candidates, step;
} places[] = {
	{ "198.18.240.0/30", 64, 4 },  /* benchmarks between networks (RFC 2544) */
	{ "100.127.240.0/30", 64, 4 }, /* carriers (RFC 6598), its far end */
	{ "10.254.240.0/30", 64, 4 },
	{ "fd62:6572:7468::/64", 1, 0 }, /* unique local (RFC 4193) */
	{ "fd62:6572:7469::/64", 1, 0 },
	{ "fd62:6572:746a::/64", 1, 0 },
	{ "fd62:6572:746b::/64", 1, 0 },
};

static bool is_free(const struct ip *network, const struct ip *used, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (used[i].prefix > 0 && ip_overlap(network, &used[i]))
			return false;
	return true;
}

static bool find(unsigned char family, const struct ip *used, size_t n, struct ip *ret)
{
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct ip first;

		if (!ip_parse(places[i].first, &first) || first.family != family)
			continue;
		for (unsigned int j = 0; j < places[i].candidates; j++) {
			*ret = ip_nth(&first, j * places[i].step);
			if (is_free(ret, used, n))
				return true;
		}
	}
	return false;
}

bool plan_addresses(const struct ip *used, size_t n, bool ipv6,
                    struct ip ret_gateway[IP_FAMILIES],
                    struct ip ret_workspace[IP_FAMILIES])
{
	static const unsigned char family[IP_FAMILIES] = { AF_INET, AF_INET6 };

	for (int i = 0; i < IP_FAMILIES; i++) {
		struct ip network;

		ret_gateway[i] = ret_workspace[i] = (struct ip){ 0 };
		if (i == IP_V6 && !ipv6)
			continue;
		if (!find(family[i], used, n, &network))
			return false;
		ret_gateway[i] = ip_nth(&network, 1);
		ret_workspace[i] = ip_nth(&network, 2);
	}
	return true;
}
