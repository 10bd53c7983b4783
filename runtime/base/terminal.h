#ifndef BASE_TERMINAL_H
#define BASE_TERMINAL_H

#include <stddef.h>

/**
 * terminal_control() - Whether a text begins with what a terminal may obey
 * @text:	NUL-terminated, UTF-8
 *
 * Controls of C0 and DEL are one byte, those of C1 (U+0080 to U+009F) two; U+009B is as
 * good as ESC and "[".
 *
 * Return: length of the control character in bytes, 0 where there is none.
 */
static inline size_t terminal_control(const char *text)
{
	const unsigned char c = (unsigned char)text[0];

	if (c == 0xc2) {
		const unsigned char next = (unsigned char)text[1];

		return next >= 0x80 && next < 0xa0 ? 2 : 0;
	}
	return c != '\0' && (c < ' ' || c == 0x7f) ? 1 : 0;
}

/* A '?' for each byte of it: one line, which moves no terminal's cursor. */
static inline void terminal_mute(char *text)
{
	for (; *text; text++)
		for (size_t n = terminal_control(text); n > 0; n--)
			text[n - 1] = '?';
}

#endif
