#include "sync.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "tests/unit/unit.h"

/* clang-format off */
static const char *const step_text[SYNC_MAX] = {
	[SYNC_MAPPED]     = "'mapped'",
	[SYNC_ROOTED]     = "'rooted'",
	[SYNC_BORN]       = "'born'",
	[SYNC_JOINED]     = "'joined'",
	[SYNC_READY]      = "'ready'",
	[SYNC_SOCKETS]    = "'sockets'",
	[SYNC_GATEWAY]    = "'gateway'",
	[SYNC_SERVING]    = "'serving'",
	[SYNC_LISTENER]   = "'listener'",
	[SYNC_CONFINED]   = "'confined'",
	[SYNC_GO]         = "'go'",
	[SYNC_UNEXECUTED] = "'unexecuted'",
	[SYNC_EXITED]     = "'exited'",
	[SYNC_FAILED]     = "'failed'",
};
/* clang-format on */

static void open_pair(int pair[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
}

static void close_pair(int pair[2])
{
	drop_fd(&pair[0]);
	drop_fd(&pair[1]);
}

/* The lowest free number: the same before and after, where nothing is left open. */
static int next_fd(void)
{
	int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);

	assert_true(fd >= 0);
	(void)close(fd);
	return fd;
}

static void test_open(void **state)
{
	int before = next_fd();
	struct sync_pairs pairs;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(sync_open(&pairs, &err), 0);
	for (size_t i = 0; i < 2; i++) {
		const int fd[] = { pairs.warden[i], pairs.init[i], pairs.birth[i] };

		for (size_t j = 0; j < N_ELEMENTS(fd); j++)
			assert_int_equal(fcntl(fd[j], F_GETFD), FD_CLOEXEC);
	}
	/* Nobody speaks for somebody else. */
	assert_int_equal(sync_send(pairs.init[0], SYNC_GO, 0, NULL, 0, &err), 0);
	assert_int_equal(recv(pairs.warden[1], &err, sizeof(err), MSG_DONTWAIT), -1);
	assert_int_equal(recv(pairs.birth[1], &err, sizeof(err), MSG_DONTWAIT), -1);
	assert_int_equal(sync_expect(pairs.init[1], SYNC_GO, NULL, NULL, 0, &err), 0);
	close_pair(pairs.warden);
	close_pair(pairs.init);
	close_pair(pairs.birth);
	assert_int_equal(next_fd(), before);
}

/* Each step arrives as itself, with its value, and as nothing else. */
static void test_every_step(void **state)
{
	(void)state;

	for (int said = 0; said < SYNC_FAILED; said++)
		for (int want = 0; want < SYNC_FAILED; want++) {
			struct err err = { 0 };
			int32_t value = 4711;
			int pair[2], r;

			open_pair(pair);
			r = sync_send(pair[0], (enum sync_step)said, -said, NULL, 0,
			              &err);
			assert_int_equal(r, 0);
			r = sync_expect(pair[1], (enum sync_step)want, &value, NULL, 0,
			                &err);
			if (said == want) {
				assert_int_equal(r, 0);
				assert_int_equal(value, -said);
			} else {
				assert_int_equal(r, -EPROTO);
				assert_int_equal(value, 4711);
				assert_non_null(strstr(err.text, step_text[said]));
				assert_non_null(strstr(err.text, step_text[want]));
			}
			close_pair(pair);
		}
}

/* A peer that died never reads as "go on", whatever we wait for. */
static void test_end_of_file(void **state)
{
	(void)state;

	for (int want = 0; want < SYNC_MAX; want++) {
		int pair[2], fd[SYNC_FDS_MAX] = { 77, 77 };
		struct err err = { 0 };
		int32_t value = 4711;

		open_pair(pair);
		drop_fd(&pair[0]);
		assert_int_equal(sync_expect(pair[1], (enum sync_step)want, &value, fd,
		                             SYNC_FDS_MAX, &err),
		                 -ECONNRESET);
		assert_int_equal(err.code, ECONNRESET);
		assert_non_null(strstr(err.text, step_text[want]));
		assert_int_equal(value, 4711);
		assert_int_equal(fd[0], 77);
		close_pair(pair);
	}
}

