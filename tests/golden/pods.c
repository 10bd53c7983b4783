#include "tests/golden/pods.h"

#include <errno.h>
#include <sys/stat.h>

#include "hook.h"
#include "image.h"
#include "kernel_files.h"

/* Overriding a part of what a macro says is what these fixtures are for. */
#pragma GCC diagnostic push
#ifdef __clang__
#pragma clang diagnostic ignored "-Winitializer-overrides"
#endif
#pragma GCC diagnostic ignored "-Woverride-init"

#define N_ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

/* Fields that most have in common; a fixture overrides what makes it special. */
#define ALL_IDS                                  \
	{                                        \
		1,                               \
		{                                \
			{                        \
				0, 0, UINT32_MAX \
			}                        \
		}                                \
	}
#define LENT                                     \
	{                                        \
		1,                               \
		{                                \
			{                        \
				0, 100000, 65536 \
			}                        \
		}                                \
	}
#define ALL_KERNEL_FILES ((UINT64_C(1) << KERNEL_FILES_N) - 1)

#define ROOMY                                                           \
	{                                                               \
		.fstype = "", .bytes = UINT64_MAX, .inodes = UINT64_MAX \
	}

static const struct source_fact sources[] = {
	{ true, true, 1, 11, 1000, 1000, ROOMY },
	{ true, false, 1, 12, 100033, 100033, ROOMY },
	{ true, true, 1, 13, 1000, 1000, ROOMY },
};

/* The first is there, the second is no character device, the third is missing. */
static const struct node_fact nodes[] = { { true, true },
	                                  { true, false },
	                                  { false, false } };

/* One of the volumes holds the records of workspaces. */
static const struct hidden_fact hidden[HIDDEN_N] = {
	[HIDDEN_RECORDS] = { "runtime directory", "/run/user/1000/berth", NULL, NULL, 1,
	                     14, true },
	[HIDDEN_IMAGES] = { .what = "store of images" },
	[HIDDEN_LAYERS] = { .what = "directory of upper layers" },
};

/* Root's, and out of reach. */
static const struct hook_fact hooks[HOOKS_MAX];

static const struct hook_fact hook_held[] = {
	{ .mode = 0755,
	  .program = { "hook", "/src/hook", "holds", "/src", 1, 20, true } },
};
static const struct hook_fact hook_script_held[] = {
	{ .mode = 0755,
	  .program = { .what = "hook", .path = "/opt/hook" },
	  .interpreter = { { .way = { "interpreter", "/src/sh",
	                              "has a link on the way to", "/src", 1, 21, true },
	                     .mode = 0755 } },
	  .interpreter_n = 1 },
};
static const struct hook_fact hook_of_others[] = { { .mode = 0757, .uid = 1000 } };
static const struct hook_fact hook_of_inside[] = { { .mode = 0755, .uid = 100033 } };
static const struct hook_fact hook_of_group[] = {
	{ .mode = 0775, .uid = 1000, .gid = 1000 }, /* his own, that no one else is in */
	{ .mode = 0775, .uid = 1000, .gid = 50 },
};
static const struct hook_fact hook_missing[] = { { 0 }, { .error = ENOENT } };

/* None of --io's is there. */
static const struct device_fact devices[16];

#define COMMON                                                                       \
	.clone3 = true, .nproc_hard = UINT64_MAX,                                    \
	.node_budget = { [BUDGET_WATCHES] = 65536, [BUDGET_INOTIFY_INSTANCES] = 128, \
		         [BUDGET_USER_NS] = 63000, [BUDGET_PID_NS] = 63000,          \
		         [BUDGET_SIGNALS] = 96000, [BUDGET_QUEUES] = 819200,         \
		         [BUDGET_LOCKED] = 8388608 },                                \
	.ulimit_hard = { [ULIMIT_NOFILE] = 1048576,                                  \
		         [ULIMIT_CORE] = UINT64_MAX,                                 \
		         [ULIMIT_MEMLOCK] = 8388608,                                 \
		         [ULIMIT_STACK] = UINT64_MAX },                              \
	.source = sources, .node = nodes, .device = devices, .hidden = hidden,       \
	.hook = hooks, .kernel_files = ALL_KERNEL_FILES,                             \
	.root = { 1, 2, "/sbin/init", 1000, true, true }

