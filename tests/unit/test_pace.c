#include <string.h>
#include <time.h>

#include "netns/qdisc.h"
#include "netns/relay_internal.h"
#include "tests/unit/unit.h"

#define MTU 1500
#define RATE 1000000 /* bytes a second */
#define NS_PER_MS INT64_C(1000000)

/* In relay_pace.c: what is saved up while nobody sends. */
#define BURST_MS 20

static struct relay relay;
static const struct endpoint v4 = { .address.s6_addr = {
					    [10] = 0xff, [11] = 0xff, [12] = 10 } };
static const struct endpoint v6 = { .address.s6_addr = { 0xfd } };

static int64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void rest_ms(int ms)
{
	const struct timespec time = { .tv_sec = ms / 1000,
		                       .tv_nsec = ms % 1000 * NS_PER_MS };

	(void)nanosleep(&time, NULL);
}

static int begin(void **state)
{
	(void)state;
	memset(&relay, 0, sizeof(relay));
	relay.mtu = MTU;
	TAILQ_INIT(&relay.paced);
	TAILQ_INIT(&relay.ready);
	return 0;
}

/* As many bytes as there are at once, in packets of @n with their headers. */
static int64_t drain(size_t n)
{
	int64_t total = 0;

	for (; pace_open(&relay); total += (int64_t)n)
		pace_packet(&relay, &v4, n - 34);
	return total;
}

static void test_without_rate(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_true(pace_open(&relay));
		pace_packet(&relay, &v4, 60000);
	}
	assert_int_equal(pace_most(&relay, 123456), 123456);
}

static void test_queue_at_once(void **state)
{
	const int64_t queue = shape_for(RATE, MTU).queue;
	int64_t begun, total, late;
	bool open = true;
	int wait = 0;

	(void)state;
	begun = now_ns();
	pace_set(&relay, RATE);
	total = drain(1000);
	late = (now_ns() - begun) / 1000; /* bytes that came due meanwhile */
	assert_in_range(total, queue, queue + 2000 + late);
	/* Where others had the processor meanwhile, it is open again: what counts is that it closes. */
	for (int i = 0; i < 100 && (open || wait == 0); i++) {
		(void)drain(1000);
		open = pace_open(&relay);
		wait = pace_wait_ms(&relay);
	}
	assert_false(open);
	assert_in_range(wait, 1, 3);
	rest_ms(wait);
	assert_true(pace_open(&relay));
	assert_int_equal(pace_wait_ms(&relay), 0);
}

static void test_rate_over_time(void **state)
{
	const int64_t ahead = shape_for(RATE, MTU).queue;
	int64_t begun, total = 0, took = INT64_MAX;

	(void)state;
	/* A machine that is busy with other things may be slower for once; nothing makes it faster. */
	for (int i = 0; i < 5 && total < took / 2; i++) {
		begun = now_ns();
		pace_set(&relay, RATE);
		for (total = 0; now_ns() < begun + 300 * NS_PER_MS;) {
			total += drain(MTU);
			rest_ms(pace_wait_ms(&relay));
		}
		took = (now_ns() - begun) / 1000;
		assert_true(total <= took + ahead + 2 * MTU);
	}
	assert_true(total >= took / 2);
}

static void test_idle_saves_little(void **state)
{
	const int64_t ahead = shape_for(RATE, MTU).queue;
	int64_t begun, total, late;

	(void)state;
	pace_set(&relay, RATE);
	rest_ms(100);
	begun = now_ns();
	total = drain(1000);
	late = (now_ns() - begun) / 1000;
	assert_true(total <= ahead + BURST_MS * RATE / 1000 + 2000 + late);
	assert_true(total >= ahead + BURST_MS * RATE / 1000 - 1000);
}

/* What @fn adds to the time of the next byte, in bytes. */
static int64_t costs(void (*fn)(struct relay *, const struct endpoint *, size_t),
                     const struct endpoint *to, size_t n)
{
	const int64_t before = relay.pace.next;

	fn(&relay, to, n);
	return (relay.pace.next - before) / 1000;
}

static void test_headers(void **state)
{
	(void)state;
	pace_set(&relay, RATE);
	assert_int_equal(costs(pace_packet, &v4, 100), 100 + 14 + 20);
	assert_int_equal(costs(pace_packet, &v6, 100), 100 + 14 + 40);
	/* Ten full packets of a stream. */
	assert_int_equal(costs(pace_stream, &v4, 10 * (MTU - 52)), 10 * (MTU + 14));
	assert_int_equal(costs(pace_stream, &v6, 10 * (MTU - 72)), 10 * (MTU + 14));
}

static void test_turns(void **state)
{
	(void)state;
	pace_set(&relay, 100000);
	assert_int_equal(pace_most(&relay, 65536), MTU);
	assert_int_equal(pace_most(&relay, 100), 100);
	pace_set(&relay, 10000000);
	assert_int_equal(pace_most(&relay, 65536), 10000);
}

static void test_woken_in_order(void **state)
{
	static struct tcp tcp[40];

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(tcp); i++)
		tcp_move(&tcp[i], &relay.paced);
	pace_resume(&relay);
	assert_ptr_equal(TAILQ_FIRST(&relay.ready), &tcp[0]);
	assert_ptr_equal(TAILQ_FIRST(&relay.paced), &tcp[16]);
	/* A rate that goes wakes as many, and the turns of the loop the rest. */
	pace_set(&relay, 0);
	assert_ptr_equal(TAILQ_FIRST(&relay.paced), &tcp[32]);
	pace_resume(&relay);
	assert_true(TAILQ_EMPTY(&relay.paced));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_without_rate, begin),
		cmocka_unit_test_setup(test_queue_at_once, begin),
		cmocka_unit_test_setup(test_rate_over_time, begin),
		cmocka_unit_test_setup(test_idle_saves_little, begin),
		cmocka_unit_test_setup(test_headers, begin),
		cmocka_unit_test_setup(test_turns, begin),
		cmocka_unit_test_setup(test_woken_in_order, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
