#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "image.h"
#include "run.h"

static int find_or_pull(const struct config *config, bool fetch, struct arena *arena,
                        struct image_tree *ret, struct err *err)
{
	struct image_wish wish = { .store = config->store,
		                   .when = config->pull,
		                   .progress = config->progress,
		                   .keep = config->store_size,
		                   .patience_s = config->pull_patience_s == LIMIT_UNSET
		                                         ? IMAGE_PATIENCE_S
		                                         : config->pull_patience_s };
	struct image_ids ids;
	int r;

	r = image_ref_parse(config->image, arena, &wish.ref, err);
	if (r == 0)
		r = image_ids(arena, &ids, err);
	if (r < 0)
		return r;
	if (!fetch || config->image_digest || config->pull == IMAGE_NEVER)
		return image_find(&wish, config->image_digest, &ids, arena, ret, err);
	if (config->pull == IMAGE_MISSING) {
		r = image_find(&wish, NULL, &ids, arena, ret, err);
		if (r != -ENOENT && r != -ESTALE)
			return r;
		err_clear(err);
	}
	return image_pull(&wish, &ids, arena, ret, err);
}

int image_prepare(struct config *config, bool fetch, struct arena *arena,
                  const struct image_tree **ret, struct err *err)
{
	struct image_tree *tree;
	int r;

	*ret = NULL;
	if (!config->image)
		return 0;
	tree = arena_alloc(arena, sizeof(*tree));
	if (!tree)
		return err_set(err, ENOMEM, "find the image");
	r = find_or_pull(config, fetch, arena, tree, err);
	if (r == -ESTALE)
		(void)err_hint(err, "'berth image pull %.200s' reads it again",
		               config->image);
	if (r < 0)
		return err_step(err, "image");
	config->rootfs = tree->path;
	config->overlay = true;
	config->image_digest = tree->digest;
	*ret = tree;
	return 0;
}

/* Held for the workspace's life: who removes images takes the lock alone. */
int image_hold(const struct config *config, struct err *err)
{
	const char *slash = strrchr(config->rootfs, '/');
	cleanup_close int dir = -EBADF;
	struct stat st, again;
	char path[4096];

	(void)snprintf(path, sizeof(path), "%.*s", (int)(slash - config->rootfs),
	               config->rootfs);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 || fstat(dir, &st) < 0)
		return err_set(err, errno, "open '%s'", path);
	/* Waits for a look, or for the end of a removal, no longer. */
	while (flock(dir, LOCK_SH) < 0)
		if (errno != EINTR)
			return err_set(err, errno, "lock '%s'", path);
	if (stat(path, &again) < 0 || again.st_ino != st.st_ino ||
	    again.st_dev != st.st_dev) {
		(void)err_set(err, EBUSY, "the image '%s' is being removed",
		              config->image);
		return err_step(err, "image");
	}
	/* When it was used last: prune goes by that. */
	(void)futimens(dir, NULL);
	return take_fd(&dir);
}
