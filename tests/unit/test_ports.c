#include "ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "netns/ports_link.h"
#include "tests/unit/unit.h"

/* The supervisor's side of a change; the test is the relay. */
static struct ports ports;
static struct loop loop;
static int stop;

/* What was answered last, and how often. */
static uint64_t who;
static int code, answers, changed;

static void on_say(void *ctx, const char *line)
{
	(void)ctx;
	(void)line;
}

static void on_changed(void *ctx)
{
	(void)ctx;
	changed++;
}

static void on_answer(void *ctx, uint64_t asked, const struct err *err)
{
	(void)ctx;
	who = asked;
	code = err->code;
	answers++;
}

/* At the second call: the first one is before those that come behind it in the loop. */
static int on_stop(void *ctx, int fd, short revents, struct err *err)
{
	static bool again;
	uint64_t n;

	(void)ctx;
	(void)revents;
	(void)err;
	again = !again;
	if (again)
		return LOOP_GO;
	return read(fd, &n, sizeof(n)) == sizeof(n) ? LOOP_STOP : LOOP_GO;
}

static int begin(void **state)
{
	struct err err = { 0 };

	(void)state;
	memset(&ports, 0, sizeof(ports));
	memset(&loop, 0, sizeof(loop));
	who = 0;
	code = answers = changed = 0;
	ports_init(&ports);
	ports.loop = &loop;
	ports.say = on_say;
	ports.changed = on_changed;
	ports.answer = on_answer;
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ports.link), 0);
	assert_int_equal(ports_start(&ports, -EBADF, &err), 0);
	stop = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(loop_add(&loop, stop, POLLIN, on_stop, NULL, &err), 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	loop_remove(&loop, stop);
	drop_fd(&stop);
	ports_close(&ports);
	return 0;
}

/* What is there to be done by the loop is done once. */
static void turn(void)
{
	const uint64_t one = 1;
	struct err err = { 0 };

	assert_int_equal(write(stop, &one, sizeof(one)), sizeof(one));
	assert_int_equal(loop_run(&loop, &err), 0);
}

/* "127.0.0.1:PORT:80" of a port that is free. */
static void free_port(char text[64])
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
	assert_int_equal(close(fd), 0);
	(void)snprintf(text, 64, "127.0.0.1:%u:80", ntohs(at.sin_port));
}

static size_t listed(void)
{
	struct arena arena = { 0 };
	const char *const *line;
	size_t n = 99;

	assert_int_equal(ports_list(&ports, &arena, &line, &n), 0);
	arena_done(&arena);
	return n;
}

/* What the relay is asked next. */
static struct ports_message asked(enum ports_word word)
{
	struct ports_message message = { 0 };
	int fd = -EBADF;

	assert_int_equal(ports_receive(ports.link[1], &message, &fd, MSG_DONTWAIT), 1);
	assert_int_equal(message.word, word);
	assert_int_equal(fd >= 0, word == PORTS_ADD);
	drop_fd(&fd);
	return message;
}

static void says_done(uint32_t id)
{
	const struct ports_message message = { .word = PORTS_DONE, .id = id };

	assert_int_equal(ports_send(ports.link[1], &message, -EBADF, 0), 0);
	turn();
}

static void test_answered_when_done(void **state)
{
	struct err err = { 0 };
	uint32_t id;
	char text[64];

	(void)state;
	free_port(text);
	assert_int_equal(ports_change(&ports, true, text, 7, &err), 1);
	id = asked(PORTS_ADD).id;
	turn();
	assert_int_equal(answers, 0);
	assert_int_equal(listed(), 0);
	/* Not before it is there. */
	assert_int_equal(ports_change(&ports, false, text, 8, &err), -ENOENT);
	err_clear(&err);
	says_done(id);
	assert_int_equal(answers, 1);
	assert_int_equal(who, 7);
	assert_int_equal(code, 0);
	assert_int_equal(listed(), 1);
	assert_int_equal(ports_change(&ports, false, text, 9, &err), 1);
	assert_int_equal(listed(), 0);
	says_done(asked(PORTS_REMOVE).id);
	assert_int_equal(answers, 2);
	assert_int_equal(who, 9);
	assert_int_equal(code, 0);
}

/* Two at a time, each answered by its own; the second one's port is not the first one's. */
static void test_several(void **state)
{
	struct err err = { 0 };
	uint32_t id[2];
	char text[64];

	(void)state;
	for (uint64_t i = 0; i < 2; i++) {
		free_port(text);
		assert_int_equal(ports_change(&ports, true, text, i + 1, &err), 1);
		id[i] = asked(PORTS_ADD).id;
	}
	says_done(id[1]);
	assert_int_equal(who, 2);
	assert_int_equal(listed(), 1);
	says_done(id[0]);
	assert_int_equal(who, 1);
	assert_int_equal(answers, 2);
	assert_int_equal(listed(), 2);
}

static void test_lost(void **state)
{
	struct err err = { 0 };
	char text[64];

	(void)state;
	free_port(text);
	assert_int_equal(ports_change(&ports, true, text, 3, &err), 1);
	drop_fd(&ports.link[1]);
	turn();
	assert_int_equal(answers, 1);
	assert_int_equal(who, 3);
	assert_int_equal(code, ECONNRESET);
	assert_int_equal(ports.n, 0);
	assert_int_equal(ports_change(&ports, true, text, 4, &err), -ENONET);
}

/* A relay that hangs costs the supervisor nothing, however many ask. */
static void test_many(void **state)
{
	struct err err = { 0 };
	char text[64];

	(void)state;
	for (uint64_t i = 0; i < PORTS_CHANGES; i++) {
		free_port(text);
		assert_int_equal(ports_change(&ports, true, text, i, &err), 1);
	}
	free_port(text);
	assert_int_equal(ports_change(&ports, true, text, 99, &err), -EBUSY);
	turn();
	assert_int_equal(answers, 0);
}

