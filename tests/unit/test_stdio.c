#include "stdio.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/syscall.h"
#include "tests/unit/unit.h"

#define MIB (1024 * 1024)
#define PROXY_STOPPED 77 /* its exit status after SIGUSR1 */

/* What the process around struct stdio is given, and what runs behind it. */
struct rig {
	int in, out, errfd; /* become its 0, 1 and 2 */
	bool interactive, tty, tee_only, lasting;
	int (*workspace)(void);
};

struct running {
	pid_t workspace;
	size_t teed;
};

static int on_workspace_end(void *ctx, int fd, short revents, struct err *err)
{
	(void)ctx;
	(void)fd;
	(void)revents;
	(void)err;
	return LOOP_STOP;
}

static int on_signal(void *ctx, int fd, short revents, struct err *err)
{
	struct stdio *io = ctx;
	struct signalfd_siginfo info;

	(void)revents;
	(void)err;
	if (read(fd, &info, sizeof(info)) != sizeof(info))
		return LOOP_GO;
	if (info.ssi_signo == SIGWINCH) {
		stdio_winch(io);
		return LOOP_GO;
	}
	stdio_close(io);
	_exit(PROXY_STOPPED);
}

static void count(void *ctx, const char *data, size_t size)
{
	struct running *running = ctx;

	(void)data;
	running->teed += size;
}

