#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/memory.h"
#include "cgroups/remove.h"
#include "launch.h"
#include "netns/maker.h"
#include "pidfd.h"
#include "policies/caps.h"
#include "policies/seccomp.h"
#include "state.h"

static int shed(const struct launch *launch, struct err *err)
{
	const int keep[] = {
		launch->sync.warden[1],
		launch->sync.init[1],
		launch->sync.birth[0],
		launch->sync.birth[1],
		launch->cgroup,
		launch->payload,
		launch->relay_group,
		launch->state,
		launch->lock,
		launch->ports->link[1],
		launch->report[1],
		launch->ended[1],
		launch->stdin_to_stderr[0],
		launch->stdin_to_stderr[1],
		launch->stdin_to_stderr[2],
	};

	return fd_keep_only(keep, sizeof(keep) / sizeof(keep[0]), err);
}

/* Whether the supervisor died before PDEATHSIG was armed. getppid() is 0 in here. */
static bool orphaned(int sock)
{
	char byte;

	return recv(sock, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT) == 0;
}

static int become(const struct launch *launch, struct err *err)
{
	if (launch->plan->become_root) {
		/* Who moves init on cgroup v1 has to be one of its uids: the saved one, which
		 * goes when it was moved (__cgroup1_procs_write()). */
		uid_t saved = launch->plan->cgroup1 ? (uid_t)-1 : 0;

		if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, saved) < 0)
			return err_set(err, errno,
			               "become root of the new user namespace");
		/* The change cleared it, and then we could not write init's maps:
		 * /proc/PID would belong to the node's root (proc(5)). */
		(void)prctl(PR_SET_DUMPABLE, 1);
	}
	/* The caller's supplementary groups would give root inside what they open. */
	if (!launch->plan->deny_setgroups && setgroups(0, NULL) < 0)
		return err_set(err, errno, "drop supplementary groups");
	/* After the last change of credentials, which clears it (prctl(2)). */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0)
		return err_set(err, errno, "tie the warden to the supervisor");
	if (orphaned(launch->sync.warden[1]))
		return err_set(err, ECONNRESET, "the supervisor died");
	return 0;
}

static int build(struct launch *launch, struct err *err)
{
	int r = shed(launch, err);

	if (r < 0)
		return r;
	launch->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (launch->proc < 0)
		return err_set(err, errno, "open '/proc'");
	r = sync_expect(launch->sync.warden[1], SYNC_MAPPED, NULL, NULL, 0, err);
	if (r == 0)
		r = become(launch, err);
	if (r < 0)
		return r;
	(void)umask(022);
	/* A kernel takes longer to make init than to do all our mounts: both at once. */
	r = apply_until(launch, ACTOR_WARDEN, STEP_PRIVATE, err);
	if (r == 0 && launch->plan->cgroup1 && setresuid((uid_t)-1, (uid_t)-1, 0) < 0)
		r = err_set(err, errno, "give up the launching user's ID");
	if (r == 0)
		r = sync_send(launch->sync.warden[1], SYNC_BORN, 0, &launch->init_pidfd,
		              1, err);
	return r < 0 ? r : apply_until(launch, ACTOR_WARDEN, STEP_MAX, err);
}

/*
 * Should: keep what waiting and cleaning up need: init's pidfd, the socket, the
 * directories of groups and entries.
 * Mustn't: keep a path into the pod or the workspace, a system call beside those, or a
 * capability but the one to remove groups that systemd inside gave to its users.
 */
static int confine(struct launch *launch, int signals, struct err *err)
{
	cleanup_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	/* A directory in which only our own descriptors can be found, by number. */
	cleanup_close int nowhere =
		openat(launch->proc, "self/fdinfo", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const int keep[] = { launch->sync.warden[1],
		             launch->init_pidfd,
		             launch->cgroup,
		             launch->state,
		             launch->lock,
		             launch->relay,
		             launch->counters,
		             launch->denials,
		             launch->rules,
		             signals,
		             nowhere,
		             null };
	const int groups_of_others = CAP_DAC_OVERRIDE;
	int r;

	if (null < 0 || nowhere < 0)
		return err_set(err, errno, "confine the warden");
	r = fd_replace_stdio(null, null, null, err);
	/* While /proc is in sight, which it takes without close_range(2). */
	if (r == 0)
		r = fd_keep_only(keep, sizeof(keep) / sizeof(keep[0]), err);
	if (r == 0 && (fchdir(nowhere) < 0 || chroot(".") < 0))
		r = err_set(err, errno, "confine the warden");
	if (r == 0)
		r = caps_keep_only(&groups_of_others, 1, err);
	if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = err_set(err, errno, "set no_new_privs");
	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)prctl(PR_SET_NAME, "berth-warden");
	drop_fd(&nowhere);
	drop_fd(&null);
	if (r == 0)
		r = seccomp_load(seccomp_find("warden"), err);
	return r;
}

