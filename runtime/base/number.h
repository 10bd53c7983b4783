#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

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
 * @text:	digits and one of b k m g t, upper or lower case, or with "iB": powers
 *		of 1024, as docker(1) reads them
 * @min:	smallest value allowed, bytes
 * @max:	largest value allowed, bytes
 * @ret:	bytes, set on success only
 * @err:	quotes @text and the range on failure
 *
 * Return: 0; -EINVAL for a malformed size; -ERANGE outside @min..@max.
 */
int size_parse(const char *text, uint64_t min, uint64_t max, uint64_t *ret,
               struct err *err);

#endif