static void open_pty(struct stdio *io, int *slave)
{
	const struct winsize size = stdio_size();

	io->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (io->master < 0 || unlockpt(io->master) < 0)
		_exit(90);
	*slave = open(ptsname(io->master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*slave < 0 || ioctl(*slave, TIOCSWINSZ, &size) < 0)
		_exit(91);
}

static pid_t start_workspace(const struct rig *rig, struct stdio *io,
                             const sigset_t *mask)
{
	cleanup_close int slave = -EBADF;
	struct err err = { 0 };
	pid_t pid;

	if (io->tty)
		open_pty(io, &slave);
	pid = fork();
	if (pid != 0)
		return pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (io->tty)
		(void)fd_replace_stdio(slave, slave, slave, &err);
	else
		(void)fd_replace_stdio(io->far[0], io->far[1], io->far[2], &err);
	if (err.code || fd_keep_only(NULL, 0, &err) < 0)
		_exit(92);
	(void)sigprocmask(SIG_SETMASK, mask, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	_exit(rig->workspace());
}

/* Return: the workspace's exit status as berth gives it. */
static int proxy(const struct rig *rig)
{
	struct running running = { 0 };
	struct loop loop = { 0 };
	cleanup_stdio struct stdio io = {
		.loop = &loop,
		.foreground = !rig->tee_only,
		.interactive = rig->interactive,
		.tty = rig->tty,
		.lasting = rig->lasting,
		.tee = count,
		.tee_ctx = &running,
	};
	cleanup_close int signals = -EBADF;
	cleanup_close int pidfd = -EBADF;
	struct err err = { 0 };
	sigset_t set, old;
	int status;

	if (fd_replace_stdio(rig->in, rig->out, rig->errfd, &err) < 0 ||
	    fd_keep_only(NULL, 0, &err) < 0)
		return 93;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigaddset(&set, SIGWINCH);
	(void)sigprocmask(SIG_BLOCK, &set, &old);
	signals = signalfd(-1, &set, SFD_CLOEXEC);

	if (stdio_open(&io, &err) < 0)
		return 94;
	running.workspace = start_workspace(rig, &io, &old);
	stdio_close_far(&io);
	pidfd = sys_pidfd_open(running.workspace, 0);
	if (stdio_start(&io, &err) < 0 ||
	    loop_add(&loop, signals, POLLIN, on_signal, &io, &err) < 0 ||
	    loop_add(&loop, pidfd, POLLIN, on_workspace_end, &io, &err) < 0)
		return 95;
	if (loop_run(&loop, &err) < 0)
		return 96;
	stdio_drain(&io);
	stdio_close(&io);
	if (rig->tee_only)
		return running.teed == MIB ? 0 : 97;
	if (waitpid(running.workspace, &status, 0) < 0)
		return 98;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static pid_t start(const struct rig *rig)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(proxy(rig));
	assert_true(pid > 0);
	return pid;
}

/* Waits for a test's process, but not for ever: a hang is a failure with a name. */
static int end_of(pid_t pid)
{
	int status;

	for (int i = 0; i < 1000; i++) {
		pid_t r = waitpid(pid, &status, WNOHANG | WUNTRACED);

		if (r == pid && WIFSTOPPED(status)) {
			(void)kill(pid, SIGKILL);
			fail_msg("it was stopped by signal %d", WSTOPSIG(status));
		}
		if (r == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status)
			                         : 128 + WTERMSIG(status);
		(void)usleep(10000);
	}
	(void)kill(pid, SIGKILL);
	fail_msg("it did not end within 10 s");
	return -1;
}

static void pipe_or_fail(int fd[2])
{
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
}

/* Every byte value, and no period that a buffer's size could hide. */
static void make_noise(unsigned char *data, size_t size)
{
	uint32_t x = 2463534242;

	for (size_t i = 0; i < size; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		data[i] = (unsigned char)x;
	}
}

static ssize_t write_fully(int fd, const unsigned char *data, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = write(fd, data + done, size - done);

		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return (ssize_t)size;
}

static size_t read_fully(int fd, unsigned char *data, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, data + done, size - done);

		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done;
}

static int ws_copy(void)
{
	unsigned char buf[7001];
	ssize_t n;

	while ((n = read(0, buf, sizeof(buf))) > 0)
		if (write_fully(1, buf, (size_t)n) < 0)
			return 1;
	return n == 0 ? 0 : 2;
}

static int ws_count_input(void)
{
	unsigned char buf[100];

	return (int)read_fully(0, buf, sizeof(buf));
}

static int ws_two_streams(void)
{
	return write(1, "out", 3) == 3 && write(2, "error", 5) == 5 ? 3 : 1;
}

static int ws_write_mib(void)
{
	static unsigned char data[MIB];

	return write_fully(1, data, sizeof(data)) == MIB ? 0 : 1;
}

static int ws_write_forever(void)
{
	static unsigned char data[4096];

	while (write_fully(1, data, sizeof(data)) > 0)
		;
	return 1;
}

static int ws_close_input(void)
{
	(void)close(0);
	(void)usleep(300000);
	return 5;
}

static int ws_close_output(void)
{
	(void)close(1);
	(void)pause();
	return 1;
}

static void test_pass_through(void **state)
{
	unsigned char *sent = malloc(MIB);
	unsigned char *got = malloc(MIB + 1);
	struct rig rig = { .errfd = 2, .interactive = true, .workspace = ws_copy };
	int in[2], out[2];
	pid_t pid, feeder;

	(void)state;
	assert_non_null(sent);
	assert_non_null(got);
	make_noise(sent, MIB);
	pipe_or_fail(in);
	pipe_or_fail(out);
	rig.in = in[0];
	rig.out = out[1];
	pid = start(&rig);
	feeder = fork();
	if (feeder == 0) {
		(void)close(in[0]);
		_exit(write_fully(in[1], sent, MIB) == MIB ? 0 : 1);
	}
	(void)close(in[1]);
	/* The descriptions are the caller's: nobody may have changed their flags. */
	assert_int_equal(read_fully(out[0], got, 1), 1);
	assert_int_equal(fcntl(in[0], F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(fcntl(out[1], F_GETFL) & O_NONBLOCK, 0);
	(void)close(in[0]);
	(void)close(out[1]);

	assert_int_equal(read_fully(out[0], got + 1, MIB), MIB - 1);
	assert_memory_equal(sent, got, MIB);
	assert_int_equal(end_of(feeder), 0);
	assert_int_equal(end_of(pid), 0);
	(void)close(out[0]);
	free(sent);
	free(got);
}

static void test_two_streams_stay_apart(void **state)
{
	struct rig rig = { .in = 0, .workspace = ws_two_streams };
	unsigned char got[16];
	int out[2], errs[2];
	pid_t pid;

	(void)state;
	pipe_or_fail(out);
	pipe_or_fail(errs);
	rig.out = out[1];
	rig.errfd = errs[1];
	pid = start(&rig);
	(void)close(out[1]);
	(void)close(errs[1]);
	assert_int_equal(read_fully(out[0], got, sizeof(got)), 3);
	assert_memory_equal(got, "out", 3);
	assert_int_equal(read_fully(errs[0], got, sizeof(got)), 5);
	assert_memory_equal(got, "error", 5);
	assert_int_equal(end_of(pid), 3);
	(void)close(out[0]);
	(void)close(errs[0]);
}

static const struct input_case {
	const char *name, *path;
	bool interactive;
	int bytes; /* that the workspace reads */
} input_cases[] = {
	{ "a regular file", NULL, true, 10 },
	{ "a file without -i", NULL, false, 0 },
	{ "/dev/null", "/dev/null", true, 0 },
	{ "/dev/zero without -i", "/dev/zero", false, 0 },
	{ "a device that is always ready", "/dev/zero", true, 100 },
	{ "a directory reads as the end", "/", true, 0 },
};

static void test_inputs(void **state)
{
	(void)state;

	for (size_t i = 0; i < N_ELEMENTS(input_cases); i++) {
		const struct input_case *c = &input_cases[i];
		struct rig rig = {
			.out = 1,
			.errfd = 2,
			.interactive = c->interactive,
			.workspace = ws_count_input,
		};
		char temp[] = "/tmp/test_stdio.XXXXXX";

		print_message("  %s\n", c->name);
		rig.in = c->path ? open(c->path, O_RDONLY | O_CLOEXEC) : mkstemp(temp);
		assert_true(rig.in >= 0);
		if (!c->path) {
			(void)unlink(temp);
			assert_int_equal(write(rig.in, "0123456789", 10), 10);
			(void)lseek(rig.in, 0, SEEK_SET);
		}
		assert_int_equal(end_of(start(&rig)), c->bytes);
		(void)close(rig.in);
	}
}

static bool becomes_full(int fd)
{
	for (int i = 0; i < 1000; i++) {
		struct pollfd pfd = { .fd = fd, .events = POLLOUT };

		if (poll(&pfd, 1, 0) == 0)
			return true;
		(void)usleep(10000);
	}
	return false;
}

/* An output that takes nothing must not keep the loop from seeing a signal. */
static void test_full_output_leaves_the_loop_alive(void **state)
{
	(void)state;

	for (int socket = 0; socket <= 1; socket++) {
		struct rig rig = { .in = 0, .errfd = 2, .workspace = ws_write_forever };
		int out[2];
		pid_t pid;

		print_message("  %s\n", socket ? "a socket" : "a pipe");
		if (socket)
			assert_int_equal(
				socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out),
				0);
		else
			pipe_or_fail(out);
		rig.out = out[1];
		pid = start(&rig);
		assert_true(becomes_full(out[1]));
		(void)kill(pid, SIGUSR1);
		assert_int_equal(end_of(pid), PROXY_STOPPED);
		(void)close(out[0]);
		(void)close(out[1]);
	}
}

static void test_slow_reader_gets_everything(void **state)
{
	struct rig rig = { .in = 0, .errfd = 2, .workspace = ws_write_mib };
	unsigned char *got = malloc(MIB + 1);
	int out[2];
	pid_t pid;

	(void)state;
	assert_non_null(got);
	pipe_or_fail(out);
	rig.out = out[1];
	pid = start(&rig);
	(void)close(out[1]);
	(void)usleep(200000);
	assert_int_equal(read_fully(out[0], got, MIB + 1), MIB);
	assert_int_equal(end_of(pid), 0);
	(void)close(out[0]);
	free(got);
}

static void test_closed_reader_stops_the_writer(void **state)
{
	struct rig rig = { .in = 0, .errfd = 2, .workspace = ws_write_forever };
	unsigned char got[10];
	int out[2];
	pid_t pid;

	(void)state;
	pipe_or_fail(out);
	rig.out = out[1];
	pid = start(&rig);
	(void)close(out[1]);
	assert_int_equal(read_fully(out[0], got, sizeof(got)), sizeof(got));
	(void)close(out[0]);
	assert_int_equal(end_of(pid), 128 + SIGPIPE);
}

static void test_full_disk_is_drained(void **state)
{
	struct rig rig = { .in = 0, .errfd = 2, .workspace = ws_write_mib };

	(void)state;
	rig.out = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_true(rig.out >= 0);
	assert_int_equal(end_of(start(&rig)), 0);
	(void)close(rig.out);
}

static void test_workspace_that_reads_nothing(void **state)
{
	struct rig rig = {
		.out = 1, .errfd = 2, .interactive = true, .workspace = ws_close_input
	};

	(void)state;
	rig.in = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	assert_true(rig.in >= 0);
	assert_int_equal(end_of(start(&rig)), 5);
	(void)close(rig.in);
}

static void test_end_of_output_is_passed_on(void **state)
{
	struct rig rig = { .in = 0, .errfd = 2, .workspace = ws_close_output };
	unsigned char got[1];
	int out[2];
	pid_t pid;

	(void)state;
	pipe_or_fail(out);
	rig.out = out[1];
	pid = start(&rig);
	(void)close(out[1]);
	assert_int_equal(read_fully(out[0], got, 1), 0);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0); /* and it still lives */
	(void)kill(pid, SIGUSR1);
	assert_int_equal(end_of(pid), PROXY_STOPPED);
	(void)close(out[0]);
}

static void test_tee_without_foreground(void **state)
{
	struct rig rig = {
		.in = 0, .out = 1, .errfd = 2, .tee_only = true, .workspace = ws_write_mib
	};

	(void)state;
	assert_int_equal(end_of(start(&rig)), 0);
}

static void test_input_that_is_no_terminal(void **state)
{
	struct loop loop = { 0 };
	struct stdio io = {
		.loop = &loop, .foreground = true, .interactive = true, .tty = true
	};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int saved = fcntl(0, F_DUPFD_CLOEXEC, 3);
	struct err err = { 0 };

	(void)state;
	assert_int_equal(dup2(null, 0), 0);
	assert_int_equal(stdio_open(&io, &err), -ENOTTY);
	assert_string_equal(err.text, "the input device is not a TTY");
	stdio_close(&io);
	err_clear(&err);

	/* -t without -i asks for no terminal. */
	io.interactive = false;
	assert_int_equal(stdio_open(&io, &err), 0);
	stdio_close(&io);
	stdio_close(&io);
	if (saved >= 0)
		(void)dup2(saved, 0);
	(void)close(saved);
	(void)close(null);
}

/* A terminal of the caller, whose keyboard and screen are @master. */
struct terminal {
	int master, slave;
};

static void open_terminal(struct terminal *terminal)
{
	const struct winsize size = { .ws_row = 33, .ws_col = 101 };

	terminal->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(terminal->master >= 0);
	assert_int_equal(unlockpt(terminal->master), 0);
	terminal->slave = open(ptsname(terminal->master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(terminal->slave >= 0);
	assert_int_equal(ioctl(terminal->master, TIOCSWINSZ, &size), 0);
}

static bool is_raw(const struct terminal *terminal)
{
	struct termios modes;

	assert_int_equal(tcgetattr(terminal->slave, &modes), 0);
	return !(modes.c_lflag & ICANON);
}

static bool becomes_raw(const struct terminal *terminal, bool raw)
{
	for (int i = 0; i < 500; i++) {
		if (is_raw(terminal) == raw)
			return true;
		(void)usleep(10000);
	}
	return false;
}

static void say(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) < 0)
		_exit(99);
}

static void say_size(void)
{
	struct winsize size = { 0 };
	char line[64];

	(void)ioctl(0, TIOCGWINSZ, &size);
	(void)snprintf(line, sizeof(line), "size %d %d\n", size.ws_row, size.ws_col);
	say(1, line);
}

/* Says its window size, each time it is asked; "q" ends. */
static int ws_terminal(void)
{
	char c;

	if (!isatty(0) || !isatty(1) || !isatty(2))
		return 1;
	do
		say_size();
	while (read(0, &c, 1) == 1 && c != 'q' && read(0, &c, 1) == 1);
	return 42;
}

/* Reads from @fd until @text was seen, or nothing comes for so many milliseconds. */
static bool shows_within(int fd, const char *text, int ms)
{
	char screen[4096] = "";
	size_t n = 0;

	while (n < sizeof(screen) - 1) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		ssize_t got;

		if (poll(&pfd, 1, ms) <= 0)
			break;
		got = read(fd, screen + n, sizeof(screen) - 1 - n);
		if (got <= 0)
			break;
		n += (size_t)got;
		screen[n] = '\0';
		if (strstr(screen, text))
			return true;
	}
	print_message("  instead of '%s': '%s'\n", text, screen);
	return false;
}