/* An ordinary user, logged in, in a group that is not delegated to anybody. */
#define USER                                                                     \
	COMMON, .uid = 1000, .gid = 1000, .newuidmap = true, .own_uid = ALL_IDS, \
		.own_gid = ALL_IDS, .subuid = LENT, .subgid = LENT

#define SESSION                                                                        \
	{                                                                              \
		.mount = "/sys/fs/cgroup",                                             \
		.own = "/user.slice/user-1000.slice/session-3.scope", .managed = true, \
		.controllers = "cpu memory pids"                                       \
	}

#define SCOPE                                                                     \
	{                                                                         \
		.mount = "/sys/fs/cgroup",                                        \
		.own = "/user.slice/user-1000.slice/user@1000.service/app.slice/" \
		       "run-42.scope",                                            \
		.ours = true, .controllers = "cpu memory pids"                    \
	}

const struct facts user_scope = { USER, .cgroup = SCOPE };
const struct facts user_few = { USER, .cgroup = SCOPE, .nproc_hard = 4096 };
const struct facts user_metrics = { USER, .cgroup = SCOPE,
	                            .metrics_program =
	                                    "/usr/libexec/berth/berth-metrics" };
const struct facts user_hook_held = { USER, .cgroup = SCOPE, .hook = hook_held };
const struct facts user_hook_script_held = { USER, .cgroup = SCOPE,
	                                     .hook = hook_script_held };
const struct facts user_hook_of_others = { USER, .cgroup = SCOPE,
	                                   .hook = hook_of_others };
const struct facts user_hook_of_inside = { USER, .cgroup = SCOPE,
	                                   .hook = hook_of_inside };
const struct facts user_hook_of_group = { USER, .cgroup = SCOPE, .hook = hook_of_group };
const struct facts user_hook_missing = { USER, .cgroup = SCOPE, .hook = hook_missing };
const struct facts user_session = { USER, .cgroup = SESSION, .user_manager = true };
const struct facts user_no_cgroup = { USER, .cgroup = SESSION };

/* A directory whose files are the user's own: also what --rootfs host looks like to
 * a user who owns "/". */
const struct facts user_root_scope = {
	USER,
	.cgroup = SCOPE,
	.root = { 1, 2, NULL, 1000, false, false },
};

/* One ID: nothing lent, nobody to write the map, or nobody who may. */
#define ONE_ID                                                                    \
	COMMON, .uid = 1000, .gid = 1000, .own_uid = ALL_IDS, .own_gid = ALL_IDS, \
		.cgroup = SCOPE

const struct facts user_one_id = { ONE_ID, .newuidmap = true };
const struct facts user_no_newuidmap = { ONE_ID, .subuid = LENT, .subgid = LENT };
const struct facts user_no_new_privs = {
	ONE_ID, .newuidmap = true, .no_new_privs = true, .subuid = LENT, .subgid = LENT,
};

const struct facts user_few_ids = {
	ONE_ID,
	.newuidmap = true,
	.subuid = { 1, { { 0, 100000, 1000 } } },
	.subgid = { 1, { { 0, 100000, 1000 } } },
};

const struct facts user_own_in_range = {
	ONE_ID,
	.newuidmap = true,
	.subuid = { 1, { { 0, 1000, 65536 } } },
	.subgid = { 1, { { 0, 1000, 65536 } } },
};

/* A pod with hostUsers: false, procMount: Unmasked and the default capabilities. */
#define POD_MAP                                      \
	{                                            \
		1,                                   \
		{                                    \
			{                            \
				0, 1879048192, 65536 \
			}                            \
		}                                    \
	}
#define POD_CGROUP                                                   \
	{                                                            \
		.mount = "/sys/fs/cgroup", .own = "/", .ours = true, \
		.controllers = "cpuset cpu io memory hugetlb pids"   \
	}
#define POD                                                                      \
	COMMON, .can_map = true, .no_new_privs = true, .own_uid = POD_MAP,       \
		.own_gid = POD_MAP, .sys_read_only = true, .oom_score_adj = 975, \
		.cgroup = POD_CGROUP, .root = { 1, 2, "/sbin/init", 0, true, true }

/* uid 1000 of a pod: the image's /etc/subuid names IDs that it has not; or it has them, and
 * a setuid newuidmap that is of no use. */
