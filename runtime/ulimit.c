#include "ulimit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/nearest.h"
#include "base/number.h"

#define EACH "of each process by itself"

/* clang-format off */
const struct ulimit_info ulimit_info[ULIMIT_N] = {
	[ULIMIT_AS]      = { "as", RLIMIT_AS, "Max address space", "RLIMIT_AS", "address space, " EACH, "LimitAS=", .bytes = true },
	[ULIMIT_CORE]    = { "core", RLIMIT_CORE, "Max core file size", "RLIMIT_CORE", "what is left of a crash, " EACH, "LimitCORE=", .bytes = true },
	[ULIMIT_CPU]     = { "cpu", RLIMIT_CPU, "Max cpu time", "RLIMIT_CPU", "seconds of a processor, " EACH, "LimitCPU=" },
	[ULIMIT_DATA]    = { "data", RLIMIT_DATA, "Max data size", "RLIMIT_DATA", "private memory, " EACH, "LimitDATA=", .bytes = true },
	[ULIMIT_FSIZE]   = { "fsize", RLIMIT_FSIZE, "Max file size", "RLIMIT_FSIZE", "the largest file it may write, " EACH, "LimitFSIZE=", .bytes = true },
	[ULIMIT_MEMLOCK] = { "memlock", RLIMIT_MEMLOCK, "Max locked memory", "RLIMIT_MEMLOCK", "memory that is locked, " EACH, "LimitMEMLOCK=", .bytes = true },
	[ULIMIT_NICE]    = { "nice", RLIMIT_NICE, "Max nice priority", "RLIMIT_NICE", "20 less the nice value it may take, " EACH, "LimitNICE=" },
	[ULIMIT_NOFILE]  = { "nofile", RLIMIT_NOFILE, "Max open files", "RLIMIT_NOFILE", "open files, " EACH, "LimitNOFILE=" },
	[ULIMIT_RTPRIO]  = { "rtprio", RLIMIT_RTPRIO, "Max realtime priority", "RLIMIT_RTPRIO", "the real-time priority it may take, " EACH, "LimitRTPRIO=" },
	[ULIMIT_RTTIME]  = { "rttime", RLIMIT_RTTIME, "Max realtime timeout", "RLIMIT_RTTIME", "microseconds of real-time work without a pause, " EACH, "LimitRTTIME=" },
	[ULIMIT_STACK]   = { "stack", RLIMIT_STACK, "Max stack size", "RLIMIT_STACK", "stack, " EACH, "LimitSTACK=", .bytes = true },
};

/* Names of docker's that are refused, and what does what they seem to do. */
static const struct {
	const char *name, *why, *instead;
} elsewhere[] = {
	{ "nproc", "counts for each user inside, not for the workspace", "--pids holds all of it together" },
	{ "sigpending", "counts for each user inside, not for the workspace", "--pending-signals holds all of it together" },
	{ "msgqueue", "counts for each user inside, not for the workspace", "--message-queues holds all of it together" },
	{ "rss", "is held by no Linux since 2.4.30", "--memory holds all of the workspace together" },
	{ "locks", "is held by no Linux since 2.4.25", "leave it out" },
};
/* clang-format on */

enum ulimit_kind ulimit_find(const char *name, size_t len)
{
	enum ulimit_kind kind = 0;

	while (kind < ULIMIT_N && (strlen(ulimit_info[kind].name) != len ||
	                           strncmp(ulimit_info[kind].name, name, len) != 0))
		kind++;
	return kind;
}

static int unknown(const char *name, struct err *err)
{
	struct nearest near;

	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++)
		if (!strcmp(elsewhere[i].name, name)) {
			(void)err_set(err, EINVAL, "the limit '%s' %s", name,
			              elsewhere[i].why);
			return err_hint(err, "%s", elsewhere[i].instead);
		}
	nearest_begin(&near, name);
	for (size_t i = 0; i < ULIMIT_N; i++)
		nearest_try(&near, ulimit_info[i].name);
	(void)err_set(err, EINVAL, "'%s' is no limit%s%s%s", name,
	              near.ret ? ", did you mean '" : "", near.ret ? near.ret : "",
	              near.ret ? "'?" : "");
	return err_hint(err, "as docker names them: nofile, core, memlock, stack, fsize, "
	                     "cpu, data, as, nice, rtprio, rttime");
}

