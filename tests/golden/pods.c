#include "tests/golden/pods.h"

#include <sys/stat.h>

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

static const struct source_fact sources[] = {
	{ true, true, 1, 11 },
	{ true, false, 1, 12 },
	{ true, true, 1, 13 },
};

/* None of --io's is there. */
static const struct device_fact devices[16];

#define COMMON                                                                       \
	.clone3 = true, .nproc_hard = UINT64_MAX,                                    \
	.node_budget = { [BUDGET_WATCHES] = 65536, [BUDGET_INOTIFY_INSTANCES] = 128, \
		         [BUDGET_USER_NS] = 63000, [BUDGET_PID_NS] = 63000,          \
		         [BUDGET_SIGNALS] = 96000, [BUDGET_QUEUES] = 819200 },       \
	.source = sources, .device = devices, .kernel_files = ALL_KERNEL_FILES,      \
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
#define POD                                                                    \
	COMMON, .can_map = true, .no_new_privs = true, .self_writable = true,  \
		.own_uid = POD_MAP, .own_gid = POD_MAP, .sys_read_only = true, \
		.oom_score_adj = 975, .cgroup = POD_CGROUP,                    \
		.root = { 1, 2, "/sbin/init", 0, true, true }

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
const struct facts pod_read_only = { POD, .self_writable = false };

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
	{ "/", "/", "ext4", false, NULL },
	{ "/proc", "/", "proc", false, NULL },
	{ "/sys", "/", "sysfs", false, NULL },
	{ "/sys/fs/cgroup/cpu,cpuacct", "/", "cgroup", false, NULL },
	{ "/sys/fs/cgroup/pids", "/", "cgroup", false, NULL },
	{ "/sys/fs/cgroup/blkio", "/", "cgroup", false, NULL },
	{ "/sys/fs/cgroup/unified", "/", "cgroup2", false, NULL },
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
	{ "/", "/", "overlay", false, NULL },
	{ "/proc", "/", "proc", false, NULL },
	{ "/dev", "/", "tmpfs", false, NULL },
	{ "/dev/termination-log", "/pods/1/termination-log", "ext4", false, NULL },
	{ "/sys", "/", "sysfs", true, NULL },
	{ "/sys/fs/cgroup", "/", "cgroup2", false, NULL },
	{ "/etc/hosts", "/pods/1/etc-hosts", "ext4", false, NULL },
	{ "/etc/hostname", "/pods/1/hostname", "ext4", false, NULL },
	{ "/etc/resolv.conf", "/pods/1/resolv.conf", "ext4", false, NULL },
	{ "/home/dev", "/volumes/home", "ext4", false, NULL },
	{ "/var/run/secrets/kubernetes.io/serviceaccount", "/", "tmpfs", true, NULL },
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
static const struct net_facts net_dual = {
	used_dual, N_ELEMENTS(used_dual), true,
	"search ns.svc.cluster.local cluster.local\nnameserver 10.96.0.10\n"
	"options ndots:5\n"
};
static const struct net_facts net_nested = { used_nested, N_ELEMENTS(used_nested), false,
	                                     "nameserver 127.0.0.53\n" };
static const struct net_facts net_full = { used_all, N_ELEMENTS(used_all), false, "" };

const struct facts user_net = { USER, .cgroup = SCOPE, .net = &net_dual,
	                        .root = { 1, 2, "/sbin/init", 1000, true, true,
	                                  .has_hosts = true } };
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
#pragma GCC diagnostic pop
