#include "netns/netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/fd.h"

/* The kernel answers within send(2) or shortly after; a lost answer is no reason to hang. */
#define ANSWER_SECONDS 2
#define MESSAGE_MAX 4096
#define ANSWER_BYTES 32768
/* More than the kernel ever leaves of a batch; whoever sends without end is not it. */
#define DRAIN_MAX 1024

void netlink_batch_init(struct netlink_batch *batch)
{
	batch->size = 0;
	batch->n = 0;
	batch->overflow = false;
}

struct nlmsghdr *netlink_begin(struct netlink_batch *batch, uint16_t type, uint16_t flags,
                               const char *fmt, ...)
{
	struct nlmsghdr *message;
	va_list args;

	/* A full batch begins anew, so that the builder has room; it is never sent. */
	if (batch->size + MESSAGE_MAX > sizeof(batch->data) ||
	    batch->n == NETLINK_BATCH_MESSAGES) {
		netlink_batch_init(batch);
		batch->overflow = true;
	}
	va_start(args, fmt);
	(void)vsnprintf(batch->what[batch->n], NETLINK_WHAT_MAX, fmt, args);
	va_end(args);
	message = mnl_nlmsg_put_header(batch->data + batch->size);
	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST | flags;
	message->nlmsg_seq = (uint32_t)batch->n + 1;
	return message;
}

void netlink_end(struct netlink_batch *batch, struct nlmsghdr *message)
{
	batch->size += NLMSG_ALIGN(message->nlmsg_len);
	batch->n++;
}

