#include "netns/ports_link.h"

#include <errno.h>
#include <string.h>

#include "base/fd.h"

union beside {
	char room[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

int ports_send(int sock, const struct ports_message *message, int fd, int flags)
{
	/* sendmsg() takes pointers to non-const and changes nothing. */
	struct iovec iov = { .iov_base = (void *)message, .iov_len = sizeof(*message) };
	union beside beside = { 0 };
	struct msghdr head = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (fd >= 0) {
		struct cmsghdr *c;

		head.msg_control = beside.room;
		head.msg_controllen = sizeof(beside.room);
		c = CMSG_FIRSTHDR(&head);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	do
		n = sendmsg(sock, &head, flags | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int ports_receive(int sock, struct ports_message *ret, int *ret_fd, int flags)
{
	struct ports_message message = { 0 };
	struct iovec iov = { .iov_base = &message, .iov_len = sizeof(message) };
	union beside beside = { 0 };
	struct msghdr head = { .msg_iov = &iov,
		               .msg_iovlen = 1,
		               .msg_control = beside.room,
		               .msg_controllen = sizeof(beside.room) };
	cleanup_close int fd = -EBADF;
	ssize_t n;

	do
		n = recvmsg(sock, &head, flags | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&head); c; c = CMSG_NXTHDR(&head, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			memcpy(&fd, CMSG_DATA(c), sizeof(int));
	if (n == 0)
		return 0;
	if (n != sizeof(message) || message.word >= PORTS_WORDS ||
	    message.hidden >= HIDDEN_REASONS)
		return -EPROTO;
	*ret = message;
	*ret_fd = take_fd(&fd);
	return 1;
}
