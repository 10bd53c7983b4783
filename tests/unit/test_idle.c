#include "idle.h"

#include <poll.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "processes.h"
#include "tests/unit/unit.h"

/* One look after the other: 100 s, so warned of at 90. */
static const struct look {
	int64_t at_s;
	bool used;
	enum idle_verdict want;
} looks[] = {
	{ 0, false, IDLE_GO_ON },   { 89, false, IDLE_GO_ON }, { 90, false, IDLE_WARN },
	{ 91, false, IDLE_GO_ON },  { 92, true, IDLE_AGAIN },  { 93, true, IDLE_GO_ON },
	{ 182, false, IDLE_GO_ON }, { 184, false, IDLE_WARN }, { 192, false, IDLE_GO_ON },
	{ 193, false, IDLE_STOP },  { 194, false, IDLE_STOP }, { 195, true, IDLE_AGAIN },
	{ 1000, false, IDLE_STOP },
};

static void test_judge(void **state)
{
	struct idle_clock clock = { .stop_s = 100 };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(looks); i++) {
		print_message("  at %lld s\n", (long long)looks[i].at_s);
		assert_int_equal(idle_judge(&clock, looks[i].at_s * 1000, looks[i].used),
		                 looks[i].want);
	}
}

static void test_times(void **state)
{
	static const struct {
		uint64_t stop_s, warn_s;
		int64_t look_ms;
	} rows[] = {
		{ 1, 0, 100 },         { 9, 0, 450 },        { 10, 1, 500 },
		{ 600, 60, 30000 },    { 1800, 180, 30000 }, { 3000, 300, 30000 },
		{ 86400, 300, 30000 },
	};
	struct idle_clock clock = { .stop_s = 1 };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		assert_int_equal(idle_warn_s(rows[i].stop_s), rows[i].warn_s);
		assert_int_equal(idle_look_ms(rows[i].stop_s), rows[i].look_ms);
	}
	/* Too short for a warning: none, and no end before its time. */
	assert_int_equal(idle_judge(&clock, 999, false), IDLE_GO_ON);
	assert_int_equal(idle_judge(&clock, 1000, false), IDLE_STOP);
}

static void test_cpu(void **state)
{
	(void)state;
	assert_false(idle_cpu_used(49999, 1000000, 5));
	assert_true(idle_cpu_used(50000, 1000000, 5));
	assert_false(idle_cpu_used(1999999, 1000000, 200));
	assert_true(idle_cpu_used(2000000, 1000000, 200));
	assert_true(idle_cpu_used(UINT64_MAX, 1000000, 5));
}

