#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "netns/relay_internal.h"

/*
 * Datagrams of the workspace. Each pair of sender and destination has a connected socket
 * outside: so answers come from the destination alone, and errors are known. They are
 * bounded; the one that was quiet for longest goes first.
 */

#define DNS_PORT 53
#define UDP_HEADER 8
#define TURNS 16

/* While there are no more of them each has the room for a burst. */
#define FEW_FLOWS 64

/* Without an answer there is nothing to keep up; with one, as RFC 4787 asks for. */
#define ASKED_MS 30000
#define ANSWERED_MS 180000

/* A nameserver that has not answered by the next try is not asked again. */
#define NAMESERVER_MS 900

static uint32_t bucket_of(const struct relay *relay, const struct flow *flow,
                          uint8_t protocol)
{
	return flow_hash(flow, relay->seed ^ protocol) % UDP_BUCKETS;
}

static struct udp_list *list_of(struct relay *relay, const struct udp *udp)
{
	return udp->answered ? &relay->answered : &relay->asked;
}

void udp_used(struct relay *relay, struct udp *udp)
{
	TAILQ_REMOVE(list_of(relay, udp), udp, queue);
	udp->used = relay->now;
	TAILQ_INSERT_TAIL(list_of(relay, udp), udp, queue);
}

void udp_close(struct relay *relay, struct udp *udp)
{
	LIST_REMOVE(udp, bucket);
	TAILQ_REMOVE(list_of(relay, udp), udp, queue);
	drop_fd(&udp->fd);
	relay->flows--;
	udp->doomed = relay->doomed_udp;
	relay->doomed_udp = udp;
}

void udp_expire(struct relay *relay)
{
	struct udp *udp;

	while ((udp = TAILQ_FIRST(&relay->asked)) && relay->now - udp->used >= ASKED_MS)
		udp_close(relay, udp);
	while ((udp = TAILQ_FIRST(&relay->answered)) &&
	       relay->now - udp->used >= ANSWERED_MS)
		udp_close(relay, udp);
}

static int outer_socket(const struct endpoint *to, uint8_t protocol)
{
	const bool v4 = endpoint_is_v4(to);
	cleanup_close int sock =
		socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	               protocol);
	const int on = 1;
	union address address;
	socklen_t n = endpoint_to(to, &address);

	if (sock < 0)
		return -errno;
	/* All errors, with the packets they are about. */
	(void)setsockopt(sock, v4 ? IPPROTO_IP : IPPROTO_IPV6,
	                 v4 ? IP_RECVERR : IPV6_RECVERR, &on, sizeof(on));
	if (connect(sock, &address.any, n) < 0)
		return -errno;
	return take_fd(&sock);
}

/* Many programs ask each time by a new socket: a nameserver is judged by all questions. */
static void judge_nameserver(struct relay *relay)
{
	if (!relay->asked_since) {
		relay->asked_since = relay->now;
	} else if (relay->now - relay->asked_since >= NAMESERVER_MS) {
		relay->nameserver =
			(uint8_t)((relay->nameserver + 1) % relay->config->nameservers);
		relay->asked_since = relay->now;
	}
}

/* Where it goes: not where it is sent, for a question to the gateway. Or -errno. */
static int destination(struct relay *relay, const struct flow *flow, uint8_t protocol,
                       struct endpoint *ret)
{
	const struct relay_config *config = relay->config;

	*ret = flow->to;
	if (relay_is_gateway(config, &flow->to.address)) {
		if (protocol != IPPROTO_UDP || flow->to.port != DNS_PORT ||
		    config->nameservers == 0)
			return -ECONNREFUSED;
		judge_nameserver(relay);
		*ret = config->nameserver[relay->nameserver];
		return 1;
	}
	return egress_permits(relay, &flow->to, protocol);
}

static int begin(struct relay *relay, const struct flow *flow, uint8_t protocol,
                 struct udp **ret)
{
	const int room = DATAGRAM_ROOM;
	struct endpoint to;
	int dns = destination(relay, flow, protocol, &to), fd;
	struct udp *udp;

	if (dns < 0)
		return dns;
	if (relay->flows >= relay->flows_max) {
		udp = TAILQ_FIRST(&relay->asked);
		udp_close(relay, udp ? udp : TAILQ_FIRST(&relay->answered));
	}
	fd = outer_socket(&to, protocol);
	if (fd < 0)
		return fd;
	udp = calloc(1, sizeof(*udp));
	if (!udp) {
		drop_fd(&fd);
		return -ENOMEM;
	}
	*udp = (struct udp){ .source.ready = udp_answered,
		             .flow = *flow,
		             .fd = fd,
		             .protocol = protocol,
		             .since = relay->now,
		             .used = relay->now,
		             .dns = dns == 1,
		             .nameserver = relay->nameserver };
	if (relay->flows < FEW_FLOWS)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	LIST_INSERT_HEAD(&relay->flow_bucket[bucket_of(relay, flow, protocol)], udp,
	                 bucket);
	TAILQ_INSERT_TAIL(&relay->asked, udp, queue);
	relay->flows++;
	if (relay_watch(relay, fd, &udp->source, WATCH_READING) < 0) {
		udp_close(relay, udp);
		return -ENOMEM;
	}
	*ret = udp;
	return 0;
}