static bool shows(int fd, const char *text)
{
	return shows_within(fd, text, 10000);
}

/* A session on the terminal; its leader is the proxy, or puts it in the background. */
static pid_t start_session(const struct terminal *terminal, bool background)
{
	struct rig rig = {
		.in = terminal->slave,
		.out = terminal->slave,
		.errfd = terminal->slave,
		.interactive = true,
		.tty = true,
		.workspace = ws_terminal,
	};
	pid_t leader = fork();
	pid_t pid;
	int status;

	assert_true(leader >= 0);
	if (leader > 0)
		return leader;
	if (setsid() < 0 || ioctl(terminal->slave, TIOCSCTTY, 0) < 0)
		_exit(80);
	if (!background)
		_exit(proxy(&rig));

	pid = fork();
	if (pid == 0) {
		(void)setpgid(0, 0);
		_exit(proxy(&rig));
	}
	(void)setpgid(pid, pid);
	(void)signal(SIGTTOU, SIG_IGN);
	(void)usleep(400000);
	if (waitpid(pid, &status, WNOHANG | WUNTRACED) != 0)
		_exit(81);
	if (tcsetpgrp(terminal->slave, pid) < 0)
		_exit(82);
	if (waitpid(pid, &status, WUNTRACED) != pid || !WIFEXITED(status))
		_exit(83);
	_exit(WEXITSTATUS(status));
}

