#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netns/relay_internal.h"

/*
 * A connection that flows: from socket to pipe to socket, without a copy. A way whose
 * reader is slow keeps its pipe and is not read, so that the writer feels it.
 */

/* Pipes full that one connection may move before others have their turn. */
#define SHARE 4

/*
 * So few bytes cannot have filled the pipe, which has a place for each: there was no more
 * to read, and epoll will tell of the next.
 */
#define NO_MORE_BYTES 16

/* How long the other side may take to get what came before a RST. */
#define BREAK_MS 2000

enum progress {
	IDLE,   /* nothing can be done until epoll says so */
	MOVED,  /* there may be more */
	CLOSED, /* the connection is gone, or about to go */
};

/* The client is gone, whatever the workspace does with its end: nobody uses that any more. */
static void uncount(struct relay *relay, struct tcp *tcp)
{
	relay->ports.standing -= tcp->counts;
	tcp->counts = false;
}

void tcp_close(struct relay *relay, struct tcp *tcp, bool reset)
{
	const struct linger at_once = { .l_onoff = 1 };

	tcp_move(tcp, NULL);
	for (int i = 0; i < 2; i++) {
		if (tcp->way[i].pipe && tcp->way[i].bytes)
			pipes_drop(&relay->pipes, tcp->way[i].pipe);
		else if (tcp->way[i].pipe)
			pipes_give(&relay->pipes, tcp->way[i].pipe);
		tcp->way[i].pipe = NULL;
		if (tcp->end[i].fd < 0)
			continue;
		if (reset)
			(void)setsockopt(tcp->end[i].fd, SOL_SOCKET, SO_LINGER, &at_once,
			                 sizeof(at_once));
		(void)close(tcp->end[i].fd);
		tcp->end[i].fd = -EBADF;
	}
	relay->connections--;
	if (tcp->inbound)
		relay->ports.connections--;
	uncount(relay, tcp);
	tcp->doomed = relay->doomed;
	relay->doomed = tcp;
	tcp_feed(relay, false);
}

void tcp_feed(struct relay *relay, bool all)
{
	struct tcp *tcp;

	while ((tcp = TAILQ_FIRST(&relay->starved))) {
		tcp_move(tcp, &relay->ready);
		if (!all)
			return;
	}
}

/* One end was reset. The other gets what came before, and then a RST too. */
static enum progress break_off(struct relay *relay, struct tcp *tcp)
{
	tcp->state = TCP_BREAKS;
	tcp->since = relay->now;
	tcp_move(tcp, &relay->breaking);
	return CLOSED;
}

static bool delivered(const struct tcp_end *end)
{
	struct tcp_info info;
	socklen_t n = sizeof(info);

	if (end->failed || getsockopt(end->fd, IPPROTO_TCP, TCP_INFO, &info, &n) < 0)
		return true;
	return info.tcpi_unacked == 0 && info.tcpi_notsent_bytes == 0;
}

void tcp_finish_breaking(struct relay *relay)
{
	struct tcp *tcp, *next;

	for (tcp = TAILQ_FIRST(&relay->breaking); tcp; tcp = next) {
		next = TAILQ_NEXT(tcp, queue);
		if ((delivered(&tcp->end[INNER]) && delivered(&tcp->end[OUTER])) ||
		    relay->now - tcp->since >= BREAK_MS)
			tcp_close(relay, tcp, true);
	}
}

static enum progress fill(struct relay *relay, struct tcp *tcp, int from)
{
	struct tcp_end *end = &tcp->end[from];
	struct tcp_way *way = &tcp->way[from];
	ssize_t n;

	if (way->bytes || way->ended || !end->readable)
		return IDLE;
	if (from == INNER && !pace_open(relay)) {
		tcp_move(tcp, &relay->paced);
		return IDLE;
	}
	if (!way->pipe)
		way->pipe = pipes_take(&relay->pipes);
	if (!way->pipe) {
		tcp_move(tcp, &relay->starved);
		return IDLE;
	}
	n = splice(end->fd, NULL, way->pipe->write, NULL,
	           from == INNER ? pace_most(relay, way->pipe->size) : way->pipe->size,
	           SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (n > 0) {
		if (from == INNER)
			pace_stream(relay, &tcp->flow.to, (size_t)n);
		way->bytes = (size_t)n;
		if (n < NO_MORE_BYTES && !end->hung_up)
			end->readable = false;
		return MOVED;
	}
	if (n < 0 && errno == EAGAIN)
		end->readable = false;
	else if (n < 0)
		end->failed = errno;
	else if (!end->failed)
		way->ended = true;
	return end->failed ? break_off(relay, tcp) : IDLE;
}

static enum progress drain(struct relay *relay, struct tcp *tcp, int from)
{
	struct tcp_end *end = &tcp->end[!from];
	struct tcp_way *way = &tcp->way[from];
	ssize_t n;

