#include "check.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "pidfd.h"
#include "spawn.h"

const char *const tier_name[TIER_MAX] = { "A", "B", "C", "D" };

const char *const tier_meaning[TIER_MAX] = {
	[TIER_A] = "everything: systemd, dockerd, and the limits that hold below",
	[TIER_B] =
		"commands with 65536 IDs, and dockerd under berth's own init; without a "
		"writable cgroup there is no systemd",
	[TIER_C] = "one command or shell under berth's init; no dockerd, no systemd",
	[TIER_D] = "nothing can be started",
};

const char *const outcome_name[OUTCOME_MAX] = { "untried", "trying", "yes", "no" };

/* clang-format off */
const struct check checks[CHECK_MAX] = {
	[CHECK_KERNEL]       = { "kernel", "version and architecture, for information", PLACE_HERE, TIER_MAX, NULL, check_kernel },
	[CHECK_USERNS]       = { "user-namespace", "clone with user, mount and PID namespace", PLACE_WORLD, TIER_C, "spawn", check_userns },
	[CHECK_CAPABILITIES] = { "capabilities", "make mounts private in it, which takes CAP_SYS_ADMIN there", PLACE_L1, TIER_C, "private", check_capabilities },
	[CHECK_NESTED]       = { "nested", "clone a second level in it, with all seven namespaces and ID maps", PLACE_L1, TIER_C, "spawn", check_nested },
	[CHECK_SUBIDS]       = { "subordinate-ids", "ranges of this user in /etc/subuid and /etc/subgid", PLACE_HERE, TIER_MAX, NULL, check_subids },
	[CHECK_HELPERS]      = { "newuidmap", "newuidmap and newgidmap are there and may raise privilege", PLACE_HERE, TIER_MAX, NULL, check_helpers },
	[CHECK_MAP]          = { "id-maps", "write uid_map and gid_map of the user namespace", PLACE_WORLD, TIER_C, "map", check_map },
	[CHECK_IDS]          = { "ids", "the maps written hold 65536 IDs without a gap", PLACE_WORLD, TIER_B, NULL, check_ids },
	[CHECK_SETGROUPS]    = { "setgroups", "setgroups in the user namespace", PLACE_L1, TIER_B, NULL, check_setgroups },
	[CHECK_PIDFD]        = { "pidfd", "pidfd_open and pidfd_send_signal", PLACE_HERE, TIER_C, "spawn", check_pidfd },
	[CHECK_CLONE3]       = { "clone3", "clone3 is not hidden", PLACE_HERE, TIER_MAX, NULL, check_clone3 },
	[CHECK_OPENAT2]      = { "openat2", "openat2 within a directory", PLACE_HERE, TIER_C, "root", check_openat2 },
	[CHECK_NO_NEW_PRIVS] = { "sudo", "no_new_privs is not set: setuid programs inside work", PLACE_HERE, TIER_MAX, NULL, check_no_new_privs },
	[CHECK_KEYCTL]       = { "keyctl", "join a new session keyring", PLACE_HERE, TIER_MAX, NULL, check_keyctl },
	[CHECK_APPARMOR]     = { "apparmor", "the profile around us, from /proc/self/attr", PLACE_HERE, TIER_MAX, NULL, check_apparmor },
	[CHECK_UNSHARE]      = { "unshare", "copy the mounts of the first level into the second", PLACE_L2, TIER_C, "unshare", check_unshare },
	[CHECK_TMPFS]        = { "tmpfs", "fsopen, fsconfig, fsmount", PLACE_L2, TIER_C, "mount", check_tmpfs },
	[CHECK_MOUNT_API]    = { "mount-api", "open_tree, mount_setattr, move_mount", PLACE_L2, TIER_C, "mount", check_mount_api },
	[CHECK_PROC]         = { "proc", "a new proc", PLACE_L2, TIER_B, "mount", check_proc },
	[CHECK_SYSFS]        = { "sysfs", "a new read-only sysfs", PLACE_L2, TIER_B, "mount", check_sysfs },
	[CHECK_SYSFS_RW]     = { "sysfs-writable", "a new writable sysfs, as docker run --privileged makes", PLACE_L2, TIER_MAX, NULL, check_sysfs_rw },
	[CHECK_DEVPTS]       = { "devpts", "a new devpts", PLACE_L2, TIER_C, "mount", check_devpts },
	[CHECK_MQUEUE]       = { "mqueue", "a new mqueue", PLACE_L2, TIER_C, "mount", check_mqueue },
	[CHECK_OVERLAY]      = { "overlay", "an overlay with userxattr on a tmpfs", PLACE_L2, TIER_B, "overlay", check_overlay },
	[CHECK_OVERLAY_ROOT] = { "root-volume", "/ can hold upper layers (by the mount table: nothing is written)", PLACE_HERE, TIER_MAX, NULL, check_overlay_root },
	[CHECK_PIVOT]        = { "pivot-root", "pivot_root to a tmpfs, and detach the old root", PLACE_L2, TIER_C, "pivot", check_pivot },
	[CHECK_CGROUP2]      = { "cgroup2", "a new cgroup2 in its own cgroup namespace", PLACE_L2, TIER_B, "mount", check_cgroup2 },
	[CHECK_CGROUP_OWN]   = { "cgroup", "make a group in our own one, and remove it", PLACE_CGROUP, TIER_A, NULL, check_cgroup_own },
	[CHECK_CGROUP_BIRTH] = { "cgroup-birth", "a process born in that group (CLONE_INTO_CGROUP)", PLACE_CGROUP, TIER_MAX, NULL, check_cgroup_birth },
	[CHECK_CGROUP_KILL]  = { "cgroup-kill", "that group has a cgroup.kill", PLACE_CGROUP, TIER_MAX, NULL, check_cgroup_kill },
	[CHECK_CONTROLLERS]  = { "controllers", "controllers our own group may enable (by cgroup.controllers: none is enabled)", PLACE_CGROUP, TIER_MAX, NULL, check_cgroup_controllers },
	[CHECK_MANAGER]      = { "service-manager", "a systemd that would give us a scope with a cgroup", PLACE_HERE, TIER_MAX, NULL, check_manager },
	[CHECK_UCOUNTS]      = { "ucounts", "write the first level's own limits in /proc/sys/user", PLACE_L1, TIER_B, "ucount", check_ucounts },
	[CHECK_NUMBERS]      = { "budgets", "the node's numbers, which cannot be raised here", PLACE_HERE, TIER_MAX, NULL, check_numbers },
	[CHECK_HOSTNAME]     = { "hostname", "sethostname in a UTS namespace", PLACE_L2, TIER_MAX, "hostname", check_hostname },
	[CHECK_LOOPBACK]     = { "loopback", "bring up lo in a network namespace", PLACE_L2, TIER_C, "loopback", check_loopback },
	[CHECK_VETH]         = { "veth", "make a veth pair there", PLACE_L2, TIER_MAX, NULL, check_veth },
	[CHECK_NFTABLES]     = { "nftables", "make an nftables table there", PLACE_L2, TIER_MAX, NULL, check_nftables },
	[CHECK_SECCOMP]      = { "seccomp", "load the workspace's filter in the second level", PLACE_L2, TIER_C, "seccomp", check_seccomp },
	[CHECK_RELAY]        = { "relay", "make a gateway's rules and sockets there", PLACE_L2, TIER_MAX, "uplink", check_relay },
	[CHECK_SHAPING]      = { "shaping", "keep a rate in both directions there", PLACE_L2, TIER_MAX, "shape", check_shaping },
	[CHECK_FORWARDING]   = { "forwarding", "make a gateway's rules for pasta there", PLACE_L2, TIER_MAX, "uplink", check_forwarding },
	[CHECK_TUN]          = { "tun", "open /dev/net/tun", PLACE_HERE, TIER_MAX, NULL, check_tun },
	[CHECK_PASTA]        = { "pasta", "the program pasta is installed, for --net pasta", PLACE_HERE, TIER_MAX, NULL, check_pasta },
	[CHECK_FUSE]         = { "fuse", "open /dev/fuse", PLACE_HERE, TIER_MAX, NULL, check_fuse },
	[CHECK_SKOPEO]       = { "skopeo", "the program skopeo is installed, for --image", PLACE_HERE, TIER_MAX, NULL, check_skopeo },
	[CHECK_UMOCI]        = { "umoci", "the program umoci is installed, for --image", PLACE_HERE, TIER_MAX, NULL, check_umoci },
	/* A network file system may hang in these. */
	[CHECK_STATE_LAYERS] = { "state-layers", "layers of overlay can lie in --state (by statfs: nothing is written)", PLACE_HERE, TIER_MAX, NULL, check_state_layers },
	[CHECK_STATE_ROOM]   = { "state-room", "1 GiB and 10000 inodes are free there", PLACE_HERE, TIER_MAX, NULL, check_state_room },
	[CHECK_STATE_EXEC]   = { "state-exec", "programs can be executed there", PLACE_HERE, TIER_MAX, NULL, check_state_exec },
};
/* clang-format on */

