#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auditlog.h"
#include "base/nearest.h"
#include "base/number.h"
#include "bootstrap.h"
#include "config_internal.h"
#include "kernel_files.h"
#include "metrics_address.h"
#include "netns/rate.h"
#include "plan.h"
#include "policies/caps.h"
#include "policies/seccomp_choice.h"
#include "run.h"
#include "signals.h"

/* Of a name; the longest one has 32 bytes. */
#define ZONE_MAX 64

/* A year; as many processors as --cpus takes. */
#define IDLE_STOP_MAX_S UINT64_C(31536000)
#define IDLE_CPU_MAX 102400

static_assert(LIMITS_MAX + BUDGET_N + ULIMIT_N <= PLAN_LIMITS_MAX,
              "the plan has room for all of them");

/* An empty one is somebody's unset variable; taken as a path it would be ".". */
static int set_text(void *field, const char *value, struct err *err)
{
	if (*value == '\0')
		return err_set(err, EINVAL, "'' is empty");
	return option_text(field, value, err);
}

static int set_init(void *field, const char *value, struct err *err)
{
	enum init_mode *mode = field;

	for (int i = 0; i < INIT_MODE_MAX; i++)
		if (!strcmp(value, init_mode_name[i])) {
			*mode = (enum init_mode)i;
			return 0;
		}
	return err_set(err, EINVAL, "'%s' is not auto, systemd, berth or none", value);
}

static int set_net(void *field, const char *value, struct err *err)
{
	enum net_mode *mode = field;

	for (int i = 0; i < NET_MODE_MAX; i++)
		if (!strcmp(value, net_mode_name[i])) {
			*mode = (enum net_mode)i;
			return 0;
		}
	return err_set(err, EINVAL, "'%s' is not auto, relay, host or none", value);
}

static int set_image(void *field, const char *value, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	struct image_ref ref;
	int r = image_ref_parse(value, &arena, &ref, err);

	return r < 0 ? r : set_text(field, value, err);
}

static int set_signal(void *field, const char *value, struct err *err)
{
	int ignored;
	int r = signal_parse(value, &ignored, err);

	return r < 0 ? r : option_text(field, value, err);
}

static int set_rate(void *field, const char *value, struct err *err)
{
	uint64_t ignored;
	int r = rate_parse(value, &ignored, err);

	if (r == 0)
		*(const char **)field = value;
	return r;
}

static int set_egress_default(void *field, const char *value, struct err *err)
{
	if (strcmp(value, "allow") != 0 && strcmp(value, "deny") != 0)
		return err_set(err, EINVAL, "'%s' is not allow or deny", value);
	*(const char **)field = value;
	return 0;
}

static int set_per_minute(void *field, const char *value, struct err *err)
{
	return number_parse(value, 1, EGRESS_PER_MINUTE_MAX, field, err);
}

static int set_budget(void *field, const char *value, struct err *err)
{
	return number_parse(value, 1, INT32_MAX, field, err);
}

static int set_from_zero(void *field, const char *value, struct err *err)
{
	return number_parse(value, 0, INT32_MAX, field, err);
}

static int set_bytes(void *field, const char *value, struct err *err)
{
	return size_parse(value, 0, INT64_MAX, field, err);
}

static int set_seccomp(void *field, const char *value, struct err *err)
{
	if (!seccomp_is_profile(value))
		return err_set(err, EINVAL, "'%s' is not workspace or workspace-i386",
		               value);
	*(const char **)field = value;
	return 0;
}

static int set_idle_stop(void *field, const char *value, struct err *err)
{
	return duration_parse(value, 0, IDLE_STOP_MAX_S, field, err);
}

static int set_percent(void *field, const char *value, struct err *err)
{
	return number_parse(value, 1, IDLE_CPU_MAX, field, err);
}

static int set_seconds(void *field, const char *value, struct err *err)
{
	return number_parse(value, 0, 86400, field, err);
}

/* A flag, which a policy can say no to. */
static int set_switch(void *field, const char *value, struct err *err)
{
	(void)err;
	*(bool *)field = !value || !strcmp(value, "true");
	return 0;
}

