#include "netns/relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "netns/nft.h"
#include "netns/relay_internal.h"
#include "tests/unit/unit.h"

static struct relay_config config(void)
{
	struct relay_config config = { .ifname = "gate0" };

	assert_true(ip_parse("10.8.0.1/30", &config.gateway[0]));
	assert_true(ip_parse("10.8.0.2/30", &config.workspace[0]));
	assert_true(ip_parse("fd08::1/64", &config.gateway[1]));
	assert_true(ip_parse("fd08::2/64", &config.workspace[1]));
	return config;
}

static struct in6_addr address(const char *text)
{
	struct endpoint endpoint;
	union address at = { 0 };

	at.any.sa_family = strchr(text, ':') ? AF_INET6 : AF_INET;
	assert_int_equal(inet_pton(at.any.sa_family, text,
	                           at.any.sa_family == AF_INET
	                                   ? (void *)&at.v4.sin_addr
	                                   : (void *)&at.v6.sin6_addr),
	                 1);
	endpoint = endpoint_from(&at);
	return endpoint.address;
}

static void test_gateway(void **state)
{
	const struct relay_config with = config();
	const struct in6_addr v4 = address("10.8.0.1"), v6 = address("fd08::1"),
			      other = address("10.8.0.2");

	(void)state;
	assert_true(relay_is_gateway(&with, &v4));
	assert_true(relay_is_gateway(&with, &v6));
	assert_false(relay_is_gateway(&with, &other));
}

/* The names of the expressions of a rule: "meta cmp ...". */
static void expressions(const struct nlmsghdr *message, char *text, size_t size)
{
	const struct nlattr *attr, *element, *part;

	text[0] = '\0';
	mnl_attr_for_each(attr, message, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) != NFTA_RULE_EXPRESSIONS)
			continue;
		mnl_attr_for_each_nested(element, attr)
			mnl_attr_for_each_nested(part, element)
		{
			if (mnl_attr_get_type(part) != NFTA_EXPR_NAME)
				continue;
			strncat(text, mnl_attr_get_str(part), size - strlen(text) - 1);
			strncat(text, " ", size - strlen(text) - 1);
		}
	}
}

/* The rule that does @what. */
static const struct nlmsghdr *rule_of(const struct netlink_batch *batch, const char *what)
{
	const struct nlmsghdr *message = (const struct nlmsghdr *)batch->data;
	int left = (int)batch->size;

	for (size_t i = 0; mnl_nlmsg_ok(message, left);
	     i++, message = mnl_nlmsg_next(message, &left))
		if (strcmp(batch->what[i], what) == 0)
			return message;
	fail_msg("no message '%s'", what);
	return NULL;
}

static void test_rules(void **state)
{
	static const struct {
		const char *what, *expressions;
	} row[] = {
		{ "drop spoofed IPv4",
		  "meta cmp meta cmp payload cmp counter immediate " },
		{ "drop spoofed IPv6",
		  "meta cmp meta cmp payload cmp counter immediate " },
		{ "let connections hurry",
		  "meta cmp meta cmp payload cmp meta cmp payload bitwise cmp "
		  "immediate " },
		{ "hold SYNs (queue)", "meta cmp meta cmp payload bitwise cmp queue " },
		{ "divert connections (tproxy)",
		  "meta cmp meta cmp immediate tproxy immediate " },
		{ "answer: refused", "meta cmp meta cmp reject " },
		{ "judge connections",
		  "meta cmp meta cmp meta cmp meta cmp payload cmp immediate " },
		{ "judge datagrams",
		  "meta cmp meta cmp meta cmp payload cmp immediate " },
		{ "deny connections", "meta cmp counter reject " },
		{ "deny datagrams", "meta cmp counter queue " },
		{ "drop the rest", "meta cmp counter immediate " },
	};
	const struct relay_config with = config();
	const struct nlmsghdr *message;
	struct netlink_batch batch;
	char text[256];

	(void)state;
	netlink_batch_init(&batch);
	relay_rules(&batch, &with, false);
	assert_false(batch.overflow);
	message = (const struct nlmsghdr *)batch.data;
	assert_int_equal(message->nlmsg_type, NFNL_MSG_BATCH_BEGIN);
	for (size_t i = 0; i < N_ELEMENTS(row); i++) {
		message = rule_of(&batch, row[i].what);
		assert_int_equal(message->nlmsg_type,
		                 NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE);
		expressions(message, text, sizeof(text));
		assert_string_equal(text, row[i].expressions);
	}
	assert_int_equal(rule_of(&batch, "end with nf_tables")->nlmsg_type,
	                 NFNL_MSG_BATCH_END);
	netlink_batch_init(&batch);
	relay_rules(&batch, &with, true);
	expressions(rule_of(&batch, "hold SYNs (xt NFQUEUE)"), text, sizeof(text));
	assert_string_equal(text, "meta cmp meta cmp payload bitwise cmp target ");
}

