#ifndef IMAGE_GC_H
#define IMAGE_GC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "image_store.h"

/**
 * image_ls() - Print the images of a store
 * @store:	its directory, absolute; one that is not there has none
 * @json:	as an array, else as a table
 * @quiet:	only the names
 * @err:	filled in on failure
 *
 * Return: 0 or -errno.
 */
int image_ls(const char *store, bool json, bool quiet, struct err *err);

/**
 * image_rm() - Remove an image, unless a workspace uses it
 * @store:	its directory, absolute
 * @name:	as image_ref_parse() reads it, or a digest: all of its names then
 * @err:	filled in on failure
 *
 * What other images share stays. Return: 0; -ENOENT for an unknown name; -EBUSY for one that
 * a workspace uses, running or kept; else -errno.
 */
int image_rm(const char *store, const char *name, struct err *err);

/**
 * image_prune() - Remove what is not used
 * @store:	its directory, absolute
 * @all:	images with a name as well
 * @keep:	bytes; UINT64_MAX: as above; else images go, with a name or without, what was
 *		not used for longest first, until what is left has at most that size
 * @err:	filled in on failure
 *
 * Prints the names of what went, and how much that was. What a workspace uses, running or
 * kept, stays, whatever the size.
 *
 * Return: 0 or -errno.
 */
int image_prune(const char *store, bool all, uint64_t keep, struct err *err);

/**
 * image_trim() - Remove what nobody uses until a store has a size
 * @store:	locked shared, as it is afterwards
 * @keep:	bytes
 * @except:	digest of an image that stays in any case, or NULL
 * @arena:	for what is read
 * @err:	filled in on failure
 *
 * What was not used for longest goes first, and each is told. Where others work in the store
 * nothing is done: the last of them does it.
 *
 * Return: how many images went; -errno.
 */
int image_trim(struct image_store *store, uint64_t keep, const char *except,
               struct arena *arena, struct err *err);

#endif
