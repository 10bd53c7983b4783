#include "sync.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"

/* clang-format off */
static const char *const sync_name[SYNC_MAX] = {
	[SYNC_MAPPED]     = "mapped",
	[SYNC_ROOTED]     = "rooted",
	[SYNC_SOCKETS]    = "sockets",
	[SYNC_GATEWAY]    = "gateway",
	[SYNC_SERVING]    = "serving",
	[SYNC_BORN]       = "born",
	[SYNC_JOINED]     = "joined",
	[SYNC_READY]      = "ready",
	[SYNC_LISTENER]   = "listener",
	[SYNC_CONFINED]   = "confined",
	[SYNC_GO]         = "go",
	[SYNC_UNEXECUTED] = "unexecuted",
	[SYNC_EXITED]     = "exited",
	[SYNC_FAILED]     = "failed",
};
/* clang-format on */

/* One datagram, so that an error never crosses in pieces. */
struct sync_msg {
	struct sync_word word;
	struct err err;
};

union sync_control {
	char buf[CMSG_SPACE(SYNC_FDS_MAX * sizeof(int))];
	struct cmsghdr align;
};

int sync_open(struct sync_pairs *ret, struct err *err)
{
	struct sync_pairs p = { { -EBADF, -EBADF },
		                { -EBADF, -EBADF },
		                { -EBADF, -EBADF } };
	int *const pair[] = { p.warden, p.init, p.birth };

	for (size_t i = 0; i < 3; i++)
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair[i]) < 0) {
			(void)err_set(err, errno, "make a socket pair");
			for (size_t j = 0; j < i; j++) {
				drop_fd(&pair[j][0]);
				drop_fd(&pair[j][1]);
			}
			return -err->code;
		}
	*ret = p;
	return 0;
}

static int send_msg(int sock, const struct sync_msg *msg, const int *fd, size_t n)
{
	/* sendmsg() takes pointers to non-const and changes nothing. */
	struct iovec iov = { .iov_base = (void *)msg, .iov_len = sizeof(*msg) };
	struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1 };
	union sync_control control = { 0 };
	ssize_t sent;

	if (n > 0) {
		struct cmsghdr *cmsg;

		hdr.msg_control = control.buf;
		hdr.msg_controllen = CMSG_SPACE(n * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&hdr);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fd, n * sizeof(int));
	}
	do
		sent = sendmsg(sock, &hdr, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

int sync_send(int sock, enum sync_step step, int32_t value, const int *fd, size_t n,
              struct err *err)
{
	const struct sync_msg msg = { .word = { step, value } };
	int present[SYNC_FDS_MAX];
	size_t count = 0;
	int r;

	if (n > SYNC_FDS_MAX)
		return err_set(err, E2BIG, "send %zu descriptors", n);
	for (size_t i = 0; i < n; i++)
		if (fd[i] >= 0)
			present[count++] = fd[i];
	r = send_msg(sock, &msg, present, count);
	if (r < 0)
		return err_set(err, -r, "say '%s'", sync_name[step]);
	return 0;
}

void sync_fail(int sock, const struct err *why)
{
	const struct sync_msg msg = { .word.step = SYNC_FAILED, .err = *why };

	(void)send_msg(sock, &msg, NULL, 0);
}

/* One message; 0 at the end of file, 1 for a message, or -errno. */
static int receive(int sock, struct sync_msg *msg, int fd[SYNC_FDS_MAX])
{
	struct iovec iov = { .iov_base = msg, .iov_len = sizeof(*msg) };
	union sync_control control = { 0 };
	struct msghdr hdr = { .msg_iov = &iov,
		              .msg_iovlen = 1,
		              .msg_control = control.buf,
		              .msg_controllen = sizeof(control.buf) };
	ssize_t n;

	for (size_t i = 0; i < SYNC_FDS_MAX; i++)
		fd[i] = -EBADF;
	do
		n = recvmsg(sock, &hdr, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&hdr); c; c = CMSG_NXTHDR(&hdr, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			memcpy(fd, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
	if (n == 0)
		return 0;
	if ((n != sizeof(*msg) && n != sizeof(msg->word)) ||
	    (hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || msg->word.step >= SYNC_MAX) {
		for (size_t i = 0; i < SYNC_FDS_MAX; i++)
			drop_fd(&fd[i]);
		return -EPROTO;
	}
	/* The peer is ours, but it may have been killed while it wrote into itself. */
	msg->err.step[sizeof(msg->err.step) - 1] = '\0';
	msg->err.text[sizeof(msg->err.text) - 1] = '\0';
	msg->err.hint[sizeof(msg->err.hint) - 1] = '\0';
	return 1;
}

int sync_expect(int sock, enum sync_step want, int32_t *ret_value, int *ret_fd, size_t n,
                struct err *err)
{
	struct sync_msg msg = { 0 };
	int fd[SYNC_FDS_MAX];
	int r = receive(sock, &msg, fd);

	if (r == 1 && msg.word.step == want && n <= SYNC_FDS_MAX) {
		for (size_t i = 0; i < SYNC_FDS_MAX; i++) {
			if (i < n)
				ret_fd[i] = fd[i];
			else
				drop_fd(&fd[i]);
		}
		if (ret_value)
			*ret_value = msg.word.value;
		return 0;
	}
	for (size_t i = 0; i < SYNC_FDS_MAX; i++)
		drop_fd(&fd[i]);
	if (r < 0)
		return err_set(err, -r, "wait for '%s'", sync_name[want]);
	if (r == 0)
		return err_set(err, ECONNRESET, "peer died before '%s'", sync_name[want]);
	if (msg.word.step == SYNC_FAILED && msg.err.code > 0) {
		*err = msg.err;
		return -err->code;
	}
	return err_set(err, EPROTO, "got '%s' before '%s'", sync_name[msg.word.step],
	               sync_name[want]);
}

int sync_expect_end(int sock, int32_t *ret_value, struct err *err)
{
	struct sync_msg msg = { 0 };
	int fd[SYNC_FDS_MAX];
	int r = receive(sock, &msg, fd);

	for (size_t i = 0; i < SYNC_FDS_MAX; i++)
		drop_fd(&fd[i]);
	if (r == 0)
		return 0;
	if (r == 1 && msg.word.step == SYNC_UNEXECUTED && ret_value) {
		*ret_value = msg.word.value;
		return 1;
	}
	if (r == 1 && msg.word.step == SYNC_FAILED && msg.err.code > 0) {
		*err = msg.err;
		return -err->code;
	}
	return err_set(err, r < 0 ? -r : EPROTO, "wait for the command to start");
}
