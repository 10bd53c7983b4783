#ifndef NETNS_RELAY_INTERNAL_H
#define NETNS_RELAY_INTERNAL_H

#include <stdint.h>
#include <sys/queue.h>

#include "netns/maker.h"
#include "netns/netlink.h"
#include "netns/ports_link.h"
#include "netns/relay.h"

/* What the parts of the relay share. One thread, one epoll; nothing here blocks. */

/* The queues of nfnetlink: SYNs, echo requests, and what is denied. */
#define RELAY_QUEUE_SYN 0
#define RELAY_QUEUE_ECHO 1
#define RELAY_QUEUE_DENIED 2 /* datagrams that the gateway's rules deny */
#define RELAY_PORT 1
#define RELAY_KEEPALIVE_S 120

/* The gateway's table, and the chain that a connection or a datagram is judged by. */
#define RELAY_TABLE "berth_relay"
#define EGRESS_CHAIN "egress"

/* What it denies, and with pasta, what begins and is not too much: both count. */
#define DENIED_CHAIN "denied"
#define BEGIN_CHAIN "begin"

/* With pasta, denials are told by this group of nfnetlink_log, with so much of the packet. */
#define DENIED_GROUP 1
#define DENIED_BYTES 128

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
	bool tells_writable; /* epoll does; only where that was waited for */
	bool hung_up;        /* nothing comes after what is there */
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
	TCP_REACHES, /* from outside, accepted; the workspace is being asked */
	TCP_BREAKS,  /* one end was reset; the other has to get what came before */
};

/* The sides, and the ways from them. */
enum { INNER, OUTER };

struct tcp {
	LIST_ENTRY(tcp) bucket; /* while CONNECTING or STANDS */
	TAILQ_ENTRY(tcp)
	queue;                 /* .connecting, .standing, .ready, .starved, .breaking, and
	                         * those of ports */
	struct tcp_list *list; /* which of them; NULL for none */
	struct tcp *doomed;    /* the next one to be freed */
	struct tcp_end end[2];
	struct tcp_way way[2]; /* from that end to the other */
	struct flow flow;
	uint64_t since;      /* ms, in this state */
	uint32_t packet;     /* the held SYN */
	uint8_t nameservers; /* how many were tried; 0 for another destination */
	enum tcp_state state;
	bool inbound; /* from a published port: @flow.from is whom the workspace sees */
	bool other_family; /* that was tried as well */
	bool any_port;     /* the client's own is not to be had */
	bool counts;       /* as its port does */
	uint32_t port;     /* id of the published one */
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

/* Packets of a queue that are read at once: the longest, and what the kernel says beside it. Of
 * SYNs, which are many, no more than the first page of each is touched. */
#define PACKETS 8
#define PACKET_MESSAGE_MAX (66 * 1024)
struct packets {
	_Alignas(8) unsigned char data[PACKETS][PACKET_MESSAGE_MAX];
};

/* A port of the pod that leads into the workspace. */
struct port {
	struct source source;
	LIST_ENTRY(port) next;
	struct port *doomed;
	uint32_t id;
	uint16_t inner;
	int fd;
	bool udp, v4;
	bool counts;  /* whoever comes by it uses the workspace */
	bool paused;  /* until there are sockets for it */
	uint8_t told; /* set of 1 << enum ports_hidden */
};

/* A client of a published UDP port. */
struct inflow {
	struct source source;
	LIST_ENTRY(inflow) bucket;
	TAILQ_ENTRY(inflow) queue;
	struct inflow *doomed;
	struct port *port;
	struct flow flow;     /* from the client, to the address of ours that it knows */
	union address client; /* as the port's socket has it */
	unsigned int interface; /* of a link-local one */
	uint64_t used;          /* ms */
	int fd;
	bool answered;
};

TAILQ_HEAD(inflow_list, inflow);

/* Published ports, and what comes by them. */
struct published {
	int link, maker, routes;
	struct source link_source, maker_source;
	struct ports_message owed; /* to the supervisor, where @owes */
	bool owes, by_clock;       /* which is tried again as time goes by */
	LIST_HEAD(, port) port;
	unsigned int n;
	struct port *doomed;

