#ifndef PORTS_H
#define PORTS_H

#include "loop.h"
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
 * @fd:		the socket, until the relay has it
 * @automatic:	opened by -p auto
 * @gone:	for ports_follow()
 */
struct open_port {
	struct publish publish;
	uint32_t id;
	int fd;
	bool automatic, gone;
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
 * @troubled:	ports that -p auto could not open, told once
 * @say:	a line for people; called with @ctx
 * @changed:	the list is another one; likewise
 */
struct ports {
	struct open_port port[PUBLISH_MAX];
	size_t n;
	uint32_t last_id;
	int link[2];
	int lookout, timer;
	struct publish automatic;
	const struct ip *workspace;
	const char *allow, *deny;
	unsigned char troubled[2][65536 / 8];
	struct loop *loop;
	void *ctx;
	void (*say)(void *ctx, const char *line);
	void (*changed)(void *ctx);
};

/* Empty, with all descriptors -EBADF. */
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
 * @err:	filled in on failure
 *
 * Connections that stand survive the removal of their port; clients of UDP do not.
 *
 * Return: 0; -EINVAL; -ENOENT for a port that is not open; as ports_open().
 */
int ports_change(struct ports *ports, bool add, const char *text, struct err *err);

/* For the record: a line each, as publish_text(), " auto" behind what -p auto opened. */
int ports_list(const struct ports *ports, struct arena *arena, const char *const **ret,
               size_t *ret_n);

/* Closes all of it. */
void ports_close(struct ports *ports);

#endif