	if (!way->bytes || !end->writable)
		return IDLE;
	n = splice(way->pipe->read, NULL, end->fd, NULL, way->bytes,
	           SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (n >= 0) {
		way->bytes -= (size_t)n;
		return MOVED;
	}
	if (errno == EAGAIN) {
		end->writable = false;
		if (!end->tells_writable)
			relay_watch_again(relay, end->fd, &end->source, WATCH_BOTH);
		end->tells_writable = true;
		return IDLE;
	}
	tcp_close(relay, tcp, true);
	return CLOSED;
}

static void settle(struct relay *relay, struct tcp *tcp, int from)
{
	struct tcp_way *way = &tcp->way[from];

	if (way->bytes)
		return;
	if (way->pipe) {
		pipes_give(&relay->pipes, way->pipe);
		way->pipe = NULL;
		tcp_feed(relay, false);
	}
	if (way->ended && !way->closed) {
		/* The last one: closing says it, too, as there is nothing left to read. */
		if (!tcp->way[!from].closed)
			(void)shutdown(tcp->end[!from].fd, SHUT_WR);
		way->closed = true;
	}
}

static enum progress move_bytes(struct relay *relay, struct tcp *tcp, int from)
{
	enum progress progress = IDLE;

	for (int i = 0; i < SHARE; i++) {
		enum progress filled = fill(relay, tcp, from), drained;

		if (filled == CLOSED)
			return CLOSED;
		drained = drain(relay, tcp, from);
		if (drained == CLOSED)
			return CLOSED;
		progress = filled == MOVED || drained == MOVED ? MOVED : IDLE;
		if (progress == IDLE)
			break;
	}
	settle(relay, tcp, from);
	return progress;
}

void tcp_pump(struct relay *relay, struct tcp *tcp)
{
	enum progress there = move_bytes(relay, tcp, INNER), back;

	if (there == CLOSED)
		return;
	back = move_bytes(relay, tcp, OUTER);
	if (back == CLOSED)
		return;
	if (tcp->way[INNER].closed && tcp->way[OUTER].closed)
		tcp_close(relay, tcp, false);
	else if (there == MOVED || back == MOVED)
		tcp_move(tcp, &relay->ready);
	else if (tcp->end[INNER].failed || tcp->end[OUTER].failed)
		(void)break_off(relay, tcp);
}

void tcp_flow(struct relay *relay, struct tcp *tcp)
{
	tcp->state = TCP_FLOWS;
	tcp->since = relay->now;
	/* What is there was reported, or will be in the next turn. */
	tcp_pump(relay, tcp);
}

void tcp_end_ready(struct relay *relay, struct source *source, uint32_t events)
{
	struct tcp_end *end = (struct tcp_end *)source; /* its first member */
	struct tcp *tcp = end->tcp;

	if (end->fd < 0) /* closed earlier in this turn */
		return;
	if (events & EPOLLERR) {
		socklen_t n = sizeof(end->failed);

		if (getsockopt(end->fd, SOL_SOCKET, SO_ERROR, &end->failed, &n) < 0)
			end->failed = errno;
	}
	end->readable |= (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
	end->writable |= (events & EPOLLOUT) != 0;
	end->hung_up |= (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
	if (end == &tcp->end[OUTER] && end->hung_up)
		uncount(relay, tcp);
	switch (tcp->state) {
	case TCP_CONNECTING:
		if (end->failed || events & EPOLLOUT)
			tcp_connected(relay, tcp);
		return;
	case TCP_REACHES:
		inbound_ready(relay, tcp, end, events);
		return;
	case TCP_STANDS:
	case TCP_BREAKS:
		return;
	case TCP_FLOWS:
		tcp_pump(relay, tcp);
		return;
	}
}
