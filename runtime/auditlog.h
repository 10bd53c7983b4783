#ifndef AUDITLOG_H
#define AUDITLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "config.h"

/*
 * What was done with a workspace, and what it met: JSON lines of one schema, docs/audit-log.md.
 * Written by the supervisor, out of reach of root inside.
 */

/* Where a log is not given a size. */
#define AUDITLOG_SIZE (UINT64_C(16) << 20)
#define AUDITLOG_SIZE_MIN (UINT64_C(64) << 10)

/**
 * struct auditlog - The writing side
 * @config:	borrowed; without config->audit_log nothing ever happens
 * @trouble:	called when lines begin to be lost, with a line for people
 * @ctx:	for @trouble
 * @dir, @base:	of the file; the directory is owned
 * @fd:		of the file, owned; standard error's where it goes there
 * @seq:	of the last line
 * @piece:	most bytes of one write, where a longer one could wait
 * @torn:	half a line stands there: an end is due before the next one
 * @troubled:	@trouble was called since a line could last be written
 * @lost:	lines since the last one that could be written
 */
struct auditlog {
	const struct config *config;
	void (*trouble)(void *ctx, const char *line);
	void *ctx;
	int dir, fd;
	const char *base;
	size_t piece;
	bool is_stderr, torn, troubled;
	uint64_t seq, lost;
};

/* docs/audit-log.md tells of each, with its keys. */
enum auditlog_event {
	EVENT_START,
	EVENT_FAILED,
	EVENT_EXEC,
	EVENT_PORT,
	EVENT_UPDATE,
	EVENT_LIMIT,
	EVENT_OOM_KILL,
	EVENT_EGRESS_DENIED,
	EVENT_MORE,
	EVENT_HOOK,
	EVENT_HOOK_FAILED,
	EVENT_IDLE_WARN,
	EVENT_IDLE_STOP,
	EVENT_SYSCALL_REFUSED,
	EVENT_SYSCALLS_UNHEARD,
	EVENT_STOP,
	EVENT_KILL,
	EVENT_EXIT,
	EVENT_LOST,
	EVENT_MAX,
};

extern const char *const auditlog_event_name[EVENT_MAX];

enum auditlog_kind { AUDITLOG_TEXT, AUDITLOG_NUMBER, AUDITLOG_BOOL, AUDITLOG_WORDS };

/**
 * struct auditlog_field - A member of a line
 * @key:	its name
 * @kind:	which of the others is set
 * @text:	AUDITLOG_TEXT, NULL for null; AUDITLOG_WORDS: words that end with a NUL each
 * @number:	AUDITLOG_NUMBER, AUDITLOG_BOOL; AUDITLOG_WORDS: the bytes of @text
 */
struct auditlog_field {
	const char *key;
	enum auditlog_kind kind;
	const char *text;
	int64_t number;
};

/**
 * auditlog_open() - Get ready to write
 * @log:	@config, @trouble and @ctx are set
 * @err:	filled in on failure
 *
 * Refused is a file that is no regular file or pipe, and one in a volume that the workspace
 * can write to.
 *
 * Return: 0; -EPERM, -ELOOP or -EISDIR for those; else -errno where config->audit_required.
 */
int auditlog_open(struct auditlog *log, struct err *err);

/**
 * auditlog_put() - Write a line, before what it tells of is done
 * @log:	opened
 * @event:	what it tells of
 * @field, @n:	its members beside "version", "seq", "time", "workspace" and "event"
 * @err:	filled in on failure
 *
 * Return: 0 where it was written, or where a log may have gaps; -errno where it was not, and
 * config->audit_required: then what it tells of must not be done.
 */
int auditlog_put(struct auditlog *log, enum auditlog_event event,
                 const struct auditlog_field *field, size_t n, struct err *err);

/*
 * Of the lines that root inside can cause: so many of a kind at once, then one in that time, which
 * is as long again after each AUDITLOG_MANY of them: a month of everything at once, all the time,
 * is about what a log and the one before it hold.
 */
#define AUDITLOG_AT_ONCE 100
#define AUDITLOG_EACH_MS 10000
#define AUDITLOG_MANY 500

/**
 * struct auditlog_rate - What of a kind of event may be written
 * @due:	when the next line would be without a burst; ms
 * @told:	how many were, for good
 * @untold:	how many were not, since the last one that was
 *
 * The file has a size: who fills it pushes out what tells of him.
 */
struct auditlog_rate {
	uint64_t due, told, untold;
};

/* Whether one more may be written @now, ms of a clock that never goes back; then it counts. */
bool auditlog_may(struct auditlog_rate *rate, uint64_t now);

void auditlog_close(struct auditlog *log);

/**
 * auditlog_policy() - All that was asked for as one policy, without the values of variables
 * @config:	of a workspace
 * @ret:	a JSON document; owned by the caller, free(3)
 * @err:	filled in on failure
 *
 * Return: 0; -ENOMEM.
 */
int auditlog_policy(const struct config *config, char **ret, struct err *err);

#endif
