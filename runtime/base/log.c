#include "base/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/terminal.h"

/* What somebody named so begins no line of its own, and moves no terminal's cursor. */
static const char *one_line(char *text)
{
	terminal_mute(text);
	return text;
}

static bool impatient;

void log_patient(bool yes)
{
	impatient = !yes;
}

/* A line is shorter than what a pipe with any room takes (PIPE_BUF). */
static bool has_room(void)
{
	struct pollfd pfd = { .fd = STDERR_FILENO, .events = POLLOUT };

	return !impatient || (poll(&pfd, 1, 0) == 1 && pfd.revents & POLLOUT);
}

void log_warn(const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (has_room())
		(void)fprintf(stderr, "berth: warning: %s\n", one_line(line));
}

void log_info(const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (has_room())
		(void)fprintf(stderr, "berth: %s\n", one_line(line));
}

size_t log_err_text(const struct err *err, char *buf, size_t size)
{
	struct err copy = *err;
	int len = snprintf(buf, size, "berth: %s%s%s: %s\n%s%s%s", err->step,
	                   err->step[0] ? ": " : "", one_line(copy.text),
	                   strerror(err->code), err->hint[0] ? "hint: " : "",
	                   one_line(copy.hint), err->hint[0] ? "\n" : "");

	return len < 0 ? 0 : (size_t)len < size ? (size_t)len : size - 1;
}

void log_err(const struct err *err)
{
	char text[1024];

	(void)log_err_text(err, text, sizeof(text));
	(void)fputs(text, stderr);
}
