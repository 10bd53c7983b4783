#include "check.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/unit.h"

static void all(struct check_result *result, int outcome)
{
	for (size_t i = 0; i < CHECK_MAX; i++)
		result[i] = (struct check_result){ .outcome = outcome };
}

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < CHECK_MAX; i++) {
		print_message("  %zu %s\n", i,
		              checks[i].name ? checks[i].name : "(hole)");
		assert_non_null(checks[i].name);
		assert_non_null(checks[i].what);
		assert_non_null(checks[i].probe);
		assert_in_range(checks[i].place, 0, PLACE_MAX - 1);
		assert_int_not_equal(checks[i].tier, TIER_D);
		/* The text has a column of 16 for it. */
		assert_in_range(strlen(checks[i].name), 1, 15);
		for (size_t j = 0; j < i; j++) {
			assert_string_not_equal(checks[i].name, checks[j].name);
			assert_ptr_not_equal(checks[i].probe, checks[j].probe);
		}
		/* What comes after it is filtered, or may hang: that must cost no tier. */
		assert_true(i <= CHECK_SECCOMP || checks[i].tier == TIER_MAX);
	}
	for (size_t i = 0; i < TIER_MAX; i++) {
		assert_non_null(tier_name[i]);
		assert_non_null(tier_meaning[i]);
	}
}

static void test_tiers(void **state)
{
	static const struct {
		const char *name;
		enum check_id row[3];
		int outcome;
		enum tier want;
	} cases[] = {
		{ "no cgroup", { CHECK_CGROUP_OWN }, OUTCOME_NO, TIER_B },
		{ "a cgroup that was not tried",
		  { CHECK_CGROUP_OWN },
		  OUTCOME_UNTRIED,
		  TIER_B },
		{ "masked /proc",
		  { CHECK_PROC, CHECK_SYSFS, CHECK_UCOUNTS },
		  OUTCOME_NO,
		  TIER_C },
		{ "one ID", { CHECK_IDS, CHECK_SETGROUPS }, OUTCOME_NO, TIER_C },
		{ "one ID and no cgroup",
		  { CHECK_CGROUP_OWN, CHECK_IDS },
		  OUTCOME_NO,
		  TIER_C },
		{ "no user namespaces", { CHECK_USERNS }, OUTCOME_NO, TIER_D },
		{ "without capabilities", { CHECK_CAPABILITIES }, OUTCOME_NO, TIER_D },
		{ "no second level", { CHECK_NESTED }, OUTCOME_UNTRIED, TIER_D },
		{ "no maps", { CHECK_MAP, CHECK_IDS }, OUTCOME_NO, TIER_D },
		{ "only informs",
		  { CHECK_TUN, CHECK_FUSE, CHECK_VETH },
		  OUTCOME_NO,
		  TIER_A },
		{ "controllers are no tier", { CHECK_CONTROLLERS }, OUTCOME_NO, TIER_A },
		{ "sudo is none", { CHECK_NO_NEW_PRIVS }, OUTCOME_NO, TIER_A },
	};
	struct check_result result[CHECK_MAX];

	(void)state;
	all(result, OUTCOME_YES);
	assert_int_equal(check_tier(result), TIER_A);
	all(result, OUTCOME_UNTRIED);
	assert_int_equal(check_tier(result), TIER_D);
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		print_message("  %s\n", cases[i].name);
		all(result, OUTCOME_YES);
		for (size_t j = 0; j < 3; j++)
			if (cases[i].row[j])
				result[cases[i].row[j]].outcome = cases[i].outcome;
		assert_int_equal(check_tier(result), cases[i].want);
	}
}

