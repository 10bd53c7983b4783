#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/syscall.h"
#include "exec.h"
#include "image.h"

/* What the root file system has. It is somebody else's: nothing in it leads out of it. */

#define HOSTS_MAX (256 << 10)

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

/* Whether that is a regular file. */
static bool in_image_file(int root, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	cleanup_close int fd = sys_openat2(root, path, &how);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
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

/* Of the pod whose network it is, where names are to be added to them. */
static void probe_hosts(const struct config *config, struct arena *arena,
                        struct facts *facts)
{
	struct err ignored = { 0 };

	if (config->net == NET_HOST && config->host_n > 0)
		(void)file_slurp(AT_FDCWD, "/etc/hosts", HOSTS_MAX, arena, &facts->hosts,
		                 &ignored);
}

/* The name of the pod's own: what its /etc/localtime leads to. */
static const char *local_zone(struct arena *arena)
{
	static const char zones[] = "/usr/share/zoneinfo/";
	char path[PATH_MAX];
	const char *at;

	if (!realpath("/etc/localtime", path))
		return NULL;
	at = strstr(path, zones);
	return at ? arena_dup(arena, at + strlen(zones)) : NULL;
}

static void probe_zone(const struct config *config, int root, struct arena *arena,
                       struct facts *facts)
{
	const char *path;
	struct stat st;

	if (!config->tz)
		return;
	facts->zone = strcmp(config->tz, "local") ? config->tz : local_zone(arena);
	if (!facts->zone)
		return;
	path = arena_printf(arena, "/usr/share/zoneinfo/%s", facts->zone);
	facts->root.has_zone = in_image_file(root, path);
	facts->root.has_timezone = is_file(root, "/etc/timezone");
	facts->zone_in_pod = stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* Whether the workspace will have @path: of the root, or of a volume. */
static bool will_have(const struct config *config, int root, const char *path)
{
	for (size_t i = 0; i < config->volume_n; i++) {
		const char *target = config->volume[i].target;
		const size_t len = strlen(target);

		if (!strncmp(path, target, len) && (path[len] == '/' || !path[len]))
			return true;
	}
	/* What may not be looked at may be there. */
	return in_image(root, path) || (errno != ENOENT && errno != ENOTDIR);
}

/* Whether one of @path's directories is there, "DIR:DIR...". */
static bool has_directory(const struct config *config, int root, const char *path)
{
	for (;; path++) {
		size_t n = strcspn(path, ":");
		char dir[PATH_MAX];

		(void)snprintf(dir, sizeof(dir), "%.*s", (int)n, path);
		if (n > 0 && will_have(config, root, dir))
			return true;
		path += n;
		if (*path == '\0')
			return false;
	}
}

/*
 * Whether there may be something to execute: an image that was made from scratch has its command
 * and no more, and a source tree or an empty directory has neither that nor a bin. Berth would
 * leave its mount points in it before it found out.
 */
static bool holds_commands(const struct config *config, int root, struct arena *arena)
{
	const char *command = config->command ? config->command[0] : NULL;
	const char *path = EXEC_PATH;

	for (size_t i = 0; i < config->env_n; i++)
		if (!strncmp(config->env[i], "PATH=", 5))
			path = config->env[i] + 5;
	if (has_directory(config, root, EXEC_PATH) || has_directory(config, root, path))
		return true;
	if (!command || !strchr(command, '/'))
		return false;
	if (*command != '/')
		command = arena_printf(arena, "%s/%s",
		                       config->workdir ? config->workdir : "", command);
	return command && will_have(config, root, command);
}

int probe_root(const struct config *config, struct arena *arena, struct facts *facts,
               struct err *err)
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
	if (!config->image && !holds_commands(config, root, arena)) {
		(void)err_set(err, ENOENT, "'%s' holds no root file system", path);
		(void)err_hint(err,
		               "it has no bin, usr/bin or the like%s: unpack one there, "
		               "with 'berth unshare -- tar -xf', or use --image",
		               config->command ? ", and not the command" : "");
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
	facts->root.has_hosts = is_file(root, "/etc/hosts");
	if (probe_wants_gateway(config)) {
		facts->root.resolv_conf_link = link_in_etc(root, "resolv.conf", arena);
	}
	probe_zone(config, root, arena, facts);
	probe_hosts(config, arena, facts);
	if (!config->command)
		probe_docker(root, &facts->root);
	if (facts->image) {
		const char *dir =
			config->workdir ? config->workdir : facts->image->config.workdir;

		facts->root.workdir_missing = dir && !in_image(root, dir);
	}
	return 0;
}
