#include "unshare.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "apply.h"
#include "base/fd.h"
#include "launch.h"
#include "ns.h"
#include "probe.h"
#include "spawn.h"

struct call {
	struct launch launch;
	int (*fn)(void *arg, struct err *err);
	void *arg;
	pid_t parent;
};

static int child_main(void *arg)
{
	struct call *call = arg;
	int sock = call->launch.sync.warden[1];
	struct err err = { 0 };
	int r;

	drop_fd(&call->launch.sync.warden[0]);
	r = sync_expect(sock, SYNC_MAPPED, NULL, NULL, 0, &err);
	if (r == 0 && call->launch.plan->become_root &&
	    (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
		r = err_set(&err, errno, "become root of the new user namespace");
	if (r == 0 && !call->launch.plan->deny_setgroups && setgroups(0, NULL) < 0)
		r = err_set(&err, errno, "drop supplementary groups");
	if (r == 0)
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != call->parent) /* it died before that was asked for */
		return 125;
	if (r == 0)
		r = call->fn(call->arg, &err);
	if (r < 0)
		sync_fail(sock, &err);
	return r < 0 ? 125 : r;
}

static int wait_for(pid_t pid, int sock, struct err *err)
{
	int r = sync_expect_end(sock, NULL, err);
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_set(err, errno, "wait for the command");
	if (r < 0)
		return r;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int unshare_call(int (*fn)(void *arg, struct err *err), void *arg, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	cleanup_plan struct plan plan = { 0 };
	const struct config config = { .rootfs = "host" };
	struct call call = { .fn = fn, .arg = arg, .parent = getpid() };
	struct launch *l = &call.launch;
	struct facts facts = { 0 };
	pid_t pid;
	int r;

	r = probe_ids(&arena, &facts, err);
	if (r == 0)
		r = plan_ids(&plan, &config, &facts, err);
	if (r < 0)
		return r;
	launch_init(l);
	l->config = &config;
	l->facts = &facts;
	l->plan = &plan;
	r = sync_open(&l->sync, err);
	if (r < 0)
		return r;
	const struct spawn spec = {
		.ns_flags = ns_clone_flags(NS_BIT(NS_USER) | NS_BIT(NS_MOUNT)),
		.cgroup = -EBADF,
		.clone3 = facts.clone3,
		.child = child_main,
		.arg = &call,
	};
	const struct step map = {
		.kind = STEP_MAP,
		.target = actor_name[ACTOR_WARDEN],
		.value = idmap_text(&plan.arena, &plan.outer_uid),
		.source = idmap_text(&plan.arena, &plan.outer_gid),
	};

	pid = spawn(&spec, &l->warden_pidfd, err);
	if (pid < 0) {
		(void)err_step(err, "spawn");
		r = hint_for(err);
	} else {
		l->warden = pid;
		drop_fd(&l->sync.warden[1]);
		r = apply_map(l, &map, err);
		if (r < 0) {
			(void)err_step(err, "map");
			(void)hint_for(err);
			drop_fd(&l->sync.warden[0]); /* an end of file is never "go" */
			while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
				continue;
		} else {
			r = wait_for(pid, l->sync.warden[0], err);
		}
	}
	int *const fds[] = { &l->warden_pidfd, &l->sync.warden[0], &l->sync.warden[1],
		             &l->sync.init[0], &l->sync.init[1],   &l->sync.birth[0],
		             &l->sync.birth[1] };

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		drop_fd(fds[i]);
	return r;
}

int unshare_retry(int (*fn)(void *arg, struct err *err), void *arg, struct err *err)
{
	struct err there = { 0 };
	int r = fn(arg, err);

	if (r != -EACCES && r != -EPERM)
		return r;
	if (unshare_call(fn, arg, &there) != 0)
		return r;
	err_clear(err);
	return 0;
}

static int execute(void *arg, struct err *err)
{
	const char *const *command = arg;
	int r = fd_cloexec_all(err);

	if (r < 0)
		return r;
	(void)execvp(command[0], (char *const *)command);
	(void)err_set(err, errno, "execute '%s'", command[0]);
	return err_step(err, "exec");
}

int unshare_run(const char *const *command, struct err *err)
{
	return unshare_call(execute, (void *)command, err);
}
