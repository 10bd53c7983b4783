#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/syscall.h"
#include "commands.h"
#include "config.h"
#include "control.h"
#include "entries.h"
#include "exec.h"
#include "join.h"
#include "launch.h"
#include "options.h"
#include "pidfd.h"
#include "run.h"
#include "scope.h"
#include "state.h"
#include "stdio.h"
#include "sync.h"

#define ENV_MAX 256

/* From the end of the command to that of our patience with who tells its status. */
#define STATUS_TIMEOUT_S 5

/* What the command line says. */
struct words {
	bool interactive, tty, detach, unattended;
	const char *user, *workdir;
	const char *env[ENV_MAX];
	size_t env_n;
	const char *name;
	const char *const *command;
};

/* What the loop serves. */
struct client {
	struct loop loop;
	struct stdio stdio;
	struct joined joined;
	int signals, timer;
	sigset_t old_mask;
};

static int add_env(void *field, const char *value, struct err *err)
{
	struct words *words = field;

	if (value[0] == '=' || value[0] == '\0')
		return err_set(err, EINVAL, "'%s' has no name", value);
	if (words->env_n == ENV_MAX)
		return err_set(err, E2BIG, "more than %d variables", ENV_MAX);
	words->env[words->env_n++] = value;
	return 0;
}

/* clang-format off */
static const struct option exec_options[] = {
	{ "interactive", 'i', NULL,   "pass standard input on", option_flag, offsetof(struct words, interactive) },
	{ "tty",         't', NULL,   "give the command a terminal of its own", option_flag, offsetof(struct words, tty) },
	{ "user",        'u', "USER[:GROUP]", "run as this user, looked up inside (run's)", option_text, offsetof(struct words, user) },
	{ "workdir",     'w', "DIR",  "start in this directory of the workspace (run's)", option_text, offsetof(struct words, workdir) },
	{ "env",         'e', "K[=V]", "set a variable, beside those of run", add_env, 0 },
	{ "detach",      'd', NULL,   "return when it runs", option_flag, offsetof(struct words, detach) },
	{ "unattended",  0,   NULL,   "nobody is at it: it is no use that --idle-stop counts", option_flag, offsetof(struct words, unattended) },
};
/* clang-format on */

