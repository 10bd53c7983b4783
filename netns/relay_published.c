#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/fd.h"
#include "netns/lookout.h"
#include "netns/relay_internal.h"

/*
 * Published ports. The supervisor opens them in the pod and hands them over; the warden makes
 * sockets of the gateway, by which the relay reaches the workspace as the client.
 */

#define WORDS_PER_TURN 64

/* Fewer are left: ask for the next ones before they are needed. */
#define FEW (MAKER_BATCH / 2)

static void watch(struct relay *relay, int op, int fd, struct source *source,
                  uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	(void)epoll_ctl(relay->epoll, op, fd, &event);
}

struct port *published_find(struct relay *relay, uint32_t id)
{
	struct port *port;

	LIST_FOREACH(port, &relay->ports.port, next)
	if (port->id == id)
		return port;
	return NULL;
}

static void close_port(struct relay *relay, struct port *port)
{
	LIST_REMOVE(port, next);
	inflow_close_port(relay, port);
	drop_fd(&port->fd);
	relay->ports.n--;
	port->doomed = relay->ports.doomed;
	relay->ports.doomed = port;
}

void port_pause(struct relay *relay, struct port *port, bool pause)
{
	port->paused = pause;
	watch(relay, EPOLL_CTL_MOD, port->fd, &port->source, pause ? 0 : EPOLLIN);
}

static void add_port(struct relay *relay, const struct ports_message *message, int fd)
{
	struct port *port = fd < 0 ? NULL : calloc(1, sizeof(*port));
	union address address = { 0 };
	socklen_t n = sizeof(address);

	if (!port || getsockname(fd, &address.any, &n) < 0) {
		free(port);
		drop_fd(&fd);
		return;
	}
	*port = (struct port){ .source.ready =
		                       message->udp ? inflow_receive : inbound_accept,
		               .id = message->id,
		               .inner = message->port,
		               .udp = message->udp,
		               .counts = message->count > 0,
		               .v4 = address.any.sa_family == AF_INET,
		               .fd = fd };
	LIST_INSERT_HEAD(&relay->ports.port, port, next);
	relay->ports.n++;
	watch(relay, EPOLL_CTL_ADD, fd, &port->source, EPOLLIN);
}

/*
 * Says to the supervisor what that waits for. Where the link is full, or memory is short, we owe it,
 * and take in nothing more until it is said: so there is never more than one that is owed. Of a full
 * one epoll tells when it is no longer; the other passes with time, which would come again at once if
 * it were waited for by EPOLLOUT.
 */
static void answer(struct relay *relay, const struct ports_message *message)
{
	struct published *ports = &relay->ports;
	const int r = ports_send(ports->link, message, -EBADF, MSG_DONTWAIT);

	ports->owes = r < 0 && r != -EPIPE && r != -ECONNRESET && r != -ENOTCONN;
	ports->by_clock = ports->owes && r != -EAGAIN;
	if (!ports->owes)
		return;
	ports->owed = *message;
	watch(relay, EPOLL_CTL_MOD, ports->link, &ports->link_source,
	      ports->by_clock ? 0 : EPOLLOUT);
}

/* Return: whether nothing is owed any more. */
static bool settle(struct relay *relay)
{
	const struct ports_message owed = relay->ports.owed;

	if (!relay->ports.owes)
		return true;
	answer(relay, &owed);
	if (!relay->ports.owes)
		watch(relay, EPOLL_CTL_MOD, relay->ports.link, &relay->ports.link_source,
		      EPOLLIN);
	return !relay->ports.owes;
}

/* What stands, and what came since it was asked last. */
static void tell_use(struct relay *relay)
{
	struct published *ports = &relay->ports;
	const struct ports_message used = { .word = PORTS_USED,
		                            .count = ports->standing + ports->came };

	ports->came = 0;
	answer(relay, &used);
}

static void obey(struct relay *relay, const struct ports_message *message, int fd)
{
	const struct ports_message done = { .word = PORTS_DONE, .id = message->id };
	struct port *port = published_find(relay, message->id);

	switch ((enum ports_word)message->word) {
	case PORTS_ROUTES:
		drop_fd(&relay->ports.routes);
		relay->ports.routes = fd;
		break;
	case PORTS_ADD:
		add_port(relay, message, fd);
		break;
	case PORTS_REMOVE:
		if (port)
			close_port(relay, port);
		drop_fd(&fd);
		break;
	case PORTS_MTU:
		relay->mtu = message->port;
		drop_fd(&fd);
		return;
	case PORTS_PACE:
		pace_set(relay, message->rate);
		drop_fd(&fd);
		return;
	case PORTS_USE:
		tell_use(relay);
		drop_fd(&fd);
		return;
	case PORTS_DONE:
	case PORTS_USED:
	case PORTS_HIDDEN:
	case PORTS_WORDS:
		drop_fd(&fd);
		return;
	}
	answer(relay, &done);
}

