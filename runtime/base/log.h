#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/err.h"

/*
 * Only main.c, the supervisor and apply.c (optional steps) log: each failure is
 * printed once. Everything goes to standard error, one line a call.
 */
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* "berth: STEP: what: reason", then "hint: ..." where there is one. */
void log_err(const struct err *err);

#endif
