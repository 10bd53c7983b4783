#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "base/number.h"

#define MIN 3
#define MAX 1000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The contract: 0 and a value in range, or a code, a text and no value. */
static void check(int r, uint64_t value, const struct err *err)
{
	if (r != -err->code || (r < 0) != (err->text[0] != '\0'))
		__builtin_trap();
	if (r < 0 ? value != 0 : value < MIN || value > MAX)
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = { 0 };
	uint64_t value = 0;
	char text[128];
	int r;

	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';

	r = number_parse(text, MIN, MAX, &value, &err);
	check(r, value, &err);

	err_clear(&err);
	value = 0;
	r = size_parse(text, MIN, MAX, &value, &err);
	check(r, value, &err);
	return 0;
}
