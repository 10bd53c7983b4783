#include "netns/try.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/fd.h"
#include "netns/gateway.h"
#include "netns/loopback.h"
#include "netns/pasta.h"
#include "netns/relay.h"

/* The kernel answers in sendmsg(2) or shortly after it; a lost answer is no reason to hang. */
#define ANSWER_SECONDS 2

struct message {
	_Alignas(NLMSG_ALIGNTO) unsigned char data[512];
	size_t n;
};

/* Appends, padded to NLMSG_ALIGNTO, and returns where it begins. */
static void *append(struct message *m, const void *data, size_t size)
{
	void *at = m->data + m->n;

	memcpy(at, data, size);
	m->n += NLMSG_ALIGN(size);
	return at;
}

/* Begins a message whose length is_set by end(). */
static struct nlmsghdr *begin(struct message *m, unsigned short type,
                              unsigned short flags, const void *body, size_t size)
{
	const struct nlmsghdr head = { .nlmsg_type = type, .nlmsg_flags = flags };
	struct nlmsghdr *at = append(m, &head, sizeof(head));

	(void)append(m, body, size);
	return at;
}

static void end(struct message *m, struct nlmsghdr *head)
{
	head->nlmsg_len = (uint32_t)(m->data + m->n - (unsigned char *)head);
}

static struct nlattr *attribute(struct message *m, unsigned short type, const char *text)
{
	const struct nlattr head = { .nla_type = type, .nla_len = NLA_HDRLEN };
	struct nlattr *at = append(m, &head, sizeof(head));

	if (text) {
		at->nla_len = (unsigned short)(NLA_HDRLEN + strlen(text) + 1);
		(void)append(m, text, strlen(text) + 1);
	}
	return at;
}

static void attribute_end(struct message *m, struct nlattr *at)
{
	at->nla_len = (unsigned short)(m->data + m->n - (unsigned char *)at);
}

/* Sends @m and waits for the one acknowledgement that it asks for. */
static int transact(int family, const struct message *m, const char *what,
                    struct err *err)
{
	cleanup_close int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, family);
	const struct timeval patience = { .tv_sec = ANSWER_SECONDS };
	_Alignas(NLMSG_ALIGNTO) unsigned char answer[1024];
	const struct nlmsghdr *head = (const struct nlmsghdr *)answer;
	const struct nlmsgerr *told = (const struct nlmsgerr *)(answer + NLMSG_HDRLEN);
	ssize_t n;

	if (sock < 0)
		return err_set(err, errno, "%s: open a netlink socket", what);
	(void)setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (send(sock, m->data, m->n, 0) < 0)
		return err_set(err, errno, "%s", what);
	n = recv(sock, answer, sizeof(answer), 0);
	if (n < 0)
		return err_set(err, errno, "%s: wait for the answer", what);
	if ((size_t)n < NLMSG_HDRLEN + sizeof(told->error) ||
	    head->nlmsg_type != NLMSG_ERROR)
		return err_set(err, EPROTO, "%s", what);
	return told->error ? err_set(err, -told->error, "%s", what) : 0;
}

int netns_try_veth(struct err *err)
{
	const struct ifinfomsg nothing = { 0 };
	struct message m = { 0 };
	struct nlattr *info, *data, *peer;
	struct nlmsghdr *head = begin(
		&m, RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
		&nothing, sizeof(nothing));

	(void)attribute(&m, IFLA_IFNAME, "berth0");
	info = attribute(&m, IFLA_LINKINFO, NULL);
	(void)attribute(&m, IFLA_INFO_KIND, "veth");
	data = attribute(&m, IFLA_INFO_DATA, NULL);
	peer = attribute(&m, VETH_INFO_PEER, NULL);
	(void)append(&m, &nothing, sizeof(nothing));
	(void)attribute(&m, IFLA_IFNAME, "berth1");
	attribute_end(&m, peer);
	attribute_end(&m, data);
	attribute_end(&m, info);
	end(&m, head);
	return transact(NETLINK_ROUTE, &m, "make a veth pair", err);
}

int netns_try_nftables(struct err *err)
{
	const unsigned short new_table = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE;
	const struct nfgenmsg batch = { .nfgen_family = AF_UNSPEC,
		                        .res_id = htons(NFNL_SUBSYS_NFTABLES) };
	const struct nfgenmsg table = { .nfgen_family = NFPROTO_INET };
	struct message m = { 0 };
	struct nlmsghdr *head;

	head = begin(&m, NFNL_MSG_BATCH_BEGIN, NLM_F_REQUEST, &batch, sizeof(batch));
	end(&m, head);
	head = begin(&m, new_table, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE, &table,
	             sizeof(table));
	(void)attribute(&m, NFTA_TABLE_NAME, "berth");
	end(&m, head);
	head = begin(&m, NFNL_MSG_BATCH_END, NLM_F_REQUEST, &batch, sizeof(batch));
	end(&m, head);
	return transact(NETLINK_NETFILTER, &m, "make an nftables table", err);
}

int netns_try_relay(struct err *err)
{
	struct relay_config config = {
		.ifname = GATEWAY_IFNAME,
		.mtu = GATEWAY_MTU_SLOW,
		.connections = 1,
		.held = 1,
		.flows = 1,
	};
	int socket[RELAY_SOCKETS];
	int r;

	if (!plan_addresses(NULL, 0, false, config.gateway, config.workspace))
		return err_set(err, EADDRNOTAVAIL, "choose addresses");
	r = relay_install(&config, err);
	if (r == 0)
		r = relay_open(&config, socket, err);
	for (int i = 0; r == 0 && i < RELAY_SOCKETS; i++)
		drop_fd(&socket[i]);
	return r;
}

int netns_try_forwarding(struct err *err)
{
	struct relay_config config = { .ifname = GATEWAY_IFNAME,
		                       .egress = { .per_minute = 1 } };
	struct pasta pasta = { .tap = { { 0 } } };
	bool log;
	int r = loopback_up(err);

	if (r < 0)
		return r;
	if (!plan_addresses(NULL, 0, false, config.gateway, config.workspace) ||
	    !plan_addresses(config.gateway, 1, false, pasta.far, pasta.tap))
		return err_set(err, EADDRNOTAVAIL, "choose addresses");
	return pasta_install(&config, &pasta, &log, err);
}

int netns_try_shaping(bool *ret_paced, struct err *err)
{
	struct gateway gateway = { .mtu = GATEWAY_MTU_SLOW,
		                   .rate = { GATEWAY_SLOW_BYTES, GATEWAY_SLOW_BYTES },
		                   .paced = true };
	int r = gateway_try(&gateway, err);

	if (r < 0)
		return r;
	gateway.paced = false;
	r = gateway_shape(&gateway, UPLOAD, err);
	*ret_paced = gateway_lacks_divert(r);
	if (!*ret_paced)
		return r;
	err_clear(err);
	return 0;
}
