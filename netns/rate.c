#include "netns/rate.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/number.h"

static const struct {
	const char *name;
	uint64_t times, divided; /* to bytes a second */
} units[] = {
	{ "kbit", 1000, 8 }, { "mbit", 1000000, 8 }, { "gbit", 1000000000, 8 },
	{ "kb", 1000, 1 },   { "mb", 1000000, 1 },   { "gb", 1000000000, 1 },
};

int rate_parse(const char *text, uint64_t *ret, struct err *err)
{
	const size_t digits = strspn(text, "0123456789");
	const char small = (char)tolower((unsigned char)text[digits]);
	bool ambiguous = false;
	struct err wrong = { 0 };
	char number[24];
	uint64_t n;

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcasecmp(text + digits, units[i].name) != 0)
			continue;
		if (digits == 0 || digits >= sizeof(number))
			break;
		/* 10Mb is ten megabits to who knows networks, to others it is 10MB. */
		ambiguous = units[i].divided == 1 && text[digits + 1] == 'b';
		if (ambiguous)
			break;
		(void)snprintf(number, sizeof(number), "%.*s", (int)digits, text);
		/* So many that the product fits; the range comes after. */
		if (number_parse(number, 0, UINT64_MAX / units[i].times, &n, &wrong) <
		    0) {
			if (wrong.code == ERANGE)
				n = UINT64_MAX / units[i].times;
			else
				break;
		}
		n = n * units[i].times / units[i].divided;
		if (n < RATE_MIN || n > RATE_MAX)
			return err_set(err, ERANGE, "'%s' is not in 64kbit..100gbit",
			               text);
		*ret = n;
		return 0;
	}
	if (ambiguous)
		return err_set(err, EINVAL,
		               "'%s' may be bits or bytes: say %.*s%cbit or %.*s%cB",
		               text, (int)digits, text, small, (int)digits, text,
		               toupper((unsigned char)small));
	return err_set(err, EINVAL,
	               "'%s' is no rate such as 100mbit, 2gbit or 10MB (bytes a second)",
	               text);
}

const char *rate_text(uint64_t bytes, char ret[RATE_TEXT_MAX])
{
	size_t i = 2; /* the largest of bits that it is a whole number of */

	while (i > 0 && bytes * 8 % units[i].times != 0)
		i--;
	(void)snprintf(ret, RATE_TEXT_MAX, "%" PRIu64 "%s", bytes * 8 / units[i].times,
	               units[i].name);
	return ret;
}