/* Without IPv6 there is nothing of it. */
static void test_rules_v4(void **state)
{
	struct relay_config with = config();
	struct netlink_batch batch;

	(void)state;
	with.gateway[1] = with.workspace[1] = (struct ip){ 0 };
	netlink_batch_init(&batch);
	relay_rules(&batch, &with, false);
	assert_false(batch.overflow);
	for (size_t i = 0; i < batch.n; i++)
		assert_string_not_equal(batch.what[i], "drop spoofed IPv6");
	(void)rule_of(&batch, "drop IPv6, which the workspace has not");
}

static void test_queue(void **state)
{
	struct netlink_batch batch;
	const struct nlmsghdr *message = (const struct nlmsghdr *)batch.data;
	const struct nlattr *attr;
	int left, found = 0;

	(void)state;
	netlink_batch_init(&batch);
	relay_queue_messages(&batch, 77);
	assert_int_equal(batch.n, 6);
	left = (int)batch.size;
	message = mnl_nlmsg_next(message, &left);
	mnl_attr_for_each(attr, message,
	                  sizeof(struct nfgenmsg)) if (mnl_attr_get_type(attr) ==
	                                               NFQA_CFG_QUEUE_MAXLEN)
	{
		assert_in_range(ntohl(mnl_attr_get_u32(attr)), 77 + 1, 4096);
		found++;
	}
	assert_int_equal(found, 1);
}

/* As the relay's loop does it, where the link has something for it. */
static bool link_turn(struct relay *relay)
{
	struct epoll_event event;
	struct source *source;

	if (epoll_wait(relay->epoll, &event, 1, 0) != 1)
		return false;
	source = event.data.ptr;
	source->ready(relay, source, event.events);
	return true;
}

/* What the kernel answers to who sends, instead of sending: 0 for nothing. */
static int send_error;

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	if (send_error == 0)
		return syscall(SYS_sendmsg, fd, message, flags);
	errno = send_error;
	return -1;
}

/* Memory is short for a while: what is said then is late, and not lost. */
static void test_owes_by_clock(void **state)
{
	static struct relay relay;
	const struct ports_message asked = { .word = PORTS_REMOVE, .id = 7 };
	const int trouble[] = { ENOBUFS, ENOMEM },
		  gone[] = { EPIPE, ECONNRESET, ENOTCONN };
	struct ports_message said;
	int ports[2], maker[2], fd = -EBADF;
	struct err err = { 0 };

	(void)state;
	relay.epoll = epoll_create1(EPOLL_CLOEXEC);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ports), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, maker), 0);
	assert_int_equal(published_start(&relay,
	                                 &(struct relay_links){ .ports = ports[1],
	                                                        .maker = maker[1] },
	                                 &err),
	                 0);
	for (size_t i = 0; i < N_ELEMENTS(trouble); i++) {
		assert_false(published_are_busy(&relay));
		assert_int_equal(ports_send(ports[0], &asked, -EBADF, 0), 0);
		send_error = trouble[i];
		assert_true(link_turn(&relay));
		/* It has its clock, and does not turn for it, nor listens. */
		assert_true(published_are_busy(&relay));
		published_expire(&relay);
		send_error = 0;
		assert_int_equal(ports_send(ports[0], &asked, -EBADF, 0), 0);
		assert_false(link_turn(&relay));
		published_expire(&relay);
		assert_false(published_are_busy(&relay));
		assert_true(link_turn(&relay));
		for (int k = 0; k < 2; k++) {
			assert_int_equal(
				ports_receive(ports[0], &said, &fd, MSG_DONTWAIT), 1);
			assert_int_equal(said.word, PORTS_DONE);
			assert_int_equal(said.id, asked.id);
		}
		assert_int_equal(ports_receive(ports[0], &said, &fd, MSG_DONTWAIT),
		                 -EAGAIN);
	}
	/* Whom nobody can tell is owed nothing. */
	for (size_t i = 0; i < N_ELEMENTS(gone); i++) {
		assert_int_equal(ports_send(ports[0], &asked, -EBADF, 0), 0);
		send_error = gone[i];
		assert_true(link_turn(&relay));
		send_error = 0;
		assert_false(published_are_busy(&relay));
		assert_false(relay.ports.owes);
	}
	(void)close(ports[0]);
	(void)close(ports[1]);
	(void)close(maker[0]);
	(void)close(maker[1]);
	(void)close(relay.epoll);
}

