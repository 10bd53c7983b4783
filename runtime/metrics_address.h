#ifndef METRICS_ADDRESS_H
#define METRICS_ADDRESS_H

#include "config.h"
#include "netns/ip.h"

/**
 * struct metrics_address - Where metrics are served
 * @path:	of a socket, borrowed; NULL for TCP
 * @ip:		family 0: all addresses of the pod
 * @port:	of TCP
 */
struct metrics_address {
	const char *path;
	struct ip ip;
	uint16_t port;
};

#define METRICS_UNIX "unix:"

/**
 * metrics_address_parse() - Read "127.0.0.1:9090", "[::]:9090", ":9090" or "unix:PATH"
 * @text:	what was given
 * @ret:	set on success only
 * @err:	quotes what is wrong, with a hint
 *
 * Return: 0 or -EINVAL.
 */
int metrics_address_parse(const char *text, struct metrics_address *ret, struct err *err);

/**
 * metrics_address_open() - Listen there
 * @config:	whose metrics_listen it is
 * @ret_dir:	the directory of a socket with a path, owned by the caller, for
 *		metrics_address_close(); else -EBADF
 * @err:	filled in on failure, with a hint
 *
 * A socket at which nobody listens any more is replaced. Its mode is 0660: for us and for our
 * group.
 *
 * Return: the socket, owned by the caller; -EADDRINUSE; -EPERM for a place that the workspace
 * can write to; else -errno.
 */
int metrics_address_open(const struct config *config, int *ret_dir, struct err *err);

/* Removes the socket of @config from @dir, where it is still @listener's, and closes both. */
void metrics_address_close(const struct config *config, int *dir, int *listener);

#endif