const struct facts pod_user_ids_elsewhere = { COMMON,
	                                      .uid = 1000,
	                                      .gid = 1000,
	                                      .newuidmap = true,
	                                      .own_uid = POD_MAP,
	                                      .own_gid = POD_MAP,
	                                      .subuid = LENT,
	                                      .subgid = LENT,
	                                      .cgroup = SCOPE };
const struct facts pod_user_weak_helper = { COMMON,
	                                    .uid = 1000,
	                                    .gid = 1000,
	                                    .newuidmap = true,
	                                    .helper_weak = true,
	                                    .own_uid = POD_MAP,
	                                    .own_gid = POD_MAP,
	                                    .subuid = { 1, { { 0, 2000, 60000 } } },
	                                    .subgid = { 1, { { 0, 2000, 60000 } } },
	                                    .cgroup = SCOPE };
const struct facts pod_user_file_caps = { COMMON,
	                                  .uid = 1000,
	                                  .gid = 1000,
	                                  .newuidmap = true,
	                                  .own_uid = POD_MAP,
	                                  .own_gid = POD_MAP,
	                                  .subuid = { 1, { { 0, 2000, 65000 } } },
	                                  .subgid = { 1, { { 0, 2000, 65000 } } },
	                                  .cgroup = SCOPE };

const struct facts pod = { POD };

const struct facts pod_fresh_cgroup = {
	POD,
	.cgroup = { .mount = "/sys/fs/cgroup",
	            .own = "/",
	            .ours = true,
	            .fresh = true,
	            .controllers = "cpu memory pids" },
};

const struct facts pod_no_cgroup = {
	POD,
	.cgroup = { .mount = "/sys/fs/cgroup", .own = "/", .controllers = "" },
};

const struct facts pod_hidden_cgroup = { POD, .cgroup = { .controllers = "" } };

/* As containerd and runc make one without asking. */
const struct facts pod_masked = {
	POD,
	.proc_masked = true,
	.sys_masked = true,
	.ucounts_read_only = true,
	.cgroup = { .mount = "/sys/fs/cgroup", .own = "/", .controllers = "" },
};

const struct facts pod_sys_masked = { POD, .sys_masked = true };

/* The second workspace of a pod: the first one has made the leaf. */
const struct facts pod_in_leaf = {
	POD,
	.cgroup = { .mount = "/sys/fs/cgroup",
	            .own = "/",
	            .in_leaf = true,
	            .ours = true,
	            .controllers = "cpu memory pids" },
};

/* Images with dockerd. The last two: a pod without a cgroup, which most are. */
#define DOCKER(owner, crun, json)                                              \
	{                                                                      \
		1, 2, "/sbin/init", owner, true, true, true, true, crun, json, \
	}

const struct facts user_docker = {
	USER,
	.cgroup = SCOPE,
	.root = DOCKER(1000, true, false),
};
const struct facts user_docker_session = {
	USER,
	.cgroup = SESSION,
	.user_manager = true,
	.root = DOCKER(1000, true, false),
};
const struct facts pod_docker = { POD, .root = DOCKER(0, false, true) };
const struct facts pod_docker_masked = {
	POD,
	.proc_masked = true,
	.sys_masked = true,
	.root = DOCKER(0, true, false),
};
const struct facts pod_docker_no_cgroup = {
	POD,
	.cgroup = { .mount = "/sys/fs/cgroup", .own = "/", .controllers = "" },
	.root = DOCKER(0, true, false),
};
const struct facts pod_docker_no_crun = {
	POD,
	.cgroup = { .mount = "/sys/fs/cgroup", .own = "/", .controllers = "" },
	.root = DOCKER(0, false, false),
};

/* A seccomp profile that answers clone3 with ENOSYS. */
const struct facts pod_no_clone3 = { POD, .clone3 = false };

/* /usr/bin is read-only there. */
const struct facts pod_read_only = { POD, .self = { .never = true } };

const struct facts pod_no_init = { POD, .root = { 1, 2, NULL, 0, false, false } };

/* capabilities: drop: [ALL] */
const struct facts pod_no_caps = { POD, .can_map = false };

const struct facts pod_two_extents = {
	POD,
	.own_uid = { 2, { { 0, 1000, 1 }, { 1, 100000, 65535 } } },
	.own_gid = { 2, { { 0, 1000, 1 }, { 1, 100000, 65535 } } },
};

