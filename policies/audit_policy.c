#include <errno.h>
#include <string.h>

#include "audit_internal.h"

static const struct policy_setting *get(const struct audit_subject *s, const char *key)
{
	for (size_t i = 0; i < s->policy->n; i++)
		if (!strcmp(s->policy->setting[i].key->path, key))
			return &s->policy->setting[i];
	return NULL;
}

static bool is(const struct audit_subject *s, const char *key, const char *value)
{
	const struct policy_setting *setting = get(s, key);

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
	if (!get(s, s->rule->arg))
		audit_report_key(s, NULL, s->rule->arg,
		                 audit_text(s, "%s is not said", s->rule->arg));
}

/* Nothing to hold where there is no network; the pod's own is held by nobody. */
void audit_policy_network_missing(const struct audit_subject *s)
{
	if (!is(s, "network.uplink", "none") && !is(s, "network.uplink", "host"))
		audit_policy_missing(s);
}

void audit_policy_uplink(const struct audit_subject *s)
{
	if (is(s, "network.uplink", "host"))
		report(s, get(s, "network.uplink"));
}

void audit_policy_auto(const struct audit_subject *s)
{
	const struct policy_setting *setting = get(s, "network.uplink");

	if (!setting)
		audit_report_key(s, NULL, "network.uplink",
		                 "network.uplink is not said, which is auto");
	else if (!strcmp(setting->value, "auto"))
		report(s, setting);
}

void audit_policy_egress(const struct audit_subject *s)
{
	const struct policy_setting *setting = get(s, "network.egress_default");

	/* The pod's own network, where nothing is judged, has its own finding. */
	if (is(s, "network.uplink", "none") || is(s, "network.uplink", "host"))
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
		    !get(s, "network.publish_allow"))
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

static bool is_read_only(const char *volume)
{
	size_t len = strlen(volume);

	return len > 3 && !strcmp(volume + len - 3, ":ro");
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

static bool names(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = list; (at = strstr(at, word)); at += len)
		if ((at == list || at[-1] == ',') && (at[len] == '\0' || at[len] == ','))
			return true;
	return false;
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
	if (get(s, "limits.memory") && !get(s, "limits.swap"))
		audit_report_key(s, get(s, "limits.memory"), "limits.swap",
		                 "limits.memory without limits.swap");
}

void audit_policy_host_root(const struct audit_subject *s)
{
	if (is(s, "rootfs", "host"))
		report(s, get(s, "rootfs"));
}

void audit_policy_shared_root(const struct audit_subject *s)
{
	const struct policy_setting *setting = get(s, "rootfs");
	size_t len = setting ? strlen(setting->value) : 0;

	if (setting && strcmp(setting->value, "host") != 0 &&
	    !(len > 2 && !strcmp(setting->value + len - 2, ":O")))
		report(s, setting);
}

void audit_workspace_limit(const struct audit_subject *s)
{
	for (size_t i = 0; i < s->workspace->limits_n; i++)
		if (strstr(s->workspace->limits[i], "not enforced"))
			audit_report_key(
				s, NULL, "limits",
				audit_text(s, "%.300s", s->workspace->limits[i]));
}

void audit_workspace_group(const struct audit_subject *s)
{
	if (!s->workspace->grouped)
		audit_report_key(s, NULL, "limits", "it has no control group");
}

void audit_workspace_net(const struct audit_subject *s)
{
	if (!strcmp(s->workspace->net, "host") && !is(s, "network.uplink", "host"))
		audit_report_key(s, NULL, "network.uplink", "auto came to host");
}

void audit_workspace_oom(const struct audit_subject *s)
{
	if (s->workspace->oom_kills > 0)
		audit_report_key(s, NULL, "limits.memory",
		                 audit_text(s, "%llu processes were ended",
		                            (unsigned long long)s->workspace->oom_kills));
}

void audit_workspace_pids(const struct audit_subject *s)
{
	if (s->workspace->pids_max > 0)
		audit_report_key(s, NULL, "limits.pids",
		                 audit_text(s, "refused %llu times",
		                            (unsigned long long)s->workspace->pids_max));
}

static int finish(struct audit *audit, const char *name, struct err *err)
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
	return finish(audit, policy->name, err);
}

/* Of two keys with one option the map is meant where the value is a pair. */
static const struct policy_key *key_of(const char *option, const char *value)
{
	bool pair = strchr(value, '=') != NULL;

	for (size_t i = 0; i < policy_keys_n; i++)
		if (!strcmp(policy_keys[i].option, option) &&
		    (strcmp(option, "env") != 0 ||
		     pair == (policy_keys[i].type == POLICY_MAP)))
			return &policy_keys[i];
	return NULL;
}

/* The options as settings: an option is a policy of one line. */
static int read_words(const struct audit_workspace *w, struct arena *arena,
                      struct policy *ret, struct err *err)
{
	struct policy_setting *setting =
		arena_alloc(arena, (w->words_n + 1) * sizeof(*setting));
	size_t n = 0;

	if (!setting)
		return err_set(err, ENOMEM, "audit '%s'", w->name);
	/* The words up to "--" are an option and its value, but for flags. */
	for (size_t i = 1; i + 1 < w->words_n && strcmp(w->words[i], "--") != 0; i++) {
		const struct policy_key *key =
			strncmp(w->words[i], "--", 2)
				? NULL
				: key_of(w->words[i] + 2, w->words[i + 1]);

		if (key)
			setting[n++] = (struct policy_setting){ .key = key,
				                                .value = w->words[++i] };
	}
	*ret = (struct policy){ .name = w->name, .setting = setting, .n = n };
	return 0;
}

int audit_workspace(struct audit *audit, const struct audit_workspace *workspace,
                    struct err *err)
{
	struct audit_subject s = { .audit = audit, .workspace = workspace };
	struct policy policy;
	int r = read_words(workspace, audit->arena, &policy, err);

	if (r < 0)
		return r;
	audit->in_file = 0;
	s.policy = &policy;
	s.name = arena_printf(audit->arena, "workspace %s", workspace->name);
	audit_run(&s, AUDIT_POLICY);
	audit_run(&s, AUDIT_WORKSPACE);
	return finish(audit, workspace->name, err);
}