/* The supervisor is gone: what it would have done at the end is ours now. */
static void inherit(struct launch *launch)
{
	cleanup_arena struct arena arena = { 0 };
	const char *name = launch->config->name;
	char group[sizeof(CGROUP_PREFIX) + STATE_NAME_MAX];
	struct err ignored = { 0 };
	cleanup_close int entry = state_entry(launch->state, name, &ignored);
	struct record record;

	if (launch->cgroup >= 0) {
		(void)snprintf(group, sizeof(group), CGROUP_PREFIX "%s", name);
		err_clear(&ignored);
		if (cgroup_remove(launch->cgroup, group, &ignored) < 0)
			return; /* the next command tries again, by the record */
	}
	/* We have no path to the hierarchy any more, and nothing is left there. */
	err_clear(&ignored);
	if (entry >= 0 && state_read(entry, name, &arena, &record, &ignored) == 0) {
		record.cgroup = "";
		(void)state_write(entry, &record, &ignored);
	}
	drop_fd(&launch->lock);
	state_tidy(launch->state);
}

/*
 * Reaps whatever ends; init's wait status, or -1 while it lives. The end of the relay or pasta is
 * told by @ret_lost; what they were doing for the workspace nobody can take up.
 */
static int reap(const struct launch *launch, const char **ret_lost)
{
	int found = -1, status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == launch->init)
			found = status;
		else if (pid == launch->relay_pid)
			*ret_lost = "the relay was killed";
		else if (pid == launch->pasta_pid)
			*ret_lost = "pasta ended";
	}
	return found;
}

static int watch(struct launch *launch, int signals)
{
	struct pollfd source[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = launch->sync.warden[1], .events = POLLIN },
		{ .fd = launch->relay, .events = POLLIN },
	};
	struct err ignored = { 0 };
	const char *lost = NULL;
	bool alone = false, settled = false;

	for (;;) {
		struct signalfd_siginfo info;
		int status, n = poll(source, 3, settled ? -1 : MEMORY_SETTLE_MS);

		if (n < 0 && errno != EINTR)
			return 1;
		if (n == 0) {
			memory_settle();
			settled = true;
			continue;
		}
		if (source[2].revents && !maker_answer(launch->relay))
			source[2].fd = -1;
		while (read(signals, &info, sizeof(info)) == sizeof(info))
			continue;
		/* Whatever woke us. SIGTERM alone says nothing: timeout(1) sends it to the
		 * whole process group, and the supervisor is ending init politely then. */
		alone |= orphaned(launch->sync.warden[1]);
		if (alone) {
			(void)pidfd_kill(launch->init_pidfd, SIGKILL, &ignored);
			source[1].fd = -1;
		}
		status = reap(launch, &lost);
		if (status < 0 && lost && !alone) {
			(void)err_set(&ignored, EPIPE, "%s", lost);
			(void)err_step(&ignored, "relay");
			sync_fail(launch->sync.warden[1], &ignored);
			return 1;
		}
		if (status < 0)
			continue;
		if (sync_send(launch->sync.warden[1], SYNC_EXITED, status, NULL, 0,
		              &ignored) < 0)
			alone = true;
		if (alone)
			inherit(launch);
		return 0;
	}
}

/* By these the supervisor counts, and hears what was denied. */
static int hand_over(struct launch *launch, struct err *err)
{
	int *const own[SYNC_CONFINED_FDS] = { &launch->counters, &launch->denials,
		                              &launch->rules };
	int fd[SYNC_CONFINED_FDS];
	int32_t present = 0;
	int r;

	for (int i = 0; i < SYNC_CONFINED_FDS; i++) {
		fd[i] = *own[i];
		present |= fd[i] >= 0 ? 1 << i : 0;
	}
	r = sync_send(launch->sync.warden[1], SYNC_CONFINED, present, fd,
	              SYNC_CONFINED_FDS, err);
	for (int i = 0; i < SYNC_CONFINED_FDS; i++)
		drop_fd(own[i]);
	return r;
}

/**
 * warden_main() - L1: the level above the workspace, for all of its life
 * @arg:	the struct launch
 *
 * Where we are: own user, mount and PID namespace, PID 1 of it: when we end, however
 * we end, the kernel kills everything below. Still the pod's network, IPC, UTS and
 * cgroup namespaces.
 *
 * Should: set what root inside must not change, make L2, confine itself, wait.
 *
 * Return: 0, or 1 for a failure that the supervisor was told.
 */
int warden_main(void *arg)
{
	struct launch *launch = arg;
	cleanup_close int signals = -EBADF;
	struct err err = { 0 };
	sigset_t wanted;
	int r;

	/* Blocked since before our birth, by the supervisor: nothing can be lost. */
	(void)sigemptyset(&wanted);
	(void)sigaddset(&wanted, SIGTERM);
	(void)sigaddset(&wanted, SIGCHLD);
	r = build(launch, &err);
	if (r == 0) {
		signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
		if (signals < 0)
			r = err_set(&err, errno, "receive signals");
	}
	if (r == 0)
		r = confine(launch, signals, &err);
	if (r == 0)
		r = hand_over(launch, &err);
	if (r < 0) {
		(void)err_step(&err, "warden");
		sync_fail(launch->sync.warden[1], &err);
		return 1;
	}
	return watch(launch, signals);
}
