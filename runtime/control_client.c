#include "control.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"

int control_send(int entry, const struct control_request *request, struct err *err)
{
	cleanup_close int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct control_request message = *request;

	message.version = CONTROL_VERSION;
	if (fd < 0)
		return err_set(err, errno, "make a socket");
	(void)snprintf(address.sun_path, sizeof(address.sun_path),
	               "/proc/self/fd/%d/control", entry);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		if (errno == ENOENT || errno == ECONNREFUSED)
			return err_set(err, ESRCH, "it is not running");
		return err_set(err, errno, "connect to its supervisor");
	}
	/* Where we are refused the answer is there already, and the peer is gone. */
	if (send(fd, &message, sizeof(message), MSG_NOSIGNAL) < 0 && errno != EPIPE &&
	    errno != ECONNRESET)
		return err_set(err, errno, "ask its supervisor");
	return take_fd(&fd);
}

/*
 * Takes the descriptors out of a message, in the places that @fds has for them; those
 * nobody wants are closed.
 */
static void take_descriptors(struct msghdr *msg, uint32_t fds, int ret_fd[CONTROL_FDS])
{
	unsigned int place = 0;

	for (struct cmsghdr *head = CMSG_FIRSTHDR(msg); head;
	     head = CMSG_NXTHDR(msg, head)) {
		const unsigned char *data = CMSG_DATA(head);
		size_t n = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, data + i * sizeof(fd), sizeof(fd));
			while (place < CONTROL_FDS && !(fds & 1U << place))
				place++;
			if (ret_fd && place < CONTROL_FDS)
				ret_fd[place++] = fd;
			else
				(void)close(fd);
		}
	}
}

static void drop_descriptors(int ret_fd[CONTROL_FDS])
{
	for (size_t i = 0; ret_fd && i < CONTROL_FDS; i++)
		drop_fd(&ret_fd[i]);
}

int control_receive(int sock, struct control_reply *reply, int ret_fd[CONTROL_FDS],
                    struct err *err)
{
	struct iovec iov = { .iov_base = reply, .iov_len = sizeof(*reply) };
	union {
		char room[CMSG_SPACE(CONTROL_FDS * sizeof(int))];
		struct cmsghdr align;
	} beside = { 0 };
	struct msghdr msg = { .msg_iov = &iov,
		              .msg_iovlen = 1,
		              .msg_control = beside.room,
		              .msg_controllen = sizeof(beside.room) };
	ssize_t n;

	for (size_t i = 0; ret_fd && i < CONTROL_FDS; i++)
		ret_fd[i] = -EBADF;
	/*
	 * A server that refuses us has not read what we sent. The kernel then reports
	 * ECONNRESET, once, before it hands out the answer (unix_release_sock()).
	 */
	for (int resets = 0; (n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC)) < 0;) {
		if (errno != EINTR && (errno != ECONNRESET || resets++ > 0))
			break;
	}
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return err_set(err, ECONNRESET, "its supervisor is gone");
	if (n < 0)
		return err_set(err, errno, "wait for its supervisor's answer");
	take_descriptors(&msg, n == sizeof(*reply) ? reply->fds : 0, ret_fd);
	if (n == sizeof(*reply) && reply->version == CONTROL_VERSION &&
	    reply->result == 0)
		return 0;
	drop_descriptors(ret_fd);
	if (n != sizeof(*reply) || reply->version != CONTROL_VERSION)
		return err_set(err, EPROTO, "the workspace was started by another berth");

	*err = reply->err;
	err->code = reply->result < 0 && reply->result > -4096 ? -reply->result : EPROTO;
	err->step[sizeof(err->step) - 1] = '\0';
	err->text[sizeof(err->text) - 1] = '\0';
	err->hint[sizeof(err->hint) - 1] = '\0';
	return -err->code;
}

int control_ask(int entry, const struct control_request *request,
                struct control_reply *reply, int ret_fd[CONTROL_FDS], struct err *err)
{
	cleanup_close int sock = control_send(entry, request, err);

	if (sock < 0)
		return sock;
	return control_receive(sock, reply, ret_fd, err);
}
