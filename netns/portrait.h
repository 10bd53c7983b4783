#ifndef NETNS_PORTRAIT_H
#define NETNS_PORTRAIT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "netns/gateway.h"
#include "netns/pasta.h"
#include "netns/relay.h"

/*
 * What the kernel says of a gateway, to be compared with what it says of another one that was
 * made of the same plan: nobody has to know how the kernel shows an expression or a queue.
 */

enum portrait_part {
	PORTRAIT_LINK,     /* interfaces and addresses */
	PORTRAIT_DOWNLOAD, /* queues of what leaves for the workspace */
	PORTRAIT_UPLOAD,   /* the way of what comes from it, and the queues there */
	PORTRAIT_RULES,    /* routes, and the rules of nf_tables */
	PORTRAIT_PARTS,
};

/**
 * struct portrait_line - One thing that is there
 * @part:	of the gateway
 * @text:	for people: "rule 7 of chain 'divert'", "queue 'tbf' at 12500000 bytes/s"
 * @bytes, @n:	all of it but what changes by itself: counters, handles
 */
struct portrait_line {
	enum portrait_part part;
	const char *text;
	const void *bytes;
	size_t n;
};

/**
 * struct portrait - All there is
 * @arena:	owns the lines; borrowed
 * @line, @n, @room: the lines, in no order that counts
 * @tap:	number of pasta's tap, which the kernel chose; 0 without one
 */
struct portrait {
	struct arena *arena;
	struct portrait_line *line;
	size_t n, room;
	int tap;
};

/**
 * portrait_take() - Ask the kernel
 * @routes, @rules: of NETLINK_ROUTE and NETLINK_NETFILTER, made in the namespace
 * @ret:	@arena is set; grows
 * @err:	filled in on failure
 *
 * Return: 0; -EPERM without CAP_NET_ADMIN over the namespace; -ENOMEM; -errno.
 */
int portrait_take(int routes, int rules, struct portrait *ret, struct err *err);

/**
 * portrait_pose() - Make what a launch makes, in the network namespace we are in
 * @gateway, @relay: of the plan, with the rates of now
 * @pasta:	likewise; NULL with the relay
 * @err:	filled in on failure
 *
 * Both ends of the veth pair are here; the workspace's is none of the portrait.
 *
 * Return: 0, or -errno as gateway_shape() and relay_install().
 */
int portrait_pose(const struct gateway *gateway, const struct relay_config *relay,
                  const struct pasta *pasta, struct err *err);

/**
 * portrait_missing() - What one has and the other has not
 * @of, @in:	the portraits
 * @part:	lines of this part only
 * @ret_n:	how many
 *
 * Return: the text of the first one, or NULL.
 */
const char *portrait_missing(const struct portrait *of, const struct portrait *in,
                             enum portrait_part part, size_t *ret_n);

/* The text of the first line of a part, NULL where it has none. */
const char *portrait_first(const struct portrait *portrait, enum portrait_part part,
                           size_t *ret_n);

#endif
