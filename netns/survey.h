#ifndef NETNS_SURVEY_H
#define NETNS_SURVEY_H

#include "base/arena.h"
#include "base/err.h"
#include "netns/ip.h"

/**
 * struct net_facts - What the pod's network is
 * @used, @used_n: its addresses, and the networks it has routes to
 * @ipv6:	it has an IPv6 address that others can reach
 * @resolv_conf: content of its /etc/resolv.conf, "" without one
 * @own:	its own addresses, by which it reaches others, by family (0: none)
 * @undiverted:	the kernel cannot lead uploads through an ifb; this and the rest are looked
 *		at by who needs it
 * @pasta:	path of the program, NULL where it is not installed
 * @tun:	errno value of opening /dev/net/tun
 * @unrelayed:	the kernel lacks what the relay needs
 * @forwards6:	IPv6 can be forwarded: the sysctl can be written
 */
struct net_facts {
	const struct ip *used;
	size_t used_n;
	bool ipv6;
	const char *resolv_conf;
	bool undiverted;
	struct ip own[2];
	const char *pasta;
	int tun;
	bool unrelayed, forwards6;
};

/**
 * net_survey() - Look at the network we are in
 * @arena:	owns what is found
 * @ret:	written on success only
 * @err:	filled in on failure
 *
 * Asks by netlink; takes no capability.
 *
 * Return: 0; -EPERM or -EAFNOSUPPORT where a seccomp profile forbids netlink; -errno.
 */
int net_survey(struct arena *arena, struct net_facts *ret, struct err *err);

#endif