/* A path below /usr/share/zoneinfo, whatever zones there are. */
static int set_tz(void *field, const char *value, struct err *err)
{
	const size_t len = strlen(value);

	if (len == 0 || len > ZONE_MAX || strstr(value, "..") || strstr(value, "//") ||
	    value[0] == '/' || value[len - 1] == '/' ||
	    strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                  "0123456789_+-/") != len) {
		(void)err_set(err, EINVAL, "'%.80s' is no time zone", value);
		return err_hint(err, "as Europe/Berlin or UTC; local is the pod's");
	}
	return option_text(field, value, err);
}

static int add_unmasked(void *field, const char *value, struct err *err)
{
	return kernel_files_parse(value, field, err);
}

static int add_ulimit(void *field, const char *value, struct err *err)
{
	return ulimit_parse(value, field, err);
}

static int set_nested(void *field, const char *value, struct err *err)
{
	if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
		return err_set(err, EINVAL, "'%s' is not true or false", value);
	*(bool *)field = !strcmp(value, "false");
	return 0;
}

static int set_audit_size(void *field, const char *value, struct err *err)
{
	return size_parse(value, AUDITLOG_SIZE_MIN, UINT64_C(1) << 40, field, err);
}

static int set_store_size(void *field, const char *value, struct err *err)
{
	return size_parse(value, 0, INT64_MAX, field, err);
}

static int set_patience(void *field, const char *value, struct err *err)
{
	return number_parse(value, 1, 24 * 3600, field, err);
}

static int set_metrics_listen(void *field, const char *value, struct err *err)
{
	struct metrics_address ignored;
	int r = metrics_address_parse(value, &ignored, err);

	if (r == 0)
		*(const char **)field = value;
	return r;
}

static int set_bootstrap_restart(void *field, const char *value, struct err *err)
{
	int r = bootstrap_policy_check(value, err);

	if (r == 0)
		*(const char **)field = value;
	return r;
}

static int set_hook_timeout(void *field, const char *value, struct err *err)
{
	return number_parse(value, 1, HOOK_TIMEOUT_MAX_S, field, err);
}

static int set_ports(void *field, const char *value, struct err *err)
{
	int r = publish_list_check(value, err);

	if (r == 0)
		*(const char **)field = value;
	return r;
}

static int set_knob(void *field, const char *value, struct err *err)
{
	const struct slot *slot = field;
	struct words *words = slot->words;
	struct limit limit;
	size_t at = 0;
	int r = knob_parse(slot->knob, value, words->arena, &limit, err);

	if (r < 0)
		return r;
	/* As with every option the last one counts; of devices and page sizes, each. */
	while (at < words->limit_n && (words->limit[at].knob != limit.knob ||
	                               knob_info[limit.knob].kind == KNOB_DEVICE_RATE ||
	                               strcmp(words->limit[at].file, limit.file) != 0))
		at++;
	if (at == LIMITS_MAX)
		return err_set(err, E2BIG, "more than %d limits", LIMITS_MAX);
	words->limit[at] = limit;
	if (at == words->limit_n)
		words->limit_n++;
	return 0;
}

/* What else may be gone without, beside limits. */
static const char *const dispensable[] = { "device", "seed", "storage", "stores",
	                                   "ulimit" };
#define DISPENSABLE_N (sizeof(dispensable) / sizeof(dispensable[0]))

static bool is_dispensable(const char *name, size_t len)
{
	for (size_t i = 0; i < DISPENSABLE_N; i++)
		if (strlen(dispensable[i]) == len && !strncmp(dispensable[i], name, len))
			return true;
	return knob_find(name, len) != KNOB_N || budget_known(name, len);
}

static int no_limit(const char *name, size_t len, struct err *err)
{
	char word[40];
	struct nearest near;
	char meant[NEAREST_TEXT_MAX];

	(void)snprintf(word, sizeof(word), "%.*s", (int)len, name);
	nearest_begin(&near, word);
	for (enum knob knob = 0; knob < KNOB_N; knob++)
		nearest_try(&near, knob_info[knob].name);
	for (enum budget i = 0; i < BUDGET_N; i++)
		nearest_try(&near, budget_info[i].name);
	for (size_t i = 0; i < DISPENSABLE_N; i++)
		nearest_try(&near, dispensable[i]);
	(void)err_set(err, EINVAL, "'%.*s' is no limit%s", (int)len, name,
	              nearest_text(&near, meant));
	return err_hint(err, "limits are named as their options, without dashes: "
	                     "cpus,memory; device, seed, storage, stores and ulimit "
	                     "count as such");
}