struct udp *udp_find(struct relay *relay, const struct flow *flow, uint8_t protocol,
                     const unsigned char head[8])
{
	struct udp *udp;
	int r;

	LIST_FOREACH(udp, &relay->flow_bucket[bucket_of(relay, flow, protocol)], bucket)
	if (udp->protocol == protocol && flow_equal(&udp->flow, flow))
		break;
	if (udp) {
		udp_used(relay, udp);
		return udp;
	}
	r = begin(relay, flow, protocol, &udp);
	if (r < 0) {
		answer_error(relay, flow, protocol, head, -r);
		return NULL;
	}
	return udp;
}

/* A new socket: the old one may be of the other family, and has another's answers. */
static void ask_elsewhere(struct relay *relay, struct udp *udp, const struct endpoint *to)
{
	const int fd = outer_socket(to, IPPROTO_UDP);

	if (fd < 0)
		return; /* the next try is another one's */
	drop_fd(&udp->fd);
	udp->fd = fd;
	(void)relay_watch(relay, fd, &udp->source, WATCH_READING);
}

/* Asked again without an answer: let another nameserver try, for others too. */
static void next_nameserver(struct relay *relay, struct udp *udp)
{
	const unsigned int n = relay->config->nameservers;
	if (udp->answered || n < 2 || relay->now - udp->since < NAMESERVER_MS)
		return;
	if (relay->nameserver == udp->nameserver)
		relay->nameserver = (uint8_t)((relay->nameserver + 1) % n);
	udp->nameserver = relay->nameserver;
	udp->since = relay->now;
	ask_elsewhere(relay, udp, &relay->config->nameserver[udp->nameserver]);
}

static void datagram(struct relay *relay, const struct flow *flow, const void *data,
                     size_t n)
{
	unsigned char head[8];
	struct udp *udp;

	if (!pace_open(relay))
		return;
	pace_packet(relay, &flow->to, UDP_HEADER + n);
	packet_write_udp(head, flow, 0);
	udp = udp_find(relay, flow, IPPROTO_UDP, head);
	if (!udp)
		return;
	if (udp->dns)
		next_nameserver(relay, udp);
	/* An error of an earlier one is told once, by whoever calls next: us. */
	if (send(udp->fd, data, n, 0) < 0 && errno != EAGAIN &&
	    send(udp->fd, data, n, 0) < 0 && errno != EAGAIN)
		answer_error(relay, flow, IPPROTO_UDP, head, errno);
}

/* Where it was sent to, before tproxy brought it here. */
static struct endpoint sent_to(struct msghdr *message)
{
	union address address = { 0 };

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_ORIGDSTADDR)
			memcpy(&address.v4, CMSG_DATA(c), sizeof(address.v4));
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_ORIGDSTADDR)
			memcpy(&address.v6, CMSG_DATA(c), sizeof(address.v6));
	}
	return endpoint_from(&address);
}

void udp_ready(struct relay *relay, struct source *source, uint32_t events)
{
	const int sock = relay->sockets[source == &relay->udp4 ? RELAY_UDP4 : RELAY_UDP6];
	struct mmsghdr message[BATCH];
	struct iovec data[BATCH];
	union address from[BATCH];
	_Alignas(struct cmsghdr) char control[BATCH][64];
	int n = BATCH;

	(void)events;
	for (int turn = 0; turn < TURNS && n == BATCH; turn++) {
		for (int i = 0; i < BATCH; i++) {
			data[i].iov_base = relay->datagrams.data[i];
			data[i].iov_len = DATAGRAM_MAX;
			message[i].msg_hdr = (struct msghdr){
				.msg_name = &from[i],
				.msg_namelen = sizeof(from[i]),
				.msg_iov = &data[i],
				.msg_iovlen = 1,
				.msg_control = control[i],
				.msg_controllen = sizeof(control[i]),
			};
		}
		n = recvmmsg(sock, message, BATCH, MSG_DONTWAIT | MSG_CMSG_CLOEXEC, NULL);
		for (int i = 0; i < n; i++) {
			const struct flow flow = { .from = endpoint_from(&from[i]),
				                   .to = sent_to(&message[i].msg_hdr) };

			if (flow.from.port != 0 && flow.to.port != 0)
				datagram(relay, &flow, data[i].iov_base,
				         message[i].msg_len);
		}
	}
}
