#ifndef ULIMIT_H
#define ULIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* What the kernel holds each process against by itself, and that nothing else here says. */
enum ulimit_kind {
	ULIMIT_AS,
	ULIMIT_CORE,
	ULIMIT_CPU,
	ULIMIT_DATA,
	ULIMIT_FSIZE,
	ULIMIT_MEMLOCK,
	ULIMIT_NICE,
	ULIMIT_NOFILE,
	ULIMIT_RTPRIO,
	ULIMIT_RTTIME,
	ULIMIT_STACK,
	ULIMIT_N
};

/* No limit, as RLIM_INFINITY. */
#define ULIMIT_UNLIMITED UINT64_MAX

/**
 * struct ulimit - What --ulimit says of one
 * @given:	whether it does
 * @soft, @hard: ULIMIT_UNLIMITED or a number; @soft is not above @hard
 */
struct ulimit {
	bool given;
	uint64_t soft, hard;
};

/**
 * struct ulimit_info - How one is named
 * @name:	as docker(1) and prlimit(1) call it
 * @resource:	of setrlimit(2)
 * @label:	its line of /proc/PID/limits begins so
 * @how:	the resource as people know it, for inspect
 * @why:	for the plan
 * @unit:	what a unit of systemd says it with
 * @bytes:	a size, not a number
 */
struct ulimit_info {
	const char *name;
	int resource;
	const char *label, *how, *why, *unit;
	bool bytes;
};

extern const struct ulimit_info ulimit_info[ULIMIT_N];

/**
 * ulimit_parse() - Read "NAME=SOFT[:HARD]"
 * @text:	numbers, "unlimited" or "-1"; sizes as size_parse() reads them; without HARD it
 *		is SOFT
 * @list:	[ULIMIT_N]; the one that is named is set on success only
 * @err:	quotes @text on failure, with the nearest name, or what holds better
 *
 * Return: 0; -EINVAL; -ERANGE.
 */
int ulimit_parse(const char *text, struct ulimit *list, struct err *err);

/* Room for any name of one, and "=". */
#define ULIMIT_NAME_MAX 16

/* Room for any ulimit_text(). */
#define ULIMIT_TEXT_MAX 48

/* "1024:4096", "0:unlimited": what ulimit_parse() reads behind a name. Return: @ret. */
const char *ulimit_text(const struct ulimit *ulimit, char ret[ULIMIT_TEXT_MAX]);

/* No more than @most: a limit that is tighter than what was asked for holds as well. */
struct ulimit ulimit_within(struct ulimit ulimit, uint64_t most);

/* Our own hard limit. */
uint64_t ulimit_own(enum ulimit_kind kind);

/* Set one of our own. Return: 0; -EPERM above our hard limit; else -errno. */
int ulimit_set(enum ulimit_kind kind, const struct ulimit *ulimit, struct err *err);

/**
 * ulimit_set_all() - Set those that are given, as far as we may
 * @list:	[ULIMIT_N]; where our own hard limit is lower that one counts
 * @err:	names the limit on failure
 *
 * Return: 0 or -errno.
 */
int ulimit_set_all(const struct ulimit *list, struct err *err);

/* The kind of a name, ULIMIT_N for an unknown one. */
enum ulimit_kind ulimit_find(const char *name, size_t len);

#endif
