#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit_internal.h"
#include "caps.h"
#include "seccomp_choice.h"

const struct policy_setting *audit_setting(const struct audit_subject *s, const char *key)
{
	for (size_t i = 0; i < s->policy->n; i++)
		if (!strcmp(s->policy->setting[i].key->path, key))
			return &s->policy->setting[i];
	return NULL;
}

bool audit_setting_is(const struct audit_subject *s, const char *key, const char *value)
{
	const struct policy_setting *setting = audit_setting(s, key);

	return setting && !strcmp(setting->value, value);
}

/* "KEY: VALUE", cut. */
static const char *shown(const struct audit_subject *s,
                         const struct policy_setting *setting)
{
	return audit_text(s, "%s: %.200s", setting->key->path, setting->value);
}

static void report(const struct audit_subject *s, const struct policy_setting *setting)
{
	audit_report_key(s, setting, setting->key->path, shown(s, setting));
}

void audit_policy_missing(const struct audit_subject *s)
{
	if (!audit_setting(s, s->rule->arg))
		audit_report_key(s, NULL, s->rule->arg,
		                 audit_text(s, "%s is not said", s->rule->arg));
}

/* Nothing to hold where there is no network; the pod's own is held by nobody. */
void audit_policy_network_missing(const struct audit_subject *s)
{
	if (!audit_setting_is(s, "network.uplink", "none") &&
	    !audit_setting_is(s, "network.uplink", "host"))
		audit_policy_missing(s);
}

void audit_policy_uplink(const struct audit_subject *s)
{
	if (audit_setting_is(s, "network.uplink", "host"))
		report(s, audit_setting(s, "network.uplink"));
}

void audit_policy_auto(const struct audit_subject *s)
{
	const struct policy_setting *setting = audit_setting(s, "network.uplink");

	if (!setting)
		audit_report_key(s, NULL, "network.uplink",
		                 "network.uplink is not said, which is auto");
	else if (!strcmp(setting->value, "auto"))
		report(s, setting);
}

void audit_policy_egress(const struct audit_subject *s)
{
	const struct policy_setting *setting = audit_setting(s, "network.egress_default");

	/* The pod's own network, where nothing is judged, has its own finding. */
	if (audit_setting_is(s, "network.uplink", "none") ||
	    audit_setting_is(s, "network.uplink", "host"))
		return;
	if (!setting)
		audit_report_key(s, NULL, "network.egress_default",
		                 "network.egress_default is not said, which is allow");
	else if (strcmp(setting->value, "deny") != 0)
		report(s, setting);
}

void audit_policy_publish(const struct audit_subject *s)
{
	for (size_t i = 0; i < s->policy->n; i++) {
		const struct policy_setting *setting = &s->policy->setting[i];
		size_t len = strlen(setting->value);

		/* "auto" or "IP:auto". */
		if (!strcmp(setting->key->path, "network.publish") && len >= 4 &&
		    !strcmp(setting->value + len - 4, "auto") &&
		    !audit_setting(s, "network.publish_allow"))
			report(s, setting);
	}
}

enum source { SOURCE_OTHER, SOURCE_SYSTEM, SOURCE_SOCKET, SOURCE_TOKEN };

static enum source source_of(const struct audit_subject *s, const char *volume)
{
	struct arena *arena = s->audit->arena;
	size_t len = strcspn(volume, ":");
	const char *path = arena_printf(arena, "%.*s", (int)len, volume);

	/* A relative one is somewhere below the caller's directory. */
	if (*path != '/')
		return SOURCE_OTHER;
	path = audit_clean_path(arena, path);
	if (audit_runtime_socket(path))
		return SOURCE_SOCKET;
	if (!strncmp(path, "/run/secrets", 12))
		return SOURCE_TOKEN;
	return audit_system_path(path) ? SOURCE_SYSTEM : SOURCE_OTHER;
}

