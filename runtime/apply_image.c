#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apply.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/tree.h"
#include "image_ref.h"
#include "image_store.h"
#include "image_use.h"

#define TRIES 1000

/* "ws~0123456789ab", "ws~0123456789ab~2": no name of a workspace has a "~". */
static int set_aside(int parent, const char *name, const char *over, const char *path,
                     struct err *err)
{
	const char *tag = image_digest_valid(over) ? over + 7 : "other";
	char to[256];

	for (unsigned int i = 1; i < TRIES; i++) {
		int n = snprintf(to, sizeof(to), "%s~%.12s", name, tag);

		if (i > 1)
			(void)snprintf(to + n, sizeof(to) - (size_t)n, "~%u", i);
		if (renameat2(parent, name, parent, to, RENAME_NOREPLACE) == 0) {
			log_warn("the upper layer '%s' lies over %s: set aside as '%s', "
			         "and a new one begun",
			         path, over, to);
			return 0;
		}
		if (errno != EEXIST)
			break;
	}
	return err_set(err, errno, "set '%s' aside as '%s'", path, to);
}

int apply_upper(struct launch *launch, const struct step *step, struct err *err)
{
	cleanup_close int parent = -EBADF, dir = -EBADF;
	const char *slash = strrchr(step->target, '/');
	char above[4096], text[128];
	int r = 0;

	(void)snprintf(above, sizeof(above), "%.*s/", (int)(slash - step->target),
	               step->target);
	parent = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0)
		return err_set(err, errno, "open '%s'", above);
	if (step->source)
		r = set_aside(parent, slash + 1, step->source, step->target, err);
	if (r < 0)
		return r;
	if (mkdirat(parent, slash + 1, 0700) < 0 && errno != EEXIST)
		return err_set(err, errno, "make '%s'", step->target);
	if (!step->value)
		return 0;
	dir = openat(parent, slash + 1, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return err_set(err, errno, "open '%s'", step->target);
	/* Known to the store before there is something to lose. */
	r = image_use_add(launch->config->store, step->target, step->value, err);
	if (r < 0 && r != -EROFS)
		return r;
	err_clear(err); /* nobody removes anything from a store that is read-only */
	(void)snprintf(text, sizeof(text), "%s\n", step->value);
	return image_file_put(dir, IMAGE_UPPER_FILE, text, strlen(text), err);
}

/*
 * Makes the directory of a volume, with what the image has there, whole or not at all: who
 * is killed meanwhile leaves only what the next one removes.
 */
static int seed(int above, const char *name, const struct launch *launch,
                const char *target, struct err *err)
{
	cleanup_close int from = -EBADF;
	const char *last;
	int r;

	from = target_parent(launch->root, target, &last, err);
	if (from < 0)
		return from;
	r = tree_remove(above, ".new", err);
	if (r < 0 && r != -ENOENT)
		return r;
	err_clear(err);
	r = copy_tree(from, last, above, ".new", NULL, err);
	if (r == 0 && mkdirat(above, ".new", 0755) < 0 && errno != EEXIST)
		r = err_set(err, errno, "make a volume");
	if (r == 0 && renameat(above, ".new", above, name) < 0)
		r = err_set(err, errno, "make a volume");
	if (r < 0) {
		struct err ignored = { 0 };

		(void)tree_remove(above, ".new", &ignored);
	}
	return r;
}

int apply_volume(struct launch *launch, const struct step *step, struct err *err)
{
	cleanup_close int above = -EBADF, dir = -EBADF, tree = -EBADF, target = -EBADF;
	struct mount_attr nodev = { .attr_set = MOUNT_ATTR_NODEV };
	char source[PATH_MAX];
	const char *name;
	struct stat st;
	int r = 0;

	(void)snprintf(source, sizeof(source), "/%s", step->source);
	target = target_open(launch->root, step->target, S_IFDIR, err);
	if (target < 0)
		return target;
	if (fstat(target, &st) < 0 || !S_ISDIR(st.st_mode))
		return err_set(err, ENOTDIR, "the volume '%s'", step->target);
	above = target_parent(launch->store, source, &name, err);
	if (above < 0)
		return above;
	if (faccessat(above, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		r = seed(above, name, launch, step->target, err);
	if (r < 0)
		return r;
	dir = openat(above, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return err_set(err, errno, "open the volume '%s'", step->target);
	tree = open_tree(dir, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH, &nodev, sizeof(nodev)) < 0)
		return err_set(err, errno, "bind the volume '%s'", step->target);
	return mount_attach(tree, target, step->target, err);
}
