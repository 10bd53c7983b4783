#include "netns/gateway.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <sys/random.h>

#include "base/fd.h"
#include "netns/link.h"
#include "netns/netlink.h"
#include "netns/qdisc.h"
#include "netns/route.h"

/* Both ends have the same number, each in its namespace. */
#define VETH_INDEX GATEWAY_INDEX
#define IFB_INDEX GATEWAY_IFB_INDEX
#define IFB_IFNAME "berth-up"
#define TRY_INDEX 102

uint32_t gateway_mtu(const uint64_t rate[DIRECTIONS])
{
	for (int i = 0; i < DIRECTIONS; i++)
		if (rate[i] > 0 && rate[i] < GATEWAY_SLOW_BYTES)
			return GATEWAY_MTU_SLOW;
	return GATEWAY_MTU_MAX;
}

static void add_addresses(struct netlink_batch *batch, const struct ip ip[IP_FAMILIES])
{
	for (int i = 0; i < IP_FAMILIES; i++)
		if (ip[i].family)
			address_add(batch, VETH_INDEX, &ip[i]);
}

/*
 * Locally administered (bit 1), of one host (bit 0 is not set). The gateway's is the same in each,
 * so that init knows it; the workspace's is its own, since some programs make identifiers of it.
 */
static const struct mac gateway_mac = { { 0x02, 0xbe, 0x72, 0x74, 0x68, 0x01 } };

static int choose_mac(struct mac *ret, struct err *err)
{
	if (getrandom(ret, sizeof(*ret), 0) != sizeof(*ret))
		return err_set(err, errno, "choose a hardware address");
	ret->byte[0] = (unsigned char)((ret->byte[0] & ~1U) | 2U);
	return 0;
}

static void add_neighbours(struct netlink_batch *batch, const struct ip ip[IP_FAMILIES],
                           const struct mac *mac)
{
	for (int i = 0; i < IP_FAMILIES; i++)
		if (ip[i].family)
			neighbour_add(batch, VETH_INDEX, &ip[i], mac);
}

int gateway_connect(const struct gateway *gateway, pid_t pid, struct err *err)
{
	cleanup_close int sock = netlink_open(NETLINK_ROUTE, err);
	struct mac macs[2] = { gateway_mac };
	struct netlink_batch batch;

	if (sock < 0)
		return sock;
	if (choose_mac(&macs[1], err) < 0)
		return -err->code;
	netlink_batch_init(&batch);
	link_add_veth(&batch, GATEWAY_IFNAME, VETH_INDEX, WORKSPACE_IFNAME, VETH_INDEX,
	              pid, gateway->mtu, macs);
	link_up(&batch, LOOPBACK_INDEX);
	add_addresses(&batch, gateway->gateway);
	link_up(&batch, VETH_INDEX);
	add_neighbours(&batch, gateway->workspace, &macs[1]);
	return netlink_commit(sock, &batch, err);
}

void gateway_disconnect(int sock)
{
	struct netlink_batch batch;
	struct err ignored = { 0 };

	netlink_batch_init(&batch);
	link_remove(&batch, VETH_INDEX);
	(void)netlink_commit(sock, &batch, &ignored);
}

/*
 * Of its connections; 0 for what the kernel likes. pasta has no congestion control: it sends what
 * the window takes, and what the queue does not hold is lost, and all that follows is sent again. The
 * kernel lets a window grow to some twice of this.
 */
#define WINDOW 49152
#define STREAMS 10 /* that find room for theirs in the queue */

static uint32_t window_of(const struct gateway *gateway)
{
	return gateway->patient && gateway->rate[DOWNLOAD] ? WINDOW : 0;
}

static void default_routes(struct netlink_batch *batch, const struct gateway *gateway,
                           bool again)
{
	for (int i = 0; i < IP_FAMILIES; i++) {
		const struct route route = {
			.to = { .family = gateway->gateway[i].family },
			.via = &gateway->gateway[i],
			.index = VETH_INDEX,
			.table = RT_TABLE_MAIN,
			.window = window_of(gateway),
			.again = again,
		};

		if (route.to.family)
			route_add(batch, &route);
	}
}

