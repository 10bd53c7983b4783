#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "netns/relay_internal.h"

/*
 * A connection from outside. It was accepted before the workspace could be asked, since a
 * listening socket knows no other way; who is refused inside gets a RST.
 */

#define ACCEPTS_PER_TURN 64
#define REACHED_MS 30000

static void start(struct relay *relay, struct tcp *tcp);

static int bind_to(int fd, const struct endpoint *endpoint, bool any_port)
{
	struct endpoint wanted = *endpoint;
	union address address;
	socklen_t n;

	if (any_port)
		wanted.port = 0;
	n = endpoint_to(&wanted, &address);
	return bind(fd, &address.any, n) < 0 ? -errno : 0;
}

/*
 * Asks the workspace, as the client. Return: 0; -EAGAIN: once more, with any port, since the
 * client's own is privileged or still in use for an earlier connection; -errno.
 */
static int reach(struct relay *relay, struct tcp *tcp)
{
	struct tcp_end *inner = &tcp->end[INNER];
	union address address;
	const socklen_t n = endpoint_to(&tcp->flow.to, &address);
	int r = bind_to(inner->fd, &tcp->flow.from, tcp->any_port);

	if (r == 0 && connect(inner->fd, &address.any, n) < 0 && errno != EINPROGRESS)
		r = -errno;
	if (r == 0)
		return tcp_watch(relay, inner, WATCH_BOTH);
	if ((r == -EADDRINUSE || r == -EADDRNOTAVAIL || r == -EACCES) && !tcp->any_port) {
		tcp->any_port = true;
		return -EAGAIN;
	}
	return r;
}

static void start(struct relay *relay, struct tcp *tcp)
{
	const enum maker_kind kind =
		endpoint_is_v4(&tcp->flow.to) ? MAKER_TCP4 : MAKER_TCP6;
	struct tcp_end *inner = &tcp->end[INNER];
	int r = -EAGAIN;

	for (int tries = 0; r == -EAGAIN && tries < 2; tries++) {
		drop_fd(&inner->fd);
		inner->fd = published_take(relay, kind);
		if (inner->fd == -EAGAIN) {
			tcp_move(tcp, &relay->ports.waiting);
			return;
		}
		r = inner->fd;
		if (r < 0)
			break;
		tcp_set_up(inner->fd);
		tcp_bound_buffers(relay, inner->fd);
		r = reach(relay, tcp);
	}
	if (r < 0)
		tcp_close(relay, tcp, true);
	else
		tcp_move(tcp, &relay->ports.reaching);
}

/* Nobody listens for this family, perhaps for the other: as a proxy of the pod would. */
static bool try_other(struct relay *relay, struct tcp *tcp)
{
	struct tcp_end *inner = &tcp->end[INNER];
	const bool v4 = endpoint_is_v4(&tcp->flow.to);

	if (tcp->other_family || !published_gateway(relay, !v4, tcp->flow.to.port,
	                                            &tcp->flow.from, &tcp->flow.to))
		return false;
	tcp->other_family = tcp->any_port = true;
	drop_fd(&inner->fd);
	inner->failed = 0;
	inner->hung_up = inner->readable = false;
	start(relay, tcp);
	return true;
}

static void tell_family(struct relay *relay, const struct tcp *tcp)
{
	struct port *port = published_find(relay, tcp->port);
	union address address = { 0 };
	socklen_t n = sizeof(address);
	struct endpoint client;

	if (!port || getpeername(tcp->end[OUTER].fd, &address.any, &n) < 0)
		return;
	client = endpoint_from(&address);
	published_tell(relay, port, HIDDEN_FAMILY, &client);
}

void inbound_ready(struct relay *relay, struct tcp *tcp, struct tcp_end *end,
                   uint32_t events)
{
	if (end == &tcp->end[OUTER]) {
		if (end->failed || events & EPOLLHUP)
			tcp_close(relay, tcp, true);
		return;
	}
	if (end->failed == ECONNREFUSED && try_other(relay, tcp))
		return;
	if (end->failed) {
		tcp_close(relay, tcp, true);
	} else if (events & EPOLLOUT) {
		if (tcp->other_family)
			tell_family(relay, tcp);
		tcp_move(tcp, NULL);
		tcp_flow(relay, tcp);
	}
}

static void begin(struct relay *relay, struct port *port, int fd,
                  const struct endpoint *client)
{
	const struct linger at_once = { .l_onoff = 1 };
	cleanup_close int outer = fd;
	struct tcp *tcp = NULL;

	/* Half of all at most, so that nobody outside takes the workspace's own. */
	if (tcp_has_room(relay) && relay->ports.connections < relay->connections_max / 2)
		tcp = calloc(1, sizeof(*tcp));
	if (!tcp) {
		(void)setsockopt(outer, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		return;
	}
	tcp->state = TCP_REACHES;
	tcp->since = relay->now;
	tcp->inbound = true;
	tcp->port = port->id;
	for (int i = 0; i < 2; i++) {
		tcp->end[i].source.ready = tcp_end_ready;
		tcp->end[i].tcp = tcp;
		tcp->end[i].fd = -EBADF;
		tcp->end[i].writable = true;
	}
	published_face(relay, port, client, &tcp->flow.from, &tcp->flow.to);
	relay->connections++;
	relay->ports.connections++;
	tcp->counts = port->counts;
	relay->ports.standing += port->counts;
	relay->ports.came += port->counts;
	tcp_set_up(outer);
	tcp_bound_buffers(relay, outer);
	tcp->end[OUTER].fd = take_fd(&outer);
	if (tcp_watch(relay, &tcp->end[OUTER], WATCH_READING) < 0)
		tcp_close(relay, tcp, true);
	else
		start(relay, tcp);
}

void inbound_accept(struct relay *relay, struct source *source, uint32_t events)
{
	struct port *port = (struct port *)source; /* its first member */

	(void)events;
	for (int i = 0; port->fd >= 0 && i < ACCEPTS_PER_TURN; i++) {
		union address peer = { 0 };
		socklen_t n = sizeof(peer);
		int fd = accept4(port->fd, &peer.any, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);
		struct endpoint client;

		/* What cannot be accepted would be reported for ever. */
		if (fd < 0 && errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
			port_pause(relay, port, true);
		if (fd < 0)
			return;
		client = endpoint_from(&peer);
		begin(relay, port, fd, &client);
	}
}

void inbound_resume(struct relay *relay)
{
	struct tcp_list *waiting = &relay->ports.waiting;
	const struct tcp *last = TAILQ_LAST(waiting, tcp_list);
	struct tcp *tcp;

	while ((tcp = TAILQ_FIRST(waiting))) {
		const bool end = tcp == last;

		start(relay, tcp);
		if (end)
			return;
	}
}

void inbound_expire(struct relay *relay)
{
	struct tcp_list *const list[] = { &relay->ports.reaching, &relay->ports.waiting };
	struct tcp *tcp, *next;

	for (int i = 0; i < 2; i++)
		for (tcp = TAILQ_FIRST(list[i]); tcp; tcp = next) {
			next = TAILQ_NEXT(tcp, queue);
			if (relay->now - tcp->since >= REACHED_MS)
				tcp_close(relay, tcp, true);
		}
}