/* Whether a list of words with commas between them has one. */
static bool names(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = list; (at = strstr(at, word)); at += len)
		if ((at == list || at[-1] == ',') && (at[len] == '\0' || at[len] == ','))
			return true;
	return false;
}

/* As -v reads it: SRC:DST:OPTION,OPTION, of which each counts. */
static bool is_read_only(const char *volume)
{
	const char *target = strchr(volume, ':');
	const char *options = target ? strchr(target + 1, ':') : NULL;

	return options && (names(options + 1, "ro") || names(options + 1, "seed"));
}

static void report_volumes(const struct audit_subject *s, enum source source,
                           bool writable_only)
{
	for (size_t i = 0; i < s->policy->n; i++) {
		const struct policy_setting *setting = &s->policy->setting[i];

		if (!strcmp(setting->key->path, "volumes") &&
		    source_of(s, setting->value) == source &&
		    !(writable_only && is_read_only(setting->value)))
			report(s, setting);
	}
}

void audit_policy_writable(const struct audit_subject *s)
{
	report_volumes(s, SOURCE_OTHER, true);
}

void audit_policy_system_path(const struct audit_subject *s)
{
	report_volumes(s, SOURCE_SYSTEM, false);
}

void audit_policy_socket(const struct audit_subject *s)
{
	report_volumes(s, SOURCE_SOCKET, false);
}

void audit_policy_token(const struct audit_subject *s)
{
	report_volumes(s, SOURCE_TOKEN, false);
}

void audit_policy_secret(const struct audit_subject *s)
{
	for (size_t i = 0; i < s->policy->n; i++) {
		const struct policy_setting *setting = &s->policy->setting[i];
		size_t len = strcspn(setting->value, "=");
		const char *value = setting->value + len;

		if (strcmp(setting->key->path, "environment") != 0 || value[0] != '=' ||
		    value[1] == '\0')
			continue;
		if (audit_secret_name(setting->value, len) ||
		    audit_secret_value(value + 1))
			audit_report_key(
				s, setting,
				audit_text(s, "environment.%.*s",
			                   len < 60 ? (int)len : 60, setting->value),
				audit_text(s, "the value of %.*s",
			                   len < 60 ? (int)len : 60, setting->value));
	}
}

void audit_policy_passed(const struct audit_subject *s)
{
	for (size_t i = 0; i < s->policy->n; i++) {
		const struct policy_setting *setting = &s->policy->setting[i];
		size_t len = strcspn(setting->value, "*");

		if (!strcmp(setting->key->path, "pass_environment") &&
		    (len == 0 || audit_secret_name(setting->value, len)))
			report(s, setting);
	}
}

void audit_policy_best_effort(const struct audit_subject *s)
{
	for (size_t i = 0; i < s->policy->n; i++) {
		const struct policy_setting *setting = &s->policy->setting[i];

		if (!strcmp(setting->key->path, "limits.best_effort") &&
		    (names(setting->value, "memory") || names(setting->value, "pids")))
			report(s, setting);
	}
}

void audit_policy_swap(const struct audit_subject *s)
{
	if (audit_setting(s, "limits.memory") && !audit_setting(s, "limits.swap"))
		audit_report_key(s, audit_setting(s, "limits.memory"), "limits.swap",
		                 "limits.memory without limits.swap");
}

void audit_policy_host_root(const struct audit_subject *s)
{
	if (audit_setting_is(s, "rootfs", "host"))
		report(s, audit_setting(s, "rootfs"));
}

void audit_policy_shared_root(const struct audit_subject *s)
{
	const struct policy_setting *setting = audit_setting(s, "rootfs");
	size_t len = setting ? strlen(setting->value) : 0;

	if (setting && strcmp(setting->value, "host") != 0 &&
	    !(len > 2 && !strcmp(setting->value + len - 2, ":O")))
		report(s, setting);
}

