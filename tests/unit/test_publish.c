#include "netns/publish.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "netns/lookout.h"
#include "netns/maker.h"
#include "netns/netlink.h"
#include "netns/ports_link.h"
#include "tests/unit/unit.h"

static const struct {
	const char *text, *again; /* NULL: malformed */
	const char *said;         /* of a malformed one */
} parse_cases[] = {
	{ "8080:80", "8080:80/tcp", NULL },
	{ "8080:80/tcp", "8080:80/tcp", NULL },
	{ "1:65535/udp", "1:65535/udp", NULL },
	{ "127.0.0.1:8080:80", "127.0.0.1:8080:80/tcp", NULL },
	{ "0.0.0.0:8080:80", "0.0.0.0:8080:80/tcp", NULL },
	{ "[::1]:8080:80/udp", "[::1]:8080:80/udp", NULL },
	{ "[0:0::0:1]:5300-5309:53-62", "[::1]:5300-5309:53-62/tcp", NULL },
	{ "[::]:1-512:1-512", "[::]:1-512:1-512/tcp", NULL },
	{ "8080-8080:80-80", "8080:80/tcp", NULL },
	{ "auto", "auto", NULL },
	{ "127.0.0.1:auto", "127.0.0.1:auto", NULL },
	{ "[::1]:auto", "[::1]:auto", NULL },
	{ "", NULL, "OUT" },
	{ "80", NULL, "workspace is missing" },
	{ "8o80:80", NULL, "'8o80' is neither an address nor a port" },
	{ "127.0.0.1:8o80:80", NULL, "'8o80' is neither" },
	{ "80/tcp", NULL, "'80/tcp' is neither" },
	{ "8080:", NULL, "IN" },
	{ ":80", NULL, "OUT" },
	{ "::80", NULL, "address" },
	{ "0:80", NULL, "OUT" },
	{ "80:0", NULL, "IN" },
	{ "080:80", NULL, "OUT" },
	{ "65536:80", NULL, "OUT" },
	{ "4294967376:80", NULL, "OUT" },
	{ "+80:80", NULL, "OUT" },
	{ "-80:80", NULL, "OUT" },
	{ "80-:80", NULL, "OUT" },
	{ "81-80:80-81", NULL, "OUT" },
	{ "80-81:80", NULL, "differ" },
	{ "1-513:1-513", NULL, "more than 512" },
	{ "80:80/", NULL, "neither" },
	{ "80:80/sctp", NULL, "neither" },
	{ "80:80/tcpx", NULL, "neither" },
	{ "80:80 ", NULL, "neither" },
	{ "::1:80:80", NULL, "address" },
	{ "[::1]80:80", NULL, "address" },
	{ "[::1:80:80", NULL, "address" },
	{ "[::1]", NULL, "address" },
	{ "[]:80:80", NULL, "address" },
	{ "[127.0.0.1]:80:80", NULL, "address" },
	{ "[fe80::1%eth0]:80:80", NULL, "address" },
	{ "[fe80::1]:80:80", NULL, "address" },
	{ "[::ffff:127.0.0.1]:80:80", NULL, "address" },
	{ "10.0.0.0/8:80:80", NULL, "address" },
	{ "10.0.0:80:80", NULL, "address" },
	{ "localhost:80:80", NULL, "address" },
	{ "autos", NULL, "OUT" },
	{ "auto:80", NULL, "OUT" },
	{ "auto/udp", NULL, "OUT" },
};

static void test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(parse_cases); i++) {
		struct publish publish, again;
		char text[PUBLISH_TEXT_MAX];
		struct err err = { 0 };
		int r = publish_parse(parse_cases[i].text, &publish, &err);

		print_message("  '%s'\n", parse_cases[i].text);
		if (!parse_cases[i].again) {
			assert_int_equal(r, -EINVAL);
			assert_non_null(strstr(err.text, parse_cases[i].said));
			assert_true(*err.hint != '\0');
			continue;
		}
		assert_int_equal(r, 0);
		assert_string_equal(publish_text(&publish, text), parse_cases[i].again);
		assert_int_equal(publish_parse(text, &again, &err), 0);
		assert_memory_equal(&publish, &again, sizeof(publish));
	}
}

