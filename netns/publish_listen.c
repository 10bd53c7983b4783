#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "netns/packet.h"
#include "netns/publish.h"

#define BACKLOG 1024

/* All addresses by one socket where there is IPv6 at all, even without an address of it. */
static int make(const struct publish *publish, union address *at)
{
	const int type = publish->udp ? SOCK_DGRAM : SOCK_STREAM;
	int family = publish->address.family ? publish->address.family : AF_INET6;
	int sock = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (sock < 0 && !publish->address.family) {
		family = AF_INET;
		sock = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	}
	if (sock < 0)
		return -errno;
	*at = (union address){ .any.sa_family = (sa_family_t)family };
	if (at->any.sa_family == AF_INET) {
		at->v4.sin_port = htons(publish->out);
		memcpy(&at->v4.sin_addr, publish->address.byte, 4);
	} else {
		at->v6.sin6_port = htons(publish->out);
		memcpy(&at->v6.sin6_addr, publish->address.byte, 16);
	}
	return sock;
}

static int set_up(int sock, const struct publish *publish, bool v6)
{
	const int on = 1, only = publish->address.family == AF_INET6;

	if (v6 && setsockopt(sock, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)) < 0)
		return -errno;
	/* A port whose last connections are still in TIME_WAIT is free. Not for UDP, where
	 * two sockets would share the port. */
	if (!publish->udp)
		return setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0
		               ? -errno
		               : 0;
	if (setsockopt(sock, v6 ? IPPROTO_IPV6 : IPPROTO_IP,
	               v6 ? IPV6_RECVPKTINFO : IP_PKTINFO, &on, sizeof(on)) < 0)
		return -errno;
	return 0;
}

int publish_listen(const struct publish *publish, struct err *err)
{
	union address at;
	cleanup_close int sock = make(publish, &at);
	const bool v6 = at.any.sa_family == AF_INET6;
	char text[PUBLISH_TEXT_MAX];
	int r = sock;

	if (r >= 0)
		r = set_up(sock, publish, v6);
	if (r >= 0 && bind(sock, &at.any, v6 ? sizeof(at.v6) : sizeof(at.v4)) < 0)
		r = -errno;
	if (r >= 0 && !publish->udp && listen(sock, BACKLOG) < 0)
		r = -errno;
	if (r < 0)
		return err_set(err, -r, "open port '%s'", publish_text(publish, text));
	return take_fd(&sock);
}
