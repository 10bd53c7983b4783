#include "netns/egress.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netns/relay_internal.h"
#include "tests/unit/unit.h"

static struct in6_addr address(const char *text)
{
	struct in6_addr at = { 0 };

	if (strchr(text, ':')) {
		assert_int_equal(inet_pton(AF_INET6, text, &at), 1);
		return at;
	}
	at.s6_addr[10] = at.s6_addr[11] = 0xff;
	assert_int_equal(inet_pton(AF_INET, text, at.s6_addr + 12), 1);
	return at;
}

static struct egress policy(const char *const *rule)
{
	struct egress egress = { 0 };
	struct err err = { 0 };

	for (; *rule; rule++)
		if (egress_parse(*rule, &egress.rule[egress.n++], &err) < 0)
			fail_msg("%s", err.text);
	return egress;
}

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		bool deny;
		uint8_t family, prefix, protocol;
		uint16_t first, last;
	} row[] = {
		{ "deny:any", true, 0, 0, 0, 0, 65535 },
		{ "allow:10.0.0.0/8", false, AF_INET, 8, 0, 0, 65535 },
		{ "allow:10.0.0.1", false, AF_INET, 32, 0, 0, 65535 },
		{ "deny:0.0.0.0/0", true, AF_INET, 0, 0, 0, 65535 },
		{ "deny:::/0", true, AF_INET6, 0, 0, 0, 65535 },
		{ "allow:2001:db8::/32,443/tcp", false, AF_INET6, 32, IPPROTO_TCP, 443,
		  443 },
		{ "deny:any,25", true, 0, 0, 0, 25, 25 },
		{ "deny:any,udp", true, 0, 0, IPPROTO_UDP, 0, 65535 },
		{ "deny:any,icmp", true, 0, 0, IPPROTO_ICMP, 0, 65535 },
		{ "allow:10.0.0.0/8,80-90/udp", false, AF_INET, 8, IPPROTO_UDP, 80, 90 },
		{ "allow:169.254.169.254", false, AF_INET, 32, 0, 0, 65535 },
		{ "deny:127.0.0.0/8", true, AF_INET, 8, 0, 0, 65535 },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(row); i++) {
		struct egress_rule rule = { 0 };
		struct err err = { 0 };

		if (egress_parse(row[i].text, &rule, &err) < 0)
			fail_msg("%s", err.text);
		if (rule.deny != row[i].deny || rule.network.family != row[i].family ||
		    rule.network.prefix != row[i].prefix ||
		    rule.protocol != row[i].protocol || rule.first != row[i].first ||
		    rule.last != row[i].last)
			fail_msg("%s", row[i].text);
	}
}

static void test_malformed(void **state)
{
	static const struct {
		const char *text, *hint; /* part of it */
	} row[] = {
		{ "", "a rule is" },
		{ "any", "a rule is" },
		{ "allow", "a rule is" },
		{ "allow:", "a rule is" },
		{ "permit:any", "a rule is" },
		{ "deny:10.0.0.0/33", "a rule is" },
		{ "deny:10.0.0/8", "a rule is" },
		{ "deny:example.org", "a rule is" },
		{ "deny:any,", "a rule is" },
		{ "deny:any,0", "a rule is" },
		{ "deny:any,65536", "a rule is" },
		{ "deny:any,90-80", "a rule is" },
		{ "deny:any,80-", "a rule is" },
		{ "deny:any,80/icmp", "a rule is" },
		{ "deny:any,80/sctp", "a rule is" },
		{ "deny:any,tcp,80", "a rule is" },
		{ "deny:fe80::1%eth0", "a rule is" },
		{ "deny:10.0.0.1/8", "10.0.0.0/8, the address alone is 10.0.0.1" },
		{ "deny:fd00::1/64", "fd00::/64" },
		{ "deny:::ffff:10.0.0.0/104", "IPv4 address itself" },
		{ "allow:127.0.0.1", "whatever a policy says" },
		{ "allow:127.0.0.0/8,443/tcp", "whatever a policy says" },
		{ "allow:::1", "whatever a policy says" },
		{ "allow:fe80::/10", "whatever a policy says" },
		{ "allow:224.0.0.251", "whatever a policy says" },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(row); i++) {
		struct egress_rule rule = { .protocol = 99 };
		struct err err = { 0 };

		if (egress_parse(row[i].text, &rule, &err) != -EINVAL)
			fail_msg("'%s' is taken", row[i].text);
		if (rule.protocol != 99)
			fail_msg("'%s' writes its result", row[i].text);
		if (!strstr(err.text, row[i].text) || !strstr(err.hint, row[i].hint))
			fail_msg("'%s': %s; %s", row[i].text, err.text, err.hint);
	}
}