int gateway_join(const struct gateway *gateway, struct err *err)
{
	cleanup_close int sock = netlink_open(NETLINK_ROUTE, err);
	struct netlink_batch batch;

	if (sock < 0)
		return sock;
	netlink_batch_init(&batch);
	link_up(&batch, LOOPBACK_INDEX);
	add_addresses(&batch, gateway->workspace);
	link_up(&batch, VETH_INDEX);
	add_neighbours(&batch, gateway->gateway, &gateway_mac);
	default_routes(&batch, gateway, false);
	return netlink_commit(sock, &batch, err);
}

void gateway_rewindow(int inside, const struct gateway *gateway)
{
	struct netlink_batch batch;
	struct err ignored = { 0 };

	netlink_batch_init(&batch);
	default_routes(&batch, gateway, true);
	(void)netlink_commit(inside, &batch, &ignored);
}

/*
 * Queues inside the tbf of an interface. Where the kernel has none of these there is one for all
 * packets, short enough for the delay.
 */
static int add_queues(int sock, int index, const struct shape *shape, struct err *err)
{
	struct netlink_batch batch;
	struct err ignored = { 0 };
	int r;

	netlink_batch_init(&batch);
	qdisc_fq_codel(&batch, index, shape);
	if (netlink_commit(sock, &batch, &ignored) == 0)
		return 0;
	err_clear(&ignored);
	qdisc_express(&batch, index);
	r = netlink_commit(sock, &batch, &ignored);
	if (r < 0 && r != -EEXIST)
		return 0;
	qdisc_express_queues(&batch, index, shape);
	if (netlink_commit(sock, &batch, err) < 0)
		return -err->code;
	if (r == 0)
		qdisc_express_filters(&batch, index);
	(void)netlink_commit(sock, &batch, &ignored);
	return 0;
}

/* What leaves an interface keeps the rate. */
static int shape_leaving(int sock, int index, const struct shape *shape, struct err *err)
{
	struct netlink_batch batch;
	int r;

	netlink_batch_init(&batch);
	qdisc_tbf(&batch, index, shape);
	r = netlink_commit(sock, &batch, err);
	return r < 0 ? r : add_queues(sock, index, shape, err);
}

/* Makes the ifb, and sends there what comes from the workspace. */
static int divert(int sock, const struct gateway *gateway, struct err *err)
{
	struct netlink_batch batch;
	int r;

	netlink_batch_init(&batch);
	link_add(&batch, "ifb", IFB_IFNAME, IFB_INDEX, gateway->mtu);
	r = netlink_commit(sock, &batch, err);
	if (r == -EEXIST) {
		err_clear(err);
		return 0; /* the rate is being changed */
	}
	for (int by = 0; r == 0 && by < REDIRECT_MAX; by++) {
		if (by == 0) {
			link_up(&batch, IFB_INDEX);
			qdisc_ingress(&batch, VETH_INDEX);
		}
		qdisc_redirect(&batch, VETH_INDEX, IFB_INDEX, (enum redirect)by);
		r = netlink_commit(sock, &batch, err);
		if (r == 0)
			return 0;
		if (r == -ENOENT && by + 1 < REDIRECT_MAX) {
			err_clear(err);
			r = 0;
		}
	}
	return r;
}

int gateway_shape_by(int sock, const struct gateway *gateway, enum direction direction,
                     struct err *err)
{
	struct shape shape = shape_for(gateway->rate[direction], gateway->mtu);
	int r = 0;

	/* Who sends from inside is slowed down by losses, and pasta recovers from them slowly. */
	if (gateway->patient && direction == DOWNLOAD)
		shape = shape_patient(shape, 16, 2 * STREAMS * WINDOW);
	else if (gateway->patient)
		shape = shape_patient(shape, 4, 0);
	if (direction == UPLOAD && gateway->paced)
		return 0;
	if (direction == UPLOAD)
		r = divert(sock, gateway, err);
	if (r < 0)
		return r;
	return shape_leaving(sock, direction == UPLOAD ? IFB_INDEX : VETH_INDEX, &shape,
	                     err);
}

