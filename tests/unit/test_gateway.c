#include "netns/gateway.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "netns/rate.h"
#include "netns/resolver.h"
#include "tests/unit/unit.h"

static const struct {
	const char *name, *used[8];
	bool ipv6;
	const char *gateway[IP_FAMILIES], *workspace[IP_FAMILIES];
} plans[] = {
	{ "nothing in use",
	  { NULL },
	  true,
	  { "198.18.240.1/30", "fd62:6572:7468::1/64" },
	  { "198.18.240.2/30", "fd62:6572:7468::2/64" } },
	{ "no IPv6",
	  { "10.0.0.5/24" },
	  false,
	  { "198.18.240.1/30" },
	  { "198.18.240.2/30" } },
	{ "default routes say nothing",
	  { "0.0.0.0/0", "::/0" },
	  true,
	  { "198.18.240.1/30", "fd62:6572:7468::1/64" },
	  { "198.18.240.2/30", "fd62:6572:7468::2/64" } },
	{ "inside a workspace",
	  { "198.18.240.2/30", "fd62:6572:7468::2/64" },
	  true,
	  { "198.18.240.5/30", "fd62:6572:7469::1/64" },
	  { "198.18.240.6/30", "fd62:6572:7469::2/64" } },
	{ "one address of it",
	  { "198.18.240.3" },
	  false,
	  { "198.18.240.5/30" },
	  { "198.18.240.6/30" } },
	{ "the whole range",
	  { "198.18.0.0/15" },
	  false,
	  { "100.127.240.1/30" },
	  { "100.127.240.2/30" } },
	{ "and the next",
	  { "198.18.0.0/15", "100.64.0.0/10" },
	  false,
	  { "10.254.240.1/30" },
	  { "10.254.240.2/30" } },
};

static void test_plan(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(plans); i++) {
		struct ip used[8], gateway[IP_FAMILIES], workspace[IP_FAMILIES];
		char text[IP_TEXT_MAX];
		size_t n = 0;

		for (; plans[i].used[n]; n++)
			assert_true(ip_parse(plans[i].used[n], &used[n]));
		if (!plan_addresses(used, n, plans[i].ipv6, gateway, workspace))
			fail_msg("%s: nothing found", plans[i].name);
		for (int j = 0; j < IP_FAMILIES; j++) {
			if (!plans[i].gateway[j]) {
				assert_int_equal(gateway[j].family, 0);
				continue;
			}
			assert_string_equal(ip_text(&gateway[j], true, text),
			                    plans[i].gateway[j]);
			assert_string_equal(ip_text(&workspace[j], true, text),
			                    plans[i].workspace[j]);
		}
	}
}

/* Where dockerd makes its networks (daemon/libnetwork/ipamutils, its defaults). */
static void test_docker(void **state)
{
	static const char *const pools[] = { "172.17.0.0/16", "172.18.0.0/16",
		                             "172.19.0.0/16", "172.20.0.0/14",
		                             "172.24.0.0/14", "172.28.0.0/14",
		                             "192.168.0.0/16" };
	struct ip used[8], gateway[IP_FAMILIES], workspace[IP_FAMILIES], pool;
	size_t n = 0;

	(void)state;
	for (const char *const *all =
	             (const char *const[]){ "198.18.0.0/15", "100.64.0.0/10",
	                                    "10.0.0.0/8", NULL };
	     ; all++) {
		bool found = plan_addresses(used, n, false, gateway, workspace);

		if (!*all) {
			assert_false(found);
			break;
		}
		assert_true(found);
		for (size_t i = 0; i < N_ELEMENTS(pools); i++) {
			assert_true(ip_parse(pools[i], &pool));
			assert_false(ip_overlap(&pool, &gateway[IP_V4]));
		}
		assert_true(ip_parse(*all, &used[n++]));
	}
}

