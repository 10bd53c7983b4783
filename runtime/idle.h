#ifndef IDLE_H
#define IDLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "config.h"
#include "loop.h"

/* What the reason of such an end begins with. */
#define IDLE_REASON "idle for "

/* Percent of one processor that are no use yet, where --idle-cpu does not say. */
#define IDLE_CPU 5

/* It is told so long before the end: a tenth of the time, and no more than that. */
#define IDLE_WARN_MAX_S 300

/* The time between the warning and the end, in seconds; 0 where the time is too short. */
uint64_t idle_warn_s(uint64_t stop_s);

/* How often it is looked, in milliseconds. */
int64_t idle_look_ms(uint64_t stop_s);

/**
 * struct idle_clock - Since when nobody uses the workspace
 * @stop_s:	for how long nobody may
 * @used_ms:	when somebody did last, CLOCK_MONOTONIC: a machine that sleeps is no reason
 * @warned:	it was told since
 */
struct idle_clock {
	uint64_t stop_s;
	int64_t used_ms;
	bool warned;
};

enum idle_verdict {
	IDLE_GO_ON,
	IDLE_WARN,  /* the end is near */
	IDLE_AGAIN, /* it was, and now it is used again */
	IDLE_STOP,
};

/* Pure. @used: whether it was used just now. */
enum idle_verdict idle_judge(struct idle_clock *clock, int64_t now_ms, bool used);

/* Pure: whether @cpu_us of processor time in @us are at least @percent of one processor. */
bool idle_cpu_used(uint64_t cpu_us, uint64_t us, uint64_t percent);

/**
 * struct idle - The supervisor's eye on whether somebody uses the workspace
 * @config:	borrowed; config_stops_idle() is true of it
 * @limits:	the workspace's group, whose processor time counts; -EBADF for none, and then
 *		that of its processes is added up
 * @init:	its PID 1, by its number in our /proc
 * @pidns:	inode number of its PID namespace
 * @terminal:	it has somebody's terminal for all of its life
 * @ask:	asks who is connected, and idle_connections() is told, once, or not at all;
 *		returns false where nobody knows
 * @warn:	the end is near, in @left_s seconds
 * @again:	it is not any more
 * @stop:	it has come
 * @say:	a line for people, about trouble
 * @ctx:	for those
 *
 * The rest is its own. All that counts is the kernel's to tell, or the relay's: nothing that
 * the workspace writes is believed. Whoever has root inside can use the processor, and so
 * keep it from its end.
 */
struct idle {
	const struct config *config;
	int limits;
	pid_t init;
	ino_t pidns;
	bool terminal;
	bool (*ask)(void *ctx);
	void (*warn)(void *ctx, uint64_t left_s);
	void (*again)(void *ctx);
	void (*stop)(void *ctx);
	void (*say)(void *ctx, const char *line);
	void *ctx;

	struct loop *loop;
	struct idle_clock clock;
	int timer, session;
	bool asked, blind;
	int64_t looked_ms;
	uint64_t cpu_us;
};

/* Takes zeroed memory: sets all descriptors to -EBADF. */
void idle_init(struct idle *idle);

/**
 * idle_start() - Begin to look
 * @idle:	all but its own is set
 * @loop:	borrowed
 * @err:	filled in on failure
 *
 * Return: 0; -errno where processor time cannot be seen, with a hint.
 */
int idle_start(struct idle *idle, struct loop *loop, struct err *err);

/**
 * idle_session() - Somebody enters
 * @idle:	started or not
 *
 * Return: a descriptor for him: as long as a copy of it is open he is there; owned by the
 * caller. -EBADF where nobody counts sessions.
 */
int idle_session(struct idle *idle);

/* The answer to @ask, late or not: connections that stand, and what came since the last answer. */
void idle_connections(struct idle *idle, uint64_t count);

void idle_close(struct idle *idle);

#endif
