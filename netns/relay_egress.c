#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "netns/relay_internal.h"

/*
 * What the workspace may open, decided by the relay itself, whatever the rules of the gateway
 * say; and who is told what it may not.
 */

#define MINUTE_MS 60000

/* Denials that are told one by one: so many at once, and then so many a second. */
#define REPORTS_BURST 20
#define REPORTS_PER_SECOND 5

bool relay_is_gateway(const struct relay_config *config, const struct in6_addr *address)
{
	const struct ip *v4 = &config->gateway[0], *v6 = &config->gateway[1];

	if (IN6_IS_ADDR_V4MAPPED(address))
		return v4->family == AF_INET &&
		       memcmp(v4->byte, &address->s6_addr32[3], 4) == 0;
	return v6->family == AF_INET6 && memcmp(v6->byte, address, 16) == 0;
}

int egress_start(struct relay *relay)
{
	struct egress_state *state = &relay->egress;

	state->tokens = REPORTS_BURST;
	if (!relay->config->egress.per_minute)
		return 0;
	state->begun = calloc(relay->config->egress.per_minute, sizeof(*state->begun));
	return state->begun ? 0 : -ENOMEM;
}

/* One that is lost is told with the next. */
static void send_report(struct relay *relay, struct relay_report *report)
{
	struct egress_state *state = &relay->egress;

	report->denied = state->denied;
	report->limited = state->limited;
	report->permitted = state->permitted;
	report->untold = state->untold;
	if (relay->config->report < 0 ||
	    send(relay->config->report, report, sizeof(*report),
	         MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		state->untold += report->verdict != EGRESS_ALLOWED;
		return;
	}
	state->changed = false;
	state->untold = 0;
}

void egress_denied(struct relay *relay, const struct endpoint *to, uint8_t protocol,
                   enum egress_verdict verdict, unsigned int rule, bool permitted)
{
	struct egress_state *state = &relay->egress;
	struct relay_report report = { .to = *to,
		                       .protocol = protocol,
		                       .verdict = (uint8_t)verdict,
		                       .rule = (uint8_t)rule };

	/* Discovery by multicast is what every system does when it starts. */
	if (verdict == EGRESS_MANY)
		return;
	if (permitted)
		state->permitted++;
	else
		state->denied++;
	state->changed = true;
	if (state->tokens == 0) {
		state->untold++;
		return;
	}
	state->tokens--;
	send_report(relay, &report);
}

void egress_tick(struct relay *relay)
{
	struct egress_state *state = &relay->egress;
	struct relay_report report = { .verdict = EGRESS_ALLOWED };

	state->tokens = state->tokens + REPORTS_PER_SECOND < REPORTS_BURST
	                        ? state->tokens + REPORTS_PER_SECOND
	                        : REPORTS_BURST;
	if (state->changed || state->untold)
		send_report(relay, &report);
}

bool egress_waits(const struct relay *relay)
{
	return relay->egress.changed || relay->egress.untold ||
	       relay->egress.tokens < REPORTS_BURST;
}

/* The times of the last ones are kept, so that no minute has more, wherever it begins. */
static bool too_many(struct relay *relay)
{
	struct egress_state *state = &relay->egress;
	const uint32_t most = relay->config->egress.per_minute;

	if (!most)
		return false;
	if (state->begun[state->next] &&
	    relay->now - state->begun[state->next] < MINUTE_MS) {
		state->limited++;
		state->changed = true;
		return true;
	}
	state->begun[state->next] = relay->now;
	state->next = (state->next + 1) % most;
	return false;
}

int egress_permits(struct relay *relay, const struct endpoint *to, uint8_t protocol)
{
	const struct relay_config *config = relay->config;
	enum egress_verdict verdict;
	unsigned int rule = 0;

	/* The workspace has no such address, so whoever asks is none of it. */
	if (!endpoint_is_v4(to) && !config->workspace[1].family)
		return -EAGAIN;
	verdict = egress_judge(&config->egress, &to->address, protocol, to->port, &rule);
	if (verdict != EGRESS_ALLOWED) {
		const bool lets = egress_lets(&config->egress, verdict);

		egress_denied(relay, to, protocol, verdict, rule, lets);
		if (!lets)
			return verdict == EGRESS_MANY ? -EAGAIN : -EACCES;
	}
	return too_many(relay) ? -EAGAIN : 0;
}

void egress_refused(struct relay *relay, const void *data, size_t n)
{
	enum egress_verdict verdict;
	unsigned char head[8];
	unsigned int rule = 0;
	struct flow flow;

	if (!packet_read_udp(data, n, &flow))
		return;
	verdict = egress_judge(&relay->config->egress, &flow.to.address, IPPROTO_UDP,
	                       flow.to.port, &rule);
	egress_denied(relay, &flow.to, IPPROTO_UDP,
	              verdict == EGRESS_ALLOWED ? EGRESS_BY_DEFAULT : verdict, rule,
	              false);
	packet_write_udp(head, &flow, 0);
	answer_error(relay, &flow, IPPROTO_UDP, head, EACCES);
}
