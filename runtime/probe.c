#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/number.h"
#include "base/syscall.h"
#include "exec.h"
#include "kernel_files.h"
#include "scope.h"
#include "seal.h"

/* Undoes \040 and the like (proc(5), mountinfo), in place. */
static void unescape(char *text)
{
	char *out = text;

	for (char *in = text; *in; out++) {
		if (in[0] == '\\' && in[1] >= '0' && in[1] <= '3' && in[2] && in[3]) {
			*out = (char)((in[1] - '0') * 64 + (in[2] - '0') * 8 + in[3] -
			              '0');
			in += 4;
		} else {
			*out = *in++;
		}
	}
	*out = '\0';
}

/* One line: "36 35 98:0 /root /point rw,noatime master:1 - ext3 /dev/sda1 rw". */
static bool parse_mount(char *line, struct mount_fact *ret)
{
	char *field[6], *separator, *save = NULL;

	separator = strstr(line, " - ");
	if (!separator)
		return false;
	*separator = '\0';
	for (size_t i = 0; i < 6; i++) {
		field[i] = strtok_r(i == 0 ? line : NULL, " ", &save);
		if (!field[i])
			return false;
	}
	unescape(field[3]);
	unescape(field[4]);
	*ret = (struct mount_fact){
		.root = field[3],
		.point = field[4],
		.read_only = !strncmp(field[5], "ro", 2),
		.fstype = strtok_r(separator + 3, " ", &save),
	};
	(void)strtok_r(NULL, " ", &save); /* the device */
	ret->options = strtok_r(NULL, " ", &save);
	return ret->fstype != NULL;
}

