/*
 * Round trips, short connections and idle ones, timed without an interpreter in between.
 *
 *	net_probe serve ADDRESS PORT		echoes; never ends
 *	net_probe trips ADDRESS PORT N		prints p50, p95, p99 of N round trips of 1 byte, us
 *	net_probe short ADDRESS PORT SECONDS	connections a second: connect, 1 byte each way, end;
 *						by 8 processes at a time
 *	net_probe idle ADDRESS PORT N		opens N, prints "open", ends with standard input
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS 8

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void serve(const struct sockaddr_in *at)
{
	int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1, epoll = epoll_create1(0);
	struct epoll_event event = { .events = EPOLLIN, .data.fd = listener };

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (const struct sockaddr *)at, sizeof(*at)) < 0 ||
	    listen(listener, 4096) < 0)
		err(1, "listen");
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		char data[65536];
		ssize_t n;

		if (epoll_wait(epoll, &event, 1, -1) < 1)
			continue;
		if (event.data.fd == listener) {
			event.data.fd = accept(listener, NULL, NULL);
			setsockopt(event.data.fd, IPPROTO_TCP, TCP_NODELAY, &on,
			           sizeof(on));
			epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event);
			continue;
		}
		n = read(event.data.fd, data, sizeof(data));
		if (n <= 0 || write(event.data.fd, data, (size_t)n) != n)
			close(event.data.fd);
	}
}

static int reach(const struct sockaddr_in *at)
{
	int sock = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	if (sock < 0 || connect(sock, (const struct sockaddr *)at, sizeof(*at)) < 0)
		err(1, "connect");
	setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return sock;
}

static void trip(int sock)
{
	char byte = 'x';

	if (write(sock, &byte, 1) != 1 || read(sock, &byte, 1) != 1)
		err(1, "no answer");
}

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void trips(const struct sockaddr_in *at, int n)
{
	double *took = calloc((size_t)n, sizeof(*took));
	int sock = reach(at);

	if (!took)
		err(1, "trips");
	for (int i = 0; i < n; i++) {
		double begin = now();

		trip(sock);
		took[i] = (now() - begin) * 1e6;
	}
	qsort(took, (size_t)n, sizeof(*took), compare);
	printf("%.1f %.1f %.1f\n", took[n / 2], took[n * 95 / 100], took[n * 99 / 100]);
	free(took);
}

static void short_ones(const struct sockaddr_in *at, int seconds)
{
	double begin = now();
	int pair[2], n = 0, part;

	if (pipe(pair) < 0)
		err(1, "pipe");
	for (int i = 0; i < CLIENTS; i++) {
		if (fork() != 0)
			continue;
		for (; now() - begin < seconds; n++) {
			int sock = reach(at);

			trip(sock);
			close(sock);
		}
		_exit(write(pair[1], &n, sizeof(n)) != sizeof(n));
	}
	close(pair[1]);
	while (read(pair[0], &part, sizeof(part)) == sizeof(part))
		n += part;
	printf("%.0f\n", n / (now() - begin));
}

static void idle(const struct sockaddr_in *at, int n)
{
	struct rlimit files;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	for (int i = 0; i < n; i++)
		trip(reach(at));
	printf("open\n");
	fflush(stdout);
	(void)getchar();
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int n = argc > 4 ? atoi(argv[4]) : 0;

	if (argc < 4 || inet_pton(AF_INET, argv[2], &at.sin_addr) != 1)
		errx(2, "see the comment in net_probe.c");
	at.sin_port = htons((uint16_t)atoi(argv[3]));
	if (strcmp(argv[1], "serve") == 0)
		serve(&at);
	else if (strcmp(argv[1], "trips") == 0)
		trips(&at, n);
	else if (strcmp(argv[1], "short") == 0)
		short_ones(&at, n);
	else if (strcmp(argv[1], "idle") == 0)
		idle(&at, n);
	return 0;
}
