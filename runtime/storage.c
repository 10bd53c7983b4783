#include "storage.h"

#include <errno.h>
#include <libgen.h>
#include <linux/magic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

/* Those that <linux/magic.h> may be too old for. */
#ifndef SMB2_SUPER_MAGIC
#define SMB2_SUPER_MAGIC 0xfe534d42
#endif
#ifndef CIFS_SUPER_MAGIC
#define CIFS_SUPER_MAGIC 0xff534d42
#endif

/* On which the kernel refuses upper layers (fs/overlayfs/super.c: no whiteouts, no names of
 * extended attributes, or another overlay). */
static const struct {
	unsigned long magic;
	const char *name;
} refusing[] = {
	{ OVERLAYFS_SUPER_MAGIC, "overlay" },
	{ NFS_SUPER_MAGIC, "nfs" },
	{ SMB2_SUPER_MAGIC, "smb" },
	{ CIFS_SUPER_MAGIC, "cifs" },
	{ V9FS_MAGIC, "9p" },
};

static const char *name_of(unsigned long magic)
{
	for (size_t i = 0; i < sizeof(refusing) / sizeof(refusing[0]); i++)
		if (refusing[i].magic == magic)
			return refusing[i].name;
	return "";
}

bool storage_look(const char *path, struct storage_fact *ret)
{
	char at[4096];
	struct statfs fs;
	int r;

	if (snprintf(at, sizeof(at), "%s", path) >= (int)sizeof(at))
		return false;
	while ((r = statfs(at, &fs)) < 0 && (errno == ENOENT || errno == ENOTDIR) &&
	       strcmp(at, "/") != 0 && strcmp(at, ".") != 0)
		(void)dirname(at);
	if (r < 0)
		return false;
	*ret = (struct storage_fact){
		.fstype = name_of((unsigned long)fs.f_type & 0xffffffffUL),
		.read_only = fs.f_flags & ST_RDONLY,
		.noexec = fs.f_flags & ST_NOEXEC,
		/* tmpfs without a size, btrfs: none are counted. */
		.bytes = fs.f_blocks ? (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize
		                     : UINT64_MAX,
		.inodes = fs.f_files ? (uint64_t)fs.f_ffree : UINT64_MAX,
	};
	return true;
}

bool storage_refuses_layers(const struct storage_fact *fact)
{
	return *fact->fstype != '\0';
}

static bool is_at_or_below(const char *path, const char *above)
{
	const size_t len = strlen(above);

	return !strncmp(path, above, len) && (path[len] == '/' || path[len] == '\0');
}

bool storage_has_layers(const char *target)
{
	static const char *const dirs[] = { "/var/lib/docker", "/var/lib/containerd",
		                            "/var/lib/containers" };

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if (is_at_or_below(target, dirs[i]) || is_at_or_below(dirs[i], target))
			return true;
	return false;
}
