#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <string.h>
#include <sys/socket.h>

#include "netns/relay_internal.h"

/* How often as many as there is room for are looked at before others have their turn. */
#define BATCHES_PER_TURN 8

static struct nlmsghdr *queue_message(void *buffer, uint16_t queue, uint16_t type)
{
	const struct nfgenmsg body = { .nfgen_family = AF_UNSPEC,
		                       .version = NFNETLINK_V0,
		                       .res_id = htons(queue) };
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

	message->nlmsg_type = NFNL_SUBSYS_QUEUE << 8 | type;
	message->nlmsg_flags = NLM_F_REQUEST;
	memcpy(mnl_nlmsg_put_extra_header(message, sizeof(body)), &body, sizeof(body));
	return message;
}

static void verdict(struct relay *relay, uint16_t queue, uint32_t packet, uint32_t mark)
{
	_Alignas(NLMSG_ALIGNTO) unsigned char buffer[128];
	const struct nfqnl_msg_verdict_hdr body = {
		.verdict = htonl(mark ? NF_ACCEPT : NF_DROP),
		.id = htonl(packet),
	};
	struct nlmsghdr *message = queue_message(buffer, queue, NFQNL_MSG_VERDICT);

	mnl_attr_put(message, NFQA_VERDICT_HDR, sizeof(body), &body);
	if (mark)
		mnl_attr_put_u32(message, NFQA_MARK, htonl(mark));
	/* A verdict that is lost is a SYN that is lost: it will be sent again. */
	(void)send(relay->sockets[RELAY_QUEUE], message, message->nlmsg_len,
	           MSG_DONTWAIT);
}

void syn_verdict(struct relay *relay, uint32_t packet, uint32_t mark)
{
	verdict(relay, RELAY_QUEUE_SYN, packet, mark);
}

static void packet(struct relay *relay, const struct nlmsghdr *message)
{
	const struct nfgenmsg *body = mnl_nlmsg_get_payload(message);
	const struct nfqnl_msg_packet_hdr *head = NULL;
	const void *payload = NULL;
	const struct nlattr *attr;
	struct flow flow;
	size_t n = 0;

	mnl_attr_for_each(attr, message, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) == NFQA_PACKET_HDR &&
		    mnl_attr_get_payload_len(attr) >= sizeof(*head)) {
			head = mnl_attr_get_payload(attr);
		} else if (mnl_attr_get_type(attr) == NFQA_PAYLOAD) {
			payload = mnl_attr_get_payload(attr);
			n = mnl_attr_get_payload_len(attr);
		}
	}
	if (!head)
		return;
	if (ntohs(body->res_id) == RELAY_QUEUE_ECHO) {
		/* It is answered by us, whatever becomes of it. */
		verdict(relay, RELAY_QUEUE_ECHO, ntohl(head->packet_id), 0);
		if (payload)
			echo_ask(relay, payload, n);
		return;
	}
	if (ntohs(body->res_id) == RELAY_QUEUE_DENIED) {
		verdict(relay, RELAY_QUEUE_DENIED, ntohl(head->packet_id), 0);
		if (payload)
			egress_refused(relay, payload, n);
		return;
	}
	if (payload && packet_read_syn(payload, n, &flow))
		tcp_ask(relay, &flow, ntohl(head->packet_id));
	else
		syn_verdict(relay, ntohl(head->packet_id), 0);
}

static void packets(struct relay *relay, const void *data, size_t n)
{
	const struct nlmsghdr *message = data;
	int left = (int)n;

	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
		if (message->nlmsg_type == (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET))
			packet(relay, message);
}

void syn_ready(struct relay *relay, struct source *source, uint32_t events)
{
	struct mmsghdr message[PACKETS];
	struct iovec data[PACKETS];

	(void)source;
	(void)events;
	for (int i = 0; i < BATCHES_PER_TURN; i++) {
		int n;

		for (int j = 0; j < PACKETS; j++) {
			data[j] = (struct iovec){ relay->packets.data[j],
				                  sizeof(relay->packets.data[j]) };
			message[j].msg_hdr =
				(struct msghdr){ .msg_iov = &data[j], .msg_iovlen = 1 };
		}
		n = recvmmsg(relay->sockets[RELAY_QUEUE], message, PACKETS,
		             MSG_DONTWAIT | MSG_CMSG_CLOEXEC, NULL);
		/* ENOBUFS: some were dropped, and will be sent again. */
		if (n < 0 && errno == ENOBUFS)
			continue;
		for (int j = 0; j < n; j++)
			packets(relay, data[j].iov_base, message[j].msg_len);
		if (n < PACKETS)
			return;
	}
}
