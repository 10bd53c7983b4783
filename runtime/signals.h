#ifndef SIGNALS_H
#define SIGNALS_H

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

#endif