const struct facts pod_oom_highest = { POD, .oom_score_adj = 1000 };

/* The node's root, in a group that a machine without systemd gives to anybody. */
#define NODE_ROOT                                                      \
	COMMON, .node_root = true, .can_map = true, .newuidmap = true, \
		.own_uid = ALL_IDS, .own_gid = ALL_IDS,                \
		.cgroup = {                                            \
			.mount = "/sys/fs/cgroup",                     \
			.own = "/berth",                               \
			.ours = true,                                  \
			.controllers = "cpu memory pids",              \
		}

const struct facts node_root = { NODE_ROOT };
/* A machine that has its controllers beside cgroup v2. */
static const struct mount_fact hybrid_mounts[] = {
	{ .point = "/", .root = "/", .fstype = "ext4" },
	{ .point = "/proc", .root = "/", .fstype = "proc" },
	{ .point = "/sys", .root = "/", .fstype = "sysfs" },
	{ .point = "/sys/fs/cgroup/cpu,cpuacct", .root = "/", .fstype = "cgroup" },
	{ .point = "/sys/fs/cgroup/pids", .root = "/", .fstype = "cgroup" },
	{ .point = "/sys/fs/cgroup/blkio", .root = "/", .fstype = "cgroup" },
	{ .point = "/sys/fs/cgroup/unified", .root = "/", .fstype = "cgroup2" },
};

static const struct cgroup1_fact node_cgroup1[] = {
	{ "cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct", "/", false, false },
	{ "pids", "/sys/fs/cgroup/pids", NULL, false, false },
	{ "blkio", "/sys/fs/cgroup/blkio", "/", false, false },
};

const struct facts node_root_no_pids = {
	NODE_ROOT,
	.subuid = LENT,
	.subgid = LENT,
	.cgroup = { .mount = "/sys/fs/cgroup/unified",
	            .own = "/berth",
	            .ours = true,
	            .controllers = "hugetlb" },
	.mount = hybrid_mounts,
	.mount_n = N_ELEMENTS(hybrid_mounts),
	.cgroup1 = node_cgroup1,
	.cgroup1_n = N_ELEMENTS(node_cgroup1),
	.cgroup1_writer = "/usr/libexec/berth/berth-cgroup1",
};

/* Groups on cgroup v1 that were given to the user, whose uid root inside has. */
static const struct cgroup1_fact own_cgroup1[] = {
	{ "cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct", "/dev", true, false },
	{ "cpuset", "/sys/fs/cgroup/cpuset", "/dev", true, false },
	{ "blkio", "/sys/fs/cgroup/blkio", "/dev", true, false },
	{ "memory", "/sys/fs/cgroup/memory", "/dev", true, true },
	{ "pids", "/sys/fs/cgroup/pids", "/", true, false },
};
#define HYBRID                                                        \
	.mount = hybrid_mounts, .mount_n = N_ELEMENTS(hybrid_mounts), \
	.cgroup1 = own_cgroup1, .cgroup1_n = N_ELEMENTS(own_cgroup1), \
	.cgroup1_writer = "/usr/libexec/berth/berth-cgroup1",         \
	.cgroup = { .mount = "/sys/fs/cgroup/unified",                \
		    .own = "/dev",                                    \
		    .ours = true,                                     \
		    .controllers = "hugetlb" }
const struct facts user_hybrid = { USER, HYBRID };
const struct facts user_hybrid_no_writer = { USER, HYBRID, .cgroup1_writer = NULL };
const struct facts node_root_hybrid = { NODE_ROOT, HYBRID, .subuid = LENT,
	                                .subgid = LENT };
const struct facts node_root_lent = { NODE_ROOT, .subuid = LENT, .subgid = LENT };
const struct facts node_root_lent_no_clone3 = {
	NODE_ROOT,
	.clone3 = false,
	.subuid = LENT,
	.subgid = LENT,
};

/*
 * The root of a pod: an image with what Kubernetes mounts in it, /etc/hosts,
 * /etc/resolv.conf, /etc/hostname, /dev/termination-log, a service account below
 * /var/run/secrets, and a volume in /home/dev. A tree of @mounts_below lists its
 * entries unless it is small.
 */
#define DIRECTORY(name)                              \
	{                                            \
		.path = name, .mode = S_IFDIR | 0755 \
	}