/* A supervisor that does not read for a while is told everything when it does. */
static void test_owes_answers(void **state)
{
	static struct relay relay;
	const struct ports_message other = { .word = PORTS_HIDDEN };
	const struct ports_message asked[] = { { .word = PORTS_REMOVE, .id = 7 },
		                               { .word = PORTS_USE },
		                               { .word = PORTS_REMOVE, .id = 8 } };
	const uint32_t want[] = { PORTS_DONE, PORTS_USED, PORTS_DONE };
	struct ports_message said;
	int ports[2], maker[2], fd = -EBADF;
	struct err err = { 0 };
	size_t n = 0;

	(void)state;
	relay.epoll = epoll_create1(EPOLL_CLOEXEC);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ports), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, maker), 0);
	assert_int_equal(published_start(&relay,
	                                 &(struct relay_links){ .ports = ports[1],
	                                                        .maker = maker[1] },
	                                 &err),
	                 0);
	relay.ports.came = 3;
	while (ports_send(ports[1], &other, -EBADF, MSG_DONTWAIT) == 0)
		continue;
	for (size_t i = 0; i < N_ELEMENTS(asked); i++)
		assert_int_equal(ports_send(ports[0], &asked[i], -EBADF, 0), 0);
	assert_true(link_turn(&relay));
	/* It sleeps as long as the link is full. */
	assert_false(link_turn(&relay));
	while (ports_receive(ports[0], &said, &fd, MSG_DONTWAIT) == 1)
		assert_int_equal(said.word, PORTS_HIDDEN);
	while (link_turn(&relay))
		continue;
	for (; ports_receive(ports[0], &said, &fd, MSG_DONTWAIT) == 1; n++) {
		assert_true(n < N_ELEMENTS(want));
		assert_int_equal(said.word, want[n]);
		assert_int_equal(said.id, asked[n].id);
		assert_int_equal(said.count, n == 1 ? 3 : 0);
	}
	assert_int_equal(n, N_ELEMENTS(want));
	/* Nobody is there any more: it is not told, and that is no reason to turn for ever. */
	assert_int_equal(ports_send(ports[0], &asked[0], -EBADF, 0), 0);
	(void)close(ports[0]);
	for (int i = 0; i < 9 && link_turn(&relay); i++)
		assert_true(i < 8);
	(void)close(ports[1]);
	(void)close(maker[0]);
	(void)close(maker[1]);
	(void)close(relay.epoll);
}

/* A flow that was used at this time, with a descriptor of its own. */
static struct udp *flow_of(struct relay *relay, uint64_t used, bool answered)
{
	struct udp *udp = calloc(1, sizeof(*udp));

	assert_non_null(udp);
	*udp = (struct udp){ .fd = eventfd(0, EFD_CLOEXEC),
		             .used = used,
		             .answered = answered };
	assert_true(udp->fd >= 0);
	LIST_INSERT_HEAD(&relay->flow_bucket[0], udp, bucket);
	if (answered)
		TAILQ_INSERT_TAIL(&relay->answered, udp, queue);
	else
		TAILQ_INSERT_TAIL(&relay->asked, udp, queue);
	relay->flows++;
	return udp;
}

/* Half a minute without an answer, three with one, since it was last used. */
static void test_idle_flows(void **state)
{
	static const struct {
		uint64_t now;
		unsigned int left;
	} at[] = {
		{ 30999, 4 },  { 31000, 3 },  { 31999, 3 },  { 32000, 2 },
		{ 180999, 2 }, { 181000, 1 }, { 181499, 1 }, { 181500, 0 },
	};
	static struct relay relay;

	(void)state;
	TAILQ_INIT(&relay.asked);
	TAILQ_INIT(&relay.answered);
	(void)flow_of(&relay, 1000, false);
	(void)flow_of(&relay, 2000, false);
	(void)flow_of(&relay, 1000, true);
	relay.now = 1500;
	udp_used(&relay, flow_of(&relay, 1000, true));
	for (size_t i = 0; i < N_ELEMENTS(at); i++) {
		relay.now = at[i].now;
		udp_expire(&relay);
		assert_int_equal(relay.flows, at[i].left);
	}
	while (relay.doomed_udp) {
		struct udp *udp = relay.doomed_udp;

		assert_int_equal(udp->fd, -EBADF);
		relay.doomed_udp = udp->doomed;
		free(udp);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_idle_flows),    cmocka_unit_test(test_owes_answers),
		cmocka_unit_test(test_owes_by_clock), cmocka_unit_test(test_gateway),
		cmocka_unit_test(test_rules),         cmocka_unit_test(test_rules_v4),
		cmocka_unit_test(test_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
