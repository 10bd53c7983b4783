#include "ports.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "netns/lookout.h"
#include "netns/ports_link.h"

/* The relay answers in microseconds, or something is very wrong. */
#define ANSWER_MS 5000

/* -p auto looks so often, but not for more than a twentieth of the time: root inside may have as
 * many sockets as he likes. */
#define LOOK_MS 300
#define LOOK_SHARE 20

/* The workspace cannot take all ports of the pod. */
#define AUTOMATIC_MAX 128

void ports_init(struct ports *ports)
{
	*ports = (struct ports){ .link = { -EBADF, -EBADF },
		                 .lookout = -EBADF,
		                 .timer = -EBADF };
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

/* Before the relay has it: so that what failed has opened nothing. */
static void shut(struct ports *ports, size_t keep)
{
	while (ports->n > keep)
		drop_fd(&ports->port[--ports->n].fd);
}

static int open_one(struct ports *ports, const struct publish *one, bool automatic,
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

		r = open_one(ports, &one, false, err);
	}
	if (r < 0)
		shut(ports, before);
	return r;
}

static const char *protocol(const struct publish *publish)
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

		if (ports->port[i].id != message->id)
			continue;
		(void)snprintf(
			line, sizeof(line),
			"port %u/%s: client %s shows inside as the gateway, since %s "
			"(said once for this port)",
			publish->out, protocol(publish), ip_text(&ip, false, address),
			why[message->hidden]);
		ports->say(ports->ctx, line);
	}
}

static int on_link(void *ctx, int fd, short revents, struct err *err)
{
	struct ports *ports = ctx;
	struct ports_message message;
	int passed = -EBADF, r;

	(void)revents;
	(void)err;
	while ((r = ports_receive(fd, &message, &passed, MSG_DONTWAIT)) == 1) {
		drop_fd(&passed);
		if (message.word == PORTS_HIDDEN)
			tell_hidden(ports, &message);
	}
	/* It is gone. The warden tells of it, unless the network was optional and failed. */
	if (r != -EAGAIN) {
		loop_remove(ports->loop, fd);
		drop_fd(&ports->link[0]);
	}
	return LOOP_GO;
}

/* Waits for the answer to a message; what else the relay says meanwhile is said. */
static int await(struct ports *ports, uint32_t id, struct err *err)
{
	for (;;) {
		struct pollfd pfd = { .fd = ports->link[0], .events = POLLIN };
		struct ports_message message;
		int passed = -EBADF, r = poll(&pfd, 1, ANSWER_MS);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return err_set(err, r < 0 ? errno : ETIMEDOUT,
			               "wait for the relay");
		r = ports_receive(ports->link[0], &message, &passed, MSG_DONTWAIT);
		drop_fd(&passed);
		if (r <= 0)
			return err_set(err, r < 0 ? -r : ECONNRESET, "the relay died");
		if (message.word == PORTS_HIDDEN)
			tell_hidden(ports, &message);
		if (message.word == PORTS_DONE && message.id == id)
			return 0;
	}
}

static int ask(struct ports *ports, const struct ports_message *message, int fd,
               struct err *err)
{
	int r = ports->link[0] < 0 ? -ESRCH : ports_send(ports->link[0], message, fd, 0);

	if (r < 0)
		return err_set(err, -r, "talk to the relay");
	return await(ports, message->id, err);
}

/* Without an answer: the relay does it behind what it was asked before. */
static void forget(struct ports *ports, struct open_port *port)
{
	const struct ports_message message = { .word = PORTS_REMOVE, .id = port->id };

	drop_fd(&port->fd);
	if (ports->link[0] >= 0)
		(void)ports_send(ports->link[0], &message, -EBADF, MSG_DONTWAIT);
}

static int hand_over(struct ports *ports, struct open_port *port, struct err *err)
{
	const struct ports_message message = { .word = PORTS_ADD,
		                               .id = port->id,
		                               .port = port->publish.in,
		                               .udp = port->publish.udp };
	int r = ask(ports, &message, port->fd, err);

	/* From here on the port is free when the relay is gone. */
	drop_fd(&port->fd);
	if (r == -ETIMEDOUT) /* it has the port, or will, and nobody would know of it */
		forget(ports, port);
	return r;
}

static int take_back(struct ports *ports, size_t at, struct err *err)
{
	const struct ports_message message = { .word = PORTS_REMOVE,
		                               .id = ports->port[at].id };

	ports->port[at] = ports->port[--ports->n];
	return ask(ports, &message, -EBADF, err);
}

