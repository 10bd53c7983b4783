#ifndef ENTRYPOINT_H
#define ENTRYPOINT_H

#include "base/arena.h"
#include "base/err.h"
#include "config.h"

/**
 * entrypoint_run() - See a workspace through as the first process of a pod
 * @config:	of config_parse_entrypoint()
 * @arena:	what the launch needs until the workspace's end is allocated there
 * @err:	filled in where not even a supervisor could be started
 *
 * Reaps whatever the pod leaves behind, hands signals on, and tells the reason of an end in
 * the container's termination message.
 *
 * Return: the exit status; -errno.
 */
int entrypoint_run(const struct config *config, struct arena *arena, struct err *err);

/* The last word of a pod that did not get that far: into the termination message. */
void entrypoint_tell(const struct err *err);

#endif
