#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "netns/relay_internal.h"

/*
 * A connection that is being made. The workspace's SYN waits in the queue while the outer
 * connection is tried; what became of that is what the workspace sees.
 */

#define DNS_PORT 53
#define ACCEPTS_PER_TURN 64

/* A workspace that still wants it has sent its SYN again by then, thrice. */
#define FORGOTTEN_MS 70000
/* From the SYN's going on to the connection, all in one kernel. */
#define ACCEPTED_MS 10000

/* Connections above this number have buffers of a fixed size, bytes. */
#define MANY 256
#define MANY_BUFFER (32 * 1024)

void tcp_move(struct tcp *tcp, struct tcp_list *list)
{
	if (tcp->list)
		TAILQ_REMOVE(tcp->list, tcp, queue);
	if (list)
		TAILQ_INSERT_TAIL(list, tcp, queue);
	tcp->list = list;
}

static struct tcp *find(struct relay *relay, const struct flow *flow)
{
	struct tcp *tcp;

	LIST_FOREACH(tcp, &relay->bucket[flow_hash(flow, relay->seed) % TCP_BUCKETS],
	             bucket)
	if (flow_equal(&tcp->flow, flow))
		return tcp;
	return NULL;
}

static void unheld(struct relay *relay, struct tcp *tcp)
{
	LIST_REMOVE(tcp, bucket);
	tcp_move(tcp, NULL);
	relay->held--;
}

static void give_up(struct relay *relay, struct tcp *tcp, uint32_t mark)
{
	if (tcp->state == TCP_CONNECTING)
		syn_verdict(relay, tcp->packet, mark);
	unheld(relay, tcp);
	tcp_close(relay, tcp, true);
}

/* What the workspace is to see; 0 for silence. */
static uint32_t mark_of(int error)
{
	switch (error) {
	case ECONNREFUSED:
	case ECONNRESET:
		return MARK_REFUSED;
	case EHOSTUNREACH:
	case EHOSTDOWN:
		return MARK_NO_HOST;
	case ENETUNREACH:
	case EAFNOSUPPORT: /* no IPv6 in the pod */
	case EINVAL:
		return MARK_NO_ROUTE;
	case EACCES:
	case EPERM:
		return MARK_FORBIDDEN;
	default:
		return 0;
	}
}

void tcp_set_up(int fd)
{
	const int on = 1, idle = RELAY_KEEPALIVE_S;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
}

/* A port and a client of UDP have one descriptor, a connection is counted with three. */
bool tcp_has_room(const struct relay *relay)
{
	return relay->connections + (relay->ports.n + relay->ports.flows) / 3 <
	       relay->connections_max;
}

