#include "verify.h"

#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/unit.h"

/* What only somebody with more power than the launcher could change: by tables of their own. */

static const struct mount_fact pod[] = {
	{ .point = "/",
	  .root = "/",
	  .fstype = "ext4",
	  .device = "8:1",
	  .flags = "rw",
	  .shared = 3 },
	{ .point = "/srv",
	  .root = "/",
	  .fstype = "ext4",
	  .device = "8:2",
	  .flags = "rw" },
	{ .point = "/dev",
	  .root = "/",
	  .fstype = "devtmpfs",
	  .device = "0:6",
	  .flags = "rw" },
};

static const struct step volume = { .kind = STEP_BIND,
	                            .actor = ACTOR_WARDEN,
	                            .why = "",
	                            .source = "/srv/data",
	                            .target = "/data",
	                            .flags = PLAN_READ_ONLY | PLAN_NOSUID,
	                            .number = 1 };
static const struct step cover = { .kind = STEP_BIND,
	                           .actor = ACTOR_INIT,
	                           .why = "",
	                           .source = "/dev/null",
	                           .target = "/proc/keys",
	                           .via = "inside" };
static const struct step null = { .kind = STEP_DEVICE,
	                          .actor = ACTOR_WARDEN,
	                          .why = "",
	                          .source = "/dev/null",
	                          .target = "/dev/null" };
static const struct step root = { .kind = STEP_ROOT,
	                          .actor = ACTOR_WARDEN,
	                          .why = "",
	                          .source = "/srv/image",
	                          .flags = PLAN_NODEV };
static const struct step private = { .kind = STEP_PRIVATE,
	                             .actor = ACTOR_WARDEN,
	                             .why = "" };
static const struct step detach = { .kind = STEP_DETACH, .actor = ACTOR_INIT, .why = "" };

static const struct mount_case {
	const char *name;
	const struct step *step;
	struct mount_fact mount[2];
	enum verify_state state;
} mount_cases[] = {
	{ "as planned",
	  &volume,
	  { { .point = "/data",
	      .root = "/data",
	      .device = "8:2",
	      .flags = "ro,nosuid,relatime" } },
	  VERIFY_HOLDS },
	{ "covered by root inside",
	  &volume,
	  { { .point = "/data", .root = "/data", .device = "8:2", .flags = "ro,nosuid" },
	    { .point = "/data", .root = "/", .device = "0:99", .flags = "rw" } },
	  VERIFY_HOLDS },
	{ "the source is gone",
	  &volume,
	  { { .point = "/data",
	      .root = "/data//deleted",
	      .device = "8:2",
	      .flags = "ro,nosuid" } },
	  VERIFY_HOLDS },
	{ "writable",
	  &volume,
	  { { .point = "/data",
	      .root = "/data",
	      .device = "8:2",
	      .flags = "rw,nosuid" } },
	  VERIFY_DIFFERS },
	{ "a flag that only begins so",
	  &volume,
	  { { .point = "/data",
	      .root = "/data",
	      .device = "8:2",
	      .flags = "ro,nosuidx" } },
	  VERIFY_DIFFERS },
	{ "another file system",
	  &volume,
	  { { .point = "/data",
	      .root = "/data",
	      .device = "8:3",
	      .flags = "ro,nosuid" } },
	  VERIFY_DIFFERS },
	{ "another directory",
	  &volume,
	  { { .point = "/data",
	      .root = "/database",
	      .device = "8:2",
	      .flags = "ro,nosuid" } },
	  VERIFY_DIFFERS },
	{ "elsewhere",
	  &volume,
	  { { .point = "/data2",
	      .root = "/data",
	      .device = "8:2",
	      .flags = "ro,nosuid" } },
	  VERIFY_DIFFERS },
	{ "a device",
	  &null,
	  { { .point = "/dev/null", .root = "/null", .device = "0:6", .flags = "rw" } },
	  VERIFY_HOLDS },
	{ "another device",
	  &null,
	  { { .point = "/dev/null", .root = "/zero", .device = "0:6", .flags = "rw" } },
	  VERIFY_DIFFERS },
	{ "a cover that root inside took away",
	  &cover,
	  { { .point = "/dev", .root = "/", .device = "0:6", .flags = "" } },
	  VERIFY_CHANGED },
	{ "the root",
	  &root,
	  { { .point = "/", .root = "/image", .device = "8:2", .flags = "rw,nodev" } },
	  VERIFY_HOLDS },
	{ "a root with devices",
	  &root,
	  { { .point = "/", .root = "/image", .device = "8:2", .flags = "rw" } },
	  VERIFY_DIFFERS },
	{ "no mount of the pod appears",
	  &private,
	  { { .point = "/",
	      .root = "/image",
	      .device = "8:2",
	      .flags = "rw",
	      .shared = 9,
	      .master = 8 } },
	  VERIFY_HOLDS },
	{ "mounts of the pod appear",
	  &private,
	  { { .point = "/x",
	      .root = "/image",
	      .device = "8:2",
	      .flags = "rw",
	      .master = 3 } },
	  VERIFY_DIFFERS },
	{ "mounts appear in the pod",
	  &private,
	  { { .point = "/x",
	      .root = "/image",
	      .device = "8:2",
	      .flags = "rw",
	      .shared = 3 } },
	  VERIFY_DIFFERS },
	{ "the root is not the pod's",
	  &detach,
	  { { .point = "/", .root = "/image", .device = "8:1", .flags = "rw" } },
	  VERIFY_HOLDS },
	{ "the root is the pod's",
	  &detach,
	  { { .point = "/", .root = "/", .device = "8:1", .flags = "rw" } },
	  VERIFY_DIFFERS },
};