static int read_one(const struct ulimit_info *info, const char *text, uint64_t *ret,
                    struct err *err)
{
	if (!strcmp(text, "unlimited") || !strcmp(text, "-1")) {
		*ret = ULIMIT_UNLIMITED;
		return 0;
	}
	/* Above, the kernel's own numbers of 64 bits with a sign end. */
	return info->bytes ? size_parse(text, 0, INT64_MAX, ret, err)
	                   : number_parse(text, 0, INT64_MAX, ret, err);
}

int ulimit_parse(const char *text, struct ulimit *list, struct err *err)
{
	const size_t len = strcspn(text, "=");
	struct ulimit ulimit = { .given = true };
	const char *soft, *hard;
	char part[2][32];
	size_t n;
	int r;

	if (text[len] != '=' || len == 0 || len >= sizeof(part[0]))
		return err_set(err, EINVAL, "'%s' is not NAME=SOFT[:HARD]", text);
	(void)snprintf(part[0], sizeof(part[0]), "%.*s", (int)len, text);
	const enum ulimit_kind kind = ulimit_find(part[0], len);

	if (kind == ULIMIT_N)
		return unknown(part[0], err);
	soft = text + len + 1;
	n = strcspn(soft, ":");
	hard = soft[n] ? soft + n + 1 : soft;
	if (n >= sizeof(part[0]) || strlen(hard) >= sizeof(part[1]))
		return err_set(err, EINVAL, "'%s' is not NAME=SOFT[:HARD]", text);
	(void)snprintf(part[0], sizeof(part[0]), "%.*s", (int)n, soft);
	(void)snprintf(part[1], sizeof(part[1]), "%s", hard);
	r = read_one(&ulimit_info[kind], part[0], &ulimit.soft, err);
	if (r == 0)
		r = read_one(&ulimit_info[kind], part[1], &ulimit.hard, err);
	if (r < 0)
		return err_wrap(err, "'%s'", text);
	if (ulimit.soft > ulimit.hard)
		return err_set(err, EINVAL, "'%s': the soft limit is above the hard one",
		               text);
	list[kind] = ulimit;
	return 0;
}

static void put(uint64_t value, char *ret, size_t size)
{
	if (value == ULIMIT_UNLIMITED)
		(void)snprintf(ret, size, "unlimited");
	else
		(void)snprintf(ret, size, "%" PRIu64, value);
}

const char *ulimit_text(const struct ulimit *ulimit, char ret[ULIMIT_TEXT_MAX])
{
	size_t n;

	put(ulimit->soft, ret, ULIMIT_TEXT_MAX);
	n = strlen(ret);
	ret[n++] = ':';
	put(ulimit->hard, ret + n, ULIMIT_TEXT_MAX - n);
	return ret;
}

struct ulimit ulimit_within(struct ulimit ulimit, uint64_t most)
{
	ulimit.soft = ulimit.soft < most ? ulimit.soft : most;
	ulimit.hard = ulimit.hard < most ? ulimit.hard : most;
	return ulimit;
}

uint64_t ulimit_own(enum ulimit_kind kind)
{
	struct rlimit own;

	return getrlimit((__rlimit_resource_t)ulimit_info[kind].resource, &own) == 0 &&
	                       own.rlim_max != RLIM_INFINITY
	               ? own.rlim_max
	               : ULIMIT_UNLIMITED;
}

static rlim_t rlim(uint64_t value)
{
	return value == ULIMIT_UNLIMITED ? RLIM_INFINITY : (rlim_t)value;
}

int ulimit_set(enum ulimit_kind kind, const struct ulimit *ulimit, struct err *err)
{
	const struct rlimit both = { rlim(ulimit->soft), rlim(ulimit->hard) };
	char text[ULIMIT_TEXT_MAX];

	if (setrlimit((__rlimit_resource_t)ulimit_info[kind].resource, &both) < 0)
		return err_set(err, errno, "set the limit '%s' to %s",
		               ulimit_info[kind].name, ulimit_text(ulimit, text));
	return 0;
}

int ulimit_set_all(const struct ulimit *list, struct err *err)
{
	int r = 0;

	for (enum ulimit_kind i = 0; i < ULIMIT_N && r == 0; i++) {
		const struct ulimit mine = ulimit_within(list[i], ulimit_own(i));

		if (list[i].given)
			r = ulimit_set(i, &mine, err);
	}
	return r;
}
