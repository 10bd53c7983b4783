#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/file.h"
#include "base/number.h"
#include "base/syscall.h"
#include "image.h"
#include "image_use.h"
#include "kernel_files.h"
#include "mounts.h"
#include "scope.h"
#include "seal.h"

static int probe_mounts(struct arena *arena, struct facts *facts, struct err *err)
{
	const char *text;

	if (file_slurp(AT_FDCWD, "/proc/self/mountinfo", 64 << 20, arena, &text, err) < 0)
		return err_hint(err, "berth needs /proc: mount it");
	return mounts_parse(text, arena, &facts->mount, &facts->mount_n, err);
}

/* What lies below @above in @point: "/sys/x" for "/proc/sys/x" below "/proc", or NULL. */
static const char *below(const char *above, const char *point)
{
	size_t len = strlen(above);

	return !strncmp(point, above, len) && point[len] == '/' ? point + len : NULL;
}

/*
 * Whether a mount at @part of a proc or sysfs covers something in the eyes of
 * fs/namespace.c, mnt_already_visible(): directories that the kernel made to be
 * mounted on are "permanently empty" and do not count.
 */
static bool covers(const char *part)
{
	static const char *const harmless[] = {
		"/sys/fs/binfmt_misc",   "/fs/nfsd",         "/fs/cgroup",
		"/kernel/debug",         "/kernel/tracing",  "/kernel/config",
		"/kernel/security",      "/fs/bpf",          "/fs/pstore",
		"/fs/fuse/connections",  "/fs/selinux",      "/fs/smackfs",
		"/firmware/efi/efivars", "/hypervisor/s390",
	};

	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
		if (!strcmp(part, harmless[i]) || below(harmless[i], part))
			return false;
	return true;
}

/*
 * A new proc or sysfs may be mounted where one is in sight as a whole: at its usual
 * place, or out of the way, as berth leaves one for sandboxes in its workspaces.
 */
static const struct mount_fact *whole(const struct facts *facts, const char *fstype)
{
	const struct mount_fact *best = NULL;

	for (size_t i = 0; i < facts->mount_n; i++) {
		const struct mount_fact *m = &facts->mount[i];
		bool covered = strcmp(m->fstype, fstype) || strcmp(m->root, "/");

		for (size_t j = 0; j < facts->mount_n && !covered; j++) {
			const char *point = facts->mount[j].point;
			const char *part = below(m->point, point);

			covered = (part && covers(part)) ||
			          (j > i && !strcmp(point, m->point));
		}
		if (!covered && (!best || best->read_only))
			best = m;
	}
	return best;
}

/* Whether the mount that shows @path is read-only. */
static bool read_only_at(const struct facts *facts, const char *path)
{
	const struct mount_fact *m = mounts_at(facts->mount, facts->mount_n, path);

	return m && m->read_only;
}

static void judge_mounts(struct arena *arena, struct facts *facts)
{
	const struct mount_fact *proc = whole(facts, "proc");
	const struct mount_fact *sys = whole(facts, "sysfs");
	const struct mount_fact *cgroup = NULL;

	/* A new one that can be written wants one in sight that can. */
	facts->proc_masked = !proc || proc->read_only;
	facts->sys_masked = !sys;
	facts->sys_read_only = !sys || sys->read_only;
	facts->ucounts_read_only = read_only_at(facts, "/proc/sys/user");
	for (size_t i = 0; i < facts->mount_n; i++)
		if (!strcmp(facts->mount[i].fstype, "cgroup2"))
			cgroup = &facts->mount[i];
	cgroup_detect(cgroup ? cgroup->point : NULL, cgroup ? cgroup->root : "/",
	              cgroup && cgroup->read_only, scope_entered(), arena,
	              &facts->cgroup);
}

/* A program of ours: beside us, or where it is installed. */
static const char *find_program(struct arena *arena, const char *name)
{
	const char *installed = arena_printf(arena, PKGLIBEXECDIR "/%s", name), *beside;
	char exe[4096];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	exe[n > 0 ? n : 0] = '\0';
	if (strrchr(exe, '/')) {
		*strrchr(exe, '/') = '\0';
		beside = arena_printf(arena, "%s/%s", exe, name);
		if (access(beside, X_OK) == 0)
			return beside;
	}
	return access(installed, X_OK) == 0 ? installed : NULL;
}