static void link_ready(struct relay *relay, struct source *source, uint32_t events)
{
	(void)source;
	(void)events;
	for (int i = 0; i < WORDS_PER_TURN && settle(relay); i++) {
		struct ports_message message;
		int fd = -EBADF;
		int r = ports_receive(relay->ports.link, &message, &fd, MSG_DONTWAIT);

		if (r == -EAGAIN)
			return;
		if (r != 1) { /* the supervisor is gone, and soon we are too */
			watch(relay, EPOLL_CTL_DEL, relay->ports.link, NULL, 0);
			return;
		}
		obey(relay, &message, fd);
	}
}

static void ask(struct relay *relay, enum maker_kind kind)
{
	struct published *ports = &relay->ports;

	if (!ports->asked[kind])
		ports->asked[kind] = maker_ask(ports->maker, kind) == 0;
}

static void resume(struct relay *relay)
{
	struct port *port;

	LIST_FOREACH(port, &relay->ports.port, next)
	if (port->paused)
		port_pause(relay, port, false);
	inbound_resume(relay);
}

static void maker_ready(struct relay *relay, struct source *source, uint32_t events)
{
	struct published *ports = &relay->ports;
	enum maker_kind kind;
	int made[MAKER_BATCH], n;

	(void)source;
	(void)events;
	n = maker_receive(ports->maker, &kind, made);
	if (n == -EAGAIN)
		return;
	if (n < 0 || kind >= MAKER_KINDS) {
		watch(relay, EPOLL_CTL_DEL, ports->maker, NULL, 0);
		return;
	}
	/* None: no descriptors or memory there. It is asked again when time has gone by. */
	ports->asked[kind] = false;
	for (int i = 0; i < n; i++) {
		if (ports->spares[kind] < sizeof(ports->spare[kind]) / sizeof(int))
			ports->spare[kind][ports->spares[kind]++] = made[i];
		else
			(void)close(made[i]);
	}
	if (n > 0)
		resume(relay);
}