static const struct {
	const char *a, *b;
	bool overlap;
} overlap_cases[] = {
	{ "80:80", "80:81", true },
	{ "80:80", "81:80", false },
	{ "80:80", "80:80/udp", false },
	{ "80-89:80-89", "89:1", true },
	{ "80-89:80-89", "90:1", false },
	{ "70-79:80-89", "80:1", false },
	{ "80:80", "127.0.0.1:80:81", true },
	{ "80:80", "[::1]:80:81", true },
	{ "0.0.0.0:80:80", "127.0.0.1:80:81", true },
	{ "0.0.0.0:80:80", "[::1]:80:81", false },
	{ "0.0.0.0:80:80", "[::]:80:81", false },
	{ "[::]:80:80", "[::1]:80:81", true },
	{ "127.0.0.1:80:80", "127.0.0.2:80:80", false },
	{ "auto", "80:80", false },
	{ "auto", "127.0.0.1:auto", true },
};

static void test_overlap(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(overlap_cases); i++) {
		struct publish a, b;
		struct err err = { 0 };

		print_message("  %s %s\n", overlap_cases[i].a, overlap_cases[i].b);
		assert_int_equal(publish_parse(overlap_cases[i].a, &a, &err), 0);
		assert_int_equal(publish_parse(overlap_cases[i].b, &b, &err), 0);
		assert_int_equal(publish_overlap(&a, &b), overlap_cases[i].overlap);
		assert_int_equal(publish_overlap(&b, &a), overlap_cases[i].overlap);
	}
}

static void test_list(void **state)
{
	static const char *const bad[] = { "",       ",",     "80,",        ",80",
		                           "80,,81", "0",     "80-79",      "80/x",
		                           "80 ,81", "65536", "80/tcp/udp", "1-70000",
		                           "a" };
	static const char list[] = "8000-8999,53/udp,80/tcp";
	struct err err = { 0 };

	(void)state;
	assert_int_equal(publish_list_check(list, &err), 0);
	assert_true(publish_listed(list, 8000, false));
	assert_true(publish_listed(list, 8999, false));
	assert_false(publish_listed(list, 9000, false));
	assert_false(publish_listed(list, 8000, true));
	assert_true(publish_listed(list, 53, true));
	assert_false(publish_listed(list, 53, false));
	assert_true(publish_listed(list, 80, false));
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		print_message("  '%s'\n", bad[i]);
		err_clear(&err);
		assert_int_equal(publish_list_check(bad[i], &err), -EINVAL);
	}
}

/* All addresses by one socket, and a second one is refused. */
static void test_listen(void **state)
{
	static const char *const word[] = { "", "/udp" };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(word); i++) {
		struct publish publish;
		union address address = { 0 };
		socklen_t n = sizeof(address);
		struct err err = { 0 };
		char text[64];
		int fd, second;

		(void)snprintf(text, sizeof(text), "127.0.0.1:1:1%s", word[i]);
		assert_int_equal(publish_parse(text, &publish, &err), 0);
		publish.out = 0; /* the kernel chooses */
		fd = publish_listen(&publish, &err);
		assert_true(fd >= 0);
		assert_int_equal(getsockname(fd, &address.any, &n), 0);
		publish.out = ntohs(address.v4.sin_port);
		assert_int_equal(publish_listen(&publish, &err), -EADDRINUSE);
		err_clear(&err);
		publish.address = (struct ip){ 0 };
		assert_int_equal(publish_listen(&publish, &err), -EADDRINUSE);
		err_clear(&err);
		drop_fd(&fd);
		second = publish_listen(&publish, &err);
		assert_true(second >= 0);
		drop_fd(&second);
		assert_true(ip_parse("192.0.2.77", &publish.address));
		assert_int_equal(publish_listen(&publish, &err), -EADDRNOTAVAIL);
	}
}

