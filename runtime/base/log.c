#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What somebody named so begins no line of its own, and moves no terminal's cursor. */
static const char *one_line(char *text)
{
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	return text;
}

void log_warn(const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	(void)fprintf(stderr, "berth: warning: %s\n", one_line(line));
}

void log_err(const struct err *err)
{
	struct err copy = *err;

	(void)fprintf(stderr, "berth: %s%s%s: %s\n", err->step, err->step[0] ? ": " : "",
	              one_line(copy.text), strerror(err->code));
	if (err->hint[0])
		(void)fprintf(stderr, "hint: %s\n", one_line(copy.hint));
}
