#include "auditlog.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor_internal.h"
#include "tests/unit/unit.h"

/* How many of @n events, @each_ms apart from @from_ms on, may be written. */
static unsigned int written(struct auditlog_rate *rate, uint64_t from_ms,
                            uint64_t each_ms, unsigned int n)
{
	unsigned int told = 0;

	for (unsigned int i = 0; i < n; i++)
		told += auditlog_may(rate, from_ms + i * each_ms);
	return told;
}

static void test_burst(void **state)
{
	struct auditlog_rate rate = { 0 };

	(void)state;
	assert_int_equal(written(&rate, 5000, 0, 1000), AUDITLOG_AT_ONCE);
	/* One more for each AUDITLOG_EACH_MS, however many are wanted. */
	assert_int_equal(written(&rate, 5000 + AUDITLOG_EACH_MS, 0, 1000), 1);
	assert_int_equal(written(&rate, 5000 + 4 * AUDITLOG_EACH_MS, 0, 1000), 3);
	/* After as long as it takes all of it may come at once again. */
	assert_int_equal(written(&rate, UINT64_C(1) << 40, 0, 1000), AUDITLOG_AT_ONCE);
}

static void test_steady(void **state)
{
	struct auditlog_rate slow = { 0 }, fast = { 0 };

	(void)state;
	assert_int_equal(written(&slow, 0, AUDITLOG_EACH_MS, 500), 500);
	/* A hundred times as fast: the burst, and a hundredth of them. */
	assert_in_range(written(&fast, 0, AUDITLOG_EACH_MS / 100, 30000), 400 - 5,
	                400 + 5);
}

/* The more there were the longer it takes: in 30 days no more than a log has room for. */
static void test_month(void **state)
{
	const unsigned int month = 30 * 86400;
	struct auditlog_rate all = { 0 }, few = { 0 };
	const unsigned int told = written(&all, 0, 1000, month);

	(void)state;
	/* Seven kinds, with a line of what was not told before each. */
	assert_in_range(told, 10000, 2 * AUDITLOG_SIZE / 7 / 300);
	/* One in 20 minutes is always told. */
	assert_int_equal(written(&few, 0, 1200000, month / 1200), month / 1200);
}

static void test_rest(void **state)
{
	static const int want[] = { 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300 };
	unsigned int lives = 0;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(want); i++)
		assert_int_equal(supervisor_rest_s(1000, &lives), want[i]);
	assert_int_equal(supervisor_rest_s(600001, &lives), 0);
	assert_int_equal(supervisor_rest_s(600000, &lives), 1);
	/* A clock that was set back. */
	assert_int_equal(supervisor_rest_s(-5, &lives), 2);
	lives = UINT_MAX - 1;
	assert_int_equal(supervisor_rest_s(0, &lives), 300);
}

static void keep_silent(void *ctx, const char *line)
{
	(void)line;
	++*(unsigned int *)ctx;
}

/* A line of some @n bytes. */
static int put_line(struct auditlog *log, size_t n, struct err *err)
{
	static char text[16384];
	const struct auditlog_field field = { "text", AUDITLOG_TEXT, text, 0 };

	memset(text, 'x', sizeof(text));
	text[n] = '\0';
	return auditlog_put(log, EVENT_EXEC, &field, 1, err);
}

/* Whether all that is there are whole lines of ours. Return: how many. */
static unsigned int count_lines(char *text)
{
	unsigned int n = 0;

	for (char *line = text, *end; *line; line = end + 1) {
		end = strchr(line, '\n');
		assert_non_null(end);
		assert_int_equal(strncmp(line, "{\"version\":1", 12), 0);
		assert_int_equal(end[-1], '}');
		n++;
	}
	return n;
}

static char read_text[256 * 1024];

static char *read_all(int fd)
{
	size_t n = 0;
	ssize_t m;

	while ((m = read(fd, read_text + n, sizeof(read_text) - 1 - n)) > 0)
		n += (size_t)m;
	read_text[n] = '\0';
	return read_text;
}

static void limit_files(rlim_t most)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = most;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* No room in the middle of a line, as on a full disk: nothing of it is left. */
static void test_full_file(void **state)
{
	char path[] = "/tmp/test_auditlog.XXXXXX";
	struct config config = { .audit_log = path,
		                 .name = "w",
		                 .audit_size = LIMIT_UNSET };
	unsigned int said = 0;
	struct auditlog log = { .config = &config, .trouble = keep_silent, .ctx = &said };
	const int fd = mkstemp(path);
	struct rlimit own;
	struct err err = { 0 };

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &own), 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(auditlog_open(&log, &err), 0);
	limit_files(10000);
	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(put_line(&log, 3000, &err), 0);
	assert_int_equal(said, 1);
	/* There is room for a line that tells of the first one, but not for the second. */
	assert_int_equal(log.lost, 1);
	config.audit_required = true;
	assert_int_equal(put_line(&log, 3000, &err), -EFBIG);
	limit_files(own.rlim_cur);
	err_clear(&err);
	assert_int_equal(put_line(&log, 3000, &err), 0);
	/* Three, two that tell of one each, and the last. */
	assert_int_equal(count_lines(read_all(fd)), 6);
	assert_non_null(strstr(read_text, "\"event\":\"lost\",\"lines\":1"));
	auditlog_close(&log);
	(void)close(fd);
	(void)unlink(path);
}