/* Whether a list of one of the keys has an item of that risk. */
static bool allows(const struct policy_setting *setting, enum seccomp_risk risk)
{
	const char *rest = setting->value;
	char item[SECCOMP_NAME_MAX];

	while (*rest) {
		const size_t len = strcspn(rest, ",");

		(void)snprintf(item, sizeof(item), "%.*s", (int)len, rest);
		if (seccomp_item_risk(item) == risk)
			return true;
		rest += len + (rest[len] == ',');
	}
	return false;
}

static void report_calls(const struct audit_subject *s, enum seccomp_risk risk)
{
	for (size_t i = 0; i < s->policy->n; i++)
		if (!strcmp(s->policy->setting[i].key->path, "seccomp.allow") &&
		    allows(&s->policy->setting[i], risk))
			report(s, &s->policy->setting[i]);
}

void audit_policy_escapes(const struct audit_subject *s)
{
	report_calls(s, SECCOMP_ESCAPE);
}

void audit_policy_calls(const struct audit_subject *s)
{
	report_calls(s, SECCOMP_MORE);
}

void audit_policy_i386(const struct audit_subject *s)
{
	if (audit_setting_is(s, "seccomp.profile", "workspace-i386"))
		report(s, audit_setting(s, "seccomp.profile"));
}

void audit_policy_unmasked(const struct audit_subject *s)
{
	for (size_t i = 0; i < s->policy->n; i++)
		if (!strcmp(s->policy->setting[i].key->path, "unmask"))
			report(s, &s->policy->setting[i]);
}

void audit_policy_device(const struct audit_subject *s)
{
	for (size_t i = 0; i < s->policy->n; i++) {
		const char *key = s->policy->setting[i].key->path;

		if (!strcmp(key, "devices") || !strcmp(key, "gpus"))
			report(s, &s->policy->setting[i]);
	}
}

/* "rtprio=SOFT[:HARD]": whoever is held takes what the hard one leaves. */
void audit_policy_realtime(const struct audit_subject *s)
{
	for (size_t i = 0; i < s->policy->n; i++) {
		const char *value = s->policy->setting[i].value;
		const char *hard = strrchr(value, ':');

		if (strcmp(s->policy->setting[i].key->path, "limits.ulimits") != 0 ||
		    strncmp(value, "rtprio=", 7) != 0)
			continue;
		if (strcmp(hard ? hard + 1 : value + 7, "0") != 0)
			report(s, &s->policy->setting[i]);
	}
}

/* A range "INSIDE:OUTSIDE:COUNT" that begins outside at 0 has it. */
void audit_policy_root_id(const struct audit_subject *s)
{
	for (size_t i = 0; i < s->policy->n; i++) {
		const struct policy_setting *setting = &s->policy->setting[i];
		const char *outside = strchr(setting->value, ':');

		if (!strncmp(setting->key->path, "ids.", 4) && outside &&
		    strtoul(outside + 1, NULL, 10) == 0)
			report(s, setting);
	}
}

void audit_policy_permissive(const struct audit_subject *s)
{
	if (audit_setting_is(s, "audit.permissive", "true"))
		report(s, audit_setting(s, "audit.permissive"));
}

/* The directory that stands before the first ':', clean; NULL where it is not absolute. */
static const char *source_path(const struct audit_subject *s, const char *value)
{
	struct arena *arena = s->audit->arena;

	return *value == '/'
	               ? audit_clean_path(arena,
	                                  arena_printf(arena, "%.*s",
	                                               (int)strcspn(value, ":"), value))
	               : NULL;
}

/* Whether what a setting names can be written by the workspace, or by anybody, and holds @path. */
static bool exposes(const struct audit_subject *s, const struct policy_setting *setting,
                    const char *path)
{
	const char *key = setting->key->path, *value = setting->value, *source;
	const size_t len = strlen(value);

	if (!strcmp(key, "volumes") && is_read_only(value))
		return false;
	if (!strcmp(key, "rootfs") && len > 2 && !strcmp(value + len - 2, ":O"))
		return false;
	if (strcmp(key, "volumes") != 0 && strcmp(key, "rootfs") != 0 &&
	    strcmp(key, "state") != 0)
		return false;
	source = source_path(s, value);
	return source && audit_below(path, source);
}

