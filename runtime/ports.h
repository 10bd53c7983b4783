#ifndef PORTS_H
#define PORTS_H

#include "loop.h"
#include "netns/gateway.h"
#include "netns/lookout.h"
#include "netns/publish.h"
#include "state.h"

/*
 * The supervisor's side of published ports: it opens them in the pod, hands them to the
 * relay, and knows which there are. What listens inside is asked of the workspace's kernel.
 */

/**
 * struct open_port - One port of the pod
 * @publish:	it alone
 * @id:		what the relay calls it
 * @fd:		the socket, until it was sent to the relay
 * @automatic:	opened by -p auto
 * @asked_ms:	when the relay was asked to take it, CLOCK_MONOTONIC; 0: it has it
 * @told:	set of 1 << enum ports_hidden: said already
 */
struct open_port {
	struct publish publish;
	uint32_t id;
	int fd;
	bool automatic;
	int64_t asked_ms;
	uint8_t told;
};

/* Numbers of ports. */
#define PORTS_ALL 65536U

/* Changes that wait for the relay at a time; each has a peer of the control socket. */
#define PORTS_CHANGES 32

/**
 * struct ports_change - One that was begun by ports_change()
 * @who:	as given there
 * @first, @last: of the messages' ids: the relay does them in order
 * @until_ms:	CLOCK_MONOTONIC
 * @adding:	the ports go again if it fails
 */
struct ports_change {
	uint64_t who;
	uint32_t first, last;
	int64_t until_ms;
	bool adding;
};

/**
 * struct ports - Those of a workspace
 * @port, @n:	what is open
 * @link:	pair with the relay: ours, and the relay's until the warden is born
 * @lookout:	socket of the workspace's sock_diag, or -EBADF
 * @timer:	of -p auto, or -EBADF
 * @automatic:	-p auto, with its address; .automatic is false without
 * @workspace:	its addresses, by family; borrowed
 * @allow, @deny: which ports that may open; borrowed; NULL: all of TCP, none
 * @counted:	ports of the workspace whose connections ports_ask_use() is about; borrowed; NULL:
 *		all
 * @look:	of -p auto, under way
 * @listens:	what it found, at addresses that the gateway can reach
 * @opening:	it is over, and of that what is new is opened; @next: which port comes next, those
 *		of UDP behind TCP's
 * @stale:	the look began for a -p auto that was removed meanwhile
 * @troubled:	ports that -p auto could not open, told once
 * @say:	a line for people; called with @ctx
 * @changed:	the list is another one; likewise
 * @answer:	what became of a change that ports_change() only began; likewise
 * @change, @changes: those that wait for the relay
 * @removed, @removed_n: ids of what the relay has and is to close, in order; with @n never more
 *		than there is room for
 * @under_way:	what it was told and has not answered
 * @untold:	it has to be told of @gateway
 * @patience:	timer of the first one of them, or -EBADF
 * @used:	the answer to ports_ask_use(): connections that stand, and what came since the
 *		last answer; likewise; NULL where nobody asks
 */
struct ports {
	struct open_port port[PUBLISH_MAX];
	size_t n;
	uint32_t last_id;
	int link[2];
	int lookout, timer;
	struct publish automatic;
	const struct ip *workspace;
	const char *allow, *deny, *counted;
	struct look look;
	unsigned char listens[2][PORTS_ALL / 8], troubled[2][PORTS_ALL / 8];
	bool opening, stale;
	uint32_t next;
	struct loop *loop;
	void *ctx;
	void (*say)(void *ctx, const char *line);
	void (*changed)(void *ctx);
	void (*answer)(void *ctx, uint64_t who, const struct err *err);
	struct ports_change change[PORTS_CHANGES];
	size_t changes;
	int patience;
	uint32_t removed[2 * PUBLISH_MAX];
	size_t removed_n;
	unsigned int under_way;
	struct gateway gateway;
	bool untold;
	void (*used)(void *ctx, uint64_t count);
};

/* Takes zeroed memory: sets all descriptors to -EBADF. */
void ports_init(struct ports *ports);

/**
 * ports_open() - Open what one -p says, all of it or nothing
 * @ports:	grows
 * @publish:	a range, or auto, which is only noted
 * @err:	filled in on failure, with a hint
 *
 * Return: 0; -EADDRINUSE, -EACCES, -EADDRNOTAVAIL as publish_listen(); -EEXIST where one of
 * ours is there already; -E2BIG; -errno.
 */
int ports_open(struct ports *ports, const struct publish *publish, struct err *err);

/**
 * ports_start() - Hand everything to the relay, and begin with -p auto
 * @ports:	its @loop and callbacks are set
 * @routes:	socket of the workspace's rtnetlink
 * @err:	filled in on failure
 *
 * Return: 0; -ETIMEDOUT where the relay does not answer; -errno.
 */
int ports_start(struct ports *ports, int routes, struct err *err);

/**
 * ports_change() - Open or close ports of a running workspace
 * @ports:	after ports_start()
 * @add:	else remove
 * @text:	as publish_parse() takes it
 * @who:	for @answer
 * @err:	filled in on failure
 *
 * Connections that stand survive the removal of their port; clients of UDP do not. Nobody waits
 * for the relay, who may be slow: its answer comes by the loop.
 *
 * Return: 1 where @answer is called later, after PORTS_ANSWER_MS at the latest; 0; -EINVAL;
 * -ENOENT for a port that is not open; -EBUSY; as ports_open().
 */
int ports_change(struct ports *ports, bool add, const char *text, uint64_t who,
                 struct err *err);

/* Tells the relay the workspace's MTU, by which it makes fragments, and the rate that it keeps. */
void ports_gateway(struct ports *ports, const struct gateway *gateway);

/* Asks the relay, which answers by @used. Return: whether there is one to ask. */
bool ports_ask_use(const struct ports *ports);

/* For the record: a line each, as publish_text(), " auto" behind what -p auto opened. */
int ports_list(const struct ports *ports, struct arena *arena, const char *const **ret,
               size_t *ret_n);

/* Closes all of it. */
void ports_close(struct ports *ports);

#endif