static void test_judge(void **state)
{
	static const struct {
		const char *rule[4];
		const char *to;
		uint8_t protocol;
		uint16_t port;
		bool deny_rest;
		enum egress_verdict verdict;
	} row[] = {
		{ { NULL }, "192.0.2.1", IPPROTO_TCP, 80, false, EGRESS_ALLOWED },
		{ { NULL }, "2001:db8::1", IPPROTO_UDP, 80, false, EGRESS_ALLOWED },
		{ { NULL }, "192.0.2.1", IPPROTO_TCP, 80, true, EGRESS_BY_DEFAULT },
		{ { NULL }, "192.0.2.1", IPPROTO_ICMP, 0, true, EGRESS_BY_DEFAULT },
		{ { "deny:192.0.2.0/24" },
		  "192.0.2.255",
		  IPPROTO_TCP,
		  80,
		  false,
		  EGRESS_BY_RULE },
		{ { "deny:192.0.2.0/24" },
		  "192.0.3.0",
		  IPPROTO_TCP,
		  80,
		  false,
		  EGRESS_ALLOWED },
		/* The first one that meets. */
		{ { "allow:192.0.2.1", "deny:192.0.2.0/24" },
		  "192.0.2.1",
		  IPPROTO_TCP,
		  80,
		  false,
		  EGRESS_ALLOWED },
		{ { "deny:192.0.2.0/24", "allow:192.0.2.1" },
		  "192.0.2.1",
		  IPPROTO_TCP,
		  80,
		  false,
		  EGRESS_BY_RULE },
		/* Protocol and port. */
		{ { "deny:any,25/tcp" },
		  "192.0.2.1",
		  IPPROTO_TCP,
		  25,
		  false,
		  EGRESS_BY_RULE },
		{ { "deny:any,25/tcp" },
		  "192.0.2.1",
		  IPPROTO_UDP,
		  25,
		  false,
		  EGRESS_ALLOWED },
		{ { "deny:any,25" },
		  "2001:db8::1",
		  IPPROTO_UDP,
		  25,
		  false,
		  EGRESS_BY_RULE },
		{ { "deny:any,20-30" },
		  "192.0.2.1",
		  IPPROTO_TCP,
		  31,
		  false,
		  EGRESS_ALLOWED },
		{ { "deny:any,20-30" },
		  "192.0.2.1",
		  IPPROTO_TCP,
		  30,
		  false,
		  EGRESS_BY_RULE },
		{ { "deny:any,icmp" },
		  "2001:db8::1",
		  IPPROTO_ICMPV6,
		  0,
		  false,
		  EGRESS_BY_RULE },
		{ { "deny:any,20-30" },
		  "192.0.2.1",
		  IPPROTO_ICMP,
		  0,
		  false,
		  EGRESS_ALLOWED },
		{ { "deny:any" }, "192.0.2.1", IPPROTO_ICMP, 0, false, EGRESS_BY_RULE },
		/* Families. */
		{ { "deny:0.0.0.0/0" },
		  "2001:db8::1",
		  IPPROTO_TCP,
		  80,
		  false,
		  EGRESS_ALLOWED },
		{ { "deny:::/0" }, "192.0.2.1", IPPROTO_TCP, 80, false, EGRESS_ALLOWED },
		{ { "deny:::/0" },
		  "2001:db8::1",
		  IPPROTO_TCP,
		  80,
		  false,
		  EGRESS_BY_RULE },
		/* A translator outside makes IPv4 of it. */
		{ { "deny:192.0.2.0/24" },
		  "64:ff9b::c000:201",
		  IPPROTO_TCP,
		  80,
		  false,
		  EGRESS_BY_RULE },
		{ { "deny:64:ff9b::/96" },
		  "64:ff9b::c000:201",
		  IPPROTO_TCP,
		  80,
		  false,
		  EGRESS_BY_RULE },
		{ { "allow:192.0.2.0/24" },
		  "64:ff9b::c000:201",
		  IPPROTO_TCP,
		  80,
		  true,
		  EGRESS_ALLOWED },
		{ { "deny:192.0.2.0/24" },
		  "64:ff9b:1::c000:201",
		  IPPROTO_TCP,
		  80,
		  false,
		  EGRESS_ALLOWED },
		/* Credentials: by name only. */
		{ { NULL }, "169.254.169.254", IPPROTO_TCP, 80, false, EGRESS_METADATA },
		{ { "allow:any" },
		  "169.254.169.254",
		  IPPROTO_TCP,
		  80,
		  false,
		  EGRESS_METADATA },
		{ { "allow:169.0.0.0/8" },
		  "169.254.169.254",
		  IPPROTO_TCP,
		  80,
		  false,
		  EGRESS_METADATA },
		{ { "allow:any", "allow:169.254.169.254" },
		  "169.254.169.254",
		  IPPROTO_TCP,
		  80,
		  false,
		  EGRESS_ALLOWED },
		{ { "deny:any", "allow:169.254.169.254" },
		  "169.254.169.254",
		  IPPROTO_TCP,
		  80,
		  false,
		  EGRESS_BY_RULE },
		{ { "allow:169.254.169.254,80/tcp" },
		  "169.254.169.254",
		  IPPROTO_TCP,
		  81,
		  false,
		  EGRESS_METADATA },
		{ { "allow:169.254.169.254" },
		  "169.254.170.2",
		  IPPROTO_TCP,
		  80,
		  false,
		  EGRESS_METADATA },
		{ { "allow:169.254.169.254" },
		  "64:ff9b::a9fe:a9fe",
		  IPPROTO_TCP,
		  80,
		  false,
		  EGRESS_ALLOWED },
		{ { NULL },
		  "64:ff9b::a9fe:a9fe",
		  IPPROTO_TCP,
		  80,
		  false,
		  EGRESS_METADATA },
		{ { "allow:fd00:ec2::254" },
		  "fd00:ec2::254",
		  IPPROTO_TCP,
		  80,
		  true,
		  EGRESS_ALLOWED },
		{ { "allow:::/0" },
		  "fd00:ec2::254",
		  IPPROTO_TCP,
		  80,
		  false,
		  EGRESS_METADATA },
		/* Never. */
		{ { "allow:any" }, "127.0.0.1", IPPROTO_TCP, 80, false, EGRESS_LOCAL },
		{ { "allow:64:ff9b::/96" },
		  "64:ff9b::7f00:1",
		  IPPROTO_TCP,
		  80,
		  false,
		  EGRESS_LOCAL },
		{ { "allow:::/0" }, "::1", IPPROTO_TCP, 80, false, EGRESS_LOCAL },
		{ { "allow:any" }, "fe80::1", IPPROTO_TCP, 80, false, EGRESS_LOCAL },
		{ { "allow:any" }, "224.0.0.251", IPPROTO_UDP, 5353, false, EGRESS_MANY },
		{ { "allow:any" }, "ff02::fb", IPPROTO_UDP, 5353, false, EGRESS_MANY },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(row); i++) {
		struct egress egress = policy(row[i].rule);
		const struct in6_addr to = address(row[i].to);
		unsigned int rule = 99;
		enum egress_verdict verdict;

		egress.deny_rest = row[i].deny_rest;
		verdict = egress_judge(&egress, &to, row[i].protocol, row[i].port, &rule);
		if (verdict != row[i].verdict)
			fail_msg("row %zu, %s: %s", i, row[i].to, egress_reason[verdict]);
		if (verdict == EGRESS_BY_RULE && rule >= egress.n)
			fail_msg("row %zu: no rule", i);
	}
}

