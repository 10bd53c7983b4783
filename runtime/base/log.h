#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/*
 * Only main.c, the supervisor and apply.c (optional steps) log: each failure is
 * printed once. Everything goes to standard error, one line a call.
 */
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* What happens, for who reads the logs of a pod: no warning, no failure. */
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/**
 * log_patient() - Whether log_warn() and log_info() wait for whoever reads standard error
 * @yes:	as it begins. Otherwise a line that finds no room is left out: who serves others
 *		must not wait for a pager, or for a terminal that is stopped
 */
void log_patient(bool yes);

/* "berth: STEP: what: reason", then "hint: ..." where there is one. */
void log_err(const struct err *err);

/* The same as a text, cut to @size bytes with its NUL. Return: its length. */
size_t log_err_text(const struct err *err, char *buf, size_t size);

#endif