/* Another supervisor that writes to the file may be about to add a line: nothing is taken back. */
static void test_shared_file(void **state)
{
	char path[] = "/tmp/test_auditlog.XXXXXX";
	struct config config = { .audit_log = path,
		                 .name = "w",
		                 .audit_size = LIMIT_UNSET };
	unsigned int said = 0;
	struct auditlog log = { .config = &config, .trouble = keep_silent, .ctx = &said };
	const int fd = mkstemp(path);
	struct rlimit own;
	struct stat st;
	struct err err = { 0 };

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &own), 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(auditlog_open(&log, &err), 0);
	assert_int_equal(flock(fd, LOCK_SH | LOCK_NB), 0);
	limit_files(1000);
	assert_int_equal(put_line(&log, 3000, &err), 0);
	limit_files(own.rlim_cur);
	assert_int_equal(said, 1);
	assert_true(log.torn);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 1000);
	/* Nor is anybody waited for who has it alone. */
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(put_line(&log, 3000, &err), 0);
	assert_int_equal(log.lost, 0);
	(void)read_all(fd);
	assert_int_equal(read_text[1000], '\n');
	assert_int_equal(count_lines(read_text + 1001), 2);
	/* And it is left as it was found. */
	assert_int_equal(flock(fd, LOCK_UN), 0);
	assert_int_equal(put_line(&log, 3000, &err), 0);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	auditlog_close(&log);
	(void)close(fd);
	(void)unlink(path);
}

/* What a child does whose standard error is @fd; exits with the lines that were lost. */
static void write_stderr(int fd)
{
	struct config config = { .audit_log = "stderr",
		                 .name = "w",
		                 .audit_size = LIMIT_UNSET };
	unsigned int said = 0;
	struct auditlog log = { .config = &config, .trouble = keep_silent, .ctx = &said };
	struct err err = { 0 };

	(void)dup2(fd, STDERR_FILENO);
	if (auditlog_open(&log, &err) < 0)
		_exit(101);
	for (unsigned int i = 0; i < 20; i++)
		(void)put_line(&log, 10000, &err);
	/* Everybody else's standard error waits as before. */
	_exit(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK ? 102 : (int)log.lost);
}

/* Nobody reads: lines are lost, and nobody waits. */
static void expect_no_wait(int fd[2])
{
	const pid_t pid = fork();
	struct pollfd pfd = { .fd = fd[0], .events = POLLIN };
	int status = 0;

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(fd[0]);
		(void)alarm(30); /* else it ends by that */
		write_stderr(fd[1]);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_in_range(WEXITSTATUS(status), 1, 20);
	assert_int_equal(poll(&pfd, 1, 0), 1);
	(void)close(fd[0]);
	(void)close(fd[1]);
}

static void test_stderr_waits_for_nobody(void **state)
{
	int fd[2];

	(void)state;
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	expect_no_wait(fd);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	expect_no_wait(fd);
}

/* Half a line in a pipe gets its end before the next one begins. */
static void test_torn_pipe(void **state)
{
	char dir[] = "/tmp/test_auditlog.XXXXXX", path[64];
	struct config config = { .audit_log = path,
		                 .name = "w",
		                 .audit_size = LIMIT_UNSET };
	unsigned int said = 0, torn = 0;
	struct auditlog log = { .config = &config, .trouble = keep_silent, .ctx = &said };
	struct err err = { 0 };
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/pipe", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(auditlog_open(&log, &err), 0);
	while (log.lost == 0)
		assert_int_equal(put_line(&log, 10000, &err), 0);
	assert_true(log.torn);
	(void)read_all(fd);
	assert_int_equal(strncmp(strrchr(read_text, '\n') + 1, "{\"version\":1", 12), 0);
	assert_int_equal(put_line(&log, 100, &err), 0);
	(void)read_all(fd);
	torn = read_text[0] == '\n';
	assert_int_equal(torn, 1);
	assert_int_equal(count_lines(read_text + 1), 2);
	auditlog_close(&log);
	(void)close(fd);
	(void)unlink(path);
	(void)rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_burst),
		cmocka_unit_test(test_steady),
		cmocka_unit_test(test_month),
		cmocka_unit_test(test_rest),
		cmocka_unit_test(test_full_file),
		cmocka_unit_test(test_shared_file),
		cmocka_unit_test(test_torn_pipe),
		cmocka_unit_test(test_stderr_waits_for_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
