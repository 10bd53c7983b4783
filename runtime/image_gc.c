#include "image_gc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "hold.h"
#include "image_internal.h"
#include "image_use.h"

/**
 * struct content - What a store holds at the moment
 * @store:	locked alone
 * @forget:	see image_look()
 * @list:	its names
 * @found:	what is unpacked
 */
struct content {
	struct image_store *store;
	bool forget;
	struct image_list list;
	struct image_found *found;
	size_t found_n;
	struct arena *arena;
};

static int read_content(struct content *content, struct err *err)
{
	int r = image_store_list(content->store, content->arena, &content->list, err);

	return r < 0 ? r
	             : image_look(content->store, content->forget, content->arena,
	                          &content->found, &content->found_n, err);
}

static bool named(const struct content *content, const char *digest)
{
	for (size_t i = 0; i < content->list.n; i++)
		if (!strcmp(content->list.entry[i].digest, digest))
			return true;
	return false;
}

static const struct image_found *found_of(const struct content *content,
                                          const char *digest)
{
	for (size_t i = 0; i < content->found_n; i++)
		if (!strcmp(content->found[i].digest, digest))
			return &content->found[i];
	return NULL;
}

/* Out of sight by one rename(2), so that it is there as a whole or not at all. */
static int remove_tree(struct content *content, const char *path, struct err *err)
{
	struct image_store *store = content->store;
	const char *slash = strrchr(path, '/');
	char gone[80], to[96];
	cleanup_close int dir = image_store_dir(store, path, err);

	if (dir < 0)
		return dir;
	/* A workspace may have been started since we looked. */
	if (flock(dir, LOCK_EX | LOCK_NB) < 0)
		return err_set(err, EBUSY, "the image '%s' is used by a workspace",
		               slash + 1);
	(void)snprintf(gone, sizeof(gone), "gone-%.64s", slash + 1);
	(void)snprintf(to, sizeof(to), "tmp/%s", gone);
	if (renameat(store->dir, path, store->dir, to) < 0)
		return err_set(err, errno, "remove '%s/%s'", store->path, path);
	drop_fd(&dir);
	return image_stage_remove(store, gone, err);
}

static int remove_trees(struct content *content, const struct image_found *found,
                        struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < found->tree_n && r == 0; i++)
		r = remove_tree(content, found->tree[i], err);
	return r;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The digests that the images with a name consist of, sorted. */
static size_t wanted_blobs(struct content *content, const char ***ret)
{
	const size_t max = content->list.n * (IMAGE_LAYERS_MAX + 2);
	const char **wanted = arena_alloc(content->arena, (max + 1) * sizeof(*wanted));
	size_t n = 0;

	for (size_t i = 0; wanted && i < content->list.n; i++) {
		const char *digest = content->list.entry[i].digest, *text;
		struct image_manifest manifest;
		struct err ignored = { 0 };
		ssize_t size = image_blob_read(content->store, digest, content->arena,
		                               &text, &ignored);

		wanted[n++] = digest;
		if (size < 0 || image_manifest_read(text, (size_t)size, content->arena,
		                                    &manifest, &ignored) < 0)
			continue; /* what it was made of is fetched again */
		wanted[n++] = manifest.config.digest;
		for (size_t j = 0; j < manifest.layer_n; j++)
			wanted[n++] = manifest.layer[j].digest;
	}
	if (wanted)
		qsort(wanted, n, sizeof(*wanted), by_text);
	*ret = wanted;
	return n;
}

