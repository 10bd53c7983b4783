#ifndef STATE_INTERNAL_H
#define STATE_INTERNAL_H

/* What state.c, state_tidy.c, record.c and record_text.c share; nobody else includes this. */

#include <stdbool.h>

#include "state.h"

/* The bytes of ENTRY/lock. */
enum state_lock {
	STATE_LOCK_LIFE,  /* held by the supervisor and its children */
	STATE_LOCK_CHORE, /* held by a command while it cleans up or removes */
};

/* Opens ENTRY/lock, making it with @create; a descriptor or -errno. */
int state_lock_open(int entry, bool create);

/* Takes a lock without waiting: 0, or -EAGAIN where somebody has it, or -errno. */
int state_lock_take(int fd, enum state_lock which);
void state_lock_drop(int fd, enum state_lock which);

/* Whether @entry is still what @name stands for in @state. */
bool state_is(int state, const char *name, int entry);

/* A name of a hidden entry, which state_each() passes over: ".WORD-RANDOM". */
#define STATE_HIDDEN_MAX 48
int state_hidden_name(const char *word, char ret[STATE_HIDDEN_MAX], struct err *err);

/* state_read() of the file alone: does not ask who lives. */
int state_read_dead(int entry, const char *name, struct arena *arena, struct record *ret,
                    struct err *err);

/* A text of bytes as one of UTF-8. Return: what it made, to be freed; NULL: no memory. */
char *record_escape(const char *text);
/* Return: the bytes, in @arena; NULL with @err set for what record_escape() never made. */
const char *record_unescape(const char *text, struct arena *arena, struct err *err);

/* Whether it tells how a life ended: also while the image is fetched for the next one. */
bool state_is_past(const struct record *record);

/* Whether nothing is lost with a dead entry: --rm, or nothing ever ran in it. */
bool state_disposable(const struct record *record);

/**
 * state_dispose() - Remove a dead entry, and what it left outside, if nothing is lost
 * @state:	from state_open()
 * @name:	of the entry
 * @entry:	its directory; the caller holds STATE_LOCK_CHORE, and nobody the other
 * @ret_kept:	set where the entry is kept: what its record says
 * @arena:	owns the strings of @ret_kept
 * @err:	filled in on failure
 *
 * Return: 1 removed; 0 kept; -errno.
 */
int state_dispose(int state, const char *name, int entry, struct record *ret_kept,
                  struct arena *arena, struct err *err);

#endif