/* Where nobody may go, and what takes a rule that names it; with the one it is near to. */
static void test_guards(void **state)
{
	static const struct {
		const char *address;
		enum egress_verdict verdict;
	} row[] = {
		{ "192.0.2.1", EGRESS_ALLOWED },
		{ "10.0.0.1", EGRESS_ALLOWED },
		{ "0.0.0.0", EGRESS_LOCAL },
		{ "0.1.2.3", EGRESS_LOCAL },
		{ "1.0.0.0", EGRESS_ALLOWED },
		{ "126.255.255.255", EGRESS_ALLOWED },
		{ "127.0.0.1", EGRESS_LOCAL },
		{ "127.255.255.255", EGRESS_LOCAL },
		{ "223.255.255.255", EGRESS_ALLOWED },
		{ "224.0.0.1", EGRESS_MANY },
		{ "240.0.0.1", EGRESS_LOCAL },
		{ "255.255.255.255", EGRESS_MANY },
		{ "169.253.255.255", EGRESS_ALLOWED },
		{ "169.254.169.254", EGRESS_METADATA },
		{ "169.254.170.23", EGRESS_METADATA },
		{ "168.63.129.16", EGRESS_METADATA },
		{ "168.63.129.17", EGRESS_ALLOWED },
		{ "100.100.100.200", EGRESS_METADATA },
		{ "192.0.0.192", EGRESS_METADATA },
		{ "2001:db8::1", EGRESS_ALLOWED },
		{ "fd00::1", EGRESS_ALLOWED },
		{ "::", EGRESS_LOCAL },
		{ "::1", EGRESS_LOCAL },
		{ "::7f00:1", EGRESS_LOCAL },
		{ "::1:0:0", EGRESS_ALLOWED },
		{ "ff02::1", EGRESS_MANY },
		{ "fe80::1", EGRESS_LOCAL },
		{ "fd00:ec2::254", EGRESS_METADATA },
		{ "fd00:ec2::23", EGRESS_METADATA },
		{ "fd20:ce::254", EGRESS_METADATA },
		{ "64:ff9b::a9fe:a9fe", EGRESS_METADATA },
		{ "64:ff9b::7f00:1", EGRESS_LOCAL },
		{ "64:ff9b::808:808", EGRESS_ALLOWED },
	};
	const struct egress egress = { 0 };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(row); i++) {
		const struct in6_addr at = address(row[i].address);
		unsigned int rule;

		if (egress_judge(&egress, &at, IPPROTO_TCP, 80, &rule) != row[i].verdict)
			fail_msg("%s", row[i].address);
	}
}

