#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/tree.h"
#include "image_internal.h"
#include "unshare.h"

struct removal {
	int dir;
	const char *name;
};

static int remove_one(void *arg, struct err *err)
{
	const struct removal *removal = arg;
	int r = tree_remove(removal->dir, removal->name, err);

	if (r != -ENOENT)
		return r;
	err_clear(err);
	return 0;
}

int image_stage_remove(struct image_store *store, const char *name, struct err *err)
{
	cleanup_close int tmp = image_store_dir(store, "tmp", err);
	struct removal removal = { .dir = tmp, .name = name };

	return tmp < 0 ? tmp : unshare_retry(remove_one, &removal, err);
}

int image_stage(struct image_store *store, const struct image_ids *ids,
                struct arena *arena, const char **ret_name, struct err *err)
{
	cleanup_close int tmp = image_store_dir(store, "tmp", err), fd = -EBADF;
	uint64_t number = 0;
	const char *name;

	if (tmp < 0)
		return tmp;
	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return err_set(err, errno, "choose a name");
	name = arena_printf(arena, "%016" PRIx64, number);
	if (mkdirat(tmp, name, 0700) < 0)
		return err_set(err, errno, "make '%s/tmp/%s'", store->path, name);
	fd = openat(tmp, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, errno, "open '%s/tmp/%s'", store->path, name);
	/* Root of the ID map passes it where that is not we. */
	if (ids->foreign &&
	    (fchown(fd, (uid_t)-1, image_owner(ids)) < 0 || fchmod(fd, 0710) < 0))
		return err_set(err, errno, "hand over '%s/tmp/%s'", store->path, name);
	*ret_name = name;
	return take_fd(&fd);
}

int image_sweep(struct image_store *store, struct err *err)
{
	int r = image_store_lock(store, IMAGE_ALONE, false, err);
	cleanup_close int tmp = -EBADF;
	struct err ignored = { 0 };
	struct dirent *d;
	DIR *dir;

	if (r == -EAGAIN)
		return image_store_lock(store, IMAGE_SHARED, true, err);
	if (r < 0)
		return r;
	tmp = image_store_dir(store, "tmp", err);
	dir = tmp < 0 ? NULL : fdopendir(tmp);
	if (!dir)
		return tmp < 0 ? tmp : err_set(err, errno, "list '%s/tmp'", store->path);
	(void)take_fd(&tmp);
	while ((d = readdir(dir)))
		if (d->d_name[0] != '.') {
			(void)image_stage_remove(store, d->d_name, &ignored);
			err_clear(&ignored);
		}
	(void)closedir(dir);
	return image_store_lock(store, IMAGE_SHARED, true, err);
}
