#ifndef NETNS_NETLINK_H
#define NETNS_NETLINK_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * Netlink requests, many in one send(2). Those who build messages (link.h, route.h,
 * qdisc.h, the nf_tables rules) only write into a batch; the socket comes at the end, in
 * netlink_commit(), so that a test can read what they built without any privilege.
 */

#define NETLINK_BATCH_BYTES 32768
#define NETLINK_BATCH_MESSAGES 96
#define NETLINK_WHAT_MAX 64

/**
 * struct netlink_batch - Requests to be sent together, in this order
 * @data:	the messages, each padded
 * @size:	bytes of @data in use
 * @n:		number of messages; message i carries the sequence number i + 1
 * @what:	of each: what it does, with names in quotes, for errors
 * @overflow:	one did not fit; netlink_commit() refuses
 */
struct netlink_batch {
	_Alignas(NLMSG_ALIGNTO) unsigned char data[NETLINK_BATCH_BYTES];
	size_t size, n;
	char what[NETLINK_BATCH_MESSAGES][NETLINK_WHAT_MAX];
	bool overflow;
};

/* Makes @batch empty, whatever it held. */
void netlink_batch_init(struct netlink_batch *batch);

/**
 * netlink_begin() - Begin a message of a batch
 * @batch:	where
 * @type:	RTM_NEWLINK, ...
 * @flags:	besides NLM_F_REQUEST, which is always set; with NLM_F_ACK the kernel's
 *		answer is waited for
 * @fmt:	what it does, a verb phrase
 *
 * The caller adds the body with libmnl (mnl_nlmsg_put_extra_header(), mnl_attr_put()) and
 * calls netlink_end(). A message has 4 KiB at most.
 *
 * Return: the message, in the batch; a scratch one where the batch is full.
 */
struct nlmsghdr *netlink_begin(struct netlink_batch *batch, uint16_t type, uint16_t flags,
                               const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Finishes the message that netlink_begin() began. */
void netlink_end(struct netlink_batch *batch, struct nlmsghdr *message);

/**
 * netlink_open() - Open a netlink socket in the network namespace we are in
 * @family:	NETLINK_ROUTE, NETLINK_NETFILTER
 * @err:	filled in on failure
 *
 * It stays with that namespace wherever we go. Answers are waited for two seconds, and
 * carry the kernel's own words where it has any.
 *
 * Return: the socket, owned by the caller, or -errno.
 */
int netlink_open(int family, struct err *err);

/**
 * netlink_open_inside() - Open a netlink socket that takes messages of the kernel only
 * @family:	NETLINK_ROUTE, NETLINK_SOCK_DIAG
 * @err:	filled in on failure
 *
 * For a namespace that belongs to somebody we do not trust: with CAP_NET_ADMIN over it one
 * may send to any netlink socket there, and what comes is taken for the kernel's answer. To
 * a connected one the kernel refuses it (ECONNREFUSED). Else as netlink_open().
 *
 * Return: the socket, owned by the caller, or -errno.
 */
int netlink_open_inside(int family, struct err *err);

/**
 * netlink_commit() - Send a batch and wait for its answers
 * @sock:	from netlink_open() or netlink_open_inside()
 * @batch:	what to send; empty afterwards
 * @err:	the first message that failed, with what it does and the kernel's words
 *
 * rtnetlink does the messages after a failed one all the same; nf_tables does all of a
 * transaction or nothing.
 *
 * Return: 0; -EPERM without CAP_NET_ADMIN over the namespace; -EOPNOTSUPP or -ENOENT where
 * the kernel lacks the feature; -ENOBUFS for a batch that overflowed; else -errno.
 */
int netlink_commit(int sock, struct netlink_batch *batch, struct err *err);

/**
 * netlink_dump() - Ask for a list
 * @sock:	from netlink_open() or netlink_open_inside()
 * @batch:	holds one message with NLM_F_DUMP; empty afterwards
 * @each:	called for each message of the answer; negative ends the walk
 * @data:	for @each
 * @err:	filled in on failure
 *
 * Return: 0, what @each returned when negative, or -errno.
 */
int netlink_dump(int sock, struct netlink_batch *batch,
                 int (*each)(const struct nlmsghdr *message, void *data), void *data,
                 struct err *err);

/**
 * netlink_dump_begin() - Ask for a list, of which netlink_dump_part() reads
 * @sock:	of netlink_dump(), without such a list under way (EBUSY)
 * @batch:	holds one message with NLM_F_DUMP
 * @err:	filled in on failure
 *
 * Return: 0 or -errno.
 */
int netlink_dump_begin(int sock, const struct netlink_batch *batch, struct err *err);

/**
 * netlink_dump_part() - Read what the kernel has made of a list by now, 32 KiB at most
 * @sock:	of netlink_dump_begin(); the kernel goes on where it was, however late that is
 * @batch:	the same
 * @each:	as of netlink_dump()
 * @data:	for @each
 * @err:	filled in on failure
 *
 * Return: 1 where more is to come, 0 at the end; else as netlink_dump(), and it is over.
 */
int netlink_dump_part(int sock, const struct netlink_batch *batch,
                      int (*each)(const struct nlmsghdr *message, void *data), void *data,
                      struct err *err);

/* The attribute of a type in one that nests others, NULL where there is none; @nest may be NULL. */
const struct nlattr *netlink_find_in(const struct nlattr *nest, uint16_t type);

#endif