static void test_maker(void **state)
{
	const struct {
		enum maker_kind kind;
		int domain, type;
	} kinds[] = {
		{ MAKER_TCP4, AF_INET, SOCK_STREAM },
		{ MAKER_TCP6, AF_INET6, SOCK_STREAM },
		{ MAKER_UDP4, AF_INET, SOCK_DGRAM },
		{ MAKER_UDP6, AF_INET6, SOCK_DGRAM },
	};
	enum maker_kind kind;
	int pair[2], made[MAKER_BATCH];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(maker_receive(pair[0], &kind, made), -EAGAIN);
	assert_true(maker_answer(pair[1])); /* nothing was asked */
	for (size_t i = 0; i < N_ELEMENTS(kinds); i++) {
		assert_int_equal(maker_ask(pair[0], kinds[i].kind), 0);
		assert_true(maker_answer(pair[1]));
		assert_int_equal(maker_receive(pair[0], &kind, made), MAKER_BATCH);
		assert_int_equal(kind, kinds[i].kind);
		for (int j = 0; j < MAKER_BATCH; j++) {
			int domain = 0, type = 0;
			socklen_t n = sizeof(int);

			assert_int_equal(
				getsockopt(made[j], SOL_SOCKET, SO_DOMAIN, &domain, &n),
				0);
			assert_int_equal(
				getsockopt(made[j], SOL_SOCKET, SO_TYPE, &type, &n), 0);
			assert_int_equal(domain, kinds[i].domain);
			assert_int_equal(type, kinds[i].type);
			drop_fd(&made[j]);
		}
	}
	/* What is no request has no answer. */
	assert_int_equal(send(pair[0], "\xff", 1, 0), 1);
	assert_int_equal(send(pair[0], "\4", 1, 0), 1);
	assert_true(maker_answer(pair[1]));
	assert_true(maker_answer(pair[1]));
	assert_int_equal(maker_receive(pair[0], &kind, made), -EAGAIN);
	drop_fd(&pair[0]);
	assert_false(maker_answer(pair[1]));
	drop_fd(&pair[1]);
}

static void test_link(void **state)
{
	struct ports_message message = {
		.word = PORTS_ADD, .id = 7, .port = 80, .udp = 1
	};
	struct ports_message got;
	int pair[2], fd = -EBADF;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(ports_send(pair[0], &message, pair[0], 0), 0);
	assert_int_equal(ports_receive(pair[1], &got, &fd, 0), 1);
	assert_memory_equal(&got, &message, sizeof(got));
	assert_true(fd >= 0);
	drop_fd(&fd);
	assert_int_equal(ports_receive(pair[1], &got, &fd, MSG_DONTWAIT), -EAGAIN);

	/* A descriptor beside a message that is none is closed with it. */
	message.word = PORTS_WORDS;
	assert_int_equal(ports_send(pair[0], &message, pair[0], 0), 0);
	assert_int_equal(ports_receive(pair[1], &got, &fd, 0), -EPROTO);
	message.word = PORTS_HIDDEN;
	message.hidden = HIDDEN_REASONS;
	assert_int_equal(ports_send(pair[0], &message, -EBADF, 0), 0);
	assert_int_equal(ports_receive(pair[1], &got, &fd, 0), -EPROTO);
	assert_int_equal(send(pair[0], "x", 1, 0), 1);
	assert_int_equal(ports_receive(pair[1], &got, &fd, 0), -EPROTO);
	assert_int_equal(fd, -EBADF);
	drop_fd(&pair[0]);
	assert_int_equal(ports_receive(pair[1], &got, &fd, 0), 0);
	drop_fd(&pair[1]);
}

static struct in6_addr address(const char *text)
{
	struct in6_addr ret;

	assert_int_equal(inet_pton(AF_INET6, text, &ret), 1);
	return ret;
}

static void test_route(void **state)
{
	const struct in6_addr gateway4 = address("::ffff:198.18.240.1");
	const struct in6_addr gateway6 = address("fd62:6572:7468::1");
	const struct {
		unsigned char type;
		uint16_t message;
		const char *by4, *by6;
		bool goes4, goes6;
	} cases[] = {
		{ RTN_UNICAST, RTM_NEWROUTE, "198.18.240.1", NULL, true, false },
		{ RTN_UNICAST, RTM_NEWROUTE, NULL, "fd62:6572:7468::1", false, true },
		{ RTN_UNICAST, RTM_NEWROUTE, "198.18.240.2", NULL, false, false },
		{ RTN_UNICAST, RTM_NEWROUTE, NULL, "fd62:6572:7468::2", false, false },
		{ RTN_UNICAST, RTM_NEWROUTE, NULL, NULL, false, false }, /* on the link */
		{ RTN_LOCAL, RTM_NEWROUTE, "198.18.240.1", NULL, false, false },
		{ RTN_BLACKHOLE, RTM_NEWROUTE, "198.18.240.1", NULL, false, false },
		{ RTN_UNICAST, NLMSG_ERROR, "198.18.240.1", NULL, false, false },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		_Alignas(NLMSG_ALIGNTO) unsigned char buffer[512] = { 0 };
		struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
		const struct rtmsg body = { .rtm_type = cases[i].type };
		unsigned char bytes[16];

		message->nlmsg_type = cases[i].message;
		memcpy(mnl_nlmsg_put_extra_header(message, sizeof(body)), &body,
		       sizeof(body));
		mnl_attr_put_u32(message, RTA_OIF, 100);
		if (cases[i].by4 && inet_pton(AF_INET, cases[i].by4, bytes) == 1)
			mnl_attr_put(message, RTA_GATEWAY, 4, bytes);
		if (cases[i].by6 && inet_pton(AF_INET6, cases[i].by6, bytes) == 1)
			mnl_attr_put(message, RTA_GATEWAY, 16, bytes);
		assert_int_equal(lookout_read_route(message, &gateway4), cases[i].goes4);
		assert_int_equal(lookout_read_route(message, &gateway6), cases[i].goes6);
	}
}

