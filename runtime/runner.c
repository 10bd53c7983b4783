#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/syscall.h"
#include "base/terminal.h"
#include "exec.h"
#include "pid1.h"

/* Of output at once: all that a pipe holds. Others wait for us, too. */
#define READS_A_TURN 16

static void end_line(struct runner_tail *tail)
{
	char *text = tail->part;

	if (tail->part_n == 0)
		return;
	text[tail->part_n] = '\0';
	tail->part_n = 0;
	terminal_mute(text);
	memcpy(tail->line, text, sizeof(tail->line));
}

void runner_tail_add(struct runner_tail *tail, const char *data, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (data[i] == '\n')
			end_line(tail);
		else if (tail->part_n < sizeof(tail->part) - 1)
			tail->part[tail->part_n++] = data[i] ? data[i] : '?';
	}
}

const char *runner_tail_text(struct runner_tail *tail)
{
	end_line(tail);
	return tail->line;
}

void runner_init(struct runner *runner, int entry, const char *log)
{
	*runner = (struct runner){ .pidfd = -EBADF, .output = -EBADF };
	logfile_init(&runner->log, entry, log);
}

/*
 * What is there, but no more than a pipe holds: somebody may write all the time. Return:
 * whether more may come.
 */
static bool take_output(struct runner *runner)
{
	char data[4096];

	for (int i = 0; i < READS_A_TURN; i++) {
		const ssize_t n = read(runner->output, data, sizeof(data));

		if (n <= 0)
			return n < 0 && errno == EAGAIN;
		logfile_write(&runner->log, data, (size_t)n);
		runner_tail_add(&runner->tail, data, (size_t)n);
	}
	return true;
}

static void forget(struct runner *runner, int *fd)
{
	if (*fd >= 0)
		loop_remove(runner->loop, *fd);
	drop_fd(fd);
}

static int on_output(void *ctx, int fd, short revents, struct err *err)
{
	struct runner *runner = ctx;

	(void)fd;
	(void)revents;
	(void)err;
	if (!take_output(runner))
		forget(runner, &runner->output);
	return LOOP_GO;
}

/* Its number is nobody else's before waitpid(2), and so is that of its group. */
static int reap(struct runner *runner)
{
	int status = EXEC_FAILED << 8;

	if (runner->group)
		(void)kill(-runner->pid, SIGKILL);
	while (waitpid(runner->pid, &status, 0) < 0)
		if (errno != EINTR) {
			status = EXEC_FAILED << 8;
			break;
		}
	runner->pid = 0;
	return pid1_code(status);
}

static int on_end(void *ctx, int fd, short revents, struct err *err)
{
	struct runner *runner = ctx;
	int status;

	(void)fd;
	(void)revents;
	forget(runner, &runner->pidfd);
	status = reap(runner);
	if (runner->output >= 0)
		(void)take_output(runner);
	forget(runner, &runner->output);
	return runner->ended(runner->ctx, status, err);
}

static int watch(struct runner *runner, struct err *err)
{
	if (runner->output >= 0 &&
	    loop_add(runner->loop, runner->output, POLLIN, on_output, runner, err) < 0)
		return -err->code;
	return loop_add(runner->loop, runner->pidfd, POLLIN, on_end, runner, err);
}

static int start(struct runner *runner, void (*become)(void *arg, int output), void *arg,
                 struct err *err)
{
	cleanup_close int far = -EBADF;
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_set(err, errno, "make a pipe");
	runner->output = pair[0];
	far = pair[1];
	(void)fcntl(runner->output, F_SETFL, O_NONBLOCK);
	runner->tail = (struct runner_tail){ .part_n = 0 };
	runner->pid = fork();
	if (runner->pid == 0) {
		become(arg, far);
		_exit(EXEC_FAILED);
	}
	if (runner->pid < 0) {
		runner->pid = 0;
		return err_set(err, errno, "start a process");
	}
	runner->pidfd = sys_pidfd_open(runner->pid, 0);
	if (runner->pidfd < 0)
		return err_set(err, errno, "watch a process");
	return watch(runner, err);
}

int runner_start(struct runner *runner, void (*become)(void *arg, int output), void *arg,
                 struct err *err)
{
	int r = start(runner, become, arg, err);

	if (r < 0)
		runner_close(runner);
	return r;
}

void runner_kill(const struct runner *runner)
{
	if (runner->pid <= 0)
		return;
	if (runner->group)
		(void)kill(-runner->pid, SIGKILL);
	/* It may not have made its group yet. */
	(void)kill(runner->pid, SIGKILL);
}

void runner_close(struct runner *runner)
{
	forget(runner, &runner->pidfd);
	forget(runner, &runner->output);
	if (runner->pid > 0) {
		runner_kill(runner);
		(void)reap(runner);
	}
	logfile_close(&runner->log);
}
