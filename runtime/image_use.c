#include "image_use.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/number.h"
#include "image_ref.h"
#include "state.h"

#define IMAGES_MAX 4096

static void close_dirp(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

static DIR *list(struct image_store *store, const char *path, struct err *err)
{
	cleanup_close int fd = image_store_dir(store, path, err);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (dir)
		(void)take_fd(&fd);
	else if (fd >= 0)
		(void)err_set(err, errno, "list '%s/%s'", store->path, path);
	return dir;
}

/* Root inside may write to it, where a volume holds --state: it is believed in nothing. */
static int open_upper_file(const char *upper)
{
	cleanup_close int dir =
		open(upper, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return dir < 0 ? -1
	               : openat(dir, IMAGE_UPPER_FILE,
	                        O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY |
	                                O_CLOEXEC);
}

const char *image_upper_digest(const char *upper, struct arena *arena)
{
	cleanup_close int fd = open_upper_file(upper);
	char text[IMAGE_DIGEST_LEN + 2];
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? NULL : IMAGE_UPPER_OTHER;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return IMAGE_UPPER_OTHER;
	n = read(fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	if (n > IMAGE_DIGEST_LEN && text[IMAGE_DIGEST_LEN] == '\n')
		text[IMAGE_DIGEST_LEN] = '\0';
	return image_digest_valid(text) ? arena_dup(arena, text) : IMAGE_UPPER_OTHER;
}

/* One that is there already, or room for it. */
static struct image_found *found_of(struct image_found *found, size_t *n,
                                    const char *digest, struct arena *arena)
{
	for (size_t i = 0; i < *n; i++)
		if (!strcmp(found[i].digest, digest))
			return &found[i];
	if (*n == IMAGES_MAX)
		return NULL;
	found[*n] = (struct image_found){ .digest = arena_dup(arena, digest) };
	return &found[(*n)++];
}

static void add_tree(struct image_store *store, struct image_found *found,
                     const char *path, struct arena *arena)
{
	struct err ignored = { 0 };
	cleanup_close int dir = image_store_dir(store, path, &ignored);
	const char **more = arena_alloc(arena, (found->tree_n + 1) * sizeof(*more));
	uint64_t size = 0;
	struct stat st;
	char text[32];

	if (dir < 0 || !more || fstat(dir, &st) < 0)
		return;
	if (found->tree_n > 0)
		memcpy(more, found->tree, found->tree_n * sizeof(*more));
	more[found->tree_n++] = path;
	found->tree = more;
	if (file_read(dir, "size", text, sizeof(text), &ignored) > 0) {
		text[strcspn(text, "\n")] = '\0';
		(void)number_parse(text, 0, INT64_MAX / 2, &size, &ignored);
	}
	found->tree_size += (int64_t)size;
	if (st.st_mtim.tv_sec * (int64_t)1000 > found->used_ms)
		found->used_ms = st.st_mtim.tv_sec * (int64_t)1000;
	/* A workspace that runs holds it. */
	if (flock(dir, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		found->in_use = true;
}

static int look_at_trees(struct image_store *store, struct arena *arena,
                         struct image_found *found, size_t *n, struct err *err)
{
	__attribute__((cleanup(close_dirp))) DIR *maps = list(store, "trees", err);
	const struct dirent *map, *at;

	if (!maps)
		return -err->code;
	while ((map = readdir(maps))) {
		__attribute__((cleanup(close_dirp))) DIR *trees = NULL;

		if (map->d_name[0] == '.')
			continue;
		trees = list(store, arena_printf(arena, "trees/%s", map->d_name), err);
		if (!trees)
			return -err->code;
		while ((at = readdir(trees))) {
			const char *digest = arena_printf(arena, "sha256:%s", at->d_name);
			struct image_found *one;

			if (!image_digest_valid(digest))
				continue;
			one = found_of(found, n, digest, arena);
			if (one)
				add_tree(store, one,
				         arena_printf(arena, "trees/%s/%s", map->d_name,
				                      at->d_name),
				         arena);
		}
	}
	return 0;
}

static void mark(struct image_found *found, size_t n, const char *digest)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(found[i].digest, digest))
			found[i].in_use = true;
}

/* Workspaces that are kept go on with their image when they are started again. */
static void mark_kept(struct image_found *found, size_t n, struct arena *arena)
{
	struct err ignored = { 0 };
	cleanup_close int state = state_open(false, &ignored);
	const char **names;
	int count = state < 0 ? 0 : state_each(state, arena, &names, &ignored);

	for (int i = 0; i < count; i++) {
		cleanup_close int entry = -EBADF;
		struct record record;

		err_clear(&ignored);
		entry = state_entry(state, names[i], &ignored);
		if (entry >= 0 &&
		    state_read(entry, names[i], arena, &record, &ignored) == 0)
			mark(found, n, record.image_digest);
	}
}

/*
 * Upper layers outlive the list of workspaces, which is gone after a reboot. One that is not seen
 * may lie where another mount namespace has it: only who asks for it, by @forget, drops its note.
 */
static int mark_uppers(struct image_store *store, bool forget, struct image_found *found,
                       size_t n, struct arena *arena, struct err *err)
{
	__attribute__((cleanup(close_dirp))) DIR *uses = list(store, "uses", err);
	const struct dirent *at;

	if (!uses)
		return -err->code;
	while ((at = readdir(uses))) {
		struct err ignored = { 0 };
		const char *text, *digest;
		char *upper;

		if (at->d_name[0] == '.' ||
		    file_slurp(dirfd(uses), at->d_name, 8192, arena, &text, &ignored) < 0)
			continue;
		upper = (char *)arena_dup(arena, text);
		upper[strcspn(upper, "\n")] = '\0';
		digest = image_upper_digest(upper, arena);
		if (digest)
			mark(found, n, digest);
		else if (forget && access(upper, F_OK) < 0 && errno == ENOENT)
			(void)unlinkat(dirfd(uses), at->d_name, 0);
	}
	return 0;
}

int image_look(struct image_store *store, bool forget, struct arena *arena,
               struct image_found **ret, size_t *ret_n, struct err *err)
{
	struct image_found *found = arena_alloc(arena, IMAGES_MAX * sizeof(*found));
	size_t n = 0;
	int r;

	if (!found)
		return err_set(err, ENOMEM, "look at the store");
	r = look_at_trees(store, arena, found, &n, err);
	if (r == 0)
		r = mark_uppers(store, forget, found, n, arena, err);
	if (r < 0)
		return r;
	mark_kept(found, n, arena);
	*ret = found;
	*ret_n = n;
	return arena->failed ? err_set(err, ENOMEM, "look at the store") : 0;
}

int image_use_add(const char *store, const char *upper, const char *digest,
                  struct err *err)
{
	cleanup_image_store struct image_store opened = IMAGE_STORE_NONE;
	cleanup_arena struct arena arena = { 0 };
	cleanup_close int uses = -EBADF;
	uint64_t hash = 0xcbf29ce484222325ULL;
	const char *slash = strrchr(upper, '/'), *text;
	char name[128];
	int r;

	r = image_store_open(store, false, 0, &arena, &opened, err);
	if (r < 0)
		return r;
	for (const char *p = upper; *p; p++)
		hash = (hash ^ (unsigned char)*p) * 0x100000001b3ULL;
	(void)snprintf(name, sizeof(name), "%.63s-%016" PRIx64, slash ? slash + 1 : upper,
	               hash);
	uses = image_store_dir(&opened, "uses", err);
	if (uses < 0)
		return uses;
	text = arena_printf(&arena, "%s\n%s\n", upper, digest);
	return image_file_put(uses, name, text, strlen(text), err);
}
