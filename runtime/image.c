#include "image.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/file.h"
#include "image_internal.h"
#include "plan.h"
#include "probe.h"

int image_ids(struct arena *arena, struct image_ids *ret, struct err *err)
{
	cleanup_plan struct plan plan = { 0 };
	const struct config config = { .rootfs = "/" };
	struct facts facts = { 0 };
	int r;

	r = probe_ids(arena, &facts, err);
	if (r == 0)
		r = plan_ids(&plan, &config, &facts, err);
	if (r < 0)
		return r;
	*ret = (struct image_ids){
		.uid = plan.outer_uid,
		.gid = plan.outer_gid,
		.foreign = plan.become_root,
	};
	if (idmap_width(&plan.outer_uid) < IDMAP_FULL ||
	    idmap_width(&plan.outer_gid) < IDMAP_FULL)
		ret->lacking = plan.notes_n > 0
		                       ? arena_dup(arena, plan.notes[0])
		                       : "lend the user 65536 IDs in /etc/subuid and "
		                         "/etc/subgid";
	return 0;
}

gid_t image_owner(const struct image_ids *ids)
{
	return ids->foreign ? ids->gid.extent[0].outside : 0;
}

const char *image_stamp(const struct image_ref *ref, struct arena *arena)
{
	const char *path = ref->path;
	struct stat st;

	if (!path)
		return "";
	if (ref->transport == IMAGE_OCI)
		path = arena_printf(arena, "%s/index.json", path);
	if (stat(path, &st) < 0)
		return "gone";
	return arena_printf(arena, "%ju:%ju:%jd:%jd.%09ld", (uintmax_t)st.st_dev,
	                    (uintmax_t)st.st_ino, (intmax_t)st.st_size,
	                    (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

static int not_there(const struct image_wish *wish, const char *store, struct err *err)
{
	(void)err_set(err, ENOENT, "the image '%s' is not in the store '%s'",
	              wish->ref.text, store);
	(void)err_hint(err, "'berth image pull %.200s' brings it there", wish->ref.text);
	return err_step(err, "image");
}

int image_tree_read(struct image_store *store, const char *digest,
                    const struct image_ids *ids, struct arena *arena,
                    struct image_tree *ret, struct err *err)
{
	const char *tree = image_tree_path(digest, &ids->uid, &ids->gid, arena);
	cleanup_close int dir = image_store_dir(store, tree, err);
	struct image_tree found = { .digest = arena_dup(arena, digest) };
	const char *text;
	ssize_t n;
	int r;

	if (dir < 0)
		return dir;
	n = file_slurp(dir, "config.json", IMAGE_DOCUMENT_MAX, arena, &text, err);
	r = n < 0 ? (int)n
	          : image_config_read(text, (size_t)n, arena, &found.config, err);
	if (r < 0)
		return r;
	found.path = arena_printf(arena, "%s/%s/rootfs", store->path, tree);
	*ret = found;
	return 0;
}

int image_find_in(struct image_store *store, const struct image_wish *wish,
                  const char *digest, const struct image_ids *ids, struct arena *arena,
                  struct image_tree *ret, struct err *err)
{
	const struct image_entry *entry;
	struct image_list list;
	const char *stamp;
	int r = 0;

	if (!digest) {
		r = image_store_list(store, arena, &list, err);
		if (r < 0)
			return r;
		entry = image_list_find(&list, wish->ref.text);
		if (!entry)
			return not_there(wish, store->path, err);
		stamp = image_stamp(&wish->ref, arena);
		/* What is gone cannot have changed: the store's copy is what there is. */
		if (strcmp(stamp, entry->stamp) != 0 && strcmp(stamp, "gone") != 0)
			return err_set(err, ESTALE, "'%s' has changed since it was read",
			               wish->ref.text);
		digest = entry->digest;
	}
	r = image_tree_read(store, digest, ids, arena, ret, err);
	if (r != -ENOENT)
		return r;
	err_clear(err);
	return not_there(wish, store->path, err);
}

int image_find(const struct image_wish *wish, const char *digest,
               const struct image_ids *ids, struct arena *arena, struct image_tree *ret,
               struct err *err)
{
	cleanup_image_store struct image_store store = IMAGE_STORE_NONE;
	int r = image_store_open(wish->store, false, image_owner(ids), arena, &store,
	                         err);

	if (r == -ENOENT) {
		err_clear(err);
		return not_there(wish, wish->store, err);
	}
	return r < 0 ? r : image_find_in(&store, wish, digest, ids, arena, ret, err);
}
