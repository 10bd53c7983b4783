#include "traffic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/fd.h"

/* A relay that was taken over tells what it likes, but no faster. */
#define REPORTS_PER_TURN 32

static const char *protocol_name(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	default:
		return "icmp";
	}
}

/* "10.0.0.1:443", "[fd00::1]:443"; without a port where there is none. */
static void put_endpoint(const struct endpoint *to, char *ret, size_t size)
{
	const bool v4 = endpoint_is_v4(to);
	char text[INET6_ADDRSTRLEN] = "?";

	(void)inet_ntop(v4 ? AF_INET : AF_INET6,
	                v4 ? (const void *)(to->address.s6_addr + 12) : &to->address,
	                text, sizeof(text));
	if (to->port)
		(void)snprintf(ret, size, v4 ? "%s:%u" : "[%s]:%u", text, to->port);
	else
		(void)snprintf(ret, size, "%s", text);
}

static void write_line(struct traffic *traffic, const char *line, int len, int size)
{
	logfile_write(traffic->log, line, (size_t)(len < size ? len : size - 1));
}

static void tell(struct traffic *traffic, const struct relay_report *report)
{
	const struct egress *egress = &traffic->plan->relay.egress;
	const bool by_rule = report->verdict == EGRESS_BY_RULE;
	char line[256], to[64];
	int len;

	if (report->untold > 0) {
		len = snprintf(line, sizeof(line),
		               "berth: egress: %" PRIu64 " more denied meanwhile\n",
		               report->untold);
		write_line(traffic, line, len, sizeof(line));
	}
	if (report->verdict == EGRESS_ALLOWED || report->verdict >= EGRESS_VERDICTS ||
	    (by_rule && report->rule >= egress->n))
		return;
	put_endpoint(&report->to, to, sizeof(to));
	len = snprintf(line, sizeof(line), "berth: egress: %s %s %s%s%s\n",
	               protocol_name(report->protocol), to,
	               egress_reason[report->verdict], by_rule ? " " : "",
	               by_rule ? traffic->rules[report->rule] : "");
	write_line(traffic, line, len, sizeof(line));
}

static int on_report(void *ctx, int fd, short revents, struct err *err)
{
	struct traffic *traffic = ctx;

	(void)revents;
	(void)err;
	for (int i = 0; i < REPORTS_PER_TURN; i++) {
		struct relay_report report;
		ssize_t n = recv(fd, &report, sizeof(report), MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0 && errno == EAGAIN)
			return LOOP_GO;
		/* Its end is told by the warden. */
		if (n <= 0) {
			loop_remove(traffic->loop, fd);
			return LOOP_GO;
		}
		if (n != sizeof(report))
			continue;
		traffic->denied = report.denied;
		traffic->limited = report.limited;
		tell(traffic, &report);
	}
	return LOOP_GO;
}

int traffic_start(struct traffic *traffic, struct loop *loop, struct err *err)
{
	traffic->loop = loop;
	if (traffic->report < 0)
		return 0;
	return loop_add(loop, traffic->report, POLLIN, on_report, traffic, err);
}

static int need_gateway(const struct traffic *traffic, struct err *err)
{
	if (traffic->sock >= 0)
		return 0;
	return err_set(err, ENONET, "the workspace has no network of its own");
}

int traffic_numbers(const struct traffic *traffic, struct traffic_numbers *ret,
                    struct err *err)
{
	struct traffic_numbers now = { .denied = traffic->denied,
		                       .limited = traffic->limited };
	struct timespec at;
	bool diverted = false;
	int r = need_gateway(traffic, err);

	if (r == 0)
		r = gateway_stats(traffic->sock, now.way, &diverted, err);
	if (r < 0)
		return r;
	if (diverted) {
		now.way[UPLOAD].bytes += traffic->before.bytes;
		now.way[UPLOAD].packets += traffic->before.packets;
	}
	memcpy(now.rate, traffic->gateway.rate, sizeof(now.rate));
	(void)clock_gettime(CLOCK_MONOTONIC, &at);
	now.at_ns = (uint64_t)at.tv_sec * 1000000000 + (uint64_t)at.tv_nsec;
	*ret = now;
	return 0;
}

int traffic_update(struct traffic *traffic, const uint64_t rate[DIRECTIONS],
                   struct err *err)
{
	struct gateway gateway = traffic->gateway;
	struct traffic_numbers now = { 0 };
	struct err ignored = { 0 };
	int r = need_gateway(traffic, err);

	if (r == 0 && rate[UPLOAD] && !gateway.rate[UPLOAD])
		r = traffic_numbers(traffic, &now, err);

	for (int i = 0; r == 0 && i < DIRECTIONS; i++) {
		if (!rate[i])
			continue;
		gateway.rate[i] = rate[i];
		r = gateway_shape_by(traffic->sock, &gateway, (enum direction)i, err);
	}
	if (r == 0) {
		if (rate[UPLOAD] && !traffic->gateway.rate[UPLOAD])
			traffic->before = now.way[UPLOAD];
		traffic->gateway = gateway;
		return 0;
	}
	/* The upload's may have failed after the download's was set. */
	if (traffic->sock >= 0 && rate[DOWNLOAD] && traffic->gateway.rate[DOWNLOAD])
		(void)gateway_shape_by(traffic->sock, &traffic->gateway, DOWNLOAD,
		                       &ignored);
	return r;
}

void traffic_close(struct traffic *traffic)
{
	struct err ignored = { 0 };

	/* What was denied just before the end was told before it was answered. */
	if (traffic->report >= 0 && traffic->loop) {
		(void)on_report(traffic, traffic->report, POLLIN, &ignored);
		loop_remove(traffic->loop, traffic->report);
	}
	drop_fd(&traffic->sock);
	drop_fd(&traffic->report);
}
