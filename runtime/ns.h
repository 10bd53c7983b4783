#ifndef NS_H
#define NS_H

#include "base/arena.h"

enum ns {
	NS_USER,
	NS_MOUNT,
	NS_PID,
	NS_NET,
	NS_IPC,
	NS_UTS,
	NS_CGROUP,
	NS_MAX,
};

#define NS_BIT(ns) (1U << (ns))

struct ns_info {
	const char *name;   /* as in /proc/PID/ns */
	unsigned long flag; /* CLONE_NEW* */
	const char *why;    /* printed by plan and inspect */
};

extern const struct ns_info ns_info[NS_MAX];

/* CLONE_NEW* flags for a set of NS_BIT()s. */
unsigned long ns_clone_flags(unsigned int set);

/* "user mnt pid", owned by @arena. */
const char *ns_names(struct arena *arena, unsigned int set);

#endif