static void close_terminal(struct terminal *terminal)
{
	(void)close(terminal->master);
	(void)close(terminal->slave);
}

static void test_terminal(void **state)
{
	const struct winsize size = { .ws_row = 50, .ws_col = 132 };
	struct terminal terminal;
	bool resized = false;
	pid_t pid;

	(void)state;
	open_terminal(&terminal);
	assert_false(is_raw(&terminal));
	pid = start_session(&terminal, false);
	assert_true(shows(terminal.master, "size 33 101\r\n"));
	assert_true(becomes_raw(&terminal, true));

	/* The kernel sends SIGWINCH to the foreground group. */
	assert_int_equal(ioctl(terminal.master, TIOCSWINSZ, &size), 0);
	for (int i = 0; i < 50 && !resized; i++) {
		say(terminal.master, "x\r");
		resized = shows_within(terminal.master, "size 50 132\r\n", 200);
	}
	assert_true(resized);
	say(terminal.master, "q\r");
	assert_int_equal(end_of(pid), 42);
	assert_false(is_raw(&terminal));
	close_terminal(&terminal);
}

static void test_terminal_is_restored_after_a_signal(void **state)
{
	struct terminal terminal;
	pid_t pid;

	(void)state;
	open_terminal(&terminal);
	pid = start_session(&terminal, false);
	assert_true(becomes_raw(&terminal, true));
	(void)kill(pid, SIGUSR1);
	assert_int_equal(end_of(pid), PROXY_STOPPED);
	assert_false(is_raw(&terminal));
	close_terminal(&terminal);
}

