#include "policy_namespaces.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ns.h"
#include "policies/seccomp_choice.h"

/*
 * docs/policy.md has this table for people (tests/golden/docs.sh compares), and the launch is
 * held to it by config_namespaces(). The time namespace is in no launch, and last.
 */
static const struct kind {
	const char *name;   /* as in /proc/PID/ns */
	const char *keys;   /* that change it, or what is in it */
	const char *why;    /* it is as it is, whatever a policy says */
	enum budget budget; /* of those made inside */
	const char *denial; /* of seccomp.deny */
} kinds[NS_MAX + 1] = {
	/* clang-format off */
	[NS_USER] = { "user", "ids.uid_map, ids.gid_map",
	  "in the pod's, root inside would be the pod's root",
	  BUDGET_USER_NS, SECCOMP_FLAT },
	[NS_MOUNT] = { "mnt", "rootfs, image, volumes, unmask",
	  "the image is /, and the pod's mounts are out of reach",
	  BUDGET_MOUNT_NS, "namespace:CLONE_NEWNS" },
	[NS_PID] = { "pid", "init",
	  "in the pod's, berth's own processes would be in sight, and there is no PID 1 to be",
	  BUDGET_PID_NS, "namespace:CLONE_NEWPID" },
	[NS_NET] = { "net", "network.uplink",
	  "with the uplink host it is the pod's, and no rate, rule or port is kept",
	  BUDGET_NET_NS, "namespace:CLONE_NEWNET" },
	[NS_IPC] = { "ipc", "none",
	  "in the pod's, root inside could mount no message queues; /dev/shm is a file system of its own, and has no size but memory's",
	  BUDGET_IPC_NS, "namespace:CLONE_NEWIPC" },
	[NS_UTS] = { "uts", "hostname",
	  "in the pod's, root inside could set no host name",
	  BUDGET_UTS_NS, "namespace:CLONE_NEWUTS" },
	[NS_CGROUP] = { "cgroup", "none",
	  "in the pod's, /sys/fs/cgroup would begin above the workspace's limits",
	  BUDGET_CGROUP_NS, "namespace:CLONE_NEWCGROUP" },
	[NS_MAX] = { "time", "none",
	  "it would shift uptime and timers, and no date",
	  BUDGET_TIME_NS, "namespace:CLONE_NEWTIME" },
	/* clang-format on */
};

static bool is_own(const struct config *config, unsigned int kind)
{
	return kind < NS_MAX && (config_namespaces(config) & NS_BIT(kind));
}

/* Whether a list with commas has @item. */
static bool has_item(const char *list, const char *item)
{
	const size_t len = strlen(item);

	for (const char *p = list; p && *p; p += strspn(p, ",")) {
		const size_t n = strcspn(p, ",");

		if (n == len && !strncmp(p, item, n))
			return true;
		p += n;
	}
	return false;
}

/* How many more of its kind root inside may have at a time. */
static void print_nested(const struct config *config, const struct kind *kind)
{
	const uint64_t most = config->budget[kind->budget];

	if (config->flat && kind == &kinds[NS_USER])
		(void)printf("none (nested: false)");
	else if (has_item(config->seccomp_deny, kind->denial))
		(void)printf("none (seccomp.deny: %s)", kind->denial);
	else if (most == LIMIT_UNSET)
		(void)printf("as many as the pod may have");
	else
		(void)printf("at most %" PRIu64 " (limits.%s_namespaces)", most,
		             strcmp(kind->name, "mnt") != 0 ? kind->name : "mount");
}

void policy_namespaces_explain(const struct config *config)
{
	for (unsigned int i = 0; i <= NS_MAX; i++) {
		const struct kind *kind = &kinds[i];

		(void)printf("%s: %s; nested ones: ", kind->name,
		             is_own(config, i) ? "its own" : "the pod's");
		print_nested(config, kind);
		(void)printf("; keys: %s; %s\n", kind->keys, kind->why);
	}
}

void policy_namespaces_sum_up(const struct config *config)
{
	(void)printf("namespaces:");
	for (unsigned int i = 0; i <= NS_MAX; i++)
		if (is_own(config, i))
			(void)printf(" %s", kinds[i].name);
	(void)printf(" are its own;");
	for (unsigned int i = 0; i <= NS_MAX; i++)
		if (!is_own(config, i))
			(void)printf(" %s", kinds[i].name);
	(void)printf(" %s the pod's\n", is_own(config, NS_NET) ? "is" : "are");
}