/* Behind those that a policy, a variable or another such option named. */
static int join_best_effort(const char **list, const char *value, struct err *err)
{
	const struct words *words =
		(struct words *)((char *)list -
	                         offsetof(struct words, config.best_effort));
	const char *text = *list;

	for (const char *p = value; *p;) {
		int len = (int)strcspn(p, ",");
		const char *name = arena_printf(words->arena, "%.*s", len, p);

		if (!name)
			return err_set(err, ENOMEM, "read the options");
		if (!text)
			text = name;
		else if (!config_best_effort(&(struct config){ .best_effort = text },
		                             name))
			text = arena_printf(words->arena, "%s,%s", text, name);
		p += len + (p[len] == ',');
	}
	*list = text;
	return 0;
}

static int set_best_effort(void *field, const char *value, struct err *err)
{
	for (const char *p = value;; p++) {
		size_t len = strcspn(p, ",");

		if (!is_dispensable(p, len))
			return no_limit(p, len, err);
		p += len;
		if (*p == '\0')
			break;
	}
	return join_best_effort(field, value, err);
}

#define FIELD(field) offsetof(struct words, config.field)
/* clang-format off */
static const struct option run_options[] = {
	{ "name",              0,   "NAME",     "name of the workspace", set_text, FIELD(name) },
	{ "policy",            0,   "FILE|PROFILE", "what is allowed and limited, below the options (" POLICY_DEFAULT "; with COMMAND " POLICY_NONE ")", set_text, FIELD(policy) },
	{ "rootfs",            0,   "host|DIR", "root file system; DIR:O keeps DIR as it is (host)", set_text, FIELD(rootfs) },
	{ "image",             0,   "REF",      "an image as root: debian:12, oci:DIR, docker-archive:FILE", set_image, FIELD(image) },
	{ "pull",              0,   "WHEN",     "fetch the image: missing, always or never (missing)", image_when_option, FIELD(pull) },
	{ "store",             0,   "DIR",      "where images are kept (BERTH_STORE)", set_text, FIELD(store) },
	{ "store-size",        0,   "SIZE",     "what the store may have after a pull: what nobody uses goes (any)", set_store_size, FIELD(store_size) },
	{ "pull-patience",     0,   "SECONDS",  "how long nothing may come before a pull is tried again (180)", set_patience, FIELD(pull_patience_s) },
	{ "progress",          0,   "MODE",     "of a pull: auto, bar, json or none (auto)", progress_option, FIELD(progress) },
	{ "image-entrypoint",  0,   "COMMAND",  "in place of the image's ENTRYPOINT; '' for none", option_text, FIELD(image_entrypoint) },
	{ "init",              0,   "MODE",     "auto, systemd, berth or none (auto)", set_init, FIELD(init) },
	{ "net",               0,   "MODE",     "auto, relay, pasta, host or none (auto)", set_net, FIELD(net) },
	{ "rate-down",         0,   "RATE",     "download rate: 100mbit, 2gbit, 10MB (bytes a second)", set_rate, FIELD(rate_down) },
	{ "rate-up",           0,   "RATE",     "upload rate", set_rate, FIELD(rate_up) },
	{ "publish",           'p', "[IP:]OUT:IN[/udp]|auto", "lead a port of the pod, or all that listens, inside", config_add_publish, 0 },
	{ "publish-allow",     0,   "PORTS",    "what -p auto may open: 8000-8999,53/udp (all of TCP)", set_ports, FIELD(publish_allow) },
	{ "publish-deny",      0,   "PORTS",    "what -p auto may not open", set_ports, FIELD(publish_deny) },
	{ "egress",            0,   "RULE",     "allow:TARGET or deny:TARGET: allow:10.0.0.0/8,443/tcp", config_add_egress, 0 },
	{ "egress-default",    0,   "allow|deny", "what becomes of what no rule meets (allow)", set_egress_default, FIELD(egress_default) },
	{ "connections-per-minute", 0, "N",     "connections and flows begun in any minute", set_per_minute, FIELD(connections_per_minute) },
	{ "volume",            'v', "SRC:DST[:ro|:U|:own|:seed]", "attach a directory or file of the pod; U makes it the user's, own it alone", config_add_volume, 0 },
	{ "device",            0,   "PATH[:INSIDE]", "give a device node of the pod: /dev/fuse", config_add_device, 0 },
	{ "gpus",              0,   "all|DIR[:INSIDE]", "give the pod's GPUs, and their drivers' libraries, of DIR", set_text, FIELD(gpus) },
	{ "env",               'e', "K[=V]|K*", "set a variable inside, or pass our own", config_add_env, 0 },
	{ "user",              'u', "USER[:GROUP]", "run as this user, looked up inside", set_text, FIELD(user) },
	{ "uidmap",            0,   "INSIDE:OUTSIDE[:COUNT]", "which user IDs it has, and whose they are out here (all that may be mapped)", config_add_ids, offsetof(struct words, uid_map) },
	{ "gidmap",            0,   "INSIDE:OUTSIDE[:COUNT]", "likewise of group IDs", config_add_ids, offsetof(struct words, gid_map) },
	{ "cap-drop",          0,   "CAP",      "a capability that root inside is not to have, or all", config_add_caps, FIELD(cap_drop) },
	{ "cap-add",           0,   "CAP",      "one to keep of those that --cap-drop takes", config_add_caps, FIELD(cap_add) },
	{ "seccomp",           0,   "FILTER",   "filter of system calls: workspace or workspace-i386", set_seccomp, FIELD(seccomp) },
	{ "seccomp-allow",     0,   "CALL",     "a system call to allow, or a family: socket:AF_ALG", config_add_allowed, 0 },
	{ "seccomp-deny",      0,   "CALL",     "a system call, family of sockets or kind of namespace to refuse", config_add_denied, 0 },
	{ "nested",            0,   "true|false", "whether sandboxes with user namespaces may be nested (true)", set_nested, FIELD(flat) },
	{ "unmask",            0,   "PATH|all", "leave a file of /proc or /sys uncovered: /proc/interrupts", add_unmasked, FIELD(unmask) },
	{ "workdir",           'w', "DIR",      "start in this directory (/)", set_text, FIELD(workdir) },
	{ "tz",                0,   "ZONE",     "time zone inside: Europe/Berlin, UTC, or local for ours", set_tz, FIELD(tz) },
	{ "add-host",          0,   "NAME:IP",  "a name more in /etc/hosts; IP may be host-gateway, the pod's", config_add_host, 0 },
	{ "hostname",          0,   "NAME",     "host name inside (the workspace's name)", set_text, FIELD(hostname) },
};
/* Here come the knobs, cgroups/knobs.c, and the budgets, budget.c. */
static const struct option more_options[] = {
	{ "ulimit",            0,   "NAME=SOFT[:HARD]", "a limit of each process inside: nofile=1024:4096, core=0", add_ulimit, FIELD(ulimit) },
	{ "best-effort",       0,   "LIST",   "what may be missing: limits, as cpus,memory,ulimit; device, seed, storage, stores", set_best_effort, FIELD(best_effort) },
	{ "state",             0,   "DIR",      "keep upper layers in DIR/NAME instead of memory", set_text, FIELD(state) },
	{ "bootstrap",         0,   "FILE",     "a script of ours that runs inside once it is ready; - for standard input", set_text, FIELD(bootstrap) },
	{ "bootstrap-restart", 0,   "POLICY",   "no, on-failure[:N] or always (no)", set_bootstrap_restart, FIELD(bootstrap_restart) },
	{ "idle-stop",         0,   "TIME",     "stop it when nobody has used it for that long: 30m, 1h30m", set_idle_stop, FIELD(idle_stop_s) },
	{ "idle-cpu",          0,   "PERCENT",  "of a processor, below which it is not used (5)", set_percent, FIELD(idle_cpu) },
	{ "idle-ports",        0,   "PORTS",    "published ones, inside, whose connections are use: 22,8000-8999 (all)", set_ports, FIELD(idle_ports) },
	{ "idle-warn",         0,   "FILE",     "a script of ours that runs inside before that", set_text, FIELD(idle_warn) },
	{ "hook-prestart",     0,   "PROGRAM [WORD...]", "run a program outside when all is made, and nothing inside runs yet", config_add_prestart, 0 },
	{ "hook-poststart",    0,   "PROGRAM [WORD...]", "run one outside when the command runs", config_add_poststart, 0 },
	{ "hook-poststop",     0,   "PROGRAM [WORD...]", "run one outside when all is over", config_add_poststop, 0 },
	{ "hook-timeout",      0,   "SECONDS",  "how long each of those may take (30)", set_hook_timeout, FIELD(hook_timeout_s) },
	{ "stop-timeout",      0,   "SECONDS",  "from the polite signal to SIGKILL (10; systemd 90)", set_seconds, FIELD(stop_timeout_s) },
	{ "stop-signal",       0,   "SIGNAL",   "the polite signal (the image's; TERM; systemd RTMIN+3)", set_signal, FIELD(stop_signal) },
	{ "audit-log",         0,   "FILE|stderr", "tell there, in lines of JSON, what is done with it", set_text, FIELD(audit_log) },
	{ "audit-required",    0,   NULL,       "what cannot be told there is not done", set_switch, FIELD(audit_required) },
	{ "audit-syscalls",    0,   NULL,       "tell there of refused system calls; nobody inside can listen to any then", set_switch, FIELD(audit_syscalls) },
	{ "audit-permissive",  0,   NULL,       "tell there what the policy refuses, and let it through", set_switch, FIELD(audit_permissive) },
	{ "audit-size",        0,   "SIZE",     "rename the file when it is that large (16m)", set_audit_size, FIELD(audit_size) },
	{ "metrics-listen",    0,   "ADDRESS",  "serve metrics and probes: 127.0.0.1:9090, :9090, unix:/PATH", set_metrics_listen, FIELD(metrics_listen) },
	{ "detach",            'd', NULL,       "return when it runs, print its name", option_flag, FIELD(detach) },
	{ "rm",                0,   NULL,       "keep nothing when it ends", option_flag, FIELD(remove) },
	{ "interactive",       'i', NULL,       "pass standard input on", option_flag, FIELD(interactive) },
	{ "tty",               't', NULL,       "give the command a terminal of its own", option_flag, FIELD(tty) },
	{ "entrypoint",        0,   NULL,       "plan what entrypoint would do, by its policy and variables", option_flag, offsetof(struct words, entrypoint) },
	{ "format",            0,   "text|json", "how plan prints (text)", option_format, offsetof(struct words, json) },
	{ "variables",         0,   NULL,       "list the variables that say the same as options, and exit", option_flag, offsetof(struct words, variables) },
};
/* clang-format on */
#define RUN_OPTIONS_N (sizeof(run_options) / sizeof(run_options[0]))
#define MORE_OPTIONS_N (sizeof(more_options) / sizeof(more_options[0]))
#define BUDGETS_AT (RUN_OPTIONS_N + KNOB_N)
#define OPTIONS_N (BUDGETS_AT + BUDGET_N + MORE_OPTIONS_N)

