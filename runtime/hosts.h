#ifndef HOSTS_H
#define HOSTS_H

#include <stdbool.h>

#include "base/err.h"
#include "netns/ip.h"

/* What --add-host takes in place of an address: the pod's own. */
#define HOST_GATEWAY "host-gateway"

/* A name of 253 bytes, and an address. */
#define EXTRA_HOST_TEXT_MAX (256 + IP_TEXT_MAX)

/**
 * struct extra_host - One --add-host
 * @name:	at most 253 bytes of letters, digits, '.', '-' and '_'
 * @address:	family 0: HOST_GATEWAY
 */
struct extra_host {
	char name[254];
	struct ip address;
};

/**
 * extra_host_parse() - Read "NAME:ADDRESS", or "NAME=ADDRESS"
 * @text:	what was given, as docker(1) takes it; an IPv6 address may stand in brackets
 * @ret:	set on success only
 * @err:	quotes it
 *
 * Return: 0; -EINVAL.
 */
int extra_host_parse(const char *text, struct extra_host *ret, struct err *err);

/* What extra_host_parse() reads. Return: @ret. */
const char *extra_host_text(const struct extra_host *host, char ret[EXTRA_HOST_TEXT_MAX]);

#endif