static void test_background_waits_for_its_terminal(void **state)
{
	struct terminal terminal;
	pid_t pid;

	(void)state;
	open_terminal(&terminal);
	pid = start_session(&terminal, true);
	/* Output is shown, and the terminal is left as the shell wants it. */
	assert_true(shows(terminal.master, "size 33 101"));
	assert_false(is_raw(&terminal));
	assert_true(becomes_raw(&terminal, true));
	say(terminal.master, "q\r");
	assert_int_equal(end_of(pid), 42);
	close_terminal(&terminal);
}

/* Hangs its console up and opens it again, as systemd does with /dev/console. */
static int ws_reopen(void)
{
	char name[64];

	if (ttyname_r(1, name, sizeof(name)) != 0)
		return 1;
	say(1, "before\n");
	for (int fd = 0; fd <= 2; fd++)
		(void)close(fd);
	(void)usleep(300000);
	if (open(name, O_RDWR | O_NOCTTY) != 0 || dup(0) != 1 || dup(0) != 2)
		return 2;
	say(1, "after\n");
	(void)pause();
	return 0;
}

static void test_lasting_pty(void **state)
{
	(void)state;

	for (int lasting = 0; lasting <= 1; lasting++) {
		struct rig rig = {
			.in = 0,
			.errfd = 2,
			.tty = true,
			.lasting = lasting,
			.workspace = ws_reopen,
		};
		int out[2];
		pid_t pid;

		print_message("  %s\n", lasting ? "lasting" : "the first end is the end");
		pipe_or_fail(out);
		rig.out = out[1];
		pid = start(&rig);
		(void)close(out[1]);
		assert_true(shows(out[0], "before\r\n"));
		if (lasting)
			assert_true(shows(out[0], "after\r\n"));
		(void)usleep(lasting ? 0 : 600000);
		(void)kill(pid, SIGUSR1);
		assert_int_equal(end_of(pid), PROXY_STOPPED);
		if (!lasting)
			assert_int_equal(read(out[0], out, 1), 0);
		(void)close(out[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pass_through),
		cmocka_unit_test(test_two_streams_stay_apart),
		cmocka_unit_test(test_inputs),
		cmocka_unit_test(test_full_output_leaves_the_loop_alive),
		cmocka_unit_test(test_slow_reader_gets_everything),
		cmocka_unit_test(test_closed_reader_stops_the_writer),
		cmocka_unit_test(test_full_disk_is_drained),
		cmocka_unit_test(test_workspace_that_reads_nothing),
		cmocka_unit_test(test_end_of_output_is_passed_on),
		cmocka_unit_test(test_tee_without_foreground),
		cmocka_unit_test(test_input_that_is_no_terminal),
		cmocka_unit_test(test_terminal),
		cmocka_unit_test(test_terminal_is_restored_after_a_signal),
		cmocka_unit_test(test_background_waits_for_its_terminal),
		cmocka_unit_test(test_lasting_pty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
