#include "netns/publish.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORM                                                                            \
	"ports are [IP:]OUT:IN[/tcp|udp], as 8080:80 or [::1]:5300-5309:53-62/udp, or " \
	"auto"

/* A port at @at, behind it @ret_end; 0 where there is none. */
static uint16_t read_port(const char *at, const char **ret_end)
{
	unsigned int port = 0;
	const char *p = at;

	while (*p >= '0' && *p <= '9' && p - at < 6)
		port = port * 10 + (unsigned int)(*p++ - '0');
	*ret_end = p;
	return p == at || *at == '0' || port > UINT16_MAX ? 0 : (uint16_t)port;
}

/* "80" or "80-89"; @ret_end is behind it. */
static bool read_range(const char *at, uint16_t *ret_first, uint16_t *ret_last,
                       const char **ret_end)
{
	*ret_first = *ret_last = read_port(at, ret_end);
	if (*ret_first && **ret_end == '-')
		*ret_last = read_port(*ret_end + 1, ret_end);
	return *ret_first && *ret_first <= *ret_last;
}

/* "/tcp", "/udp" or nothing. */
static bool read_protocol(const char *at, bool *ret_udp, const char **ret_end)
{
	*ret_udp = false;
	*ret_end = at;
	if (*at != '/')
		return true;
	*ret_udp = !strncmp(at, "/udp", 4);
	*ret_end = at + 4;
	return *ret_udp || !strncmp(at, "/tcp", 4);
}

static int malformed(const char *text, const char *what, struct err *err)
{
	(void)err_set(err, EINVAL, "'%.100s': %s", text, what);
	return err_hint(err, FORM);
}

/* Takes the address off @text. Return: what is behind it, NULL for a malformed one. */
static const char *read_address(const char *text, struct ip *ret)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	const bool bracket = *text == '[';
	const char *end = strchr(text, bracket ? ']' : ':');
	char address[INET6_ADDRSTRLEN];
	size_t n;

	*ret = (struct ip){ 0 };
	/* Three parts, or "auto" behind one. */
	if (!bracket && (!end || (!strchr(end + 1, ':') && strcmp(end + 1, "auto") != 0)))
		return text;
	text += bracket;
	n = end ? (size_t)(end - text) : sizeof(address);
	if (n == 0 || n >= sizeof(address) || memchr(text, '/', n))
		return NULL;
	memcpy(address, text, n);
	address[n] = '\0';
	if (!ip_parse(address, ret) || (ret->family == AF_INET6) != bracket)
		return NULL;
	/* IPv4 in IPv6's clothes; and fe80:: is an address of no interface that we knew. */
	if (bracket && (!memcmp(ret->byte, mapped, sizeof(mapped)) ||
	                (ret->byte[0] == 0xfe && (ret->byte[1] & 0xc0) == 0x80)))
		return NULL;
	end += bracket;
	return *end == ':' ? end + 1 : NULL;
}

int publish_parse(const char *text, struct publish *ret, struct err *err)
{
	struct publish publish = { 0 };
	const char *at = read_address(text, &publish.address);
	const char *out = at;
	uint16_t out_last, in_last;

	if (!at)
		return malformed(
			text,
			"the address is none to listen at, or IPv6 without brackets",
			err);
	if (!strcmp(at, "auto")) {
		publish.automatic = true;
		*ret = publish;
		return 0;
	}
	if (!read_range(at, &publish.out, &out_last, &at))
		return malformed(text, "OUT is no port or range of 1 to 65535", err);
	if (*at == '\0')
		return malformed(text, "the port of the workspace is missing", err);
	if (*at != ':') {
		(void)err_set(err, EINVAL, "'%.*s' is neither an address nor a port",
		              (int)strcspn(out, ":"), out);
		return err_hint(err, FORM);
	}
	if (!read_range(at + 1, &publish.in, &in_last, &at))
		return malformed(text, "IN is no port or range of 1 to 65535", err);
	if (!read_protocol(at, &publish.udp, &at) || *at != '\0')
		return malformed(text, "behind the ports stands neither /tcp nor /udp",
		                 err);
	if (out_last - publish.out != in_last - publish.in)
		return malformed(text, "the ranges differ in length", err);
	if (out_last - publish.out >= PUBLISH_MAX) {
		(void)err_set(err, EINVAL, "'%.100s': more than %d ports", text,
		              PUBLISH_MAX);
		return err_hint(err, "a workspace has %d published ports at most",
		                PUBLISH_MAX);
	}
	publish.n = (uint16_t)(out_last - publish.out + 1);
	*ret = publish;
	return 0;
}

