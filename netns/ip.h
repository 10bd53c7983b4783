#ifndef NETNS_IP_H
#define NETNS_IP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct ip - An address, or a network
 * @family:	AF_INET or AF_INET6; 0 for none
 * @prefix:	length of the network's part, bits
 * @byte:	in network order; 4 or 16 of them count
 */
struct ip {
	unsigned char family, prefix;
	unsigned char byte[16];
};

#define IP_TEXT_MAX (INET6_ADDRSTRLEN + 4)

/* Bytes of an address of this family: 4, 16, or 0. */
static inline size_t ip_size(unsigned char family)
{
	return family == AF_INET ? 4 : family == AF_INET6 ? 16 : 0;
}

/**
 * ip_parse() - Read "10.0.0.1" or "fd00::/64"
 * @text:	what was given
 * @ret:	without "/", the prefix is the whole address
 *
 * Return: true, or false for anything else; no zone ("%eth0") is taken.
 */
bool ip_parse(const char *text, struct ip *ret);

/* "10.0.0.1", with "/24" if @prefix. Return: @buf. */
const char *ip_text(const struct ip *ip, bool prefix, char buf[IP_TEXT_MAX]);

/* Whether two networks have an address in common; never for different families. */
bool ip_overlap(const struct ip *a, const struct ip *b);

/* The address @n above @network's first one; @network's prefix is kept. */
struct ip ip_nth(const struct ip *network, unsigned int n);

#endif
