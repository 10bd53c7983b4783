#include "ports_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "netns/ports_link.h"

/* What the relay says in one turn of the loop. */
#define WORDS_PER_TURN 64

void ports_init(struct ports *ports)
{
	ports->link[0] = ports->link[1] = ports->lookout = ports->timer = -EBADF;
	ports->patience = -EBADF;
}

static int hint_open(struct err *err)
{
	switch (err->code) {
	case EADDRINUSE:
		return err_hint(err,
		                "another program of the pod has that port, or another "
		                "workspace ('berth port NAME'): publish a different one, "
		                "as 8081:80");
	case EACCES:
		return err_hint(
			err, "ports below net.ipv4.ip_unprivileged_port_start, 1024 by "
			     "default, take privilege: publish a higher one, as "
			     "8080:80, or lower that sysctl in the pod");
	case EADDRNOTAVAIL:
		return err_hint(err,
		                "the pod has no such address: leave it out to listen on "
		                "all");
	case EMFILE:
		return err_hint(err, "each port takes a descriptor: raise ulimit -n, or "
		                     "publish fewer");
	default:
		return -err->code;
	}
}

void ports_shut(struct ports *ports, size_t keep)
{
	while (ports->n > keep)
		drop_fd(&ports->port[--ports->n].fd);
}

int ports_open_one(struct ports *ports, const struct publish *one, bool automatic,
                   struct err *err)
{
	char text[PUBLISH_TEXT_MAX];
	int fd;

	for (size_t i = 0; i < ports->n; i++)
		if (publish_overlap(&ports->port[i].publish, one)) {
			(void)err_set(err, EEXIST, "port '%s' is published already",
			              publish_text(&ports->port[i].publish, text));
			return err_hint(err,
			                "remove that first: berth port NAME --remove %s",
			                text);
		}
	if (ports->n == PUBLISH_MAX)
		return err_set(err, E2BIG, "more than %d ports", PUBLISH_MAX);
	if (!ports_have_room(ports))
		return err_set(err, EBUSY, "the relay has %zu ports to close first",
		               ports->removed_n);
	fd = publish_listen(one, err);
	if (fd < 0)
		return hint_open(err);
	ports->port[ports->n++] = (struct open_port){
		.publish = *one, .id = ++ports->last_id, .fd = fd, .automatic = automatic
	};
	return 0;
}

int ports_open(struct ports *ports, const struct publish *publish, struct err *err)
{
	const size_t before = ports->n;
	int r = 0;

	if (publish->automatic) {
		ports->automatic = *publish;
		return 0;
	}
	for (unsigned int i = 0; r == 0 && i < publish->n; i++) {
		const struct publish one = publish_nth(publish, i);

		r = ports_open_one(ports, &one, false, err);
	}
	if (r < 0)
		ports_shut(ports, before);
	return r;
}

const char *ports_protocol(const struct publish *publish)
{
	return publish->udp ? "udp" : "tcp";
}

/* Says, once for each port and reason, that a client's address is not what shows inside. */
static void tell_hidden(struct ports *ports, const struct ports_message *message)
{
	static const char *const why[HIDDEN_REASONS] = {
		[HIDDEN_LOOPBACK] = "it is the pod's loopback",
		[HIDDEN_LINK_LOCAL] = "it is link-local",
		[HIDDEN_SPECIAL] = "it is no host's",
		[HIDDEN_ROUTE] =
			"the workspace has that address or a route of its own to it",
		[HIDDEN_FAMILY] = "nobody inside listens for its family",
	};
	const struct in6_addr *client = &message->client.address;
	const bool v4 = IN6_IS_ADDR_V4MAPPED(client);
	struct ip ip = { .family = v4 ? AF_INET : AF_INET6 };
	char address[IP_TEXT_MAX], line[256];

	memcpy(ip.byte, &client->s6_addr[v4 ? 12 : 0], v4 ? 4 : 16);
	for (size_t i = 0; i < ports->n; i++) {
		const struct publish *publish = &ports->port[i].publish;

		if (ports->port[i].id != message->id ||
		    ports->port[i].told & 1U << message->hidden)
			continue;
		ports->port[i].told |= (uint8_t)(1U << message->hidden);
		(void)snprintf(
			line, sizeof(line),
			"port %u/%s: client %s shows inside as the gateway, since %s "
			"(said once for this port)",
			publish->out, ports_protocol(publish),
			ip_text(&ip, false, address), why[message->hidden]);
		ports->say(ports->ctx, line);
	}
}

/* A port that the relay has now. Return: whether it is one. */
static bool is_served(struct ports *ports, uint32_t id)
{
	for (size_t i = 0; i < ports->n; i++) {
		struct open_port *port = &ports->port[i];
		const struct publish *one = &port->publish;

		if (port->id != id || !port->asked_ms || port->fd >= 0)
			continue;
		port->asked_ms = 0;
		ports->troubled[one->udp][one->in / 8] &=
			(unsigned char)~(1U << one->in % 8);
		return true;
	}
	return false;
}

/* The next thing that the relay says. Return: 1 and the message; 0 or -errno as it came. */
static int hear(struct ports *ports, struct ports_message *ret, bool *ret_changed)
{
	int passed = -EBADF;
	int r = ports_receive(ports->link[0], ret, &passed, MSG_DONTWAIT);

	drop_fd(&passed);
	if (r == 1 && ret->word == PORTS_HIDDEN)
		tell_hidden(ports, ret);
	if (r == 1 && ret->word == PORTS_DONE) {
		ports_done(ports, ret->id);
		*ret_changed |= is_served(ports, ret->id);
		ports_change_done(ports, ret->id);
	}
	if (r == 1 && ret->word == PORTS_USED && ports->used)
		ports->used(ports->ctx, ret->count);
	return r;
}

