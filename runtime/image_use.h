#ifndef IMAGE_USE_H
#define IMAGE_USE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "image_store.h"

/**
 * struct image_found - An image as it lies in the store
 * @digest:	of its manifest
 * @tree, @tree_n: "trees/IDS/HEX": one for each ID map it was unpacked for
 * @tree_size:	of those together, bytes
 * @used_ms:	when a workspace was started from it last, or it was unpacked
 * @in_use:	by a workspace that runs or is kept, or an upper layer that lies over it
 */
struct image_found {
	const char *digest;
	const char **tree;
	size_t tree_n;
	int64_t tree_size, used_ms;
	bool in_use;
};

/**
 * image_look() - What is unpacked in a store, and what of it is used
 * @store:	opened
 * @forget:	the notes of upper layers that are not there go
 * @arena:	owns the result
 * @ret, @ret_n: set on success only
 * @err:	filled in on failure
 *
 * Return: 0 or -errno.
 */
int image_look(struct image_store *store, bool forget, struct arena *arena,
               struct image_found **ret, size_t *ret_n, struct err *err);

/**
 * image_use_add() - Note that an upper layer on disk lies over an image
 * @store:	directory of the store
 * @upper:	the upper layer's directory; its file "image" holds the digest, and while it
 *		does the image stays
 * @digest:	of the image
 * @err:	filled in on failure
 *
 * Return: 0 or -errno.
 */
int image_use_add(const char *store, const char *upper, const char *digest,
                  struct err *err);

/* Over what an upper layer lies whose word is none: no digest, or no file of ours. */
#define IMAGE_UPPER_OTHER "something else"

/**
 * image_upper_digest() - What an upper layer says that it lies over
 * @upper:	its directory
 * @arena:	owns the result
 *
 * Whoever may write there is believed in nothing: no link is followed, nothing but a
 * regular file is read, and only a digest is handed on.
 *
 * Return: a valid digest; IMAGE_UPPER_OTHER; NULL where it has no such file.
 */
const char *image_upper_digest(const char *upper, struct arena *arena);

/* Name of that file. */
#define IMAGE_UPPER_FILE "image"

#endif
