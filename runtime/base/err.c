#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	assert(err->code == 0);
	err->code = code > 0 ? code : EINVAL;
	va_start(ap, fmt);
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return -err->code;
}

/* Cuts at the end where room runs out, as err.h says of @text. */
static void append(char text[ERR_TEXT_MAX], const char *more)
{
	size_t len = strlen(text);
	size_t n = strnlen(more, ERR_TEXT_MAX - 1 - len);

	memcpy(text + len, more, n);
	text[len + n] = '\0';
}

int err_wrap(struct err *err, const char *fmt, ...)
{
	char inner[ERR_TEXT_MAX];
	va_list ap;

	assert(err->code > 0);
	memcpy(inner, err->text, sizeof(inner));
	va_start(ap, fmt);
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	append(err->text, ": ");
	append(err->text, inner);
	return -err->code;
}

int err_hint(struct err *err, const char *fmt, ...)
{
	va_list ap;

	assert(err->code > 0);
	if (err->hint[0] == '\0') {
		va_start(ap, fmt);
		(void)vsnprintf(err->hint, sizeof(err->hint), fmt, ap);
		va_end(ap);
	}
	return -err->code;
}

int err_step(struct err *err, const char *step)
{
	assert(err->code > 0);
	if (err->step[0] == '\0')
		(void)snprintf(err->step, sizeof(err->step), "%s", step);
	return -err->code;
}

void err_clear(struct err *err)
{
	memset(err, 0, sizeof(*err));
}