static int make_transparent(int fd, bool v4)
{
	const int on = 1;

	if (setsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6,
	               v4 ? IP_TRANSPARENT : IPV6_TRANSPARENT, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -errno;
	/* A port is chosen when it is known to whom: as many as there are for each. */
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	return 0;
}

int published_take(struct relay *relay, enum maker_kind kind)
{
	struct published *ports = &relay->ports;
	cleanup_close int fd = -EBADF;
	int r;

	if (ports->spares[kind] <= FEW)
		ask(relay, kind);
	if (ports->spares[kind] == 0)
		return -EAGAIN;
	fd = ports->spare[kind][--ports->spares[kind]];
	r = make_transparent(fd, kind == MAKER_TCP4 || kind == MAKER_UDP4);
	return r < 0 ? r : take_fd(&fd);
}

static struct in6_addr address_of(const struct ip *ip)
{
	struct in6_addr address = { 0 };

	if (ip->family == AF_INET6) {
		memcpy(&address, ip->byte, 16);
		return address;
	}
	address.s6_addr[10] = address.s6_addr[11] = 0xff;
	memcpy(&address.s6_addr[12], ip->byte, 4);
	return address;
}

bool published_gateway(const struct relay *relay, bool v4, uint16_t port,
                       struct endpoint *ret, struct endpoint *ret_to)
{
	const struct relay_config *config = relay->config;

	if (!config->workspace[!v4].family)
		return false;
	*ret = (struct endpoint){ .address = address_of(&config->gateway[!v4]) };
	*ret_to = (struct endpoint){ .address = address_of(&config->workspace[!v4]),
		                     .port = port };
	return true;
}

void published_tell(struct relay *relay, struct port *port, enum ports_hidden hidden,
                    const struct endpoint *client)
{
	const struct ports_message message = { .word = PORTS_HIDDEN,
		                               .id = port->id,
		                               .hidden = (uint8_t)hidden,
		                               .client = *client };

	if (port->told & 1U << hidden)
		return;
	if (ports_send(relay->ports.link, &message, -EBADF, MSG_DONTWAIT) == 0)
		port->told |= (uint8_t)(1U << hidden);
}

/* Why an address cannot be shown to the workspace, or HIDDEN_REASONS. */
static enum ports_hidden why_hidden(const struct relay *relay,
                                    const struct in6_addr *client,
                                    const struct in6_addr *gateway)
{
	const uint32_t v4 = ntohl(client->s6_addr32[3]);

	if (IN6_IS_ADDR_V4MAPPED(client)) {
		if (v4 >> 24 == 127)
			return HIDDEN_LOOPBACK;
		if (v4 >> 16 == 0xa9fe)
			return HIDDEN_LINK_LOCAL;
		if (v4 >> 24 == 0 || v4 >> 24 >= 224)
			return HIDDEN_SPECIAL;
	} else {
		if (IN6_IS_ADDR_LOOPBACK(client))
			return HIDDEN_LOOPBACK;
		if (IN6_IS_ADDR_LINKLOCAL(client))
			return HIDDEN_LINK_LOCAL;
		if (IN6_IS_ADDR_UNSPECIFIED(client) || IN6_IS_ADDR_MULTICAST(client) ||
		    IN6_IS_ADDR_V4COMPAT(client))
			return HIDDEN_SPECIAL;
	}
	return lookout_goes_to(relay->ports.routes, client, gateway) ? HIDDEN_REASONS
	                                                             : HIDDEN_ROUTE;
}

void published_face(struct relay *relay, struct port *port, const struct endpoint *client,
                    struct endpoint *ret, struct endpoint *ret_to)
{
	const bool v4 = endpoint_is_v4(client);
	enum ports_hidden hidden = HIDDEN_FAMILY;

	if (published_gateway(relay, v4, port->inner, ret, ret_to))
		hidden = why_hidden(relay, &client->address, &ret->address);
	else /* IPv4 there is always */
		(void)published_gateway(relay, true, port->inner, ret, ret_to);
	if (hidden == HIDDEN_REASONS)
		*ret = *client;
	else
		published_tell(relay, port, hidden, client);
}

int published_start(struct relay *relay, const struct relay_links *links, struct err *err)
{
	struct published *ports = &relay->ports;

	ports->link = links->ports;
	ports->maker = links->maker;
	ports->routes = -EBADF;
	TAILQ_INIT(&ports->reaching);
	TAILQ_INIT(&ports->waiting);
	TAILQ_INIT(&ports->quiet);
	TAILQ_INIT(&ports->answered);
	ports->link_source.ready = link_ready;
	ports->maker_source.ready = maker_ready;
	if (links->ports < 0 || links->maker < 0)
		return 0;
	for (int i = 0; i < 2; i++) {
		struct epoll_event event = { .events = EPOLLIN,
			                     .data.ptr = i == 0 ? &ports->link_source
			                                        : &ports->maker_source };

		if (epoll_ctl(relay->epoll, EPOLL_CTL_ADD,
		              i == 0 ? ports->link : ports->maker, &event) < 0)
			return err_set(err, errno, "listen to the supervisor");
	}
	return 0;
}

void published_expire(struct relay *relay)
{
	struct published *ports = &relay->ports;
	struct port *port;
	bool paused = !TAILQ_EMPTY(&ports->waiting);

	LIST_FOREACH(port, &relay->ports.port, next)
	paused |= port->paused;
	if (paused)
		resume(relay);
	if (ports->by_clock)
		(void)settle(relay);
	inbound_expire(relay);
	inflow_expire(relay);
}

bool published_are_busy(const struct relay *relay)
{
	const struct published *ports = &relay->ports;
	const struct port *port;

	LIST_FOREACH(port, &ports->port, next)
	if (port->paused)
		return true;
	return ports->by_clock || !TAILQ_EMPTY(&ports->reaching) ||
	       !TAILQ_EMPTY(&ports->waiting) || !TAILQ_EMPTY(&ports->quiet) ||
	       !TAILQ_EMPTY(&ports->answered);
}

void published_bury(struct relay *relay)
{
	inflow_bury(relay);
	while (relay->ports.doomed) {
		struct port *port = relay->ports.doomed;

		relay->ports.doomed = port->doomed;
		free(port);
	}
}
