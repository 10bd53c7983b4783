#ifndef HOLD_H
#define HOLD_H

#include "config.h"
#include "facts.h"

/* One for each volume, and the upper layers. */
#define HOLDS_MAX 260

/**
 * struct holds - Directories that are this workspace's alone as long as it runs
 * @fd, @n: open and locked, flock(2); owned
 */
struct holds {
	int fd[HOLDS_MAX];
	size_t n;
};

/**
 * hold_volumes() - Keep other workspaces from the directories of Docker
 * @config:	its volumes at, above and below Docker's directories count, unless ":ro"; of
 *		seeds no other workspace's Docker may be at work
 * @facts:	what they were when they were looked at
 * @state:	directory of entries, to find the other's name
 * @ret:	zeroed
 * @err:	names the other workspace on failure
 *
 * Two dockerds on one directory would ruin it for both. The lock is the kernel's: it ends with
 * us, however we end, and holds between pods of one node. Between nodes it does not, whatever the
 * file system: that of a directory stays with the machine (NFS, SMB, 9p). The plan says
 * so; where a file system has no locks at all it is said here, and the launch goes on.
 *
 * Return: 0; -EWOULDBLOCK where somebody has it; -E2BIG.
 */
int hold_volumes(const struct config *config, const struct facts *facts, int state,
                 struct holds *ret, struct err *err);

/**
 * hold_directory() - The same for one directory
 * @path:	absolute
 * @what:	what it is, for the message: "the upper layers"
 * @state, @ret, @err: as above
 */
int hold_directory(const char *path, const char *what, int state, struct holds *ret,
                   struct err *err);

void hold_end(struct holds *holds);
#define cleanup_holds __attribute__((cleanup(hold_end)))

/* Who has a file locked, flock(2), as the kernel tells it: a PID; 0 where nobody in sight has. */
int64_t hold_holder(int fd, struct arena *arena);

/* For tests: the pid of a line of /proc/locks, if it is a lock of flock(2) on that file; else
 * -1. 0 is somebody of another PID namespace. */
int64_t hold_read_lock(const char *line, dev_t dev, ino_t ino);

#endif
