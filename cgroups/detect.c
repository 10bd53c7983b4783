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

/* Whether a group is named as those are that systemd makes (systemd.unit(5)). */
static bool is_unit(const char *name, size_t len)
{
	static const char *const suffix[] = { ".service", ".scope", ".slice" };

	for (size_t i = 0; i < sizeof(suffix) / sizeof(suffix[0]); i++) {
		size_t n = strlen(suffix[i]);

		if (len > n && !strncmp(name + len - n, suffix[i], n))
			return true;
	}
	return false;
}

/*
 * Whether systemd gave the group away; true where no systemd runs the machine. What is
 * given away is a unit's group with all that is made below it.
 */
static bool delegated(struct arena *arena, const char *dir)
{
	size_t len = strlen(dir);
	char value[8];

	if (access("/run/systemd/system", F_OK) < 0)
		return true;
	while (len > 0) {
		size_t end = len;

		while (len > 0 && dir[len - 1] != '/')
			len--;
		if (is_unit(dir + len, end - len))
			return getxattr(arena_printf(arena, "%.*s", (int)end, dir),
			                "user.delegate", value, sizeof(value)) == 1 &&
			       value[0] == '1';
		len -= len > 0;
	}
	return false;
}

void cgroup_detect(const char *mount, const char *root, bool read_only, const char *scope,
                   struct arena *arena, struct cgroup_facts *ret)
{
	struct err err = { 0 };
	const char *own = own_path(arena);
	const char *dir, *procs, *control;
	char controllers[512], type[32];
	bool typed;
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

	/* The root of the whole hierarchy has no type: it belongs to the node. */
	typed = file_read(AT_FDCWD, arena_printf(arena, "%s/cgroup.type", dir), type,
	                  sizeof(type), &err) > 0;
	ret->threaded = typed && strcmp(type, "domain\n") != 0;
	ret->managed = !delegated(arena, dir) &&
	               !(scope && !strcmp(strrchr(ret->own, '/') + 1, scope));
	if (read_only) {
		/* Whether a mount of our own would be writable is the owner's
		 * question then: access(2) only says EROFS. It will begin where
		 * we sit, so a leaf of an earlier start is the group to build in. */
		ret->own = own;
		ret->in_leaf = false;
		ret->fresh = st.st_uid == geteuid();
		ret->ours = ret->fresh && !ret->managed && !ret->threaded;
		return;
	}
	procs = arena_printf(arena, "%s/cgroup.procs", dir);
	control = arena_printf(arena, "%s/cgroup.subtree_control", dir);
	ret->ours = !ret->managed && typed && !ret->threaded &&
	            faccessat(AT_FDCWD, dir, W_OK, AT_EACCESS) == 0 &&
	            faccessat(AT_FDCWD, procs, W_OK, AT_EACCESS) == 0 &&
	            faccessat(AT_FDCWD, control, W_OK, AT_EACCESS) == 0;
}