void probe_cgroup1(struct arena *arena, struct facts *facts)
{
	struct cgroup1_fact *fact = NULL;
	size_t n = 0;

	for (size_t i = 0; i < facts->mount_n && n < CGROUP1_MAX; i++) {
		const struct mount_fact *m = &facts->mount[i];

		if (strcmp(m->fstype, "cgroup") != 0 || !m->options)
			continue;
		if (!fact)
			fact = arena_alloc(arena, CGROUP1_MAX * sizeof(*fact));
		if (fact &&
		    cgroup1_detect(m->point, m->root, m->options, arena, &fact[n]))
			n++;
	}
	facts->cgroup1 = fact;
	facts->cgroup1_n = n;
	if (n > 0)
		facts->cgroup1_writer = find_program(arena, "berth-cgroup1");
}

static uint64_t kernel_number(const char *path)
{
	struct err ignored = { 0 };
	uint64_t value = 0;
	char text[64];

	if (file_read(AT_FDCWD, path, text, sizeof(text), &ignored) < 0)
		return 0;
	text[strcspn(text, "\n")] = '\0';
	return number_parse(text, 0, UINT64_MAX, &value, &ignored) == 0 ? value : 0;
}

bool probe_wants_gateway(const struct config *config)
{
	return config->net == NET_RELAY || config->net == NET_PASTA ||
	       config->net == NET_AUTO;
}

static int probe_net(const struct config *config, struct arena *arena,
                     struct facts *facts, struct err *err)
{
	struct net_facts *net = arena_alloc(arena, sizeof(*net));
	int r;

	if (!net)
		return err_set(err, ENOMEM, "look at the network");
	r = net_survey(arena, net, err);
	if (r == 0 && config->rate_up)
		net->undiverted = probe_undiverted(facts->clone3);
	if (r == 0 && config->net != NET_RELAY)
		probe_pasta(config->net == NET_AUTO, config->foresees, facts->clone3,
		            arena, net);
	if (r == 0)
		facts->net = net;
	if (r == 0 || config->net != NET_AUTO)
		return r < 0 ? err_step(err, "net") : 0;
	err_clear(err);
	return 0;
}

/* What an earlier launch left in --state. */
static void probe_upper(const struct config *config, struct arena *arena,
                        struct facts *facts)
{
	const char *upper;

	if (!config->state)
		return;
	facts->state_found = storage_look(config->state, &facts->state);
	upper = arena_printf(arena, "%s/%s", config->state, config->name);
	facts->upper_used = access(arena_printf(arena, "%s/upper", upper), F_OK) == 0 ||
	                    access(arena_printf(arena, "%s/root", upper), F_OK) == 0;
	facts->upper_over = image_upper_digest(upper, arena);
}

/* The root that is used in place is one more that can be written. */
static int probe_in_place(const struct config *config, struct arena *arena,
                          struct facts *facts, struct err *err)
{
	char real[PATH_MAX];

	if (config->overlay || !strcmp(config->rootfs, "host"))
		return 0;
	if (!realpath(config->rootfs, real))
		return err_set(err, errno, "open the root file system '%s'",
		               config->rootfs);
	facts->root_real = arena_dup(arena, real);
	return 0;
}

static int probe_sources(const struct config *config, struct arena *arena,
                         struct facts *facts, struct err *err)
{
	struct source_fact *source =
		arena_alloc(arena, (config->volume_n + 1) * sizeof(*source));
	const char **reals = arena_alloc(arena, (config->volume_n + 1) * sizeof(*reals));

	if (!source || !reals)
		return err_set(err, ENOMEM, "look at volumes");
	for (size_t i = 0; i < config->volume_n; i++) {
		char real[PATH_MAX];
		struct stat st;

		if (!realpath(config->volume[i].source, real) || stat(real, &st) < 0) {
			(void)err_set(err, errno, "volume source '%s'",
			              config->volume[i].source);
			(void)err_hint(err,
			               "make it first: berth never makes directories "
			               "outside the workspace");
			return err_step(err, "volume");
		}
		source[i] = (struct source_fact){ .found = true,
			                          .directory = S_ISDIR(st.st_mode),
			                          .dev = st.st_dev,
			                          .ino = st.st_ino,
			                          .uid = st.st_uid,
			                          .gid = st.st_gid,
			                          .storage.fstype = "",
			                          .storage.bytes = UINT64_MAX,
			                          .storage.inodes = UINT64_MAX };
		reals[i] = arena_dup(arena, real);
		(void)storage_look(config->volume[i].source, &source[i].storage);
	}
	facts->source = source;
	facts->source_real = reals;
	return probe_in_place(config, arena, facts, err);
}

