#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "cgroups/tree.h"
#include "check.h"
#include "spawn.h"

/*
 * The one probe that makes something outside of namespaces: a group in our own one. No
 * controller is enabled and no process moved, so what is to be undone is one rmdir(2).
 */

#define TRIES_MAX 50

static int open_base(const struct check_env *env, struct err *err)
{
	const struct cgroup_facts *cg = &env->facts->cgroup;

	return cg->fresh ? cgroup_open_fresh(err) : cgroup_open(cg->mount, cg->own, err);
}

/* A group is busy until the last process in it is gone, which is after it is reaped. */
static void remove_group(int base, const char *name)
{
	const struct timespec pause = { .tv_nsec = 2000000 };

	for (int i = 0; i < TRIES_MAX; i++) {
		if (unlinkat(base, name, AT_REMOVEDIR) == 0 || errno != EBUSY)
			return;
		(void)nanosleep(&pause, NULL);
	}
}

int check_cgroup_main(void *arg)
{
	struct check_env *env = arg;
	sigset_t all;

	/* Neither Ctrl-C nor the death of berth, alone or with its process group, keeps us
	 * from removing it. */
	(void)setsid();
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, NULL);
	check_place(env, PLACE_CGROUP);
	if (env->group >= 0)
		remove_group(env->base, env->group_name);
	return 0;
}

void check_cgroup_tidy(struct check_env *env)
{
	struct err ignored = { 0 };
	cleanup_close int base = -EBADF;

	/* Its child was killed, or hung. */
	if (env->facts->cgroup.ours &&
	    env->result[CHECK_CGROUP_OWN].outcome == OUTCOME_NO)
		base = open_base(env, &ignored);
	if (base >= 0)
		remove_group(base, env->group_name);
}

int check_cgroup_own(struct check_env *env, char *detail, struct err *err)
{
	const struct cgroup_facts *cg = &env->facts->cgroup;

	if (!cg->ours && env->facts->user_manager) {
		(void)snprintf(
			detail, CHECK_DETAIL_MAX,
			"the service manager is asked for a scope; none was made now");
		return 0;
	}
	if (!cg->mount)
		return check_lacks(detail, "no cgroup2 hierarchy is mounted");
	if (!cg->own)
		return check_lacks(detail, "our own group is out of sight");
	if (cg->managed)
		return check_lacks(detail, "'%s' is systemd's, not delegated to us",
		                   cg->own);
	env->base = open_base(env, err);
	if (env->base < 0)
		return -err->code;
	env->group = cgroup_make(env->base, env->group_name, err);
	if (env->group < 0)
		return -err->code;
	(void)snprintf(detail, CHECK_DETAIL_MAX, "'%s'%s", cg->own,
	               cg->fresh ? ", through a cgroup2 mount of our own" : "");
	/* Making one is not all of it: see cgroup_detect(). */
	return cg->ours ? 0
	                : check_lacks(detail,
	                              "'%s' lets us make groups, but not move processes "
	                              "or enable controllers",
	                              cg->own);
}

static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

int check_cgroup_birth(struct check_env *env, char *detail, struct err *err)
{
	const struct spawn spec = { .cgroup = env->group,
		                    .clone3 = true,
		                    .child = nothing };
	cleanup_close int pidfd = -EBADF;
	pid_t pid;

	(void)detail;
	if (env->group < 0)
		return CHECK_SKIP;
	pid = spawn(&spec, &pidfd, err);
	if (pid < 0)
		return err_wrap(err, "in the new group");
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	return 0;
}

int check_cgroup_kill(struct check_env *env, char *detail, struct err *err)
{
	(void)detail;
	if (env->group < 0)
		return CHECK_SKIP;
	if (faccessat(env->group, "cgroup.kill", W_OK, AT_EACCESS) < 0)
		return err_set(err, errno, "write to 'cgroup.kill'");
	return 0;
}

const char *check_controllers(const struct facts *facts, struct arena *arena)
{
	const struct cgroup_facts *cg = &facts->cgroup;
	struct err ignored = { 0 };
	char text[512];
	const char *path;

	if (cg->ours)
		return cg->controllers;
	if (!facts->user_manager || !cg->mount)
		return "";
	/* Where its manager would make the scope: systemd.special(7). */
	path = facts->uid == 0
	               ? arena_printf(arena, "%s/cgroup.controllers", cg->mount)
	               : arena_printf(arena,
	                              "%s/user.slice/user-%u.slice/user@%u.service/"
	                              "cgroup.controllers",
	                              cg->mount, facts->uid, facts->uid);
	if (file_read(AT_FDCWD, path, text, sizeof(text), &ignored) < 0)
		return "";
	text[strcspn(text, "\n")] = '\0';
	return arena_dup(arena, text);
}

/* Whether limits of it are written to a hierarchy of v1, so that v2 cannot have it. */
static bool is_of_v1(const struct facts *facts, const char *controller)
{
	for (enum knob knob = 0; knob < KNOB_N; knob++) {
		const struct knob_info *info = &knob_info[knob];

		if (info->controller && info->controller_v1 &&
		    !strcmp(info->controller, controller) &&
		    cgroup1_find(facts->cgroup1, facts->cgroup1_n, info->controller_v1))
			return true;
	}
	return false;
}

/* The table's remedy names all controllers: none of v1 can be handed down. */
static void hint_for_hybrid(const struct check_env *env, struct arena *arena,
                            struct err *err)
{
	const char *wanted = "";
	size_t n = 0;

	for (size_t i = 0; i < CHECK_CONTROLLERS_N; i++) {
		const char *name = check_controller[i];

		if (!strcmp(name, "hugetlb") || is_of_v1(env->facts, name))
			continue;
		wanted = arena_printf(arena, "%s %s", wanted, name);
		n++;
	}
	if (!env->pod && n + 1 < CHECK_CONTROLLERS_N)
		(void)err_hint(err,
		               "hand them down: systemctl edit user@.service, [Service] "
		               "Delegate=%s",
		               wanted + 1);
}

int check_cgroup_controllers(struct check_env *env, char *detail, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	const char *have = check_controllers(env->facts, &arena);

	if (!env->facts->cgroup.ours && !env->facts->user_manager)
		return CHECK_SKIP;
	(void)snprintf(detail, CHECK_DETAIL_MAX, "%s",
	               *have ? have : "all are of cgroup v1");
	for (size_t i = 0; i < CHECK_CONTROLLERS_N; i++) {
		const char *name = check_controller[i];

		/* systemd knows no hugetlb, so nobody can be told to hand it down. */
		if (!strcmp(name, "hugetlb") || is_of_v1(env->facts, name) ||
		    check_has_word(have, name))
			continue;
		(void)err_set(err, ENOENT, "'%s' is not handed to our group%s%s%s", name,
		              *have ? ", only '" : ", nor any other", have,
		              *have ? "'" : "");
		hint_for_hybrid(env, &arena, err);
		return -err->code;
	}
	return 0;
}