void gateway_empty(int sock, enum direction direction)
{
	struct netlink_batch batch;
	struct err ignored = { 0 };

	netlink_batch_init(&batch);
	qdisc_remove(&batch, direction == UPLOAD ? IFB_INDEX : VETH_INDEX);
	(void)netlink_commit(sock, &batch, &ignored);
}

int gateway_shape(const struct gateway *gateway, enum direction direction,
                  struct err *err)
{
	cleanup_close int sock = netlink_open(NETLINK_ROUTE, err);

	return sock < 0 ? sock : gateway_shape_by(sock, gateway, direction, err);
}

int gateway_pose(const struct gateway *gateway, const char *peer, int peer_index,
                 struct err *err)
{
	cleanup_close int sock = netlink_open(NETLINK_ROUTE, err);
	struct netlink_batch batch;
	int r = sock;

	if (r >= 0) {
		netlink_batch_init(&batch);
		link_add_veth(&batch, GATEWAY_IFNAME, VETH_INDEX, peer, peer_index, 0,
		              gateway->mtu, NULL);
		link_up(&batch, LOOPBACK_INDEX);
		add_addresses(&batch, gateway->gateway);
		link_up(&batch, VETH_INDEX);
		r = netlink_commit(sock, &batch, err);
	}
	for (int i = 0; r == 0 && i < DIRECTIONS; i++)
		if (gateway->rate[i])
			r = gateway_shape_by(sock, gateway, (enum direction)i, err);
	return r;
}

static int resize_inside(int inside, uint32_t mtu, struct err *err)
{
	struct netlink_batch batch;
	int r;

	netlink_batch_init(&batch);
	link_mtu(&batch, VETH_INDEX, mtu);
	r = netlink_commit(inside, &batch, err);
	if (r != -ENODEV)
		return r;
	err_clear(err);
	return 0;
}

static int resize_ours(int sock, uint32_t mtu, bool diverted, struct err *err)
{
	struct netlink_batch batch;

	netlink_batch_init(&batch);
	link_mtu(&batch, VETH_INDEX, mtu);
	if (diverted)
		link_mtu(&batch, IFB_INDEX, mtu);
	return netlink_commit(sock, &batch, err);
}

int gateway_resize(int sock, int inside, uint32_t from, uint32_t to, bool diverted,
                   struct err *err)
{
	struct err ignored = { 0 };
	int r;

	if (to < from) {
		r = resize_inside(inside, to, err);
		if (r == 0)
			r = resize_ours(sock, to, diverted, err);
		if (r < 0)
			(void)resize_inside(inside, from, &ignored);
		return r;
	}
	r = resize_ours(sock, to, diverted, err);
	if (r == 0)
		r = resize_inside(inside, to, err);
	if (r < 0)
		(void)resize_ours(sock, from, diverted, &ignored);
	return r;
}

int gateway_try_divert(struct err *err)
{
	const struct gateway gateway = { .mtu = GATEWAY_MTU_SLOW };
	cleanup_close int sock = netlink_open(NETLINK_ROUTE, err);
	struct netlink_batch batch;
	int r = sock;

	if (r >= 0) {
		netlink_batch_init(&batch);
		link_add_veth(&batch, "try0", VETH_INDEX, "try1", TRY_INDEX, 0,
		              gateway.mtu, NULL);
		r = netlink_commit(sock, &batch, err);
	}
	return r < 0 ? r : divert(sock, &gateway, err);
}

bool gateway_lacks_divert(int code)
{
	return code == -ENOENT || code == -EOPNOTSUPP;
}

int gateway_try(const struct gateway *gateway, struct err *err)
{
	cleanup_close int sock = netlink_open(NETLINK_ROUTE, err);
	struct netlink_batch batch;
	int r = sock;

	if (r >= 0) {
		netlink_batch_init(&batch);
		link_add_veth(&batch, "try0", VETH_INDEX, "try1", TRY_INDEX, 0,
		              gateway->mtu, NULL);
		r = netlink_commit(sock, &batch, err);
	}
	for (int i = 0; r == 0 && i < DIRECTIONS; i++)
		r = gateway_shape(gateway, (enum direction)i, err);
	return r;
}