enum tier check_tier(const struct check_result *result)
{
	enum tier best = TIER_A;

	/* Without a row for C there is none for B, and so on: the worst one counts. */
	for (size_t i = 0; i < CHECK_MAX; i++)
		if (checks[i].tier < TIER_D && result[i].outcome != OUTCOME_YES &&
		    best <= checks[i].tier)
			best = checks[i].tier + 1;
	return best;
}

int check_lacks(char *detail, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(detail, CHECK_DETAIL_MAX, fmt, args);
	va_end(args);
	return CHECK_LACKS;
}

static void try(struct check_env *env, size_t i)
{
	struct check_result *result = &env->result[i];
	struct err err = { 0 };
	int r;

	result->outcome = OUTCOME_TRYING;
	r = checks[i].probe(env, result->detail, &err);
	if (r < 0) {
		result->code = err.code;
		(void)snprintf(result->detail, sizeof(result->detail), "%.180s: %.70s",
		               err.text, strerror(err.code));
		(void)snprintf(result->hint, sizeof(result->hint), "%s", err.hint);
	}
	result->outcome = r == 0            ? OUTCOME_YES
	                  : r == CHECK_SKIP ? OUTCOME_UNTRIED
	                                    : OUTCOME_NO;
}

void check_place(struct check_env *env, enum check_place place)
{
	for (size_t i = 0; i < CHECK_MAX; i++)
		if (checks[i].place == place)
			try(env, i);
}

