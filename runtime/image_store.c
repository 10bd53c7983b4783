#include "image_store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/syscall.h"
#include "image_config.h"

/* Locks of a kind: two names that share one wait for each other, and no more. */
#define TURNS 64

const char *image_store_default(struct arena *arena)
{
	const char *own = getenv("BERTH_STORE"), *data = getenv("XDG_DATA_HOME"),
		   *home = getenv("HOME");

	if (own && *own)
		return own;
	if (geteuid() == 0)
		return "/var/lib/berth";
	if (data && *data == '/')
		return arena_printf(arena, "%s/berth", data);
	return home && *home == '/' ? arena_printf(arena, "%s/.local/share/berth", home)
	                            : NULL;
}

/* FNV-1a: spreads names over files. Nothing rests on it. */
static uint64_t hash(const char *text, uint64_t value)
{
	for (; *text; text++)
		value = (value ^ (unsigned char)*text) * 0x100000001b3ULL;
	return value;
}
#define HASH_START 0xcbf29ce484222325ULL

static const char *map_name(const struct idmap *map, struct arena *arena)
{
	const char *text = "";

	for (size_t i = 0; i < map->n; i++)
		text = arena_printf(arena, "%s%s%" PRIu32 "-%" PRIu32 "x%" PRIu32, text,
		                    i > 0 ? "+" : "", map->extent[i].inside,
		                    map->extent[i].outside, map->extent[i].count);
	return text;
}

const char *image_tree_path(const char *digest, const struct idmap *uid,
                            const struct idmap *gid, struct arena *arena)
{
	const char *text = map_name(uid, arena), *other = map_name(gid, arena);

	if (strcmp(text, other) != 0)
		text = arena_printf(arena, "%s,%s", text, other);
	/* As it is where it is a name, else by two hashes: 128 bits. */
	if (strlen(text) >= 200)
		text = arena_printf(arena, "ids-%016" PRIx64 "%016" PRIx64,
		                    hash(text, HASH_START), hash(text, ~HASH_START));
	return arena_printf(arena, "trees/%s/%s", text, digest + strlen("sha256:"));
}

/* mkdir -p, for a store that was not there; the last one is for us alone. */
static int make_path(const char *path, mode_t mode, struct err *err)
{
	char part[PATH_MAX];

	for (const char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
		(void)snprintf(part, sizeof(part), "%.*s", (int)(p - path), path);
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return err_set(err, errno, "make the directory '%s'", part);
	}
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return err_set(err, errno, "make the directory '%s'", path);
	return 0;
}

static int check_ours(int dir, const char *path, struct err *err)
{
	struct stat st;

	if (fstat(dir, &st) < 0)
		return err_set(err, errno, "look at the store '%s'", path);
	if (st.st_uid != geteuid())
		return err_set(err, EPERM, "the store '%s' belongs to user %u", path,
		               (unsigned int)st.st_uid);
	if (st.st_mode & 022)
		return err_set(err, EPERM,
		               "the store '%s' may be written by others (%04o)", path,
		               (unsigned int)(st.st_mode & 07777));
	return 0;
}

int image_store_dir(struct image_store *store, const char *path, struct err *err)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	int fd = sys_openat2(store->dir, path, &how);

	return fd < 0 ? err_set(err, errno, "open '%s/%s'", store->path, path) : fd;
}

/* Root of another ID map than ours, who unpacks and launches, goes through it. */
static int let_pass(int dir, gid_t owner, const char *path, struct err *err)
{
	if (owner && (fchown(dir, (uid_t)-1, owner) < 0 || fchmod(dir, 0710) < 0))
		return err_set(err, errno, "let the ID map's root pass '%s'", path);
	return 0;
}

static int make_dirs(int dir, const char *path, gid_t owner, struct err *err)
{
	static const struct {
		const char *name;
		bool passed;
	} dirs[] = { { "locks", false },       { "uses", false }, { "blobs", true },
		     { "blobs/sha256", true }, { "tmp", true },   { "trees", true } };

	if (let_pass(dir, owner, path, err) < 0)
		return -err->code;
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		cleanup_close int fd = -EBADF;

		if (mkdirat(dir, dirs[i].name, 0700) < 0 && errno != EEXIST)
			return err_set(err, errno, "make '%s/%s'", path, dirs[i].name);
		fd = openat(dir, dirs[i].name,
		            O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return err_set(err, errno, "open '%s/%s'", path, dirs[i].name);
		if (dirs[i].passed && let_pass(fd, owner, dirs[i].name, err) < 0)
			return -err->code;
	}
	return 0;
}

