#include "hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "exec.h"
#include "launch.h"
#include "pid1.h"

/* Where a script is open: its interpreter gets it as /dev/fd/3. */
#define SCRIPT_FD 3

void hooks_init(struct hooks *hooks, const struct config *config, int entry)
{
	*hooks = (struct hooks){ .config = config, .timer = -EBADF };
	runner_init(&hooks->runner, entry, HOOKS_LOG);
	for (size_t i = 0; i < HOOKS_MAX; i++)
		hooks->program[i] = -EBADF;
}

/* Whether the kernel would read it as one; a file that may only be executed is none. */
static bool is_script(int program)
{
	char path[64], head[2];
	cleanup_close int fd = -EBADF;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", program);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, head, sizeof(head)) == sizeof(head) &&
	       head[0] == '#' && head[1] == '!';
}

int hooks_open(struct hooks *hooks, size_t i, const struct hook_fact *fact,
               struct err *err)
{
	const char *path = hooks->config->hook[i].argv[0];
	cleanup_close int fd = open(path, O_PATH | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, errno, "open '%s'", path);
	/* What was judged is what is open, and what will run. */
	if (!S_ISREG(st.st_mode) || st.st_dev != fact->program.dev ||
	    st.st_ino != fact->program.ino || (st.st_mode & 07777) != fact->mode ||
	    st.st_uid != fact->uid || st.st_gid != fact->gid)
		return err_set(err, ESTALE, "'%s' changed while it was looked at", path);
	hooks->script[i] = is_script(fd);
	hooks->program[i] = take_fd(&fd);
	return 0;
}

bool hooks_any(const struct hooks *hooks, enum hook_kind kind)
{
	for (size_t i = 0; i < hooks->config->hook_n; i++)
		if (hooks->config->hook[i].kind == kind)
			return true;
	return false;
}

/* What the child is made of. */
struct child {
	const struct hooks *hooks;
	int program, input;
	bool script;
	pid_t supervisor;
};

#define VARIABLES 3

/* Nothing of the caller's, where a pod keeps its secrets, but what "berth inspect" goes by. */
static void environment(char room[VARIABLES][PATH_MAX], char *ret[VARIABLES + 1])
{
	static const char *const names[VARIABLES] = { "PATH", "HOME", "XDG_RUNTIME_DIR" };
	size_t n = 0;

	for (size_t i = 0; i < VARIABLES; i++) {
		const char *value = i == 0 ? EXEC_PATH : getenv(names[i]);

		if (value &&
		    snprintf(room[i], PATH_MAX, "%s=%s", names[i], value) < PATH_MAX)
			ret[n++] = room[i];
	}
	ret[n] = NULL;
}

/* The hook itself, in the guard's group. */
static void __attribute__((noreturn)) become_hook(const struct child *child, pid_t guard)
{
	const struct hook *hook = &child->hooks->config->hook[child->hooks->at];
	char room[VARIABLES][PATH_MAX], *env[VARIABLES + 1];
	struct err err = { 0 };
	int why;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != guard)
		_exit(EXEC_FAILED);
	environment(room, env);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)sigprocmask(SIG_SETMASK, child->hooks->old_mask, NULL);
	if (!child->script || fd_hand_down(child->program, SCRIPT_FD, &err) == 0)
		(void)execveat(child->script ? SCRIPT_FD : child->program, "",
		               (char *const *)hook->argv, env, AT_EMPTY_PATH);
	why = err.code ? err.code : errno;
	(void)dprintf(STDERR_FILENO, "execute '%s': %s\n", hook->argv[0], strerror(why));
	_exit(why == ENOENT ? EXEC_NOT_FOUND : EXEC_NOT_EXECUTABLE);
}

/*
 * Above the hook stands a process of ours, the first of its group: where the supervisor is
 * killed the kernel tells it, and all of the group goes, not the hook alone.
 *
 * Should: keep its streams and the program.
 * Mustn't: outlive the supervisor, or the hook.
 */
static void become_guard(void *arg, int output)
{
	const struct child *child = arg;
	const pid_t self = getpid();
	struct err err = { 0 };
	int status = 0, sent = 0;
	sigset_t all;
	pid_t pid, ended;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, NULL);
	(void)signal(SIGCHLD, SIG_DFL);
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != child->supervisor || setsid() < 0 || chdir("/") < 0 ||
	    fd_replace_stdio(child->input, output, output, &err) < 0 ||
	    fd_keep_only(&child->program, 1, &err) < 0)
		_exit(EXEC_FAILED);
	pid = fork();
	if (pid == 0)
		become_hook(child, self);
	if (pid < 0)
		_exit(EXEC_FAILED);
	while ((ended = waitpid(pid, &status, WNOHANG)) == 0)
		if (sigwait(&all, &sent) != 0 || sent == SIGTERM)
			(void)kill(0, SIGKILL);
	_exit(ended == pid ? pid1_code(status) : EXEC_FAILED);
}

