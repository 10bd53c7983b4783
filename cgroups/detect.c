#include "cgroups/detect.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/file.h"

/* The path behind "0::" in /proc/self/cgroup, or NULL. */
static const char *own_path(struct arena *arena)
{
	struct err err = { 0 };
	char text[8192];
	char *line, *end;

	if (file_read(AT_FDCWD, "/proc/self/cgroup", text, sizeof(text), &err) < 0)
		return NULL;
	line = !strncmp(text, "0::", 3) ? text : strstr(text, "\n0::");
	if (!line)
		return NULL;
	line += *line == '\n' ? 4 : 3;
	end = strchr(line, '\n');
	if (end)
		*end = '\0';
	return arena_dup(arena, line);
}

/* Takes "/CGROUP_LEAF" off the end of @own. */
static const char *without_leaf(struct arena *arena, const char *own, bool *in_leaf)
{
	const char *slash = strrchr(own, '/');

	*in_leaf = slash && !strcmp(slash + 1, CGROUP_LEAF);
	if (!*in_leaf)
		return own;
	return slash == own ? "/" : arena_printf(arena, "%.*s", (int)(slash - own), own);
}

/* Whether systemd gave the group away; true where no systemd runs the machine. */
static bool delegated(const char *dir)
{
	char value[8];

	if (access("/run/systemd/system", F_OK) < 0)
		return true;
	return getxattr(dir, "user.delegate", value, sizeof(value)) == 1 &&
	       value[0] == '1';
}

void cgroup_detect(const char *mount, const char *root, bool read_only, const char *scope,
                   struct arena *arena, struct cgroup_facts *ret)
{
	struct err err = { 0 };
	const char *own = own_path(arena);
	const char *dir, *procs, *control;
	char controllers[512];
	struct stat st;
	size_t len;

	*ret = (struct cgroup_facts){ .mount = mount, .controllers = "" };
	if (!mount || !own || !strncmp(own, "/..", 3))
		return;
	/* A bind of a part of the hierarchy shows only what lies below that part. */
	len = strcmp(root, "/") ? strlen(root) : 0;
	if (strncmp(own, root, len) || (own[len] != '/' && own[len] != '\0'))
		return;
	own = own[len] ? own + len : "/";

	ret->own = without_leaf(arena, own, &ret->in_leaf);
	dir = arena_printf(arena, "%s%s", mount, ret->own);
	if (stat(dir, &st) < 0)
		return;
	if (file_read(AT_FDCWD, arena_printf(arena, "%s/cgroup.controllers", dir),
	              controllers, sizeof(controllers), &err) > 0) {
		controllers[strcspn(controllers, "\n")] = '\0';
		ret->controllers = arena_dup(arena, controllers);
	}

	ret->managed =
		!delegated(dir) && !(scope && !strcmp(strrchr(ret->own, '/') + 1, scope));
	if (read_only) {
		/* Whether a mount of our own would be writable is the owner's
		 * question then: access(2) only says EROFS. It will begin where
		 * we sit, so a leaf of an earlier start is the group to build in. */
		ret->own = own;
		ret->in_leaf = false;
		ret->fresh = st.st_uid == geteuid();
		ret->ours = ret->fresh && !ret->managed;
		return;
	}
	procs = arena_printf(arena, "%s/cgroup.procs", dir);
	control = arena_printf(arena, "%s/cgroup.subtree_control", dir);
	/* The root of the whole hierarchy has no cgroup.type: it belongs to the node. */
	ret->ours = !ret->managed && faccessat(AT_FDCWD, dir, W_OK, AT_EACCESS) == 0 &&
	            faccessat(AT_FDCWD, procs, W_OK, AT_EACCESS) == 0 &&
	            faccessat(AT_FDCWD, control, W_OK, AT_EACCESS) == 0 &&
	            access(arena_printf(arena, "%s/cgroup.type", dir), F_OK) == 0;
}
