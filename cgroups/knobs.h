#ifndef CGROUPS_KNOBS_H
#define CGROUPS_KNOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

/* The limits a group can hold, in the order in which they are shown and written. */
enum knob {
	KNOB_CPUS,
	KNOB_CPU_WEIGHT,
	KNOB_CPUSET,
	KNOB_MEMORY,
	KNOB_MEMORY_HIGH,
	KNOB_SWAP,
	KNOB_PIDS,
	KNOB_IO,
	KNOB_HUGETLB,
	KNOB_MAX_DESCENDANTS,
	KNOB_MAX_DEPTH,
	KNOB_N,
};

/* How the value of an option is read, and how the kernel shows it again. */
enum knob_kind {
	KNOB_COUNT,       /* a number */
	KNOB_SIZE,        /* bytes; the kernel rounds down to pages */
	KNOB_CPU_TIME,    /* "1.5" CPUs, kept as "QUOTA PERIOD" in microseconds */
	KNOB_CPU_LIST,    /* "0-3,7" */
	KNOB_DEVICE_RATE, /* "DEV:rbps=SIZE,wiops=N" */
	KNOB_PAGE_SIZE,   /* "PAGE:SIZE" */
};

/**
 * struct knob_info - What there is to know of a limit
 * @name:	its option without the dashes, and its name everywhere else
 * @arg:	what its value is called in --help
 * @help:	one line, no full stop
 * @controller:	the controller that has to be enabled, NULL where each group has the
 *		file
 * @file:	of cgroup v2; "%s" in it is a part of the value (the size of a page)
 * @kind:	how its value is read
 * @min, @max:	what is taken, in @unit
 * @unit:	"bytes", "CPUs", ... for messages
 * @many:	each occurrence of the option counts, not the last one only
 * @usual:	what is written where the option is not given, NULL for nothing
 * @controller_v1, @file_v1: the same on cgroup v1, NULL where v1 has no such limit; what
 *		is written there is knob_v1()'s answer. "%s" in it is a part of the key
 */
struct knob_info {
	const char *name, *arg, *help;
	const char *controller, *file;
	enum knob_kind kind;
	uint64_t min, max;
	const char *unit;
	bool many;
	const char *usual;
	const char *controller_v1, *file_v1;
};

extern const struct knob_info knob_info[KNOB_N];

/**
 * struct limit - A limit as it was asked for
 * @knob:	which
 * @text:	the value of the option, as given
 * @file:	of the group, where it is written
 * @value:	what is written there; for KNOB_DEVICE_RATE without the device
 * @device:	of KNOB_DEVICE_RATE: "MAJ:MIN" or a path; else NULL
 * @number:	the value as a number: of KNOB_COUNT, and the bytes of KNOB_SIZE
 */
struct limit {
	enum knob knob;
	const char *text, *file, *value, *device;
	uint64_t number;
};

/**
 * knob_parse() - Read the value of a limit
 * @knob:	which
 * @text:	the option's value
 * @arena:	owns the strings of @ret
 * @ret:	filled in on success only; @ret->text is @text itself
 * @err:	quotes @text, and tells the range with its unit
 *
 * Pure. Sizes are docker's: digits with b, k, m, g or t, powers of 1024.
 *
 * Return: 0; -EINVAL for what is no such value; -ERANGE; -ENOMEM.
 */
int knob_parse(enum knob knob, const char *text, struct arena *arena, struct limit *ret,
               struct err *err);

/* Whether every CPU of the list @inner, "0-3,7", is in @outer; both were checked. */
bool knob_cpus_within(const char *inner, const char *outer);

/* The knob of an option's name of @len bytes, KNOB_N where there is none. */
enum knob knob_find(const char *name, size_t len);

/**
 * knob_holds() - Whether the kernel shows what was written
 * @knob:	which
 * @wanted:	what was written
 * @shown:	what the file says afterwards
 *
 * The kernel rounds sizes down to whole pages, and shows all keys of all devices where
 * one was written (cgroup-v2.rst, "io.max").
 */
bool knob_holds(enum knob knob, const char *wanted, const char *shown);

#endif
