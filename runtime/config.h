#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/words.h"
#include "budget.h"
#include "cgroups/knobs.h"
#include "hook.h"
#include "hosts.h"
#include "idmap.h"
#include "image_progress.h"
#include "image_ref.h"
#include "netns/publish.h"
#include "ulimit.h"

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
	NET_PASTA, /* one of its own, and pasta(1) to the pod's */
	NET_AUTO,  /* the best of them that works here */
	NET_MODE_MAX,
};

extern const char *const init_mode_name[INIT_MODE_MAX];
extern const char *const net_mode_name[NET_MODE_MAX];

/**
 * struct volume - One -v
 * @source:	absolute path in the pod, without "." or ".."
 * @target:	absolute path in the workspace, without "." or ".."
 * @read_only:	":ro", and ":seed"
 * @own:	":U": made the workspace's user's, with all that is in it
 * @top:	":own", ":own=USER": made that user's, it alone; "" for the workspace's, NULL for nobody
 * @seed:	":seed": a Docker directory whose images the workspace's begins with
 * @gpu:	found by --gpus
 * @library:	and goes where the root has libraries, which is not known from the start
 */
struct volume {
	const char *source, *target, *top;
	bool read_only, own, seed, gpu, library;
};

/**
 * struct device - One --device
 * @source:	absolute path in the pod, without "." or ".."
 * @target:	path below /dev in the workspace
 * @gpu:	found by --gpus
 */
