#include "metrics_address.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/number.h"
#include "netns/packet.h"

#define BACKLOG 64
#define SOCKET_MODE 0660

static int refuse(const char *text, struct err *err)
{
	(void)err_set(err, EINVAL, "'%s' is not ADDRESS:PORT, :PORT or unix:PATH", text);
	return err_hint(err, "as 127.0.0.1:9090, [::1]:9090, :9090 for all addresses of "
	                     "the pod, or unix:/run/berth.sock");
}

/* "1.2.3.4", "[::1]", "" */
static bool parse_host(const char *text, size_t len, struct ip *ret)
{
	const bool brackets = len >= 2 && text[0] == '[' && text[len - 1] == ']';
	char host[INET6_ADDRSTRLEN + 1];

	*ret = (struct ip){ 0 };
	if (len == 0)
		return true;
	if (brackets) {
		text++;
		len -= 2;
	}
	if (len >= sizeof(host) || memchr(text, '/', len))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	return ip_parse(host, ret) && (ret->family == AF_INET6) == brackets;
}

int metrics_address_parse(const char *text, struct metrics_address *ret, struct err *err)
{
	const char *colon = strrchr(text, ':');
	struct metrics_address address = { 0 };
	struct err ignored = { 0 };
	uint64_t port;

	if (!strncmp(text, METRICS_UNIX, strlen(METRICS_UNIX))) {
		const char *path = text + strlen(METRICS_UNIX),
			   *slash = strrchr(path, '/');

		if (!*path || (slash && !slash[1]))
			return refuse(text, err);
		*ret = (struct metrics_address){ .path = path };
		return 0;
	}
	if (!colon || number_parse(colon + 1, 1, UINT16_MAX, &port, &ignored) < 0 ||
	    !parse_host(text, (size_t)(colon - text), &address.ip))
		return refuse(text, err);
	address.port = (uint16_t)port;
	*ret = address;
	return 0;
}

static int hint(struct err *err)
{
	switch (err->code) {
	case EADDRINUSE:
		return err_hint(err, "another program of the pod serves there, or "
		                     "another workspace: choose another port or path");
	case EACCES:
		return err_hint(err, "ports below 1024 and directories of others take "
		                     "privilege: choose another port or path");
	case EADDRNOTAVAIL:
		return err_hint(err, "the pod has no such address: leave it out to "
		                     "serve on all, as :9090");
	default:
		return -err->code;
	}
}

static int listen_tcp(const struct metrics_address *at, struct err *err)
{
	const bool all = at->ip.family == 0;
	int family = all ? AF_INET6 : at->ip.family;
	cleanup_close int sock =
		socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	union address address = { 0 };
	const int on = 1, only = !all;

	/* All addresses by one socket, where there is IPv6 at all. */
	if (sock < 0 && all) {
		family = AF_INET;
		sock = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	}
	if (sock < 0)
		return err_set(err, errno, "make a socket");
	address.any.sa_family = (sa_family_t)family;
	if (family == AF_INET) {
		address.v4.sin_port = htons(at->port);
		memcpy(&address.v4.sin_addr, at->ip.byte, 4);
	} else {
		address.v6.sin6_port = htons(at->port);
		memcpy(&address.v6.sin6_addr, at->ip.byte, 16);
	}
	if ((family == AF_INET6 &&
	     setsockopt(sock, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)) < 0) ||
	    setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(sock, &address.any,
	         family == AF_INET ? sizeof(address.v4) : sizeof(address.v6)) < 0 ||
	    listen(sock, BACKLOG) < 0)
		return err_set(err, errno, "listen for metrics");
	return take_fd(&sock);
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int open_parent(const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/');
	char dir[4096];
	int fd;

	if (slash && (size_t)(slash - path) + 2 > sizeof(dir))
		return err_set(err, ENAMETOOLONG, "open the directory of '%.60s...'",
		               path);
	(void)snprintf(dir, sizeof(dir), "%.*s",
	               slash ? (int)(slash - path) + (slash == path) : 1,
	               slash ? path : ".");
	fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_set(err, errno, "open '%s'", dir) : fd;
}

/* By the directory's descriptor: the whole path would have to be short. */
static int name_in(int dir, const char *name, struct sockaddr_un *ret, struct err *err)
{
	const int len = snprintf(ret->sun_path, sizeof(ret->sun_path),
	                         "/proc/self/fd/%d/%s", dir, name);

	ret->sun_family = AF_UNIX;
	if (len >= (int)sizeof(ret->sun_path))
		return err_set(err, ENAMETOOLONG, "name the socket '%.60s...'", name);
	return 0;
}

/* A socket of somebody who was killed. Anything else stays, and so does one that is served. */
static void make_room(int dir, const char *name, const struct sockaddr_un *address)
{
	cleanup_close int sock =
		socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct stat st;

	if (sock < 0 || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISSOCK(st.st_mode))
		return;
	if (connect(sock, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
	    errno == ECONNREFUSED)
		(void)unlinkat(dir, name, 0);
}

/*
 * Its name has its mode from the first: changed by the name it would be that of what somebody put
 * there meanwhile. The socket's own mode counts where the directory says what new files get
 * (acl(5)).
 */
static int bind_socket(int sock, const struct sockaddr_un *address, struct err *err)
{
	mode_t before;
	int r, code;

	(void)fchmod(sock, SOCKET_MODE);
	before = umask(0777 & ~SOCKET_MODE);
	r = bind(sock, (const struct sockaddr *)address, sizeof(*address));
	code = errno;
	(void)umask(before);
	return r < 0 ? err_set(err, code, "make the socket") : 0;
}

static int listen_unix(const char *path, int *ret_dir, struct err *err)
{
	cleanup_close int sock =
		socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	cleanup_close int dir = open_parent(path, err);
	struct sockaddr_un address = { 0 };

	if (dir < 0)
		return dir;
	if (sock < 0)
		return err_set(err, errno, "make a socket");
	if (name_in(dir, base_of(path), &address, err) < 0)
		return -err->code;
	make_room(dir, base_of(path), &address);
	if (bind_socket(sock, &address, err) < 0)
		return -err->code;
	/* Nobody is let in before: it listens last. */
	if (listen(sock, BACKLOG) < 0)
		return err_set(err, errno, "listen for metrics");
	*ret_dir = take_fd(&dir);
	return take_fd(&sock);
}

int metrics_address_open(const struct config *config, int *ret_dir, struct err *err)
{
	struct metrics_address at;
	int r = metrics_address_parse(config->metrics_listen, &at, err);

	*ret_dir = -EBADF;
	if (r < 0)
		return r;
	r = at.path ? listen_unix(at.path, ret_dir, err) : listen_tcp(&at, err);
	if (r >= 0)
		return r;
	(void)hint(err);
	return err_wrap(err, "serve metrics at '%s'", config->metrics_listen);
}

void metrics_address_close(const struct config *config, int *dir, int *listener)
{
	struct metrics_address at;
	struct err ignored = { 0 };
	struct sockaddr_un address;

	if (*dir >= 0 && *listener >= 0 &&
	    metrics_address_parse(config->metrics_listen, &at, &ignored) == 0 &&
	    name_in(*dir, base_of(at.path), &address, &ignored) == 0) {
		drop_fd(listener);
		make_room(*dir, base_of(at.path), &address);
	}
	drop_fd(listener);
	drop_fd(dir);
}