static int on_link(void *ctx, int fd, short revents, struct err *err)
{
	struct ports *ports = ctx;
	struct ports_message message;
	bool changed = false;
	int r = 1;

	(void)revents;
	(void)err;
	/* A relay that was taken over may talk for ever; others have their turn meanwhile. */
	for (int i = 0; r == 1 && i < WORDS_PER_TURN; i++)
		r = hear(ports, &message, &changed);
	/* It is gone. The warden tells of it, unless the network was optional and failed. */
	if (r != 1 && r != -EAGAIN) {
		loop_remove(ports->loop, fd);
		drop_fd(&ports->link[0]);
		ports_change_lost(ports);
	}
	if (changed)
		ports->changed(ports->ctx);
	/* There may be room now, whether it spoke or not. */
	ports_flush(ports);
	return LOOP_GO;
}

/* Return: 1 and a message; -ETIMEDOUT; -ECONNRESET; -errno. */
static int await_word(struct ports *ports, int64_t until_ms, struct ports_message *ret,
                      bool *ret_changed, struct err *err)
{
	for (;;) {
		struct pollfd pfd = { .fd = ports->link[0], .events = POLLIN };
		const int64_t left = until_ms - clock_ms(CLOCK_MONOTONIC);
		int r = left > 0 ? poll(&pfd, 1, (int)left) : 0;

		if (r == 0)
			return err_set(err, ETIMEDOUT, "wait for the relay");
		if (r < 0 && errno != EINTR)
			return err_set(err, errno, "wait for the relay");
		if (r > 0)
			r = hear(ports, ret, ret_changed);
		else
			continue;
		if (r == 1)
			return 1;
		if (r != -EAGAIN)
			return err_set(err, r < 0 ? -r : ECONNRESET, "the relay died");
	}
}

static int await(struct ports *ports, uint32_t id, struct err *err)
{
	const int64_t until_ms = clock_ms(CLOCK_MONOTONIC) + PORTS_ANSWER_MS;
	struct ports_message message;
	bool changed = false;
	int r;

	do
		r = await_word(ports, until_ms, &message, &changed, err);
	while (r == 1 && (message.word != PORTS_DONE || message.id != id));
	if (changed)
		ports->changed(ports->ctx);
	return r < 0 ? r : 0;
}

/* At the launch nobody else is to be served yet. */
static int hand_over(struct ports *ports, struct open_port *port, struct err *err)
{
	int r = ports_hand_over(ports, port, err);

	if (r < 0)
		return r;
	ports_flush(ports);
	return await(ports, port->id, err);
}

int ports_start(struct ports *ports, int routes, struct err *err)
{
	const struct ports_message first = { .word = PORTS_ROUTES };
	int r = 0;

	/* No gateway: a network that was optional. */
	if (ports->link[0] < 0)
		return 0;
	/* Its answer is not waited for: what comes behind it is done behind it. */
	if (routes >= 0)
		r = ports_send(ports->link[0], &first, routes, 0);
	if (r < 0 && ports->n == 0 && !ports->automatic.automatic) {
		/* Its network was optional, and failed. */
		drop_fd(&ports->link[0]);
		return 0;
	}
	if (r < 0)
		(void)err_set(err, -r, "talk to the relay");
	for (size_t i = 0; r == 0 && i < ports->n; i++)
		r = hand_over(ports, &ports->port[i], err);
	if (r == 0)
		r = loop_add(ports->loop, ports->link[0], POLLIN, on_link, ports, err);
	if (r == 0 && ports->automatic.automatic)
		r = ports_follow_start(ports, err);
	return r;
}

bool ports_ask_use(const struct ports *ports)
{
	const struct ports_message message = { .word = PORTS_USE };

	return ports->link[0] >= 0 &&
	       ports_send(ports->link[0], &message, -EBADF, MSG_DONTWAIT) == 0;
}

void ports_gateway(struct ports *ports, const struct gateway *gateway)
{
	ports->gateway = *gateway;
	ports->untold = true;
	ports_flush(ports);
}

int ports_list(const struct ports *ports, struct arena *arena, const char *const **ret,
               size_t *ret_n)
{
	const char **line = arena_alloc(arena, (ports->n + 1) * sizeof(*line));
	char text[PUBLISH_TEXT_MAX];
	size_t n = 0;

	for (size_t i = 0; line && i < ports->n; i++)
		if (!ports->port[i].asked_ms)
			line[n++] =
				arena_printf(arena, "%s%s",
			                     publish_text(&ports->port[i].publish, text),
			                     ports->port[i].automatic ? " auto" : "");
	if (arena->failed)
		return -ENOMEM;
	*ret = line;
	*ret_n = n;
	return 0;
}

void ports_close(struct ports *ports)
{
	ports_follow_stop(ports);
	ports_change_stop(ports);
	if (ports->link[0] >= 0 && ports->loop)
		loop_remove(ports->loop, ports->link[0]);
	ports_shut(ports, 0);
	drop_fd(&ports->link[0]);
	drop_fd(&ports->link[1]);
	drop_fd(&ports->lookout);
}