static int here_main(void *arg)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	check_place(arg, PLACE_HERE);
	return 0;
}

#define LOOK_MS 500

/**
 * struct patience - How long children may hang
 * @result:	shared with them
 * @decided:	rows that had a result at the last look
 * @end:	CHECK_SECONDS after one more had
 */
struct patience {
	const struct check_result *result;
	size_t decided;
	struct timespec end;
};

/* Slow is not hung: a row that was decided since the last look gives more time. */
static void look(struct patience *p)
{
	size_t decided = 0;

	for (size_t i = 0; i < CHECK_MAX; i++)
		decided += p->result[i].outcome == OUTCOME_YES ||
		           p->result[i].outcome == OUTCOME_NO;
	if (p->end.tv_sec > 0 && decided == p->decided)
		return;
	p->decided = decided;
	(void)clock_gettime(CLOCK_MONOTONIC, &p->end);
	p->end.tv_sec += CHECK_SECONDS;
}

static int milliseconds_left(const struct timespec *end)
{
	struct timespec now;
	int64_t left;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	left = (int64_t)(end->tv_sec - now.tv_sec) * 1000 +
	       (end->tv_nsec - now.tv_nsec) / 1000000;
	return left > 0 ? (int)left : 0;
}

/* Waits as long as rows are decided, then ends it by force. */
static void finish(pid_t pid, int pidfd, struct patience *patience)
{
	struct pollfd ended = { .fd = pidfd, .events = POLLIN };
	struct err ignored = { 0 };
	int left, r;

	do {
		look(patience);
		left = milliseconds_left(&patience->end);
		r = poll(&ended, 1, left > LOOK_MS ? LOOK_MS : left);
	} while ((r < 0 && errno == EINTR) || (r == 0 && left > 0));
	if (r <= 0) {
		(void)pidfd_kill(pidfd, SIGKILL, &ignored);
		(void)poll(&ended, 1, 1000);
	}
	/* One that even SIGKILL does not end, on a dead mount, is init's to reap. */
	while (waitpid(pid, NULL, WNOHANG) < 0 && errno == EINTR)
		continue;
}

