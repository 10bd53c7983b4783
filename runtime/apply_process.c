#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "apply.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/number.h"
#include "bootstrap.h"
#include "hooks.h"
#include "netns/loopback.h"
#include "ns.h"
#include "pidfd.h"
#include "policies/caps.h"
#include "policies/seccomp_choice.h"
#include "spawn.h"
#include "state.h"

int apply_spawn(struct launch *launch, const struct step *step, struct err *err)
{
	bool warden = !strcmp(step->target, actor_name[ACTOR_WARDEN]);
	const struct spawn spec = {
		.ns_flags = ns_clone_flags((unsigned int)step->flags),
		.cgroup = step->number ? launch->payload : -EBADF,
		.clone3 = launch->facts->clone3,
		.child = warden ? warden_main : init_main,
		.arg = launch,
	};
	pid_t pid;

	pid = spawn(&spec, warden ? &launch->warden_pidfd : &launch->init_pidfd, err);

	if (pid < 0)
		return err_wrap(err, "start the %s", step->target);
	if (warden) {
		launch->warden = pid;
		drop_fd(&launch->sync.warden[1]);
		drop_fd(&launch->sync.birth[0]);
		drop_fd(&launch->sync.birth[1]);
		return 0;
	}
	launch->init = pid;
	/* Or the supervisor would never see init's end of file. */
	drop_fd(&launch->sync.init[1]);
	drop_fd(&launch->sync.birth[1]);
	return 0;
}

/* Starts "newuidmap PID INSIDE OUTSIDE COUNT ..."; both run at the same time. */
static pid_t start_helper(const char *program, pid_t pid, const struct idmap *map,
                          int complaints, struct err *err)
{
	char number[1 + 3 * IDMAP_EXTENTS_MAX][16];
	char *argv[3 + 3 * IDMAP_EXTENTS_MAX];
	size_t n = 0;
	pid_t child;

	argv[0] = (char *)program;
	(void)snprintf(number[n], sizeof(number[n]), "%d", (int)pid);
	for (size_t i = 0; i < map->n; i++) {
		const uint32_t *word = &map->extent[i].inside;

		for (size_t j = 0; j < 3; j++)
			(void)snprintf(number[++n], sizeof(number[n]), "%" PRIu32,
			               word[j]);
	}
	for (size_t i = 0; i <= n; i++)
		argv[i + 1] = number[i];
	argv[n + 2] = NULL;

	child = vfork();
	if (child < 0)
		return err_set(err, errno, "start '%s'", program);
	if (child == 0) {
		char *const no_environment[] = { NULL };
		sigset_t none;

		(void)sigemptyset(&none);
		(void)sigprocmask(SIG_SETMASK, &none, NULL);
		(void)dup2(complaints, STDERR_FILENO);
		(void)execve(program, argv, no_environment);
		_exit(127);
	}
	return child;
}

static int finish_helper(const char *program, pid_t child, int complaints,
                         struct err *err)
{
	char text[200] = "";
	int status;
	ssize_t n;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return err_set(err, errno, "wait for '%s'", program);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	n = read(complaints, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return err_set(err, EPERM, "'%s' refused: %s", program, text);
}

/* The supervisor's two helpers write L1's maps: setuid programs of the package uidmap. */
static int map_by_helper(const struct launch *launch, struct err *err)
{
	static const char *const program[] = { "/usr/bin/newuidmap",
		                               "/usr/bin/newgidmap" };
	const struct idmap *const map[] = { &launch->plan->outer_uid,
		                            &launch->plan->outer_gid };
	cleanup_close int reader = -EBADF, writer = -EBADF;
	int pipes[2], r = 0;
	pid_t child[2];

	if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_set(err, errno, "make a pipe");
	reader = pipes[0];
	writer = pipes[1];
	for (size_t i = 0; i < 2; i++) {
		child[i] = r < 0 ? -1
		                 : start_helper(program[i], launch->warden, map[i],
		                                writer, err);
		if (child[i] < 0)
			r = -err->code;
	}
	for (size_t i = 0; i < 2; i++) {
		struct err second = { 0 };

		if (child[i] > 0)
			if (finish_helper(program[i], child[i], reader,
			                  r < 0 ? &second : err) < 0 &&
			    r == 0)
				r = -err->code;
	}
	return r;
}

/* Write maps by /proc/PID of @proc; the three files in the order the kernel wants. */
static int map_by_hand(int proc, pid_t pid, const char *uids, const char *gids,
                       bool deny_setgroups, struct err *err)
{
	const struct {
		const char *file, *text;
	} writes[] = {
		{ "setgroups", deny_setgroups ? "deny" : NULL },
		{ "uid_map", uids },
		{ "gid_map", gids },
	};

	for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
		char path[64];

		if (!writes[i].text)
			continue;
		(void)snprintf(path, sizeof(path), "%d/%s", (int)pid, writes[i].file);
		if (file_write(proc, path, writes[i].text, err) < 0)
			return -err->code;
	}
	return 0;
}

