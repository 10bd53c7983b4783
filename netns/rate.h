#ifndef NETNS_RATE_H
#define NETNS_RATE_H

#include <stdint.h>

#include "base/err.h"

/* What a rate may be, bytes a second: 64 kbit/s to 100 Gbit/s. */
#define RATE_MIN UINT64_C(8000)
#define RATE_MAX UINT64_C(12500000000)

/**
 * rate_parse() - Read "100mbit", "2gbit" or "10MB"
 * @text:	a number and kbit, mbit or gbit (a second), or KB, MB or GB (bytes a
 *		second); all are powers of 1000, and capital letters are as small ones,
 *		but for the B of bytes
 * @ret:	bytes a second; set on success only
 * @err:	quotes @text, and says what is taken
 *
 * Return: 0; -EINVAL for anything else; -ERANGE outside RATE_MIN..RATE_MAX.
 */
int rate_parse(const char *text, uint64_t *ret, struct err *err);

#define RATE_TEXT_MAX 32

/* What rate_parse() made of a text, in bits, as "80mbit". Return: @ret. */
const char *rate_text(uint64_t bytes, char ret[RATE_TEXT_MAX]);

#endif