#define EMPTY(name, bits)                                             \
	{                                                             \
		.path = name, .mode = S_IFDIR | (bits), .empty = true \
	}
#define FILE_OF(name)                                \
	{                                            \
		.path = name, .mode = S_IFREG | 0644 \
	}
#define MOUNTED(name, type)                                          \
	{                                                            \
		.path = name, .mode = (type) | 0755, .mounted = true \
	}
#define LINK(name, to)                                           \
	{                                                        \
		.path = name, .mode = S_IFLNK | 0777, .link = to \
	}
#define OTHER(name, type)                           \
	{                                           \
		.path = name, .mode = (type) | 0666 \
	}
#define SMALL(name)                                                         \
	{                                                                   \
		.path = name, .mode = S_IFDIR | 0755, .mounts_below = true, \
		.small = true                                               \
	}
#define LISTED(name, array)                                                 \
	{                                                                   \
		.path = name, .mode = S_IFDIR | 0755, .mounts_below = true, \
		.child = (array), .child_n = N_ELEMENTS(array)              \
	}

static const struct mount_fact pod_mounts[] = {
	{ .point = "/", .root = "/", .fstype = "overlay" },
	{ .point = "/proc", .root = "/", .fstype = "proc" },
	{ .point = "/dev", .root = "/", .fstype = "tmpfs" },
	{ .point = "/dev/termination-log",
	  .root = "/pods/1/termination-log",
	  .fstype = "ext4" },
	{ .point = "/sys", .root = "/", .fstype = "sysfs", .read_only = true },
	{ .point = "/sys/fs/cgroup", .root = "/", .fstype = "cgroup2" },
	{ .point = "/etc/hosts", .root = "/pods/1/etc-hosts", .fstype = "ext4" },
	{ .point = "/etc/hostname", .root = "/pods/1/hostname", .fstype = "ext4" },
	{ .point = "/etc/resolv.conf", .root = "/pods/1/resolv.conf", .fstype = "ext4" },
	{ .point = "/home/dev", .root = "/volumes/home", .fstype = "ext4" },
	{ .point = "/var/run/secrets/kubernetes.io/serviceaccount",
	  .root = "/",
	  .fstype = "tmpfs",
	  .read_only = true },
};

static struct tree_fact home[] = {
	MOUNTED("/home/dev", S_IFDIR),
	DIRECTORY("/home/guest"),
};

static struct tree_fact var_run[] = {
	EMPTY("/var/run/lock", 01777),
	SMALL("/var/run/secrets"),
	OTHER("/var/run/daemon.sock", S_IFSOCK),
};

static struct tree_fact var[] = {
	DIRECTORY("/var/cache"),   EMPTY("/var/empty", 0755),   DIRECTORY("/var/lib"),
	EMPTY("/var/mail", 02775), LISTED("/var/run", var_run), EMPTY("/var/tmp", 01777),
};

static struct tree_fact pod_root[] = {
	FILE_OF("/.profile"),
	LINK("/bin", "usr/bin"),
	EMPTY("/boot", 0755),
	MOUNTED("/data", S_IFDIR),
	SMALL("/etc"),
	LISTED("/home", home),
	OTHER("/initctl", S_IFIFO),
	LINK("/lib", "usr/lib"),
	EMPTY("/mnt", 0755),
	DIRECTORY("/opt"),
	EMPTY("/root", 0700),
	MOUNTED("/secret.key", S_IFREG),
	DIRECTORY("/usr"),
	LISTED("/var", var),
};

static const struct tree_fact pod_tree = LISTED("/", pod_root);

const struct facts pod_host = {
	POD,
	.mount = pod_mounts,
	.mount_n = N_ELEMENTS(pod_mounts),
	.tree = &pod_tree,
};

/* An /etc that is too much to be copied. */
static struct tree_fact etc[] = {
	DIRECTORY("/etc/alternatives"),           FILE_OF("/etc/fstab"),
	MOUNTED("/etc/hostname", S_IFREG),        MOUNTED("/etc/hosts", S_IFREG),
	LINK("/etc/mtab", "../proc/self/mounts"), FILE_OF("/etc/passwd"),
	MOUNTED("/etc/resolv.conf", S_IFREG),
};

static struct tree_fact pod_root_large[] = {
	LISTED("/etc", etc),
	DIRECTORY("/usr"),
};

