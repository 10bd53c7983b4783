#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/**
 * clock_ns() - What a clock shows
 * @clock:	CLOCK_MONOTONIC for time that passes, CLOCK_REALTIME for what people read,
 *		or another of clock_gettime(2)
 *
 * Return: nanoseconds; of CLOCK_REALTIME since 1970.
 */
static inline int64_t clock_ns(clockid_t clock)
{
	struct timespec ts = { 0 };

	(void)clock_gettime(clock, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

/**
 * clock_ms() - The same in milliseconds, rounded down
 * @clock:	as for clock_ns()
 *
 * Return: milliseconds.
 */
static inline int64_t clock_ms(clockid_t clock)
{
	return clock_ns(clock) / 1000000;
}

#endif
