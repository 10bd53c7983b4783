#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/fd.h"
#include "loop.h"
#include "tests/unit/unit.h"

/**
 * struct story - What happened, one letter an event
 * @a, @b, @c:	pairs: [0] is in the loop, the test writes into [1]
 */
struct story {
	struct loop loop;
	char text[64];
	int a[2], b[2], c[2];
};

static void tell(struct story *story, char letter)
{
	size_t len = strlen(story->text);

	assert_true(len + 1 < sizeof(story->text));
	story->text[len] = letter;
}

static int setup(void **state)
{
	struct story *story = calloc(1, sizeof(*story));

	if (!story || socketpair(AF_UNIX, SOCK_STREAM, 0, story->a) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, story->b) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, story->c) < 0)
		return -1;
	*state = story;
	return 0;
}

static int teardown(void **state)
{
	struct story *story = *state;

	for (size_t i = 0; i < 2; i++) {
		drop_fd(&story->a[i]);
		drop_fd(&story->b[i]);
		drop_fd(&story->c[i]);
	}
	free(story);
	return 0;
}

static void poke(const int pair[2])
{
	assert_int_equal(write(pair[1], "x", 1), 1);
}

static void take(int fd)
{
	char byte;

	assert_int_equal(read(fd, &byte, 1), 1);
}

static int on_a(void *ctx, int fd, short revents, struct err *err)
{
	(void)revents;
	(void)err;
	take(fd);
	tell(ctx, 'a');
	return LOOP_GO;
}

static int on_b(void *ctx, int fd, short revents, struct err *err)
{
	(void)revents;
	(void)err;
	take(fd);
	tell(ctx, 'b');
	return LOOP_GO;
}

static int on_stop(void *ctx, int fd, short revents, struct err *err)
{
	(void)revents;
	(void)err;
	take(fd);
	tell(ctx, 's');
	return LOOP_STOP;
}

static int on_failure(void *ctx, int fd, short revents, struct err *err)
{
	(void)ctx;
	(void)revents;
	take(fd);
	return err_set(err, EIO, "read the source");
}

static void add(struct story *story, int fd, loop_fn fn)
{
	struct err err = { 0 };

	assert_int_equal(loop_add(&story->loop, fd, POLLIN, fn, story, &err), 0);
}

static void test_order_is_that_of_adding(void **state)
{
	struct story *story = *state;
	struct err err = { 0 };

	add(story, story->b[0], on_b);
	add(story, story->a[0], on_a);
	add(story, story->c[0], on_stop);
	poke(story->c);
	poke(story->a);
	poke(story->b);
	assert_int_equal(loop_run(&story->loop, &err), 0);
	assert_string_equal(story->text, "bas");
}

static void test_failure(void **state)
{
	struct story *story = *state;
	struct err err = { 0 };

	add(story, story->a[0], on_failure);
	add(story, story->b[0], on_b);
	poke(story->a);
	poke(story->b);
	assert_int_equal(loop_run(&story->loop, &err), -EIO);
	assert_string_equal(err.text, "read the source");
	assert_string_equal(story->text, "");
}

/* Takes out b, and itself. */
static int on_remove(void *ctx, int fd, short revents, struct err *err)
{
	struct story *story = ctx;

	(void)revents;
	(void)err;
	take(fd);
	tell(story, 'r');
	loop_remove(&story->loop, story->b[0]);
	loop_remove(&story->loop, fd);
	return LOOP_GO;
}

static void test_removed_in_the_same_round(void **state)
{
	struct story *story = *state;
	struct err err = { 0 };

	add(story, story->a[0], on_remove);
	add(story, story->b[0], on_b);
	add(story, story->c[0], on_stop);
	poke(story->a);
	poke(story->b);
	poke(story->c);
	assert_int_equal(loop_run(&story->loop, &err), 0);
	assert_string_equal(story->text, "rs");
	/* Both can be added again, and removing what is not in does nothing. */
	loop_remove(&story->loop, story->b[0]);
	loop_remove(&story->loop, story->c[0]);
	add(story, story->b[0], on_b);
	add(story, story->c[0], on_stop);
	poke(story->c);
	assert_int_equal(loop_run(&story->loop, &err), 0);
	assert_string_equal(story->text, "rsbs");
}

/* Closes b and adds another source, which gets b's number. */
static int on_replace(void *ctx, int fd, short revents, struct err *err)
{
	struct story *story = ctx;
	int old = story->b[0];

	(void)revents;
	take(fd);
	loop_remove(&story->loop, old);
	assert_int_equal(close(old), 0);
	assert_int_equal(dup2(story->c[0], old), old);
	return loop_add(&story->loop, old, POLLIN, on_stop, story, err);
}