/* It takes as long as people are made to wait. */
static void test_given_up(void **state)
{
	struct ports_message message;
	struct err err = { 0 };
	uint32_t id;
	char text[64];

	(void)state;
	free_port(text);
	assert_int_equal(ports_change(&ports, true, text, 5, &err), 1);
	id = asked(PORTS_ADD).id;
	for (int i = 0; i < 80 && answers == 0; i++) {
		(void)usleep(100000);
		turn();
	}
	assert_int_equal(answers, 1);
	assert_int_equal(who, 5);
	assert_int_equal(code, ETIMEDOUT);
	assert_int_equal(ports.n, 0);
	/* And it must not serve what nobody knows of. */
	message = asked(PORTS_REMOVE);
	assert_int_equal(message.id, id);
}

/* A range that is free: "127.0.0.1:FIRST-LAST:1-N/udp", of all that a workspace may have. */
static void free_range(char text[64])
{
	const unsigned int first =
		20000 +
		(unsigned int)getpid() % 16 * PUBLISH_MAX; /* below all ephemeral ones */

	(void)snprintf(text, 64, "127.0.0.1:%u-%u:1-%u/udp", first,
	               first + PUBLISH_MAX - 1, PUBLISH_MAX);
}

/* Does what it is asked as the relay would, as far as the link has it. Return: how much. */
static unsigned int relay_turn(unsigned int *ret_adds, unsigned int *ret_removals)
{
	struct ports_message message = { 0 };
	unsigned int n = 0;
	int fd = -EBADF;

	while (ports_receive(ports.link[1], &message, &fd, MSG_DONTWAIT) == 1) {
		const struct ports_message done = { .word = PORTS_DONE,
			                            .id = message.id };

		drop_fd(&fd);
		*ret_adds += message.word == PORTS_ADD;
		*ret_removals += message.word == PORTS_REMOVE;
		assert_int_equal(ports_send(ports.link[1], &done, -EBADF, MSG_DONTWAIT),
		                 0);
		n++;
	}
	turn();
	turn();
	return n;
}

/* More than the link has room for. */
static void test_range(void **state)
{
	unsigned int adds = 0, removals = 0;
	struct err err = { 0 };
	char text[64];

	(void)state;
	free_range(text);
	assert_int_equal(ports_change(&ports, true, text, 1, &err), 1);
	while (answers == 0)
		assert_true(relay_turn(&adds, &removals) > 0);
	assert_int_equal(code, 0);
	assert_int_equal(adds, PUBLISH_MAX);
	assert_int_equal(listed(), PUBLISH_MAX);

	assert_int_equal(ports_change(&ports, false, text, 2, &err), 1);
	assert_int_equal(listed(), 0);
	while (answers == 1)
		assert_true(relay_turn(&adds, &removals) > 0);
	assert_int_equal(code, 0);
	assert_int_equal(removals, PUBLISH_MAX);
	/* There is room for as many again. */
	assert_int_equal(ports_change(&ports, true, text, 3, &err), 1);
}

/* By a relay that does nothing for a while: what it got it is told to close when it wakes up. */
static void test_range_given_up(void **state)
{
	unsigned int adds = 0, removals = 0;
	struct err err = { 0 };
	char text[64];

	(void)state;
	free_range(text);
	assert_int_equal(ports_change(&ports, true, text, 5, &err), 1);
	for (int i = 0; i < 80 && answers == 0; i++) {
		(void)usleep(100000);
		turn();
	}
	assert_int_equal(answers, 1);
	assert_int_equal(code, ETIMEDOUT);
	assert_int_equal(ports.n, 0);
	while (relay_turn(&adds, &removals) > 0)
		continue;
	assert_true(adds > 0 && adds < PUBLISH_MAX);
	assert_int_equal(removals, adds);
	/* Those that it never got are closed, too. */
	assert_int_equal(ports_change(&ports, true, text, 6, &err), 1);
	while (answers == 1)
		assert_true(relay_turn(&adds, &removals) > 0);
	assert_int_equal(code, 0);
	assert_int_equal(listed(), PUBLISH_MAX);
}

/* New rates reach it, however full its end is. */
static void test_rates_wait(void **state)
{
	const struct ports_message use = { .word = PORTS_USE };
	const struct gateway gateway = { .mtu = 1234, .paced = true, .rate[UPLOAD] = 5 };
	struct ports_message message = { 0 };
	int fd = -EBADF;
	bool told[2] = { false, false };

	(void)state;
	while (ports_send(ports.link[0], &use, -EBADF, MSG_DONTWAIT) == 0)
		continue;
	ports_gateway(&ports, &gateway);
	for (int i = 0; i < 3; i++) {
		while (ports_receive(ports.link[1], &message, &fd, MSG_DONTWAIT) == 1) {
			told[0] |= message.word == PORTS_MTU && message.port == 1234;
			told[1] |= message.word == PORTS_PACE && message.rate == 5;
		}
		turn();
	}
	assert_true(told[0] && told[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answered_when_done, begin, end),
		cmocka_unit_test_setup_teardown(test_several, begin, end),
		cmocka_unit_test_setup_teardown(test_lost, begin, end),
		cmocka_unit_test_setup_teardown(test_many, begin, end),
		cmocka_unit_test_setup_teardown(test_given_up, begin, end),
		cmocka_unit_test_setup_teardown(test_range, begin, end),
		cmocka_unit_test_setup_teardown(test_range_given_up, begin, end),
		cmocka_unit_test_setup_teardown(test_rates_wait, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
