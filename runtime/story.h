#ifndef STORY_H
#define STORY_H

#include <stddef.h>

#include "config.h"
#include "plan.h"
#include "state.h"

/*
 * What "kubectl logs" and "kubectl describe" tell of a workspace that is a pod's: lines on
 * standard error, and the message of the container's end. Without config->entrypoint none of
 * these does anything.
 */

void story_start(const struct config *config, const struct plan *plan,
                 const struct record *record);
void story_ready(const struct config *config, const struct record *record);
void story_stop(const struct config *config, int signal);
void story_end(const struct config *config, const struct record *record, bool restart);

/**
 * story_last() - Leave the reason of the container's end where the kubelet looks
 * @text:	printable lines
 * @size:	of @text, bytes; at most STORY_LAST_MAX of them are kept
 *
 * That is /dev/termination-log, which the kubelet made: a regular file, or nothing is
 * written. A failure is no reason to fail.
 */
#define STORY_LAST_MAX 4096
void story_last(const char *text, size_t size);

#endif
