#include "netns/lookout.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <string.h>

#include "base/clock.h"
#include "netns/netlink.h"

/* Answers of questions before; one more at most is left of each. */
#define LEFT_MAX 64

struct finder {
	lookout_fn *each;
	void *ctx;
	bool udp;
};

static struct in6_addr address_of(unsigned char family, const void *bytes)
{
	struct in6_addr address = { 0 };

	if (family == AF_INET6) {
		memcpy(&address, bytes, 16);
		return address;
	}
	address.s6_addr[10] = address.s6_addr[11] = 0xff;
	memcpy(&address.s6_addr[12], bytes, 4);
	return address;
}

static int one(const struct nlmsghdr *message, void *data)
{
	const struct inet_diag_msg *diag = mnl_nlmsg_get_payload(message);
	const struct finder *finder = data;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*diag) || !diag->id.idiag_sport)
		return 0;
	const struct listener listener = {
		.address = address_of(diag->idiag_family, diag->id.idiag_src),
		.port = ntohs(diag->id.idiag_sport),
		.udp = finder->udp,
	};

	finder->each(finder->ctx, &listener);
	return 0;
}

/* clang-format off */
static const struct question {
	unsigned char family, protocol;
	uint32_t states;
} questions[] = {
	{ AF_INET, IPPROTO_TCP, 1U << TCP_LISTEN },
	{ AF_INET6, IPPROTO_TCP, 1U << TCP_LISTEN },
	/* UDP that is bound is called "closed", and connected "established". */
	{ AF_INET, IPPROTO_UDP, 1U << TCP_CLOSE },
	{ AF_INET6, IPPROTO_UDP, 1U << TCP_CLOSE },
};
/* clang-format on */

static void write_question(struct netlink_batch *batch, const struct question *question)
{
	const struct inet_diag_req_v2 body = {
		.sdiag_family = question->family,
		.sdiag_protocol = question->protocol,
		.idiag_states = question->states,
	};
	struct nlmsghdr *message;

	netlink_batch_init(batch);
	message =
		netlink_begin(batch, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, "ask who listens");
	memcpy(mnl_nlmsg_put_extra_header(message, sizeof(body)), &body, sizeof(body));
	netlink_end(batch, message);
}

int lookout_go_on(struct look *look, int sock, int64_t until_ns, lookout_fn *each,
                  void *ctx, struct err *err)
{
	struct netlink_batch batch;

	do {
		const struct question *question = &questions[look->question];
		struct finder finder = { each, ctx, question->protocol == IPPROTO_UDP };
		int r = 0;

		write_question(&batch, question);
		if (!look->asked)
			r = netlink_dump_begin(sock, &batch, err);
		if (r == 0)
			r = netlink_dump_part(sock, &batch, one, &finder, err);
		look->asked = r > 0;
		if (r == 0 && ++look->question < sizeof(questions) / sizeof(*questions))
			continue;
		if (r <= 0) {
			*look = (struct look){ 0 };
			return r;
		}
	} while (clock_ns(CLOCK_MONOTONIC) < until_ns);
	return 1;
}

int lookout_listeners(int sock, lookout_fn *each, void *ctx, struct err *err)
{
	struct look look = { 0 };

	return lookout_go_on(&look, sock, INT64_MAX, each, ctx, err);
}

bool lookout_read_route(const struct nlmsghdr *message, const struct in6_addr *gateway)
{
	const bool v4 = IN6_IS_ADDR_V4MAPPED(gateway);
	const struct rtmsg *route = mnl_nlmsg_get_payload(message);
	const size_t n = v4 ? 4 : 16;
	const struct nlattr *attr;

	if (message->nlmsg_type != RTM_NEWROUTE ||
	    mnl_nlmsg_get_payload_len(message) < sizeof(*route) ||
	    route->rtm_type != RTN_UNICAST)
		return false;
	mnl_attr_for_each(attr, message, sizeof(*route))
	{
		if (mnl_attr_get_type(attr) == RTA_GATEWAY &&
		    mnl_attr_get_payload_len(attr) == n)
			return memcmp(mnl_attr_get_payload(attr),
			              &gateway->s6_addr[v4 ? 12 : 0], n) == 0;
	}
	return false;
}

/* What is left of a question whose answer did not come. Return: whether nothing is now. */
static bool forget(int sock)
{
	unsigned char rest[16];

	for (int i = 0; i < LEFT_MAX; i++)
		if (recv(sock, rest, sizeof(rest), MSG_DONTWAIT | MSG_TRUNC) <= 0)
			return true;
	return false;
}

bool lookout_goes_to(int sock, const struct in6_addr *to, const struct in6_addr *gateway)
{
	const bool v4 = IN6_IS_ADDR_V4MAPPED(to);
	const struct rtmsg body = { .rtm_family = v4 ? AF_INET : AF_INET6,
		                    .rtm_dst_len = v4 ? 32 : 128 };
	_Alignas(NLMSG_ALIGNTO) unsigned char buffer[4096];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	ssize_t n;

	if (sock < 0)
		return false;
	message->nlmsg_type = RTM_GETROUTE;
	message->nlmsg_flags = NLM_F_REQUEST;
	memcpy(mnl_nlmsg_put_extra_header(message, sizeof(body)), &body, sizeof(body));
	mnl_attr_put(message, RTA_DST, v4 ? 4 : 16, &to->s6_addr[v4 ? 12 : 0]);
	if (!forget(sock) || send(sock, message, message->nlmsg_len, MSG_DONTWAIT) < 0)
		return false;
	/* The kernel has answered when it returns from that. */
	n = recv(sock, buffer, sizeof(buffer), MSG_DONTWAIT);
	return n > 0 && mnl_nlmsg_ok(message, (int)n) &&
	       lookout_read_route(message, gateway);
}
