#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "probe.h"

/* A directory that holds mounts is copied up to this size, and rebuilt beyond. */
#define COPY_BYTES_MAX (8 << 20)
#define COPY_ENTRIES_MAX 4096

static bool lies_below(const char *point, const char *path)
{
	size_t len = strlen(path);

	if (!strcmp(path, "/"))
		return point[1] != '\0';
	return !strncmp(point, path, len) && point[len] == '/';
}

static void mark_mounts(const struct facts *facts, struct tree_fact *entry)
{
	for (size_t i = 0; i < facts->mount_n; i++) {
		if (!strcmp(facts->mount[i].point, entry->path))
			entry->mounted = true;
		else if (lies_below(facts->mount[i].point, entry->path))
			entry->mounts_below = true;
	}
}

/* Whether the tree at @dir, on its own file system, is small; counts down. */
static bool small(int parent, const char *name, dev_t dev, long *bytes, long *entries)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *d;

	if (!dir)
		return fd < 0; /* what we cannot read is not copied either */
	while (*bytes >= 0 && *entries >= 0 && (d = readdir(dir))) {
		struct stat st;

		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
			continue;
		if (fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    st.st_dev != dev)
			continue;
		--*entries;
		if (S_ISREG(st.st_mode))
			*bytes -= st.st_size;
		if (S_ISDIR(st.st_mode))
			(void)small(dirfd(dir), d->d_name, dev, bytes, entries);
	}
	(void)closedir(dir);
	return *bytes >= 0 && *entries >= 0;
}

static bool is_empty(const char *path)
{
	DIR *dir = opendir(path);
	bool empty = true;
	struct dirent *d;

	if (!dir)
		return false;
	while (empty && (d = readdir(dir)))
		empty = !strcmp(d->d_name, ".") || !strcmp(d->d_name, "..");
	(void)closedir(dir);
	return empty;
}

static int by_path(const void *a, const void *b)
{
	const struct tree_fact *x = a, *y = b;

	return strcmp(x->path, y->path);
}

static int list(const struct facts *facts, struct arena *arena, struct tree_fact *parent,
                unsigned int depth, struct err *err);

static int look(const struct facts *facts, struct arena *arena, int dir, const char *name,
                unsigned int depth, struct tree_fact *ret, struct err *err)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0; /* gone meanwhile: mode 0 says so */
	ret->mode = st.st_mode;
	mark_mounts(facts, ret);
	if (S_ISLNK(st.st_mode)) {
		char target[4096];
		ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);

		if (n < 0)
			return err_set(err, errno, "read the link '%s'", ret->path);
		target[n] = '\0';
		ret->link = arena_dup(arena, target);
	} else if (S_ISDIR(st.st_mode) && ret->mounts_below && !ret->mounted) {
		long bytes = COPY_BYTES_MAX, entries = COPY_ENTRIES_MAX;

		ret->small = small(dir, name, st.st_dev, &bytes, &entries);
		if (!ret->small)
			return list(facts, arena, ret, depth + 1, err);
	} else if (S_ISDIR(st.st_mode) && !ret->mounted) {
		ret->empty = is_empty(ret->path);
	}
	return 0;
}

/* What the workspace gets fresh, whatever the host has there. */
static bool made_anew(const char *path)
{
	static const char *const names[] = { "/dev", "/proc", "/sys", "/run", "/tmp" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(path, names[i]))
			return true;
	return false;
}

static int list(const struct facts *facts, struct arena *arena, struct tree_fact *parent,
                unsigned int depth, struct err *err)
{
	int fd = open(parent->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	size_t room = 64, n = 0;
	struct tree_fact *child = arena_alloc(arena, room * sizeof(*child));
	struct dirent *d;
	int r = 0;

	if (!dir) {
		close_fdp(&fd);
		return err_set(err, errno, "list '%s'", parent->path);
	}
	if (depth > 32)
		r = err_set(err, ELOOP, "mounts too deep below '%s'", parent->path);
	while (r == 0 && child && (d = readdir(dir))) {
		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
			continue;
		if (n == room) {
			struct tree_fact *bigger =
				arena_alloc(arena, 2 * room * sizeof(*child));

			if (!bigger)
				break;
			memcpy(bigger, child, room * sizeof(*child));
			child = bigger;
			room *= 2;
		}
		child[n] = (struct tree_fact){
			.path = arena_printf(arena, "%s/%s",
			                     parent->path[1] ? parent->path : "",
			                     d->d_name),
		};
		if (made_anew(child[n].path))
			continue;
		r = look(facts, arena, dirfd(dir), d->d_name, depth, &child[n], err);
		if (child[n].mode)
			n++;
	}
	(void)closedir(dir);
	if (arena->failed && r == 0)
		r = err_set(err, ENOMEM, "list '%s'", parent->path);
	if (r < 0)
		return r;
	qsort(child, n, sizeof(*child), by_path);
	parent->child = child;
	parent->child_n = n;
	return 0;
}

int probe_tree(const struct facts *facts, struct arena *arena,
               const struct tree_fact **ret, struct err *err)
{
	struct tree_fact *root = arena_alloc(arena, sizeof(*root));
	int r;

	if (!root)
		return err_set(err, ENOMEM, "list '/'");
	root->path = "/";
	root->mode = S_IFDIR | 0755;
	r = list(facts, arena, root, 0, err);
	if (r < 0)
		return r;
	*ret = root;
	return 0;
}