/* A shell for who types. */
static void login(struct words *words)
{
	if (words->detach)
		return;
	words->interactive = true;
	words->tty |= isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

static int parse(int argc, char **argv, struct words *words, struct err *err)
{
	const struct options options = {
		.words = "[NAME] [--] [COMMAND [ARG...]]",
		.about =
			"Run a command in a running workspace, or the user's login "
			"shell.\nWithout a name, or with a command behind \"--\": in the "
			"only one.",
		.row = exec_options,
		.n = sizeof(exec_options) / sizeof(exec_options[0]),
		.stop_at_word = true,
	};
	int first = options_parse(&options, words, argc, argv, err);

	if (first < 0 || first == OPTIONS_HELP)
		return first;
	if (first < argc && strcmp(argv[first - 1], "--") != 0) {
		words->name = argv[first++];
		if (first < argc && !strcmp(argv[first], "--"))
			first++;
	}
	if (first < argc)
		words->command = (const char *const *)argv + first;
	else
		login(words);
	if (words->workdir && words->workdir[0] != '/')
		return err_set(err, EINVAL, "working directory '%s' is not absolute",
		               words->workdir);
	if (words->detach && !words->command)
		return err_set(err, EINVAL, "-d needs a command");
	if (words->detach && (words->interactive || words->tty))
		return err_set(err, EINVAL, "-d leaves nobody at the other end of -%c",
		               words->tty ? 't' : 'i');
	return words->name ? state_name_check(words->name, err) : 0;
}

/* What run was told, for the words exec was not given: as docker has it. */
static int read_config(int entry, const char *name, struct arena *arena,
                       struct config *ret, struct err *err)
{
	struct record record;
	char **argv;
	int r = state_read(entry, name, arena, &record, err);

	if (r < 0)
		return r;
	argv = arena_alloc(arena, (record.args_n + 1) * sizeof(*argv));
	if (!argv)
		return err_set(err, ENOMEM, "read the workspace's record");
	for (size_t i = 0; i < record.args_n; i++)
		argv[i] = (char *)record.args[i];
	r = config_parse((int)record.args_n, argv, arena, ret, NULL, err);
	if (r < 0)
		return err_wrap(err, "read the workspace's record");
	return r == 0 ? 0 : err_set(err, EINVAL, "the workspace's record");
}

static const char *const *make_env(const struct words *words, const struct config *config,
                                   struct arena *arena, struct err *err)
{
	const char **env =
		arena_alloc(arena, (config->env_n + words->env_n + 5) * sizeof(*env));
	size_t n = 0;

	if (!env) {
		(void)err_set(err, ENOMEM, "make the command's environment");
		return NULL;
	}
	/* From scratch: what the caller has is of another system, and may be secret. */
	env[n++] = "PATH=" EXEC_PATH;
	env[n++] = "container=berth";
	env[n++] = arena_printf(arena, "HOSTNAME=%s", config->hostname);
	if (words->tty)
		env[n++] = "TERM=xterm";
	for (size_t i = 0; i < config->env_n; i++)
		env[n++] = config->env[i];
	for (size_t i = 0; i < words->env_n; i++) {
		const char *own;

		if (strchr(words->env[i], '=')) {
			env[n++] = words->env[i];
			continue;
		}
		own = getenv(words->env[i]);
		if (own)
			env[n++] = arena_printf(arena, "%s=%s", words->env[i], own);
	}
	if (!arena->failed)
		return env;
	(void)err_set(err, ENOMEM, "make the command's environment");
	return NULL;
}

static int on_signal(void *ctx, int fd, short revents, struct err *err)
{
	struct client *client = ctx;
	struct signalfd_siginfo info;

	(void)revents;
	while (read(fd, &info, sizeof(info)) == sizeof(info)) {
		int signal = (int)info.ssi_signo;

		if (signal == SIGWINCH || signal == SIGCONT)
			stdio_winch(&client->stdio);
		else if (signal != SIGCHLD &&
		         pidfd_kill(client->joined.pidfd, signal, err) < 0)
			return -err->code;
	}
	return LOOP_GO;
}

/* Executed, or why not. */
static int on_sock(void *ctx, int fd, short revents, struct err *err)
{
	struct client *client = ctx;
	int r = sync_expect_end(fd, NULL, err);

	(void)revents;
	loop_remove(&client->loop, fd);
	return r < 0 ? r : LOOP_GO;
}

/*
 * The command has ended. Root inside may have stopped who was to tell how; then we do not
 * wait for ever.
 */
static int on_command(void *ctx, int fd, short revents, struct err *err)
{
	const struct itimerspec when = { .it_value.tv_sec = STATUS_TIMEOUT_S };
	struct client *client = ctx;

	(void)revents;
	loop_remove(&client->loop, fd);
	if (timerfd_settime(client->timer, 0, &when, NULL) < 0)
		return err_set(err, errno, "set a timer");
	return LOOP_GO;
}

static int on_end(void *ctx, int fd, short revents, struct err *err)
{
	(void)ctx;
	(void)fd;
	(void)revents;
	(void)err;
	return LOOP_STOP;
}

/* All but those of a fault of ours, and of job control, which is the shell's affair. */
static int open_signals(struct client *client, struct err *err)
{
	static const int left[] = { SIGSEGV, SIGBUS,  SIGILL,  SIGFPE,  SIGABRT, SIGTRAP,
		                    SIGSYS,  SIGPIPE, SIGTSTP, SIGTTIN, SIGTTOU };
	sigset_t all;

	(void)sigfillset(&all);
	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++)
		(void)sigdelset(&all, left[i]);
	if (sigprocmask(SIG_BLOCK, &all, &client->old_mask) < 0)
		return err_set(err, errno, "block signals");
	client->signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (client->signals < 0)
		return err_set(err, errno, "receive signals");
	client->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (client->timer < 0)
		return err_set(err, errno, "make a timer");
	return 0;
}