static bool may_open(const struct ports *ports, uint16_t port, bool udp)
{
	if (ports->deny && publish_listed(ports->deny, port, udp))
		return false;
	return ports->allow ? publish_listed(ports->allow, port, udp) : !udp;
}

/* At the workspace's own address or at all of them: whom the gateway can reach. */
static bool is_reachable(const struct ports *ports, const struct listener *listener)
{
	static const unsigned char any[16];
	const bool v4 = IN6_IS_ADDR_V4MAPPED(&listener->address);
	const unsigned char *byte = &listener->address.s6_addr[v4 ? 12 : 0];
	const size_t n = v4 ? 4 : 16;

	return !memcmp(byte, any, n) || !memcmp(byte, ports->workspace[!v4].byte, n);
}

static bool is_troubled(struct ports *ports, const struct publish *one)
{
	unsigned char *byte = &ports->troubled[one->udp][one->in / 8];
	const unsigned char bit = (unsigned char)(1U << one->in % 8);
	const bool was = *byte & bit;

	*byte |= bit;
	return was;
}

static void open_automatic(struct ports *ports, const struct publish *one)
{
	char line[512];
	struct err err = { 0 };
	size_t automatic = 0;
	int r;

	for (size_t i = 0; i < ports->n; i++)
		automatic += ports->port[i].automatic;
	if (automatic >= AUTOMATIC_MAX)
		r = err_set(&err, E2BIG, "more than %d automatic ports", AUTOMATIC_MAX);
	else
		r = open_one(ports, one, true, &err);
	if (r == 0) {
		r = hand_over(ports, &ports->port[ports->n - 1], &err);
		if (r < 0)
			ports->n--;
	}
	if (r == 0) {
		ports->troubled[one->udp][one->in / 8] &=
			(unsigned char)~(1U << one->in % 8);
	} else if (!is_troubled(ports, one)) {
		(void)snprintf(
			line, sizeof(line),
			"port %u/%s listens inside and is not published: %.300s: %s",
			one->in, protocol(one), err.text, strerror(err.code));
		ports->say(ports->ctx, line);
	}
}

/* Which of ours leads there; @ports->n where none does. */
static size_t leads_to(const struct ports *ports, uint16_t port, bool udp)
{
	size_t i = 0;

	while (i < ports->n &&
	       (ports->port[i].publish.in != port || ports->port[i].publish.udp != udp))
		i++;
	return i;
}

/* Opens what began to listen inside, and closes what does no longer. */
static void follow(struct ports *ports, const struct listener *listener, size_t n)
{
	bool changed = false;

	for (size_t i = 0; i < ports->n; i++)
		ports->port[i].gone = ports->port[i].automatic;
	for (size_t i = 0; i < n; i++) {
		const struct publish one = { .address = ports->automatic.address,
			                     .out = listener[i].port,
			                     .in = listener[i].port,
			                     .n = 1,
			                     .udp = listener[i].udp };
		const size_t at = leads_to(ports, one.in, one.udp);
		const size_t before = ports->n;

		if (!is_reachable(ports, &listener[i]) ||
		    !may_open(ports, one.in, one.udp))
			continue;
		if (at < ports->n)
			ports->port[at].gone = false;
		else
			open_automatic(ports, &one);
		changed |= ports->n > before;
	}
	for (size_t i = ports->n; i-- > 0;)
		if (ports->port[i].gone) {
			struct err ignored = { 0 };

			(void)take_back(ports, i, &ignored);
			changed = true;
		}
	if (changed)
		ports->changed(ports->ctx);
}

static int64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static int look_in(struct ports *ports, int64_t ns, struct err *err)
{
	const struct itimerspec when = { .it_value = { .tv_sec = ns / 1000000000,
		                                       .tv_nsec = ns % 1000000000 } };

	return timerfd_settime(ports->timer, 0, &when, NULL) < 0
	               ? err_set(err, errno, "set a timer")
	               : 0;
}

static int on_timer(void *ctx, int fd, short revents, struct err *err)
{
	struct ports *ports = ctx;
	struct listener *listener = calloc(LISTENERS_MAX, sizeof(*listener));
	const int64_t begun = now_ns();
	struct err ignored = { 0 };
	uint64_t ticks;
	size_t n = 0;

	(void)revents;
	if (read(fd, &ticks, sizeof(ticks)) == sizeof(ticks) && listener &&
	    lookout_listeners(ports->lookout, listener, &n, &ignored) == 0)
		follow(ports, listener, n);
	free(listener);
	return look_in(ports,
	               LOOK_MS * INT64_C(1000000) + (now_ns() - begun) * LOOK_SHARE, err);
}

