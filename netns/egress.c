#include "netns/egress.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"

#define V4(bits, ...)                                                        \
	{                                                                    \
		.family = AF_INET, .prefix = (bits), .byte = { __VA_ARGS__ } \
	}
#define V6(bits, ...)                                                         \
	{                                                                     \
		.family = AF_INET6, .prefix = (bits), .byte = { __VA_ARGS__ } \
	}

/* clang-format off */
const struct egress_guard egress_guards[] = {
	{ V4(8, 0),                     EGRESS_LOCAL },
	{ V4(8, 127),                   EGRESS_LOCAL },
	{ V4(32, 255, 255, 255, 255),   EGRESS_MANY },
	{ V4(4, 224),                   EGRESS_MANY },
	{ V4(4, 240),                   EGRESS_LOCAL },
	{ V4(16, 169, 254),             EGRESS_METADATA },
	{ V4(32, 168, 63, 129, 16),     EGRESS_METADATA }, /* Azure's WireServer */
	{ V4(32, 100, 100, 100, 200),   EGRESS_METADATA }, /* Alibaba */
	{ V4(32, 192, 0, 0, 192),       EGRESS_METADATA }, /* Oracle */
	{ V6(96, 0),                    EGRESS_LOCAL },    /* ::, ::1 and IPv4-compatible */
	{ V6(96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff), EGRESS_LOCAL },
	{ V6(10, 0xfe, 0x80),           EGRESS_LOCAL },
	{ V6(8, 0xff),                  EGRESS_MANY },
	{ V6(32, 0xfd, 0x00, 0x0e, 0xc2), EGRESS_METADATA }, /* Amazon's fd00:ec2::254, ::23 */
	{ V6(32, 0xfd, 0x20, 0x00, 0xce), EGRESS_METADATA }, /* Google's fd20:ce::254 */
};
/* clang-format on */
const size_t egress_guards_n = sizeof(egress_guards) / sizeof(egress_guards[0]);

static const struct ip translator = V6(96, 0x00, 0x64, 0xff, 0x9b);
static const struct ip mapped = V6(96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff);

const char *const egress_reason[EGRESS_VERDICTS] = {
	[EGRESS_ALLOWED] = "allowed",
	[EGRESS_BY_RULE] = "denied by",
	[EGRESS_BY_DEFAULT] = "denied by default",
	[EGRESS_METADATA] = "denied, since no rule names this place of metadata",
	[EGRESS_LOCAL] = "denied as loopback, link-local or reserved",
	[EGRESS_MANY] = "denied as multicast or broadcast",
};

struct ip egress_translated(const struct ip *v4)
{
	struct ip ip = translator;

	memcpy(ip.byte + 12, v4->byte, 4);
	ip.prefix = (unsigned char)(96 + v4->prefix);
	return ip;
}

/* All of @inner lies in @outer. */
static bool within(const struct ip *inner, const struct ip *outer)
{
	return inner->prefix >= outer->prefix && ip_overlap(inner, outer);
}

bool egress_names_metadata(const struct egress_rule *rule)
{
	for (size_t i = 0; i < egress_guards_n; i++) {
		struct ip translated = egress_translated(&egress_guards[i].network);

		if (egress_guards[i].verdict != EGRESS_METADATA)
			continue;
		if (within(&rule->network, &egress_guards[i].network) ||
		    (egress_guards[i].network.family == AF_INET &&
		     within(&rule->network, &translated)))
			return true;
	}
	return false;
}

bool egress_meet(const struct egress_rule *a, const struct egress_rule *b)
{
	const struct ip *x = &a->network, *y = &b->network;

	if (a->protocol && b->protocol && a->protocol != b->protocol)
		return false;
	if (a->first > b->last || b->first > a->last)
		return false;
	/* Those of two families can meet behind a translator. */
	return !x->family || !y->family || x->family != y->family || ip_overlap(x, y);
}

static bool has_ports(const struct egress_rule *rule)
{
	return rule->first != 0 || rule->last != UINT16_MAX;
}

/* A word of one of the protocols. */
static bool read_protocol(const char *word, uint8_t *ret)
{
	static const struct {
		const char *name;
		uint8_t protocol;
	} row[] = { { "tcp", IPPROTO_TCP },
		    { "udp", IPPROTO_UDP },
		    { "icmp", IPPROTO_ICMP } };

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		if (!strcmp(word, row[i].name)) {
			*ret = row[i].protocol;
			return true;
		}
	return false;
}

