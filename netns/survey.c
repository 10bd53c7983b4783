#include "netns/survey.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/file.h"
#include "netns/netlink.h"

#define RESOLV_CONF_MAX 8192

struct survey {
	struct arena *arena;
	struct ip *used;
	size_t n, room;
	bool ipv6;
};

static void add(struct survey *survey, unsigned char family, unsigned char prefix,
                const struct nlattr *address)
{
	const size_t size = ip_size(family);
	struct ip *ip;

	if (!address || !size || mnl_attr_get_payload_len(address) != size)
		return;
	if (survey->n == survey->room) {
		const size_t room = survey->room ? survey->room * 2 : 32;
		struct ip *bigger = arena_alloc(survey->arena, room * sizeof(*bigger));

		if (!bigger)
			return; /* the arena remembers */
		if (survey->n > 0)
			memcpy(bigger, survey->used, survey->n * sizeof(*bigger));
		survey->used = bigger;
		survey->room = room;
	}
	ip = &survey->used[survey->n++];
	*ip = (struct ip){ .family = family, .prefix = prefix };
	memcpy(ip->byte, mnl_attr_get_payload(address), size);
}

static const struct nlattr *find(const struct nlmsghdr *m, size_t offset, uint16_t type)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, m,
	                  offset) if (mnl_attr_get_type(attr) == type) return attr;
	return NULL;
}

static int on_address(const struct nlmsghdr *m, void *data)
{
	const struct ifaddrmsg *body = mnl_nlmsg_get_payload(m);
	struct survey *survey = data;

	add(survey, body->ifa_family, body->ifa_prefixlen,
	    find(m, sizeof(*body), IFA_ADDRESS));
	if (body->ifa_family == AF_INET6 && body->ifa_scope == RT_SCOPE_UNIVERSE)
		survey->ipv6 = true;
	return 0;
}

/* A default route has no RTA_DST, and says nothing of what is taken. */
static int on_route(const struct nlmsghdr *m, void *data)
{
	const struct rtmsg *body = mnl_nlmsg_get_payload(m);

	if (body->rtm_type == RTN_UNICAST)
		add(data, body->rtm_family, body->rtm_dst_len,
		    find(m, sizeof(*body), RTA_DST));
	return 0;
}

static int list(int sock, uint16_t type, size_t body,
                int (*each)(const struct nlmsghdr *, void *), struct survey *survey,
                struct err *err)
{
	struct netlink_batch batch;
	struct nlmsghdr *m;

	netlink_batch_init(&batch);
	m = netlink_begin(&batch, type, NLM_F_DUMP, "list %s",
	                  type == RTM_GETADDR ? "addresses" : "routes");
	(void)mnl_nlmsg_put_extra_header(m, body);
	netlink_end(&batch, m);
	return netlink_dump(sock, &batch, each, survey, err);
}

/*
 * The address that a socket of ours would have: the kernel chooses it when a datagram socket
 * is connected, and nothing is sent. To networks that nobody has (RFC 5737, RFC 3849).
 */
static void find_own(struct ip ret[2])
{
	static const char *const far[] = { "192.0.2.1", "2001:db8::1" };

	for (int i = 0; i < 2; i++) {
		const unsigned char family = i == 0 ? AF_INET : AF_INET6;
		cleanup_close int sock = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		struct sockaddr_storage own = { .ss_family = family };
		struct sockaddr_in *four = (struct sockaddr_in *)&own;
		struct sockaddr_in6 *six = (struct sockaddr_in6 *)&own;
		void *address = i == 0 ? (void *)&four->sin_addr : &six->sin6_addr;
		socklen_t n = i == 0 ? sizeof(*four) : sizeof(*six);

		/* The port's place is the same in both. */
		four->sin_port = htons(9);
		if (sock < 0 || inet_pton(family, far[i], address) != 1 ||
		    connect(sock, (struct sockaddr *)&own, n) < 0 ||
		    getsockname(sock, (struct sockaddr *)&own, &n) < 0)
			continue;
		ret[i] = (struct ip){
			.family = family,
			.prefix = (unsigned char)(ip_size(family) * 8),
		};
		memcpy(ret[i].byte, address, ip_size(family));
	}
}

int net_survey(struct arena *arena, struct net_facts *ret, struct err *err)
{
	struct survey survey = { .arena = arena };
	cleanup_close int sock = netlink_open(NETLINK_ROUTE, err);
	struct err ignored = { 0 };
	char *text = arena_alloc(arena, RESOLV_CONF_MAX);
	int r = sock;

	if (r >= 0)
		r = list(sock, RTM_GETADDR, sizeof(struct ifaddrmsg), on_address, &survey,
		         err);
	if (r == 0)
		r = list(sock, RTM_GETROUTE, sizeof(struct rtmsg), on_route, &survey,
		         err);
	if (r < 0)
		return r;
	if (!text ||
	    file_read(AT_FDCWD, "/etc/resolv.conf", text, RESOLV_CONF_MAX, &ignored) < 0)
		text = (char *)arena_dup(arena, "");
	*ret = (struct net_facts){ .used = survey.used,
		                   .used_n = survey.n,
		                   .ipv6 = survey.ipv6,
		                   .resolv_conf = text };
	find_own(ret->own);
	return 0;
}