const char *publish_address(const struct publish *publish, char buf[PUBLISH_TEXT_MAX])
{
	const bool v6 = publish->address.family == AF_INET6;
	char address[IP_TEXT_MAX];

	(void)snprintf(
		buf, PUBLISH_TEXT_MAX, "%s%s%s", v6 ? "[" : "",
		publish->address.family ? ip_text(&publish->address, false, address) : "",
		v6 ? "]" : "");
	return buf;
}

const char *publish_text(const struct publish *publish, char buf[PUBLISH_TEXT_MAX])
{
	const unsigned int last = publish->n - 1U;
	size_t n = strlen(publish_address(publish, buf));

	if (n > 0)
		buf[n++] = ':';
	if (publish->automatic)
		(void)snprintf(buf + n, PUBLISH_TEXT_MAX - n, "auto");
	else if (last == 0)
		(void)snprintf(buf + n, PUBLISH_TEXT_MAX - n, "%u:%u/%s", publish->out,
		               publish->in, publish->udp ? "udp" : "tcp");
	else
		(void)snprintf(buf + n, PUBLISH_TEXT_MAX - n, "%u-%u:%u-%u/%s",
		               publish->out, publish->out + last, publish->in,
		               publish->in + last, publish->udp ? "udp" : "tcp");
	return buf;
}

static bool is_any(const struct ip *ip)
{
	static const unsigned char none[16];

	return memcmp(ip->byte, none, ip_size(ip->family)) == 0;
}

static bool same_place(const struct ip *a, const struct ip *b)
{
	if (!a->family || !b->family)
		return true;
	return a->family == b->family &&
	       (is_any(a) || is_any(b) || !memcmp(a->byte, b->byte, ip_size(a->family)));
}

bool publish_overlap(const struct publish *a, const struct publish *b)
{
	if (a->automatic || b->automatic)
		return a->automatic && b->automatic;
	return a->udp == b->udp && a->out < b->out + b->n && b->out < a->out + a->n &&
	       same_place(&a->address, &b->address);
}

struct publish publish_nth(const struct publish *publish, unsigned int i)
{
	struct publish one = *publish;

	one.out = (uint16_t)(one.out + i);
	one.in = (uint16_t)(one.in + i);
	one.n = 1;
	return one;
}

/* One item of a list; @ret_end is behind it. */
static bool read_item(const char *at, uint16_t *ret_first, uint16_t *ret_last,
                      bool *ret_udp, const char **ret_end)
{
	return read_range(at, ret_first, ret_last, ret_end) &&
	       read_protocol(*ret_end, ret_udp, ret_end) &&
	       (**ret_end == ',' || **ret_end == '\0');
}

bool publish_listed(const char *list, uint16_t port, bool udp)
{
	uint16_t first, last;
	const char *end;
	bool of_udp;

	for (; read_item(list, &first, &last, &of_udp, &end); list = end + 1) {
		if (of_udp == udp && first <= port && port <= last)
			return true;
		if (*end == '\0')
			break;
	}
	return false;
}

int publish_list_check(const char *list, struct err *err)
{
	uint16_t first, last;
	const char *end;
	bool udp;

	for (; read_item(list, &first, &last, &udp, &end); list = end + 1)
		if (*end == '\0')
			return 0;
	(void)err_set(err, EINVAL, "'%.*s' is no port", (int)strcspn(list, ","), list);
	return err_hint(
		err, "ports are listed as 8000-8999,5353/udp; TCP unless /udp is said");
}