static_assert(OPTIONS_N <= CONFIG_OPTIONS_MAX, "there is room for all of them");

static void all_options(struct option row[OPTIONS_N])
{
	memcpy(row, run_options, sizeof(run_options));
	for (size_t i = 0; i < KNOB_N; i++)
		row[RUN_OPTIONS_N + i] = (struct option){
			.name = knob_info[i].name,
			.arg = knob_info[i].arg,
			.help = knob_info[i].help,
			.set = set_knob,
			.offset = offsetof(struct words, slot) + i * sizeof(struct slot),
		};
	for (size_t i = 0; i < BUDGET_N; i++)
		row[BUDGETS_AT + i] = (struct option){
			.name = budget_info[i].name,
			.arg = budget_info[i].arg,
			.help = budget_info[i].help,
			.set = budget_info[i].bytes ? set_bytes
			       : budget_info[i].min ? set_budget
			                            : set_from_zero,
			.offset = FIELD(budget) + i * sizeof(uint64_t),
		};
	memcpy(row + BUDGETS_AT + BUDGET_N, more_options, sizeof(more_options));
}

static bool belongs(const char *name, enum config_of of)
{
	if (!strcmp(name, "entrypoint") || !strcmp(name, "format"))
		return of == CONFIG_PLAN;
	if (!strcmp(name, "variables"))
		return of == CONFIG_ENTRYPOINT;
	/* The container ends with its first process. */
	if (!strcmp(name, "detach"))
		return of == CONFIG_RUN || of == CONFIG_PLAN;
	return true;
}

size_t config_options(enum config_of of, struct option row[CONFIG_OPTIONS_MAX])
{
	struct option all[OPTIONS_N];
	size_t n = 0;

	all_options(all);
	for (size_t i = 0; i < OPTIONS_N; i++)
		if (belongs(all[i].name, of))
			row[n++] = all[i];
	return n;
}