static void test_covers(void **state)
{
	static const struct {
		const char *rule[3];
		bool covers;
	} row[] = {
		{ { "deny:any", "allow:10.0.0.1" }, true },
		{ { "allow:10.0.0.1", "deny:any" }, false },
		{ { "deny:10.0.0.0/8", "deny:10.1.0.0/16" }, true },
		{ { "deny:10.1.0.0/16", "deny:10.0.0.0/8" }, false },
		{ { "deny:10.0.0.0/8", "deny:11.0.0.0/8" }, false },
		{ { "deny:0.0.0.0/0", "deny:fd00::/8" }, false },
		{ { "deny:0.0.0.0/0", "deny:64:ff9b::a00:0/104" }, true },
		{ { "deny:any,tcp", "deny:any,443/tcp" }, true },
		{ { "deny:any,tcp", "deny:any,443" }, false },
		{ { "deny:any,443", "deny:any,443/tcp" }, true },
		{ { "deny:any,1-65535", "deny:any" }, false },
		{ { "deny:any,1-100", "deny:any,50-101" }, false },
		{ { "allow:any", "allow:169.254.169.254" }, false },
		{ { "deny:any", "allow:169.254.169.254" }, true },
		{ { "allow:169.254.0.0/16", "deny:169.254.169.254" }, true },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(row); i++) {
		const struct egress egress = policy(row[i].rule);

		if (egress_covers(&egress.rule[0], &egress.rule[1]) != row[i].covers)
			fail_msg("%s before %s", row[i].rule[0], row[i].rule[1]);
	}
}

