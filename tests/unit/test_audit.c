#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policies/audit.h"
#include "policies/yaml.h"
#include "tests/unit/unit.h"

/* The rules of manifests and policies have their cases in tests/golden/audit_cases.py. */

/* Nothing is found in this one. */
static const char *const good_words[] = {
	"run",
	"--name",
	"ws",
	"--net",
	"relay",
	"--audit-required",
	"--uidmap",
	"0:100000:65536",
	"--gidmap",
	"0:100000:65536",
	"--nested",
	"false",
	"--cap-drop",
	"net_raw,net_admin",
	"--rate-down",
	"1mbit",
	"--rate-up",
	"1mbit",
	"--pids",
	"100",
	"--memory",
	"1g",
	"--swap",
	"0",
	"--cpus",
	"1",
	"--watches",
	"100",
	"--inotify-instances",
	"10",
	"--io",
	"/dev/sda:wbps=1m",
	"--max-descendants",
	"100",
	"--egress-default",
	"deny",
	"--rm",
	"--",
	"cmd",
	"--net",
	"host",
};
static const struct audit_workspace good = {
	.name = "ws",
	.words = good_words,
	.words_n = N_ELEMENTS(good_words),
	.net = "relay",
	.grouped = true,
};

static const char *const held[] = { "memory 1g: memory.max" };
static const char *const lost[] = { "pids 100: not enforced: no controller" };
static const char *const auto_words[] = {
	"run", "--net", "auto", "--env", "API_TOKEN=hidden", "--"
};

static void workspace_held(struct audit_workspace *w)
{
	w->limits = held;
	w->limits_n = 1;
}

static void workspace_lost(struct audit_workspace *w)
{
	w->limits = lost;
	w->limits_n = 1;
}

static void workspace_groupless(struct audit_workspace *w)
{
	w->grouped = false;
}

static void workspace_alone(struct audit_workspace *w)
{
	w->net = "none";
}

static void workspace_oom(struct audit_workspace *w)
{
	w->oom_kills = 2;
}

static void workspace_pids(struct audit_workspace *w)
{
	w->pids_max = 1;
}

static const struct workspace_case {
	const char *name;
	void (*change)(struct audit_workspace *w);
	const char *rule; /* the only finding, NULL for none */
} workspace_cases[] = {
	{ "a good one", NULL, NULL },
	{ "limits that hold", workspace_held, NULL },
	{ "one that does not", workspace_lost, "BW001" },
	{ "no group", workspace_groupless, "BW002" },
	{ "no network", workspace_alone, "BW003" },
	{ "out of memory", workspace_oom, "BW004" },
	{ "out of processes", workspace_pids, "BW005" },
};

static void test_workspace(void **state)
{
	(void)state;

	for (size_t i = 0; i < N_ELEMENTS(workspace_cases); i++) {
		const struct workspace_case *c = &workspace_cases[i];
		cleanup_arena struct arena arena = { 0 };
		struct audit audit = { .arena = &arena };
		struct audit_workspace workspace = good;
		struct err err = { 0 };

		print_message("  %s\n", c->name);
		if (c->change)
			c->change(&workspace);
		assert_int_equal(audit_workspace(&audit, &workspace, &err), 0);
		if (!c->rule) {
			if (audit.first)
				print_message("%s\n", audit.first->rule->id);
			assert_null(audit.first);
			continue;
		}
		assert_non_null(audit.first);
		assert_string_equal(audit.first->rule->id, c->rule);
		assert_ptr_equal(audit.first, audit.last);
		assert_string_equal(audit.first->subject, "workspace ws");
		assert_null(audit.first->file);
	}
}

/* Its options are a policy: what a rule finds there is found here. */
static void test_workspace_policy(void **state)
{
	cleanup_arena struct arena arena = { 0 };
	struct audit audit = { .arena = &arena };
	struct audit_workspace workspace = good;
	struct err err = { 0 };
	unsigned int found = 0;

	(void)state;
	workspace.words = auto_words;
	workspace.words_n = N_ELEMENTS(auto_words);
	assert_int_equal(audit_workspace(&audit, &workspace, &err), 0);
	for (const struct audit_finding *f = audit.first; f; f = f->next)
		found += !strcmp(f->rule->id, "BP001") || !strcmp(f->rule->id, "BP010") ||
		         !strcmp(f->rule->id, "BP015");
	assert_int_equal(found, 3);
}

/* A file that is refused leaves nothing, whatever was found in it before. */
static void test_refused(void **state)
{
	static const char first[] = "kind: Pod\nspec: {hostPID: true}\n";
	static const char bad[] = "kind: Pod\nspec: {hostPID: true, containers: [{}]}\n"
				  "---\nspec: {}\n";
	cleanup_arena struct arena arena = { 0 };
	struct audit audit = { .arena = &arena };
	struct audit before;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(audit_manifest(&audit, "a", first, strlen(first), &err), 0);
	assert_non_null(audit.first);
	before = audit;
	assert_int_equal(audit_manifest(&audit, "b", bad, strlen(bad), &err), -EINVAL);
	assert_string_equal(err.text, "b:4:1: no Kubernetes object: it has no 'kind'");
	assert_memory_equal(&audit, &before, sizeof(audit));
	assert_null(audit.last->next);
	assert_null(audit.tier);
}

/* All of the containers have findings, and there are too many of them. */
static void test_many(void **state)
{
	static const char head[] = "kind: Pod\nspec:\n  containers:\n";
	cleanup_arena struct arena arena = { 0 };
	struct audit audit = { .arena = &arena };
	struct err err = { 0 };
	size_t used = strlen(head);
	char *text = malloc(used + 7 * 100000 + 1);

	(void)state;
	assert_non_null(text);
	memcpy(text, head, used);
	for (int i = 0; i < 100000; i++, used += 7)
		memcpy(text + used, "  - {}\n", 7);
	assert_int_equal(audit_manifest(&audit, "a", text, used, &err), -E2BIG);
	free(text);
	assert_string_equal(err.text, "a: more than 10000 findings");
	assert_null(audit.first);
	assert_int_equal(audit_count(&audit, AUDIT_INFO), 0);
}

/* Keys that are part of the names that are known, or none at all. */
static void test_fields(void **state)
{
	static const char text[] = "kind: Pod\nspec:\n  '': 1\n  ' ': 1\n"
				   "  hostIPC hostNetwork: 1\n  containers: []\n";
	cleanup_arena struct arena arena = { 0 };
	struct audit audit = { .arena = &arena };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(audit_manifest(&audit, "a", text, strlen(text), &err), 0);
	for (const struct audit_finding *f = audit.first; f; f = f->next)
		assert_string_not_equal(f->rule->id, "BK022");
}

static void test_count(void **state)
{
	struct audit audit = { .n = { 1, 2, 4, 8 } };

	(void)state;
	assert_int_equal(audit_count(&audit, AUDIT_INFO), 15);
	assert_int_equal(audit_count(&audit, AUDIT_LOW), 14);
	assert_int_equal(audit_count(&audit, AUDIT_MEDIUM), 12);
	assert_int_equal(audit_count(&audit, AUDIT_HIGH), 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_workspace), cmocka_unit_test(test_workspace_policy),
		cmocka_unit_test(test_refused),   cmocka_unit_test(test_many),
		cmocka_unit_test(test_count),     cmocka_unit_test(test_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