int netlink_open(int family, struct err *err)
{
	cleanup_close int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, family);
	const struct timeval patience = { .tv_sec = ANSWER_SECONDS };
	const int on = 1;

	if (sock < 0)
		return err_set(err, errno, "open a netlink socket");
	if (setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		return err_set(err, errno, "set a netlink socket's patience");
	/* Without its words an error is a number still. */
	(void)setsockopt(sock, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	(void)setsockopt(sock, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	return take_fd(&sock);
}

int netlink_open_inside(int family, struct err *err)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	cleanup_close int sock = netlink_open(family, err);

	if (sock < 0)
		return sock;
	if (connect(sock, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return err_set(err, errno, "connect a netlink socket to the kernel");
	return take_fd(&sock);
}

/* The kernel's words in an answer, or NULL, also where its lengths do not fit. */
static const char *words(const struct nlmsghdr *answer)
{
	const struct nlmsgerr *told = mnl_nlmsg_get_payload(answer);
	const size_t length = mnl_nlmsg_get_payload_len(answer);
	size_t at = sizeof(*told);
	const struct nlattr *attr;

	if (!(answer->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	/* The request is repeated; its header is part of *told. */
	if (!(answer->nlmsg_flags & NLM_F_CAPPED)) {
		const size_t request = told->msg.nlmsg_len;

		if (request < NLMSG_HDRLEN || request - NLMSG_HDRLEN > length - at)
			return NULL;
		at += request - NLMSG_HDRLEN; /* which libmnl aligns */
	}
	if (at > length)
		return NULL;
	mnl_attr_for_each(attr, answer,
	                  at) if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG &&
	                          mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >=
	                                  0) return mnl_attr_get_str(attr);
	return NULL;
}

static int failed(const struct netlink_batch *batch, const struct nlmsghdr *answer,
                  struct err *err)
{
	const struct nlmsgerr *told = mnl_nlmsg_get_payload(answer);
	const size_t which = answer->nlmsg_seq - 1;
	const char *said = words(answer);

	return err_set(err, -told->error, "%s%s%s",
	               which < batch->n ? batch->what[which] : "talk to the kernel",
	               said ? ": " : "", said ? said : "");
}

/* What is still to come would be taken for the answers to the next batch. */
static void drain(int sock)
{
	unsigned char rest[512];

	for (int i = 0; i < DRAIN_MAX; i++)
		if (recv(sock, rest, sizeof(rest), MSG_DONTWAIT | MSG_TRUNC) <= 0)
			return;
}

static bool is_answer(const struct nlmsghdr *message)
{
	return message->nlmsg_type == NLMSG_ERROR &&
	       message->nlmsg_len >= NLMSG_LENGTH(sizeof(struct nlmsgerr));
}

static size_t answers_due(const struct netlink_batch *batch)
{
	const struct nlmsghdr *message = (const struct nlmsghdr *)batch->data;
	int left = (int)batch->size;
	size_t due = 0;

	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
		due += (message->nlmsg_flags & NLM_F_ACK) != 0;
	return due;
}

static int send_batch(int sock, const struct netlink_batch *batch, struct err *err)
{
	if (batch->overflow)
		return err_set(err, ENOBUFS, "%s: too many netlink messages at once",
		               batch->n > 0 ? batch->what[0] : "send");
	if (batch->n > 0 && send(sock, batch->data, batch->size, 0) < 0)
		return err_set(err, errno, "%s", batch->what[0]);
	return 0;
}

int netlink_commit(int sock, struct netlink_batch *batch, struct err *err)
{
	_Alignas(NLMSG_ALIGNTO) unsigned char data[ANSWER_BYTES];
	size_t due = answers_due(batch);
	int r = send_batch(sock, batch, err);

	while (r >= 0 && due > 0) {
		const struct nlmsghdr *message = (const struct nlmsghdr *)data;
		ssize_t n = recv(sock, data, sizeof(data), 0);
		int left = (int)n;

		if (n < 0) {
			r = err_set(err, errno == EAGAIN ? ETIMEDOUT : errno,
			            "%s: wait for the kernel's answer", batch->what[0]);
			break;
		}
		for (; r >= 0 && mnl_nlmsg_ok(message, left);
		     message = mnl_nlmsg_next(message, &left)) {
			const struct nlmsgerr *told = mnl_nlmsg_get_payload(message);

			if (!is_answer(message))
				continue;
			due -= due > 0;
			if (told->error)
				r = failed(batch, message, err);
		}
	}
	if (r < 0)
		drain(sock);
	netlink_batch_init(batch);
	return r;
}

int netlink_dump_begin(int sock, const struct netlink_batch *batch, struct err *err)
{
	return send_batch(sock, batch, err);
}

int netlink_dump_part(int sock, const struct netlink_batch *batch,
                      int (*each)(const struct nlmsghdr *message, void *data), void *data,
                      struct err *err)
{
	_Alignas(NLMSG_ALIGNTO) unsigned char answer[ANSWER_BYTES];
	const struct nlmsghdr *message = (const struct nlmsghdr *)answer;
	const ssize_t n = recv(sock, answer, sizeof(answer), 0);
	int left = (int)n, r = 0;

	if (n < 0)
		r = err_set(err, errno == EAGAIN ? ETIMEDOUT : errno, "%s",
		            batch->what[0]);
	for (; r >= 0 && mnl_nlmsg_ok(message, left);
	     message = mnl_nlmsg_next(message, &left)) {
		const struct nlmsgerr *told = mnl_nlmsg_get_payload(message);

		if (message->nlmsg_type == NLMSG_DONE)
			return 0;
		if (is_answer(message) && told->error)
			r = failed(batch, message, err);
		else if (message->nlmsg_type >= NLMSG_MIN_TYPE)
			r = each(message, data);
	}
	if (r < 0)
		drain(sock);
	return r < 0 ? r : 1;
}

int netlink_dump(int sock, struct netlink_batch *batch,
                 int (*each)(const struct nlmsghdr *message, void *data), void *data,
                 struct err *err)
{
	int r = netlink_dump_begin(sock, batch, err);

	if (r == 0)
		do
			r = netlink_dump_part(sock, batch, each, data, err);
		while (r > 0);
	netlink_batch_init(batch);
	return r;
}

const struct nlattr *netlink_find_in(const struct nlattr *nest, uint16_t type)
{
	const struct nlattr *attr;

	if (!nest)
		return NULL;
	mnl_attr_for_each_nested(attr, nest)
	{
		if (mnl_attr_get_type(attr) == type)
			return attr;
	}
	return NULL;
}