/* How many rules of the gateway do @what, in all transactions. */
static size_t rules_that(const struct egress *egress, const char *what)
{
	struct netlink_batch batch;
	size_t cursor = 0, found = 0;
	bool more = true;

	while (more) {
		netlink_batch_init(&batch);
		more = egress_rules(&batch, egress, false, &cursor);
		assert_false(batch.overflow);
		for (size_t i = 0; i < batch.n; i++)
			found += strcmp(batch.what[i], what) == 0;
	}
	return found;
}

static void test_rules(void **state)
{
	static const char *const rule[] = { "allow:10.0.0.0/8,443/tcp",
		                            "deny:fd00::/8",
		                            "allow:169.254.169.254",
		                            "deny:any,udp",
		                            "deny:any,icmp",
		                            NULL };
	struct egress egress = policy(rule);

	(void)state;
	/* IPv4 in both forms; permissions of metadata in two chains; no echo comes by. */
	assert_int_equal(rules_that(&egress, "allow by policy"), 2 + 2 + 2);
	assert_int_equal(rules_that(&egress, "deny by policy"), 2 * (1 + 1));
	assert_int_equal(rules_that(&egress, "deny what no rule meets"), 1);
	assert_int_equal(rules_that(&egress, "allow the rest"), 1);
	egress.deny_rest = true;
	assert_int_equal(rules_that(&egress, "deny what no rule meets"), 2);
	assert_int_equal(rules_that(&egress, "allow the rest"), 0);
	/* The most there can be. */
	for (egress.n = 0; egress.n < EGRESS_RULES; egress.n++)
		egress.rule[egress.n] = (struct egress_rule){
			.deny = true,
			.network = { .family = AF_INET,
			             .prefix = 24,
			             .byte = { 10, 0, (unsigned char)egress.n } },
			.protocol = IPPROTO_TCP,
			.first = 1,
			.last = 1000,
		};
	assert_int_equal(rules_that(&egress, "deny by policy"), 4 * EGRESS_RULES);
	assert_int_equal(rules_that(&egress, "guard metadata"), 4 * 2 + 2);
}

/*
 * The relay by itself: no rule of the kernel takes part. What it denies it tells by the socket.
 */
struct bed {
	struct relay_config config;
	struct relay relay;
	int told;
};

static struct bed *bed(const char *const *rule)
{
	struct bed *bed = calloc(1, sizeof(*bed));
	int pair[2];

	assert_non_null(bed);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	bed->config.egress = policy(rule);
	bed->config.report = pair[0];
	bed->told = pair[1];
	bed->relay.config = &bed->config;
	bed->relay.now = 1000000;
	return bed;
}

static void tear_down(struct bed *bed)
{
	free(bed->relay.egress.begun);
	assert_int_equal(close(bed->told), 0);
	assert_int_equal(close(bed->config.report), 0);
	free(bed);
}