/* Whether others than the caller and root can put a program there, as far as a policy tells. */
static bool is_exposed(const struct audit_subject *s, const char *hook)
{
	static const char *const shared[] = { "/tmp", "/var/tmp", "/dev/shm" };
	const char *path = audit_clean_path(
		s->audit->arena,
		arena_printf(s->audit->arena, "%.*s", (int)strcspn(hook, " \t\n"), hook));

	for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++)
		if (audit_below(path, shared[i]))
			return true;
	for (size_t i = 0; i < s->policy->n; i++)
		if (exposes(s, &s->policy->setting[i], path))
			return true;
	return false;
}

static bool is_hook(const struct policy_setting *setting)
{
	return !strncmp(setting->key->path, "hooks.", 6) &&
	       setting->key->type == POLICY_LIST;
}

static void report_hooks(const struct audit_subject *s, bool exposed)
{
	for (size_t i = 0; i < s->policy->n; i++) {
		const struct policy_setting *setting = &s->policy->setting[i];

		if (is_hook(setting) && is_exposed(s, setting->value) == exposed)
			report(s, setting);
	}
}

void audit_policy_hook(const struct audit_subject *s)
{
	report_hooks(s, false);
}

void audit_policy_exposed_hook(const struct audit_subject *s)
{
	report_hooks(s, true);
}

static bool denies(const struct audit_subject *s, const char *item)
{
	for (size_t i = 0; i < s->policy->n; i++)
		if (!strcmp(s->policy->setting[i].key->path, "seccomp.deny") &&
		    names(s->policy->setting[i].value, item))
			return true;
	return false;
}

/* The capabilities that @key names, all of its items together. */
static uint64_t capabilities(const struct audit_subject *s, const char *key)
{
	struct err ignored = { 0 };
	uint64_t mask = 0;

	for (size_t i = 0; i < s->policy->n; i++)
		if (!strcmp(s->policy->setting[i].key->path, key))
			(void)caps_parse(s->policy->setting[i].value, &mask, &ignored);
	return mask;
}

void audit_policy_nf_tables(const struct audit_subject *s)
{
	const bool nested = !audit_setting_is(s, "nested", "false") &&
	                    !audit_setting_is(s, "limits.user_namespaces", "0");
	const uint64_t kept = ~capabilities(s, "capabilities.drop") |
	                      capabilities(s, "capabilities.add");
	uint64_t net_admin = 0;
	struct err ignored = { 0 };

	(void)caps_parse("net_admin", &net_admin, &ignored);
	if ((!nested && !(kept & net_admin)) || denies(s, "socket:AF_NETLINK") ||
	    denies(s, "socket"))
		return;
	audit_report_key(s, audit_setting(s, nested ? "nested" : "capabilities.drop"),
	                 nested ? "nested" : "capabilities.drop",
	                 nested ? "user namespaces may be nested, each with net_admin"
	                        : "capabilities.drop is without net_admin");
}

int audit_finish(struct audit *audit, const char *name, struct err *err)
{
	audit->subjects++;
	if (audit->in_file > AUDIT_FINDINGS_MAX)
		return err_set(err, E2BIG, "%s: more than %d findings", name,
		               AUDIT_FINDINGS_MAX);
	return audit->arena->failed ? err_set(err, ENOMEM, "audit '%s'", name) : 0;
}

int audit_policy(struct audit *audit, const struct policy *policy, struct err *err)
{
	bool is_file = strpbrk(policy->name, "/.") != NULL;
	struct audit_subject s = { .audit = audit, .policy = policy };

	audit->in_file = 0;
	s.name = arena_printf(audit->arena, "%s %s", is_file ? "policy" : "profile",
	                      policy->name);
	s.file = arena_dup(audit->arena, policy->name);
	audit_run(&s, AUDIT_POLICY);
	return audit_finish(audit, policy->name, err);
}
