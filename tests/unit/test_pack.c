#include "pack.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "tests/unit/unit.h"
#include "verify.h"

/* One step of each kind, with texts that a path may have, and some without. */
static void fill(struct plan *plan)
{
	for (int kind = 0; kind < STEP_MAX; kind++) {
		struct step *s = plan_add(plan, (enum actor)(kind % ACTOR_MAX),
		                          (enum step_kind)kind, "why");

		s->target = kind % 2 ? "/a b\n\xff" : NULL;
		s->source = kind % 3 ? "" : NULL;
		s->value = "value";
		s->flags = UINT64_C(1) << kind % 64;
		s->number = (uint64_t)kind;
		s->optional = kind % 5 == 0;
	}
	plan->net = NET_RELAY;
	plan->relay.mtu = 1500;
	plan->limit[0] = (struct plan_limit){ .enforced = true, .step = 9, .steps = 2 };
	plan->limit_n = 1;
}

static void same_text(const char *a, const char *b)
{
	if (a)
		assert_string_equal(a, b);
	else
		assert_null(b);
}

static void test_round_trip(void **state)
{
	const struct gateway gateway = { .mtu = 1500, .rate = { 1, 2 } };
	cleanup_arena struct arena arena = { 0 };
	cleanup_plan struct plan plan = { 0 };
	struct packed_plan read;
	struct err err = { 0 };

	(void)state;
	fill(&plan);
	cleanup_close int fd = plan_pack(&plan, &gateway, 1, &err);

	assert_true(fd >= 0);
	assert_int_equal(plan_unpack(fd, &arena, &read, &err), 0);
	assert_int_equal(read.n, plan.n);
	assert_int_equal(read.net, NET_RELAY);
	assert_int_equal(read.gateway.rate[UPLOAD], 2);
	assert_int_equal(read.relay.mtu, 1500);
	for (size_t i = 0; i < plan.n; i++) {
		const struct step *a = &plan.step[i], *b = &read.step[i].step;

		assert_int_equal(a->kind, b->kind);
		assert_int_equal(a->actor, b->actor);
		assert_int_equal(a->optional, b->optional);
		assert_int_equal(a->flags, b->flags);
		assert_int_equal(a->number, b->number);
		same_text(a->why, b->why);
		same_text(a->target, b->target);
		same_text(a->source, b->source);
		same_text(a->value, b->value);
		same_text(a->via, b->via);
		/* The two steps of the limit that could not be written. */
		assert_int_equal(read.step[i].given_up, i == 8 || i == 9);
	}
	/* Who got it cannot change what the next one reads. */
	assert_int_equal(write(fd, "x", 1), -1);
}

/* Whatever is cut off or spoiled is refused, and nothing is read behind the end. */
static void test_spoiled(void **state)
{
	const struct gateway gateway = { .mtu = 1500 };
	cleanup_plan struct plan plan = { 0 };
	static unsigned char bytes[65536];
	struct err err = { 0 };
	ssize_t n;

	(void)state;
	fill(&plan);
	cleanup_close int fd = plan_pack(&plan, &gateway, 0, &err);

	n = pread(fd, bytes, sizeof(bytes), 0);
	assert_true(n > 0 && (size_t)n < sizeof(bytes));
	for (ssize_t len = 0; len < n; len += 1 + len / 50) {
		cleanup_close int cut = memfd_create("cut", MFD_CLOEXEC);
		cleanup_arena struct arena arena = { 0 };
		struct packed_plan read;

		assert_int_equal(write(cut, bytes, (size_t)len), len);
		assert_int_equal(plan_unpack(cut, &arena, &read, &err), -EPROTO);
		err_clear(&err);
	}
	for (ssize_t at = 0; at < n; at += 1 + at / 200) {
		cleanup_close int other = memfd_create("other", MFD_CLOEXEC);
		cleanup_arena struct arena arena = { 0 };
		struct packed_plan read;
		int r;

		bytes[at] ^= 0x80;
		assert_int_equal(write(other, bytes, (size_t)n), n);
		bytes[at] ^= 0x80;
		r = plan_unpack(other, &arena, &read, &err);
		assert_true(r == 0 || r == -EPROTO || r == -ENOMEM);
		err_clear(&err);
	}
}

/* Each kind is looked at, or of those of which nothing can be told from outside. */
static void test_verifiers(void **state)
{
	static const enum step_kind without[] = {
		STEP_SCOPE,     STEP_CGROUP_VIEW, STEP_HANDOVER, STEP_LOOKOUT,
		STEP_REROOT,    STEP_PIVOT,       STEP_AIRLOCK,  STEP_DIRECTORY,
		STEP_FILE,      STEP_LINK,        STEP_COPY,     STEP_WRAPPER,
		STEP_HOSTNAME,  STEP_LOOPBACK,    STEP_ADDRESS,  STEP_CONSOLE,
		STEP_NOTIFY,    STEP_USER,        STEP_GROUP,    STEP_SERVICE,
		STEP_SUPERVISE, STEP_EXEC,        STEP_UPPER,    STEP_BOOTSTRAP,
		STEP_IDLE,      STEP_OWN,         STEP_SEED,     STEP_HOOK,
	};

	(void)state;
	for (int kind = 0; kind < STEP_MAX; kind++) {
		bool expected = true;

		for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++)
			expected &= without[i] != (enum step_kind)kind;
		print_message("  %s\n", step_name[kind]);
		assert_int_equal(verify_of((enum step_kind)kind) != NULL, expected);
	}
	for (size_t i = 0; i < VERIFY_STATES; i++)
		assert_non_null(verify_state_name[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_spoiled),
		cmocka_unit_test(test_verifiers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