static void test_remedies(void **state)
{
	static const struct {
		enum check_id id;
		int code;
		bool pod;
		const char *want;
	} cases[] = {
		{ CHECK_PROC, EPERM, true, "procMount: Unmasked" },
		{ CHECK_PROC, EPERM, false, "findmnt" },
		{ CHECK_PROC, EACCES, true, "appArmorProfile" },
		{ CHECK_IDS, 0, true, "hostUsers: false" },
		{ CHECK_IDS, 0, false, "--add-subuids" },
		{ CHECK_HELPERS, ENOENT, false, "uidmap" },
		{ CHECK_CGROUP_OWN, EROFS, true, "cgroup_writable" },
		{ CHECK_CGROUP_OWN, EACCES, false, "Delegate=yes" },
		{ CHECK_CGROUP_OWN, EAGAIN, true, "cgroup.max.descendants" },
		{ CHECK_NO_NEW_PRIVS, 0, true, "allowPrivilegeEscalation" },
		{ CHECK_USERNS, EPERM, true, "seccompProfile" },
		{ CHECK_USERNS, ENOSPC, true, "user.max_user_namespaces" },
		{ CHECK_NESTED, ENOSPC, true, "user.max_user_namespaces" },
		{ CHECK_CAPABILITIES, EPERM, true,
		  "apparmor_restrict_unprivileged_userns" },
		{ CHECK_MAP, EPERM, true, "SETFCAP" },
		{ CHECK_UCOUNTS, EROFS, true, "procMount: Unmasked" },
		{ CHECK_OVERLAY, EPERM, true, "5.11" },
		{ CHECK_UNSHARE, EPERM, true, "unshare" },
		{ CHECK_PIVOT, EPERM, true, "pivot_root" },
		{ CHECK_TMPFS, EACCES, true, "AppArmor" },
		{ CHECK_SECCOMP, ENOSYS, true, "system call" },
	};
	cleanup_arena struct arena arena = { 0 };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		const struct check_result result = { OUTCOME_NO, cases[i].code, "", "" };
		const char *got =
			check_remedy(cases[i].id, &result, cases[i].pod, &arena);

		print_message("  %s %d: %s\n", checks[cases[i].id].name, cases[i].code,
		              got ? got : "(none)");
		assert_non_null(got);
		assert_non_null(strstr(got, cases[i].want));
	}
}

/* What costs a tier says what to change, whatever of these was the reason. */
static void test_every_row(void **state)
{
	static const int codes[] = { EPERM, ENOSYS };
	cleanup_arena struct arena arena = { 0 };

	(void)state;
	for (size_t i = 0; i < CHECK_MAX; i++)
		for (size_t j = 0; j < N_ELEMENTS(codes); j++) {
			const struct check_result result = { OUTCOME_NO, codes[j], "",
				                             "" };

			if (checks[i].tier == TIER_MAX)
				continue;
			print_message("  %s %d\n", checks[i].name, codes[j]);
			assert_non_null(check_remedy(i, &result, true, &arena));
			assert_non_null(check_remedy(i, &result, false, &arena));
		}
}

static void test_own_remedy(void **state)
{
	const struct check_result result = { OUTCOME_NO, EPERM, "", "do that" };
	cleanup_arena struct arena arena = { 0 };

	(void)state;
	assert_string_equal(check_remedy(CHECK_PROC, &result, true, &arena), "do that");
	assert_null(check_remedy(CHECK_TUN,
	                         &(struct check_result){ OUTCOME_NO, EPERM, "", "" },
	                         true, &arena));
}

static const struct check_limit *limit(const struct check_limit *limits, const char *name)
{
	for (size_t i = 0; i < CHECK_LIMITS_N; i++)
		if (!strcmp(limits[i].name, name))
			return &limits[i];
	fail_msg("no limit '%s'", name);
	return NULL;
}

