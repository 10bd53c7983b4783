#ifndef NETNS_RESOLVER_H
#define NETNS_RESOLVER_H

#include "base/arena.h"
#include "netns/ip.h"

/* resolv.conf(5), read and made. Pure. */

/**
 * resolver_servers() - Which name servers a resolv.conf has
 * @text:	its content
 * @ret:	the first ones, in its order
 * @max:	length of @ret
 *
 * Those with a zone ("fe80::1%eth0") are passed over.
 *
 * Return: how many.
 */
size_t resolver_servers(const char *text, struct ip *ret, size_t max);

/**
 * resolver_text() - A resolv.conf with other name servers
 * @arena:	owns the result
 * @text:	the pod's, whose search domains and options are kept
 * @server:	whom to ask instead
 */
const char *resolver_text(struct arena *arena, const char *text, const struct ip *server);

/**
 * resolver_resolved_text() - The same for systemd-resolved, as resolved.conf(5)
 * @arena:	owns the result
 * @text:	the pod's resolv.conf, whose search domains are kept
 * @server:	whom to ask
 */
const char *resolver_resolved_text(struct arena *arena, const char *text,
                                   const struct ip *server);

#endif
