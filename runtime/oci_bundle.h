#ifndef OCI_BUNDLE_H
#define OCI_BUNDLE_H

#include <stdbool.h>

#include "base/err.h"
#include "policies/json.h"

/**
 * oci_wants_sysfs() - Whether a container is to get a sysfs that it can write
 * @config:	of config.json
 * @err:	says what is no OCI configuration
 *
 * Return: 1 or 0; -EINVAL where @config is no object, or its "mounts" no array of
 * objects.
 */
int oci_wants_sysfs(const struct json_value *config, struct err *err);

/**
 * oci_put_config() - Write a config.json with each sysfs read-only
 * @out:	the new document
 * @config:	of the old one, as oci_wants_sysfs() takes it
 *
 * Everything else stays as it is, in its order, known to us or not.
 */
void oci_put_config(struct json *out, const struct json_value *config);

/**
 * oci_fix_bundle() - Rewrite the config.json of a bundle where it needs that
 * @path:	directory of the bundle
 * @err:	quotes @path on failure
 *
 * The file is replaced whole or not at all, and keeps its mode.
 *
 * Return: 1 where it was rewritten, 0 where it is good as it is; -EINVAL for what is
 * no config.json; -EFBIG above OCI_CONFIG_MAX bytes; else -errno.
 */
int oci_fix_bundle(const char *path, struct err *err);

#define OCI_CONFIG_MAX (16 << 20)

#endif