/* The socket before the end: the reason why a command was not executed counts. */
static int watch(struct client *client, struct err *err)
{
	const struct {
		int fd;
		loop_fn fn;
	} sources[] = {
		{ client->signals, on_signal },    { client->joined.sock, on_sock },
		{ client->joined.waiter, on_end }, { client->joined.pidfd, on_command },
		{ client->timer, on_end },
	};

	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
		if (loop_add(&client->loop, sources[i].fd, POLLIN, sources[i].fn, client,
		             err) < 0)
			return -err->code;
	return 0;
}

static int see_through(struct client *client, const struct join *join, struct err *err)
{
	int r = open_signals(client, err);

	client->stdio.master = client->joined.master;
	client->joined.master = -EBADF;
	if (r == 0)
		r = stdio_start(&client->stdio, err);
	if (r == 0)
		r = watch(client, err);
	if (r == 0)
		r = join_go(join, &client->joined, client->signals, err);
	/* What told of a new size meanwhile was taken. */
	if (r == 0)
		stdio_winch(&client->stdio);
	if (r == 0)
		r = loop_run(&client->loop, err);
	if (r < 0)
		return r;
	stdio_drain(&client->stdio);
	return join_status(&client->joined);
}

/* -d: until it is executed; then it is its workspace's. */
static int see_off(struct client *client, const struct join *join, struct err *err)
{
	int r = join_go(join, &client->joined, -EBADF, err);

	if (r == 0)
		r = sync_expect_end(client->joined.sock, NULL, err);
	return r;
}

static int run_in(struct join *join, const struct words *words, struct err *err)
{
	struct client client = {
		.stdio = { .loop = &client.loop,
		           .foreground = true,
		           .interactive = words->interactive,
		           .tty = words->tty },
		.signals = -EBADF,
		.timer = -EBADF,
	};
	int r;

	if (!words->detach) {
		r = stdio_open(&client.stdio, err);
		if (r < 0)
			return r;
		memcpy(join->stdio, client.stdio.far, sizeof(join->stdio));
		join->size = stdio_size();
	}
	r = join_start(join, &client.joined, err);
	stdio_close_far(&client.stdio);
	/* A descriptor of a namespace keeps it, and its mounts, alive. */
	for (size_t i = 0; i < NS_MAX; i++)
		drop_fd(&join->ns[i]);
	if (r == 0) {
		r = words->detach ? see_off(&client, join, err)
		                  : see_through(&client, join, err);
		drop_fd(&client.joined.sock);
		drop_fd(&client.joined.pidfd);
		drop_fd(&client.joined.waiter);
	}
	/* The terminal first, then the message. */
	stdio_close(&client.stdio);
	drop_fd(&client.signals);
	drop_fd(&client.timer);
	return r;
}

/* For the audit log: user and words, each with its NUL, as many as fit. */
static void tell_words(const struct join *join, struct control_request *ret)
{
	const char *user = join->user ? join->user : "0";
	const char *const shell[] = { "(login shell)", NULL };
	const char *const *word = join->command ? join->command : shell;
	size_t n = 0;

	for (const char *text = user; text && n < CONTROL_TEXT_MAX; text = *word++) {
		const size_t size = strlen(text) + 1, room = CONTROL_TEXT_MAX - n;

		memcpy(ret->text + n, text, size < room ? size : room);
		n += size < room ? size : room;
	}
	ret->text[n - 1] = '\0';
	ret->text_n = (uint32_t)n;
}

static int ask_for(int entry, struct join *join, bool unattended, int ret_fd[CONTROL_FDS],
                   struct err *err)
{
	struct control_request request = { .verb = CONTROL_JOIN,
		                           .unattended = unattended };
	struct control_reply reply;
	int r;

	tell_words(join, &request);
	r = control_ask(entry, &request, &reply, ret_fd, err);
	if (r < 0)
		return r;
	join->init = ret_fd[CONTROL_INIT];
	join->cgroup = ret_fd[CONTROL_CGROUP];
	join->listener = ret_fd[CONTROL_LISTENER];
	memcpy(join->ns, ret_fd + CONTROL_NS, sizeof(join->ns));
	memcpy(join->cgroup1, ret_fd + CONTROL_CGROUP1, sizeof(join->cgroup1));
	if (join->init < 0)
		return err_set(err, EPROTO, "the workspace was started by another berth");
	return 0;
}