/* Blobs that no name needs go with @remove. Return: bytes of all that stay; -errno. */
static int64_t walk_blobs(struct content *content, bool remove, struct err *err)
{
	cleanup_close int fd = image_store_dir(content->store, "blobs/sha256", err);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const char **wanted;
	size_t n = wanted_blobs(content, &wanted);
	const struct dirent *at;
	int64_t sum = 0;

	if (!dir || !wanted) {
		if (dir)
			(void)closedir(dir);
		return err->code ? -err->code : err_set(err, ENOMEM, "look at the blobs");
	}
	(void)take_fd(&fd);
	while ((at = readdir(dir))) {
		const char *digest =
			arena_printf(content->arena, "sha256:%s", at->d_name);
		struct stat st;

		if (fstatat(dirfd(dir), at->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		if (remove && !bsearch(&digest, wanted, n, sizeof(*wanted), by_text))
			(void)unlinkat(dirfd(dir), at->d_name, 0);
		else
			sum += st.st_size;
	}
	(void)closedir(dir);
	return sum;
}

/* Everything that has neither a name nor a user. Return: bytes that stay; -errno. */
static int64_t collect(struct content *content, struct err *err)
{
	int64_t sum = 0, blobs;
	int r = read_content(content, err);

	for (size_t i = 0; i < content->found_n && r == 0; i++) {
		const struct image_found *found = &content->found[i];

		if (found->in_use || named(content, found->digest))
			sum += found->tree_size;
		else
			r = remove_trees(content, found, err);
	}
	if (r < 0)
		return r;
	blobs = walk_blobs(content, true, err);
	return blobs < 0 ? blobs : sum + blobs;
}

/* Pulls come to an end, but some take their time: who waits for one is told. */
static int lock_alone(struct image_store *store, struct arena *arena, struct err *err)
{
	int r = image_store_lock(store, IMAGE_ALONE, false, err);
	int64_t pid;

	if (r != -EAGAIN)
		return r;
	pid = hold_holder(store->lock, arena);
	if (pid > 0)
		log_info("waiting for process %" PRId64 ", which works in the store '%s'",
		         pid, store->path);
	else
		log_info("waiting for a process elsewhere, which works in the store '%s'",
		         store->path);
	return image_store_lock(store, IMAGE_ALONE, true, err);
}

/* Opens a store to take something away; -ENOENT where there is none. */
static int open_alone(const char *path, struct arena *arena, struct image_store *ret,
                      struct err *err)
{
	struct image_ids ids;
	int r = image_ids(arena, &ids, err);

	if (r == 0)
		r = image_store_open(path, false, image_owner(&ids), arena, ret, err);
	/* Pulls and sweeps the rest first; then for us alone. */
	if (r == 0)
		r = image_sweep(ret, err);
	if (r == 0)
		r = lock_alone(ret, arena, err);
	return r;
}

/* Takes a digest's names away; its trees and blobs go with collect(). */
static int drop_names(struct content *content, const char *digest, bool say,
                      struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < content->list.n && r == 0; i++) {
		const struct image_entry *entry = &content->list.entry[i];

		if (strcmp(entry->digest, digest) != 0)
			continue;
		r = image_store_drop(content->store, entry->ref, err);
		if (r == 0 && say)
			(void)printf("%s\n", entry->ref);
	}
	return r;
}

static int busy(const char *name, struct err *err)
{
	(void)err_set(err, EBUSY, "the image '%s' is used by a workspace", name);
	return err_hint(err, "remove the workspace first: 'berth ps -a' and 'berth "
	                     "inspect' tell which, or its upper layer below --state");
}

/* "sha256:" and the first digits of one digest only. */
static const char *by_prefix(const struct content *content, const char *name)
{
	const char *ret = NULL;
	size_t len = strlen(name);

	if (strncmp(name, "sha256:", 7) != 0 || len < 7 + 8)
		return NULL;
	for (size_t i = 0; i < content->list.n + content->found_n; i++) {
		const char *digest = i < content->list.n
		                             ? content->list.entry[i].digest
		                             : content->found[i - content->list.n].digest;

		if (strncmp(digest, name, len) != 0)
			continue;
		if (ret && strcmp(ret, digest) != 0)
			return NULL;
		ret = digest;
	}
	return ret;
}

static int remove_named(struct content *content, const char *name, struct err *err)
{
	const char *digest = by_prefix(content, name);
	const struct image_entry *entry = NULL;
	const struct image_found *found;
	struct image_ref ref;
	size_t names = 0;
	int r;

	if (!digest) {
		r = image_ref_parse(name, content->arena, &ref, err);
		if (r < 0)
			return r;
		entry = image_list_find(&content->list, ref.text);
		if (!entry) {
			(void)err_set(err, ENOENT, "no image '%s' in the store '%s'",
			              ref.text, content->store->path);
			return err_hint(err, "'berth image ls' lists them");
		}
		digest = entry->digest;
	}
	for (size_t i = 0; i < content->list.n; i++)
		names += !strcmp(content->list.entry[i].digest, digest);
	found = found_of(content, digest);
	if (found && found->in_use && (!entry || names < 2))
		return busy(name, err);
	r = entry ? image_store_drop(content->store, entry->ref, err)
	          : drop_names(content, digest, false, err);
	if (r < 0)
		return r;
	return collect(content, err) < 0 ? -err->code : 0;
}

int image_rm(const char *store_path, const char *name, struct err *err)
{
	cleanup_image_store struct image_store store = IMAGE_STORE_NONE;
	cleanup_arena struct arena arena = { 0 };
	struct content content = { .store = &store, .arena = &arena };
	int r = open_alone(store_path, &arena, &store, err);

	if (r == 0)
		r = read_content(&content, err);
	return r < 0 ? r : remove_named(&content, name, err);
}

/* What was used for longest not of those that nobody uses, but for @except; NULL for none. */
static const char *oldest(const struct content *content, const char *except)
{
	const char *ret = NULL;
	int64_t when = INT64_MAX;

	for (size_t i = 0; i < content->list.n; i++) {
		const struct image_entry *entry = &content->list.entry[i];
		const struct image_found *found = found_of(content, entry->digest);
		int64_t used = found ? found->used_ms : entry->pulled_ms;

		if ((found && found->in_use) || used >= when ||
		    (except && !strcmp(except, entry->digest)))
			continue;
		ret = entry->digest;
		when = used;
	}
	return ret;
}

static int prune(struct content *content, bool all, uint64_t keep, struct err *err)
{
	int64_t before, left;
	const char *digest;
	int r;

	r = read_content(content, err);
	before = r < 0 ? r : walk_blobs(content, false, err);
	for (size_t i = 0; i < content->found_n && before >= 0; i++)
		before += content->found[i].tree_size;
	left = before < 0 ? before : collect(content, err);
	while (left >= 0 && (all || (uint64_t)left > keep) &&
	       (digest = oldest(content, NULL))) {
		r = drop_names(content, digest, true, err);
		left = r < 0 ? r : collect(content, err);
	}
	if (left < 0)
		return (int)left;
	(void)printf("%" PRId64 " bytes freed, %" PRId64 " left\n", before - left, left);
	return 0;
}

int image_prune(const char *store_path, bool all, uint64_t keep, struct err *err)
{
	cleanup_image_store struct image_store store = IMAGE_STORE_NONE;
	cleanup_arena struct arena arena = { 0 };
	struct content content = { .store = &store, .forget = true, .arena = &arena };
	int r = open_alone(store_path, &arena, &store, err);

	if (r == -ENOENT) {
		err_clear(err);
		(void)printf("0 bytes freed, 0 left\n");
		return 0;
	}
	/* With both, --keep-size says how far. */
	return r < 0 ? r : prune(&content, all && keep == UINT64_MAX, keep, err);
}

/* Images that have neither a name nor a user: collect() takes them. */
static int nameless(const struct content *content)
{
	int n = 0;

	for (size_t i = 0; i < content->found_n; i++)
		n += !content->found[i].in_use &&
		     !named(content, content->found[i].digest);
	return n;
}

static int trim(struct content *content, uint64_t keep, const char *except,
                struct err *err)
{
	int64_t left = read_content(content, err);
	const char *digest;
	int n;

	if (left < 0)
		return (int)left;
	n = nameless(content);
	left = collect(content, err);
	while (left >= 0 && (uint64_t)left > keep && (digest = oldest(content, except))) {
		log_info("the image %.19s is removed from the store: nobody uses it",
		         digest);
		left = drop_names(content, digest, false, err) < 0
		               ? -err->code
		               : collect(content, err);
		n++;
	}
	return left < 0 ? (int)left : n;
}

int image_trim(struct image_store *store, uint64_t keep, const char *except,
               struct arena *arena, struct err *err)
{
	struct content content = { .store = store, .arena = arena };
	struct err ignored = { 0 };
	int r = image_store_lock(store, IMAGE_ALONE, false, err), n;

	/* Changing a lock may lose it; what was pulled has its name by now. */
	n = r == -EAGAIN ? 0 : r < 0 ? r : trim(&content, keep, except, err);
	r = image_store_lock(store, IMAGE_SHARED, true, n < 0 ? &ignored : err);
	return n < 0 || r == 0 ? n : r;
}
