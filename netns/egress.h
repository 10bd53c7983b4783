#ifndef NETNS_EGRESS_H
#define NETNS_EGRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "netns/ip.h"

/*
 * Where the workspace may go: pure, and the same for the gateway's rules (egress_rules.c) and
 * for the relay, each of which asks for itself.
 */

#define EGRESS_RULES 64
#define EGRESS_PER_MINUTE_MAX 60000

/**
 * struct egress_rule - One line: the first one that meets decides
 * @deny:	else allow
 * @network:	of destinations; its family is 0 for any
 * @protocol:	IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP (echo requests of both families), or
 *		0 for all of them; with ports for those that have some
 * @first, @last: ports; 0 to 65535 for all
 */
struct egress_rule {
	struct ip network;
	uint16_t first, last;
	uint8_t protocol;
	bool deny;
};

/**
 * struct egress - All of it; plain data
 * @rule:	in this order
 * @n:		how many
 * @deny_rest:	what becomes of a destination that no rule meets
 * @per_minute:	most connections and flows begun in any 60 seconds; 0: no limit
 * @permissive:	what rules deny is told, and let through
 */
struct egress {
	struct egress_rule rule[EGRESS_RULES];
	unsigned int n;
	bool deny_rest;
	uint32_t per_minute;
	bool permissive;
};

/* What becomes of a destination, and why. */
enum egress_verdict {
	EGRESS_ALLOWED,
	EGRESS_BY_RULE,    /* a rule denies it */
	EGRESS_BY_DEFAULT, /* no rule meets it, and the rest is denied */
	EGRESS_METADATA,   /* where clouds keep credentials, and no rule names it */
	EGRESS_LOCAL,      /* loopback, unspecified, link-local, reserved: never */
	EGRESS_MANY,       /* multicast, broadcast: never, and nobody is told */
	EGRESS_VERDICTS,
};

/* For a log: "denied by default" and the like; that of EGRESS_BY_RULE goes before the rule. */
extern const char *const egress_reason[EGRESS_VERDICTS];

/**
 * struct egress_guard - What is denied without a rule
 * @network:	of IPv4 also behind a translator's prefix, 64:ff9b::/96
 * @verdict:	EGRESS_METADATA can be allowed by a rule whose network lies in it
 */
struct egress_guard {
	struct ip network;
	enum egress_verdict verdict;
};

extern const struct egress_guard egress_guards[];
extern const size_t egress_guards_n;

/**
 * egress_parse() - Read "allow:10.0.0.0/8,443/tcp" or "deny:any"
 * @text:	ACTION:TARGET[,SERVICE]; TARGET is an address, a network or "any"; SERVICE is
 *		tcp, udp, icmp, PORT[-PORT] or PORT[-PORT]/tcp|udp
 * @ret:	set on success only
 * @err:	quotes @text
 *
 * Return: 0; -EINVAL for anything else, for a network with bits behind its prefix, for
 * IPv4 written as IPv6, and for the permission to reach what nobody may.
 */
int egress_parse(const char *text, struct egress_rule *ret, struct err *err);

/**
 * egress_judge() - What becomes of a destination
 * @egress:	the rules
 * @to:		address; IPv4 as ::ffff:a.b.c.d
 * @protocol:	IPPROTO_TCP, IPPROTO_UDP, or IPPROTO_ICMP or IPPROTO_ICMPV6
 * @port:	0 for the latter
 * @ret_rule:	which rule decided, for EGRESS_BY_RULE
 *
 * An IPv4 address behind 64:ff9b::/96 (RFC 6052) is met by rules of both families: a
 * translator outside would make that address of it.
 */
enum egress_verdict egress_judge(const struct egress *egress, const struct in6_addr *to,
                                 uint8_t protocol, uint16_t port, unsigned int *ret_rule);

/* Whether a destination is let through all the same. */
bool egress_lets(const struct egress *egress, enum egress_verdict verdict);

/* The rules that the gateway itself keeps: without denials where those are told only. */
struct egress egress_kept(const struct egress *egress);

/* Whether nothing is left for @rule where @before stands before it. */
bool egress_covers(const struct egress_rule *before, const struct egress_rule *rule);

/* Whether a destination may be met by both: never false where one is. */
bool egress_meet(const struct egress_rule *a, const struct egress_rule *b);

/* Whether the rule's network lies in one that is denied as metadata. */
bool egress_names_metadata(const struct egress_rule *rule);

/* @v4 behind a translator's prefix. */
struct ip egress_translated(const struct ip *v4);

#endif
