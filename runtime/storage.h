#ifndef STORAGE_H
#define STORAGE_H

#include <stdbool.h>
#include <stdint.h>

/* Below these there is little room: for layers of images, and for anything else. */
#define STORAGE_LAYERS_BYTES (UINT64_C(1) << 30)
#define STORAGE_LAYERS_INODES 10000
#define STORAGE_FEW_BYTES (UINT64_C(16) << 20)
#define STORAGE_FEW_INODES 100

/**
 * struct storage_fact - What a directory lies on, as statfs(2) has it
 * @fstype:	"overlay", "nfs", ... where it makes a difference; "" for all others
 * @read_only, @noexec: of the mount that it is seen by
 * @bytes, @inodes: that are free for us; UINT64_MAX where nobody counts them
 */
struct storage_fact {
	const char *fstype;
	bool read_only, noexec;
	uint64_t bytes, inodes;
};

/* Looks, where @path is or its nearest directory that is there. Return: whether it could. */
bool storage_look(const char *path, struct storage_fact *ret);

/* Whether no layers of overlay can lie on it, and so none of Docker's; pure. */
bool storage_refuses_layers(const struct storage_fact *fact);

/* Whether an inner Docker, containerd or podman keeps its layers at or below @target, or above
 * it; pure. */
bool storage_has_layers(const char *target);

#endif
