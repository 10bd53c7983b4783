#ifndef IMAGE_INTERNAL_H
#define IMAGE_INTERNAL_H

/* What image.c, image_pull.c and image_gc.c share; nobody else includes this. */

#include "image.h"

/* What tells whether a local image is still the one that was read; "gone"; "" for one of a
 * registry. */
const char *image_stamp(const struct image_ref *ref, struct arena *arena);

/* Read what belongs to an unpacked tree. Return: 0; -ENOENT; else -errno. */
int image_tree_read(struct image_store *store, const char *digest,
                    const struct image_ids *ids, struct arena *arena,
                    struct image_tree *ret, struct err *err);

/* image_find() in a store that is open. */
int image_find_in(struct image_store *store, const struct image_wish *wish,
                  const char *digest, const struct image_ids *ids, struct arena *arena,
                  struct image_tree *ret, struct err *err);

/**
 * image_sweep() - Remove what killed ones left in tmp/
 * @store:	opened for writing, not locked; it is locked shared afterwards
 *
 * Only where nobody else works in the store: what is left then waits for the next one.
 *
 * Return: 0 or -errno of the lock.
 */
int image_sweep(struct image_store *store, struct err *err);

/* A new directory tmp/NAME; @arena owns the name. Return: a descriptor; -errno. */
int image_stage(struct image_store *store, const struct image_ids *ids,
                struct arena *arena, const char **ret_name, struct err *err);

/* Remove tmp/NAME and all in it, also what belongs to the ID map. */
int image_stage_remove(struct image_store *store, const char *name, struct err *err);

#endif
