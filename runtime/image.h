#ifndef IMAGE_H
#define IMAGE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "idmap.h"
#include "image_config.h"
#include "image_progress.h"
#include "image_ref.h"
#include "image_store.h"

/**
 * struct image_ids - As whom images are unpacked: the ID map of the workspaces
 * @uid, @gid:	L1's maps
 * @foreign:	their root is another user than we
 * @lacking:	why they have fewer IDs than an image needs, NULL where they have enough
 */
struct image_ids {
	struct idmap uid, gid;
	bool foreign;
	const char *lacking;
};

/**
 * struct image_wish - An image that is wanted
 * @ref:	its name
 * @store:	directory of the store, absolute
 * @when:	whether to pull it
 * @progress:	how to show that
 * @authfile, @cert_dir: skopeo's, or NULL for what it takes by itself
 * @insecure:	no certificate is asked for
 * @patience_s:	how long nothing may come before a try is given up
 * @keep:	bytes that the store may have after the pull, UINT64_MAX for any number: what
 *		nobody uses goes, what was not used for longest first
 */
struct image_wish {
	struct image_ref ref;
	const char *store;
	enum image_when when;
	enum progress_mode progress;
	const char *authfile, *cert_dir;
	bool insecure;
	uint64_t patience_s, keep;
};

/* Without --pull-patience, seconds. */
#define IMAGE_PATIENCE_S 180

/**
 * struct image_tree - An image that lies unpacked in the store
 * @digest:	of its manifest
 * @path:	of its root file system, absolute
 * @config:	how it wants to be run
 */
struct image_tree {
	const char *digest, *path;
	struct image_config config;
};

/* Find out as whom images are unpacked; @arena owns the texts. Return: 0 or -errno. */
int image_ids(struct arena *arena, struct image_ids *ret, struct err *err);

/* The group that has to pass the store's directories, 0 for none. */
gid_t image_owner(const struct image_ids *ids);

/**
 * image_find() - Look for an image in the store; changes nothing
 * @wish:	which
 * @digest:	the one to find whatever its name stands for now; NULL: by its name
 * @ids:	as whom it has to be unpacked
 * @arena:	owns the strings of @ret
 * @ret:	set on success only
 * @err:	says that it is not there, with a hint
 *
 * Return: 0; -ENOENT where it is not in the store; -ESTALE where the file that it was read
 * from has changed; else -errno.
 */
int image_find(const struct image_wish *wish, const char *digest,
               const struct image_ids *ids, struct arena *arena, struct image_tree *ret,
               struct err *err);

/**
 * image_pull() - Bring an image into the store, and unpack it
 * @wish:	which; with IMAGE_MISSING what is in the store already is enough
 * @ids:	as whom to unpack
 * @arena:	owns the strings of @ret
 * @ret:	set on success only
 * @err:	in skopeo's or umoci's words, with a hint
 *
 * Killed at any moment it leaves the store as it was; what it was making is swept by the
 * next one. Two at the same time do the work once. Where the disk is full, what nobody uses
 * goes, and it is tried once more.
 *
 * Return: 0; -EACCES where the registry wants a login; -ENOENT for an unknown image;
 * -ENOSPC; -EBADMSG for a wrong digest; else -errno.
 */
int image_pull(const struct image_wish *wish, const struct image_ids *ids,
               struct arena *arena, struct image_tree *ret, struct err *err);

/**
 * image_copy() - Have skopeo(1) bring an image's blobs into the store
 * @store:	locked
 * @wish:	which
 * @stage:	name of a directory below the store's tmp/
 * @progress:	what to tell
 * @arena:	owns *@ret_digest
 * @err:	in skopeo's words, with a hint
 *
 * Return: 0; as image_pull().
 */
int image_copy(struct image_store *store, const struct image_wish *wish,
               const char *stage, struct progress *progress, struct arena *arena,
               const char **ret_digest, struct err *err);

#endif
