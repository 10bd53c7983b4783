#include "traffic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "netns/denied.h"

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

static void write_denial(struct traffic *traffic, const struct traffic_denial *d)
{
	char line[256];
	int len;

	if (traffic->denied_one) {
		traffic->denied_one(traffic->ctx, d);
		return;
	}
	len = d->untold > 0
	              ? snprintf(line, sizeof(line),
	                         "berth: egress: %" PRIu64 " more denied meanwhile\n",
	                         d->untold)
	              : snprintf(line, sizeof(line), "berth: egress: %s %s %s%s%s\n",
	                         d->protocol, d->to, d->reason, d->rule ? " " : "",
	                         d->rule ? d->rule : "");
	write_line(traffic, line, len, sizeof(line));
}

static void tell(struct traffic *traffic, const struct relay_report *report)
{
	const struct egress *egress = &traffic->plan->relay.egress;
	const bool by_rule = report->verdict == EGRESS_BY_RULE;
	struct traffic_denial denial = { .untold = report->untold };
	char to[64];

	if (report->untold > 0)
		write_denial(traffic, &denial);
	if (report->verdict == EGRESS_ALLOWED || report->verdict >= EGRESS_VERDICTS ||
	    (by_rule && report->rule >= egress->n))
		return;
	put_endpoint(&report->to, to, sizeof(to));
	denial = (struct traffic_denial){
		.protocol = protocol_name(report->protocol),
		.to = to,
		.reason = egress_reason[report->verdict],
		.rule = by_rule ? traffic->rules[report->rule] : NULL,
		.permitted = egress_lets(egress, (enum egress_verdict)report->verdict),
	};
	write_denial(traffic, &denial);
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
		traffic->permitted = report.permitted;
		tell(traffic, &report);
	}
	return LOOP_GO;
}

static void tell_denied(struct traffic *traffic, const struct denied *denied)
{
	struct relay_report report = { .to = denied->to, .protocol = denied->protocol };
	unsigned int rule = 0;

	report.verdict =
		(uint8_t)egress_judge(&traffic->plan->relay.egress, &denied->to.address,
	                              denied->protocol, denied->to.port, &rule);
	/* Its own network and the tap's: the rules have them, and no policy. */
	if (report.verdict == EGRESS_ALLOWED)
		report.verdict = EGRESS_LOCAL;
	report.rule = (uint8_t)rule;
	tell(traffic, &report);
	traffic->told++;
}

/*
 * Those that were counted before and not told of by now never will be. Where nothing comes any
 * more, @last, that is said of all.
 */
static void tell_untold(struct traffic *traffic, bool last)
{
	struct relay_report report = { .verdict = EGRESS_ALLOWED };
	struct denied_sum sum = { .denied = traffic->seen };
	struct err ignored = { 0 };

	(void)denied_count(traffic->counts, &sum, &ignored);
	if (last)
		traffic->seen = sum.denied;
	if (traffic->seen > traffic->told) {
		report.untold = traffic->seen - traffic->told;
		traffic->told = traffic->seen;
		tell(traffic, &report);
	}
	traffic->seen = sum.denied;
}

static int on_denied(void *ctx, int fd, short revents, struct err *err)
{
	_Alignas(8) unsigned char buffer[8192];
	struct traffic *traffic = ctx;

	(void)revents;
	(void)err;
	/* The kernel tells of few, however many there are. */
	for (int i = 0; i < REPORTS_PER_TURN; i++) {
		struct denied denied[REPORTS_PER_TURN];
		ssize_t n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
		size_t found;

		if (n <= 0)
			break;
		found = denied_read(buffer, (size_t)n, denied, REPORTS_PER_TURN);
		for (size_t j = 0; j < found; j++)
			tell_denied(traffic, &denied[j]);
	}
	tell_untold(traffic, false);
	return LOOP_GO;
}