static int exec_in(struct words *words, struct err *err)
{
	cleanup_close int state = state_open(false, err);
	cleanup_close int entry = -EBADF, init = -EBADF, cgroup = -EBADF;
	cleanup_close int session = -EBADF; /* until we end */
	cleanup_close int listener = -EBADF;
	cleanup_arena struct arena arena = { 0 };
	struct join join = { .command = words->command,
		             .tty = words->tty,
		             .detach = words->detach,
		             .listener = -EBADF,
		             .stdio = { -EBADF, -EBADF, -EBADF } };
	int fd[CONTROL_FDS];
	struct config config;
	int r;

	if (state == -ENOENT && !words->name) {
		err_clear(err);
		return err_set(err, ESRCH, "no workspace runs here");
	}
	if (state < 0)
		return err_step(err, "state");
	state_tidy(state);
	if (!words->name && entries_only(state, &arena, &words->name, err) < 0)
		return -err->code;
	entry = state_entry(state, words->name, err);
	/* Not "exec", which stands for the command inside. */
	if (entry < 0)
		return err_step(err, "join");
	r = read_config(entry, words->name, &arena, &config, err);
	if (r < 0)
		return r;
	join.user = words->user ? words->user : config.user;
	join.workdir = words->workdir ? words->workdir : config.workdir;
	join.cap_drop = config.cap_drop & ~config.cap_add;
	join.ulimit = config.ulimit;
	join.seccomp = (struct seccomp_choice){ config.seccomp, config.seccomp_allow,
		                                config.seccomp_deny };
	join.env = make_env(words, &config, &arena, err);
	if (!join.env)
		return -err->code;
	r = ask_for(entry, &join, words->unattended, fd, err);
	if (r < 0) {
		(void)entries_stopped(words->name, err);
		(void)err_step(err, "join");
		return err_wrap(err, "join '%s'", words->name);
	}
	init = join.init;
	cgroup = join.cgroup;
	session = fd[CONTROL_SESSION];
	listener = join.listener;
	r = run_in(&join, words, err);
	for (size_t i = 0; i < CGROUP1_MAX; i++)
		drop_fd(&join.cgroup1[i]);
	return r;
}

int cmd_exec(int argc, char **argv, struct err *err)
{
	struct words words = { 0 };
	struct err why = { 0 };
	int r = parse(argc, argv, &words, err);

	if (r == OPTIONS_HELP)
		return 0;
	if (r < 0)
		return err_step(err, "options");
	r = exec_in(&words, err);
	/* The kernel moves a process only where the closest group above both places is
	 * ours (cgroup-v2.rst, "Delegation Containment"). From a login session it is
	 * root's; from a scope of the user's manager it is that manager's. */
	if (r == -EACCES && !strcmp(err->step, "cgroup") && !scope_entered() &&
	    scope_available()) {
		why = *err;
		err_clear(err);
		(void)scope_enter(words.name ? words.name : "exec", NULL,
		                  (const char *const *)argv, (size_t)argc, err);
		*err = why;
	}
	return r < 0 ? hint_for(err) : r;
}

bool exec_called(const char *argv0)
{
	/* What people and programs call in a pod, meaning the workspace. */
	static const char *const names[] = { "ash",        "bash",     "dash", "docker",
		                             "fish",       "ksh",      "sh",   "zsh",
		                             "journalctl", "systemctl" };
	const char *slash = argv0 ? strrchr(argv0, '/') : NULL;
	const char *name = slash ? slash + 1 : argv0;

	for (size_t i = 0; name && i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

int exec_as_called(int argc, char **argv, struct err *err)
{
	const char *slash = strrchr(argv[0], '/');
	struct words words = { .command = (const char *const *)argv };
	int r;

	(void)argc;
	argv[0] = slash ? (char *)slash + 1 : argv[0];
	login(&words);
	r = exec_in(&words, err);
	if (r == -ESRCH && !words.name)
		(void)err_hint(err,
		               "this '%s' is a link to berth, which leads into the "
		               "workspace; the pod's own one is called by its path",
		               argv[0]);
	return r < 0 ? hint_for(err) : r;
}