static void stop_following(struct ports *ports)
{
	if (ports->timer >= 0)
		loop_remove(ports->loop, ports->timer);
	drop_fd(&ports->timer);
}

static int start_following(struct ports *ports, struct err *err)
{
	struct listener *listener = calloc(LISTENERS_MAX, sizeof(*listener));
	size_t n = 0;
	int r = listener ? lookout_listeners(ports->lookout, listener, &n, err)
	                 : err_set(err, ENOMEM, "look who listens");

	free(listener);
	if (r < 0)
		return err_wrap(err, "-p auto");
	ports->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (ports->timer < 0)
		return err_set(err, errno, "set a timer");
	r = look_in(ports, 1000000, err);
	if (r < 0)
		return r;
	return loop_add(ports->loop, ports->timer, POLLIN, on_timer, ports, err);
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
		r = start_following(ports, err);
	return r;
}

static int add(struct ports *ports, const struct publish *publish, struct err *err)
{
	const size_t before = ports->n;
	int r;

	if (publish->automatic && ports->automatic.automatic)
		return err_set(err, EEXIST, "'auto' is on already");
	r = ports_open(ports, publish, err);
	for (size_t i = before; r == 0 && i < ports->n; i++)
		r = hand_over(ports, &ports->port[i], err);
	if (r == 0 && publish->automatic)
		r = start_following(ports, err);
	while (r < 0 && ports->n > before)
		forget(ports, &ports->port[--ports->n]);
	if (r < 0 && publish->automatic) {
		stop_following(ports);
		ports->automatic = (struct publish){ 0 };
	}
	return r;
}

static size_t find(const struct ports *ports, const struct publish *one)
{
	size_t i = 0;

	while (i < ports->n && (ports->port[i].publish.out != one->out ||
	                        ports->port[i].publish.in != one->in ||
	                        !publish_overlap(&ports->port[i].publish, one)))
		i++;
	return i;
}

static int remove_automatic(struct ports *ports, struct err *err)
{
	int r = 0;

	if (!ports->automatic.automatic)
		return err_set(err, ENOENT, "'auto' is not on");
	stop_following(ports);
	ports->automatic = (struct publish){ 0 };
	for (size_t i = ports->n; r == 0 && i-- > 0;)
		if (ports->port[i].automatic)
			r = take_back(ports, i, err);
	return r;
}

static int drop(struct ports *ports, const struct publish *publish, struct err *err)
{
	char text[PUBLISH_TEXT_MAX];
	int r = 0;

	if (publish->automatic)
		return remove_automatic(ports, err);
	for (unsigned int i = 0; i < publish->n; i++) {
		const struct publish one = publish_nth(publish, i);
		const size_t at = find(ports, &one);

		if (at == ports->n || ports->port[at].automatic) {
			(void)err_set(err, ENOENT, "port '%s' is not published%s",
			              publish_text(&one, text),
			              at < ports->n ? " but by auto" : "");
			return err_hint(err, "berth port NAME lists those that are");
		}
	}
	for (unsigned int i = 0; r == 0 && i < publish->n; i++) {
		const struct publish one = publish_nth(publish, i);

		r = take_back(ports, find(ports, &one), err);
	}
	return r;
}

int ports_change(struct ports *ports, bool adding, const char *text, struct err *err)
{
	struct publish publish;
	int r = publish_parse(text, &publish, err);

	if (r < 0)
		return r;
	if (ports->link[0] < 0) {
		(void)err_set(err, ENONET, "the workspace has no gateway");
		return err_hint(err, "published ports take --net relay, or auto where "
		                     "that can be had");
	}
	r = adding ? add(ports, &publish, err) : drop(ports, &publish, err);
	ports->changed(ports->ctx);
	return r;
}

int ports_list(const struct ports *ports, struct arena *arena, const char *const **ret,
               size_t *ret_n)
{
	const char **line = arena_alloc(arena, (ports->n + 1) * sizeof(*line));
	char text[PUBLISH_TEXT_MAX];

	for (size_t i = 0; line && i < ports->n; i++)
		line[i] = arena_printf(arena, "%s%s",
		                       publish_text(&ports->port[i].publish, text),
		                       ports->port[i].automatic ? " auto" : "");
	if (arena->failed)
		return -ENOMEM;
	*ret = line;
	*ret_n = ports->n;
	return 0;
}

void ports_close(struct ports *ports)
{
	stop_following(ports);
	if (ports->link[0] >= 0 && ports->loop)
		loop_remove(ports->loop, ports->link[0]);
	shut(ports, 0);
	drop_fd(&ports->link[0]);
	drop_fd(&ports->link[1]);
	drop_fd(&ports->lookout);
}
