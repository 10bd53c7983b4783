#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "netns/ports_link.h"
#include "ports_internal.h"

/*
 * What the relay is to be told, and has not been yet. Its end of the link may be full, or it may
 * do nothing at all for a while: what is not sent is kept here, and nothing of it is ever lost, or
 * a port would stay open that nobody knows of.
 */

/*
 * So many changes are under way: more than the answers of that many would find no room in the link
 * the other way round.
 */
#define UNDER_WAY_MAX 64

static int send_rates(struct ports *ports)
{
	const struct ports_message message[] = {
		{ .word = PORTS_MTU, .port = (uint16_t)ports->gateway.mtu },
		{ .word = PORTS_PACE, .rate = ports->gateway.rate[UPLOAD] },
	};
	int r = 0;

	for (int i = 0; r == 0 && i < (ports->gateway.paced ? 2 : 1); i++)
		r = ports_send(ports->link[0], &message[i], -EBADF, MSG_DONTWAIT);
	ports->untold = r < 0;
	return r;
}

/* The oldest of those that the relay has not got, or NULL. */
static struct open_port *first_waiting(struct ports *ports)
{
	struct open_port *first = NULL;

	for (size_t i = 0; i < ports->n; i++)
		if (ports->port[i].fd >= 0 && ports->port[i].asked_ms &&
		    (!first || ports->port[i].id < first->id))
			first = &ports->port[i];
	return first;
}

static int send_removal(struct ports *ports)
{
	const struct ports_message message = { .word = PORTS_REMOVE,
		                               .id = ports->removed[0] };
	int r = ports_send(ports->link[0], &message, -EBADF, MSG_DONTWAIT);

	if (r == 0)
		memmove(ports->removed, ports->removed + 1,
		        --ports->removed_n * sizeof(*ports->removed));
	return r;
}

static int send_port(struct ports *ports, struct open_port *port)
{
	const struct publish *publish = &port->publish;
	const struct ports_message message = {
		.word = PORTS_ADD,
		.id = port->id,
		.port = publish->in,
		.udp = publish->udp,
		.count = !ports->counted ||
		         publish_listed(ports->counted, publish->in, publish->udp),
	};
	int r = ports_send(ports->link[0], &message, port->fd, MSG_DONTWAIT);

	/* From here on the port is free when the relay is gone. */
	if (r == 0)
		drop_fd(&port->fd);
	return r;
}

void ports_flush(struct ports *ports)
{
	struct open_port *port = NULL;
	int r = ports->link[0] < 0 ? -ESRCH : 0;

	if (r == 0 && ports->untold)
		r = send_rates(ports);
	while (r == 0 && ports->under_way < UNDER_WAY_MAX) {
		if (ports->removed_n == 0 && !(port = first_waiting(ports)))
			break;
		r = ports->removed_n > 0 ? send_removal(ports) : send_port(ports, port);
		ports->under_way += r == 0;
	}
	/* Other trouble, of memory, passes by itself: the next change or answer tries again. */
	if (ports->link[0] >= 0)
		loop_set_events(ports->loop, ports->link[0],
		                r == -EAGAIN ? POLLIN | POLLOUT : POLLIN);
}

int ports_hand_over(struct ports *ports, struct open_port *port, struct err *err)
{
	if (ports->link[0] < 0)
		return err_set(err, ESRCH, "talk to the relay");
	port->asked_ms = clock_ms(CLOCK_MONOTONIC);
	return 0;
}

uint32_t ports_withdraw(struct ports *ports, size_t at)
{
	struct open_port *port = &ports->port[at];
	uint32_t id = 0;

	if (port->fd < 0) {
		id = port->id;
		ports->removed[ports->removed_n++] = id;
	}
	drop_fd(&port->fd);
	*port = ports->port[--ports->n];
	return id;
}

bool ports_have_room(const struct ports *ports)
{
	return ports->n < PUBLISH_MAX &&
	       ports->n + ports->removed_n <
	               sizeof(ports->removed) / sizeof(*ports->removed);
}

void ports_done(struct ports *ports, uint32_t id)
{
	if (id != 0 && ports->under_way > 0)
		ports->under_way--;
}