int apply_map(struct launch *launch, const struct step *step, struct err *err)
{
	bool warden = !strcmp(step->target, actor_name[ACTOR_WARDEN]);
	cleanup_close int proc = -EBADF;
	pid_t pid;
	int r;

	if (warden && launch->plan->by_helper) {
		r = map_by_helper(launch, err);
	} else if (warden) {
		proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (proc < 0)
			return err_set(err, errno, "open '/proc'");
		r = map_by_hand(proc, launch->warden, step->value, step->source,
		                launch->plan->deny_setgroups, err);
	} else {
		/* This /proc is the pod's: it knows init by another number than clone()
		 * told us. */
		pid = pidfd_pid(launch->proc, launch->init_pidfd, err);
		if (pid < 0)
			return pid;
		r = map_by_hand(launch->proc, pid, step->value, step->source, false, err);
	}
	if (r < 0)
		return r;
	if (warden)
		return sync_send(launch->sync.warden[0], SYNC_MAPPED, 0, NULL, 0, err);
	return sync_send(launch->sync.birth[0], SYNC_MAPPED, 0, NULL, 0, err);
}

int apply_ucount(struct launch *launch, const struct step *step, struct err *err)
{
	char path[128];

	/* The kernel shows each reader the limits of its own user namespace there
	 * (kernel/ucount.c, set_lookup()): these are L1's. */
	(void)snprintf(path, sizeof(path), "sys/user/%s", step->target);
	return file_write(launch->proc, path, step->value, err);
}

int apply_rlimit(struct launch *launch, const struct step *step, struct err *err)
{
	const int resource = budget_rlimit(step->target);
	struct rlimit limit, *before;
	uint64_t value;

	if (resource < 0)
		return err_set(err, EINVAL, "the limit '%s'", step->target);
	before = &launch->rlimit[resource];
	if (!strcmp(step->value, "restore"))
		limit = *before;
	else {
		if (number_parse(step->value, 0, INT64_MAX, &value, err) < 0 ||
		    getrlimit((__rlimit_resource_t)resource, before) < 0)
			return err->code ? -err->code
			                 : err_set(err, errno, "read the limit '%s'",
			                           step->target);
		/* A new user namespace takes its maker's soft limit as its own maximum
		 * (kernel/user_namespace.c, create_user_ns()); of locked memory it counts pages
		 * against it (mm/mlock.c, user_shm_lock()). */
		limit = *before;
		if (resource == RLIMIT_MEMLOCK)
			value /= (uint64_t)sysconf(_SC_PAGESIZE);
		limit.rlim_cur = value < limit.rlim_max ? value : limit.rlim_max;
	}
	if (prlimit(0, (__rlimit_resource_t)resource, &limit, NULL) < 0)
		return err_set(err, errno, "set the limit '%s' to %s", step->target,
		               step->value);
	return 0;
}

int apply_ulimit(struct launch *launch, const struct step *step, struct err *err)
{
	const enum ulimit_kind kind = ulimit_find(step->target, strlen(step->target));
	struct ulimit all[ULIMIT_N] = { 0 };
	char text[ULIMIT_NAME_MAX + ULIMIT_TEXT_MAX];
	int r;

	(void)launch;
	(void)snprintf(text, sizeof(text), "%s=%s", step->target, step->value);
	r = ulimit_parse(text, all, err);
	return r < 0 ? r : ulimit_set(kind, &all[kind], err);
}

int apply_handover(struct launch *launch, const struct step *step, struct err *err)
{
	(void)step;
	return sync_send(launch->sync.birth[0], SYNC_ROOTED, 0, &launch->root, 1, err);
}

