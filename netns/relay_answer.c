#include "netns/relay_internal.h"

#include <errno.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <linux/errqueue.h>

/*
 * What comes back: packets made by us, with the sender whom the workspace asked, and sent
 * by a raw socket of the gateway, because no socket of ours is bound there.
 */

#define ERRORS_PER_TURN 16
#define BATCHES_PER_TURN 16

static struct in6_addr gateway_of(const struct relay *relay, bool v4)
{
	const struct ip *ip = &relay->config->gateway[!v4];
	union address address = { 0 };
	struct endpoint endpoint;

	address.any.sa_family = v4 ? AF_INET : AF_INET6;
	if (v4)
		memcpy(&address.v4.sin_addr, ip->byte, sizeof(address.v4.sin_addr));
	else
		memcpy(&address.v6.sin6_addr, ip->byte, sizeof(address.v6.sin6_addr));
	endpoint = endpoint_from(&address);
	return endpoint.address;
}

/* Sends it in as many fragments as it takes; PACKET_HEADROOM is writable before it. */
static void send_packet(struct relay *relay, unsigned char *payload, size_t n,
                        const struct flow *flow, uint8_t protocol)
{
	const bool v4 = endpoint_is_v4(&flow->from);
	const struct endpoint to = { .address = flow->to.address };
	union address address;
	const socklen_t size = endpoint_to(&to, &address);
	size_t offset = 0;

	relay->fragment_id++;
	do {
		unsigned char *start;
		size_t length;

		offset += packet_write_fragment(payload, n, offset, relay->mtu, flow,
		                                protocol, relay->fragment_id, &start,
		                                &length);
		/* A full queue loses packets, as queues do. */
		if (sendto(relay->sockets[v4 ? RELAY_RAW4 : RELAY_RAW6], start, length,
		           MSG_DONTWAIT, &address.any, size) < 0)
			return;
	} while (offset < n);
}