static int open_store(const char *path, bool create, gid_t owner, struct arena *arena,
                      struct image_store *ret, struct err *err)
{
	const char *images = arena_printf(arena, "%s/images", path);
	const mode_t mode = owner ? 0711 : 0700;
	char link[64], real[PATH_MAX];
	ssize_t n;
	int r;

	if (strlen(images) >= PATH_MAX)
		return err_set(err, ENAMETOOLONG, "the store '%.60s...'", path);
	if (create && (make_path(path, mode, err) < 0 ||
	               (mkdir(images, 0700) < 0 && errno != EEXIST)))
		return err->code ? -err->code
		                 : err_set(err, errno, "make the directory '%s'", images);
	ret->dir = open(images, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (ret->dir < 0)
		return err_set(err, errno, "open the store '%s'", images);
	r = check_ours(ret->dir, images, err);
	if (r < 0)
		return r;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", ret->dir);
	n = readlink(link, real, sizeof(real) - 1);
	if (n < 0)
		return err_set(err, errno, "find the store '%s'", images);
	real[n] = '\0';
	ret->path = arena_dup(arena, real);
	if (create)
		r = make_dirs(ret->dir, ret->path, owner, err);
	if (r < 0)
		return r;
	ret->lock =
		openat(ret->dir, "lock",
	               (create ? O_CREAT : 0) | O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (ret->lock < 0)
		return err_set(err, errno, "open '%s/lock'", ret->path);
	return arena->failed ? err_set(err, ENOMEM, "open the store") : 0;
}

int image_store_open(const char *path, bool create, gid_t owner, struct arena *arena,
                     struct image_store *ret, struct err *err)
{
	struct image_store store = IMAGE_STORE_NONE;
	int r = open_store(path, create, owner, arena, &store, err);

	if (r == 0) {
		*ret = store;
		return 0;
	}
	image_store_close(&store);
	(void)err_hint(err, "--store, or BERTH_STORE, takes a directory of your own on a "
	                    "disk with room for images");
	return err_step(err, "store");
}

void image_store_close(struct image_store *store)
{
	drop_fd(&store->dir);
	drop_fd(&store->lock);
}

static int take_lock(int fd, int how, bool wait, const char *what, struct err *err)
{
	while (flock(fd, how | (wait ? 0 : LOCK_NB)) < 0) {
		if (errno == EINTR)
			continue;
		if (errno == EWOULDBLOCK)
			return -EAGAIN;
		(void)err_set(err, errno, "lock %s", what);
		/* Its locks are those of fcntl(2), which ask for a writer. */
		return errno == EBADF ? err_hint(err, "NFS carries no store that is "
		                                      "written to: --store, or "
		                                      "BERTH_STORE, takes a directory "
		                                      "on a disk of this machine")
		                      : -err->code;
	}
	return 0;
}

int image_store_lock(struct image_store *store, enum image_lock how, bool wait,
                     struct err *err)
{
	return take_lock(store->lock, how == IMAGE_ALONE ? LOCK_EX : LOCK_SH, wait,
	                 "the store", err);
}

int image_store_turn(struct image_store *store, const char *kind, const char *name,
                     bool wait, struct err *err)
{
	cleanup_close int fd = -EBADF;
	char path[64];
	int r;

	(void)snprintf(path, sizeof(path), "locks/%s-%02u", kind,
	               (unsigned int)(hash(name, HASH_START) % TURNS));
	fd = openat(store->dir, path, O_CREAT | O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(err, errno, "open '%s/%s'", store->path, path);
	r = take_lock(fd, LOCK_EX, wait, path, err);
	return r < 0 ? r : take_fd(&fd);
}

ssize_t image_blob_read(struct image_store *store, const char *digest,
                        struct arena *arena, const char **ret, struct err *err)
{
	char path[32 + 64 + 1];

	(void)snprintf(path, sizeof(path), "blobs/sha256/%s", digest + strlen("sha256:"));
	return file_slurp(store->dir, path, IMAGE_DOCUMENT_MAX, arena, ret, err);
}

int image_file_put(int dir, const char *name, const char *text, size_t size,
                   struct err *err)
{
	cleanup_close int fd = -EBADF;
	char temp[300];
	int r;

	(void)snprintf(temp, sizeof(temp), ".%.200s.%d", name, (int)getpid());
	(void)unlinkat(dir, temp, 0);
	fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	            0600);
	if (fd < 0)
		return err_set(err, errno, "make '%s'", name);
	r = write_all(fd, text, size);
	if (r == 0 && (fsync(fd) < 0 || renameat(dir, temp, dir, name) < 0))
		r = -errno;
	if (r == 0)
		(void)fsync(dir);
	if (r == 0)
		return 0;
	(void)unlinkat(dir, temp, 0);
	return err_set(err, -r, "write '%s'", name);
}