int traffic_start(struct traffic *traffic, struct loop *loop, struct err *err)
{
	int r = 0;

	traffic->loop = loop;
	if (traffic->report >= 0)
		r = loop_add(loop, traffic->report, POLLIN, on_report, traffic, err);
	if (r == 0 && traffic->denials >= 0)
		r = loop_add(loop, traffic->denials, POLLIN, on_denied, traffic, err);
	return r;
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
		                       .limited = traffic->limited,
		                       .permitted = traffic->permitted };
	struct denied_sum sum;
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
	if (traffic->counts >= 0 && denied_count(traffic->counts, &sum, err) == 0) {
		now.denied = sum.denied;
		now.limited = sum.limited;
	}
	memcpy(now.rate, traffic->gateway.rate, sizeof(now.rate));
	now.at_ns = (uint64_t)clock_ns(CLOCK_MONOTONIC);
	*ret = now;
	return 0;
}

/* Return: the MTU from now on. One that cannot be had costs delay, and no rate. */
static uint32_t resize(const struct traffic *traffic, uint32_t mtu)
{
	struct err err = { 0 };

	if (mtu == traffic->gateway.mtu ||
	    gateway_resize(traffic->sock, traffic->inside, traffic->gateway.mtu, mtu,
	                   traffic->gateway.rate[UPLOAD] > 0, &err) == 0)
		return mtu;
	log_warn("the MTU stays %u: %s: %s", traffic->gateway.mtu, err.text,
	         strerror(err.code));
	return traffic->gateway.mtu;
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
	for (int i = 0; i < DIRECTIONS; i++)
		if (rate[i])
			gateway.rate[i] = rate[i];
	if (r == 0)
		gateway.mtu = resize(traffic, gateway_mtu(gateway.rate));

	/* Burst and queue are made of the MTU, too. */
	for (int i = 0; r == 0 && i < DIRECTIONS; i++) {
		if (!rate[i] && (!gateway.rate[i] || gateway.mtu == traffic->gateway.mtu))
			continue;
		if (traffic->gateway.rate[i] && gateway.mtu < traffic->gateway.mtu)
			gateway_empty(traffic->sock, (enum direction)i);
		r = gateway_shape_by(traffic->sock, &gateway, (enum direction)i, err);
		/* There was no rate until now, so nobody has looked. pasta keeps none. */
		if (i == UPLOAD && !gateway.patient && gateway_lacks_divert(r)) {
			err_clear(err);
			gateway.paced = true;
			r = 0;
		}
	}
	if (r == 0) {
		if (rate[UPLOAD] && !traffic->gateway.rate[UPLOAD])
			traffic->before = now.way[UPLOAD];
		traffic->gateway = gateway;
		if (gateway.patient)
			gateway_rewindow(traffic->inside, &gateway);
		return 0;
	}
	/* The upload's may have failed after the download's was set. */
	if (traffic->sock >= 0)
		(void)resize(traffic, traffic->gateway.mtu);
	if (traffic->sock >= 0 && rate[DOWNLOAD] && traffic->gateway.rate[DOWNLOAD])
		(void)gateway_shape_by(traffic->sock, &traffic->gateway, DOWNLOAD,
		                       &ignored);
	return r;
}

void traffic_finish(struct traffic *traffic)
{
	struct err ignored = { 0 };

	if (traffic->report >= 0 && traffic->loop) {
		(void)on_report(traffic, traffic->report, POLLIN, &ignored);
		loop_remove(traffic->loop, traffic->report);
		drop_fd(&traffic->report);
	}
	if (traffic->denials >= 0 && traffic->loop) {
		(void)on_denied(traffic, traffic->denials, POLLIN, &ignored);
		tell_untold(traffic, true);
		loop_remove(traffic->loop, traffic->denials);
		drop_fd(&traffic->denials);
	}
}

void traffic_close(struct traffic *traffic)
{
	traffic_finish(traffic);
	drop_fd(&traffic->denials);
	drop_fd(&traffic->report);
	drop_fd(&traffic->counts);
	drop_fd(&traffic->sock);
	drop_fd(&traffic->inside);
}