	int spare[MAKER_KINDS][2 * MAKER_BATCH];
	unsigned int spares[MAKER_KINDS];
	bool asked[MAKER_KINDS];

	unsigned int connections;
	uint64_t standing, came;  /* of ports that count; @came since that was asked */
	struct tcp_list reaching; /* oldest first */
	struct tcp_list waiting;  /* for a socket */

	unsigned int flows, flows_max;
	LIST_HEAD(, inflow) bucket[UDP_BUCKETS];
	struct inflow_list quiet, answered; /* least recently used first */
	struct inflow *doomed_flow;
};

/**
 * struct egress_state - What the relay knows of what the workspace was denied
 * @begun:	when the last connections and flows began, a ring of as many as a minute may
 *		have; NULL without a limit
 * @next:	the oldest one's place
 * @denied, @limited, @permitted: counters, for good
 * @untold:	denials since the last report that none was about
 * @tokens:	reports about one denial each that may be sent at once
 * @changed:	there is something to report
 */
struct egress_state {
	uint64_t *begun;
	uint32_t next;
	uint64_t denied, limited, permitted, untold;
	unsigned int tokens;
	bool changed;
};

struct relay {
	const struct relay_config *config;
	const int *sockets;
	struct published ports;
	int epoll;
	uint64_t now; /* ms, monotonic; when epoll returned */
	uint32_t mtu; /* of the workspace */
	struct {
		uint64_t
			rate; /* of uploads, bytes a second; 0: not the relay's business */
		int64_t next, ahead; /* ns: see relay_pace.c */
	} pace;
	struct tcp_list paced; /* wait for the rate */
	uint32_t seed;
	struct source queue, listen4, listen6, udp4, udp6;
	struct pipe_pool pipes;
	bool paused; /* nothing is accepted for want of descriptors */
	struct egress_state egress;

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
	uint64_t
		asked_since; /* ms, the first question that it has not answered; 0: none */
	struct datagrams datagrams;
	struct packets packets;
};

/* relay_rules.c: all of the table, by nft's queue or by the xt target. */
void relay_rules(struct netlink_batch *batch, const struct relay_config *config,
                 bool compat);

/* relay_socket.c: what makes our socket the listener on the queues. */
void relay_queue_messages(struct netlink_batch *batch, unsigned int held);

/* egress_rules.c */

/* What becomes of what a policy's rules deny. */
enum egress_end {
	EGRESS_QUEUE,        /* the relay tells who sent it, and our log */
	EGRESS_QUEUE_COMPAT, /* likewise, by xt's target */
	EGRESS_LOG,          /* the kernel does, and its log for us has it */
	EGRESS_SILENT,       /* without such a log */
};

/* The chains that a policy's rules go to. */
void egress_chains(struct netlink_batch *batch, enum egress_end end);

/**
 * egress_rules() - A transaction with the next of the policy's rules
 * @batch:	empty; sent by the caller
 * @egress:	the policy
 * @echo:	whether echo requests come by there
 * @cursor:	0 at first
 *
 * Return: whether there are more.
 */
bool egress_rules(struct netlink_batch *batch, const struct egress *egress, bool echo,
                  size_t *cursor);

struct pasta;

/* pasta_rules.c: all of the table with pasta, but for the policy's rules. */
void pasta_rules(struct netlink_batch *batch, const struct relay_config *relay,
                 const struct pasta *pasta, bool log);

/* relay_rules.c, for both ways out; @chain is of the table, on the way in. */

/* What comes in by @ifname is for us, whatever its address; with a mark, what has that one. */
void rules_deliver_here(struct netlink_batch *batch, unsigned char family,
                        const char *ifname, uint32_t mark);

/* Drops what has a sender that the workspace is not. */
void rules_refuse_spoofed(struct netlink_batch *batch, const struct relay_config *config,
                          const char *chain);

/*
 * Lets pass what the gateway's own kernel may get at @host: echoes, and errors about what it
 * sent. Nothing by which a router teaches its neighbours: root inside would set addresses,
 * routes and the MTU of the gateway.
 */
void rules_to_gateway(struct netlink_batch *batch, const struct relay_config *config,
                      const char *chain, const struct ip *host);

/* Neighbour discovery of IPv6: messages that no router forwards. */
void rules_neighbours(struct netlink_batch *batch, const struct relay_config *config,
                      const char *chain);

/* relay_egress.c */

/* Return: 0 or -ENOMEM. */
int egress_start(struct relay *relay);

/**
 * egress_permits() - Whether the workspace may begin a connection or a flow
 * @relay:	us
 * @to:		where to; not the gateway
 * @protocol:	of it
 *
 * Whatever the rules of the gateway say. What is denied is counted and told.
 *
 * Return: 0, and it counts as begun; -EACCES; -EAGAIN for what is to be silent: too many
 * were begun, or nobody is to be told.
 */
int egress_permits(struct relay *relay, const struct endpoint *to, uint8_t protocol);

/* Counts and tells a denial; @permitted: of what goes on all the same. */
void egress_denied(struct relay *relay, const struct endpoint *to, uint8_t protocol,
                   enum egress_verdict verdict, unsigned int rule, bool permitted);

/* A datagram that the gateway's rules denied, an IP packet: counted, told and answered. */
void egress_refused(struct relay *relay, const void *data, size_t n);

/* Once a second: tells what was not told. */
void egress_tick(struct relay *relay);

/* Whether that has a use. */
bool egress_waits(const struct relay *relay);

/* Whether it is an address of the gateway. */
bool relay_is_gateway(const struct relay_config *config, const struct in6_addr *address);

/* relay.c */

/* A socket that can be written says so at once: a turn for nothing, where nobody waits for that. */
enum watched { WATCH_READING, WATCH_BOTH };

/* Reports on @fd to @source, edge-triggered. Return: 0 or -errno. */
int relay_watch(struct relay *relay, int fd, struct source *source, enum watched what);

/* Reports again on what is there already: for who has had his share of a turn, or waits for
 * more. */
void relay_watch_again(struct relay *relay, int fd, struct source *source,
                       enum watched what);

/* relay_syn.c */

void syn_ready(struct relay *relay, struct source *source, uint32_t events);

/* Lets a held SYN go on with one of the marks, or drops it (0). */
void syn_verdict(struct relay *relay, uint32_t packet, uint32_t mark);

/* Datagrams are lost when they meet a full socket: room for those that come while the relay does
 * something else. The kernel grants as much as net.core.rmem_max says, twice. */
#define DATAGRAM_ROOM (1 << 20)

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

/* Accepts again, once a second after a failure. */
void tcp_accept_again(struct relay *relay);

/* Gives up what takes too long. */
void tcp_expire(struct relay *relay);

/* The outer end of a connection that does not flow yet has events. */
void tcp_connected(struct relay *relay, struct tcp *tcp);

/* Keepalive, no delay; what every connection of ours has. */
void tcp_set_up(int fd);

/* Begins to report on an end. Return: 0 or -errno. */
int tcp_watch(struct relay *relay, struct tcp_end *end, enum watched what);

/* Where there are many connections, each gets what keeps it moving and no more. */
void tcp_bound_buffers(const struct relay *relay, int fd);

/* Whether there are descriptors for another connection. */
bool tcp_has_room(const struct relay *relay);

/* relay_published.c: published ports. */

/* Begins to listen to the supervisor and the warden. Return: 0 or -errno. */
int published_start(struct relay *relay, const struct relay_links *links,
                    struct err *err);

/* Gives up what takes too long, and goes on with what was paused. */
void published_expire(struct relay *relay);
bool published_are_busy(const struct relay *relay);
void published_bury(struct relay *relay);

/**
 * published_take() - A socket of the gateway
 * @relay:	us
 * @kind:	which
 *
 * Return: it, transparent; -EAGAIN: there will be some, then port_resume() and
 * inbound_resume() are called.
 */
int published_take(struct relay *relay, enum maker_kind kind);

/**
 * published_face() - Whom the workspace is to see
 * @relay:	us
 * @port:	that the client came by
 * @client:	who it is
 * @ret:	he himself, or the gateway with port 0, and then that is told once
 * @ret_to:	where to, of the same family
 */
void published_face(struct relay *relay, struct port *port, const struct endpoint *client,
                    struct endpoint *ret, struct endpoint *ret_to);

/* The gateway and the workspace's port in a family. Return: false where there is none. */
bool published_gateway(const struct relay *relay, bool v4, uint16_t port,
                       struct endpoint *ret, struct endpoint *ret_to);

/* Tells the supervisor, once for each port and reason. */
void published_tell(struct relay *relay, struct port *port, enum ports_hidden hidden,
                    const struct endpoint *client);
struct port *published_find(struct relay *relay, uint32_t id);

/* No more events of a port until its sockets have come. */
void port_pause(struct relay *relay, struct port *port, bool pause);

/* relay_inbound.c: TCP from outside. */
void inbound_accept(struct relay *relay, struct source *source, uint32_t events);
void inbound_resume(struct relay *relay);
void inbound_expire(struct relay *relay);

/* An end of a connection that the workspace has not taken yet has events. */
void inbound_ready(struct relay *relay, struct tcp *tcp, struct tcp_end *end,
                   uint32_t events);

/* relay_inflow.c: UDP from outside. */
void inflow_receive(struct relay *relay, struct source *source, uint32_t events);
void inflow_expire(struct relay *relay);
void inflow_bury(struct relay *relay);

/* Forgets the clients of a port. */
void inflow_close_port(struct relay *relay, const struct port *port);

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

/* Those that wait for a pipe try again: all of them, or the first one. */
void tcp_feed(struct relay *relay, bool all);

/* Puts it at the end of one of the lists, or of none (NULL). */
void tcp_move(struct tcp *tcp, struct tcp_list *list);

/* relay_pace.c: the rate of uploads, where the kernel cannot keep it. */

/* Another rate from now on, bytes a second; 0 for none. */
void pace_set(struct relay *relay, uint64_t rate);

/* Whether something may be read, however much that is. */
bool pace_open(struct relay *relay);

/* How much of a stream at once; @most without a rate. */
size_t pace_most(const struct relay *relay, size_t most);

/* A packet was read, @n bytes behind its IP header; or @n bytes of a stream. */
void pace_packet(struct relay *relay, const struct endpoint *to, size_t n);
void pace_stream(struct relay *relay, const struct endpoint *to, size_t n);

/* Until pace_open(). */
int pace_wait_ms(const struct relay *relay);

/* Those that wait try again. */
void pace_resume(struct relay *relay);

/* relay_pipe.c */

/* Makes the large ones, while the user's budget of pipe pages has room; @most small ones. */
void pipes_fill(struct pipe_pool *pool, unsigned int most);

/* A pipe, the largest there is; NULL when there can be no more for now. */
struct pipe *pipes_take(struct pipe_pool *pool);

/* Whether one is there already. */
bool pipes_spare(const struct pipe_pool *pool);

/* Gives an empty one back. */
void pipes_give(struct pipe_pool *pool, struct pipe *pipe);

/* Closes one with bytes in it. */
void pipes_drop(struct pipe_pool *pool, struct pipe *pipe);

#endif
