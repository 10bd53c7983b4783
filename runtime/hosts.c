#include "hosts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NAME_BYTES                         \
	"abcdefghijklmnopqrstuvwxyzABCDEF" \
	"GHIJKLMNOPQRSTUVWXYZ0123456789.-_"

/* It becomes a word of /etc/hosts. */
static bool is_name(const char *text, size_t len)
{
	return len > 0 && len < sizeof(((struct extra_host *)NULL)->name) &&
	       strspn(text, NAME_BYTES) >= len && text[0] != '-' && text[0] != '.';
}

/* An address alone; IPv6 in brackets, too. */
static bool read_address(const char *text, struct ip *ret)
{
	const size_t len = strlen(text);
	char bare[INET6_ADDRSTRLEN];

	if (strchr(text, '/'))
		return false;
	if (text[0] != '[')
		return ip_parse(text, ret);
	if (len < 2 || text[len - 1] != ']' || len - 2 >= sizeof(bare))
		return false;
	(void)snprintf(bare, sizeof(bare), "%.*s", (int)(len - 2), text + 1);
	return ip_parse(bare, ret) && ret->family == AF_INET6;
}

int extra_host_parse(const char *text, struct extra_host *ret, struct err *err)
{
	const size_t len = strcspn(text, ":=");
	struct extra_host host = { .name = "" };

	if (text[len] == '\0') {
		(void)err_set(err, EINVAL, "'%s' is not NAME:ADDRESS", text);
		return err_hint(err, "as --add-host db:10.0.0.5, or with " HOST_GATEWAY
		                     " for the pod's own address");
	}
	if (!is_name(text, len))
		return err_set(err, EINVAL, "'%s': '%.*s' is no host name", text,
		               (int)len, text);
	if (strcmp(text + len + 1, HOST_GATEWAY) != 0 &&
	    !read_address(text + len + 1, &host.address))
		return err_set(err, EINVAL, "'%s': '%s' is no address", text,
		               text + len + 1);
	memcpy(host.name, text, len);
	*ret = host;
	return 0;
}

const char *extra_host_text(const struct extra_host *host, char ret[EXTRA_HOST_TEXT_MAX])
{
	char address[IP_TEXT_MAX];

	(void)snprintf(ret, EXTRA_HOST_TEXT_MAX, "%s:%s", host->name,
	               host->address.family ? ip_text(&host->address, false, address)
	                                    : HOST_GATEWAY);
	return ret;
}
