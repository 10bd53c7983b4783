#include "control.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "peer.h"

#define BACKLOG 32
#define PEERS_MAX (sizeof(((struct control *)NULL)->peer) / sizeof(struct control_peer))

static int on_peer(void *ctx, int fd, short revents, struct err *err);

static void drop(struct control *control, struct control_peer *peer)
{
	loop_remove(control->loop, peer->fd);
	drop_fd(&peer->fd);
	/* It may have been paused for want of descriptors. */
	loop_set_events(control->loop, control->listener, POLLIN);
}

/* Sends the answer, with those descriptors that there are, and ends the connection. */
static void answer(struct control *control, struct control_peer *peer,
                   struct control_reply *reply, const int fd[CONTROL_FDS])
{
	struct iovec iov = { .iov_base = reply, .iov_len = sizeof(*reply) };
	union {
		char room[CMSG_SPACE(CONTROL_FDS * sizeof(int))];
		struct cmsghdr align;
	} beside = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int present[CONTROL_FDS];
	size_t n = 0;

	for (unsigned int i = 0; fd && i < CONTROL_FDS; i++)
		if (fd[i] >= 0) {
			present[n++] = fd[i];
			reply->fds |= 1U << i;
		}
	if (n > 0) {
		struct cmsghdr *head;

		msg.msg_control = beside.room;
		msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
		head = CMSG_FIRSTHDR(&msg);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(head), present, n * sizeof(int));
	}
	/* An empty socket takes one message; a peer that is gone misses nothing. */
	(void)sendmsg(peer->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	drop(control, peer);
}

static void answer_result(struct control *control, struct control_peer *peer,
                          const struct err *err)
{
	struct control_reply reply = { .version = CONTROL_VERSION,
		                       .result = -err->code,
		                       .exit_code = control->exit_code,
		                       .err = *err };

	answer(control, peer, &reply, NULL);
}

static int join(struct control *control, const struct control_request *request,
                int fd[CONTROL_FDS], struct err *err)
{
	if (request->verb == CONTROL_PLAN)
		return control->exited ? err_set(err, ESRCH, "it has ended")
		                       : control->plan(control->ctx, fd, err);
	if (request->text_n > sizeof(request->text) ||
	    (request->text_n > 0 && request->text[request->text_n - 1] != '\0'))
		return err_set(err, EPROTO, "words without an end");
	return control->join(control->ctx, request->text, request->text_n, fd, err);
}

static void answer_join(struct control *control, struct control_peer *peer,
                        const struct control_request *request)
{
	struct control_reply reply = { .version = CONTROL_VERSION };
	int fd[CONTROL_FDS];

	for (size_t i = 0; i < CONTROL_FDS; i++)
		fd[i] = -EBADF;
	reply.result = join(control, request, fd, &reply.err);
	answer(control, peer, &reply, reply.result < 0 ? NULL : fd);
	drop_fd(&fd[CONTROL_STEPS]);
	drop_fd(&fd[CONTROL_SESSION]);
}

static void answer_traffic(struct control *control, struct control_peer *peer)
{
	struct control_reply reply = { .version = CONTROL_VERSION };

	reply.result = control->traffic(control->ctx, &reply.traffic, &reply.err);
	answer(control, peer, &reply, NULL);
}

static int update(struct control *control, const struct control_request *request,
                  struct err *err)
{
	const char *rate[DIRECTIONS];

	if (control->exited)
		return err_set(err, ESRCH, "it has ended");
	for (int i = 0; i < DIRECTIONS; i++) {
		if (!memchr(request->rate[i], '\0', sizeof(request->rate[i])))
			return err_set(err, EINVAL, "a rate without an end");
		rate[i] = request->rate[i];
	}
	return control->update(control->ctx, rate, err);
}

/* Whether the time for an answer has come; then @err says what it is. */
static bool is_due(const struct control *control, uint32_t verb, struct err *err)
{
	if (verb == CONTROL_READY && control->ready)
		return true;
	if (!control->exited)
		return false;
	if (verb == CONTROL_READY)
		(void)err_set(err, ECANCELED, "it ended before it was ready");
	if (verb == CONTROL_PORT_ADD || verb == CONTROL_PORT_REMOVE)
		(void)err_set(err, ESRCH, "it has ended");
	return true;
}