static const struct tree_fact pod_tree_large = LISTED("/", pod_root_large);

const struct facts pod_host_etc_large = {
	POD,
	.mount = pod_mounts,
	.mount_n = N_ELEMENTS(pod_mounts),
	.tree = &pod_tree_large,
};

/* A laptop: its files are the node's root's. */
static struct tree_fact laptop_root[] = {
	LINK("/bin", "usr/bin"), DIRECTORY("/etc"), DIRECTORY("/home"),
	DIRECTORY("/usr"),       DIRECTORY("/var"),
};

static const struct tree_fact laptop_tree = LISTED("/", laptop_root);

#define LAPTOP .tree = &laptop_tree, .root = { 1, 2, "/sbin/init", 0, true, true }

/* Of both families, with a cluster's names; and inside a workspace, with a local resolver. */
static const struct ip used_dual[] = {
	{ AF_INET, 24, { 10, 1, 2, 3 } },
	{ AF_INET6, 64, { 0xfd, 0x01 } },
	{ AF_INET, 12, { 10, 96 } },
};
static const struct ip used_nested[] = {
	{ AF_INET, 30, { 198, 18, 240, 2 } },
	{ AF_INET, 30, { 198, 18, 240, 0 } },
};
static const struct ip used_all[] = {
	{ AF_INET, 8, { 10 } },
	{ AF_INET, 15, { 198, 18 } },
	{ AF_INET, 10, { 100, 64 } },
};
#define NET_DUAL .used = used_dual, .used_n = N_ELEMENTS(used_dual), .ipv6 = true
#define PASTA \
	NET_DUAL, .resolv_conf = "nameserver 10.96.0.10\n", .pasta = "/usr/bin/pasta"
static const struct net_facts net_dual = {
	NET_DUAL,
	.resolv_conf = "search ns.svc.cluster.local cluster.local\n"
		       "nameserver 10.96.0.10\noptions ndots:5\n",
	.own = { { AF_INET, 32, { 10, 244, 1, 7 } },
	         { AF_INET6, 128, { 0xfd, [15] = 7 } } },
};
static const struct net_facts net_undiverted = {
	NET_DUAL, .undiverted = true, .resolv_conf = "nameserver 10.96.0.10\n",
	.own = { { AF_INET, 32, { 10, 244, 1, 7 } } }
};
static const struct net_facts net_nested = {
	.used = used_nested,
	.used_n = N_ELEMENTS(used_nested),
	.resolv_conf = "nameserver 127.0.0.53\n",
	.own = { { AF_INET, 32, { 10, 244, 1, 7 } } }
};
static const struct net_facts net_full = { .used = used_all,
	                                   .used_n = N_ELEMENTS(used_all),
	                                   .resolv_conf = "" };
static const struct net_facts net_pasta = { PASTA, .forwards6 = true };
static const struct net_facts net_pasta_only = { PASTA, .unrelayed = true };
static const struct net_facts net_unrelayed = { NET_DUAL, .unrelayed = true,
	                                        .resolv_conf = "" };
static const struct net_facts net_no_tun = { PASTA, .tun = ENOENT };

/* Somebody else's and noexec; read-only; full. */
static const struct source_fact sources_odd[] = {
	{ true,
	  true,
	  1,
	  11,
	  0,
	  0,
	  { .fstype = "", .noexec = true, .bytes = UINT64_MAX, .inodes = UINT64_MAX } },
	{ true,
	  true,
	  1,
	  12,
	  1000,
	  1000,
	  { .fstype = "",
	    .read_only = true,
	    .bytes = UINT64_MAX,
	    .inodes = UINT64_MAX } },
	{ true,
	  true,
	  1,
	  13,
	  1000,
	  1000,
	  { .fstype = "", .bytes = 99 << 20, .inodes = 7 } },
};
static const struct source_fact sources_overlay[] = {
	{ true,
	  true,
	  1,
	  11,
	  1000,
	  1000,
	  { .fstype = "overlay", .bytes = UINT64_MAX, .inodes = UINT64_MAX } },
};

const struct facts user_storage = {
	USER, .cgroup = SCOPE, .source = sources_odd, .state_found = true,
	.state = { .fstype = "", .bytes = 5 << 20, .inodes = UINT64_MAX }
};
const struct facts user_storage_overlay = { USER, .cgroup = SCOPE,
	                                    .source = sources_overlay,
	                                    .state_found = true,
	                                    .state = { .fstype = "nfs" } };
