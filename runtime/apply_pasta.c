#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "apply_pasta.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "netns/denied.h"
#include "netns/netlink.h"
#include "netns/pasta.h"

/* pasta makes its tap in milliseconds; it is asked for as often. */
#define TAP_MS 10000
#define LOOK_MS 2

/* Lets the child become pasta. @ret: where that says what it does not like. */
static int let_go(struct launch *launch, int *ret, struct err *err)
{
	cleanup_close int reader = -EBADF, writer = -EBADF;
	cleanup_close int netns =
		openat(launch->proc, "self/ns/net", O_RDONLY | O_CLOEXEC);
	int pipes[2], fd[2], r;

	if (netns < 0)
		return err_set(err, errno, "open the gateway's network namespace");
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return err_set(err, errno, "make a pipe");
	reader = pipes[0];
	writer = pipes[1];
	fd[0] = writer;
	fd[1] = netns;
	r = sync_send(launch->pasta, SYNC_GATEWAY, 0, fd, 2, err);
	drop_fd(&writer);
	if (r == 0)
		r = sync_expect_end(launch->pasta, NULL, err);
	if (r == 0)
		*ret = take_fd(&reader);
	return r;
}

/* It ended, and said why in its last line; what people see is a line without controls. */
static int say_why(int reader, struct err *err)
{
	char text[512], *line;
	ssize_t n = read(reader, text, sizeof(text) - 1);

	if (n > 0 && text[n - 1] == '\n')
		n--;
	text[n > 0 ? n : 0] = '\0';
	for (ssize_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < ' ' && text[i] != '\n')
			text[i] = ' ';
	line = strrchr(text, '\n');
	line = line ? line + 1 : text;
	return err_set(err, EPIPE, "pasta ended%s%.200s", *line ? ": " : "", line);
}

/* Return: the tap's number; -EPIPE where pasta ended; -ETIMEDOUT. */
static int await_tap(int reader, struct err *err)
{
	const int64_t until = clock_ms(CLOCK_MONOTONIC) + TAP_MS;

	while (clock_ms(CLOCK_MONOTONIC) < until) {
		struct pollfd source = { .fd = reader };
		const unsigned int index = if_nametoindex(PASTA_IFNAME);

		if (index > 0)
			return (int)index;
		/* Its end alone: it may warn as well. */
		if (poll(&source, 1, LOOK_MS) > 0 && source.revents & POLLHUP)
			return say_why(reader, err);
	}
	return err_set(err, ETIMEDOUT, "wait for pasta's interface '%s'", PASTA_IFNAME);
}

static int connect_tap(const struct launch *launch, int index, struct err *err)
{
	const struct pasta *pasta = &launch->plan->pasta;
	cleanup_close int sock = netlink_open(NETLINK_ROUTE, err);
	int r = sock;

	if (r >= 0)
		r = pasta_connect(sock, index, pasta, err);
	if (r == 0 && pasta->tap[IP_V6].family)
		r = file_write(launch->proc, "sys/net/ipv6/conf/all/forwarding", "1",
		               err);
	return r;
}

int pasta_uplink(struct launch *launch, struct err *err)
{
	const struct plan *plan = launch->plan;
	cleanup_close int reader = -EBADF;
	bool log = false;
	int r = launch->pasta >= 0 ? 0 : err_set(err, ESRCH, "pasta was not started");

	/* The rules stand before anything can pass. */
	if (r == 0)
		r = pasta_install(&plan->relay, &plan->pasta, &log, err);
	if (r == -ENOENT || r == -EOPNOTSUPP)
		(void)err_hint(err,
		               "the kernel lacks nft_masq, nft_ct, nft_limit, "
		               "nft_reject_inet or routing by marks, and may load none: "
		               "have the modules loaded on the node, or use --net relay");
	if (r == 0)
		r = let_go(launch, &reader, err);
	if (r == 0)
		r = await_tap(reader, err);
	if (r > 0)
		r = connect_tap(launch, r, err);
	if (r == 0)
		r = launch->rules = netlink_open(NETLINK_NETFILTER, err);
	if (r >= 0 && log)
		r = launch->denials = denied_open(err);
	drop_fd(&launch->pasta);
	return r < 0 ? r : 0;
}

void pasta_stop(struct launch *launch)
{
	/* Our child, and not waited for yet. Nobody depends on it. */
	if (launch->pasta_pid > 0)
		(void)kill(launch->pasta_pid, SIGKILL);
	launch->pasta_pid = 0;
	drop_fd(&launch->pasta);
	drop_fd(&launch->rules);
	drop_fd(&launch->denials);
}
