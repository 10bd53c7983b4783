#ifndef APPLY_PASTA_H
#define APPLY_PASTA_H

#include "launch.h"

/**
 * pasta_process() - Becomes pasta
 * @arg:	the struct launch
 *
 * Where we are: as relay_process(). pasta stays in the pod's network, ends with the warden,
 * and when it ends so does the workspace.
 *
 * Return: 1, for a failure that the warden was told.
 */
int pasta_process(void *arg);

/**
 * pasta_uplink() - The gateway's rules, pasta's tap, and forwarding between
 * @launch:	the warden's; in the gateway, whose end of the veth is up
 * @err:	filled in on failure
 *
 * Return: 0; -ENOENT or -EOPNOTSUPP as pasta_install(); -EPIPE with what pasta said where it
 * ended; -ETIMEDOUT; else -errno.
 */
int pasta_uplink(struct launch *launch, struct err *err);

/* The end of one that does not serve, with what it left in the launch; nothing without one. */
void pasta_stop(struct launch *launch);

#endif
