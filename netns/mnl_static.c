/*
 * What libnftnl and this folder call of libmnl, for a berth that is linked statically
 * where the distribution has libmnl as a shared library only (Debian). See
 * docs/decisions.md. A berth with shared libraries, and the tests, have the real one.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <stdlib.h>
#include <string.h>

struct nlmsghdr *mnl_nlmsg_put_header(void *buf)
{
	struct nlmsghdr *message = buf;

	*message = (struct nlmsghdr){ .nlmsg_len = MNL_NLMSG_HDRLEN };
	return message;
}

void *mnl_nlmsg_put_extra_header(struct nlmsghdr *nlh, size_t size)
{
	void *at = (char *)nlh + nlh->nlmsg_len;

	nlh->nlmsg_len += MNL_ALIGN(size);
	return memset(at, 0, MNL_ALIGN(size));
}

void *mnl_nlmsg_get_payload(const struct nlmsghdr *nlh)
{
	return (char *)nlh + MNL_NLMSG_HDRLEN;
}

void *mnl_nlmsg_get_payload_offset(const struct nlmsghdr *nlh, size_t offset)
{
	return (char *)nlh + MNL_NLMSG_HDRLEN + MNL_ALIGN(offset);
}

size_t mnl_nlmsg_get_payload_len(const struct nlmsghdr *nlh)
{
	return nlh->nlmsg_len - MNL_NLMSG_HDRLEN;
}

void *mnl_nlmsg_get_payload_tail(const struct nlmsghdr *nlh)
{
	return (char *)nlh + MNL_ALIGN(nlh->nlmsg_len);
}

bool mnl_nlmsg_ok(const struct nlmsghdr *nlh, int len)
{
	return len >= (int)sizeof(*nlh) && nlh->nlmsg_len >= sizeof(*nlh) &&
	       (int)nlh->nlmsg_len <= len;
}

struct nlmsghdr *mnl_nlmsg_next(const struct nlmsghdr *nlh, int *len)
{
	*len -= (int)MNL_ALIGN(nlh->nlmsg_len);
	return (struct nlmsghdr *)((char *)nlh + MNL_ALIGN(nlh->nlmsg_len));
}

uint16_t mnl_attr_get_type(const struct nlattr *attr)
{
	return attr->nla_type & NLA_TYPE_MASK;
}

uint16_t mnl_attr_get_len(const struct nlattr *attr)
{
	return attr->nla_len;
}

uint16_t mnl_attr_get_payload_len(const struct nlattr *attr)
{
	return (uint16_t)(attr->nla_len - MNL_ATTR_HDRLEN);
}

void *mnl_attr_get_payload(const struct nlattr *attr)
{
	return (char *)attr + MNL_ATTR_HDRLEN;
}

bool mnl_attr_ok(const struct nlattr *attr, int len)
{
	return len >= (int)sizeof(*attr) && attr->nla_len >= sizeof(*attr) &&
	       (int)attr->nla_len <= len;
}

struct nlattr *mnl_attr_next(const struct nlattr *attr)
{
	return (struct nlattr *)((char *)attr + MNL_ALIGN(attr->nla_len));
}

int mnl_attr_type_valid(const struct nlattr *attr, uint16_t maxtype)
{
	if (mnl_attr_get_type(attr) <= maxtype)
		return 1;
	errno = EOPNOTSUPP;
	return -1;
}

int mnl_attr_validate(const struct nlattr *attr, enum mnl_attr_data_type type)
{
	static const unsigned char exact[MNL_TYPE_MAX] = {
		[MNL_TYPE_U8] = 1,  [MNL_TYPE_U16] = 2,   [MNL_TYPE_U32] = 4,
		[MNL_TYPE_U64] = 8, [MNL_TYPE_MSECS] = 8,
	};
	const size_t len = mnl_attr_get_payload_len(attr);
	const char *data = mnl_attr_get_payload(attr);
	bool good = true;

	if (type < MNL_TYPE_MAX && exact[type])
		good = len == exact[type];
	else if (type == MNL_TYPE_FLAG)
		good = len == 0;
	else if (type == MNL_TYPE_STRING)
		good = len > 0;
	else if (type == MNL_TYPE_NUL_STRING)
		good = len > 0 && data[len - 1] == '\0';
	else if (type == MNL_TYPE_NESTED)
		good = len == 0 || len >= MNL_ATTR_HDRLEN;
	if (good)
		return 0;
	errno = ERANGE;
	return -1;
}

uint8_t mnl_attr_get_u8(const struct nlattr *attr)
{
	return *(const uint8_t *)mnl_attr_get_payload(attr);
}

uint16_t mnl_attr_get_u16(const struct nlattr *attr)
{
	return *(const uint16_t *)mnl_attr_get_payload(attr);
}

uint32_t mnl_attr_get_u32(const struct nlattr *attr)
{
	return *(const uint32_t *)mnl_attr_get_payload(attr);
}

uint64_t mnl_attr_get_u64(const struct nlattr *attr)
{
	uint64_t value; /* attributes are aligned to 4 */

	memcpy(&value, mnl_attr_get_payload(attr), sizeof(value));
	return value;
}

const char *mnl_attr_get_str(const struct nlattr *attr)
{
	return mnl_attr_get_payload(attr);
}

