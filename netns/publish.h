#ifndef NETNS_PUBLISH_H
#define NETNS_PUBLISH_H

#include "base/err.h"
#include "netns/ip.h"

/*
 * Published ports as words: what -p takes, and which ports -p auto may open. Pure but for
 * publish_listen().
 */

/* Ports that a workspace may have on the pod, ranges counted port by port. */
#define PUBLISH_MAX 512

/**
 * struct publish - Ports of the pod that lead into the workspace
 * @address:	of the pod, where to listen; family 0: on all of them, IPv4 and IPv6
 * @out:	the first port of the pod, 0 for automatic ones
 * @in:		the first port of the workspace, likewise
 * @n:		how many, side by side
 * @udp:	else TCP
 * @automatic:	whatever listens inside
 */
struct publish {
	struct ip address;
	uint16_t out, in, n;
	bool udp;
	bool automatic;
};

/* "[IPV6]:65535-65535:65535-65535/tcp" */
#define PUBLISH_TEXT_MAX (INET6_ADDRSTRLEN + 32)

/**
 * publish_parse() - Read "[IP:]OUT:IN[/tcp|udp]" or "[IP:]auto"
 * @text:	OUT and IN are ports, or ranges of the same length; IPv6 in brackets
 * @ret:	written on success only
 * @err:	quotes what is wrong, with a hint
 *
 * Return: 0 or -EINVAL.
 */
int publish_parse(const char *text, struct publish *ret, struct err *err);

/* As publish_parse() takes it, the protocol always said. Return: @buf. */
const char *publish_text(const struct publish *publish, char buf[PUBLISH_TEXT_MAX]);

/* The address as part of it: "0.0.0.0", "[::1]", "" for all. Return: @buf. */
const char *publish_address(const struct publish *publish, char buf[PUBLISH_TEXT_MAX]);

/* Whether two of them want a port of the pod in common, or both are automatic. */
bool publish_overlap(const struct publish *a, const struct publish *b);

/* The @i-th port alone. */
struct publish publish_nth(const struct publish *publish, unsigned int i);

/**
 * publish_listed() - Whether a port is in a list
 * @list:	"8000-8999,53/udp", checked by publish_list_check()
 * @port:	which
 * @udp:	of UDP, else of TCP
 */
bool publish_listed(const char *list, uint16_t port, bool udp);

/* Return: 0; -EINVAL, @err quotes the item. */
int publish_list_check(const char *list, struct err *err);

/**
 * publish_listen() - Open one port, in the network namespace we are in
 * @publish:	one port, not automatic
 * @err:	filled in on failure
 *
 * For TCP it listens. Without an address one socket serves IPv4 and IPv6; an address is
 * served alone.
 *
 * Return: the socket, owned by the caller; -EADDRINUSE; -EACCES for a port that takes
 * privilege; -EADDRNOTAVAIL for an address that is not here; else -errno.
 */
int publish_listen(const struct publish *publish, struct err *err);

#endif