static void test_mounts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mount_cases) / sizeof(mount_cases[0]); i++) {
		const struct mount_case *c = &mount_cases[i];
		const struct packed_step step = { .step = *c->step };
		struct mount_fact mount[2] = { c->mount[0], c->mount[1] };
		cleanup_arena struct arena arena = { 0 };
		struct err err = { 0 };
		struct verify verify = { .arena = &arena,
			                 .plan = { .step = &step, .n = 1 },
			                 .mount = mount,
			                 .mount_n = mount[1].point ? 2 : 1,
			                 .pod = pod,
			                 .pod_n = sizeof(pod) / sizeof(pod[0]) };

		print_message("  %s\n", c->name);
		for (size_t j = 0; j < 2; j++)
			mount[j].fstype = "ext4";
		assert_int_equal(verify_of(c->step->kind)(&verify, &step, &err), 0);
		assert_int_equal(verify.n, 1);
		assert_string_equal(verify_state_name[verify.row[0].state],
		                    verify_state_name[c->state]);
	}
}

static const struct step drop = { .kind = STEP_CAPABILITIES,
	                          .why = "",
	                          .value = "net_raw" };
static const struct step seccomp = { .kind = STEP_SECCOMP, .why = "" };

static const struct status_case {
	const char *name, *init_mode;
	const struct step *step;
	const char *outside, *inside, *differs;
} status_cases[] = {
	{ "dropped everywhere", "none", &drop, "",
	  "Cap\nCapInh:\t0000000000000000\nCapPrm:\t000001ffffffdfff\nCapEff:"
	  "\t000001ffffffdfff\n"
	  "CapBnd:\t000001ffffffdfff\nCapAmb:\t0000000000000000\n",
	  "" },
	{ "still in the bounding set", "none", &drop, "",
	  "CapInh:\t0000000000000000\nCapPrm:\t000001ffffffdfff\nCapEff:"
	  "\t000001ffffffdfff\n"
	  "CapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000000\n",
	  "CapBnd" },
	{ "still permitted", "systemd", &drop, "",
	  "CapInh:\t0000000000000000\nCapPrm:\t0000000000002000\nCapEff:"
	  "\t0000000000000000\n"
	  "CapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\n",
	  "CapPrm" },
	{ "berth's own init keeps what it has", "berth", &drop, "",
	  "CapInh:\t0000000000000000\nCapPrm:\t0000000000002000\nCapEff:"
	  "\t0000000000002000\n"
	  "CapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\n",
	  "" },
	{ "a set that is not shown", "none", &drop, "",
	  "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n"
	  "CapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\n",
	  "CapInh" },
	{ "a filter more than outside", "none", &seccomp,
	  "NoNewPrivs:\t0\nSeccomp:\t2\nSeccomp_filters:\t1\n",
	  "NoNewPrivs:\t0\nSeccomp:\t2\nSeccomp_filters:\t2\n", "" },
	{ "the pod's filter alone", "none", &seccomp,
	  "NoNewPrivs:\t0\nSeccomp:\t2\nSeccomp_filters:\t1\n",
	  "NoNewPrivs:\t0\nSeccomp:\t2\nSeccomp_filters:\t1\n", "Seccomp_filters" },
	{ "no filter", "none", &seccomp,
	  "NoNewPrivs:\t0\nSeccomp:\t0\nSeccomp_filters:\t0\n",
	  "NoNewPrivs:\t0\nSeccomp:\t0\nSeccomp_filters:\t1\n", "Seccomp" },
	{ "no_new_privs was lost", "none", &seccomp,
	  "NoNewPrivs:\t1\nSeccomp:\t0\nSeccomp_filters:\t0\n",
	  "NoNewPrivs:\t0\nSeccomp:\t2\nSeccomp_filters:\t1\n", "NoNewPrivs" },
};