static void test_limits(void **state)
{
	struct check_result result[CHECK_MAX];
	struct check_limit limits[CHECK_LIMITS_N];
	cleanup_arena struct arena arena = { 0 };
	const struct idmap outer = { .n = 1, .extent = { { 0, 100000, 65536 } } };
	struct facts facts = { 0 };

	(void)state;
	all(result, OUTCOME_YES);
	check_limits(&facts, &outer, result, "cpuset cpu io memory hugetlb pids", true,
	             &arena, limits);
	for (size_t i = 0; i < CHECK_LIMITS_N; i++) {
		assert_true(limits[i].enforced);
		assert_null(limits[i].remedy);
	}
	assert_string_equal(limit(limits, "pids")->by, "cgroup");

	/* A word, not a part of one. */
	check_limits(&facts, &outer, result, "cpuset", true, &arena, limits);
	assert_false(limit(limits, "cpus")->enforced);
	assert_true(limit(limits, "cpuset")->enforced);
	assert_non_null(limit(limits, "cpus")->remedy);
	assert_true(limit(limits, "pids")->enforced);
	assert_non_null(strstr(limit(limits, "pids")->by, "RLIMIT_NPROC"));

	/* Never for the node's uid 0. */
	facts.node_root = true;
	check_limits(&facts, &outer, result, "cpuset", true, &arena, limits);
	assert_false(limit(limits, "pids")->enforced);
	facts.node_root = false;

	result[CHECK_CGROUP_OWN].outcome = OUTCOME_NO;
	result[CHECK_UCOUNTS].outcome = OUTCOME_NO;
	result[CHECK_UCOUNTS].code = EROFS;
	check_limits(&facts, &outer, result, "", true, &arena, limits);
	assert_false(limit(limits, "memory")->enforced);
	assert_non_null(strstr(limit(limits, "memory")->remedy, "cgroup_writable"));
	assert_false(limit(limits, "watches")->enforced);
	assert_non_null(strstr(limit(limits, "watches")->remedy, "procMount"));
	assert_true(limit(limits, "pids")->enforced);

	/* The limits on groups need no controller, and those of cgroup v1 no cgroup v2. */
	assert_false(limit(limits, "max-depth")->enforced);
	facts.cgroup1 = &(struct cgroup1_fact){ "memory", "/sys/fs/cgroup/memory", "/a",
		                                true, false };
	facts.cgroup1_n = 1;
	facts.cgroup1_writer = "/berth-cgroup1";
	check_limits(&facts, &outer, result, "", true, &arena, limits);
	assert_string_equal(limit(limits, "memory")->by, "cgroup v1");
	assert_true(limit(limits, "memory")->enforced);
	assert_false(limit(limits, "memory-high")->enforced);
	assert_non_null(strstr(limit(limits, "swap")->remedy, "swapaccount"));
	facts.cgroup1_writer = NULL;
	check_limits(&facts, &outer, result, "", true, &arena, limits);
	assert_non_null(strstr(limit(limits, "memory")->remedy, "berth-cgroup1"));
	facts.cgroup1_n = 0;

	all(result, OUTCOME_UNTRIED);
	check_limits(&facts, &outer, result, "", true, &arena, limits);
	for (size_t i = 0; i < CHECK_LIMITS_N; i++)
		assert_false(limits[i].enforced);
}

/* What v1 has cannot be handed down on v2, and nobody is told to. */
static void test_hybrid(void **state)
{
	static const struct cgroup1_fact v1[] = {
		{ "cpu,cpuacct", "/sys/fs/cgroup/cpu", "/", false, false },
		{ "memory", "/sys/fs/cgroup/memory", "/", false, false },
		{ "blkio", "/sys/fs/cgroup/blkio", "/", false, false },
	};
	struct facts facts = { .cgroup = { .ours = true, .controllers = "cpuset pids" },
		               .cgroup1 = v1,
		               .cgroup1_n = N_ELEMENTS(v1) };
	struct check_env env = { .facts = &facts };
	char detail[CHECK_DETAIL_MAX];
	struct err err = { 0 };

	(void)state;
	assert_int_equal(checks[CHECK_CONTROLLERS].probe(&env, detail, &err), 0);
	assert_string_equal(detail, "cpuset pids");

	facts.cgroup.controllers = "pids";
	assert_int_equal(checks[CHECK_CONTROLLERS].probe(&env, detail, &err), -ENOENT);
	assert_non_null(strstr(err.text, "'cpuset' is not handed to our group"));
	assert_non_null(strstr(err.hint, "Delegate=pids cpuset"));

	facts.cgroup1_n = 0;
	err_clear(&err);
	assert_int_equal(checks[CHECK_CONTROLLERS].probe(&env, detail, &err), -ENOENT);
	assert_non_null(strstr(err.text, "'cpu' is not handed to our group"));
	assert_string_equal(err.hint, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),      cmocka_unit_test(test_tiers),
		cmocka_unit_test(test_remedies),   cmocka_unit_test(test_every_row),
		cmocka_unit_test(test_own_remedy), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_hybrid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