static int parse(const struct nlattr *attr, const char *end, mnl_attr_cb_t cb, void *data)
{
	int r = MNL_CB_OK;

	for (; mnl_attr_ok(attr, (int)(end - (const char *)attr));
	     attr = mnl_attr_next(attr)) {
		r = cb(attr, data);
		if (r <= MNL_CB_STOP)
			return r;
	}
	return r;
}

int mnl_attr_parse(const struct nlmsghdr *nlh, unsigned int offset, mnl_attr_cb_t cb,
                   void *data)
{
	return parse(mnl_nlmsg_get_payload_offset(nlh, offset),
	             mnl_nlmsg_get_payload_tail(nlh), cb, data);
}

int mnl_attr_parse_nested(const struct nlattr *attr, mnl_attr_cb_t cb, void *data)
{
	const char *payload = mnl_attr_get_payload(attr);

	return parse((const struct nlattr *)payload,
	             payload + mnl_attr_get_payload_len(attr), cb, data);
}

void mnl_attr_put(struct nlmsghdr *nlh, uint16_t type, size_t len, const void *data)
{
	struct nlattr *attr = mnl_nlmsg_get_payload_tail(nlh);
	const size_t padded = MNL_ALIGN(len);

	attr->nla_type = type;
	attr->nla_len = (uint16_t)(MNL_ATTR_HDRLEN + len);
	if (len > 0)
		memcpy(mnl_attr_get_payload(attr), data, len);
	memset((char *)mnl_attr_get_payload(attr) + len, 0, padded - len);
	nlh->nlmsg_len += (uint32_t)(MNL_ATTR_HDRLEN + padded);
}

void mnl_attr_put_u8(struct nlmsghdr *nlh, uint16_t type, uint8_t data)
{
	mnl_attr_put(nlh, type, sizeof(data), &data);
}

void mnl_attr_put_u16(struct nlmsghdr *nlh, uint16_t type, uint16_t data)
{
	mnl_attr_put(nlh, type, sizeof(data), &data);
}

void mnl_attr_put_u32(struct nlmsghdr *nlh, uint16_t type, uint32_t data)
{
	mnl_attr_put(nlh, type, sizeof(data), &data);
}

void mnl_attr_put_u64(struct nlmsghdr *nlh, uint16_t type, uint64_t data)
{
	mnl_attr_put(nlh, type, sizeof(data), &data);
}

void mnl_attr_put_str(struct nlmsghdr *nlh, uint16_t type, const char *data)
{
	mnl_attr_put(nlh, type, strlen(data), data);
}

void mnl_attr_put_strz(struct nlmsghdr *nlh, uint16_t type, const char *data)
{
	mnl_attr_put(nlh, type, strlen(data) + 1, data);
}

struct nlattr *mnl_attr_nest_start(struct nlmsghdr *nlh, uint16_t type)
{
	struct nlattr *attr = mnl_nlmsg_get_payload_tail(nlh);

	attr->nla_type = NLA_F_NESTED | type;
	nlh->nlmsg_len += MNL_ATTR_HDRLEN;
	return attr;
}

void mnl_attr_nest_end(struct nlmsghdr *nlh, struct nlattr *start)
{
	start->nla_len =
		(uint16_t)((char *)mnl_nlmsg_get_payload_tail(nlh) - (char *)start);
}

/*
 * These only nftnl_batch_is_supported() calls, which nobody does; it lies in an object of
 * libnftnl that has others in it.
 */
struct mnl_socket *mnl_socket_open(int bus)
{
	(void)bus;
	abort();
}

int mnl_socket_bind(struct mnl_socket *nl, unsigned int groups, pid_t pid)
{
	(void)nl, (void)groups, (void)pid;
	abort();
}

int mnl_socket_close(struct mnl_socket *nl)
{
	(void)nl;
	abort();
}

unsigned int mnl_socket_get_portid(const struct mnl_socket *nl)
{
	(void)nl;
	abort();
}

ssize_t mnl_socket_sendto(const struct mnl_socket *nl, const void *req, size_t size)
{
	(void)nl, (void)req, (void)size;
	abort();
}

ssize_t mnl_socket_recvfrom(const struct mnl_socket *nl, void *buf, size_t size)
{
	(void)nl, (void)buf, (void)size;
	abort();
}

struct mnl_nlmsg_batch *mnl_nlmsg_batch_start(void *buf, size_t bufsiz)
{
	(void)buf, (void)bufsiz;
	abort();
}

bool mnl_nlmsg_batch_next(struct mnl_nlmsg_batch *b)
{
	(void)b;
	abort();
}

void mnl_nlmsg_batch_stop(struct mnl_nlmsg_batch *b)
{
	(void)b;
	abort();
}

size_t mnl_nlmsg_batch_size(struct mnl_nlmsg_batch *b)
{
	(void)b;
	abort();
}

void *mnl_nlmsg_batch_head(struct mnl_nlmsg_batch *b)
{
	(void)b;
	abort();
}

void *mnl_nlmsg_batch_current(struct mnl_nlmsg_batch *b)
{
	(void)b;
	abort();
}

bool mnl_nlmsg_batch_is_empty(struct mnl_nlmsg_batch *b)
{
	(void)b;
	abort();
}

int mnl_cb_run(const void *buf, size_t numbytes, unsigned int seq, unsigned int portid,
               mnl_cb_t cb_data, void *data)
{
	(void)buf, (void)numbytes, (void)seq, (void)portid, (void)cb_data, (void)data;
	abort();
}