/* One that died before it read what we sent is as dead: the kernel says ECONNRESET. */
static void test_peer_died_unread(void **state)
{
	struct err err = { 0 };
	int pair[2];

	(void)state;
	open_pair(pair);
	assert_int_equal(sync_send(pair[1], SYNC_MAPPED, 0, NULL, 0, &err), 0);
	drop_fd(&pair[0]);
	assert_int_equal(sync_expect(pair[1], SYNC_GO, NULL, NULL, 0, &err), -ECONNRESET);
	close_pair(pair);
}

/* What was said before the end is still heard. */
static void test_last_words(void **state)
{
	struct err err = { 0 };
	int32_t value = 0;
	int pair[2];

	(void)state;
	open_pair(pair);
	assert_int_equal(sync_send(pair[0], SYNC_EXITED, 256, NULL, 0, &err), 0);
	drop_fd(&pair[0]);
	assert_int_equal(sync_expect(pair[1], SYNC_EXITED, &value, NULL, 0, &err), 0);
	assert_int_equal(value, 256);
	assert_int_equal(sync_expect(pair[1], SYNC_EXITED, &value, NULL, 0, &err),
	                 -ECONNRESET);
	close_pair(pair);
}

/* To a peer that is gone: an error, not SIGPIPE. */
static void test_send_to_nobody(void **state)
{
	const struct err why = { .code = EIO, .text = "nobody listens" };
	struct err err = { 0 };
	int pair[2];

	(void)state;
	open_pair(pair);
	drop_fd(&pair[0]);
	assert_int_equal(sync_send(pair[1], SYNC_GO, 0, NULL, 0, &err), -EPIPE);
	assert_non_null(strstr(err.text, "'go'"));
	sync_fail(pair[1], &why);
	close_pair(pair);
}

static void test_failed(void **state)
{
	struct err why = { 0 };

	(void)state;
	(void)err_set(&why, EACCES, "mount 'proc' on '%s'", "/proc");
	(void)err_step(&why, "mount");
	(void)err_hint(&why, "set procMount: Unmasked");
	for (int want = 0; want < SYNC_FAILED; want++) {
		struct err err = { 0 };
		int pair[2];

		open_pair(pair);
		sync_fail(pair[0], &why);
		assert_int_equal(
			sync_expect(pair[1], (enum sync_step)want, NULL, NULL, 0, &err),
			-EACCES);
		assert_int_equal(err.code, EACCES);
		assert_string_equal(err.text, "mount 'proc' on '/proc'");
		assert_string_equal(err.step, "mount");
		assert_string_equal(err.hint, "set procMount: Unmasked");
		close_pair(pair);
	}
}

/* A failure that names no error is one all the same. */
static void test_failed_without_code(void **state)
{
	const struct err none = { 0 };
	struct err err = { 0 };
	int32_t value = 0;
	int pair[2];

	(void)state;
	open_pair(pair);
	sync_fail(pair[0], &none);
	assert_int_equal(sync_expect(pair[1], SYNC_GO, NULL, NULL, 0, &err), -EPROTO);
	err_clear(&err);
	sync_fail(pair[0], &none);
	assert_int_equal(sync_expect_end(pair[1], &value, &err), -EPROTO);
	close_pair(pair);
}

/* Whatever bytes it holds, the error that arrives ends within itself. */
static void test_failed_unterminated(void **state)
{
	struct err err = { 0 }, why;
	int pair[2];

	(void)state;
	memset(&why, 'x', sizeof(why));
	why.code = EIO;
	open_pair(pair);
	sync_fail(pair[0], &why);
	assert_int_equal(sync_expect(pair[1], SYNC_GO, NULL, NULL, 0, &err), -EIO);
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
	assert_int_equal(strlen(err.step), ERR_STEP_MAX - 1);
	assert_int_equal(strlen(err.hint), ERR_HINT_MAX - 1);
	close_pair(pair);
}

static const struct bytes_case {
	const char *name;
	size_t cut, grow; /* bytes taken from and added to a good message */
	uint32_t step;
	int r;
} bytes_cases[] = {
	{ "whole", 0, 0, SYNC_GO, 0 },
	{ "one byte short", 1, 0, SYNC_GO, -EPROTO },
	{ "the step alone", sizeof(struct err) + 4, 0, SYNC_GO, -EPROTO },
	{ "half of the step", sizeof(struct err) + 6, 0, SYNC_GO, -EPROTO },
	{ "one byte long", 0, 1, SYNC_GO, -EPROTO },
	{ "no step of ours", 0, 0, SYNC_MAX, -EPROTO },
	{ "far from one", 0, 0, UINT32_MAX, -EPROTO },
};