static void test_a_number_used_again_is_another_source(void **state)
{
	struct story *story = *state;
	struct err err = { 0 };

	add(story, story->a[0], on_replace);
	add(story, story->b[0], on_b);
	poke(story->a);
	poke(story->b);
	poke(story->c);
	/* take() in on_b would fail on the new one, were it called for the old. */
	assert_int_equal(loop_run(&story->loop, &err), 0);
	assert_string_equal(story->text, "s");
}

static int on_pause(void *ctx, int fd, short revents, struct err *err)
{
	struct story *story = ctx;

	(void)revents;
	(void)err;
	take(fd);
	tell(story, 'p');
	loop_set_events(&story->loop, story->b[0], 0);
	return LOOP_GO;
}

static void test_paused(void **state)
{
	struct story *story = *state;
	struct err err = { 0 };

	add(story, story->a[0], on_pause);
	add(story, story->b[0], on_b);
	add(story, story->c[0], on_stop);
	poke(story->a);
	poke(story->b);
	poke(story->c);
	assert_int_equal(loop_run(&story->loop, &err), 0);
	assert_string_equal(story->text, "ps");

	/* A hang-up does not wake it either. */
	drop_fd(&story->b[1]);
	poke(story->c);
	assert_int_equal(loop_run(&story->loop, &err), 0);
	assert_string_equal(story->text, "pss");
	loop_set_events(&story->loop, story->b[0], POLLIN);
	poke(story->c);
	assert_int_equal(loop_run(&story->loop, &err), 0);
	assert_string_equal(story->text, "pssbs");
}

static int on_hang_up(void *ctx, int fd, short revents, struct err *err)
{
	(void)fd;
	(void)err;
	assert_true(revents & POLLHUP);
	tell(ctx, 'h');
	return LOOP_STOP;
}

static void test_hang_up(void **state)
{
	struct story *story = *state;
	struct err err = { 0 };

	add(story, story->a[0], on_hang_up);
	drop_fd(&story->a[1]);
	assert_int_equal(loop_run(&story->loop, &err), 0);
	assert_string_equal(story->text, "h");
}

static int writable_then_stop(void *ctx, int fd, short revents, struct err *err)
{
	struct story *story = ctx;

	(void)err;
	assert_int_equal(revents, POLLOUT);
	tell(story, 'w');
	loop_set_events(&story->loop, fd, 0);
	poke(story->c);
	return LOOP_GO;
}

static void test_writable(void **state)
{
	struct story *story = *state;
	struct err err = { 0 };

	assert_int_equal(loop_add(&story->loop, story->a[0], POLLOUT, writable_then_stop,
	                          story, &err),
	                 0);
	add(story, story->c[0], on_stop);
	assert_int_equal(loop_run(&story->loop, &err), 0);
	assert_string_equal(story->text, "ws");
}

static void test_limits(void **state)
{
	struct story *story = *state;
	struct err err = { 0 };
	int fd[LOOP_SOURCES_MAX];

	assert_int_equal(loop_add(&story->loop, -EBADF, POLLIN, on_a, story, &err),
	                 -EBADF);
	err_clear(&err);
	for (size_t i = 0; i < LOOP_SOURCES_MAX; i++) {
		fd[i] = dup(story->a[0]);
		add(story, fd[i], on_a);
	}
	assert_int_equal(loop_add(&story->loop, fd[3], POLLIN, on_a, story, &err),
	                 -EEXIST);
	err_clear(&err);
	assert_int_equal(loop_add(&story->loop, story->b[0], POLLIN, on_b, story, &err),
	                 -E2BIG);
	err_clear(&err);
	for (size_t i = 0; i < LOOP_SOURCES_MAX; i++) {
		loop_remove(&story->loop, fd[i]);
		assert_int_equal(close(fd[i]), 0);
	}
}

static volatile sig_atomic_t interrupted;

static void on_alarm(int sig)
{
	(void)sig;
	interrupted++;
}

static int on_tick(void *ctx, int fd, short revents, struct err *err)
{
	(void)ctx;
	(void)fd;
	(void)revents;
	(void)err;
	return LOOP_STOP;
}

static void test_interrupted(void **state)
{
	const struct itimerval often = { .it_interval = { .tv_usec = 2000 },
		                         .it_value = { .tv_usec = 2000 } };
	const struct itimerval never = { .it_value = { .tv_usec = 0 } };
	const struct sigaction action = { .sa_handler = on_alarm };
	struct story *story = *state;
	struct err err = { 0 };
	pid_t child;

	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	add(story, story->a[0], on_tick);
	child = fork();
	if (child == 0) {
		(void)usleep(50000);
		(void)!write(story->a[1], "x", 1);
		_exit(0);
	}
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	assert_int_equal(loop_run(&story->loop, &err), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	assert_true(interrupted > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_order_is_that_of_adding),
		TEST(test_failure),
		TEST(test_removed_in_the_same_round),
		TEST(test_a_number_used_again_is_another_source),
		TEST(test_paused),
		TEST(test_hang_up),
		TEST(test_writable),
		TEST(test_limits),
		TEST(test_interrupted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
