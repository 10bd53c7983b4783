#include "image_program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

/* Exit status of a child that could not execute the program: none of theirs is above. */
#define CANNOT_EXECUTE 127

/* How often one is looked at that may stall, and how long it has to end then. */
#define LOOK_MS 1000
#define END_MS 10000

/*
 * Whether one that may stall gets a process group of its own, so that what it started, as a
 * credential helper, ends with it. At a terminal it stays in ours: there ^C is for all of them,
 * and a helper may ask for a password, which a group in the background cannot.
 */
static bool apart(const struct program *program)
{
	cleanup_close int terminal = -EBADF;

	if (program->patience_s == 0 || program->alone)
		return false;
	terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	return terminal < 0;
}

/*
 * Whether who started us has died: he was the only reader of @errfd, and the kernel closes it
 * before it sends what PR_SET_PDEATHSIG asks for. In another PID namespace getppid() is 0.
 */
static bool orphaned(int errfd)
{
	struct pollfd pfd = { .fd = errfd };

	return poll(&pfd, 1, 0) != 0;
}

static _Noreturn void become(const struct program *program, int out, int errfd,
                             bool own_group)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct err ignored = { 0 };
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (orphaned(errfd) || null < 0 || (own_group && setpgid(0, 0) < 0) ||
	    (program->alone && setsid() < 0) ||
	    fd_replace_stdio(null, program->out >= 0 ? program->out : out, errfd,
	                     &ignored) < 0 ||
	    fd_cloexec_all(&ignored) < 0)
		_exit(CANNOT_EXECUTE);
	if (program->env)
		(void)execvpe(program->argv[0], (char *const *)program->argv,
		              (char *const *)program->env);
	else
		(void)execvp(program->argv[0], (char *const *)program->argv);
	_exit(CANNOT_EXECUTE);
}

/* Whole lines go on; what is longer than the buffer is none of a program we know. */
static void take_lines(struct program *program, char *buf, size_t *n)
{
	char *start = buf, *end;

	buf[*n] = '\0';
	while ((end = strpbrk(start, "\r\n"))) {
		*end = '\0';
		if (*start && program->line)
			program->line(program->ctx, start);
		start = end + 1;
	}
	*n = strlen(start);
	memmove(buf, start, *n + 1);
}

static void take_tail(struct program *program, const char *data, size_t n)
{
	size_t over;

	if (n > PROGRAM_TAIL_MAX) {
		data += n - PROGRAM_TAIL_MAX;
		n = PROGRAM_TAIL_MAX;
	}
	over = program->tail_n + n > PROGRAM_TAIL_MAX
	               ? program->tail_n + n - PROGRAM_TAIL_MAX
	               : 0;
	memmove(program->tail, program->tail + over, program->tail_n - over);
	program->tail_n -= over;
	memcpy(program->tail + program->tail_n, data, n);
	program->tail_n += n;
	program->tail[program->tail_n] = '\0';
}

/* NUL bytes would end what we read of it as text. */
static ssize_t read_text(int fd, char *buf, size_t size)
{
	ssize_t n;

	do
		n = read(fd, buf, size);
	while (n < 0 && errno == EINTR);
	for (ssize_t i = 0; i < n; i++)
		if (buf[i] == '\0')
			buf[i] = ' ';
	return n;
}

/**
 * struct watch_over - A program that may stall
 * @sign:	as it was last
 * @due_ms:	when it has to be another one
 * @look_ms:	when to look next
 */
struct watch_over {
	uint64_t sign;
	int64_t due_ms, look_ms;
};

/*
 * Ends a program that shows no sign of work: politely, and after a while by force.
 * @target:	as kill(2) takes it
 */
static void look_after(struct program *program, struct watch_over *watch, pid_t target)
{
	const int64_t now = clock_ms(CLOCK_MONOTONIC);
	uint64_t sign;

	if (program->patience_s == 0 || now < watch->look_ms)
		return;
	watch->look_ms = now + LOOK_MS;
	sign = program->sign(program->sign_ctx);
	if (watch->due_ms == 0 || (sign != watch->sign && !program->stalled)) {
		watch->sign = sign;
		watch->due_ms = now + (int64_t)program->patience_s * 1000;
	}
	if (now < watch->due_ms)
		return;
	(void)kill(target, program->stalled ? SIGKILL : SIGTERM);
	program->stalled = true;
	watch->due_ms = now + END_MS;
}