static void test_bytes(void **state)
{
	(void)state;

	for (size_t i = 0; i < N_ELEMENTS(bytes_cases); i++) {
		const struct bytes_case *c = &bytes_cases[i];
		const size_t size = 4 + 4 + sizeof(struct err);
		char msg[4 + 4 + sizeof(struct err) + 1] = "";
		struct err err = { 0 };
		int pair[2];

		print_message("  %s\n", c->name);
		open_pair(pair);
		memcpy(msg, &c->step, sizeof(c->step));
		assert_int_equal(send(pair[0], msg, size - c->cut + c->grow, 0),
		                 size - c->cut + c->grow);
		assert_int_equal(sync_expect(pair[1], SYNC_GO, NULL, NULL, 0, &err),
		                 c->r);
		assert_int_equal(err.code, -c->r);
		close_pair(pair);
	}
}

/* Sends the reading ends of @n pipes and keeps the writing ends. */
static void send_pipes(int sock, enum sync_step step, int *writer, size_t n)
{
	int reader[SYNC_FDS_MAX] = { -EBADF, -EBADF };
	struct err err = { 0 };

	for (size_t i = 0; i < n; i++) {
		int ends[2];

		assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
		reader[i] = ends[0];
		writer[i] = ends[1];
	}
	assert_int_equal(sync_send(sock, step, 0, reader, n, &err), 0);
	for (size_t i = 0; i < n; i++)
		(void)close(reader[i]);
}

/* Whether nobody holds the reading end any more; SIGPIPE is ignored in main(). */
static bool is_unread(int writer)
{
	return write(writer, "x", 1) < 0 && errno == EPIPE;
}

static void test_descriptors(void **state)
{
	int pair[2], writer[2], fd[SYNC_FDS_MAX];
	struct err err = { 0 };
	char byte = 0;

	(void)state;
	open_pair(pair);
	send_pipes(pair[0], SYNC_READY, writer, 2);
	assert_int_equal(sync_expect(pair[1], SYNC_READY, NULL, fd, 2, &err), 0);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(fcntl(fd[i], F_GETFD), FD_CLOEXEC);
		assert_int_equal(write(writer[i], i ? "b" : "a", 1), 1);
		assert_int_equal(read(fd[i], &byte, 1), 1);
		assert_int_equal(byte, i ? 'b' : 'a');
		(void)close(fd[i]);
		(void)close(writer[i]);
	}
	close_pair(pair);
}

/* Negative ones are passed over: what is there moves up, the rest is -EBADF. */
static void test_descriptors_missing(void **state)
{
	int pair[2], fd[SYNC_FDS_MAX] = { 77, 77 };
	const int sent[] = { -EBADF, STDOUT_FILENO }, none[] = { -EBADF, -EBADF };
	struct err err = { 0 };

	(void)state;
	open_pair(pair);
	assert_int_equal(sync_send(pair[0], SYNC_READY, 0, sent, 2, &err), 0);
	assert_int_equal(sync_expect(pair[1], SYNC_READY, NULL, fd, 2, &err), 0);
	assert_true(fd[0] >= 0);
	assert_int_equal(fd[1], -EBADF);
	(void)close(fd[0]);
	assert_int_equal(sync_send(pair[0], SYNC_READY, 0, none, 2, &err), 0);
	assert_int_equal(sync_expect(pair[1], SYNC_READY, NULL, fd, 2, &err), 0);
	assert_int_equal(fd[0], -EBADF);
	assert_int_equal(fd[1], -EBADF);
	close_pair(pair);
}

static void test_too_many_to_send(void **state)
{
	const int three[SYNC_FDS_MAX + 1] = { 1, 1, 1 };
	struct err err = { 0 };
	int pair[2];

	(void)state;
	open_pair(pair);
	assert_int_equal(sync_send(pair[0], SYNC_READY, 0, three, SYNC_FDS_MAX + 1, &err),
	                 -E2BIG);
	close_pair(pair);
}

