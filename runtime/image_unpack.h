#ifndef IMAGE_UNPACK_H
#define IMAGE_UNPACK_H

#include <stdint.h>

#include "base/err.h"

/**
 * struct unpack - An image to be unpacked
 * @store:	the store's directory, borrowed
 * @stage:	"tmp/NAME" below it: a directory of ours with unpack/, a layout where the
 *		image is called IMAGE_TAG and blobs/ is empty, and tree/rootfs/, empty, which
 *		belongs to root of the ID map
 * @size:	set on success: bytes on the disk
 */
struct unpack {
	int store;
	const char *stage;
	int64_t size;
};

/* What the image is called in @layout. */
#define IMAGE_TAG "berth"

/**
 * image_unpack() - Unpack an image with umoci(1), as root of the workspaces' ID map
 * @unpack:	see there
 * @err:	in umoci's words, with a hint where one is known
 *
 * Layers are hostile input. umoci sees the system's programs and libraries, the image and
 * the new root, nothing else; it may write to the latter only, has no network, no
 * capability that unpacking has no use for, and the workspaces' system call filter.
 *
 * Device nodes become empty files.
 *
 * Return: 0; -ENOSPC; -EDQUOT; -EINVAL for an ID that the map does not have; -EIO for
 * whatever else umoci says, as of a blob that is not what its digest says; else -errno.
 */
int image_unpack(struct unpack *unpack, struct err *err);

#endif
