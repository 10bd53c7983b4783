#ifndef IMAGE_CONFIG_H
#define IMAGE_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

/* Registries take no larger manifest; configurations are smaller still. */
#define IMAGE_DOCUMENT_MAX ((size_t)4 << 20)

#define IMAGE_LAYERS_MAX 512
#define IMAGE_ENV_MAX 128
#define IMAGE_WORDS_MAX 256
#define IMAGE_VOLUMES_MAX 64

/**
 * struct image_blob - A descriptor of a manifest
 * @digest:	checked by image_digest_valid()
 * @size:	bytes, as the manifest says
 */
struct image_blob {
	const char *digest;
	int64_t size;
};

/**
 * struct image_manifest - What an image is made of
 * @config:	its configuration
 * @layer, @layer_n: from the lowest one upwards
 */
struct image_manifest {
	struct image_blob config;
	const struct image_blob *layer;
	size_t layer_n;
};

/**
 * struct image_config - How an image wants to be run
 * @env:	"K=V" each, with a name
 * @entrypoint, @cmd: words of the command; @entrypoint_n or @cmd_n is 0 where it has none
 * @volume:	absolute paths without "." and "..", sorted
 * @user:	"NAME|UID[:GROUP|GID]", NULL for root
 * @workdir:	absolute, NULL for "/"
 * @stop_signal: "SIGQUIT", "3"; NULL for SIGTERM
 */
struct image_config {
	const char *const *env, *const *entrypoint, *const *cmd, *const *volume;
	size_t env_n, entrypoint_n, cmd_n, volume_n;
	const char *user, *workdir, *stop_signal;
};

/**
 * image_manifest_read() - Read the manifest of an image
 * @text, @size: JSON, from whoever made the image: hostile
 * @arena:	owns what @ret points to
 * @ret:	set on success only
 * @err:	says what is wrong
 *
 * Return: 0; -EINVAL for what is no manifest of an image in the layout of OCI; -E2BIG for
 * more layers than IMAGE_LAYERS_MAX; -ENOMEM.
 */
int image_manifest_read(const char *text, size_t size, struct arena *arena,
                        struct image_manifest *ret, struct err *err);

/**
 * image_index_read() - Read the digest of the one manifest that an index.json names
 * Return: as image_manifest_read().
 */
int image_index_read(const char *text, size_t size, struct arena *arena,
                     struct image_blob *ret, struct err *err);

/**
 * image_config_read() - Read the configuration of an image
 * @text, @size: JSON, hostile
 * @arena:	owns what @ret points to
 * @ret:	set on success only
 * @err:	says which member is wrong, and quotes it
 *
 * Bounded, and checked: no control characters in paths and users, names of variables, and
 * signals that exist.
 *
 * Return: 0; -EINVAL; -E2BIG for more of them than the limits above; -ENOMEM.
 */
int image_config_read(const char *text, size_t size, struct arena *arena,
                      struct image_config *ret, struct err *err);

#endif
