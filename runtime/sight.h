#ifndef SIGHT_H
#define SIGHT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "config.h"
#include "facts.h"

/**
 * struct shown - What the workspace gets of the pod's tree: a volume, or the root that is used in
 *	place
 * @source:	as it was given
 * @real:	the same without links
 */
struct shown {
	const char *source, *real;
	bool writable;
};

/**
 * struct sight - All that it gets, and one path of the pod at a time that is looked at
 * @facts:	the mount table, borrowed
 * @arena:	owns all strings, borrowed
 * @shown, @shown_n: what it gets
 *
 * Of the path that was looked at last, by sight_walk():
 * @there:	@real is all of it
 * @linked:	on the way lies a link that root inside could change
 * @by_mount:	what @held shows of it is in sight by another mount, at another place
 * @held:	by what he could put another thing in its place, or in that of a directory on the
 *		way, or of a link; NULL where he could not
 * @loose:	the first directory on the way that others than this user and root may write to
 * @links:	that were followed
 * @real:	what was walked of it, without links; "" is the root
 * @rest:	what was not
 *
 * Its two paths are not cleared, which would take pages of the stack.
 */
struct sight {
	const struct facts *facts;
	struct arena *arena;
	struct shown *shown;
	size_t shown_n;
	bool there, linked, by_mount;
	const struct shown *held;
	const char *loose;
	unsigned int links;
	char real[PATH_MAX], rest[PATH_MAX];
};

/* What a path that is walked may be. */
enum sight_kind {
	SIGHT_DIRECTORY,       /* there, or of no interest */
	SIGHT_DIRECTORY_LATER, /* likewise, or made at the launch */
	SIGHT_FILE,            /* whatever it is, there or not */
};

/* Whether the workspace gets nothing of the pod's tree. Pure. */
bool sight_is_empty(const struct config *config);

/**
 * sight_open() - List what the workspace gets
 * @config:	complete
 * @facts:	@mount is there
 * @arena:	owns it
 * @ret:	need not be cleared
 * @err:	filled in on failure
 *
 * Return: 0; -ENOMEM; -errno where a source cannot be opened.
 */
int sight_open(const struct config *config, const struct facts *facts,
               struct arena *arena, struct sight *ret, struct err *err);

/**
 * sight_add() - One more directory that the workspace can write to
 * @sight:	opened
 * @source:	absolute; one that is not there is one that the launch makes; nothing comes of one
 *		that cannot be opened: who is to use it says so
 * @err:	filled in on failure
 *
 * Return: 0 or -ENOMEM.
 */
int sight_add(struct sight *sight, const char *source, struct err *err);

/* Both: its upper layers are in sight of no volume, and root inside's to write all the same. */
int sight_open_all(const struct config *config, const struct facts *facts,
                   struct arena *arena, struct sight *ret, struct err *err);

/**
 * sight_walk() - From the root to the end of a path, as the kernel would walk
 * @sight:	opened
 * @path:	absolute
 * @kind:	what it may be
 * @err:	filled in on failure
 *
 * Links are followed one by one, since one that the workspace could change leads where it likes.
 * What cannot be looked at ends the way: who tries to open it is told so.
 *
 * Return: 0; -ENAMETOOLONG; but for SIGHT_FILE also -ELOOP, -ENOTDIR or another -errno.
 */
int sight_walk(struct sight *sight, const char *path, enum sight_kind kind,
               struct err *err);

#endif