static bool read_port(const char *text, size_t len, uint16_t *ret)
{
	struct err ignored = { 0 };
	char word[8];
	uint64_t n;

	if (len >= sizeof(word))
		return false;
	memcpy(word, text, len);
	word[len] = '\0';
	if (number_parse(word, 1, UINT16_MAX, &n, &ignored) < 0)
		return false;
	*ret = (uint16_t)n;
	return true;
}

/* "tcp", "443", "80-90/udp" */
static bool read_service(const char *text, struct egress_rule *ret)
{
	const char *slash = strchr(text, '/'), *dash;
	size_t len = slash ? (size_t)(slash - text) : strlen(text);

	if (!slash && read_protocol(text, &ret->protocol))
		return true;
	if (slash &&
	    (!read_protocol(slash + 1, &ret->protocol) || ret->protocol == IPPROTO_ICMP))
		return false;
	dash = memchr(text, '-', len);
	if (!dash) {
		if (!read_port(text, len, &ret->first))
			return false;
		ret->last = ret->first;
		return true;
	}
	return read_port(text, (size_t)(dash - text), &ret->first) &&
	       read_port(dash + 1, len - (size_t)(dash - text) - 1, &ret->last) &&
	       ret->first <= ret->last;
}

/* The network whose bits behind the prefix are 0. */
static struct ip masked(const struct ip *ip)
{
	struct ip ret = *ip;

	for (size_t i = 0; i < ip_size(ip->family); i++) {
		unsigned int bits =
			ip->prefix > 8 * i ? ip->prefix - 8U * (unsigned)i : 0;

		ret.byte[i] &=
			bits >= 8 ? 0xff : (unsigned char)(0xff00U >> bits & 0xffU);
	}
	return ret;
}

static int check_network(const char *text, const struct egress_rule *rule,
                         struct err *err)
{
	const struct ip *network = &rule->network;
	const struct ip clean = masked(network);
	char buf[IP_TEXT_MAX], host[IP_TEXT_MAX];

	if (memcmp(clean.byte, network->byte, sizeof(clean.byte)) != 0) {
		(void)err_set(err, EINVAL, "'%s' has bits behind its prefix", text);
		return err_hint(err, "the network is %s, the address alone is %s",
		                ip_text(&clean, true, buf),
		                ip_text(network, false, host));
	}
	if (network->family == AF_INET6 && within(network, &mapped)) {
		(void)err_set(err, EINVAL, "'%s' is IPv4 written as IPv6", text);
		return err_hint(err, "write the IPv4 address itself: no packet has that "
		                     "other form");
	}
	for (size_t i = 0; !rule->deny && i < egress_guards_n; i++) {
		const struct egress_guard *guard = &egress_guards[i];

		if (guard->verdict == EGRESS_METADATA ||
		    !within(network, &guard->network))
			continue;
		(void)err_set(err, EINVAL, "'%s' cannot be allowed", text);
		return err_hint(err,
		                "loopback, link-local IPv6, multicast and reserved "
		                "addresses "
		                "are the pod's and the node's own, whatever a policy "
		                "says");
	}
	return 0;
}

int egress_parse(const char *text, struct egress_rule *ret, struct err *err)
{
	struct egress_rule rule = { .last = UINT16_MAX };
	const char *target = strchr(text, ':'), *comma;
	char word[IP_TEXT_MAX];
	size_t len;
	int r;

	if (target && !strncmp(text, "deny:", 5))
		rule.deny = true;
	else if (!target || strncmp(text, "allow:", 6) != 0)
		target = NULL;
	comma = target ? strchr(++target, ',') : NULL;
	len = !target ? 0 : comma ? (size_t)(comma - target) : strlen(target);
	if (len > 0 && len < sizeof(word)) {
		memcpy(word, target, len);
		word[len] = '\0';
		if ((!strcmp(word, "any") || ip_parse(word, &rule.network)) &&
		    (!comma || read_service(comma + 1, &rule))) {
			r = rule.network.family ? check_network(text, &rule, err) : 0;
			if (r == 0)
				*ret = rule;
			return r;
		}
	}
	(void)err_set(err, EINVAL, "'%s' is no egress rule", text);
	return err_hint(err,
	                "a rule is allow:TARGET or deny:TARGET, TARGET an address, a "
	                "network or any, and then a service where not all are meant: "
	                "allow:10.0.0.0/8,443/tcp deny:any,udp");
}