struct device {
	const char *source, *target;
	bool gpu;
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
 * @image:		text of an image_ref, NULL for none; then @rootfs is NULL until the
 *			image was found in the store, and then what lies there
 * @image_digest:	of the image, once it was found; before that, the one that it has to
 *			be, or NULL
 * @store:		directory of the images' store, absolute; NULL where none is to be had
 * @store_size:		bytes that it may have after a pull; LIMIT_UNSET
 * @pull_patience_s:	how long nothing may come before a pull is tried again; LIMIT_UNSET
 * @pull:		when the image is looked for in its registry
 * @progress:		how a pull is shown
 * @image_entrypoint:	in place of the image's, "" for none at all; NULL: the image's
 * @stop_signal:	the polite one, as signal_parse() reads it; NULL: init's own
 * @init:		as asked; plan_build() resolves INIT_AUTO
 * @net:			as asked; plan_build() resolves NET_AUTO
 * @foresees:			nothing is done: what only the attempt would tell is looked at, too
 * @rate_down, @rate_up: "100mbit", checked; NULL: as fast as it goes
 * @publish:		ports of the pod that lead inside; no two overlap
 * @publish_allow, @publish_deny: what -p auto may open, "8000-8999,53/udp"; NULL: all of
 *			TCP, nothing
 * @egress:		"deny:10.0.0.0/8", checked, in the order that counts
 * @egress_default:	"allow" or "deny"; NULL: allow
 * @connections_per_minute: LIMIT_UNSET or a number
 * @user:		"NAME|UID[:GROUP|GID]" looked up inside, NULL for root
 * @uid_map, @gid_map:	ranges of IDs that root inside is one of, in the order given; NULL: all that
 *			may be mapped
 * @workdir:		absolute, NULL for "/"
 * @hostname:		never NULL
 * @state:		directory for upper layers, absolute; NULL: a tmpfs
 * @env:		"K=V" each
 * @command:		NULL-terminated, or NULL where none was given
 * @limit:		what the workspace's group is to hold, in the order given
 * @unmask:		bits 1 << i of kernel_files[i]: not covered
 * @cap_drop, @cap_add: bits 1 << CAP_*; root inside has none of @cap_drop that is not in
 *			@cap_add
 * @seccomp:		a filter's name; NULL: SECCOMP_DEFAULT
 * @seccomp_allow, @seccomp_deny: "bpf,socket:AF_ALG", checked; NULL: nothing
 * @flat:		no sandbox is nested in it
 * @budget:		LIMIT_UNSET or a number
 * @ulimit:		of each process, by enum ulimit_kind
 * @policy:		as given to --policy, NULL for none
 * @origin:		of each value that was given, in the order given; with @policy or @entrypoint only
 * @best_effort:	names of limits, "cpus,memory", that may be missing; NULL: none
 * @audit_log:		"stderr", or an absolute path; NULL: none
 * @audit_required:	what cannot be told there is not done
 * @audit_syscalls: refused system calls are told there
 * @audit_permissive: what is refused is told there, and let through
 * @audit_size:		LIMIT_UNSET or bytes
 * @metrics_listen:	"127.0.0.1:9090", "unix:/PATH", checked; NULL: nowhere
 * @gpus:		"all", "DIR" or "DIR:INSIDE" of their drivers' libraries; NULL: none
 * @gpu_libraries:	directory of the pod that they are looked for in; NULL: nowhere
 * @tz:			"Area/City", or "local" for the pod's; NULL: the root's own
 * @host:		names beside those that /etc/hosts has anyway
 * @stop_timeout_s:	seconds between the polite signal and SIGKILL
 * @idle_stop_s:	seconds without use after which it is stopped; 0: never; LIMIT_UNSET
 * @idle_cpu:		percent of one processor that are no use yet; LIMIT_UNSET without @idle_stop_s
 * @idle_ports:		published ports inside that count, "22,8000-8999"; NULL: all
 * @idle_warn:		absolute path of a script of the pod, which runs inside before that;
 *			NULL for none
 * @bootstrap:		absolute path of a script of the pod, which runs inside once it is ready,
 *			or "-" for one from standard input; NULL for none
 * @script, @script_n:	what standard input had then, until it is kept; else NULL
 * @bootstrap_restart:	"no", "always", "on-failure[:N]"; NULL without @bootstrap
 * @hook:		of all kinds, those of one in their order
 * @hook_timeout_s:	how long each may take; LIMIT_UNSET without any
 * @own_words:		what our command line takes, for init, which wipes it
 * @envbox:		what "envbox docker" asked for: an image without systemd only stays up, and
 *			volumes of envbox's are told from others
 * @entrypoint:		it is what a pod is there for: SIGTERM is the pod's end, and standard
 *			error tells how it goes
 *
 * All pointers are borrowed from argv, the environment or the caller's arena.
 */
struct config {
	const char *name;
	const char *rootfs;
	bool overlay;
	const char *image, *image_digest, *store;
	uint64_t store_size, pull_patience_s;
	enum image_when pull;
	enum progress_mode progress;
	const char *image_entrypoint, *stop_signal;
	enum init_mode init;
	enum net_mode net;
	bool foresees;
	const char *rate_down, *rate_up;
	const struct publish *publish;
	size_t publish_n;
	const char *publish_allow, *publish_deny;
	const char *const *egress;
	size_t egress_n;
	const char *egress_default;
	uint64_t connections_per_minute;
	const char *user, *workdir, *hostname, *state, *tz, *gpus, *gpu_libraries;
	const struct idmap *uid_map, *gid_map;
	const char *bootstrap, *bootstrap_restart;
	const char *script;
	size_t script_n;
	const struct volume *volume;
	size_t volume_n;
	const struct device *device;
	size_t device_n;
	const struct extra_host *host;
	size_t host_n;
	const char *const *env;
	size_t env_n;
	const char *const *command;
	const struct limit *limit;
	size_t limit_n;
	const char *best_effort;
	const char *policy;
	const struct origin *origin;
	size_t origin_n;
	uint64_t unmask;
	uint64_t cap_drop, cap_add;
	const char *seccomp, *seccomp_allow, *seccomp_deny;
	bool flat;
	uint64_t budget[BUDGET_N];
	struct ulimit ulimit[ULIMIT_N];
	const char *audit_log;
	bool audit_required, audit_syscalls, audit_permissive;
	uint64_t audit_size;
	const char *metrics_listen;
	uint64_t stop_timeout_s;
	uint64_t idle_stop_s, idle_cpu;
	const char *idle_ports, *idle_warn;
	const struct hook *hook;
	size_t hook_n;
	uint64_t hook_timeout_s;
	struct words_area own_words;
	bool detach, remove, interactive, tty, entrypoint, envbox;
};

/* NS_BIT() of each namespace that is the workspace's own; the others are the pod's. */
unsigned int config_namespaces(const struct config *config);

/* The limit that was asked for by a knob, NULL where there is none; the last one. */
const struct limit *config_limit(const struct config *config, enum knob knob);

/* Whether it is stopped when nobody uses it. */
bool config_stops_idle(const struct config *config);

/* Whether refused system calls are told, by who listens to them. */
static inline bool config_listens(const struct config *config)
{
	return config->audit_syscalls || config->audit_permissive;
}

/* Whether a limit, "memory", may be missing. */
bool config_best_effort(const struct config *config, const char *name);

/**
 * config_place_gpus() - Say where libraries of --gpus go
 * @c:		@rootfs is a directory by now, or "host"; targets of @volume are changed
 * @arena:	owns them
 * @err:	filled in on failure
 *
 * They go where the root's distribution has libraries, unless --gpus says where itself.
 *
 * Return: 0; -ENOMEM.
 */
int config_place_gpus(struct config *c, struct arena *arena, struct err *err);

#endif