static void send_error(struct relay *relay, const struct flow *flow, uint8_t protocol,
                       const unsigned char head[8], const struct icmp_error *error)
{
	const bool v4 = endpoint_is_v4(&flow->from);
	const struct flow back = { .from.address = error->reporter, .to = flow->from };
	unsigned char buffer[PACKET_HEADROOM + PACKET_ERROR_MAX];
	unsigned char *message = buffer + PACKET_HEADROOM;
	size_t n = packet_write_error(message, flow, protocol, head, error);

	send_packet(relay, message, n, &back, v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

void answer_error(struct relay *relay, const struct flow *flow, uint8_t protocol,
                  const unsigned char head[8], int error)
{
	static const struct {
		int error;
		uint8_t code4, code6;
	} row[] = {
		{ ECONNREFUSED, ICMP_PORT_UNREACH, ICMPV6_PORT_UNREACH },
		{ ENETUNREACH, ICMP_NET_UNREACH, ICMPV6_NOROUTE },
		{ EAFNOSUPPORT, ICMP_NET_UNREACH, ICMPV6_NOROUTE },
		{ EINVAL, ICMP_NET_UNREACH, ICMPV6_NOROUTE },
		{ EHOSTUNREACH, ICMP_HOST_UNREACH, ICMPV6_ADDR_UNREACH },
		{ EHOSTDOWN, ICMP_HOST_UNREACH, ICMPV6_ADDR_UNREACH },
		{ EACCES, ICMP_PKT_FILTERED, ICMPV6_ADM_PROHIBITED },
		{ EPERM, ICMP_PKT_FILTERED, ICMPV6_ADM_PROHIBITED },
	};
	const bool v4 = endpoint_is_v4(&flow->from);

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		if (row[i].error == error) {
			const struct icmp_error told = {
				.reporter = gateway_of(relay, v4),
				.type = v4 ? ICMP_DEST_UNREACH : ICMPV6_DEST_UNREACH,
				.code = v4 ? row[i].code4 : row[i].code6,
			};

			send_error(relay, flow, protocol, head, &told);
		}
}

/* The identifier outside is that of our socket; inside it is the workspace's. */
static void set_identifier(unsigned char *message, const struct udp *udp)
{
	message[4] = (unsigned char)(udp->flow.from.port >> 8);
	message[5] = (unsigned char)udp->flow.from.port;
}

/* An error of a datagram or echo request, as a router or its destination told it. */
static void reflect(struct relay *relay, struct udp *udp,
                    const struct sock_extended_err *told, unsigned char head[8])
{
	const bool v4 = endpoint_is_v4(&udp->flow.from);
	const uint8_t origin = v4 ? SO_EE_ORIGIN_ICMP : SO_EE_ORIGIN_ICMP6;
	union address offender = { 0 };
	struct icmp_error error = { .type = told->ee_type,
		                    .code = told->ee_code,
		                    .info = told->ee_info };
	struct endpoint reporter;

	if (udp->protocol == IPPROTO_UDP)
		packet_write_udp(head, &udp->flow, 0);
	else
		set_identifier(head, udp);
	/* The gateway is the nameserver to the workspace, whatever family the pod's is of. */
	if (udp->dns) {
		answer_error(relay, &udp->flow, udp->protocol, head, (int)told->ee_errno);
		if (relay->nameserver == udp->nameserver) {
			relay->nameserver = (uint8_t)((relay->nameserver + 1) %
			                              relay->config->nameservers);
			relay->asked_since = 0;
		}
		return;
	}
	if (told->ee_origin != origin) { /* our own kernel, before it was sent */
		answer_error(relay, &udp->flow, udp->protocol, head, (int)told->ee_errno);
		return;
	}
	memcpy(&offender, SO_EE_OFFENDER(told),
	       v4 ? sizeof(offender.v4) : sizeof(offender.v6));
	reporter = endpoint_from(&offender);
	error.reporter = reporter.port == 0 && IN6_IS_ADDR_UNSPECIFIED(&reporter.address)
	                         ? gateway_of(relay, v4)
	                         : reporter.address;
	send_error(relay, &udp->flow, udp->protocol, head, &error);
}

static void errors(struct relay *relay, struct udp *udp)
{
	for (int turn = 0; turn < ERRORS_PER_TURN; turn++) {
		_Alignas(struct cmsghdr) char control[512];
		unsigned char head[8] = { 0 };
		struct iovec data = { .iov_base = head, .iov_len = sizeof(head) };
		struct msghdr message = { .msg_iov = &data,
			                  .msg_iovlen = 1,
			                  .msg_control = control,
			                  .msg_controllen = sizeof(control) };

		if (recvmsg(udp->fd, &message,
		            MSG_ERRQUEUE | MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
			return;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c;
		     c = CMSG_NXTHDR(&message, c))
			if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
			    (c->cmsg_level == IPPROTO_IPV6 &&
			     c->cmsg_type == IPV6_RECVERR))
				reflect(relay, udp,
				        (const struct sock_extended_err *)CMSG_DATA(c),
				        head);
	}
}

static void answer(struct relay *relay, struct udp *udp, unsigned char *data, size_t n)
{
	const struct flow back = { .from = udp->flow.to, .to = udp->flow.from };

	if (udp->protocol == IPPROTO_UDP) {
		packet_write_udp(data - 8, &back, n);
		send_packet(relay, data - 8, n + 8, &back, IPPROTO_UDP);
		return;
	}
	if (n < 8)
		return;
	set_identifier(data, udp);
	packet_sum_icmp(data, n, &back);
	send_packet(relay, data, n, &back, udp->protocol);
}

void udp_answered(struct relay *relay, struct source *source, uint32_t events)
{
	struct udp *udp = (struct udp *)source; /* its first member */
	struct mmsghdr message[BATCH];
	struct iovec data[BATCH];
	int n;

	if (udp->fd < 0) /* closed earlier in this turn */
		return;
	if (events & EPOLLERR)
		errors(relay, udp);
	if (!(events & EPOLLIN))
		return;
	for (int turn = 0; turn < BATCHES_PER_TURN; turn++) {
		for (int i = 0; i < BATCH; i++) {
			data[i].iov_base = relay->datagrams.data[i] + PACKET_HEADROOM + 8;
			data[i].iov_len = DATAGRAM_MAX;
			message[i].msg_hdr =
				(struct msghdr){ .msg_iov = &data[i], .msg_iovlen = 1 };
		}
		n = recvmmsg(udp->fd, message, BATCH, MSG_DONTWAIT | MSG_CMSG_CLOEXEC,
		             NULL);
		for (int i = 0; i < n; i++)
			answer(relay, udp, data[i].iov_base, message[i].msg_len);
		if (n > 0 && !udp->answered) {
			TAILQ_REMOVE(&relay->asked, udp, queue);
			udp->answered = true;
			TAILQ_INSERT_TAIL(&relay->answered, udp, queue);
		}
		if (n > 0 && udp->dns && udp->nameserver == relay->nameserver)
			relay->asked_since = 0;
		if (n > 0)
			udp_used(relay, udp);
		if (n < BATCH)
			return;
	}
	relay_watch_again(relay, udp->fd, &udp->source, WATCH_READING);
}