static void test_status(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(status_cases) / sizeof(status_cases[0]); i++) {
		const struct status_case *c = &status_cases[i];
		const struct record record = { .init_mode = c->init_mode };
		const struct packed_step step = { .step = *c->step };
		cleanup_arena struct arena arena = { 0 };
		struct err err = { 0 };
		struct verify verify = { .arena = &arena,
			                 .record = &record,
			                 .init_status = c->inside,
			                 .supervisor_status = c->outside };
		const char *differs = "";

		print_message("  %s\n", c->name);
		assert_int_equal(verify_of(c->step->kind)(&verify, &step, &err), 0);
		assert_true(verify.n > 0);
		for (size_t j = 0; j < verify.n; j++)
			if (verify.row[j].state == VERIFY_DIFFERS) {
				assert_string_equal(differs, "");
				differs = verify.row[j].what;
			}
		assert_string_equal(differs, c->differs);
	}
}

/* Our own limits stand for init's: the hard one is what it is by then. */
static void test_ulimit(void **state)
{
	static const struct {
		const char *target, *value;
		enum verify_state state;
	} cases[] = {
		{ "core", "0:7", VERIFY_HOLDS },
		{ "core", "9:9", VERIFY_HOLDS },
		{ "core", "9:unlimited", VERIFY_HOLDS },
		{ "core", "0:6", VERIFY_DIFFERS },
		{ "core", "0:0", VERIFY_DIFFERS },
	};
	const struct rlimit seven = { 5, 7 };

	(void)state;
	assert_int_equal(setrlimit(RLIMIT_CORE, &seven), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct packed_step step = { .step = { .kind = STEP_ULIMIT,
			                                    .actor = ACTOR_INIT,
			                                    .why = "",
			                                    .target = cases[i].target,
			                                    .value = cases[i].value } };
		cleanup_arena struct arena arena = { 0 };
		struct err err = { 0 };
		struct verify verify = { .arena = &arena, .init = getpid() };

		print_message("  %s %s\n", cases[i].target, cases[i].value);
		assert_int_equal(verify_of(STEP_ULIMIT)(&verify, &step, &err), 0);
		assert_int_equal(verify.n, 1);
		assert_string_equal(verify.row[0].what, "core");
		assert_string_equal(verify.row[0].real, "7");
		assert_int_equal(verify.row[0].state, cases[i].state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mounts),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_ulimit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
