#include "base/number.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
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
		{ "", 0 },     { "b", 0 },   { "k", 10 },   { "kb", 10 },  { "ki", 10 },
		{ "kib", 10 }, { "m", 20 },  { "mb", 20 },  { "mi", 20 },  { "mib", 20 },
		{ "g", 30 },   { "gb", 30 }, { "gi", 30 },  { "gib", 30 }, { "t", 40 },
		{ "tb", 40 },  { "ti", 40 }, { "tib", 40 },
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
	return err_set(err, EINVAL,
	               "'%s' is not a size (a whole number of bytes, or with k, m, g or "
	               "t: 512m, 512mb, 512Mi or 512MiB)",
	               text);
}

void size_text(uint64_t bytes, char *out, size_t size)
{
	static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double n = (double)bytes;
	size_t i = 0;

	while (n >= 1024 && i + 1 < sizeof(unit) / sizeof(unit[0])) {
		n /= 1024;
		i++;
	}
	(void)snprintf(out, size, i > 0 ? "%.1f %s" : "%.0f %s", n, unit[i]);
}

/* The units of a time, from the largest one. */
static const struct {
	char name;
	uint64_t seconds;
} units_of_time[] = { { 'h', 3600 }, { 'm', 60 }, { 's', 1 } };

#define TIME_UNITS (sizeof(units_of_time) / sizeof(units_of_time[0]))

/* Return: 0; -EINVAL; -ERANGE. */
static int read_duration(const char *text, uint64_t *ret)
{
	uint64_t sum = 0;
	size_t unit = 0;
	int r;

	do {
		uint64_t value = 0;

		r = digits(text, &value, &text);
		if (r < 0)
			return r;
		/* Without any unit: seconds. */
		if (*text == '\0' && unit == 0) {
			*ret = value;
			return 0;
		}
		while (unit < TIME_UNITS && units_of_time[unit].name != *text)
			unit++;
		if (unit == TIME_UNITS)
			return -EINVAL;
		if (__builtin_mul_overflow(value, units_of_time[unit].seconds, &value) ||
		    __builtin_add_overflow(sum, value, &sum))
			return -ERANGE;
		unit++;
	} while (*++text);
	*ret = sum;
	return 0;
}

int duration_parse(const char *text, uint64_t min, uint64_t max, uint64_t *ret,
                   struct err *err)
{
	char least[DURATION_TEXT_MAX], most[DURATION_TEXT_MAX];
	uint64_t value = 0;
	int r = read_duration(text, &value);

	if (r == -EINVAL)
		return err_set(err, EINVAL, "'%s' is not a time (as 45s, 30m or 1h30m)",
		               text);
	if (r == -ERANGE || value < min || value > max)
		return err_set(err, ERANGE, "'%s' is not in %s..%s", text,
		               duration_text(min, least), duration_text(max, most));
	*ret = value;
	return 0;
}

const char *duration_text(uint64_t seconds, char ret[DURATION_TEXT_MAX])
{
	size_t at = 0;

	for (size_t i = 0; i < TIME_UNITS; i++) {
		const uint64_t n = seconds / units_of_time[i].seconds;

		seconds %= units_of_time[i].seconds;
		if (n > 0 || (i + 1 == TIME_UNITS && at == 0))
			at += (size_t)snprintf(ret + at, DURATION_TEXT_MAX - at,
			                       "%" PRIu64 "%c", n, units_of_time[i].name);
	}
	return ret;
}