static int ask(struct bed *bed, const char *to, uint8_t protocol, uint16_t port)
{
	const struct endpoint endpoint = { .address = address(to), .port = port };

	return egress_permits(&bed->relay, &endpoint, protocol);
}

/* The next report; false where there is none. */
static bool told(const struct bed *bed, struct relay_report *ret)
{
	return recv(bed->told, ret, sizeof(*ret), MSG_DONTWAIT) == sizeof(*ret);
}

static void test_relay_permits(void **state)
{
	static const char *const rule[] = { "deny:192.0.2.0/24", NULL };
	struct bed *it = bed(rule);
	struct relay_report report;

	(void)state;
	assert_int_equal(egress_start(&it->relay), 0);
	assert_int_equal(ask(it, "198.51.100.1", IPPROTO_TCP, 80), 0);
	assert_false(told(it, &report));
	assert_int_equal(ask(it, "192.0.2.1", IPPROTO_TCP, 80), -EACCES);
	assert_true(told(it, &report));
	assert_int_equal(report.verdict, EGRESS_BY_RULE);
	assert_int_equal(report.to.port, 80);
	assert_int_equal(report.denied, 1);
	assert_int_equal(ask(it, "169.254.169.254", IPPROTO_ICMP, 0), -EACCES);
	assert_int_equal(ask(it, "127.0.0.1", IPPROTO_UDP, 80), -EACCES);
	/* No answer to many, and nothing of it in the log. */
	assert_int_equal(ask(it, "224.0.0.251", IPPROTO_UDP, 5353), -EAGAIN);
	assert_true(told(it, &report) && told(it, &report));
	assert_false(told(it, &report));
	/* There is no IPv6 in this plan, so nobody sends it. */
	assert_int_equal(ask(it, "2001:db8::1", IPPROTO_UDP, 80), -EAGAIN);
	assert_int_equal(ask(it, "2001:db8::1", IPPROTO_ICMPV6, 0), -EAGAIN);
	it->config.workspace[1].family = AF_INET6;
	assert_int_equal(ask(it, "2001:db8::1", IPPROTO_UDP, 80), 0);
	tear_down(it);
}

/* What is let through all the same is told, and counted as that. */
static void test_relay_permissive(void **state)
{
	static const char *const rule[] = { "deny:192.0.2.0/24", NULL };
	struct bed *it = bed(rule);
	struct relay_report report;

	(void)state;
	it->config.egress.permissive = true;
	assert_int_equal(egress_start(&it->relay), 0);
	assert_int_equal(ask(it, "192.0.2.1", IPPROTO_TCP, 80), 0);
	assert_int_equal(ask(it, "192.0.2.2", IPPROTO_UDP, 80), 0);
	assert_int_equal(ask(it, "169.254.169.254", IPPROTO_TCP, 80), -EACCES);
	assert_true(told(it, &report) && told(it, &report) && told(it, &report));
	assert_int_equal(report.permitted, 2);
	assert_int_equal(report.denied, 1);
	tear_down(it);
}

