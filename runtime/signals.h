#ifndef SIGNALS_H
#define SIGNALS_H

#include <signal.h>
#include <stdbool.h>

#include "base/err.h"

/**
 * signal_parse() - Read a signal: "9", "KILL", "SIGKILL", "kill", "RTMIN+3", "RTMAX-1"
 * @text:	what the user wrote
 * @ret:	its number, set on success only
 * @err:	quotes @text on failure
 *
 * Return: 0; -EINVAL.
 */
int signal_parse(const char *text, int *ret, struct err *err);

/* Whether somebody asks us to end: such signals are blocked, and one waits to be read. */
bool signals_end_pending(void);

/* Goes back to @mask, and forgets what came while they were blocked: at an end that is no news. */
void signals_unblock(const sigset_t *mask);

#endif
