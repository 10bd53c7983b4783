#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "netns/relay_internal.h"

/*
 * Datagrams from outside. Each client of a port has a socket in the gateway that is bound as
 * the client and connected to the workspace, so answers find it; they leave by the port's own
 * socket, from the address that the client knows. Who was quiet for longest goes first.
 */

#define DATAGRAMS_PER_TURN 64
#define QUIET_MS 30000
#define ANSWERED_MS 180000

/* What may come along with a datagram: where it was sent to. */
union pktinfo {
	char room[CMSG_SPACE(sizeof(struct in6_pktinfo)) +
	          CMSG_SPACE(sizeof(struct in_pktinfo))];
	struct cmsghdr align;
};

static struct inflow_list *list_of(struct relay *relay, const struct inflow *inflow)
{
	return inflow->answered ? &relay->ports.answered : &relay->ports.quiet;
}

static void used(struct relay *relay, struct inflow *inflow, bool answered)
{
	TAILQ_REMOVE(list_of(relay, inflow), inflow, queue);
	inflow->used = relay->now;
	inflow->answered |= answered;
	TAILQ_INSERT_TAIL(list_of(relay, inflow), inflow, queue);
}

static void forget(struct relay *relay, struct inflow *inflow)
{
	LIST_REMOVE(inflow, bucket);
	TAILQ_REMOVE(list_of(relay, inflow), inflow, queue);
	drop_fd(&inflow->fd);
	relay->ports.flows--;
	inflow->doomed = relay->ports.doomed_flow;
	relay->ports.doomed_flow = inflow;
}

static uint32_t bucket_of(const struct relay *relay, const struct flow *flow)
{
	return flow_hash(flow, relay->seed) % UDP_BUCKETS;
}

/* Where a datagram was sent to, and by which interface. */
static struct in6_addr sent_to(struct msghdr *message, unsigned int *ret_interface)
{
	struct in6_addr to = { 0 };

	*ret_interface = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			to = info.ipi6_addr;
			*ret_interface = (unsigned int)info.ipi6_ifindex;
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			to.s6_addr[10] = to.s6_addr[11] = 0xff;
			memcpy(&to.s6_addr[12], &info.ipi_spec_dst, 4);
		}
	}
	return to;
}

#define UDP_HEADER 8

