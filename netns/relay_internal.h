#ifndef NETNS_RELAY_INTERNAL_H
#define NETNS_RELAY_INTERNAL_H

#include <stdint.h>
#include <sys/queue.h>

#include "netns/netlink.h"
#include "netns/relay.h"

/* What the parts of the relay share. One thread, one epoll; nothing here blocks. */

/* The queues of nfnetlink: SYNs, and echo requests. */
#define RELAY_QUEUE_SYN 0
#define RELAY_QUEUE_ECHO 1
#define RELAY_PORT 1
#define RELAY_KEEPALIVE_S 120

/* Marks of the gateway's packets: the verdict on a SYN. They do not leave the gateway. */
enum {
	MARK_STANDS = 1,
	MARK_REFUSED,
	MARK_NO_ROUTE,
	MARK_NO_HOST,
	MARK_FORBIDDEN,
};

struct relay;

/**
 * struct source - What epoll reports on
 * @ready:	called with the events; may free the object it is part of, by relay_later()
 */
struct source {
	void (*ready)(struct relay *relay, struct source *source, uint32_t events);
};

/* A pipe; it is ours alone while bytes are in it, in a pool otherwise. */
struct pipe {
	SLIST_ENTRY(pipe) next;
	int read, write;
	uint32_t size; /* bytes */
	bool large;
};

struct pipe_pool {
	SLIST_HEAD(, pipe) large, small;
	unsigned int spare;      /* in @small */
	unsigned int made, most; /* small ones */
};

/* One side of a connection. */
struct tcp_end {
	struct source source;
	struct tcp *tcp; /* what it is part of */
	int fd;
	int failed; /* errno value of what ended it, else 0 */
	bool readable, writable;
	bool hung_up; /* nothing comes after what is there */
};

/* One direction of a connection. */
struct tcp_way {
	struct pipe *pipe; /* NULL while no bytes are under way */
	size_t bytes;      /* in @pipe */
	bool ended;        /* all was read */
	bool closed;       /* and written, and the FIN too */
};

enum tcp_state {
	TCP_CONNECTING, /* the SYN waits in the queue for the outer connection */
	TCP_STANDS,     /* the SYN has gone on; the connection will be accepted */
	TCP_FLOWS,
	TCP_BREAKS, /* one end was reset; the other has to get what came before */
};

/* The sides, and the ways from them. */
enum { INNER, OUTER };

struct tcp {
	LIST_ENTRY(tcp) bucket; /* while CONNECTING or STANDS */
	TAILQ_ENTRY(tcp) queue; /* .connecting, .standing, .ready, .starved, .breaking */
	struct tcp_list *list;  /* which of them; NULL for none */
	struct tcp *doomed;     /* the next one to be freed */
	struct tcp_end end[2];
	struct tcp_way way[2]; /* from that end to the other */
	struct flow flow;
	uint64_t since;      /* ms, in this state */
	uint32_t packet;     /* the held SYN */
	uint8_t nameservers; /* how many were tried; 0 for another destination */
	enum tcp_state state;
};

TAILQ_HEAD(tcp_list, tcp);
#define TCP_BUCKETS 1024

/* One sender and one destination of UDP, or of echo requests. */
struct udp {
	struct source source;
	LIST_ENTRY(udp) bucket;
	TAILQ_ENTRY(udp) queue; /* .asked or .answered */
	struct udp *doomed;
	struct flow flow;
	uint64_t since, used; /* ms */
	int fd;
	uint8_t protocol; /* IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6 */
	bool answered;
	bool dns;           /* goes to a nameserver of the pod */
	uint8_t nameserver; /* which */
};

TAILQ_HEAD(udp_list, udp);
#define UDP_BUCKETS 1024

/* Datagrams that are read at once, with room for headers before them. */
#define BATCH 4
#define DATAGRAM_MAX 65536
struct datagrams {
	unsigned char data[BATCH][PACKET_HEADROOM + 8 + DATAGRAM_MAX];
};

struct relay {
	const struct relay_config *config;
	const int *sockets;
	int epoll;
	uint64_t now; /* ms, monotonic; when epoll returned */
	uint32_t seed;
	struct source queue, listen4, listen6, udp4, udp6;
	struct pipe_pool pipes;

	unsigned int connections, connections_max;
	unsigned int held;
	LIST_HEAD(, tcp) bucket[TCP_BUCKETS];
	struct tcp_list connecting, standing; /* oldest first */
	struct tcp_list ready;    /* have more to do than their share of a turn */
	struct tcp_list starved;  /* wait for a pipe */
	struct tcp_list breaking; /* oldest first */
	struct tcp *doomed;       /* to be freed when nobody refers to them any more */

	unsigned int flows, flows_max;
	LIST_HEAD(, udp) flow_bucket[UDP_BUCKETS];
	struct udp_list asked, answered; /* least recently used first */
	struct udp *doomed_udp;
	uint32_t fragment_id;
	uint8_t nameserver; /* which one of the pod answers */
	struct datagrams datagrams;
};

