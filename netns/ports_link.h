#ifndef NETNS_PORTS_LINK_H
#define NETNS_PORTS_LINK_H

#include "base/err.h"
#include "netns/packet.h"

/*
 * What the supervisor and the relay say to one another about published ports, over a
 * SOCK_SEQPACKET pair. The supervisor opens what listens in the pod; the relay serves it,
 * and answers those that have an @id with PORTS_DONE.
 */

enum ports_word {
	PORTS_ROUTES, /* a socket of the workspace's rtnetlink comes along */
	PORTS_ADD, /* what listens comes along: @id @port @udp @count: 1 if it is of use */
	PORTS_REMOVE, /* @id */
	PORTS_MTU,    /* of the workspace from now on: @port; not answered */
	PORTS_PACE, /* rate of uploads that the relay keeps from now on: @rate; likewise */
	PORTS_USE, /* how much were those ports used since the last such question; likewise */
	PORTS_DONE,   /* relay: @id */
	PORTS_USED,   /* relay, to PORTS_USE: @count, 0 for not at all */
	PORTS_HIDDEN, /* relay: @id @client @hidden */
	PORTS_WORDS,
};

/* Why the workspace sees the gateway's address instead of the client's. */
enum ports_hidden {
	HIDDEN_LOOPBACK,   /* answers would not leave the workspace */
	HIDDEN_LINK_LOCAL, /* of another link */
	HIDDEN_SPECIAL,    /* multicast, reserved */
	HIDDEN_ROUTE,  /* the workspace has a route of its own there, or the address */
	HIDDEN_FAMILY, /* nobody inside listens for that family, or there is no IPv6 */
	HIDDEN_REASONS,
};

/**
 * struct ports_message - One message; plain data
 * @word:	enum ports_word
 * @id:		of the port, chosen by the supervisor
 * @port:	of the workspace
 * @udp:	else TCP
 * @hidden:	enum ports_hidden
 * @client:	whose address it is about
 * @rate:	bytes a second
 * @count:	connections that stand, and those and datagrams that came
 */
struct ports_message {
	uint32_t word, id;
	uint16_t port;
	uint8_t udp, hidden;
	struct endpoint client;
	uint64_t rate, count;
};

/* Sends a message, with @fd where that is not negative; @flags of sendmsg(2). Return: 0 or
 * -errno. */
int ports_send(int sock, const struct ports_message *message, int fd, int flags);

/**
 * ports_receive() - The next message
 * @sock:	our end
 * @ret:	checked: its word and reason are known
 * @ret_fd:	what came along, owned by the caller, or -EBADF
 * @flags:	of recvmsg(2)
 *
 * Return: 1; 0 where the peer is gone; -EAGAIN; -EPROTO; -errno.
 */
int ports_receive(int sock, struct ports_message *ret, int *ret_fd, int flags);

#endif