static int probe_mounts(struct arena *arena, struct facts *facts, struct err *err)
{
	const char *slurped;
	struct mount_fact *mount;
	size_t lines = 0;
	char *text, *save = NULL;
	ssize_t n;

	n = file_slurp(AT_FDCWD, "/proc/self/mountinfo", 64 << 20, arena, &slurped, err);
	if (n < 0)
		return err_hint(err, "berth needs /proc: mount it");
	text = (char *)arena_dup(arena, slurped);
	for (const char *p = text; *p; p++)
		lines += *p == '\n';
	mount = arena_alloc(arena, (lines + 1) * sizeof(*mount));
	if (!mount || arena->failed)
		return err_set(err, ENOMEM, "read the mount table");

	for (char *line = strtok_r(text, "\n", &save); line && facts->mount_n < lines;
	     line = strtok_r(NULL, "\n", &save))
		if (parse_mount(line, &mount[facts->mount_n]))
			facts->mount_n++;
	facts->mount = mount;
	return 0;
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
	const struct mount_fact *deepest = NULL;

	for (size_t i = 0; i < facts->mount_n; i++) {
		const struct mount_fact *m = &facts->mount[i];

		if ((!strcmp(m->point, path) || below(m->point, path)) &&
		    (!deepest || strlen(m->point) >= strlen(deepest->point)))
			deepest = m;
	}
	return deepest && deepest->read_only;
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

/* berth-cgroup1: beside us, or where it is installed. */
static const char *find_cgroup1_writer(struct arena *arena)
{
	static const char installed[] = PKGLIBEXECDIR "/berth-cgroup1";
	char exe[4096];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	const char *beside;

	exe[n > 0 ? n : 0] = '\0';
	if (strrchr(exe, '/')) {
		*strrchr(exe, '/') = '\0';
		beside = arena_printf(arena, "%s/berth-cgroup1", exe);
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
		facts->cgroup1_writer = find_cgroup1_writer(arena);
}

static bool setuid_root(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_mode & S_ISUID && st.st_uid == 0;
}

static int probe_status(struct facts *facts, struct err *err)
{
	const uint64_t need =
		1ULL << CAP_SETUID | 1ULL << CAP_SETGID | 1ULL << CAP_SETFCAP;
	struct err ignored = { 0 };
	const char *caps, *bounding, *nnp;
	char text[8192];

	if (file_read(AT_FDCWD, "/proc/self/status", text, sizeof(text), err) < 0)
		return -err->code;
	caps = strstr(text, "\nCapEff:\t");
	bounding = strstr(text, "\nCapBnd:\t");
	nnp = strstr(text, "\nNoNewPrivs:\t");
	facts->can_map = caps && (strtoull(caps + 9, NULL, 16) & need) == need;
	facts->helper_weak = (setuid_root("/usr/bin/newuidmap") ||
	                      setuid_root("/usr/bin/newgidmap")) &&
	                     bounding &&
	                     !(strtoull(bounding + 9, NULL, 16) & 1ULL << CAP_SYS_ADMIN);
	facts->no_new_privs = nnp && nnp[13] == '1';
	facts->setgroups_denied = file_read(AT_FDCWD, "/proc/self/setgroups", text,
	                                    sizeof(text), &ignored) >= 0 &&
	                          !strncmp(text, "deny", 4);
	return 0;
}

static int probe_map(const char *path, struct idmap *ret, struct err *err)
{
	char text[4096];

	if (file_read(AT_FDCWD, path, text, sizeof(text), err) < 0)
		return -err->code;
	return idmap_parse(text, ret, err);
}

/*
 * Our login name: by /etc/passwd, without the C library, which would load modules of
 * other name services and, linked statically, may not. Those who are known there only
 * go by $USER: newuidmap asks properly, and refuses what is not lent to us.
 */
static const char *login(struct arena *arena, uid_t uid)
{
	struct err ignored = { 0 };
	const char *slurped;
	char *text, *save = NULL;

	if (file_slurp(AT_FDCWD, "/etc/passwd", 16 << 20, arena, &slurped, &ignored) < 0)
		return getenv("USER");
	text = (char *)arena_dup(arena, slurped);
	for (char *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *password = strchr(line, ':');
		char *number = password ? strchr(password + 1, ':') : NULL;
		char *end;

		if (!number || number[1] < '0' || number[1] > '9' ||
		    strtoul(number + 1, &end, 10) != uid || *end != ':')
			continue;
		*password = '\0';
		return line;
	}
	return getenv("USER");
}

static void probe_lent(struct arena *arena, struct facts *facts)
{
	const struct {
		const char *path;
		struct idmap *ret;
	} files[] = {
		{ "/etc/subuid", &facts->subuid },
		{ "/etc/subgid", &facts->subgid },
	};
	const char *name = login(arena, facts->uid);

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct err ignored = { 0 };
		const char *text;

		if (file_slurp(AT_FDCWD, files[i].path, 16 << 20, arena, &text,
		               &ignored) >= 0)
			idmap_subids(text, name, facts->uid, files[i].ret);
	}
	facts->newuidmap = access("/usr/bin/newuidmap", X_OK) == 0 &&
	                   access("/usr/bin/newgidmap", X_OK) == 0;
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

/* Whether @path exists below @root, links of the image resolved within it. */
static bool in_image(int root, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	cleanup_close int fd = sys_openat2(root, path, &how);

	return fd >= 0;
}

/* A regular file that no symbolic link leads to: something can be mounted on it. */
static bool is_file(int root, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS,
	};
	cleanup_close int fd = sys_openat2(root, path, &how);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* Whether the image has @name where commands are looked up. */
static bool has_program(int root, const char *name)
{
	const char *path = EXEC_PATH;

	for (;; path++) {
		size_t n = strcspn(path, ":");
		char file[128];

		(void)snprintf(file, sizeof(file), "%.*s/%s", (int)n, path, name);
		if (in_image(root, file))
			return true;
		path += n;
		if (*path == '\0')
			return false;
	}
}

static void probe_docker(int root, struct root_fact *ret)
{
	ret->has_dockerd = has_program(root, "dockerd");
	if (!ret->has_dockerd)
		return;
	ret->has_containerd = has_program(root, "containerd");
	ret->has_crun = has_program(root, "crun");
	ret->has_daemon_json = in_image(root, "/etc/docker/daemon.json");
}

/* Where a link in /etc leads, without a look at what is there: NULL where it is none. */
static const char *link_in_etc(int root, const char *name, struct arena *arena)
{
	char path[64], target[256];
	const char *to = target;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "etc/%s", name);
	n = readlinkat(root, path, target, sizeof(target) - 1);
	if (n <= 0)
		return NULL;
	target[n] = '\0';
	if (!strncmp(to, "../", 3))
		to += 2;
	if (strstr(to, ".."))
		return NULL;
	return to[0] == '/' ? arena_dup(arena, to) : arena_printf(arena, "/etc/%s", to);
}

static bool wants_relay(const struct config *config)
{
	return config->net == NET_RELAY || config->net == NET_AUTO;
}

static int probe_net(const struct config *config, struct arena *arena,
                     struct facts *facts, struct err *err)
{
	struct net_facts *net = arena_alloc(arena, sizeof(*net));
	int r;

	if (!net)
		return err_set(err, ENOMEM, "look at the network");
	r = net_survey(arena, net, err);
	if (r == 0)
		facts->net = net;
	if (r == 0 || config->net != NET_AUTO)
		return r < 0 ? err_step(err, "net") : 0;
	err_clear(err);
	return 0;
}

static int probe_root(const struct config *config, struct arena *arena,
                      struct facts *facts, struct err *err)
{
	const char *path = strcmp(config->rootfs, "host") ? config->rootfs : "/";
	cleanup_close int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (root < 0 || fstat(root, &st) < 0) {
		(void)err_set(err, errno, "open the root file system '%s'", path);
		(void)err_hint(err,
		               "--rootfs takes a directory with a root file system, or "
		               "'host'");
		return err_step(err, "root");
	}
	facts->root.dev = st.st_dev;
	facts->root.ino = st.st_ino;
	facts->root.owner = st.st_uid;
	/* usrmerge moved the program, not the name that everybody executes. */
	if (in_image(root, "/usr/lib/systemd/systemd") ||
	    in_image(root, "/lib/systemd/systemd"))
		facts->root.init = in_image(root, "/sbin/init")
		                           ? "/sbin/init"
		                           : "/usr/lib/systemd/systemd";
	facts->root.has_resolv_conf = is_file(root, "/etc/resolv.conf");
	facts->root.has_hostname = is_file(root, "/etc/hostname");
	if (wants_relay(config)) {
		facts->root.has_hosts = is_file(root, "/etc/hosts");
		facts->root.resolv_conf_link = link_in_etc(root, "resolv.conf", arena);
	}
	if (!config->command)
		probe_docker(root, &facts->root);
	return 0;
}

static int probe_sources(const struct config *config, struct arena *arena,
                         struct facts *facts, struct err *err)
{
	struct source_fact *source =
		arena_alloc(arena, (config->volume_n + 1) * sizeof(*source));

	if (!source)
		return err_set(err, ENOMEM, "look at volumes");
	for (size_t i = 0; i < config->volume_n; i++) {
		struct stat st;

		if (stat(config->volume[i].source, &st) < 0) {
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
			                          .ino = st.st_ino };
	}
	facts->source = source;
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

int probe_ids(struct arena *arena, struct facts *ret, struct err *err)
{
	struct facts facts = *ret;
	struct stat st;
	int r;

	facts.uid = geteuid();
	facts.gid = getegid();
	r = probe_status(&facts, err);
	if (r == 0)
		r = probe_map("/proc/self/uid_map", &facts.own_uid, err);
	if (r == 0)
		r = probe_map("/proc/self/gid_map", &facts.own_gid, err);
	if (r < 0)
		return err_hint(err, "berth needs /proc: mount it");
	/* /proc/sys belongs to the node's root, whoever looks: mapped to us or not. */
	facts.node_root = facts.uid == 0 && stat("/proc/sys/kernel/ostype", &st) == 0 &&
	                  st.st_uid == 0;
	if (facts.uid != 0 || facts.node_root)
		probe_lent(arena, &facts);
	facts.self_writable = seal_needed();
	facts.clone3 = sys_has_clone3();
	*ret = facts;
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

int probe(const struct config *config, struct arena *arena, struct facts *ret,
          struct err *err)
{
	struct facts facts = { 0 };
	int r;

	r = probe_mounts(arena, &facts, err);
	if (r == 0)
		r = probe_ids(arena, &facts, err);
	if (r == 0)
		r = probe_root(config, arena, &facts, err);
	if (r == 0)
		r = probe_sources(config, arena, &facts, err);
	if (r == 0)
		r = probe_devices(config, arena, &facts, err);
	if (r == 0 && wants_relay(config))
		r = probe_net(config, arena, &facts, err);
	if (r < 0)
		return r;

	judge_mounts(arena, &facts);
	if (config->limit_n > 0)
		probe_cgroup1(arena, &facts);
	facts.oom_score_adj = (int)kernel_number("/proc/self/oom_score_adj");
	if (!facts.cgroup.ours)
		facts.user_manager = scope_available();
	probe_budgets(config, arena, &facts);
	facts.nproc_hard = hard_limit(RLIMIT_NPROC);
	for (size_t i = 0; i < KERNEL_FILES_N; i++)
		if (faccessat(AT_FDCWD, kernel_files[i].path, F_OK,
		              AT_SYMLINK_NOFOLLOW) == 0)
			facts.kernel_files |= 1ULL << i;
	if (!strcmp(config->rootfs, "host")) {
		r = probe_tree(&facts, arena, &facts.tree, err);
		if (r < 0)
			return err_step(err, "root");
	}
	if (arena->failed)
		return err_set(err, ENOMEM, "look at the pod");
	*ret = facts;
	return 0;
}