static void test_stat(void **state)
{
	static const struct {
		const char *text;
		bool ret;
		pid_t parent;
		uint64_t ticks;
	} rows[] = {
		{ "7 (sh) S 3 7 7 0 -1 4194560 9 8 7 6 10 20 300 4000 20 0 1 0 5 6 7",
		  true, 3, 4330 },
		{ "7 (a) R 9 9 (b) S 3 7 7 0 -1 4194560 9 8 7 6 1 2 3 4 20 0 1", true, 3,
		  10 },
		{ "7 (a\n) Z 3 7 7 0 -1 0 0 0 0 0 0 0 0 0 20", true, 3, 0 },
		{ "7 (sh) S 3 7 7 0 -1 4194560 9 8 7 6 10 20 300", false, 0, 0 },
		{ "7 (sh", false, 0, 0 },
		{ "", false, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct process process = { 0 };

		assert_int_equal(processes_read_stat(rows[i].text, &process),
		                 rows[i].ret);
		assert_int_equal(process.parent, rows[i].parent);
		assert_int_equal(process.ticks, rows[i].ticks);
	}
}

static void test_inside(void **state)
{
	struct process process[] = {
		{ .pid = 1 },
		{ .pid = 10, .parent = 1 },  /* init */
		{ .pid = 11, .parent = 10 }, /* its child */
		{ .pid = 12, .parent = 11 },
		{ .pid = 13, .parent = 1 },  /* somebody else, */
		{ .pid = 14, .parent = 13 }, /* and his */
		{ .pid = 15,
		  .parent = 16 }, /* in a circle, as a list that took a while has it */
		{ .pid = 16, .parent = 15 },
		{ .pid = 17, .parent = 999 }, /* whose parent is gone */
	};
	static const bool want[] = { false, true,  true,  true, false,
		                     false, false, false, false };
	struct processes list = {
		.proc = -EBADF, .init = 10, .process = process, .n = N_ELEMENTS(process)
	};

	(void)state;
	for (int again = 0; again < 2; again++)
		for (size_t i = 0; i < list.n; i++)
			assert_int_equal(processes_inside(&list, &process[i]), want[i]);
}

/* The supervisor's side. */
struct scene {
	struct loop loop;
	struct idle idle;
	char told[16];
};

static void tell(struct scene *scene, char what)
{
	const size_t n = strlen(scene->told);

	assert_true(n + 1 < sizeof(scene->told));
	scene->told[n] = what;
}

static bool ask(void *ctx)
{
	tell(ctx, '?');
	return true;
}

static void warn(void *ctx, uint64_t left_s)
{
	(void)left_s;
	tell(ctx, 'w');
}

static void again(void *ctx)
{
	tell(ctx, 'a');
}

static void stop(void *ctx)
{
	tell(ctx, 's');
}

static void say(void *ctx, const char *line)
{
	(void)line;
	tell(ctx, '!');
}

static const struct config config = { .idle_stop_s = 1, .idle_cpu = 102400 };

static void begin(struct scene *scene)
{
	struct err err = { 0 };

	idle_init(&scene->idle);
	scene->idle.config = &config;
	scene->idle.init = getpid();
	scene->idle.ask = ask;
	scene->idle.warn = warn;
	scene->idle.again = again;
	scene->idle.stop = stop;
	scene->idle.say = say;
	scene->idle.ctx = scene;
	assert_int_equal(idle_start(&scene->idle, &scene->loop, &err), 0);
}

/* Each turn until somebody is told something. */
static int end_turn(void *ctx, int fd, short revents, struct err *err)
{
	(void)ctx;
	(void)fd;
	(void)revents;
	(void)err;
	return LOOP_STOP;
}

static void turn(struct scene *scene)
{
	struct err err = { 0 };
	int pair[2];

	/* Readable at once, and served last. */
	assert_int_equal(pipe(pair), 0);
	assert_int_equal(write(pair[1], "", 1), 1);
	assert_int_equal(loop_add(&scene->loop, pair[0], POLLIN, end_turn, NULL, &err),
	                 0);
	assert_int_equal(loop_run(&scene->loop, &err), 0);
	loop_remove(&scene->loop, pair[0]);
	(void)close(pair[0]);
	(void)close(pair[1]);
}

static void test_session(void **state)
{
	static const struct itimerspec never;
	struct scene scene = { 0 };
	int one, two;

	(void)state;
	begin(&scene);
	/* The test says when it is time to look, not the machine's load. */
	assert_int_equal(timerfd_settime(scene.idle.timer, 0, &never, NULL), 0);
	scene.idle.clock.used_ms -= 5000;
	one = idle_session(&scene.idle);
	two = idle_session(&scene.idle);
	assert_true(one >= 0 && two >= 0);
	/* As long as one of them is open it is used, whenever it began. */
	scene.idle.clock.used_ms -= 5000;
	idle_connections(&scene.idle, 0); /* which nobody asked for */
	assert_string_equal(scene.told, "");
	(void)close(one);
	scene.idle.asked = true;
	idle_connections(&scene.idle, 0);
	assert_string_equal(scene.told, "");
	/* The end of the last one is use, too. */
	scene.idle.clock.used_ms -= 5000;
	(void)close(two);
	turn(&scene);
	scene.idle.asked = true;
	idle_connections(&scene.idle, 0);
	assert_string_equal(scene.told, "");
	scene.idle.clock.used_ms -= 5000;
	scene.idle.asked = true;
	idle_connections(&scene.idle, 0);
	assert_string_equal(scene.told, "s");
	/* Once: after that nobody is counted any more. */
	scene.idle.asked = true;
	idle_connections(&scene.idle, 0);
	assert_string_equal(scene.told, "s");
	assert_int_equal(idle_session(&scene.idle), -EBADF);
	idle_close(&scene.idle);
}

static void test_connections(void **state)
{
	struct scene scene = { 0 };

	(void)state;
	begin(&scene);
	scene.idle.clock.used_ms -= 5000;
	scene.idle.asked = true;
	idle_connections(&scene.idle, 1);
	assert_string_equal(scene.told, "");
	scene.idle.clock.used_ms -= 5000;
	scene.idle.asked = true;
	idle_connections(&scene.idle, 0);
	assert_string_equal(scene.told, "s");
	idle_close(&scene.idle);
}

/* What is not answered is looked at without, and asked anew: not never again. */
static void test_lost_answer(void **state)
{
	struct scene scene = { 0 };

	(void)state;
	begin(&scene);
	for (int i = 0; i < 3; i++) {
		scene.idle.clock.used_ms += 5000; /* it is not about its end */
		(void)usleep((useconds_t)idle_look_ms(config.idle_stop_s) * 1200);
		turn(&scene);
	}
	assert_string_equal(scene.told, "??");
	/* An answer is one, however late it comes. */
	scene.idle.asked = false;
	scene.idle.clock.used_ms = 0;
	idle_connections(&scene.idle, 0);
	assert_true(scene.idle.clock.used_ms == 0);
	idle_connections(&scene.idle, 1);
	assert_true(scene.idle.clock.used_ms > 0);
	assert_string_equal(scene.told, "??");
	idle_close(&scene.idle);
}

/* Whose processor time cannot be seen is taken for used, and that is said once. */
static void test_blind(void **state)
{
	struct scene scene = { 0 };

	(void)state;
	begin(&scene);
	scene.idle.init = 0;
	for (int i = 0; i < 2; i++) {
		scene.idle.clock.used_ms -= 5000;
		scene.idle.asked = true;
		idle_connections(&scene.idle, 0);
	}
	assert_string_equal(scene.told, "!");
	idle_close(&scene.idle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_judge),       cmocka_unit_test(test_times),
		cmocka_unit_test(test_cpu),         cmocka_unit_test(test_stat),
		cmocka_unit_test(test_inside),      cmocka_unit_test(test_session),
		cmocka_unit_test(test_connections), cmocka_unit_test(test_blind),
		cmocka_unit_test(test_lost_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
