#include "netns/maker.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"

union beside {
	char room[CMSG_SPACE(MAKER_BATCH * sizeof(int))];
	struct cmsghdr align;
};

static int make(enum maker_kind kind)
{
	return socket(
		kind == MAKER_TCP4 || kind == MAKER_UDP4 ? AF_INET : AF_INET6,
		(kind == MAKER_TCP4 || kind == MAKER_TCP6 ? SOCK_STREAM : SOCK_DGRAM) |
			SOCK_CLOEXEC | SOCK_NONBLOCK,
		0);
}

static void hand_out(int sock, uint8_t kind)
{
	struct iovec iov = { .iov_base = &kind, .iov_len = sizeof(kind) };
	union beside beside = { 0 };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	int made[MAKER_BATCH];
	size_t n = 0;

	while (n < MAKER_BATCH && (made[n] = make((enum maker_kind)kind)) >= 0)
		n++;
	if (n > 0) {
		struct cmsghdr *head;

		message.msg_control = beside.room;
		message.msg_controllen = CMSG_SPACE(n * sizeof(int));
		head = CMSG_FIRSTHDR(&message);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(head), made, n * sizeof(int));
	}
	(void)sendmsg(sock, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	for (size_t i = 0; i < n; i++)
		drop_fd(&made[i]);
}

bool maker_answer(int sock)
{
	uint8_t kind = 0;
	ssize_t n = recv(sock, &kind, sizeof(kind), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == sizeof(kind) && kind < MAKER_KINDS)
		hand_out(sock, kind);
	return n > 0;
}

int maker_ask(int sock, enum maker_kind kind)
{
	const uint8_t word = (uint8_t)kind;

	return send(sock, &word, sizeof(word), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno
	                                                                        : 0;
}

int maker_receive(int sock, enum maker_kind *ret_kind, int ret[MAKER_BATCH])
{
	uint8_t kind = MAKER_KINDS;
	struct iovec iov = { .iov_base = &kind, .iov_len = sizeof(kind) };
	union beside beside = { 0 };
	struct msghdr message = { .msg_iov = &iov,
		                  .msg_iovlen = 1,
		                  .msg_control = beside.room,
		                  .msg_controllen = sizeof(beside.room) };
	ssize_t n = recvmsg(sock, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	size_t got = 0;

	if (n < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
			got = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			memcpy(ret, CMSG_DATA(c), got * sizeof(int));
		}
	if (n == 0)
		return -ECONNRESET;
	*ret_kind = (enum maker_kind)kind;
	return (int)got;
}
