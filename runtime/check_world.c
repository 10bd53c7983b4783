#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "apply.h"
#include "base/fd.h"
#include "base/file.h"
#include "check.h"
#include "ns.h"
#include "spawn.h"

/* L1 and L2 as a launch makes them, with the launch's own functions. */

static void reap(pid_t pid)
{
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
}

/*
 * L2. Where we are: every namespace our own, PID 1. Its parent waits for it; the kernel
 * ends it with L1.
 */
static int inside_main(void *arg)
{
	struct check_env *env = arg;
	struct err err = { 0 };

	drop_fd(&env->launch.sync.birth[0]);
	if (sync_expect(env->launch.sync.birth[1], SYNC_MAPPED, NULL, NULL, 0, &err) < 0)
		return 1;
	check_place(env, PLACE_L2);
	return 0;
}

/*
 * L1. Where we are: own user, mount and PID namespace, PID 1 there; the pod's network.
 * Mustn't: live on without its parent.
 */
static int level_main(void *arg)
{
	struct check_env *env = arg;
	struct sync_pairs *sync = &env->launch.sync;
	struct err err = { 0 };

	drop_fd(&sync->warden[0]);
	if (sync_expect(sync->warden[1], SYNC_MAPPED, NULL, NULL, 0, &err) < 0)
		return 1;
	if (env->plan->become_root) {
		if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
			return 1;
		(void)prctl(PR_SET_DUMPABLE, 1); /* as the warden, to write maps */
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	env->launch.proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	check_place(env, PLACE_L1);
	/* Dropped at the latest here: an end of file is never "go". */
	drop_fd(&sync->birth[0]);
	reap(env->launch.init);
	return 0;
}

int check_world_main(void *arg)
{
	struct check_env *env = arg;
	struct err err = { 0 };

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (sync_open(&env->launch.sync, &err) < 0)
		return 1;
	check_place(env, PLACE_WORLD);
	drop_fd(&env->launch.sync.warden[0]);
	reap(env->launch.warden);
	return 0;
}

int check_userns(struct check_env *env, char *detail, struct err *err)
{
	const struct spawn spec = {
		.ns_flags = ns_clone_flags(NS_BIT(NS_USER) | NS_BIT(NS_MOUNT) |
		                           NS_BIT(NS_PID)),
		.cgroup = -EBADF,
		.clone3 = env->facts->clone3,
		.child = level_main,
		.arg = env,
	};

	(void)detail;
	env->launch.warden = spawn(&spec, &env->launch.warden_pidfd, err);
	if (env->launch.warden < 0)
		return -err->code;
	drop_fd(&env->launch.sync.warden[1]);
	return 0;
}

int check_map(struct check_env *env, char *detail, struct err *err)
{
	const struct plan *plan = env->plan;
	cleanup_arena struct arena arena = { 0 };
	const struct step map = {
		.kind = STEP_MAP,
		.target = actor_name[ACTOR_WARDEN],
		.value = idmap_text(&arena, &plan->outer_uid),
		.source = idmap_text(&arena, &plan->outer_gid),
	};

	if (env->no_ids.code) {
		*err = env->no_ids;
		return -err->code;
	}
	if (env->launch.warden <= 0)
		return CHECK_SKIP;
	(void)snprintf(detail, CHECK_DETAIL_MAX, "%s",
	               plan->by_helper ? "by newuidmap and newgidmap"
	                               : "written directly");
	return apply_map(&env->launch, &map, err);
}

int check_ids(struct check_env *env, char *detail, struct err *err)
{
	uint64_t uids = idmap_width(&env->plan->outer_uid);
	uint64_t gids = idmap_width(&env->plan->outer_gid);

	if (env->result[CHECK_MAP].outcome != OUTCOME_YES)
		return CHECK_SKIP;
	(void)snprintf(detail, CHECK_DETAIL_MAX, "%llu user and %llu group IDs",
	               (unsigned long long)uids, (unsigned long long)gids);
	if (uids >= IDMAP_FULL && gids >= IDMAP_FULL)
		return 0;
	(void)err;
	/* The planner knows why it has to do with fewer. */
	if (env->plan->notes_n > 0)
		(void)snprintf(env->result[CHECK_IDS].hint, ERR_HINT_MAX, "%s",
		               env->plan->notes[0]);
	return CHECK_LACKS;
}

int check_capabilities(struct check_env *env, char *detail, struct err *err)
{
	(void)env;
	(void)detail;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_set(err, errno, "make every mount private");
	return 0;
}

int check_setgroups(struct check_env *env, char *detail, struct err *err)
{
	(void)detail;
	if (setgroups(0, NULL) == 0)
		return 0;
	(void)err_set(err, errno, "drop supplementary groups");
	if (env->plan->notes_n > 0)
		return err_hint(err, "%s", env->plan->notes[0]);
	return env->plan->deny_setgroups
	               ? -err->code
	               : err_hint(err,
	                          "the user namespace has no CAP_SETGID: see the row "
	                          "'capabilities'");
}

int check_ucounts(struct check_env *env, char *detail, struct err *err)
{
	static const char *const files[] = { "max_inotify_watches",
		                             "max_inotify_instances",
		                             "max_user_namespaces" };

	(void)detail;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char path[64], value[32];

		(void)snprintf(path, sizeof(path), "sys/user/%s", files[i]);
		/* Its own value: L1 is gone in a moment, the pod's is another one. */
		if (file_read(env->launch.proc, path, value, sizeof(value), err) < 0)
			return -err->code;
		value[strcspn(value, "\n")] = '\0';
		if (file_write(env->launch.proc, path, value, err) < 0)
			return -err->code;
	}
	return 0;
}

int check_nested(struct check_env *env, char *detail, struct err *err)
{
	const struct spawn spec = {
		.ns_flags = ns_clone_flags(NS_BIT(NS_MAX) - 1),
		.cgroup = -EBADF,
		.clone3 = env->facts->clone3,
		.child = inside_main,
		.arg = env,
	};
	cleanup_arena struct arena arena = { 0 };
	const struct step map = {
		.kind = STEP_MAP,
		.target = actor_name[ACTOR_INIT],
		.value = idmap_text(&arena, &env->plan->inner_uid),
		.source = idmap_text(&arena, &env->plan->inner_gid),
	};
	int r;

	(void)detail;
	env->launch.init = spawn(&spec, &env->launch.init_pidfd, err);
	if (env->launch.init < 0)
		return err_wrap(err, "the second level");
	drop_fd(&env->launch.sync.birth[1]);
	r = apply_map(&env->launch, &map, err);
	return r < 0 ? err_wrap(err, "the maps of the second level") : 0;
}
