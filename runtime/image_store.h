#ifndef IMAGE_STORE_H
#define IMAGE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "idmap.h"

/**
 * struct image_store - Where images are kept, opened
 * @path:	the directory "images" of the store, absolute, links resolved
 * @dir:	that directory
 * @lock:	of the store as a whole: shared by those who add, held alone by those who
 *		take away
 *
 *	lock index.json locks/		images by name; who does what at the moment
 *	blobs/sha256/HEX		manifests, configurations and layers as they came
 *	trees/IDS/HEX/			an image unpacked for an ID map: rootfs/, and the
 *					image's config.json beside it; never written again
 *	uses/NAME-HASH			upper layers on disk, and what they lie over
 *	tmp/				what is being made; the next one sweeps what was left
 */
struct image_store {
	const char *path;
	int dir, lock;
};

/**
 * struct image_entry - A name in the store
 * @ref:	struct image_ref's text
 * @digest:	of the manifest it stands for
 * @stamp:	of the file it was read from, "" for a registry
 * @pulled_ms:	when, CLOCK_REALTIME
 */
struct image_entry {
	const char *ref, *digest, *stamp;
	int64_t pulled_ms;
};

/* The names of a store, sorted by @ref. */
struct image_list {
	struct image_entry *entry;
	size_t n;
};

/* How the store is locked: see @lock above. */
enum image_lock { IMAGE_SHARED, IMAGE_ALONE };

/* $BERTH_STORE; for root /var/lib/berth; $XDG_DATA_HOME/berth; ~/.local/share/berth; NULL
 * where none of them is to be had. */
const char *image_store_default(struct arena *arena);

/**
 * image_store_open() - Open the store in a directory
 * @path:	of the directory, absolute
 * @create:	make what is missing
 * @owner:	gid of the ID map's root where that is another user than we, who has to
 *		reach the trees; 0 where it is we
 * @arena:	owns @ret->path
 * @ret:	set on success only, for image_store_close()
 * @err:	filled in on failure
 *
 * The store has to be ours, and nobody else may write to it: what is in it gets executed.
 *
 * Return: 0; -ENOENT without @create where there is none; -EPERM for a directory of
 * somebody else's; else -errno.
 */
int image_store_open(const char *path, bool create, gid_t owner, struct arena *arena,
                     struct image_store *ret, struct err *err);

void image_store_close(struct image_store *store);
#define cleanup_image_store __attribute__((cleanup(image_store_close)))
#define IMAGE_STORE_NONE             \
	{                            \
		NULL, -EBADF, -EBADF \
	}

/**
 * image_store_lock() - Lock the store as a whole, or change how
 * Return: 0; -EAGAIN without @wait where somebody else has it; else -errno.
 */
int image_store_lock(struct image_store *store, enum image_lock how, bool wait,
                     struct err *err);

/**
 * image_store_turn() - Lock one piece of work, so that it is done once at a time
 * @store:	opened for writing
 * @kind:	"ref", "tree" or "index"
 * @name:	of the piece; two names may share a lock
 * @wait:	whether to wait for who has it
 * @err:	filled in on failure
 *
 * Return: a descriptor that holds it until it is closed; -EAGAIN; else -errno.
 */
int image_store_turn(struct image_store *store, const char *kind, const char *name,
                     bool wait, struct err *err);

/**
 * image_store_list() - Read the names
 * @store:	opened
 * @arena:	owns the result
 * @ret:	set on success only; empty where nothing was ever pulled
 * @err:	filled in on failure
 *
 * Return: 0; -EINVAL for a file that does not hold what it should; else -errno.
 */
int image_store_list(struct image_store *store, struct arena *arena,
                     struct image_list *ret, struct err *err);

/* The entry of a name, or NULL. */
const struct image_entry *image_list_find(const struct image_list *list, const char *ref);

/* Put an entry in place of the one with the same name. Return: 0 or -errno. */
int image_store_put(struct image_store *store, const struct image_entry *entry,
                    struct err *err);

/* Remove a name; one that is not there is none to remove. Return: 0 or -errno. */
int image_store_drop(struct image_store *store, const char *ref, struct err *err);

/**
 * image_tree_path() - Where the tree of an image lies below the store
 * @digest:	of the manifest
 * @uid, @gid:	L1's ID map: what the files belong to depends on it
 * Return: "trees/IDS/HEX", owned by @arena.
 */
const char *image_tree_path(const char *digest, const struct idmap *uid,
                            const struct idmap *gid, struct arena *arena);

/**
 * image_blob_read() - Read a manifest or a configuration
 * @digest:	checked by image_digest_valid()
 * @arena:	owns the result
 * @ret:	text, NUL-terminated, set on success only
 * @err:	filled in on failure
 *
 * Return: length in bytes; -ENOENT; -EFBIG above IMAGE_DOCUMENT_MAX; else -errno.
 */
ssize_t image_blob_read(struct image_store *store, const char *digest,
                        struct arena *arena, const char **ret, struct err *err);

/* Open a directory of the store: no link is followed, nothing else is crossed into. */
int image_store_dir(struct image_store *store, const char *path, struct err *err);

/* A file of the store, whole and on the disk, or not at all. Return: 0 or -errno. */
int image_file_put(int dir, const char *name, const char *text, size_t size,
                   struct err *err);

#endif
