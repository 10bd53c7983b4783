#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <netinet/tcp.h>
#include <string.h>

#include "base/fd.h"
#include "netns/relay_internal.h"

/* Of a SYN: the longest IPv4 header and the TCP header. */
#define QUEUE_BYTES 128
#define BACKLOG 1024

static struct nlmsghdr *configure(struct netlink_batch *batch, const char *what)
{
	const struct nfgenmsg body = { .nfgen_family = AF_UNSPEC,
		                       .version = NFNETLINK_V0,
		                       .res_id = htons(RELAY_QUEUE_NUMBER) };
	struct nlmsghdr *message = netlink_begin(
		batch, NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_CONFIG, NLM_F_ACK, "%s", what);

	memcpy(mnl_nlmsg_put_extra_header(message, sizeof(body)), &body, sizeof(body));
	return message;
}

void relay_queue_messages(struct netlink_batch *batch, unsigned int length)
{
	const struct nfqnl_msg_config_cmd bind = { .command = NFQNL_CFG_CMD_BIND };
	const struct nfqnl_msg_config_params params = {
		.copy_range = htonl(QUEUE_BYTES),
		.copy_mode = NFQNL_COPY_PACKET,
	};
	struct nlmsghdr *message = configure(batch, "listen on the nfnetlink queue");

	mnl_attr_put(message, NFQA_CFG_CMD, sizeof(bind), &bind);
	netlink_end(batch, message);
	message = configure(batch, "set the nfnetlink queue's size");
	mnl_attr_put(message, NFQA_CFG_PARAMS, sizeof(params), &params);
	mnl_attr_put_u32(message, NFQA_CFG_QUEUE_MAXLEN, htonl(length));
	netlink_end(batch, message);
}

static int open_queue(unsigned int length, struct err *err)
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
	relay_queue_messages(&batch, length);
	r = netlink_commit(sock, &batch, err);
	return r < 0 ? r : take_fd(&sock);
}

/* A socket that takes what is sent to any address. */
static int open_transparent(int family, int type, struct err *err)
{
	cleanup_close int sock = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	union address any = { .any.sa_family = (sa_family_t)family };
	const int on = 1, idle = RELAY_KEEPALIVE_S;

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
	if (type != SOCK_STREAM)
		return take_fd(&sock);
	/* What is accepted has these too. */
	(void)setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(sock, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(sock, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	if (listen(sock, BACKLOG) < 0)
		return err_set(err, errno, "listen at port %d", RELAY_PORT);
	return take_fd(&sock);
}

int relay_open(const struct relay_config *config, int ret[RELAY_SOCKETS], struct err *err)
{
	cleanup_close int queue = -EBADF, tcp4 = -EBADF, tcp6 = -EBADF;

	queue = open_queue(config->held, err);
	if (queue < 0)
		return queue;
	tcp4 = open_transparent(AF_INET, SOCK_STREAM, err);
	if (tcp4 < 0)
		return tcp4;
	if (config->workspace[1].family) {
		tcp6 = open_transparent(AF_INET6, SOCK_STREAM, err);
		if (tcp6 < 0)
			return tcp6;
	}
	ret[RELAY_QUEUE] = take_fd(&queue);
	ret[RELAY_TCP4] = take_fd(&tcp4);
	ret[RELAY_TCP6] = take_fd(&tcp6);
	return 0;
}
