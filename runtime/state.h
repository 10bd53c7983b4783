#ifndef STATE_H
#define STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

#define STATE_NAME_MAX 63

enum status {
	STATUS_PULLING, /* its image is being fetched */
	STATUS_CREATED, /* the launch has not finished */
	STATUS_RUNNING, /* init was executed */
	STATUS_EXITED,
	STATUS_MAX,
};

extern const char *const status_name[STATUS_MAX];

/**
 * struct record - What is known of a workspace: the content of its state.json
 * @name:	of the workspace
 * @status:	as last written; state_read() believes "running" only of the living
 * @supervisor:	its PID in the PID namespace of whoever started it
 * @init:	PID of the workspace's init there, 0 before it is born
 * @created_ms, @started_ms, @finished_ms: CLOCK_REALTIME in ms, 0 for not yet; start
 *		leaves @started_ms until init runs again: 0 means that nothing ever ran
 *		here, and then nothing is lost with the entry
 * @oom_kills, @memory_max, @pids_max, @cpu_wait_us, @memory_wait_us, @io_wait_us: what its
 *		group met, see struct cgroup_events; as of the last event, and of the end
 * @exit_code:	of the workspace once it has exited, else -1
 * @reason:	why it ended where that is not the exit code ("killed by signal 9"),
 *		or ""
 * @ready:	systemd said READY=1, or the command was started
 * @init_mode:	"systemd", "berth" or "none"
 * @rootfs:	"host" or the directory
 * @image, @image_digest: what that directory is an image's tree of, or ""
 * @policy:	as given to --policy, or "": to be told, since all that it said is in @args
 * @net:	"none" or "host"
 * @hostname:	of the workspace
 * @cgroup:	the workspace's group below the cgroup2 mount, or ""
 * @cgroup_mount: that mount point
 * @cgroup1:	its groups on cgroup v1, a mount point and the path below it in turn
 * @cgroup1_n:	length of @cgroup1
 * @tier:	see plan_tier(); "" in a record of a berth that did not know it
 * @upper:	directory of upper layers and volumes to be removed by rm, or ""
 * @upper_made:	that directory was made by this workspace's first launch, so that nothing
 *		in it is older
 * @remove:	--rm: nothing is kept
 * @args:	the words of "berth run", so that start can say them again; paths in
 *		them are absolute
 * @args_n:	length of @args
 * @origins:	of each value that a policy or an option gave: key, value and where, in turn;
 *		"***" for the values of variables
 * @origins_n:	length of @origins
 * @limits:	each limit that was asked for, and how it is enforced or why it is not
 * @limits_n:	length of @limits
 * @command:	what runs inside, for ps
 *
 * Texts may hold any byte but NUL; a NULL one is written as "".
 */
struct record {
	const char *name;
	enum status status;
	int64_t supervisor, init;
	int64_t created_ms, started_ms, finished_ms;
	int64_t oom_kills, memory_max, pids_max, cpu_wait_us, memory_wait_us, io_wait_us;
	int exit_code;
	const char *reason;
	bool ready;
	const char *init_mode, *rootfs, *net, *hostname;
	const char *image, *image_digest;
	const char *policy;
	const char *cgroup, *cgroup_mount, *upper;
	bool upper_made;
	bool remove;
	const char *const *args;
	size_t args_n;
	const char *const *origins;
	size_t origins_n;
	const char *const *limits;
	size_t limits_n;
	const char *const *ports;
	size_t ports_n;
	const char *const *cgroup1;
	size_t cgroup1_n;
	const char *tier;
	const char *command;
};

/**
 * state_name_check() - Refuse what is no name: [a-zA-Z0-9][a-zA-Z0-9_.-]*
 * Return: 0; -EINVAL, @err quotes the name and says what is allowed.
 */
int state_name_check(const char *name, struct err *err);

/**
 * state_path() - Where the directory of all entries is, or will be
 * @path:	filled in
 * @size:	of @path, bytes
 * @err:	filled in on failure
 *
 * Return: 0; -ENAMETOOLONG.
 */
int state_path(char *path, size_t size, struct err *err);

/**
 * state_open() - Open the directory of all entries
 * @create:	make it where it is missing
 * @err:	filled in on failure
 *
 * $XDG_RUNTIME_DIR/berth; for root without that variable /run/berth; else
 * /tmp/berth-UID. Mode 0700, must belong to us and to nobody else's write: a
 * directory another user prepared is refused.
 *
 * Return: a descriptor, owned by the caller; -ENOENT without @create where there is
 * none; -EPERM for a directory that is not ours; else -errno.
 */