static void answer_due(struct control *control)
{
	for (size_t i = 0; i < PEERS_MAX; i++) {
		struct control_peer *peer = &control->peer[i];
		struct err err = { 0 };

		if (peer->fd >= 0 && peer->waiting && is_due(control, peer->verb, &err))
			answer_result(control, peer, &err);
	}
}

static struct control_who who_is(int fd)
{
	struct ucred cred;
	socklen_t size = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0)
		return (struct control_who){ .pid = -1, .uid = -1 };
	return (struct control_who){ .pid = cred.pid, .uid = (int64_t)cred.uid };
}

/* Return: whether it is answered later. */
static bool change_port(struct control *control, const struct control_peer *peer,
                        const struct control_request *request, struct err *err)
{
	if (control->exited)
		(void)err_set(err, ESRCH, "it has ended");
	else if (!memchr(request->text, '\0', sizeof(request->text)))
		(void)err_set(err, EPROTO, "a port without an end");
	else
		return control->port(control->ctx, request->verb == CONTROL_PORT_ADD,
		                     request->text, peer->order, err) == 1;
	return false;
}

void control_port_done(struct control *control, uint64_t who, const struct err *err)
{
	for (size_t i = 0; control->listener >= 0 && i < PEERS_MAX; i++) {
		struct control_peer *peer = &control->peer[i];

		if (peer->fd >= 0 && peer->waiting && peer->order == who &&
		    (peer->verb == CONTROL_PORT_ADD || peer->verb == CONTROL_PORT_REMOVE))
			answer_result(control, peer, err);
	}
}

static void obey(struct control *control, struct control_peer *peer,
                 const struct control_request *request)
{
	struct err err = { 0 };

	control->who = who_is(peer->fd);
	control->who.unattended = request->unattended != 0;
	switch ((enum control_verb)request->verb) {
	case CONTROL_KILL:
		if (control->exited)
			(void)err_set(&err, ESRCH, "it has ended");
		else
			(void)control->kill(control->ctx, request->signal, &err);
		answer_result(control, peer, &err);
		return;
	case CONTROL_PORT_ADD:
	case CONTROL_PORT_REMOVE:
		if (change_port(control, peer, request, &err))
			break;
		answer_result(control, peer, &err);
		return;
	case CONTROL_JOIN:
	case CONTROL_PLAN:
		answer_join(control, peer, request);
		return;
	case CONTROL_TRAFFIC:
		answer_traffic(control, peer);
		return;
	case CONTROL_UPDATE:
		(void)update(control, request, &err);
		answer_result(control, peer, &err);
		return;
	case CONTROL_PING:
		answer_result(control, peer, &err);
		return;
	case CONTROL_STOP:
		if (!control->exited &&
		    control->stop(control->ctx, request->timeout_s, &err) < 0) {
			answer_result(control, peer, &err);
			return;
		}
		break;
	case CONTROL_READY:
	case CONTROL_EXIT:
		break;
	case CONTROL_VERB_MAX:
	default:
		(void)err_set(&err, EINVAL, "unknown request %u", request->verb);
		answer_result(control, peer, &err);
		return;
	}
	peer->verb = request->verb;
	peer->waiting = true;
	if (is_due(control, peer->verb, &err))
		answer_result(control, peer, &err);
}

