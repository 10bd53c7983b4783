#include "base/nearest.h"

#include <stdio.h>
#include <string.h>

#define WORD_MAX 40

static unsigned int least(unsigned int a, unsigned int b, unsigned int c)
{
	unsigned int ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Insertions, deletions, replacements and swapped neighbours between two words. */
static unsigned int distance(const char *a, const char *b)
{
	size_t la = strnlen(a, WORD_MAX), lb = strnlen(b, WORD_MAX);
	unsigned int d[WORD_MAX + 1][WORD_MAX + 1];

	for (size_t i = 0; i <= la; i++)
		d[i][0] = (unsigned int)i;
	for (size_t j = 0; j <= lb; j++)
		d[0][j] = (unsigned int)j;
	for (size_t i = 1; i <= la; i++) {
		for (size_t j = 1; j <= lb; j++) {
			unsigned int other = a[i - 1] != b[j - 1];

			d[i][j] = least(d[i - 1][j] + 1, d[i][j - 1] + 1,
			                d[i - 1][j - 1] + other);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < d[i][j])
				d[i][j] = d[i - 2][j - 2] + 1;
		}
	}
	return d[la][lb];
}

void nearest_begin(struct nearest *nearest, const char *word)
{
	*nearest = (struct nearest){ .word = word, .best = strlen(word) < 4 ? 1 : 2 };
}

void nearest_try(struct nearest *nearest, const char *known)
{
	size_t len = strlen(nearest->word);
	unsigned int d = distance(nearest->word, known);

	/* A word cut short is nearer than any typing error. */
	if (len >= 3 && !strncmp(nearest->word, known, len))
		d = 0;
	if (d < nearest->best || (d == nearest->best && !nearest->ret)) {
		nearest->best = d;
		nearest->ret = known;
	}
}

const char *nearest_text(const struct nearest *nearest, char ret[NEAREST_TEXT_MAX])
{
	ret[0] = '\0';
	if (nearest->ret)
		(void)snprintf(ret, NEAREST_TEXT_MAX, ", did you mean '%.70s'?",
		               nearest->ret);
	return ret;
}
