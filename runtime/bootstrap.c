#include "bootstrap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/number.h"
#include "exec.h"
#include "services.h"

#define ON_FAILURE "on-failure"

/* "on-failure[:N]": N in @ret, UINT64_MAX without one. */
static bool on_failure(const char *policy, uint64_t *ret)
{
	struct err ignored = { 0 };

	*ret = UINT64_MAX;
	if (strncmp(policy, ON_FAILURE, strlen(ON_FAILURE)) != 0)
		return false;
	policy += strlen(ON_FAILURE);
	return *policy == '\0' ||
	       (*policy == ':' &&
	        number_parse(policy + 1, 1, INT32_MAX, ret, &ignored) == 0);
}

int bootstrap_policy_check(const char *policy, struct err *err)
{
	uint64_t ignored;

	if (!strcmp(policy, "no") || !strcmp(policy, "always") ||
	    on_failure(policy, &ignored))
		return 0;
	return err_set(err, EINVAL, "'%s' is not no, always, on-failure or on-failure:N",
	               policy);
}

bool bootstrap_restarts(const char *policy, int status, uint64_t restarts)
{
	uint64_t most;

	if (!strcmp(policy, "always"))
		return true;
	return on_failure(policy, &most) && status != 0 && restarts < most;
}

/* Of a script that was read, "bootstrap.sh", in the entry. */
#define KEPT "%s.sh"
#define KEPT_MAX 32
#define SCRIPT_MAX (1U << 20)

/* To its end. Return: 0; -E2BIG, and @err is not filled in; -errno. */
static int read_all(int fd, char *text, size_t *ret_n)
{
	size_t len = 0;
	ssize_t n = 1;

	while (n != 0 && len <= SCRIPT_MAX) {
		n = read(fd, text + len, SCRIPT_MAX + 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		len += (size_t)n;
	}
	*ret_n = len;
	return len > SCRIPT_MAX ? -E2BIG : 0;
}

int bootstrap_read(struct arena *arena, const char **ret, size_t *ret_n, struct err *err)
{
	char *text = arena_alloc(arena, SCRIPT_MAX + 1);
	size_t len = 0;
	int r = text ? read_all(STDIN_FILENO, text, &len) : -ENOMEM;

	if (r == 0) {
		*ret = text;
		*ret_n = len;
		return 0;
	}
	if (r == -E2BIG) {
		(void)err_set(err, E2BIG, "standard input has more than %u bytes",
		              SCRIPT_MAX);
		(void)err_hint(err, "--bootstrap - reads a script there, to its end");
	} else {
		(void)err_set(err, -r, "read the script from standard input");
	}
	return err_step(err, "bootstrap");
}

static int keep(int entry, const char *title, const char *text, size_t n, struct err *err)
{
	char name[KEPT_MAX];

	(void)snprintf(name, sizeof(name), KEPT, title);
	return file_create(entry, name, 0600, text, n, err);
}

int bootstrap_keep(int entry, const char *text, size_t n, struct err *err)
{
	return keep(entry, "bootstrap", text, n, err) < 0 ? err_step(err, "bootstrap")
	                                                  : 0;
}

/* A file; whoever may change the pod's may put anything there, so not a FIFO to hang at. */
static int read_script(const char *script, char *text, size_t *ret_n, struct err *err)
{
	cleanup_close int fd = open(script, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0)
		return err_set(err, errno, "open '%s'", script);
	if (fstat(fd, &st) < 0)
		return err_set(err, errno, "look at '%s'", script);
	if (!S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "'%s' is no regular file", script);
	r = read_all(fd, text, ret_n);
	if (r == -E2BIG)
		return err_set(err, E2BIG, "'%s' has more than %u bytes", script,
		               SCRIPT_MAX);
	return r < 0 ? err_set(err, -r, "read '%s'", script) : 0;
}

int bootstrap_take(int entry, const char *script, const char *title, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	char *text;
	size_t n = 0;

	if (!script || !strcmp(script, BOOTSTRAP_STDIN))
		return 0;
	text = arena_alloc(&arena, SCRIPT_MAX + 1);
	if (!text)
		return err_set(err, ENOMEM, "read '%s'", script);
	if (read_script(script, text, &n, err) < 0)
		(void)err_hint(err,
		               "--%s takes a script of the pod, not of the workspace",
		               title);
	else
		(void)keep(entry, title, text, n, err);
	return err->code ? err_step(err, title) : 0;
}

void bootstrap_init(struct bootstrap *b, int entry, const char *log)
{
	*b = (struct bootstrap){ .entry = entry, .timer = -EBADF };
	runner_init(&b->runner, entry, log);
}

static void tell(const struct bootstrap *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void tell(const struct bootstrap *b, const char *fmt, ...)
{
	char line[640];
	int len = snprintf(line, sizeof(line), "%s: ", b->title);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line + len, sizeof(line) - (size_t)len, fmt, ap);
	va_end(ap);
	b->say(b->ctx, line);
}

static int on_timer(void *ctx, int fd, short revents, struct err *err)
{
	struct bootstrap *b = ctx;

	(void)revents;
	(void)err;
	loop_remove(b->loop, fd);
	drop_fd(&b->timer);
	bootstrap_start(b);
	return LOOP_GO;
}

/* Again after a while, which grows as that of berth's services. */
static void rest(struct bootstrap *b)
{
	struct itimerspec when = { 0 };
	struct err err = { 0 };

	b->pause_ms = service_pause(b->pause_ms, clock_ms(CLOCK_MONOTONIC) - b->begun_ms);
	when.it_value.tv_sec = b->pause_ms / 1000;
	when.it_value.tv_nsec = b->pause_ms % 1000 * 1000000L;
	b->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (b->timer < 0 || timerfd_settime(b->timer, 0, &when, NULL) < 0 ||
	    loop_add(b->loop, b->timer, POLLIN, on_timer, b, &err) < 0)
		tell(b, "no timer, so it is not started again");
}

static void ended(struct bootstrap *b, int status)
{
	if (b->over || !bootstrap_restarts(b->restart, status, b->restarts)) {
		tell(b, "the script ended with %d", status);
		return;
	}
	rest(b);
	b->restarts++;
	tell(b, "the script ended with %d, and starts again in %d.%d s", status,
	     b->pause_ms / 1000, b->pause_ms % 1000 / 100);
}

static int on_end(void *ctx, int status, struct err *err)
{
	struct bootstrap *b = ctx;

	(void)err;
	ended(b, status);
	if (b->over && b->left)
		b->left(b->ctx);
	return LOOP_GO;
}

/* What the child is made of. */
struct child {
	const struct bootstrap *bootstrap;
	int script;
};

/* The child: our own program, as anybody who types it. */
static void become_exec(void *arg, int output)
{
	const struct child *child = arg;
	const struct bootstrap *b = child->bootstrap;
	const char *argv[12] = { "berth", "exec", "--unattended", "-i" };
	struct err err = { 0 };
	size_t n = 4;

	if (b->env) {
		argv[n++] = "-e";
		argv[n++] = b->env;
	}
	argv[n++] = b->config->name;
	argv[n++] = "--";
	argv[n++] = "/bin/sh";
	argv[n] = "-s";
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)sigprocmask(SIG_SETMASK, b->old_mask, NULL);
	if (fd_replace_stdio(child->script, output, output, &err) == 0 &&
	    fd_cloexec_all(&err) == 0)
		(void)execv("/proc/self/exe", (char *const *)argv);
	_exit(EXEC_FAILED);
}

