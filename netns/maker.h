#ifndef NETNS_MAKER_H
#define NETNS_MAKER_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Sockets of the gateway for a process that is not in it. The warden is: it makes plain
 * sockets when the relay asks, a batch at a time, and knows nothing of their use.
 */

enum maker_kind { MAKER_TCP4, MAKER_TCP6, MAKER_UDP4, MAKER_UDP6, MAKER_KINDS };

#define MAKER_BATCH 16

/**
 * maker_answer() - The warden's side: one request
 * @sock:	our end of a SOCK_SEQPACKET pair with the relay, readable
 *
 * Never waits. A request that is none is passed over.
 *
 * Return: whether the other side is still there.
 */
bool maker_answer(int sock);

/* The relay's side: ask for a batch. One at a time for each kind. Return: 0 or -errno. */
int maker_ask(int sock, enum maker_kind kind);

/**
 * maker_receive() - A batch, if one has come
 * @sock:	the relay's end
 * @ret_kind:	of all of it
 * @ret:	owned by the caller; close-on-exec, not blocking
 *
 * Return: how many there are, 0 where the warden could make none; -EAGAIN; -errno.
 */
int maker_receive(int sock, enum maker_kind *ret_kind, int ret[MAKER_BATCH]);

#endif
