#ifndef NETNS_RELAY_H
#define NETNS_RELAY_H

#include <net/if.h>
#include <stdbool.h>

#include "base/err.h"
#include "netns/egress.h"
#include "netns/ip.h"
#include "netns/packet.h"

/*
 * The relay: what the workspace sends ends in the gateway's kernel and goes on from the
 * pod's network, by sockets alone (docs/network.md). The warden, in the gateway's network
 * namespace, calls relay_install() and relay_open() and hands the sockets over; the relay,
 * which never left the pod's network, confines itself and calls relay_main().
 */

#define RELAY_NAMESERVERS 3

/**
 * struct relay_config - What the relay has to know
 * @ifname:	the gateway's end of the veth
 * @gateway:	the gateway's addresses, IPv4 and IPv6, where the workspace asks for names;
 *		the second's family is 0 where there is no IPv6
 * @workspace:	the only addresses that the workspace may send from, likewise
 * @mtu:	of the veth
 * @pace:	rate of uploads that the relay has to keep, bytes a second; 0: none
 * @nameserver:	of the pod, in the order to ask; any address, 127.0.0.53 too
 * @nameservers: how many there are
 * @egress:	where the workspace may go
 * @report:	where struct relay_report goes, a SOCK_SEQPACKET socket; -EBADF: nowhere
 * @connections: most TCP connections at a time
 * @held:	most connections being made at a time
 * @flows:	most UDP flows at a time
 *
 * Plain data: it crosses a clone or a socket as it is.
 */
struct relay_config {
	char ifname[IFNAMSIZ];
	struct ip gateway[2];
	struct ip workspace[2];
	unsigned int mtu;
	uint64_t pace;
	struct endpoint nameserver[RELAY_NAMESERVERS];
	unsigned int nameservers;
	struct egress egress;
	int report;
	unsigned int connections;
	unsigned int held;
	unsigned int flows;
};

/**
 * struct relay_report - What the relay tells of what it denied; plain data
 * @denied, @limited, @permitted: so far: denied by rule, silent for being too many in a minute,
 *		and let through all the same (struct egress, @permissive)
 * @untold:	denials since the last report that had none of their own
 * @to, @protocol: of one that was denied
 * @verdict:	enum egress_verdict; EGRESS_ALLOWED for a report of the counters alone
 * @rule:	which one, with EGRESS_BY_RULE
 */
struct relay_report {
	uint64_t denied, limited, permitted, untold;
	struct endpoint to;
	uint8_t protocol, verdict, rule;
};

/* The sockets of the gateway that the relay serves; -EBADF for IPv6 where there is none. */
enum relay_socket {
	RELAY_QUEUE,
	RELAY_TCP4,
	RELAY_TCP6,
	RELAY_UDP4,
	RELAY_UDP6,
	RELAY_RAW4,
	RELAY_RAW6,
	RELAY_SOCKETS,
};

/**
 * relay_install() - Put routes and rules into the network namespace we are in
 * @config:	what for; its interface is there and up
 * @err:	filled in on failure
 *
 * Everything that comes from the workspace is then delivered here, if it is sent from the
 * workspace's address; TCP waits in the queue. Nothing is forwarded. Rules are the table
 * "berth_relay" of family inet; the routes are in table 100.
 *
 * Return: 0; -ENOENT where the kernel lacks tproxy or both forms of queue; else -errno.
 */
int relay_install(const struct relay_config *config, struct err *err);

/**
 * relay_open() - Make the sockets, in the gateway's network namespace
 * @config:	as for relay_install()
 * @ret:	owned by the caller; written on success only
 * @err:	filled in on failure
 *
 * Takes CAP_NET_ADMIN, CAP_NET_RAW and CAP_NET_BIND_SERVICE over the namespace.
 *
 * Return: 0 or -errno.
 */
int relay_open(const struct relay_config *config, int ret[RELAY_SOCKETS],
               struct err *err);

/**
 * struct relay_links - Whom the relay talks to about published ports; -EBADF: nobody
 * @maker:	makes sockets of the gateway (maker.h)
 * @ports:	opens ports of the pod (ports_link.h)
 */
struct relay_links {
	int maker, ports;
};

/**
 * relay_main() - Serve until the gateway is gone
 * @config:	borrowed for good
 * @sockets:	of relay_open(), now the relay's
 * @links:	likewise
 * @err:	filled in on failure
 *
 * Where we are: the pod's network, the user namespace that owns the gateway, with
 * CAP_NET_ADMIN in it; single-threaded. Raises its soft limit of open files.
 *
 * Return: only for a reason that ends it: -errno.
 */
int relay_main(const struct relay_config *config, const int sockets[RELAY_SOCKETS],
               const struct relay_links *links, struct err *err);

#endif
