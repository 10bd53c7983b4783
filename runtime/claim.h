#ifndef CLAIM_H
#define CLAIM_H

#include "config.h"
#include "state.h"

/**
 * struct claim - A workspace's entry, taken for a launch
 * @state:	directory of entries
 * @entry:	ours in it, locked
 * @lock:	keeps it locked
 * @tree:	of its image, from image_hold()
 * @name:	of the entry, borrowed
 * @again:	it was there already, kept and dead
 * @past:	what its record said then, where @has_past; its strings are borrowed
 *
 * Descriptors are owned, -EBADF where there are none.
 */
struct claim {
	int state, entry, lock, tree;
	const char *name;
	bool again, has_past;
	struct record past;
};

#define CLAIM_NONE                                                               \
	{                                                                        \
		.state = -EBADF, .entry = -EBADF, .lock = -EBADF, .tree = -EBADF \
	}

/**
 * claim_take() - Make or reopen the entry of a workspace, and lock it
 * @claim:	CLAIM_NONE
 * @config:	the name; an entrypoint may find its own past, and takes it up
 * @again:	the entry has to be there (berth start)
 * @err:	filled in on failure
 *
 * Return: 0; as state_create() and state_reopen().
 */
int claim_take(struct claim *claim, const struct config *config, bool again,
               struct err *err);

/**
 * claim_pulling() - Say in the record that its image is being fetched
 * @claim:	taken
 * @config:	what is to run
 * @arena:	owns the strings of @claim->past
 * @err:	filled in on failure
 *
 * A pull takes minutes: until it is done, this record is what probes, ps, stop and rm find.
 *
 * Return: 0; as state_write().
 */
int claim_pulling(struct claim *claim, const struct config *config, struct arena *arena,
                  struct err *err);

/* The image is there: what ends a launch may end this one. Return: as state_write(). */
int claim_pulled(struct claim *claim, struct arena *arena, struct err *err);

/* Nothing ran: the record of a kept workspace says again what it said. */
void claim_restore(const struct claim *claim);

/* Gives an entry back for which nothing was made: a new one is removed. */
void claim_drop(struct claim *claim);

void claim_close(struct claim *claim);
#define cleanup_claim __attribute__((cleanup(claim_close)))

/**
 * claim_end_pull() - End the pull of a workspace, and so its launch
 * @entry:	from state_entry()
 * @name:	of the entry
 * @err:	filled in on failure
 *
 * It has no socket yet. The process of its record gets SIGTERM, once it is seen to hold the
 * lock: the number alone might mean another one, in another PID namespace.
 *
 * Return: 1 where it has ended, 0 where nothing is pulled for it; -ESRCH where that process is
 * not in sight; -ETIMEDOUT; else -errno.
 */
int claim_end_pull(int entry, const char *name, struct err *err);

#endif