int state_open(bool create, struct err *err);

/**
 * state_create() - Make the entry of a new workspace and lock it
 * @state:	from state_open()
 * @name:	checked by state_name_check()
 * @ret_lock:	the entry is alive for as long as any process holds this descriptor
 *		open, a child that inherited it included
 * @err:	filled in on failure
 *
 * The lock belongs to the open file description (F_OFD_SETLK, fcntl_locking(2)) and
 * not to flock(2), because only the former can be asked for without being taken: a
 * look at an entry must not make it seem alive to somebody else.
 *
 * An entry of that name that is dead is removed first where it said --rm or where
 * nothing ever ran in it; a kept one is -EEXIST. The first state_write() comes before
 * anything is made outside the entry (cgroups, upper layers).
 *
 * Return: the entry's directory, owned by the caller; -EEXIST when the name is
 * taken (the hint says by what, and to use rm or start); else -errno.
 */
int state_create(int state, const char *name, int *ret_lock, struct err *err);

/**
 * state_reopen() - Lock the entry of a kept, dead workspace again (start, rm)
 * Return: as state_create(); -EBUSY while it runs, -ENOENT where there is none.
 */
int state_reopen(int state, const char *name, int *ret_lock, struct err *err);

/* Open an entry's directory: a descriptor, or -ENOENT ("no workspace 'x'"). */
int state_entry(int state, const char *name, struct err *err);

/* Whether somebody holds the entry's lock. */
bool state_alive(int entry);

/**
 * state_write() - Put state.json in place, whole (rename(2)), mode 0600
 * Return: 0; -EFBIG where the arguments are too long; else -errno.
 */
int state_write(int entry, const struct record *record, struct err *err);

/**
 * state_read() - Read and check state.json
 * @entry:	from state_entry()
 * @name:	of the entry; a record of another name is refused
 * @arena:	owns the strings of @ret
 * @ret:	set on success only
 * @err:	filled in on failure
 *
 * The file is ours, in a directory that is ours; it is checked all the same: types,
 * names, no path with "..". A "running" whose lock is free reads as exited with
 * code 137.
 *
 * Return: 0; -ENOENT before the first state_write(); -EINVAL for a file that does not
 * hold what it should; else -errno.
 */
int state_read(int entry, const char *name, struct arena *arena, struct record *ret,
               struct err *err);

/*
 * Makes of a record what it means when nobody holds the lock: one that runs was killed, and of
 * one that was started before and fetches its image again stays how it ended then.
 */
void state_mark_dead(struct record *record);

/**
 * state_remove() - Remove an entry and everything in it
 * @state:	from state_open()
 * @name:	of the entry, whose lock the caller holds
 * @err:	filled in on failure
 *
 * The name is free at once, by rename(2). What the record calls upper lies elsewhere:
 * state_remove_outside() comes first.
 *
 * Return: 0 or -errno.
 */
int state_remove(int state, const char *name, struct err *err);

/**
 * state_remove_outside() - Remove what a dead workspace left outside its entry
 * @record:	as read; its entry is not alive, or locked by the caller
 * @upper:	the upper layers too, else the cgroups only
 * @err:	filled in on failure
 *
 * What root inside gave to subordinate IDs is removed in a user namespace that maps
 * them. Upper layers that are older than a workspace in which nothing ever ran stay.
 *
 * Return: 0 or -errno.
 */
int state_remove_outside(const struct record *record, bool upper, struct err *err);

/**
 * state_each() - Names of all entries, sorted
 * @state:	from state_open()
 * @arena:	owns the result
 * @ret:	array of names
 * @err:	filled in on failure
 *
 * Return: their number, or -errno.
 */
int state_each(int state, struct arena *arena, const char ***ret, struct err *err);

/**
 * state_tidy() - Clean up after what was killed
 * @state:	from state_open()
 *
 * For every entry without a living holder: the groups it left in the cgroup tree and
 * its sockets are removed, --rm entries and those in which nothing ever ran
 * altogether, others become "exited". Called by every command that looks at entries.
 * Failures are no reason to fail the command.
 */
void state_tidy(int state);

#endif
