#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "budget.h"
#include "cgroups/knobs.h"
#include "netns/publish.h"

/* A limit the user did not give. */
#define LIMIT_UNSET UINT64_MAX

enum init_mode {
	INIT_AUTO,
	INIT_SYSTEMD, /* the image's own init as PID 1 */
	INIT_BERTH,   /* our small PID 1 above one command */
	INIT_NONE,    /* the command itself is PID 1 */
	INIT_MODE_MAX,
};

enum net_mode {
	NET_NONE,  /* loopback only */
	NET_HOST,  /* the pod's network */
	NET_RELAY, /* one of its own, and our relay to the pod's */
	NET_AUTO,  /* the best of them that works here */
	NET_MODE_MAX,
};

extern const char *const init_mode_name[INIT_MODE_MAX];
extern const char *const net_mode_name[NET_MODE_MAX];

/**
 * struct volume - One -v
 * @source:	absolute path in the pod, without "." or ".."
 * @target:	absolute path in the workspace, without "." or ".."
 * @read_only:	":ro"
 */
struct volume {
	const char *source, *target;
	bool read_only;
};

/**
 * struct origin - Where a value came from, for plan
 * @key:	of the policy, "limits.memory"
 * @value:	as it was given
 * @where:	"FILE:LINE", "profile NAME", "--memory"
 */
struct origin {
	const char *key, *value, *where;
};

/**
 * struct config - What is wanted: the options of run, checked
 * @name:		of the workspace; [a-zA-Z0-9][a-zA-Z0-9_.-]*, never NULL
 * @rootfs:		"host", or an absolute directory
 * @overlay:		":O" behind the directory: changes go to an upper layer
 * @init:		as asked; plan_build() resolves INIT_AUTO
 * @net:			as asked; plan_build() resolves NET_AUTO
 * @rate_down, @rate_up: "100mbit", checked; NULL: as fast as it goes
 * @publish:		ports of the pod that lead inside; no two overlap
 * @publish_allow, @publish_deny: what -p auto may open, "8000-8999,53/udp"; NULL: all of
 *			TCP, nothing
 * @egress:		"deny:10.0.0.0/8", checked, in the order that counts
 * @egress_default:	"allow" or "deny"; NULL: allow
 * @connections_per_minute: LIMIT_UNSET or a number
 * @user:		"NAME|UID[:GROUP|GID]" looked up inside, NULL for root
 * @workdir:		absolute, NULL for "/"
 * @hostname:		never NULL
 * @state:		directory for upper layers, absolute; NULL: a tmpfs
 * @env:		"K=V" each
 * @command:		NULL-terminated, or NULL where none was given
 * @limit:		what the workspace's group is to hold, in the order given
 * @cap_drop, @cap_add: bits 1 << CAP_*; root inside has none of @cap_drop that is not in
 *			@cap_add
 * @budget:		LIMIT_UNSET or a number
 * @policy:		as given to --policy, NULL for none
 * @origin:		of each value that was given, in the order given; with @policy only
 * @best_effort:	names of limits, "cpus,memory", that may be missing; NULL: none
 * @stop_timeout_s:	seconds between the polite signal and SIGKILL
 *
 * All pointers are borrowed from argv, the environment or the caller's arena.
 */
struct config {
	const char *name;
	const char *rootfs;
	bool overlay;
	enum init_mode init;
	enum net_mode net;
	const char *rate_down, *rate_up;
	const struct publish *publish;
	size_t publish_n;
	const char *publish_allow, *publish_deny;
	const char *const *egress;
	size_t egress_n;
	const char *egress_default;
	uint64_t connections_per_minute;
	const char *user, *workdir, *hostname, *state;
	const struct volume *volume;
	size_t volume_n;
	const char *const *env;
	size_t env_n;
	const char *const *command;
	const struct limit *limit;
	size_t limit_n;
	const char *best_effort;
	const char *policy;
	const struct origin *origin;
	size_t origin_n;
	uint64_t cap_drop, cap_add;
	uint64_t budget[BUDGET_N];
	uint64_t stop_timeout_s;
	bool detach, remove, interactive, tty;
};

/* The limit that was asked for by a knob, NULL where there is none; the last one. */
const struct limit *config_limit(const struct config *config, enum knob knob);

/* Whether a limit, "memory", may be missing. */
bool config_best_effort(const struct config *config, const char *name);

#endif