/* So many at once, then so many a second, and all of them as a number. */
static void test_reports(void **state)
{
	static const char *const rule[] = { "deny:any", NULL };
	struct bed *it = bed(rule);
	struct relay_report report;
	size_t one_by_one = 0;
	uint64_t untold = 0;

	(void)state;
	assert_int_equal(egress_start(&it->relay), 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(ask(it, "192.0.2.1", IPPROTO_TCP, 80), -EACCES);
	while (told(it, &report)) {
		one_by_one++;
		untold += report.untold;
	}
	assert_in_range(one_by_one, 10, 50);
	assert_true(egress_waits(&it->relay));
	egress_tick(&it->relay);
	assert_true(told(it, &report));
	assert_int_equal(report.verdict, EGRESS_ALLOWED);
	assert_int_equal(report.denied, 1000);
	assert_int_equal(one_by_one + untold + report.untold, 1000);
	for (int i = 0; i < 10; i++)
		egress_tick(&it->relay);
	assert_false(told(it, &report));
	assert_false(egress_waits(&it->relay));
	tear_down(it);
}

static void test_per_minute(void **state)
{
	static const char *const rule[] = { "deny:192.0.2.9", NULL };
	struct bed *it = bed(rule);
	const uint64_t begin = it->relay.now;

	(void)state;
	it->config.egress.per_minute = 3;
	assert_int_equal(egress_start(&it->relay), 0);
	for (uint64_t i = 0; i < 3; i++) {
		it->relay.now = begin + i * 20000;
		assert_int_equal(ask(it, "192.0.2.1", IPPROTO_TCP, 80), 0);
		/* What is denied takes no place. */
		assert_int_equal(ask(it, "192.0.2.9", IPPROTO_TCP, 80), -EACCES);
	}
	assert_int_equal(ask(it, "192.0.2.1", IPPROTO_UDP, 80), -EAGAIN);
	it->relay.now = begin + 59999;
	assert_int_equal(ask(it, "192.0.2.1", IPPROTO_TCP, 80), -EAGAIN);
	assert_int_equal(it->relay.egress.limited, 2);
	it->relay.now = begin + 60000;
	assert_int_equal(ask(it, "192.0.2.1", IPPROTO_TCP, 80), 0);
	assert_int_equal(ask(it, "192.0.2.1", IPPROTO_TCP, 80), -EAGAIN);
	it->relay.now = begin + 80000;
	assert_int_equal(ask(it, "192.0.2.1", IPPROTO_TCP, 80), 0);
	tear_down(it);
}

/* Told and let through: what rules deny. The gateway itself keeps what is left. */
static void test_permissive(void **state)
{
	const char *const rules[] = { "deny:10.0.0.0/8", "allow:169.254.169.254,80/tcp",
		                      NULL };
	struct egress egress = policy(rules), kept;

	(void)state;
	egress.deny_rest = true;
	kept = egress_kept(&egress);
	assert_memory_equal(&kept, &egress, sizeof(kept));
	assert_false(egress_lets(&egress, EGRESS_BY_RULE));
	assert_true(egress_lets(&egress, EGRESS_ALLOWED));

	egress.permissive = true;
	assert_true(egress_lets(&egress, EGRESS_BY_RULE));
	assert_true(egress_lets(&egress, EGRESS_BY_DEFAULT));
	assert_false(egress_lets(&egress, EGRESS_METADATA));
	assert_false(egress_lets(&egress, EGRESS_LOCAL));
	assert_false(egress_lets(&egress, EGRESS_MANY));
	kept = egress_kept(&egress);
	assert_int_equal(kept.n, 1);
	assert_false(kept.rule[0].deny);
	assert_false(kept.deny_rest);
}

/* A rule that denies metadata, too, does not make it one of those that are let through. */
static void test_permissive_metadata(void **state)
{
	const char *const rules[] = { "deny:169.254.0.0/16", NULL };
	struct egress egress = policy(rules);
	struct in6_addr to;
	unsigned int rule;

	(void)state;
	assert_int_equal(inet_pton(AF_INET6, "::ffff:169.254.169.254", &to), 1);
	assert_int_equal(egress_judge(&egress, &to, IPPROTO_TCP, 80, &rule),
	                 EGRESS_BY_RULE);
	egress.permissive = true;
	assert_int_equal(egress_judge(&egress, &to, IPPROTO_TCP, 80, &rule),
	                 EGRESS_METADATA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_judge),
		cmocka_unit_test(test_guards),
		cmocka_unit_test(test_covers),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_relay_permits),
		cmocka_unit_test(test_relay_permissive),
		cmocka_unit_test(test_reports),
		cmocka_unit_test(test_per_minute),
		cmocka_unit_test(test_permissive),
		cmocka_unit_test(test_permissive_metadata),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
