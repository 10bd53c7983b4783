#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "netns/relay_internal.h"

/*
 * Echo requests go on by a ping socket, which needs no privilege where the pod's
 * net.ipv4.ping_group_range has our group. Where it has not, ping says "filtered".
 */
void echo_ask(struct relay *relay, const void *data, size_t n)
{
	unsigned char head[8];
	struct echo echo;
	struct udp *udp;
	uint8_t protocol;

	if (!packet_read_echo(data, n, &echo))
		return;
	if (!pace_open(relay))
		return;
	pace_packet(relay, &echo.flow.to, echo.n);
	protocol = endpoint_is_v4(&echo.flow.to) ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	memcpy(head, echo.data, sizeof(head));
	udp = udp_find(relay, &echo.flow, protocol, head);
	if (!udp)
		return;
	/* The kernel puts its own identifier and checksum in. */
	if (send(udp->fd, echo.data, echo.n, 0) < 0 && errno != EAGAIN &&
	    send(udp->fd, echo.data, echo.n, 0) < 0 && errno != EAGAIN)
		answer_error(relay, &echo.flow, protocol, head, errno);
}