/* Which forms an address has: one, or two where a translator may change it. */
static size_t forms_of(const struct in6_addr *to, struct ip form[2])
{
	size_t n = 0;

	if (!IN6_IS_ADDR_V4MAPPED(to)) {
		form[n] = (struct ip){ .family = AF_INET6, .prefix = 128 };
		memcpy(form[n].byte, to, 16);
		if (!within(&form[n++], &translator))
			return n;
	}
	form[n] = (struct ip){ .family = AF_INET, .prefix = 32 };
	memcpy(form[n].byte, to->s6_addr + 12, 4);
	return n + 1;
}

static bool meets(const struct egress_rule *rule, const struct ip *form, size_t n,
                  uint8_t protocol, uint16_t port)
{
	bool there = !rule->network.family;

	for (size_t i = 0; !there && i < n; i++)
		there = within(&form[i], &rule->network);
	if (!there || (rule->protocol && rule->protocol != protocol))
		return false;
	if (protocol == IPPROTO_ICMP)
		return !has_ports(rule);
	return port >= rule->first && port <= rule->last;
}

static enum egress_verdict guard_of(const struct ip *form, size_t n)
{
	for (size_t i = 0; i < egress_guards_n; i++)
		for (size_t k = 0; k < n; k++)
			if (within(&form[k], &egress_guards[i].network))
				return egress_guards[i].verdict;
	return EGRESS_ALLOWED;
}

enum egress_verdict egress_judge(const struct egress *egress, const struct in6_addr *to,
                                 uint8_t protocol, uint16_t port, unsigned int *ret_rule)
{
	struct ip form[2];
	const size_t n = forms_of(to, form);
	const enum egress_verdict guard = guard_of(form, n);

	if (guard == EGRESS_LOCAL || guard == EGRESS_MANY)
		return guard;
	if (protocol == IPPROTO_ICMPV6)
		protocol = IPPROTO_ICMP;
	for (unsigned int i = 0; i < egress->n; i++) {
		const struct egress_rule *rule = &egress->rule[i];

		if (!meets(rule, form, n, protocol, port))
			continue;
		/* "allow:any" is not meant for credentials. */
		if (guard == EGRESS_METADATA && !rule->deny &&
		    !egress_names_metadata(rule))
			continue;
		/* What is let through all the same is not to lead there. */
		if (guard == EGRESS_METADATA && rule->deny && egress->permissive)
			return guard;
		*ret_rule = i;
		return rule->deny ? EGRESS_BY_RULE : EGRESS_ALLOWED;
	}
	if (guard == EGRESS_METADATA)
		return guard;
	return egress->deny_rest ? EGRESS_BY_DEFAULT : EGRESS_ALLOWED;
}

bool egress_lets(const struct egress *egress, enum egress_verdict verdict)
{
	return verdict == EGRESS_ALLOWED ||
	       (egress->permissive &&
	        (verdict == EGRESS_BY_RULE || verdict == EGRESS_BY_DEFAULT));
}

struct egress egress_kept(const struct egress *egress)
{
	struct egress ret = *egress;

	if (!egress->permissive)
		return ret;
	ret.n = 0;
	for (unsigned int i = 0; i < egress->n; i++)
		if (!egress->rule[i].deny)
			ret.rule[ret.n++] = egress->rule[i];
	ret.deny_rest = false;
	return ret;
}

bool egress_covers(const struct egress_rule *before, const struct egress_rule *rule)
{
	struct ip translated;

	if (!before->deny && egress_names_metadata(rule) &&
	    !egress_names_metadata(before))
		return false;
	if (before->network.family && !within(&rule->network, &before->network)) {
		if (before->network.family != AF_INET)
			return false;
		translated = egress_translated(&before->network);
		if (!within(&rule->network, &translated))
			return false;
	}
	if (before->protocol && before->protocol != rule->protocol)
		return false;
	if (!has_ports(before))
		return true;
	/* Echo requests have no port. */
	return has_ports(rule) && rule->protocol != IPPROTO_ICMP &&
	       before->first <= rule->first && rule->last <= before->last;
}