/* From there again, or the kernel would choose another address of the pod. */
static void answer(const struct inflow *inflow, const void *data, size_t n)
{
	const struct in6_addr *own = &inflow->flow.to.address;
	union address client = inflow->client;
	struct iovec iov = { .iov_base = (void *)data, .iov_len = n };
	union pktinfo beside = { 0 };
	struct msghdr message = {
		.msg_name = &client,
		.msg_namelen = client.any.sa_family == AF_INET ? sizeof(client.v4)
		                                               : sizeof(client.v6),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = beside.room,
		.msg_controllen = sizeof(beside.room),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);

	if (inflow->port->v4) {
		struct in_pktinfo info = { 0 };

		memcpy(&info.ipi_spec_dst, &own->s6_addr[12], 4);
		c->cmsg_level = IPPROTO_IP;
		c->cmsg_type = IP_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(info));
		message.msg_controllen = CMSG_SPACE(sizeof(info));
		memcpy(CMSG_DATA(c), &info, sizeof(info));
	} else {
		const struct in6_pktinfo info = {
			.ipi6_addr = *own,
			.ipi6_ifindex =
				IN6_IS_ADDR_LINKLOCAL(own) ? inflow->interface : 0,
		};

		c->cmsg_level = IPPROTO_IPV6;
		c->cmsg_type = IPV6_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(info));
		message.msg_controllen = CMSG_SPACE(sizeof(info));
		memcpy(CMSG_DATA(c), &info, sizeof(info));
	}
	(void)sendmsg(inflow->port->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void answered(struct relay *relay, struct source *source, uint32_t events)
{
	struct inflow *inflow = (struct inflow *)source; /* its first member */
	unsigned char *data = relay->datagrams.data[0];

	(void)events;
	for (int i = 0; inflow->fd >= 0 && i < DATAGRAMS_PER_TURN; i++) {
		ssize_t n = recv(inflow->fd, data, DATAGRAM_MAX, MSG_DONTWAIT);

		/* ECONNREFUSED: nobody inside, and no way to tell that outside. */
		if (n < 0 && errno == ECONNREFUSED)
			continue;
		if (n < 0)
			return;
		used(relay, inflow, true);
		if (!pace_open(relay))
			continue;
		pace_packet(relay, &inflow->flow.from, UDP_HEADER + (size_t)n);
		answer(inflow, data, (size_t)n);
	}
	if (inflow->fd >= 0)
		relay_watch_again(relay, inflow->fd, source, WATCH_READING);
}

/* As the client, with his port if it is to be had. */
static int bind_and_connect(int fd, const struct endpoint *from,
                            const struct endpoint *to)
{
	struct endpoint any_port = { .address = from->address };
	const int fragment = IP_PMTUDISC_DONT;
	union address address;
	socklen_t n = endpoint_to(from, &address);

	/* A network inside may have a smaller MTU, and says so to the client, not to us. */
	(void)setsockopt(fd, endpoint_is_v4(to) ? IPPROTO_IP : IPPROTO_IPV6,
	                 endpoint_is_v4(to) ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER,
	                 &fragment, sizeof(fragment));
	if (bind(fd, &address.any, n) < 0) {
		n = endpoint_to(&any_port, &address);
		if (bind(fd, &address.any, n) < 0)
			return -errno;
	}
	n = endpoint_to(to, &address);
	return connect(fd, &address.any, n) < 0 ? -errno : 0;
}

static int begin(struct relay *relay, struct port *port, const struct flow *flow,
                 struct inflow **ret)
{
	struct published *ports = &relay->ports;
	struct inflow *inflow;
	struct endpoint from, to;
	int fd, r;

	published_face(relay, port, &flow->from, &from, &to);
	fd = published_take(relay, endpoint_is_v4(&to) ? MAKER_UDP4 : MAKER_UDP6);
	if (fd < 0)
		return fd;
	r = bind_and_connect(fd, &from, &to);
	inflow = r < 0 ? NULL : calloc(1, sizeof(*inflow));
	if (!inflow) {
		drop_fd(&fd);
		return r < 0 ? r : -ENOMEM;
	}
	if (ports->flows >= ports->flows_max)
		forget(relay, TAILQ_EMPTY(&ports->quiet) ? TAILQ_FIRST(&ports->answered)
		                                         : TAILQ_FIRST(&ports->quiet));
	*inflow = (struct inflow){ .source.ready = answered,
		                   .port = port,
		                   .flow = *flow,
		                   .used = relay->now,
		                   .fd = fd };
	LIST_INSERT_HEAD(&ports->bucket[bucket_of(relay, flow)], inflow, bucket);
	TAILQ_INSERT_TAIL(&ports->quiet, inflow, queue);
	ports->flows++;
	*ret = inflow;
	r = relay_watch(relay, fd, &inflow->source, WATCH_READING);
	if (r < 0)
		forget(relay, inflow);
	return r;
}

static struct inflow *find(struct relay *relay, const struct port *port,
                           const struct flow *flow)
{
	struct inflow *inflow;

	LIST_FOREACH(inflow, &relay->ports.bucket[bucket_of(relay, flow)], bucket)
	if (inflow->port == port && flow_equal(&inflow->flow, flow))
		return inflow;
	return NULL;
}

/* Whether there will be a socket for a new client, which a datagram must not wait for. */
static bool is_ready(struct relay *relay)
{
	const bool v6 = relay->config->workspace[1].family != 0;

	for (int kind = MAKER_UDP4; kind <= (v6 ? MAKER_UDP6 : MAKER_UDP4); kind++)
		if (relay->ports.spares[kind] == 0) {
			(void)published_take(relay, (enum maker_kind)kind);
			return false;
		}
	return true;
}

void inflow_receive(struct relay *relay, struct source *source, uint32_t events)
{
	struct port *port = (struct port *)source; /* its first member */
	unsigned char *data = relay->datagrams.data[0];

	(void)events;
	for (int i = 0; port->fd >= 0 && i < DATAGRAMS_PER_TURN; i++) {
		union address client = { 0 };
		union pktinfo beside;
		struct iovec iov = { .iov_base = data, .iov_len = DATAGRAM_MAX };
		struct msghdr message = { .msg_name = &client,
			                  .msg_namelen = sizeof(client),
			                  .msg_iov = &iov,
			                  .msg_iovlen = 1,
			                  .msg_control = beside.room,
			                  .msg_controllen = sizeof(beside.room) };
		struct inflow *inflow;
		unsigned int interface;
		struct flow flow;
		ssize_t n;

		if (!is_ready(relay)) {
			port_pause(relay, port, true);
			return;
		}
		n = recvmsg(port->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		/* ICMP errors about our answers are reported here, too. */
		if (n < 0 && errno != EAGAIN)
			continue;
		if (n < 0)
			return;
		flow.from = endpoint_from(&client);
		flow.to.address = sent_to(&message, &interface);
		flow.to.port = 0;
		inflow = find(relay, port, &flow);
		if (!inflow && begin(relay, port, &flow, &inflow) < 0)
			continue;
		inflow->client = client;
		inflow->interface = interface;
		used(relay, inflow, false);
		relay->ports.came += port->counts;
		/* An error of an earlier one is told once, by whoever calls next: us. */
		if (send(inflow->fd, data, (size_t)n, MSG_DONTWAIT) < 0 &&
		    errno != EAGAIN)
			(void)send(inflow->fd, data, (size_t)n, MSG_DONTWAIT);
	}
}

void inflow_expire(struct relay *relay)
{
	struct published *ports = &relay->ports;
	struct inflow *inflow;

	while ((inflow = TAILQ_FIRST(&ports->quiet)) &&
	       relay->now - inflow->used >= QUIET_MS)
		forget(relay, inflow);
	while ((inflow = TAILQ_FIRST(&ports->answered)) &&
	       relay->now - inflow->used >= ANSWERED_MS)
		forget(relay, inflow);
}

void inflow_close_port(struct relay *relay, const struct port *port)
{
	struct inflow_list *const list[] = { &relay->ports.quiet,
		                             &relay->ports.answered };
	struct inflow *inflow, *next;

	for (int i = 0; i < 2; i++)
		for (inflow = TAILQ_FIRST(list[i]); inflow; inflow = next) {
			next = TAILQ_NEXT(inflow, queue);
			if (inflow->port == port)
				forget(relay, inflow);
		}
}

void inflow_bury(struct relay *relay)
{
	while (relay->ports.doomed_flow) {
		struct inflow *inflow = relay->ports.doomed_flow;

		relay->ports.doomed_flow = inflow->doomed;
		free(inflow);
	}
}
