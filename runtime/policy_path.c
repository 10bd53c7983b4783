#include "policy_path.h"

#include <stdio.h>
#include <string.h>

#include "config_internal.h"
#include "kernel_files.h"

static bool is_in(const char *path, const char *top)
{
	const size_t len = strlen(top);

	return !strncmp(path, top, len) && (path[len] == '\0' || path[len] == '/');
}

/* The one of index @nth of a key. */
static const struct policy_setting *find_setting(const struct policy *policy,
                                                 const char *key, size_t nth)
{
	for (size_t i = 0; i < policy->n; i++)
		if (!strcmp(policy->setting[i].key->path, key) && nth-- == 0)
			return &policy->setting[i];
	return NULL;
}

/* " (FILE:LINE)", or nothing for what no setting says. */
static const char *origin(const struct policy_setting *setting, struct arena *arena)
{
	return setting ? arena_printf(arena, " (%s)", policy_origin(arena, setting)) : "";
}

static void tell_root(const struct policy *policy, const char *path, struct arena *arena)
{
	const struct policy_setting *image = find_setting(policy, "image", 0);
	const struct policy_setting *root = find_setting(policy, "rootfs", 0);

	if (image)
		root = image;
	if (!root)
		(void)printf("%s: of the root file system, which is not said\n", path);
	else
		(void)printf("%s: of the root file system, read-write: %s %s%s\n", path,
		             root->key->path, root->value, origin(root, arena));
}

static void tell_volume(const struct policy *policy, const struct config *config,
                        size_t at, const char *path, struct arena *arena)
{
	const struct volume *v = &config->volume[at];
	const struct policy_setting *from =
		find_setting(policy, v->gpu ? "gpus" : "volumes", v->gpu ? 0 : at);

	(void)printf("%s: of the pod's '%s' at %s, %s%s\n", path, v->source, v->target,
	             v->read_only ? "read-only" : "read-write", origin(from, arena));
}

static void tell_device(const struct policy *policy, const struct config *config,
                        size_t at, const char *path, struct arena *arena)
{
	const struct device *d = &config->device[at];
	const struct policy_setting *from =
		find_setting(policy, d->gpu ? "gpus" : "devices", d->gpu ? 0 : at);

	(void)printf("%s: the pod's device '%s'%s\n", path, d->source,
	             origin(from, arena));
}

/* Who takes the cover away: the item of that file, or the one of all. */
static const struct policy_setting *unmasking(const struct policy *policy,
                                              const char *path)
{
	const struct policy_setting *s;

	for (size_t i = 0; (s = find_setting(policy, "unmask", i)); i++)
		if (!strcmp(s->value, path) || !strcmp(s->value, "all"))
			return s;
	return NULL;
}

static void tell_kernel_file(const struct policy *policy, const struct config *config,
                             size_t at, const char *path, struct arena *arena)
{
	static const char *const how[] = {
		[COVER_FILE] = "covered by /dev/null",
		[COVER_DIRECTORY] = "covered by an empty directory, read-only",
		[COVER_READ_ONLY] = "read-only",
	};
	const struct kernel_file *f = &kernel_files[at];

	if (config->unmask & UINT64_C(1) << at)
		(void)printf("%s: not covered, as it would be against accidents: %s%s\n",
		             path, f->why, origin(unmasking(policy, f->path), arena));
	else
		(void)printf("%s: %s against accidents: %s\n", path, how[f->cover],
		             f->why);
}

/* What berth makes itself, of file systems of the kernel. */
static bool tell_own(const char *path)
{
	static const struct {
		const char *path, *what;
	} own[] = {
		{ "/proc", "the workspace's own processes, and the kernel's files" },
		{ "/sys",
		  "the kernel's view of the workspace's network, and of the node's "
		  "devices" },
		{ "/run",
		  "a tmpfs where the root's systemd is PID 1, else of the root file "
		  "system" },
		{ "/etc/hostname", "made by berth" },
		{ "/etc/hosts", "made by berth where the workspace has its own network" },
		{ "/etc/resolv.conf",
		  "made by berth where the workspace has its own network" },
		{ "/dev/shm", "a tmpfs of the workspace's own, which counts for "
		              "limits.memory" },
		{ "/dev/mqueue", "the workspace's own message queues" },
		{ "/dev",
		  "the workspace's own devices: null, zero, full, random, urandom, "
		  "tty and its terminals" },
	};

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (is_in(path, own[i].path)) {
			(void)printf("%s: %s; the policy attaches nothing there\n", path,
			             own[i].what);
			return true;
		}
	return false;
}

int policy_path_explain(const struct policy *policy, const struct config *config,
                        const char *path, struct arena *arena, struct err *err)
{
	enum { NOTHING, VOLUME, DEVICE, KERNEL_FILE } kind = NOTHING;
	size_t deepest = 0, at = 0;
	int r = config_check_path("path", path, err);

	if (r < 0)
		return r;
	path = config_absolute(arena, path);
	for (size_t i = 0; i < KERNEL_FILES_N; i++)
		if (is_in(path, kernel_files[i].path)) {
			kind = KERNEL_FILE;
			at = i;
			deepest = strlen(kernel_files[i].path);
		}
	for (size_t i = 0; i < config->volume_n; i++)
		if (is_in(path, config->volume[i].target) &&
		    strlen(config->volume[i].target) >= deepest) {
			kind = VOLUME;
			at = i;
			deepest = strlen(config->volume[i].target);
		}
	for (size_t i = 0; i < config->device_n; i++)
		if (is_in(path, config->device[i].target) &&
		    strlen(config->device[i].target) >= deepest) {
			kind = DEVICE;
			at = i;
			deepest = strlen(config->device[i].target);
		}
	if (kind == VOLUME)
		tell_volume(policy, config, at, path, arena);
	else if (kind == DEVICE)
		tell_device(policy, config, at, path, arena);
	else if (kind == KERNEL_FILE)
		tell_kernel_file(policy, config, at, path, arena);
	else if (!tell_own(path))
		tell_root(policy, path, arena);
	return 0;
}
