#ifndef HTML_H
#define HTML_H

#include <stdio.h>

/**
 * html() - Write a piece of a page
 * @out:	where to
 * @fmt:	markup, with %s, %d, %u, %zu and PRIu64 for what is put in
 *
 * What is put in for %s becomes text, also inside of quotes: no markup, no control
 * character and none that turns the direction of writing is left of it. NULL is "".
 */
void html(FILE *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The text alone, escaped likewise. */
void html_text(FILE *out, const char *text);

#endif
