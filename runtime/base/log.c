#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void log_warn(const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	(void)fprintf(stderr, "berth: warning: %s\n", line);
}

void log_err(const struct err *err)
{
	(void)fprintf(stderr, "berth: %s%s%s: %s\n", err->step, err->step[0] ? ": " : "",
	              err->text, strerror(err->code));
	if (err->hint[0])
		(void)fprintf(stderr, "hint: %s\n", err->hint);
}
