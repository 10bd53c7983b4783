#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <netinet/tcp.h>
#include <string.h>

#include "base/fd.h"
#include "netns/relay_internal.h"

/* Of a SYN: the longest IPv4 header and the TCP header. An echo request counts whole. */
#define SYN_BYTES 128
#define SYN_ROOM 1024
#define ECHO_BYTES 65531
#define ECHO_LENGTH 64
#define DENIED_LENGTH 64
#define BACKLOG 1024

static struct nlmsghdr *configure(struct netlink_batch *batch, uint16_t queue,
                                  const char *what)
{
	const struct nfgenmsg body = { .nfgen_family = AF_UNSPEC,
		                       .version = NFNETLINK_V0,
		                       .res_id = htons(queue) };
	struct nlmsghdr *message = netlink_begin(
		batch, NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_CONFIG, NLM_F_ACK, "%s", what);

	memcpy(mnl_nlmsg_put_extra_header(message, sizeof(body)), &body, sizeof(body));
	return message;
}

static void bind_queue(struct netlink_batch *batch, uint16_t queue, uint32_t bytes,
                       uint32_t length)
{
	const struct nfqnl_msg_config_cmd bind = { .command = NFQNL_CFG_CMD_BIND };
	const struct nfqnl_msg_config_params params = {
		.copy_range = htonl(bytes),
		.copy_mode = NFQNL_COPY_PACKET,
	};
	struct nlmsghdr *message =
		configure(batch, queue, "listen on an nfnetlink queue");

	mnl_attr_put(message, NFQA_CFG_CMD, sizeof(bind), &bind);
	netlink_end(batch, message);
	message = configure(batch, queue, "set an nfnetlink queue's size");
	mnl_attr_put(message, NFQA_CFG_PARAMS, sizeof(params), &params);
	mnl_attr_put_u32(message, NFQA_CFG_QUEUE_MAXLEN, htonl(length));
	netlink_end(batch, message);
}

void relay_queue_messages(struct netlink_batch *batch, unsigned int held)
{
	/* Room for the next one while all are held: it is what makes the oldest go. */
	bind_queue(batch, RELAY_QUEUE_SYN, SYN_BYTES, held + SYN_ROOM);
	bind_queue(batch, RELAY_QUEUE_ECHO, ECHO_BYTES, ECHO_LENGTH);
	bind_queue(batch, RELAY_QUEUE_DENIED, SYN_BYTES, DENIED_LENGTH);
}

static int open_queue(unsigned int held, struct err *err)
{
	cleanup_close int sock = netlink_open(NETLINK_NETFILTER, err);
	const struct sockaddr_nl any = { .nl_family = AF_NETLINK };
	struct netlink_batch batch;
	int r;

	if (sock < 0)
		return sock;
	if (bind(sock, (const struct sockaddr *)&any, sizeof(any)) < 0)
		return err_set(err, errno, "bind the nfnetlink queue's socket");
	netlink_batch_init(&batch);
	relay_queue_messages(&batch, held);
	r = netlink_commit(sock, &batch, err);
	return r < 0 ? r : take_fd(&sock);
}

/* A socket that takes what is sent to any address. */
static int open_transparent(int family, int type, struct err *err)
{
	cleanup_close int sock = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	union address any = { .any.sa_family = (sa_family_t)family };
	const int on = 1, idle = RELAY_KEEPALIVE_S, room = DATAGRAM_ROOM;

	any.v4.sin_port = htons(RELAY_PORT); /* the same place for both families */
	if (sock < 0)
		return err_set(err, errno, "make a socket");
	if (family == AF_INET6 &&
	    setsockopt(sock, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
		return err_set(err, errno, "make a socket for IPv6 only");
	if (setsockopt(sock, family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP,
	               family == AF_INET6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, &on,
	               sizeof(on)) < 0)
		return err_set(err, errno, "make a socket transparent");
	if (bind(sock, &any.any, family == AF_INET6 ? sizeof(any.v6) : sizeof(any.v4)) <
	    0)
		return err_set(err, errno, "bind to port %d", RELAY_PORT);
	if (type != SOCK_STREAM) {
		(void)setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
		if (setsockopt(sock, family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP,
		               family == AF_INET6 ? IPV6_RECVORIGDSTADDR
		                                  : IP_RECVORIGDSTADDR,
		               &on, sizeof(on)) < 0)
			return err_set(err, errno, "ask for destinations");
		return take_fd(&sock);
	}
	/* What is accepted has these too. */
	(void)setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(sock, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(sock, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	if (listen(sock, BACKLOG) < 0)
		return err_set(err, errno, "listen at port %d", RELAY_PORT);
	return take_fd(&sock);
}

/* Sends what it is given, IP header and all, to the workspace; receives nothing. */
static int open_raw(int family, const char *ifname, struct err *err)
{
	cleanup_close int sock =
		socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);

	if (sock < 0)
		return err_set(err, errno, "make a raw socket");
	if (setsockopt(sock, SOL_SOCKET, SO_BINDTODEVICE, ifname,
	               (socklen_t)strlen(ifname)) < 0)
		return err_set(err, errno, "bind a raw socket to '%s'", ifname);
	return take_fd(&sock);
}

static int open_family(const struct relay_config *config, int family,
                       int ret[RELAY_SOCKETS], struct err *err)
{
	const int v6 = family == AF_INET6;
	int r = open_transparent(family, SOCK_STREAM, err);

	if (r < 0)
		return r;
	ret[RELAY_TCP4 + v6] = r;
	r = open_transparent(family, SOCK_DGRAM, err);
	if (r < 0)
		return r;
	ret[RELAY_UDP4 + v6] = r;
	r = open_raw(family, config->ifname, err);
	if (r < 0)
		return r;
	ret[RELAY_RAW4 + v6] = r;
	return 0;
}

int relay_open(const struct relay_config *config, int ret[RELAY_SOCKETS], struct err *err)
{
	int sockets[RELAY_SOCKETS], r;

	for (int i = 0; i < RELAY_SOCKETS; i++)
		sockets[i] = -EBADF;
	r = open_queue(config->held, err);
	if (r >= 0) {
		sockets[RELAY_QUEUE] = r;
		r = open_family(config, AF_INET, sockets, err);
	}
	if (r >= 0 && config->workspace[1].family)
		r = open_family(config, AF_INET6, sockets, err);
	for (int i = 0; i < RELAY_SOCKETS; i++) {
		if (r < 0)
			close_fdp(&sockets[i]);
		else
			ret[i] = sockets[i];
	}
	return r < 0 ? r : 0;
}
