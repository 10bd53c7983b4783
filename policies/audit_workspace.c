#include <errno.h>
#include <string.h>

#include "audit_internal.h"

/* Workspaces that run: their options as a policy, and what became of those. */

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
	if (!strcmp(s->workspace->net, "none") &&
	    !audit_setting_is(s, "network.uplink", "none"))
		audit_report_key(s, NULL, "network.uplink", "auto came to none");
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

		/* A flag is said by its name alone. */
		const bool flag = key && key->type == POLICY_BOOL &&
		                  strcmp(key->option, "nested") != 0;

		if (key)
			setting[n++] = (struct policy_setting){
				.key = key,
				.value = flag ? "true" : w->words[++i],
			};
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
	return audit_finish(audit, workspace->name, err);
}