static const struct unexpected_case {
	const char *name;
	enum sync_step said, want;
	size_t room; /* for descriptors, where two are sent */
	int r;
} unexpected_cases[] = {
	{ "none expected", SYNC_READY, SYNC_READY, 0, 0 },
	{ "one expected", SYNC_READY, SYNC_READY, 1, 0 },
	{ "with the wrong step", SYNC_READY, SYNC_GO, 2, -EPROTO },
	{ "with a failure", SYNC_FAILED, SYNC_GO, 2, -EPROTO },
};

/* Descriptors nobody asked for do not pile up. */
static void test_unexpected_descriptors(void **state)
{
	(void)state;

	for (size_t i = 0; i < N_ELEMENTS(unexpected_cases); i++) {
		const struct unexpected_case *c = &unexpected_cases[i];
		int pair[2], writer[2], fd[SYNC_FDS_MAX];
		size_t taken = c->r == 0 ? c->room : 0;
		struct err err = { 0 };

		print_message("  %s\n", c->name);
		open_pair(pair);
		send_pipes(pair[0], c->said, writer, 2);
		assert_int_equal(sync_expect(pair[1], c->want, NULL, fd, c->room, &err),
		                 c->r);
		for (size_t j = 0; j < 2; j++) {
			assert_int_equal(is_unread(writer[j]), j >= taken);
			if (j < taken)
				(void)close(fd[j]);
			(void)close(writer[j]);
		}
		close_pair(pair);
	}
}

/* Likewise where the end is awaited, and with a message that is none of ours. */
static void test_unexpected_elsewhere(void **state)
{
	int before = next_fd(), pair[2], writer[2];
	struct err err = { 0 };
	int32_t value = 0;

	(void)state;
	open_pair(pair);
	send_pipes(pair[0], SYNC_READY, writer, 2);
	assert_int_equal(sync_expect_end(pair[1], &value, &err), -EPROTO);
	assert_true(is_unread(writer[0]));
	assert_true(is_unread(writer[1]));
	(void)close(writer[0]);
	(void)close(writer[1]);
	close_pair(pair);
	assert_int_equal(next_fd(), before);
}

/* Here the end of file is the good news: the descriptor was closed by exec. */
static void test_expect_end(void **state)
{
	const struct sync_word word = { SYNC_UNEXECUTED, ENOENT | SYNC_THERE };
	struct err err = { 0 }, why = { 0 };
	int32_t value = 0;
	int pair[2];

	(void)state;
	open_pair(pair);
	drop_fd(&pair[0]);
	assert_int_equal(sync_expect_end(pair[1], &value, &err), 0);
	close_pair(pair);

	open_pair(pair);
	assert_int_equal(sync_send(pair[0], SYNC_READY, 0, NULL, 0, &err), 0);
	assert_int_equal(sync_expect_end(pair[1], &value, &err), -EPROTO);
	close_pair(pair);

	err_clear(&err);
	(void)err_set(&why, ENOENT, "find 'nosuch'");
	(void)err_step(&why, "exec");
	open_pair(pair);
	sync_fail(pair[0], &why);
	assert_int_equal(sync_expect_end(pair[1], &value, &err), -ENOENT);
	assert_string_equal(err.text, "find 'nosuch'");
	assert_string_equal(err.step, "exec");
	close_pair(pair);

	/* The airlock's short message. */
	open_pair(pair);
	assert_int_equal(write(pair[0], &word, sizeof(word)), sizeof(word));
	assert_int_equal(sync_expect_end(pair[1], &value, &err), 1);
	assert_int_equal(value, ENOENT | SYNC_THERE);
	close_pair(pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_every_step),
		cmocka_unit_test(test_end_of_file),
		cmocka_unit_test(test_peer_died_unread),
		cmocka_unit_test(test_last_words),
		cmocka_unit_test(test_send_to_nobody),
		cmocka_unit_test(test_failed),
		cmocka_unit_test(test_failed_without_code),
		cmocka_unit_test(test_failed_unterminated),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_descriptors_missing),
		cmocka_unit_test(test_too_many_to_send),
		cmocka_unit_test(test_unexpected_descriptors),
		cmocka_unit_test(test_unexpected_elsewhere),
		cmocka_unit_test(test_expect_end),
	};

	/* A write to a pipe that nobody reads is asked for its errno here. */
	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
