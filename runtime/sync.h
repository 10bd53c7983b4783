#ifndef SYNC_H
#define SYNC_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * What the supervisor, the warden and init say to one another, in the order of a
 * launch; docs/launch.md draws the same list. Each pair has a SOCK_SEQPACKET pair of
 * its own, so nobody can speak for somebody else.
 */
enum sync_step {
	SYNC_MAPPED,  /* supervisor to warden, warden to init: your ID maps are written */
	SYNC_ROOTED,  /* warden to init: your root stands; it comes along */
	SYNC_SOCKETS, /* warden to relay: the gateway's sockets; bit i of the value: the
	               * i-th of them is here */
	SYNC_GATEWAY, /* warden to what becomes pasta: the gateway is there; a pipe for what
	               * pasta says comes along, and the network namespace */
	SYNC_SERVING,  /* relay to warden: I hold nothing that I need not, and serve */
	SYNC_BORN,     /* warden to supervisor: init is born; its pidfd comes along */
	SYNC_JOINED,   /* supervisor to init: you are in your cgroup (only without
	              * CLONE_INTO_CGROUP) */
	SYNC_READY,    /* init to supervisor: nothing of the pod is in sight; bit i of the
	              * value: descriptor i of enum sync_ready comes along */
	SYNC_LISTENER, /* init to supervisor: what my filter asks is heard here (only where
	                  * refused system calls are told) */
	SYNC_CONFINED, /* warden to supervisor: I hold nothing that I need not; the value as
	                  * above, of enum sync_confined */
	SYNC_GO,       /* supervisor to init: supervision stands, execute */
	SYNC_UNEXECUTED, /* airlock to supervisor: execve(2) failed with this errno */
	SYNC_EXITED, /* warden to supervisor: init ended, with this wait status; our own init to the
	              * supervisor: it is about to */
	SYNC_FAILED, /* anybody: the error says why */
	SYNC_MAX,
};

#define SYNC_FDS_MAX 8

/* What SYNC_READY brings. */
enum sync_ready {
	SYNC_READY_PTY,     /* master */
	SYNC_READY_NOTIFY,  /* socket at which READY=1 arrives */
	SYNC_READY_ROUTES,  /* of the workspace's rtnetlink */
	SYNC_READY_LOOKOUT, /* of its sock_diag */
	SYNC_READY_LINKS, /* of its rtnetlink again: who shares one gets the other's answers */
	SYNC_READY_FDS,
};

/* What SYNC_CONFINED brings, of the gateway. */
enum sync_confined {
	SYNC_CONFINED_COUNTERS, /* of its rtnetlink */
	SYNC_CONFINED_DENIALS,  /* of its nfnetlink_log */
	SYNC_CONFINED_RULES,    /* of its nf_tables */
	SYNC_CONFINED_FDS,
};

/*
 * What every message begins with; one without an error or descriptors may end there. The
 * airlock has no libc to make a longer one with.
 */
struct sync_word {
	uint32_t step;
	int32_t value;
};

/* In the value of SYNC_UNEXECUTED: the file is there, and its interpreter is not. */
#define SYNC_THERE (1 << 16)

/* Three pairs; [0] is the end of whoever is nearer to the pod. */
struct sync_pairs {
	int warden[2]; /* supervisor and warden */
	int init[2];   /* supervisor and init */
	int birth[2];  /* warden and init */
};

/* Make the pairs. Return: 0 or -errno, with nothing left open. */
int sync_open(struct sync_pairs *ret, struct err *err);

/**
 * sync_send() - Say that a step is reached
 * @sock:	our end
 * @step:	which
 * @value:	SYNC_EXITED: wait status; SYNC_SOCKETS, SYNC_READY, SYNC_CONFINED: which; else 0
 * @fd:		descriptors to send, negative ones are passed over; may be NULL
 * @n:		length of @fd, at most SYNC_FDS_MAX
 * @err:	filled in on failure
 *
 * Return: 0; -EPIPE or -ECONNRESET when the peer is gone; else -errno.
 */
int sync_send(int sock, enum sync_step step, int32_t value, const int *fd, size_t n,
              struct err *err);

/* Tell the peer why we give up. Nothing is to be done where it is gone. */
void sync_fail(int sock, const struct err *why);

/**
 * sync_expect() - Wait for the peer to reach a step
 * @sock:	our end; nobody but the peer holds the other one
 * @want:	the step that must come next
 * @ret_value:	value of the message, may be NULL
 * @ret_fd:	descriptors that came along, owned by the caller, -EBADF for those that
 *		did not come; NULL where none is expected
 * @n:		length of @ret_fd
 * @err:	what went wrong here, or what the peer says went wrong there
 *
 * An end of file is a failure, whatever we wait for. A peer that died must never
 * read as "go on": init would be executed with no ID map.
 *
 * Return: 0; -ECONNRESET if the peer is gone; -EPROTO on any other message; the
 * peer's own code when it failed.
 */
int sync_expect(int sock, enum sync_step want, int32_t *ret_value, int *ret_fd, size_t n,
                struct err *err);

/**
 * sync_expect_end() - Wait for the only meaningful end of file: exec has happened
 * @sock:	our end of the pair with init, after SYNC_GO
 * @ret_value:	of SYNC_UNEXECUTED; NULL where no airlock is on the way
 * @err:	what the peer says went wrong
 *
 * Return: 0 when the close-on-exec descriptor is gone; 1 for SYNC_UNEXECUTED; -EPROTO;
 * or the peer's code.
 */
int sync_expect_end(int sock, int32_t *ret_value, struct err *err);

#endif