/* The row that a child was at when it ended without a word. */
static void bury(struct check_result *result)
{
	for (size_t i = 0; i < CHECK_MAX; i++) {
		if (result[i].outcome != OUTCOME_TRYING)
			continue;
		result[i].outcome = OUTCOME_NO;
		(void)snprintf(result[i].detail, sizeof(result[i].detail),
		               "the process that tried it was killed, or hung for %d s",
		               CHECK_SECONDS);
		(void)snprintf(result[i].hint, sizeof(result[i].hint),
		               "set seccompProfile to one that allows the call: this one "
		               "kills its caller; or look for a file system that hangs");
	}
}

static void run_children(struct check_env *env)
{
	int (*const child[])(void *arg) = { check_world_main, check_cgroup_main,
		                            here_main };
	enum { N = sizeof(child) / sizeof(child[0]) };
	int pidfd[N] = { -EBADF, -EBADF, -EBADF };
	struct patience patience = { .result = env->result };
	pid_t pid[N];

	look(&patience);
	for (size_t i = 0; i < N; i++) {
		const struct spawn spec = { .cgroup = -EBADF,
			                    .clone3 = env->facts->clone3,
			                    .child = child[i],
			                    .arg = env };
		struct check_result *userns = &env->result[CHECK_USERNS];
		struct err err = { 0 };

		pid[i] = spawn(&spec, &pidfd[i], &err);
		if (pid[i] >= 0 || i > 0)
			continue;
		/* No process at all: none with namespaces either. */
		userns->outcome = OUTCOME_NO;
		userns->code = err.code;
		(void)snprintf(userns->detail, sizeof(userns->detail),
		               "make a process: %s", strerror(err.code));
	}
	for (size_t i = 0; i < N; i++) {
		if (pid[i] >= 0)
			finish(pid[i], pidfd[i], &patience);
		drop_fd(&pidfd[i]);
	}
	bury(env->result);
}

/* Initial namespaces have fixed numbers: PROC_PID_INIT_INO of <linux/nsfs.h>. */
static bool in_container(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) == 0 && st.st_ino != 0xEFFFFFFC;
}

int check_run(const struct facts *facts, const char *state, struct arena *arena,
              struct report *ret, struct err *err)
{
	const size_t size = CHECK_MAX * sizeof(struct check_result);
	const struct config config = { .rootfs = "/" };
	cleanup_plan struct plan plan = { 0 };
	struct check_env env = {
		.facts = facts, .plan = &plan, .base = -EBADF, .group = -EBADF
	};
	struct check_result *result = arena_alloc(arena, size);
	uint64_t unique;

	launch_init(&env.launch);
	env.launch.config = &config;
	env.launch.facts = facts;
	env.launch.plan = &plan;
	env.state = state;
	env.pod = in_container();
	if (getrandom(&unique, sizeof(unique), 0) != sizeof(unique))
		return err_set(err, errno, "read random bytes");
	(void)snprintf(env.group_name, sizeof(env.group_name), "berth.check-%016llx",
	               (unsigned long long)unique);
	env.result = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
	                  -1, 0);
	if (env.result == MAP_FAILED || !result)
		return err_set(err, ENOMEM, "share memory with the probes");

	(void)plan_ids(&plan, &config, facts, &env.no_ids);
	run_children(&env);
	check_cgroup_tidy(&env);
	memcpy(result, env.result, size);
	(void)munmap(env.result, size);

	*ret = (struct report){ .tier = check_tier(result),
		                .result = result,
		                .pod = env.pod };
	for (size_t i = 0; i < CHECK_MAX; i++)
		if (result[i].outcome == OUTCOME_NO)
			ret->remedy[i] = check_remedy(i, &result[i], env.pod, arena);
	check_limits(facts, &plan.outer_uid, result, check_controllers(facts, arena),
	             env.pod, arena, ret->limit);
	return arena->failed ? err_set(err, ENOMEM, "report") : 0;
}
