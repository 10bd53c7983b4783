#ifndef NEAREST_H
#define NEAREST_H

#include <stddef.h>

/**
 * struct nearest - The known word that was probably meant
 * @word:	what was given, not one of the known ones
 * @best:	distance of @ret
 * @ret:	the nearest so far, NULL for none that is near enough
 */
struct nearest {
	const char *word;
	unsigned int best;
	const char *ret;
};

/* Begin to look for what is near @word, both borrowed. */
void nearest_begin(struct nearest *nearest, const char *word);

/* One of the known words; the earlier of two that are as near is kept. */
void nearest_try(struct nearest *nearest, const char *known);

#define NEAREST_TEXT_MAX 96

/* ", did you mean 'WORD'?" for the end of a message, "" where none is near. Return: @ret. */
const char *nearest_text(const struct nearest *nearest, char ret[NEAREST_TEXT_MAX]);

#endif
