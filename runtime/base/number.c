#include "base/number.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <strings.h>

/* Digits at the start of @text; -EINVAL or -ERANGE where they are no number. */
static int digits(const char *text, uint64_t *ret, const char **ret_end)
{
	uint64_t value = 0;
	const char *p = text;

	if (*p < '0' || *p > '9' || (*p == '0' && p[1] >= '0' && p[1] <= '9'))
		return -EINVAL;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
			return -ERANGE;
	*ret = value;
	*ret_end = p;
	return 0;
}

int number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *ret,
                 struct err *err)
{
	const char *end = NULL;
	uint64_t value = 0;
	int r = digits(text, &value, &end);

	if (r == -EINVAL || (r == 0 && *end != '\0'))
		return err_set(err, EINVAL, "'%s' is not a number", text);
	if (r == -ERANGE || value < min || value > max)
		return err_set(err, ERANGE, "'%s' is not in %" PRIu64 "..%" PRIu64, text,
		               min, max);
	*ret = value;
	return 0;
}

int size_parse(const char *text, uint64_t min, uint64_t max, uint64_t *ret,
               struct err *err)
{
	static const struct {
		const char *name;
		unsigned int shift;
	} units[] = {
		{ "", 0 },     { "b", 0 },  { "k", 10 },   { "kib", 10 }, { "m", 20 },
		{ "mib", 20 }, { "g", 30 }, { "gib", 30 }, { "t", 40 },   { "tib", 40 },
	};
	const char *end = NULL;
	uint64_t value = 0;
	int r = digits(text, &value, &end);

	for (size_t i = 0; r == 0 && i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcasecmp(end, units[i].name) != 0)
			continue;
		if (value > UINT64_MAX >> units[i].shift) {
			r = -ERANGE;
			break;
		}
		value <<= units[i].shift;
		if (value < min || value > max) {
			r = -ERANGE;
			break;
		}
		*ret = value;
		return 0;
	}
	if (r == -ERANGE)
		return err_set(err, ERANGE,
		               "'%s' is not in %" PRIu64 "..%" PRIu64 " bytes", text, min,
		               max);
	return err_set(err, EINVAL, "'%s' is not a size (a number with k, m, g or t)",
	               text);
}
