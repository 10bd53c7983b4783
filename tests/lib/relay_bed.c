/*
 * Runs the relay alone, without a workspace: for tests and measurements of it.
 *
 *	relay_bed CONFIG-WORDS...
 *
 *	gateway=IP workspace=IP [gateway=IP workspace=IP] [dns=IP[:PORT]]... [KEY=NUMBER]...
 *
 * Started in the pod's network namespace as root of the user namespace that owns it. Makes
 * the gateway's network namespace, says "PID" of a process in it on standard output, and
 * goes on when a line comes on standard input: by then "gate0" has to be there and up.
 * Says "ready" and serves until it is killed.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netns/relay.h"

static void fail(const struct err *why)
{
	errx(1, "%s: %s", why->text, strerror(why->code));
}

static struct ip address(const char *text)
{
	struct ip ip;

	if (!ip_parse(text, &ip))
		errx(1, "'%s' is no address", text);
	return ip;
}

static struct endpoint nameserver(char *text)
{
	union address at = { 0 };
	char *port = strchr(text, '#');
	struct ip ip;

	if (port)
		*port++ = '\0';
	ip = address(text);
	at.any.sa_family = ip.family;
	if (ip.family == AF_INET) {
		memcpy(&at.v4.sin_addr, ip.byte, 4);
		at.v4.sin_port = htons((uint16_t)(port ? atoi(port) : 53));
	} else {
		memcpy(&at.v6.sin6_addr, ip.byte, 16);
		at.v6.sin6_port = htons((uint16_t)(port ? atoi(port) : 53));
	}
	return endpoint_from(&at);
}

static void word(struct relay_config *config, char *text)
{
	char *value = strchr(text, '=');
	struct ip ip;

	if (!value)
		errx(1, "'%s' is not KEY=VALUE", text);
	*value++ = '\0';
	if (strcmp(text, "gateway") == 0) {
		ip = address(value);
		config->gateway[ip.family == AF_INET6] = ip;
	} else if (strcmp(text, "workspace") == 0) {
		ip = address(value);
		config->workspace[ip.family == AF_INET6] = ip;
	} else if (strcmp(text, "dns") == 0 && config->nameservers < RELAY_NAMESERVERS) {
		config->nameserver[config->nameservers++] = nameserver(value);
	} else if (strcmp(text, "connections") == 0) {
		config->connections = (unsigned int)atoi(value);
	} else if (strcmp(text, "held") == 0) {
		config->held = (unsigned int)atoi(value);
	} else if (strcmp(text, "flows") == 0) {
		config->flows = (unsigned int)atoi(value);
	} else if (strcmp(text, "mtu") == 0) {
		config->mtu = (unsigned int)atoi(value);
	} else if (strcmp(text, "egress") == 0) {
		struct err err = { 0 };

		if (config->egress.n == EGRESS_RULES ||
		    egress_parse(value, &config->egress.rule[config->egress.n++], &err) <
		            0)
			errx(1, "%s", err.text);
	} else if (strcmp(text, "per_minute") == 0) {
		config->egress.per_minute = (uint32_t)atoi(value);
	} else {
		errx(1, "'%s' is not known", text);
	}
}

static void send_sockets(int to, const int sockets[RELAY_SOCKETS])
{
	char control[CMSG_SPACE(RELAY_SOCKETS * sizeof(int))] = { 0 };
	int open[RELAY_SOCKETS], n = 0;
	bool there[RELAY_SOCKETS];
	struct iovec what = { .iov_base = there, .iov_len = sizeof(there) };
	struct msghdr message = { .msg_iov = &what,
		                  .msg_iovlen = 1,
		                  .msg_control = control };
	struct cmsghdr *head;

	for (int i = 0; i < RELAY_SOCKETS; i++) {
		there[i] = sockets[i] >= 0;
		if (there[i])
			open[n++] = sockets[i];
	}
	message.msg_controllen = CMSG_SPACE((size_t)n * sizeof(int));
	head = CMSG_FIRSTHDR(&message);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
	memcpy(CMSG_DATA(head), open, (size_t)n * sizeof(int));
	if (sendmsg(to, &message, 0) < 0)
		err(1, "send the sockets");
}

static void receive_sockets(int from, int sockets[RELAY_SOCKETS])
{
	char control[CMSG_SPACE(RELAY_SOCKETS * sizeof(int))];
	bool there[RELAY_SOCKETS];
	struct iovec what = { .iov_base = there, .iov_len = sizeof(there) };
	struct msghdr message = { .msg_iov = &what,
		                  .msg_iovlen = 1,
		                  .msg_control = control,
		                  .msg_controllen = sizeof(control) };
	const struct cmsghdr *head;
	const unsigned char *at;

	if (recvmsg(from, &message, MSG_CMSG_CLOEXEC) != sizeof(there))
		errx(1, "no sockets came");
	head = CMSG_FIRSTHDR(&message);
	if (!head)
		errx(1, "no sockets came");
	at = CMSG_DATA(head);
	for (int i = 0; i < RELAY_SOCKETS; i++) {
		sockets[i] = -EBADF;
		if (!there[i])
			continue;
		memcpy(&sockets[i], at, sizeof(int));
		at += sizeof(int);
	}
}

static int gateway(const struct relay_config *config, int to)
{
	int sockets[RELAY_SOCKETS];
	struct err why = { 0 };
	char line[8];

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || unshare(CLONE_NEWNET) < 0)
		err(1, "make the gateway's network namespace");
	printf("%d\n", getpid());
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		errx(1, "nobody made 'gate0'");
	if (relay_install(config, &why) < 0 || relay_open(config, sockets, &why) < 0)
		fail(&why);
	send_sockets(to, sockets);
	return pause();
}

int main(int argc, char **argv)
{
	struct relay_config config = { .ifname = "gate0",
		                       .report = -EBADF,
		                       .mtu = 65520,
		                       .connections = 4096,
		                       .held = 512,
		                       .flows = 512 };
	int sockets[RELAY_SOCKETS], pair[2];
	struct err why = { 0 };
	pid_t child;

	for (int i = 1; i < argc; i++)
		word(&config, argv[i]);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		err(1, "socketpair");
	child = fork();
	if (child < 0)
		err(1, "fork");
	if (child == 0)
		return gateway(&config, pair[0]);
	receive_sockets(pair[1], sockets);
	printf("ready\n");
	fflush(stdout);
	(void)relay_main(&config, sockets, &(struct relay_links){ -EBADF, -EBADF }, &why);
	fail(&why);
}