static int start(struct bootstrap *b, struct err *err)
{
	cleanup_close int script = -EBADF;
	struct child child = { .bootstrap = b };
	char kept[KEPT_MAX];

	(void)snprintf(kept, sizeof(kept), KEPT, b->title);
	script = openat(b->entry, kept, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (script < 0)
		return err_set(err, errno, "open what was read of '%s'", b->script);
	child.script = script;
	return runner_start(&b->runner, become_exec, &child, err);
}

void bootstrap_start(struct bootstrap *b)
{
	struct err err = { 0 };

	if (!b->script || b->over || b->runner.pid > 0)
		return;
	b->begun_ms = clock_ms(CLOCK_MONOTONIC);
	b->runner.loop = b->loop;
	b->runner.ended = on_end;
	b->runner.ctx = b;
	if (start(b, &err) == 0)
		return;
	tell(b, "%s: %s", err.text, strerror(err.code));
	bootstrap_close(b);
	ended(b, EXEC_FAILED);
}

static void forget_timer(struct bootstrap *b)
{
	if (b->timer >= 0)
		loop_remove(b->loop, b->timer);
	drop_fd(&b->timer);
}

/* berth exec hands the signal on. */
bool bootstrap_stop(struct bootstrap *b)
{
	b->over = true;
	forget_timer(b);
	return b->runner.pid > 0 && kill(b->runner.pid, SIGTERM) == 0;
}

void bootstrap_close(struct bootstrap *b)
{
	forget_timer(b);
	runner_close(&b->runner);
}