static int next(struct hooks *hooks, struct err *err);

static void disarm(struct hooks *hooks)
{
	if (hooks->timer >= 0)
		loop_remove(hooks->runner.loop, hooks->timer);
	drop_fd(&hooks->timer);
}

static int finish(struct hooks *hooks, struct err *err)
{
	hooks->busy = false;
	logfile_close(&hooks->runner.log);
	return hooks->done(hooks->ctx, err);
}

/* @why says what, and goes up unless nothing is left that could be ended. */
static int fail(struct hooks *hooks, int status, bool told, const struct err *why,
                struct err *err)
{
	const struct hook *hook = &hooks->config->hook[hooks->at];

	if (told)
		hooks->failed(hooks->ctx, hook, status, why);
	if (hooks->kind == HOOK_POSTSTOP) {
		hooks->at++;
		return next(hooks, err);
	}
	*err = *why;
	(void)err_step(err, "hook");
	(void)hint_for(err);
	return finish(hooks, err);
}

static int on_end(void *ctx, int status, struct err *err)
{
	struct hooks *hooks = ctx;
	const struct hook *hook = &hooks->config->hook[hooks->at];
	const char *last = runner_tail_text(&hooks->runner.tail);
	struct err why = { 0 };

	disarm(hooks);
	if (hooks->late)
		(void)err_set(&why, ETIME,
		              "the %s hook '%s' took longer than %" PRIu64 " s",
		              hook_kind_name[hook->kind], hook->argv[0],
		              hooks->config->hook_timeout_s);
	else if (status != 0)
		(void)err_set(&why, ECANCELED, "the %s hook '%s' ended with %d%s%s%s",
		              hook_kind_name[hook->kind], hook->argv[0], status,
		              *last ? " ('" : "", last, *last ? "')" : "");
	if (why.code)
		return fail(hooks, status, true, &why, err);
	hooks->at++;
	return next(hooks, err);
}

static int on_timer(void *ctx, int fd, short revents, struct err *err)
{
	struct hooks *hooks = ctx;

	(void)fd;
	(void)revents;
	(void)err;
	disarm(hooks);
	hooks->late = true;
	runner_kill(&hooks->runner);
	return LOOP_GO;
}

static int arm(struct hooks *hooks, struct err *err)
{
	const struct itimerspec when = { .it_value.tv_sec =
		                                 (time_t)hooks->config->hook_timeout_s };

	hooks->late = false;
	hooks->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (hooks->timer < 0 || timerfd_settime(hooks->timer, 0, &when, NULL) < 0)
		return err_set(err, errno, "make a timer");
	return loop_add(hooks->runner.loop, hooks->timer, POLLIN, on_timer, hooks, err);
}

static int run_one(struct hooks *hooks, struct err *err)
{
	cleanup_close int input = hooks->input(hooks->ctx, hooks->kind, err);
	struct child child = { .hooks = hooks,
		               .program = hooks->program[hooks->at],
		               .script = hooks->script[hooks->at],
		               .input = input,
		               .supervisor = getpid() };
	int r = input < 0 ? input : arm(hooks, err);

	if (r == 0)
		r = runner_start(&hooks->runner, become_guard, &child, err);
	if (r < 0)
		disarm(hooks);
	return r;
}

/* The next one of its kind, or the end of them. */
static int next(struct hooks *hooks, struct err *err)
{
	const struct config *config = hooks->config;
	struct err why = { 0 };
	bool begun;

	while (hooks->at < config->hook_n && config->hook[hooks->at].kind != hooks->kind)
		hooks->at++;
	if (hooks->at == config->hook_n)
		return finish(hooks, err);
	begun = hooks->begin(hooks->ctx, &config->hook[hooks->at], &why) == 0;
	if (begun && run_one(hooks, &why) == 0)
		return LOOP_GO;
	(void)err_wrap(&why, "run the %s hook '%s'", hook_kind_name[hooks->kind],
	               config->hook[hooks->at].argv[0]);
	return fail(hooks, EXEC_FAILED, begun, &why, err);
}

int hooks_start(struct hooks *hooks, enum hook_kind kind, struct loop *loop,
                struct err *err)
{
	hooks->kind = kind;
	hooks->at = 0;
	hooks->busy = true;
	hooks->runner.loop = loop;
	hooks->runner.group = true;
	hooks->runner.ended = on_end;
	hooks->runner.ctx = hooks;
	return next(hooks, err);
}

void hooks_stop(struct hooks *hooks)
{
	if (hooks->timer >= 0)
		disarm(hooks);
	runner_close(&hooks->runner);
	hooks->busy = false;
}

void hooks_close(struct hooks *hooks)
{
	hooks_stop(hooks);
	for (size_t i = 0; i < HOOKS_MAX; i++)
		drop_fd(&hooks->program[i]);
}