/* It stays a zombie, and its number and its group's are nobody else's. */
static bool has_ended(pid_t pid)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == pid;
}

/* Until nobody has its pipes any more; of one that may stall, until it has ended itself. */
static void listen_to(struct program *program, pid_t pid, pid_t target, int *out,
                      int *errfd)
{
	struct watch_over watch = { 0 };
	char lines[4096], said[4096];
	size_t held = 0;

	while (*out >= 0 || *errfd >= 0) {
		struct pollfd source[] = { { .fd = *out, .events = POLLIN },
			                   { .fd = *errfd, .events = POLLIN },
			                   { .fd = program->watched, .events = POLLIN } };
		ssize_t n;
		int ready;

		look_after(program, &watch, target);
		ready = poll(source, 3, program->patience_s > 0 ? LOOK_MS : -1);
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready < 0 || ((ready == 0 || program->stalled) && has_ended(pid)))
			break;
		if (source[0].revents) {
			if (held == sizeof(lines) - 1)
				held = 0;
			n = read_text(*out, lines + held, sizeof(lines) - 1 - held);
			if (n <= 0) {
				drop_fd(out);
			} else {
				held += (size_t)n;
				take_lines(program, lines, &held);
			}
		}
		if (source[2].revents & POLLIN)
			program->ready(program->watched);
		if (source[1].revents) {
			n = read_text(*errfd, said, sizeof(said));
			if (n <= 0)
				drop_fd(errfd);
			else
				take_tail(program, said, (size_t)n);
		}
	}
}

bool program_found(const char *name, const char *path)
{
	char file[4096];

	for (path = path ? path : "/usr/bin:/bin"; *path; path += *path == ':') {
		size_t n = strcspn(path, ":");

		if (n + strlen(name) + 2 < sizeof(file)) {
			(void)memcpy(file, path, n);
			file[n] = '/';
			(void)strcpy(file + n + 1, name);
			if (access(file, X_OK) == 0)
				return true;
		}
		path += n;
	}
	return false;
}

int program_require(const char *name, const char *package, const char *path,
                    struct err *err)
{
	if (program_found(name, path))
		return 0;
	(void)err_set(err, ENOENT, "find the program '%s'", name);
	return err_hint(err, "install the package %s", package);
}

int program_run(struct program *program, struct err *err)
{
	cleanup_close int out = -EBADF, errfd = -EBADF;
	int to[2] = { -EBADF, -EBADF }, from[2] = { -EBADF, -EBADF };
	const bool own_group = apart(program);
	pid_t pid;
	int status;

	/* Before anything is made for it, and so that 127 is the program's own. */
	if (program_require(program->argv[0], program->package, getenv("PATH"), err) < 0)
		return -err->code;
	if (pipe2(from, O_CLOEXEC) < 0 || pipe2(to, O_CLOEXEC) < 0) {
		close_fdp(&from[0]);
		close_fdp(&from[1]);
		return err_set(err, errno, "make a pipe");
	}
	out = from[0];
	errfd = to[0];
	program->stalled = false;
	program->tail_n = 0;
	program->tail[0] = '\0';
	pid = fork();
	if (pid == 0) {
		drop_fd(&out);
		drop_fd(&errfd);
		become(program, from[1], to[1], own_group);
	}
	close_fdp(&from[1]);
	close_fdp(&to[1]);
	if (pid < 0)
		return err_set(err, errno, "start '%s'", program->argv[0]);
	if (own_group)
		(void)setpgid(pid, pid); /* it may not have come to that yet */
	listen_to(program, pid, own_group ? -pid : pid, &out, &errfd);
	if (own_group && program->stalled)
		(void)kill(-pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_set(err, errno, "wait for '%s'", program->argv[0]);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

const char *program_said(struct program *program)
{
	char *last = NULL;

	for (char *save = NULL, *line = strtok_r(program->tail, "\r\n", &save); line;
	     line = strtok_r(NULL, "\r\n", &save))
		if (line[strspn(line, " \t")])
			last = line;
	for (char *p = last; p && *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	return last ? last : "it said nothing";
}