/* relay_rules.c: all of the table, by nft's queue or by the xt target. */
void relay_rules(struct netlink_batch *batch, const struct relay_config *config,
                 bool compat);

/* relay_socket.c: what makes our socket the listener on the queues. */
void relay_queue_messages(struct netlink_batch *batch, unsigned int held);

/* relay_refuse.c */

/**
 * relay_refuses() - Whether nobody inside may reach an address
 * @config:	for what policy allows
 * @address:	where to
 *
 * By address class, whatever the rules of the gateway say: what the pod's kernel would
 * take for the pod itself or for many.
 */
bool relay_refuses(const struct relay_config *config, const struct in6_addr *address);

/* Whether it is an address of the gateway. */
bool relay_is_gateway(const struct relay_config *config, const struct in6_addr *address);

/* relay.c */

/* Reports on @fd to @source, edge-triggered, both directions. Return: 0 or -errno. */
int relay_watch(struct relay *relay, int fd, struct source *source);

/* Reports again on what is there already: for who has had his share of a turn. */
void relay_watch_again(struct relay *relay, int fd, struct source *source);

/* relay_syn.c */

void syn_ready(struct relay *relay, struct source *source, uint32_t events);

/* Lets a held SYN go on with one of the marks, or drops it (0). */
void syn_verdict(struct relay *relay, uint32_t packet, uint32_t mark);

/* relay_udp.c: from the workspace outward. */

void udp_ready(struct relay *relay, struct source *source, uint32_t events);
void udp_expire(struct relay *relay);

/* Closes the flow; it is freed at the end of the turn. */
void udp_close(struct relay *relay, struct udp *udp);

/* Answered or asked again: it is the last one to be given up. */
void udp_used(struct relay *relay, struct udp *udp);

/**
 * udp_find() - The flow of a datagram, made if there is none
 * @relay:	us
 * @flow:	who and where
 * @protocol:	IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6
 * @head:	the first 8 bytes behind the IP header, for the answer where it cannot be
 *
 * Return: NULL where it may not, or cannot be sent; the workspace was told.
 */
struct udp *udp_find(struct relay *relay, const struct flow *flow, uint8_t protocol,
                     const unsigned char head[8]);

/* relay_echo.c: a packet of the queue of echo requests. */
void echo_ask(struct relay *relay, const void *data, size_t n);

/* relay_answer.c: from outside to the workspace. */

/* The outer socket of a flow has datagrams or errors. */
void udp_answered(struct relay *relay, struct source *source, uint32_t events);

/**
 * answer_error() - Tell the workspace by ICMP what became of a packet
 * @relay:	us
 * @flow:	of the packet
 * @protocol:	of it
 * @head:	its first 8 bytes behind the IP header
 * @error:	errno value as of connect(2) or send(2)
 */
void answer_error(struct relay *relay, const struct flow *flow, uint8_t protocol,
                  const unsigned char head[8], int error);

/* relay_tcp_open.c: connections that are being made. */

/**
 * tcp_ask() - The workspace asks for a connection
 * @relay:	us
 * @flow:	who and where
 * @packet:	the SYN, held; the callee answers for it
 */
void tcp_ask(struct relay *relay, const struct flow *flow, uint32_t packet);
void tcp_accept(struct relay *relay, struct source *source, uint32_t events);

/* Gives up what takes too long. */
void tcp_expire(struct relay *relay);

/* The outer end of a connection that does not flow yet has events. */
void tcp_connected(struct relay *relay, struct tcp *tcp);

/* relay_tcp.c: connections that flow. */

/* Begins to move bytes, which may be there already. */
void tcp_flow(struct relay *relay, struct tcp *tcp);
void tcp_end_ready(struct relay *relay, struct source *source, uint32_t events);

/* Moves what can be moved, until there is nothing more or this turn's share is used up. */
void tcp_pump(struct relay *relay, struct tcp *tcp);

/* Ends what breaks once the other side has got all, or will not take it. */
void tcp_finish_breaking(struct relay *relay);

/**
 * tcp_close() - Forget a connection
 * @relay:	us
 * @tcp:	freed at the end of the turn
 * @reset:	both sides are to see a RST, not an end
 */
void tcp_close(struct relay *relay, struct tcp *tcp, bool reset);

/* Puts it at the end of one of the lists, or of none (NULL). */
void tcp_move(struct tcp *tcp, struct tcp_list *list);

/* relay_pipe.c */

/* Makes the large ones, while the user's budget of pipe pages has room; @most small ones. */
void pipes_fill(struct pipe_pool *pool, unsigned int most);

/* A pipe, the largest there is; NULL when there can be no more for now. */
struct pipe *pipes_take(struct pipe_pool *pool);

/* Gives an empty one back. */
void pipes_give(struct pipe_pool *pool, struct pipe *pipe);

/* Closes one with bytes in it. */
void pipes_drop(struct pipe_pool *pool, struct pipe *pipe);

#endif
