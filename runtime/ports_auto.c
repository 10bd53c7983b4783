#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "ports_internal.h"

/*
 * -p auto: what listens inside is opened in the pod. Nothing here waits for the relay: its
 * answers come by the supervisor's loop, and until then a port is not in the list.
 */

/* It looks so often, but not for more than a twentieth of the time, and so long at a time: root
 * inside may have as many sockets as he likes. */
#define LOOK_MS 300
#define LOOK_SHARE 20
#define TURN_MS 2

/* At the start, when nothing listens, a kernel that cannot be asked is to be known. */
#define FIRST_MS 50

/* The workspace cannot take all ports of the pod. */
#define AUTOMATIC_MAX 128

#define NS_PER_MS INT64_C(1000000)

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

/* Notes trouble with a port. Return: whether it is the first time since it was well. */
static bool is_new_trouble(struct ports *ports, const struct publish *one)
{
	unsigned char *byte = &ports->troubled[one->udp][one->in / 8];
	const unsigned char bit = (unsigned char)(1U << one->in % 8);
	const bool was = *byte & bit;

	*byte |= bit;
	return !was;
}

static void tell_trouble(struct ports *ports, const struct publish *one,
                         const struct err *err)
{
	char line[512];

	if (!is_new_trouble(ports, one))
		return;
	(void)snprintf(line, sizeof(line),
	               "port %u/%s listens inside and is not published: %.300s: %s",
	               one->in, ports_protocol(one), err->text, strerror(err->code));
	ports->say(ports->ctx, line);
}

/* Return: whether there may be room for another one. */
static bool open_port(struct ports *ports, const struct publish *one)
{
	struct err err = { 0 };
	size_t automatic = 0, before = ports->n;
	int r;

	for (size_t i = 0; i < ports->n; i++)
		automatic += ports->port[i].automatic;
	if (automatic >= AUTOMATIC_MAX)
		r = err_set(&err, E2BIG, "more than %d automatic ports", AUTOMATIC_MAX);
	else
		r = ports_open_one(ports, one, true, &err);
	if (r == 0)
		r = ports_hand_over(ports, &ports->port[ports->n - 1], &err);
	if (r == 0)
		return true;
	ports_shut(ports, before);
	tell_trouble(ports, one, &err);
	return automatic < AUTOMATIC_MAX;
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

static void tell_slow(struct ports *ports, const struct open_port *port)
{
	struct err err = { 0 };

	if (!port->automatic || !port->asked_ms ||
	    clock_ms(CLOCK_MONOTONIC) - port->asked_ms < PORTS_ANSWER_MS)
		return;
	(void)err_set(&err, ETIMEDOUT, "wait for the relay");
	tell_trouble(ports, &port->publish, &err);
}

static void note(void *ctx, const struct listener *listener)
{
	struct ports *ports = ctx;

	if (is_reachable(ports, listener))
		ports->listens[listener->udp][listener->port / 8] |=
			(unsigned char)(1U << listener->port % 8);
}

static bool listens(const struct ports *ports, uint16_t port, bool udp)
{
	return ports->listens[udp][port / 8] & 1U << port % 8;
}

/* Closes what does not listen inside any longer. */
static void close_gone(struct ports *ports)
{
	bool changed = false;

	for (size_t i = ports->n; i-- > 0;) {
		const struct open_port *port = &ports->port[i];

		if (!port->automatic ||
		    listens(ports, port->publish.in, port->publish.udp)) {
			tell_slow(ports, port);
			continue;
		}
		(void)ports_withdraw(ports, i);
		changed = true;
	}
	ports_flush(ports);
	if (changed)
		ports->changed(ports->ctx);
}

/* Opens what began to listen inside, low numbers first. Return: whether that was all. */
static bool open_new(struct ports *ports, int64_t until_ns)
{
	bool room = true;

	while (room && ports->next < 2 * PORTS_ALL) {
		const uint16_t port = (uint16_t)(ports->next % PORTS_ALL);
		const bool udp = ports->next >= PORTS_ALL;
		const struct publish one = { .address = ports->automatic.address,
			                     .out = port,
			                     .in = port,
			                     .n = 1,
			                     .udp = udp };

		/* Eight at a time, where none of them does: nearly everywhere. */
		if (port % 8 == 0 && ports->listens[udp][port / 8] == 0) {
			ports->next += 8;
			continue;
		}
		ports->next++;
		if (!listens(ports, port, udp))
			continue;
		if (leads_to(ports, port, udp) == ports->n && may_open(ports, port, udp))
			room = open_port(ports, &one);
		if (clock_ns(CLOCK_MONOTONIC) >= until_ns)
			break;
	}
	ports_flush(ports);
	return !room || ports->next == 2 * PORTS_ALL;
}

static void forget(struct ports *ports)
{
	(void)memset(ports->listens, 0, sizeof(ports->listens));
	ports->opening = false;
}

/* Return: whether a look is over, and everything was done about it. */
static bool go_on(struct ports *ports, int64_t until_ns)
{
	struct err ignored = { 0 };
	int r;

	if (!ports->opening) {
		r = lookout_go_on(&ports->look, ports->lookout, until_ns, note, ports,
		                  &ignored);
		if (r > 0)
			return false;
		ports->opening = r == 0 && !ports->stale;
		ports->stale = false;
		ports->next = 0;
		if (ports->opening)
			close_gone(ports);
	}
	if (ports->opening && !open_new(ports, until_ns))
		return false;
	forget(ports);
	return true;
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
	const int64_t begun = clock_ns(CLOCK_MONOTONIC);
	int64_t rest = NS_PER_MS;
	uint64_t ticks;

	(void)revents;
	if (read(fd, &ticks, sizeof(ticks)) == sizeof(ticks) &&
	    go_on(ports, begun + TURN_MS * NS_PER_MS))
		rest = LOOK_MS * NS_PER_MS;
	return look_in(ports, rest + (clock_ns(CLOCK_MONOTONIC) - begun) * LOOK_SHARE,
	               err);
}

void ports_follow_stop(struct ports *ports)
{
	if (ports->timer >= 0)
		loop_remove(ports->loop, ports->timer);
	drop_fd(&ports->timer);
}

int ports_follow_start(struct ports *ports, struct err *err)
{
	int r;

	forget(ports);
	/* What it was stopped in has to be heard to its end. */
	ports->stale = ports->look.question > 0 || ports->look.asked;
	r = lookout_go_on(&ports->look, ports->lookout,
	                  clock_ns(CLOCK_MONOTONIC) + FIRST_MS * NS_PER_MS, note, ports,
	                  err);
	if (r < 0)
		return err_wrap(err, "-p auto");
	if (r == 0) {
		ports->stale = false;
		forget(ports);
	}
	ports->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (ports->timer < 0)
		return err_set(err, errno, "set a timer");
	r = look_in(ports, NS_PER_MS, err);
	if (r < 0)
		return r;
	return loop_add(ports->loop, ports->timer, POLLIN, on_timer, ports, err);
}

uint32_t ports_follow_clear(struct ports *ports)
{
	uint32_t last = 0;

	for (size_t i = ports->n; i-- > 0;) {
		const uint32_t id =
			ports->port[i].automatic ? ports_withdraw(ports, i) : 0;

		last = id ? id : last;
	}
	return last;
}