/* Reads what a peer has to say; nothing yet is no failure. */
static void serve_peer(struct control *control, struct control_peer *peer)
{
	struct control_request request;
	struct err err = { 0 };
	ssize_t n;

	/* recv(2) throws away descriptors that come along. MSG_TRUNC: the real size. */
	do
		n = recv(peer->fd, &request, sizeof(request), MSG_DONTWAIT | MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return;
	/* Gone, or it goes on talking while it should wait. */
	if (n <= 0 || peer->waiting) {
		drop(control, peer);
		return;
	}
	if (n != sizeof(request) || request.version != CONTROL_VERSION) {
		(void)err_set(&err, EPROTO, "the workspace was started by another berth");
		answer_result(control, peer, &err);
		return;
	}
	obey(control, peer, &request);
}

static int on_peer(void *ctx, int fd, short revents, struct err *err)
{
	struct control *control = ctx;

	(void)revents;
	(void)err;
	for (size_t i = 0; i < PEERS_MAX; i++)
		if (control->peer[i].fd == fd)
			serve_peer(control, &control->peer[i]);
	return LOOP_GO;
}

/* A free place, if need be that of the one who has said nothing for longest. */
static struct control_peer *find_place(struct control *control)
{
	struct control_peer *oldest = NULL;

	for (size_t i = 0; i < PEERS_MAX; i++) {
		struct control_peer *peer = &control->peer[i];

		if (peer->fd < 0)
			return peer;
		if (!peer->waiting && (!oldest || peer->order < oldest->order))
			oldest = peer;
	}
	if (oldest)
		drop(control, oldest);
	return oldest;
}

static void admit(struct control *control, int fd)
{
	struct control_peer visitor = { .fd = fd };
	struct control_peer *place;
	struct err err = { 0 };

	if (peer_check(fd, &err) < 0) {
		err.code = EACCES;
		answer_result(control, &visitor, &err);
		return;
	}
	place = find_place(control);
	if (!place) {
		(void)err_set(&err, EBUSY, "%zu commands are waiting already", PEERS_MAX);
		answer_result(control, &visitor, &err);
		return;
	}
	*place = (struct control_peer){ .fd = fd, .order = control->admitted++ };
	if (loop_add(control->loop, fd, POLLIN, on_peer, control, &err) < 0)
		answer_result(control, place, &err);
}

static bool has_peers(const struct control *control)
{
	for (size_t i = 0; i < PEERS_MAX; i++)
		if (control->peer[i].fd >= 0)
			return true;
	return false;
}

/* Return: whether there was one. */
static bool accept_one(struct control *control)
{
	int fd = accept4(control->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0) {
		admit(control, fd);
		return true;
	}
	/* Out of descriptors or memory: wait for a peer to leave instead of spinning. */
	if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR &&
	    has_peers(control))
		loop_set_events(control->loop, control->listener, 0);
	return false;
}

static int on_listener(void *ctx, int fd, short revents, struct err *err)
{
	(void)fd;
	(void)revents;
	(void)err;
	(void)accept_one(ctx);
	return LOOP_GO;
}

/*
 * Binds through the directory's descriptor: no other one can be slipped in, and the
 * path fits whatever the length of its name. The socket gets its own name only once
 * it listens, so that nobody is told meanwhile that the workspace is not running.
 */
static int bind_and_listen(int fd, int entry)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int r = 0;

	(void)snprintf(address.sun_path, sizeof(address.sun_path),
	               "/proc/self/fd/%d/.control", entry);
	(void)unlinkat(entry, ".control", 0);
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	if (listen(fd, BACKLOG) < 0 ||
	    renameat(entry, ".control", entry, "control") < 0) {
		r = -errno;
		(void)unlinkat(entry, ".control", 0);
	}
	return r;
}

int control_listen(struct control *control, int entry, struct err *err)
{
	cleanup_close int fd =
		socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r;

	for (size_t i = 0; i < PEERS_MAX; i++)
		control->peer[i].fd = -EBADF;
	control->listener = -EBADF;
	if (fd < 0)
		return err_set(err, errno, "make the control socket");
	r = bind_and_listen(fd, entry);
	if (r < 0)
		return err_set(err, -r, "make the control socket");
	r = loop_add(control->loop, fd, POLLIN, on_listener, control, err);
	if (r < 0) {
		(void)unlinkat(entry, "control", 0);
		return r;
	}
	control->listener = take_fd(&fd);
	return 0;
}

void control_ready(struct control *control)
{
	control->ready = true;
	if (control->listener >= 0)
		answer_due(control);
}

void control_exited(struct control *control, int exit_code)
{
	control->exited = true;
	control->exit_code = exit_code;
	if (control->listener >= 0)
		answer_due(control);
}

static void let_in(struct control *control)
{
	for (unsigned int i = 0; i < BACKLOG && accept_one(control); i++)
		continue;
}

bool control_is_asked(struct control *control)
{
	if (control->listener < 0)
		return false;
	let_in(control);
	return has_peers(control);
}

void control_catch_up(struct control *control)
{
	if (control->listener < 0)
		return;
	let_in(control);
	for (size_t i = 0; i < PEERS_MAX; i++)
		if (control->peer[i].fd >= 0 && !control->peer[i].waiting)
			serve_peer(control, &control->peer[i]);
}

void control_close(struct control *control, int entry)
{
	if (control->listener < 0)
		return;
	(void)unlinkat(entry, "control", 0);
	/* Who came a moment ago gets an answer too. */
	control_catch_up(control);
	for (size_t i = 0; i < PEERS_MAX; i++)
		if (control->peer[i].fd >= 0)
			drop(control, &control->peer[i]);
	loop_remove(control->loop, control->listener);
	drop_fd(&control->listener);
}
