#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/nsfs.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "netns/lookout.h"
#include "netns/netlink.h"
#include "ns.h"
#include "verify.h"

static bool same_file(int a, int b)
{
	struct stat one, other;

	return a >= 0 && b >= 0 && fstat(a, &one) == 0 && fstat(b, &other) == 0 &&
	       one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

int verify_gateway(struct verify *verify, const struct packed_step *step, struct err *err)
{
	static const char wanted[] = "of the level above the workspace";
	cleanup_close int gateway = -EBADF, owner = -EBADF;
	const char *real = wanted;

	(void)err;
	if (!verify->has_gateway) {
		verify_absent(verify, step, "net", wanted, "not there");
		return 0;
	}
	gateway = ioctl(verify->fd[CONTROL_ROUTES], SIOCGSKNS);
	owner = gateway >= 0 ? ioctl(gateway, NS_GET_USERNS) : -1;
	if (!same_file(owner, verify->outer))
		real = "of another user namespace";
	if (same_file(gateway, verify->fd[CONTROL_NS + NS_NET]))
		real = "the workspace's own";
	verify_same(verify, step, "net", wanted, real);
	return 0;
}

/* "queue 'tbf' at 12500000 bytes/s and 2 more" */
static const char *and_more(struct arena *arena, const char *first, size_t n,
                            const char *nothing)
{
	if (!first)
		return nothing;
	return n > 1 ? arena_printf(arena, "%s and %zu more", first, n - 1) : first;
}

/* A part of the gateway beside the same of the one that was made of the plan. */
static void compare(struct verify *verify, const struct packed_step *step,
                    enum portrait_part part, const char *what)
{
	struct arena *arena = verify->arena;
	const char *missing, *added, *all;
	size_t missing_n, added_n, all_n;

	if (!verify->has_gateway) {
		verify_absent(verify, step, what, "there", "not there");
		return;
	}
	missing = portrait_missing(&verify->posed, &verify->real, part, &missing_n);
	added = portrait_missing(&verify->real, &verify->posed, part, &added_n);
	all = portrait_first(&verify->real, part, &all_n);
	if (!missing && !added) {
		all = and_more(arena, all, all_n, "nothing");
		verify_add(verify, step, VERIFY_HOLDS, what, all, all);
		return;
	}
	verify_add(verify, step, VERIFY_DIFFERS, what,
	           and_more(arena, missing, missing_n, "as planned, and nothing else"),
	           and_more(arena, added, added_n, "not there"));
}

static bool shaped(const struct verify *verify, enum direction direction)
{
	return verify->plan.gateway.rate[direction] != 0;
}

int verify_veth(struct verify *verify, const struct packed_step *step, struct err *err)
{
	static const enum portrait_part parts[DIRECTIONS] = {
		[DOWNLOAD] = PORTRAIT_DOWNLOAD,
		[UPLOAD] = PORTRAIT_UPLOAD,
	};
	static const char *const names[DIRECTIONS] = {
		[DOWNLOAD] = "download", [UPLOAD] = "upload"
	};
	bool planned[DIRECTIONS] = { false, false };

	(void)err;
	compare(verify, step, PORTRAIT_LINK, "interfaces and addresses");
	for (size_t i = 0; i < verify->plan.n; i++)
		if (verify->plan.step[i].step.kind == STEP_SHAPE)
			planned[verify->plan.step[i].step.number % DIRECTIONS] = true;
	/* Without a rate, or with one that came later, by "berth update". */
	for (int i = 0; i < DIRECTIONS; i++)
		if (!planned[i])
			compare(verify, step, parts[i],
			        arena_printf(verify->arena, "%s, %s", names[i],
			                     shaped(verify, (enum direction)i)
			                             ? "by berth update"
			                             : "without a rate"));
	return 0;
}

int verify_shape(struct verify *verify, const struct packed_step *step, struct err *err)
{
	(void)err;
	compare(verify, step,
	        step->step.number == UPLOAD ? PORTRAIT_UPLOAD : PORTRAIT_DOWNLOAD,
	        step->step.target);
	return 0;
}

int verify_uplink(struct verify *verify, const struct packed_step *step, struct err *err)
{
	(void)err;
	compare(verify, step, PORTRAIT_RULES, "routes and rules");
	return 0;
}

/**
 * struct wanted - Ports that are to be open
 * @publish:	their range
 * @address:	where
 * @open:	of each: somebody listens there
 */
struct wanted {
	struct publish publish;
	struct in6_addr address;
	bool open[PUBLISH_MAX];
};

static const struct in6_addr any4 = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

static void note(void *ctx, const struct listener *listener)
{
	struct wanted *wanted = ctx;
	const struct publish *publish = &wanted->publish;
	const unsigned int i = (unsigned int)listener->port - publish->out;

	if (i < publish->n && listener->udp == publish->udp &&
	    (!memcmp(&listener->address, &wanted->address, sizeof(any4)) ||
	     (!publish->address.family &&
	      !memcmp(&listener->address, &any4, sizeof(any4)))))
		wanted->open[i] = true;
}

int verify_publish(struct verify *verify, const struct packed_step *step, struct err *err)
{
	cleanup_close int sock = netlink_open(NETLINK_SOCK_DIAG, err);
	struct wanted wanted = { .address = in6addr_any };
	const struct publish *publish = &wanted.publish;
	const unsigned char *byte = publish->address.byte;
	unsigned int open = 0;
	int r = sock < 0 ? sock : publish_parse(step->step.target, &wanted.publish, err);

	if (r == 0 && publish->automatic) {
		verify_add(verify, step, VERIFY_HOLDS, step->step.target,
		           "what listens inside",
		           arena_printf(verify->arena, "%zu open now",
		                        verify->record->ports_n));
		return 0;
	}
	if (r == 0 && publish->address.family == AF_INET6)
		memcpy(&wanted.address, byte, sizeof(wanted.address));
	if (r == 0 && publish->address.family == AF_INET) {
		wanted.address = any4;
		memcpy(&wanted.address.s6_addr[12], byte, 4);
	}
	if (r == 0)
		r = lookout_listeners(sock, note, &wanted, err);
	if (r < 0)
		return r;
	for (unsigned int i = 0; i < publish->n; i++)
		open += wanted.open[i];
	verify_same(verify, step, step->step.target,
	            arena_printf(verify->arena, "%u listening in the pod", publish->n),
	            arena_printf(verify->arena, "%u listening in the pod", open));
	return 0;
}