/**
 * struct seen - What a look found at a port of 127.0.0.1
 * @port:	that port
 * @n:		sockets of TCP, of UDP
 */
struct seen {
	uint16_t port;
	size_t n[2];
};

static void see(void *ctx, const struct listener *listener)
{
	struct seen *seen = ctx;

	if (listener->port == seen->port && IN6_IS_ADDR_V4MAPPED(&listener->address) &&
	    listener->address.s6_addr32[3] == htonl(INADDR_LOOPBACK))
		seen->n[listener->udp]++;
}

/* By the kernel we are on, about ourselves. */
static void test_listeners(void **state)
{
	union address at = { .v4.sin_family = AF_INET };
	socklen_t size = sizeof(at.v4);
	struct err err = { 0 };
	int diag = netlink_open(NETLINK_SOCK_DIAG, &err);
	int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_true(diag >= 0 && tcp >= 0 && udp >= 0);
	at.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(tcp, &at.any, size), 0);
	assert_int_equal(getsockname(tcp, &at.any, &size), 0);
	assert_int_equal(bind(udp, &at.any, size), 0);
	for (unsigned int listening = 0; listening < 2; listening++) {
		struct seen seen = { .port = ntohs(at.v4.sin_port) };

		assert_int_equal(lookout_listeners(diag, see, &seen, &err), 0);
		assert_int_equal(seen.n[0], listening);
		assert_int_equal(seen.n[1], 1);
		assert_int_equal(listen(tcp, 1), 0);
	}
	drop_fd(&udp);
	drop_fd(&tcp);
	drop_fd(&diag);
}

/* However many there are, a turn is for some of them, and the next one goes on behind them. */
static void test_many_listeners(void **state)
{
	enum { MANY = 900 };
	union address at = { .v4.sin_family = AF_INET };
	socklen_t size = sizeof(at.v4);
	struct look look = { 0 };
	struct seen seen = { 0 };
	struct err err = { 0 };
	int diag = netlink_open(NETLINK_SOCK_DIAG, &err), sock[MANY], on = 1, r;
	size_t turns = 0;

	(void)state;
	assert_true(diag >= 0);
	at.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (size_t i = 0; i < MANY; i++) {
		sock[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_true(sock[i] >= 0);
		assert_int_equal(
			setsockopt(sock[i], SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)),
			0);
		assert_int_equal(bind(sock[i], &at.any, size), 0);
		assert_int_equal(getsockname(sock[i], &at.any, &size), 0);
		assert_int_equal(listen(sock[i], 1), 0);
	}
	seen.port = ntohs(at.v4.sin_port);
	do {
		const size_t before = seen.n[0];

		r = lookout_go_on(&look, diag, 0, see, &seen, &err);
		assert_true(r >= 0 && seen.n[0] - before < MANY / 2);
		turns++;
	} while (r > 0);
	assert_int_equal(seen.n[0], MANY);
	assert_true(turns > 4);
	assert_int_equal(look.question, 0);
	assert_false(look.asked);
	for (size_t i = 0; i < MANY; i++)
		drop_fd(&sock[i]);
	drop_fd(&diag);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),          cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_list),           cmocka_unit_test(test_listen),
		cmocka_unit_test(test_maker),          cmocka_unit_test(test_link),
		cmocka_unit_test(test_route),          cmocka_unit_test(test_listeners),
		cmocka_unit_test(test_many_listeners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
