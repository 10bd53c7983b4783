#ifndef IMAGE_DEVICES_H
#define IMAGE_DEVICES_H

#include "base/err.h"

/**
 * image_devices_catch() - Stand in for the kernel where it refuses device nodes
 *
 * From then on mknod(2) of a character or block device, by a child of this process, waits
 * for image_devices_answer(). In a user namespace the kernel makes none, and umoci(1) would
 * give up; nothing of the workspaces would be allowed to use them. An outer filter may have a
 * listener already: then there is no second one.
 *
 * Return: a descriptor to poll for POLLIN, owned by the caller; -errno.
 */
int image_devices_catch(void);

/**
 * image_devices_answer() - Make an empty file in place of one device node
 * @listener:	from image_devices_catch(), ready
 *
 * Should: be called by a process with the same root directory as the one that asks.
 */
void image_devices_answer(int listener);

#endif
