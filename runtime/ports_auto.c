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
#include "netns/lookout.h"
#include "ports_internal.h"

/*
 * -p auto: what listens inside is opened in the pod. Nothing here waits for the relay: its
 * answers come by the supervisor's loop, and until then a port is not in the list.
 */

/* It looks so often, but not for more than a twentieth of the time: root inside may have as
 * many sockets as he likes. */
#define LOOK_MS 300
#define LOOK_SHARE 20

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

static void open_port(struct ports *ports, const struct publish *one)
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
		return;
	ports_shut(ports, before);
	tell_trouble(ports, one, &err);
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

		if (!is_reachable(ports, &listener[i]) ||
		    !may_open(ports, one.in, one.udp))
			continue;
		if (at < ports->n)
			ports->port[at].gone = false;
		else
			open_port(ports, &one);
	}
	for (size_t i = ports->n; i-- > 0;) {
		if (!ports->port[i].gone) {
			tell_slow(ports, &ports->port[i]);
			continue;
		}
		(void)ports_withdraw(ports, i);
		changed = true;
	}
	ports_flush(ports);
	if (changed)
		ports->changed(ports->ctx);
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
	const int64_t begun = clock_ns(CLOCK_MONOTONIC);
	struct err ignored = { 0 };
	uint64_t ticks;
	size_t n = 0;

	(void)revents;
	if (read(fd, &ticks, sizeof(ticks)) == sizeof(ticks) && listener &&
	    lookout_listeners(ports->lookout, listener, &n, &ignored) == 0)
		follow(ports, listener, n);
	free(listener);
	return look_in(ports,
	               LOOK_MS * NS_PER_MS +
	                       (clock_ns(CLOCK_MONOTONIC) - begun) * LOOK_SHARE,
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
