#ifndef ENTRIES_H
#define ENTRIES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "control.h"
#include "options.h"

/* What the commands that look at workspaces share. */

/**
 * entries_fn - What a command does with one workspace
 * @ctx:	as given to entries_walk()
 * @state:	directory of all entries
 * @entry:	of this one
 * @name:	of this one
 * @err:	filled in on failure
 *
 * Return: an exit status, 0 to 255, or -errno.
 */
typedef int entries_fn(void *ctx, int state, int entry, const char *name,
                       struct err *err);

/**
 * struct entries - The workspaces named on a command line
 * @command:	for messages
 * @name:	the names
 * @n:		their number; 0 for all that run
 * @missing_ok:	one that does not exist is no failure
 */
struct entries {
	const char *command;
	char *const *name;
	int n;
	bool missing_ok;
};

/**
 * entries_options() - Read the options and the names of such a command
 * @options:	its syntax
 * @into:	for the setters
 * @argc, @argv: of the command
 * @max:	names it takes, 0 for any number; at least one is needed, unless the syntax
 *		says "[NAME...]"
 * @ret:	set on success only, borrows from @argv
 * @err:	filled in on failure
 *
 * Return: 0; OPTIONS_HELP; -EINVAL.
 */
int entries_options(const struct options *options, void *into, int argc, char **argv,
                    int max, struct entries *ret, struct err *err);

/**
 * entries_walk() - Do something with each of the workspaces named
 * @wanted:	which
 * @fn:		what, called with @ctx
 * @err:	the last failure
 *
 * One that fails does not keep the others from being served. Every failure but the
 * last is printed here, since @err holds one.
 *
 * Return: the first status that is not 0, if nothing failed; else -errno of the last
 * failure.
 */
int entries_walk(const struct entries *wanted, entries_fn *fn, void *ctx,
                 struct err *err);

/**
 * entries_only() - The workspace that runs, where there is exactly one
 * @state:	directory of all entries
 * @arena:	owns the result
 * @ret:	its name
 * @err:	filled in on failure; names those there are
 *
 * Return: 0; -ESRCH where none runs; -EINVAL where several do; else -errno.
 */
int entries_only(int state, struct arena *arena, const char **ret, struct err *err);

/* The state directory, tidied up, or -ENOENT where there is none. */
int entries_open(struct err *err);

/**
 * entries_wait_dead() - Wait until nobody holds an entry's lock
 * @entry:	of a workspace that has just ended
 * @timeout_ms:	milliseconds
 *
 * Its supervisor still removes its groups and writes its record then.
 *
 * Return: whether it is dead.
 */
bool entries_wait_dead(int entry, unsigned int timeout_ms);

/* Milliseconds within which a supervisor has cleaned up after the end. */
#define ENTRIES_END_MS 10000

/**
 * entries_ask() - control_ask(), also of one that is just being launched again
 * @entry:	of the workspace
 * @request:	what to ask
 * @err:	filled in on failure
 *
 * Between two starts there is no socket for a moment, and nobody who could be told.
 *
 * Return: 0, or -errno as control_ask().
 */
int entries_ask(int entry, const struct control_request *request, struct err *err);

/* PID 1 of a workspace that runs, by its number in our /proc; -errno. */
pid_t entries_init(int entry, struct err *err);

/* Setter for a number of seconds: @field is a uint64_t. */
int option_seconds(void *field, const char *value, struct err *err);

/* Setter for "--format": @field is a bool, true for "json", false for "table". */
int option_table_or_json(void *field, const char *value, struct err *err);

/* Of what failed since the workspace @name does not run: what mends it. Return: -err->code. */
int entries_stopped(const char *name, struct err *err);

#endif
