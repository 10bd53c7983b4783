#ifndef GPU_H
#define GPU_H

#include "base/arena.h"
#include "base/err.h"

/* Where Debian and Ubuntu have libraries. */
#ifdef __aarch64__
#define GPU_LIBRARIES "/usr/lib/aarch64-linux-gnu"
#else
#define GPU_LIBRARIES "/usr/lib/x86_64-linux-gnu"
#endif

/* Where Fedora, those like it, and SUSE have them. */
#define GPU_LIBRARIES_64 "/usr/lib64"

/**
 * struct gpu_place - Where to look
 * @dev:	"/dev"
 * @mountinfo:	"/proc/self/mountinfo"
 * @libraries:	directory of the drivers' libraries, NULL for none
 * @inside:	where they go, NULL for GPU_LIBRARIES
 */
struct gpu_place {
	const char *dev, *mountinfo, *libraries, *inside;
};

/**
 * gpu_words() - Options for what the pod has of GPUs
 * @place:	see there
 * @arena:	owns the words
 * @ret:	"--device", PATH, "--volume", SRC:DST:ro, ...; set on success only
 * @err:	filled in on failure
 *
 * Nodes, what NVIDIA's container toolkit mounted, and libraries, by their names; each link to a
 * library brings what it leads to, if that is one by its name as well, under its own name.
 *
 * Return: how many words; -ENOENT where the libraries' directory cannot be read; -E2BIG.
 */
int gpu_words(const struct gpu_place *place, struct arena *arena, const char *const **ret,
              struct err *err);

/**
 * gpu_place_of() - Where a distribution's linker looks for libraries
 * @os_release:	the text of its /etc/os-release: ID counts, then the words of ID_LIKE
 *
 * Return: a directory; NULL for one that is not known.
 */
const char *gpu_place_of(const char *os_release);

/**
 * gpu_inside() - Where libraries go in a root file system
 * @rootfs:	its directory, which is believed in nothing but this
 *
 * Return: by its os-release; else by the directory that it has; else GPU_LIBRARIES.
 */
const char *gpu_inside(const char *rootfs);

#endif
