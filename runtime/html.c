#include "html.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/terminal.h"
#include "policies/json.h"

/*
 * Characters that nobody sees, or that show what follows in another order (Unicode's Bidi_Control
 * and zero-width ones): U+061C, U+200B to U+200F, U+202A to U+202E, U+2060 to U+2069, U+FEFF.
 */
static size_t hidden(const char *text)
{
	const unsigned char *c = (const unsigned char *)text;

	if (c[0] == 0xe2 && c[1] == 0x80 &&
	    ((c[2] >= 0x8b && c[2] <= 0x8f) || (c[2] >= 0xa8 && c[2] <= 0xae)))
		return 3;
	if (c[0] == 0xe2 && c[1] == 0x81 && c[2] >= 0xa0 && c[2] <= 0xaf)
		return 3;
	if (c[0] == 0xd8 && c[1] == 0x9c)
		return 2;
	return c[0] == 0xef && c[1] == 0xbb && c[2] == 0xbf ? 3 : 0;
}

static const char *entity(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

static void put_bytes(FILE *out, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		(void)fprintf(out, "\\x%02x", (unsigned char)text[i]);
}

void html_text(FILE *out, const char *text)
{
	while (text && *text) {
		size_t len = json_utf8(text, strnlen(text, 4));
		size_t bad = terminal_control(text);

		if (bad == 0)
			bad = hidden(text);
		if (len == 0)
			bad = len = 1;
		if (bad > 0)
			put_bytes(out, text, bad);
		else if (entity(*text))
			(void)fputs(entity(*text), out);
		else
			(void)fwrite(text, 1, len, out);
		text += bad > 0 ? bad : len;
	}
}

/* One conversion; @fmt is behind the '%'. Return: its last character. */
static const char *put(FILE *out, const char *fmt, va_list *ap)
{
	if (*fmt == 's') {
		html_text(out, va_arg(*ap, const char *));
	} else if (*fmt == 'd') {
		(void)fprintf(out, "%d", va_arg(*ap, int));
	} else if (*fmt == 'u') {
		(void)fprintf(out, "%u", va_arg(*ap, unsigned int));
	} else if (!strncmp(fmt, "zu", 2)) {
		(void)fprintf(out, "%zu", va_arg(*ap, size_t));
		return fmt + 1;
	} else if (!strncmp(fmt, PRIu64, strlen(PRIu64))) {
		(void)fprintf(out, "%" PRIu64, va_arg(*ap, uint64_t));
		return fmt + strlen(PRIu64) - 1;
	} else {
		(void)fputc('%', out); /* "%%" */
	}
	return fmt;
}

void html(FILE *out, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	for (; *fmt; fmt++) {
		if (*fmt == '%')
			fmt = put(out, fmt + 1, &ap);
		else
			(void)fputc(*fmt, out);
	}
	va_end(ap);
}