static int probe_nodes(const struct config *config, struct arena *arena,
                       struct facts *facts, struct err *err)
{
	struct node_fact *node =
		arena_alloc(arena, (config->device_n + 1) * sizeof(*node));

	if (!node)
		return err_set(err, ENOMEM, "look at devices");
	for (size_t i = 0; i < config->device_n; i++) {
		struct stat st;

		node[i].found = lstat(config->device[i].source, &st) == 0;
		node[i].character = node[i].found && S_ISCHR(st.st_mode);
	}
	facts->node = node;
	return 0;
}

static int probe_devices(const struct config *config, struct arena *arena,
                         struct facts *facts, struct err *err)
{
	struct device_fact *device =
		arena_alloc(arena, (config->limit_n + 1) * sizeof(*device));

	if (!device)
		return err_set(err, ENOMEM, "look at devices");
	for (size_t i = 0; i < config->limit_n; i++) {
		const char *path = config->limit[i].device;
		struct stat st;

		if (!path || path[0] != '/' || stat(path, &st) < 0 ||
		    !S_ISBLK(st.st_mode))
			continue;
		device[i] = (struct device_fact){ .found = true,
			                          .major = major(st.st_rdev),
			                          .minor = minor(st.st_rdev) };
	}
	facts->device = device;
	return 0;
}

static uint64_t hard_limit(int resource)
{
	struct rlimit limit;

	return getrlimit((__rlimit_resource_t)resource, &limit) == 0 &&
	                       limit.rlim_max != RLIM_INFINITY
	               ? limit.rlim_max
	               : UINT64_MAX;
}

static void probe_budgets(const struct config *config, struct arena *arena,
                          struct facts *facts)
{
	for (size_t i = 0; i < BUDGET_N; i++) {
		const struct budget_info *info = &budget_info[i];

		if (config->budget[i] == LIMIT_UNSET)
			continue;
		facts->node_budget[i] =
			info->file ? kernel_number(arena_printf(
					     arena, "/proc/sys/user/%s", info->file))
				   : hard_limit(info->rlimit);
	}
}

int probe(const struct config *config, const struct image_tree *image,
          struct arena *arena, struct facts *ret, struct err *err)
{
	struct stat st;
	int r;

	ret->image = image;
	r = probe_mounts(arena, ret, err);
	if (r == 0)
		r = probe_ids(arena, ret, err);
	if (r == 0)
		r = probe_root(config, arena, ret, err);
	if (r == 0)
		r = probe_sources(config, arena, ret, err);
	if (r == 0)
		r = probe_hidden(config, arena, ret, err);
	if (r == 0)
		r = probe_exposed(config, arena, ret, err);
	if (r == 0)
		r = probe_hooks(config, arena, ret, err);
	if (r == 0)
		r = probe_nodes(config, arena, ret, err);
	if (r == 0)
		r = probe_devices(config, arena, ret, err);
	if (r == 0 && probe_wants_gateway(config))
		r = probe_net(config, arena, ret, err);
	if (r < 0)
		return r;

	probe_upper(config, arena, ret);
	judge_mounts(arena, ret);
	if (config->limit_n > 0)
		probe_cgroup1(arena, ret);
	if (config->metrics_listen)
		ret->metrics_program = find_program(arena, "berth-metrics");
	ret->oom_score_adj = (int)kernel_number("/proc/self/oom_score_adj");
	if (!ret->cgroup.ours)
		ret->user_manager = scope_available();
	probe_budgets(config, arena, ret);
	for (enum ulimit_kind i = 0; i < ULIMIT_N; i++)
		if (config->ulimit[i].given)
			ret->ulimit_hard[i] = ulimit_own(i);
	ret->nproc_hard = hard_limit(RLIMIT_NPROC);
	/* faccessat2(2) makes credentials for each. */
	for (size_t i = 0; i < KERNEL_FILES_N; i++)
		if (lstat(kernel_files[i].path, &st) == 0)
			ret->kernel_files |= 1ULL << i;
	if (!strcmp(config->rootfs, "host")) {
		r = probe_tree(ret, arena, &ret->tree, err);
		if (r < 0)
			return err_step(err, "root");
	}
	if (arena->failed)
		return err_set(err, ENOMEM, "look at the pod");
	return 0;
}
