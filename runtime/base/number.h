#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/**
 * number_parse() - Read a decimal number, all of it, in a range
 * @text:	digits only: no sign, no blank, no leading zero but "0" itself
 * @min:	smallest value allowed
 * @max:	largest value allowed
 * @ret:	set on success only
 * @err:	quotes @text and the range on failure
 *
 * Return: 0; -EINVAL for anything but digits; -ERANGE outside @min..@max.
 */
int number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *ret,
                 struct err *err);

/**
 * size_parse() - Read a number of bytes: "64k", "512M", "2g", "1048576"
 * @text:	digits and one of b k m g t, upper or lower case, or with "b", "i" or
 *		"iB" behind it, as docker(1) and Kubernetes write them: powers of 1024
 * @min:	smallest value allowed, bytes
 * @max:	largest value allowed, bytes
 * @ret:	bytes, set on success only
 * @err:	quotes @text and the range on failure
 *
 * Return: 0; -EINVAL for a malformed size; -ERANGE outside @min..@max.
 */
int size_parse(const char *text, uint64_t min, uint64_t max, uint64_t *ret,
               struct err *err);

/* Writes "1.5 GiB" for people. @size: of @out, 16 bytes are enough. */
void size_text(uint64_t bytes, char *out, size_t size);

/**
 * duration_parse() - Read a length of time: "90", "45s", "30m", "1h30m"
 * @text:	a number of seconds; or numbers with h, m and s behind them, in that order, each
 *		once at most, as docker(1) writes them
 * @min:	smallest value allowed, seconds
 * @max:	largest value allowed, seconds
 * @ret:	seconds, set on success only
 * @err:	quotes @text and the range on failure
 *
 * Return: 0; -EINVAL for what is no such time; -ERANGE outside @min..@max.
 */
int duration_parse(const char *text, uint64_t min, uint64_t max, uint64_t *ret,
                   struct err *err);

/* Room for any duration_text(). */
#define DURATION_TEXT_MAX 40

/* "1h30m", "45s", "0s": what duration_parse() reads. Return: @ret. */
const char *duration_text(uint64_t seconds, char ret[DURATION_TEXT_MAX]);

#endif