static int outer_socket(const struct endpoint *to)
{
	const int fd = socket(endpoint_is_v4(to) ? AF_INET : AF_INET6,
	                      SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	tcp_set_up(fd);
	return fd;
}

/*
 * The kernel lets the buffers of a connection grow to megabytes, and charges nobody inside:
 * where there are many, each gets what keeps it moving and no more.
 */
void tcp_bound_buffers(const struct relay *relay, int fd)
{
	const int bytes = MANY_BUFFER;

	if (relay->connections <= MANY)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

int tcp_watch(struct relay *relay, struct tcp_end *end, enum watched what)
{
	end->tells_writable = what == WATCH_BOTH;
	return relay_watch(relay, end->fd, &end->source, what);
}

static int reach(struct relay *relay, struct tcp *tcp, const struct endpoint *to)
{
	union address address;
	const socklen_t n = endpoint_to(to, &address);
	int r = outer_socket(to);

	if (r < 0)
		return r;
	tcp->end[OUTER].fd = r;
	tcp_bound_buffers(relay, r);
	if (connect(r, &address.any, n) < 0 && errno != EINPROGRESS)
		return -errno;
	return tcp_watch(relay, &tcp->end[OUTER], WATCH_BOTH);
}

static void begin(struct relay *relay, const struct flow *flow, const struct endpoint *to,
                  uint32_t packet)
{
	struct tcp *tcp = calloc(1, sizeof(*tcp));
	int r;

	if (!tcp) {
		syn_verdict(relay, packet, 0);
		return;
	}
	tcp->flow = *flow;
	tcp->packet = packet;
	tcp->since = relay->now;
	tcp->state = TCP_CONNECTING;
	tcp->nameservers = to != &flow->to;
	for (int i = 0; i < 2; i++) {
		tcp->end[i].source.ready = tcp_end_ready;
		tcp->end[i].tcp = tcp;
		tcp->end[i].fd = -EBADF;
		tcp->end[i].writable = true;
	}
	relay->connections++;
	relay->held++;
	LIST_INSERT_HEAD(&relay->bucket[flow_hash(flow, relay->seed) % TCP_BUCKETS], tcp,
	                 bucket);
	tcp_move(tcp, &relay->connecting);
	r = reach(relay, tcp, to);
	if (r < 0)
		give_up(relay, tcp, mark_of(-r));
}

void tcp_ask(struct relay *relay, const struct flow *flow, uint32_t packet)
{
	const struct relay_config *config = relay->config;
	struct tcp *tcp = find(relay, flow);
	const struct endpoint *to = &flow->to;

	if (tcp && tcp->state == TCP_CONNECTING) {
		/* Sent again, or a new attempt from the same port: the last one counts. */
		syn_verdict(relay, tcp->packet, 0);
		tcp->packet = packet;
		tcp->since = relay->now;
		tcp_move(tcp, &relay->connecting);
		return;
	}
	if (tcp) {
		syn_verdict(relay, packet, MARK_STANDS);
		return;
	}
	if (relay_is_gateway(config, &to->address)) {
		if (to->port != DNS_PORT || config->nameservers == 0) {
			syn_verdict(relay, packet, MARK_REFUSED);
			return;
		}
		to = &config->nameserver[relay->nameserver];
	} else {
		const int r = egress_permits(relay, to, IPPROTO_TCP);

		if (r < 0) {
			syn_verdict(relay, packet, mark_of(-r));
			return;
		}
	}
	/* Who opens more than we can hold loses the oldest: its SYN will come again. */
	if (relay->held >= config->held)
		give_up(relay,
		        TAILQ_EMPTY(&relay->connecting) ? TAILQ_FIRST(&relay->standing)
		                                        : TAILQ_FIRST(&relay->connecting),
		        0);
	if (!tcp_has_room(relay)) {
		syn_verdict(relay, packet, 0);
		return;
	}
	begin(relay, flow, to, packet);
}

/* The next nameserver, from now on for all; false when all were tried. */
static bool try_next(struct relay *relay, struct tcp *tcp)
{
	const struct relay_config *config = relay->config;

	if (tcp->nameservers == 0 || tcp->nameservers >= config->nameservers)
		return false;
	tcp->nameservers++;
	relay->nameserver = (uint8_t)((relay->nameserver + 1) % config->nameservers);
	drop_fd(&tcp->end[OUTER].fd);
	tcp->end[OUTER].failed = 0;
	tcp->end[OUTER].readable = tcp->end[OUTER].hung_up = false;
	return reach(relay, tcp, &config->nameserver[relay->nameserver]) == 0;
}

void tcp_connected(struct relay *relay, struct tcp *tcp)
{
	struct tcp_end *outer = &tcp->end[OUTER];

	if (outer->failed) {
		if (try_next(relay, tcp))
			return;
		give_up(relay, tcp, mark_of(outer->failed));
		return;
	}
	tcp->state = TCP_STANDS;
	tcp->since = relay->now;
	tcp_move(tcp, &relay->standing);
	syn_verdict(relay, tcp->packet, MARK_STANDS);
}

static void refuse(int fd)
{
	const struct linger at_once = { .l_onoff = 1 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

static void accepted(struct relay *relay, int fd, const union address *peer)
{
	cleanup_close int inner = fd;
	union address to = { 0 };
	socklen_t n = sizeof(to);
	struct flow flow;
	struct tcp *tcp;

	if (getsockname(inner, &to.any, &n) < 0)
		return;
	flow.from = endpoint_from(peer);
	flow.to = endpoint_from(&to);
	tcp = find(relay, &flow);
	/* Nobody asked for it: an ACK with a guessed cookie, or one that we gave up. */
	if (!tcp || tcp->state != TCP_STANDS) {
		refuse(inner);
		return;
	}
	tcp->end[INNER].fd = take_fd(&inner);
	tcp_bound_buffers(relay, tcp->end[INNER].fd);
	if (tcp_watch(relay, &tcp->end[INNER], WATCH_READING) < 0) {
		give_up(relay, tcp, 0);
		return;
	}
	unheld(relay, tcp);
	tcp_flow(relay, tcp);
}

static void watch_listeners(struct relay *relay, uint32_t events)
{
	const struct {
		enum relay_socket socket;
		struct source *source;
	} row[] = { { RELAY_TCP4, &relay->listen4 }, { RELAY_TCP6, &relay->listen6 } };

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct epoll_event event = { .events = events,
			                     .data.ptr = row[i].source };

		if (relay->sockets[row[i].socket] >= 0)
			(void)epoll_ctl(relay->epoll, EPOLL_CTL_MOD,
			                relay->sockets[row[i].socket], &event);
	}
}

/*
 * What cannot be accepted is reported again and again. One that waits for it makes room; where
 * none does, nobody is accepted until the next second.
 */
static void cannot_accept(struct relay *relay, int error)
{
	if (error == EINTR || error == ECONNABORTED)
		return;
	if (!TAILQ_EMPTY(&relay->standing)) {
		give_up(relay, TAILQ_FIRST(&relay->standing), 0);
		return;
	}
	relay->paused = true;
	watch_listeners(relay, 0);
}

void tcp_accept_again(struct relay *relay)
{
	if (!relay->paused)
		return;
	relay->paused = false;
	watch_listeners(relay, EPOLLIN);
}

void tcp_accept(struct relay *relay, struct source *source, uint32_t events)
{
	const int listener =
		relay->sockets[source == &relay->listen4 ? RELAY_TCP4 : RELAY_TCP6];

	(void)events;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		union address peer = { 0 };
		socklen_t n = sizeof(peer);
		int fd = accept4(listener, &peer.any, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0 && errno == EAGAIN)
			return;
		if (fd < 0) {
			cannot_accept(relay, errno);
			return;
		}
		accepted(relay, fd, &peer);
		/* Nobody else is expected; who comes all the same is reported again. */
		if (TAILQ_EMPTY(&relay->standing))
			return;
	}
}

void tcp_expire(struct relay *relay)
{
	struct tcp *tcp;

	while ((tcp = TAILQ_FIRST(&relay->connecting)) &&
	       relay->now - tcp->since >= FORGOTTEN_MS)
		give_up(relay, tcp, 0);
	while ((tcp = TAILQ_FIRST(&relay->standing)) &&
	       relay->now - tcp->since >= ACCEPTED_MS)
		give_up(relay, tcp, 0);
}