static void test_rate(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{ "64kbit", 8000 },      { "1mbit", 125000 },
		{ "100mbit", 12500000 }, { "100Mbit", 12500000 },
		{ "2gbit", 250000000 },  { "100gbit", 12500000000 },
		{ "10MB", 10000000 },    { "10mB", 10000000 },
		{ "500KB", 500000 },     { "1GB", 1000000000 },
	};
	static const struct {
		const char *text;
		int code;
	} bad[] = {
		{ "", -EINVAL },
		{ "100", -EINVAL },
		{ "mbit", -EINVAL },
		{ "-1mbit", -EINVAL },
		{ "1.5mbit", -EINVAL },
		{ "1 mbit", -EINVAL },
		{ "1mbit/s", -EINVAL },
		{ "100mbps", -EINVAL },
		{ "10Mb", -EINVAL },
		{ "10mb", -EINVAL },
		{ "10Kb", -EINVAL },
		{ "1Gb", -EINVAL },
		{ "1mibit", -EINVAL },
		{ "63kbit", -ERANGE },
		{ "101gbit", -ERANGE },
		{ "0mbit", -ERANGE },
		{ "99999999999999999999999gbit", -ERANGE },
		{ "18446744073709551615gbit", -ERANGE },
	};
	struct err err = { 0 };
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(good); i++) {
		if (rate_parse(good[i].text, &bytes, &err) < 0)
			fail_msg("'%s': %s", good[i].text, err.text);
		assert_int_equal(bytes, good[i].bytes);
	}
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		err_clear(&err);
		if (rate_parse(bad[i].text, &bytes, &err) != bad[i].code)
			fail_msg("'%s': %d '%s'", bad[i].text, -err.code, err.text);
		assert_non_null(strstr(err.text, bad[i].text));
	}
}

static void test_rate_text(void **state)
{
	static const char *const cases[][2] = {
		{ "64kbit", "64kbit" },  { "1500kbit", "1500kbit" }, { "10MB", "80mbit" },
		{ "2000mbit", "2gbit" }, { "100gbit", "100gbit" },   { "125MB", "1gbit" },
	};
	char text[RATE_TEXT_MAX];
	struct err err = { 0 };
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		assert_int_equal(rate_parse(cases[i][0], &bytes, &err), 0);
		assert_string_equal(rate_text(bytes, text), cases[i][1]);
	}
	assert_int_equal(rate_parse("10Mb", &bytes, &err), -EINVAL);
	assert_non_null(strstr(err.text, "say 10mbit or 10MB"));
}

static void test_mtu(void **state)
{
	static const struct {
		uint64_t rate[DIRECTIONS];
		uint32_t mtu;
	} cases[] = {
		{ { 0, 0 }, 65520 },        { { 12500000, 0 }, 65520 },
		{ { 12499999, 0 }, 1500 },  { { 125000000, 125000 }, 1500 },
		{ { 0, 12500000 }, 65520 },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		assert_int_equal(gateway_mtu(cases[i].rate), cases[i].mtu);
}

static void test_resolver(void **state)
{
	static const char pod[] =
		"# kubelet\n"
		"search ns.svc.cluster.local svc.cluster.local cluster.local\n"
		"nameserver 10.96.0.10\r\n"
		"nameserver\t127.0.0.53 ; local\n"
		"nameserver fe80::1%eth0\n"
		"nameserver 10.0.0.0/8\n"
		"nameservers 1.2.3.4\n"
		"#nameserver 1.2.3.5\n"
		"nameserver fd00::53\n"
		"nameserver 9.9.9.9\n"
		"options ndots:5\n"
		"domain \033[31mred\n"
		"sortlist 10.0.0.0";
	cleanup_arena struct arena arena = { 0 };
	char text[IP_TEXT_MAX];
	struct ip server[3], gateway;

	(void)state;
	assert_int_equal(resolver_servers(pod, server, 3), 3);
	assert_string_equal(ip_text(&server[0], false, text), "10.96.0.10");
	assert_string_equal(ip_text(&server[1], false, text), "127.0.0.53");
	assert_string_equal(ip_text(&server[2], false, text), "fd00::53");
	assert_int_equal(resolver_servers("", server, 3), 0);
	assert_true(ip_parse("198.18.240.1/30", &gateway));
	assert_string_equal(
		resolver_text(&arena, pod, &gateway),
		"nameserver 198.18.240.1\n"
		"search ns.svc.cluster.local svc.cluster.local cluster.local\n"
		"options ndots:5\n");
	assert_string_equal(
		resolver_resolved_text(&arena, pod, &gateway),
		"[Resolve]\nDNS=198.18.240.1\n"
		"Domains=ns.svc.cluster.local svc.cluster.local cluster.local\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plan), cmocka_unit_test(test_docker),
		cmocka_unit_test(test_rate), cmocka_unit_test(test_rate_text),
		cmocka_unit_test(test_mtu),  cmocka_unit_test(test_resolver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