/*
 * The root that the warden finished becomes our working directory, so that our copy of
 * its mounts moves us to our own copy of the root (fs/namespace.c, copy_mnt_ns()): a
 * descriptor of the warden's goes on to mean the warden's mount.
 */
static int enter_root(struct launch *launch, struct err *err)
{
	cleanup_close int root = -EBADF;
	int r = sync_expect(launch->sync.birth[1], SYNC_ROOTED, NULL, &root, 1, err);

	if (r == 0 && fchdir(root) < 0)
		r = err_set(err, errno, "enter the root");
	return r;
}

int apply_unshare(struct launch *launch, const struct step *step, struct err *err)
{
	const char *what = "ipc";
	int r = 0;

	if (step->flags & NS_BIT(NS_MOUNT)) {
		what = "mount";
		r = enter_root(launch, err);
	} else if (step->flags & NS_BIT(NS_CGROUP)) {
		what = "cgroup";
		r = sync_expect(launch->sync.init[1], SYNC_JOINED, NULL, NULL, 0, err);
	} else if (step->flags & NS_BIT(NS_NET)) {
		what = "network or ipc";
	}
	if (r < 0)
		return r;
	if (launch->plan->cgroup1 && setresuid((uid_t)-1, (uid_t)-1, 0) < 0)
		return err_set(err, errno, "give up the launching user's ID");
	if (unshare((int)ns_clone_flags((unsigned int)step->flags)) < 0)
		return err_set(err, errno, "make a %s namespace", what);
	return 0;
}

int apply_hostname(struct launch *launch, const struct step *step, struct err *err)
{
	(void)launch;
	if (sethostname(step->value, strlen(step->value)) < 0)
		return err_set(err, errno, "set the host name '%s'", step->value);
	return 0;
}

int apply_loopback(struct launch *launch, const struct step *step, struct err *err)
{
	(void)launch;
	(void)step;
	return loopback_up(err);
}

int apply_oom(struct launch *launch, const struct step *step, struct err *err)
{
	return file_write(launch->proc, "self/oom_score_adj", step->value, err);
}

int apply_capabilities(struct launch *launch, const struct step *step, struct err *err)
{
	uint64_t drop = 0, keep = 0;
	int r = caps_parse(step->value, &drop, err);

	(void)launch;
	if (r == 0 && step->source)
		r = caps_parse(step->source, &keep, err);
	return r < 0 ? r : caps_unbind(drop & ~keep, err);
}

/* Not inlined: who needs none of this is not to touch 13 pages of the stack. */
__attribute__((noinline)) static int make_filter(struct launch *launch,
                                                 const struct seccomp_choice *choice,
                                                 enum seccomp_mode mode, struct err *err)
{
	struct seccomp_made made;
	cleanup_close int listener = -EBADF;
	int r = seccomp_make(choice, mode, &made, err);

	if (r < 0 || mode == SECCOMP_REFUSE)
		return r < 0 ? r : seccomp_load(&made.filter, err);
	listener = seccomp_load_listener(&made.filter, err);
	if (listener < 0)
		return listener;
	return sync_send(launch->sync.init[1], SYNC_LISTENER, 0, &listener, 1, err);
}

int apply_seccomp(struct launch *launch, const struct step *step, struct err *err)
{
	const struct seccomp_choice choice = { step->value, step->source, step->via };
	const enum seccomp_mode mode = step->number ? SECCOMP_ASK : SECCOMP_REFUSE;
	const struct seccomp_filter *built = seccomp_built(&choice, mode);

	return built ? seccomp_load(built, err) : make_filter(launch, &choice, mode, err);
}

/* Before anything of the workspace is there, which could take part in what its name leads to. */
int apply_hook(struct launch *launch, const struct step *step, struct err *err)
{
	return hooks_open(launch->hooks, step->number, &launch->facts->hook[step->number],
	                  err);
}

/* Before anything is made, so that a script that is not there says so. */
static int take_script(const struct launch *launch, const char *script, const char *title,
                       struct err *err)
{
	cleanup_close int entry =
		script ? state_entry(launch->state, launch->config->name, err) : -EBADF;

	return err->code ? -err->code : bootstrap_take(entry, script, title, err);
}

int apply_idle(struct launch *launch, const struct step *step, struct err *err)
{
	return take_script(launch, step->via, "idle-warn", err);
}

int apply_bootstrap(struct launch *launch, const struct step *step, struct err *err)
{
	return take_script(launch, step->source, "bootstrap", err);
}