const struct facts user_zone = { USER, .cgroup = SCOPE, .zone = "Europe/Berlin",
	                         .root = { 1, 2, "/sbin/init", 1000, true, true,
	                                   .has_zone = true, .has_timezone = true } };
const struct facts user_zone_pod = { USER, .cgroup = SCOPE, .zone = "Europe/Berlin",
	                             .zone_in_pod = true };

const struct facts user_net = { USER, .cgroup = SCOPE, .net = &net_dual,
	                        .root = { 1, 2, "/sbin/init", 1000, true, true,
	                                  .has_hosts = true } };
const struct facts user_net_undiverted = { USER, .cgroup = SCOPE,
	                                   .net = &net_undiverted };
const struct facts user_net_pasta = { USER, .cgroup = SCOPE, .net = &net_pasta };
const struct facts user_net_pasta_only = { USER, .cgroup = SCOPE,
	                                   .net = &net_pasta_only };
const struct facts user_net_unrelayed = { USER, .cgroup = SCOPE, .net = &net_unrelayed };
const struct facts user_net_no_tun = { USER, .cgroup = SCOPE, .net = &net_no_tun };
const struct facts user_net_nested = { USER, .cgroup = SCOPE, .net = &net_nested };
const struct facts user_net_full = { USER, .cgroup = SCOPE, .net = &net_full };
const struct facts user_net_resolved = {
	USER, .cgroup = SCOPE, .net = &net_dual,
	.root = { 1, 2, "/sbin/init", 1000, false, true, .has_hosts = true,
	          .resolv_conf_link = "/run/systemd/resolve/stub-resolv.conf" }
};
const struct facts pod_host_net = {
	POD,
	.mount = pod_mounts,
	.mount_n = N_ELEMENTS(pod_mounts),
	.tree = &pod_tree,
	.net = &net_dual,
};
const struct facts user_host = { USER, .cgroup = SCOPE, LAPTOP };
const struct facts user_host_one_id = { ONE_ID, .newuidmap = true, LAPTOP };

/* Images that are in the store. */
#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define BEFORE "sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define STORE "/home/dev/.local/share/berth/images"
#define TREE STORE "/trees/0-1000x1+1-100000x65536/0123456789abcdef/rootfs"

static const char *const app_env[] = { "PATH=/opt/app/bin:/usr/bin", "LANG=C" };
static const char *const app_entrypoint[] = { "/opt/app/bin/entry", "--serve" };
static const char *const app_cmd[] = { "now" };
static const char *const app_volume[] = { "/data", "/var/lib/app" };
static const char *const shell_cmd[] = { "bash" };

static const struct image_tree app = {
	.digest = DIGEST,
	.path = TREE,
	.config = { .env = app_env,
	            .env_n = 2,
	            .entrypoint = app_entrypoint,
	            .entrypoint_n = 2,
	            .cmd = app_cmd,
	            .cmd_n = 1,
	            .volume = app_volume,
	            .volume_n = 2,
	            .user = "app:app",
	            .workdir = "/opt/app",
	            .stop_signal = "SIGQUIT" },
};
static const struct image_tree shell_only = {
	.digest = DIGEST,
	.path = TREE,
	.config = { .cmd = shell_cmd, .cmd_n = 1 },
};

const struct facts user_image = {
	USER,
	.cgroup = SCOPE,
	.image = &app,
	.root = { 1, 2, NULL, 1000, true, true, .workdir_missing = true },
};
const struct facts user_image_upper = {
	USER,
	.cgroup = SCOPE,
	.image = &app,
	.upper_used = true,
	.upper_over = BEFORE,
	.root = { 1, 2, NULL, 1000, true, true },
};
/* With an ENTRYPOINT that systemd takes the place of. */
const struct facts user_image_systemd = {
	USER,
	.cgroup = SCOPE,
	.image = &app,
};
/* Debian's CMD is a shell: it says nothing about a system with dockerd in it. */
const struct facts pod_image_docker = {
	POD,
	.image = &shell_only,
	.cgroup = { .mount = "/sys/fs/cgroup", .own = "/", .controllers = "" },
	.root = DOCKER(0, true, false),
};

#pragma GCC diagnostic pop
