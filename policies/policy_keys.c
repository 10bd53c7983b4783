#include <stdbool.h>

#include "policy.h"

/* From the one that allows least; what auto comes to is the pod's to say. */
static const char *const uplinks[] = { "none", "relay", "auto", "host", NULL };
static const char *const inits[] = { "auto", "systemd", "berth", "none", NULL };

/* clang-format off */
const struct policy_key policy_keys[] = {
	{ "rootfs", POLICY_TEXT, "rootfs", false, POLICY_NEUTRAL, NULL,
	  "is the root file system: \"host\", the pod's own files below a layer for changes, or a directory" },
	{ "state", POLICY_TEXT, "state", false, POLICY_NEUTRAL, NULL,
	  "keeps what changes, in a directory of the pod instead of memory" },
	{ "init", POLICY_TEXT, "init", false, POLICY_NEUTRAL, inits,
	  "is PID 1: the image's systemd, berth's own small one, or the command itself" },
	{ "user", POLICY_TEXT, "user", false, POLICY_NEUTRAL, NULL,
	  "is who the command runs as, looked up inside" },
	{ "workdir", POLICY_TEXT, "workdir", false, POLICY_NEUTRAL, NULL,
	  "is the directory the command starts in" },
	{ "hostname", POLICY_TEXT, "hostname", false, POLICY_NEUTRAL, NULL,
	  "is the host name inside" },
	{ "environment", POLICY_MAP, "env", false, POLICY_NEUTRAL, NULL,
	  "is set inside; nothing else of the pod's environment comes in" },
	{ "volumes", POLICY_LIST, "volume", false, POLICY_GRANT, NULL,
	  "of the pod is attached, one level above the workspace, which cannot remount it" },
	{ "network.uplink", POLICY_TEXT, "net", false, POLICY_LADDER, uplinks,
	  "is how the workspace reaches the network" },
	{ "network.rate_down", POLICY_TEXT, "rate-down", false, POLICY_CEILING, NULL,
	  "is the most that comes in, whatever root inside does" },
	{ "network.rate_up", POLICY_TEXT, "rate-up", false, POLICY_CEILING, NULL,
	  "is the most that goes out" },
	{ "limits.cpus", POLICY_AMOUNT, "cpus", false, POLICY_CEILING, NULL,
	  "processors' worth of time is the most that it gets" },
	{ "limits.cpu_weight", POLICY_NUMBER, "cpu-weight", false, POLICY_GRANT, NULL,
	  "is its share of the processors when others want them, too" },
	{ "limits.cpuset", POLICY_TEXT, "cpuset", false, POLICY_NEUTRAL, NULL,
	  "are the processors that it may run on" },
	{ "limits.memory", POLICY_AMOUNT, "memory", false, POLICY_CEILING, NULL,
	  "is the most memory that it gets; beyond, the kernel ends processes inside" },
	{ "limits.memory_high", POLICY_AMOUNT, "memory-high", false, POLICY_CEILING, NULL,
	  "is the memory above which it is slowed down" },
	{ "limits.swap", POLICY_AMOUNT, "swap", false, POLICY_CEILING, NULL,
	  "is the most swap space that it gets" },
	{ "limits.pids", POLICY_NUMBER, "pids", false, POLICY_CEILING, NULL,
	  "processes and threads are the most that it may have" },
	{ "limits.io", POLICY_LIST, "io", false, POLICY_NEUTRAL, NULL,
	  "is the most that it may read and write on a device" },
	{ "limits.hugetlb", POLICY_LIST, "hugetlb", false, POLICY_NEUTRAL, NULL,
	  "is the most that it gets of pages of a size" },
	{ "limits.max_descendants", POLICY_NUMBER, "max-descendants", false, POLICY_CEILING, NULL,
	  "control groups are the most that it may make" },
	{ "limits.max_depth", POLICY_NUMBER, "max-depth", false, POLICY_CEILING, NULL,
	  "levels of control groups are the most that it may make" },
	{ "limits.watches", POLICY_NUMBER, "watches", false, POLICY_CEILING, NULL,
	  "inotify watches are the most that all of the workspace has together; its root cannot raise it" },
	{ "limits.inotify_instances", POLICY_NUMBER, "inotify-instances", false, POLICY_CEILING, NULL,
	  "inotify instances are the most that all of the workspace has together" },
	{ "limits.best_effort", POLICY_LIST, "best-effort", true, POLICY_GRANT, NULL,
	  "may be missing where the pod does not permit it; every other limit stops the launch then" },
	{ "stop.timeout", POLICY_NUMBER, "stop-timeout", false, POLICY_NEUTRAL, NULL,
	  "seconds are between the polite signal and SIGKILL" },
};
/* clang-format on */
const size_t policy_keys_n = sizeof(policy_keys) / sizeof(policy_keys[0]);
