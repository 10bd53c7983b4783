#ifndef NETNS_PLAN_ADDRESSES_H
#define NETNS_PLAN_ADDRESSES_H

#include "netns/ip.h"

/* Of the arrays of addresses by family. The second's family is 0 without IPv6. */
enum { IP_V4, IP_V6, IP_FAMILIES };

/**
 * plan_addresses() - Choose the networks between a workspace and its gateway
 * @used:	networks and addresses of the pod; defaults ("0.0.0.0/0") do not count
 * @n:		length of @used
 * @ipv6:	whether the workspace is to have IPv6
 * @ret_gateway, @ret_workspace: the two ends, each with its network's prefix
 *
 * Pure. None of them is in use in the pod, or where dockerd inside makes networks by
 * default (172.17.0.0/12, 192.168.0.0/16, and fd00::/8 at random), so that routes neither
 * here nor there lead to the wrong place.
 *
 * Return: false where all that we try is taken.
 */
bool plan_addresses(const struct ip *used, size_t n, bool ipv6,
                    struct ip ret_gateway[IP_FAMILIES],
                    struct ip ret_workspace[IP_FAMILIES]);

#endif
