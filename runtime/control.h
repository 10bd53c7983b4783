#ifndef CONTROL_H
#define CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "cgroups/v1.h"
#include "loop.h"
#include "ns.h"
#include "traffic.h"

/*
 * The control socket: ENTRY/control, SOCK_SEQPACKET, one request a connection.
 * Served by the supervisor to peers in its own user namespace only: root inside the
 * workspace has the same uid as the user who started it, so uids prove nothing
 * (user_namespaces(7)); the namespace of the peer does.
 */

enum control_verb {
	CONTROL_KILL,  /* @signal to init */
	CONTROL_STOP,  /* polite signal, SIGKILL after @timeout_s; answered at the end */
	CONTROL_READY, /* answered when ready (0) or ended (-ECANCELED) */
	CONTROL_EXIT,  /* answered at the end, with the exit code */
	CONTROL_JOIN,  /* what it takes to enter: enum control_fd */
	CONTROL_PORT_ADD,    /* publish @text */
	CONTROL_PORT_REMOVE, /* do so no longer */
	CONTROL_TRAFFIC,     /* what its network did, @traffic of the answer */
	CONTROL_UPDATE,      /* keep these rates, "" for as it is */
	CONTROL_PING,        /* answered at once: the supervisor lives, and serves */
	CONTROL_PLAN, /* what was done at the launch, and by which that can be seen */
	CONTROL_VERB_MAX,
};

/* A port, or the words of a command; more of those are cut off. */
#define CONTROL_TEXT_MAX 2048

struct control_request {
	uint32_t version; /* CONTROL_VERSION */
	uint32_t verb;
	int32_t signal;
	uint64_t timeout_s; /* CONTROL_DEFAULT_TIMEOUT: what run was given */
	uint32_t
		unattended; /* CONTROL_JOIN: nobody is at it, who would use the workspace */
	uint32_t text_n;    /* bytes of @text that are the words of CONTROL_JOIN */
	char text[CONTROL_TEXT_MAX]; /* of a port, or words; ends with a NUL */
	char rate[DIRECTIONS][24];   /* as given */
};

#define CONTROL_VERSION 5
#define CONTROL_DEFAULT_TIMEOUT UINT64_MAX

/*
 * What CONTROL_JOIN and CONTROL_PLAN hand out. Namespaces by descriptor, because an init that executes
 * nothing, as berth's own, hides its memory, and setns(2) with its pidfd is then EPERM.
 */
enum control_fd {
	CONTROL_INIT,   /* pidfd of init */
	CONTROL_CGROUP, /* directory of the payload's group */
	CONTROL_NS,     /* the first of the namespaces, by enum ns */
	CONTROL_CGROUP1 = CONTROL_NS + NS_MAX,         /* of the payload's on cgroup v1 */
	CONTROL_STEPS = CONTROL_CGROUP1 + CGROUP1_MAX, /* CONTROL_PLAN: plan_pack() */
	CONTROL_SESSION, /* CONTROL_JOIN: as long as it is open somebody is there; perhaps none */
	CONTROL_ROUTES, /* CONTROL_PLAN: a socket of the gateway's network */
	CONTROL_LISTENER, /* CONTROL_JOIN: where who is asked of refused system calls takes the
	                   * listener of another filter, as SYNC_LISTENER */
	CONTROL_FDS,
};

/* The answer; descriptors travel beside it for these two, those in @fds. */
struct control_reply {
	uint32_t version;
	uint32_t fds;   /* set of 1U << enum control_fd */
	int32_t result; /* 0 or -errno */
	int32_t exit_code;
	struct traffic_numbers traffic;
	struct err err;
};

/**
 * struct control - The server's side
 * @kill:	send a signal to init
 * @stop:	begin to stop; the end comes through control_exited()
 * @port:	open or close a published port; 1 where @who is answered by control_port_done()
 * @traffic:	what the network did
 * @update:	keep other rates, texts that end
 * @join:	descriptors to hand out, borrowed; CONTROL_SESSION is the server's to close;
 *		-EBADF for what there is not; @words of @n
 *		bytes, each with its NUL, are what is to be executed, none where nothing is
 * @plan:	likewise, and CONTROL_STEPS is the server's to close
 *
 * The rest is the server's own; zero it.
 */
struct control {
	struct loop *loop; /* borrowed */
	void *ctx;
	int (*kill)(void *ctx, int signal, struct err *err);
	int (*stop)(void *ctx, uint64_t timeout_s, struct err *err);
	int (*port)(void *ctx, bool add, const char *text, uint64_t who, struct err *err);
	int (*traffic)(void *ctx, struct traffic_numbers *ret, struct err *err);
	int (*update)(void *ctx, const char *const rate[DIRECTIONS], struct err *err);
	int (*join)(void *ctx, const char *words, size_t n, int fd[CONTROL_FDS],
	            struct err *err);
	int (*plan)(void *ctx, int fd[CONTROL_FDS], struct err *err);

	/* Who asks, while a callback is called. */
	struct control_who {
		int64_t pid, uid;
		bool unattended; /* for @join */
	} who;

	int listener;
	bool ready, exited;
	int exit_code;
	struct control_peer {
		int fd; /* -EBADF: free */
		uint32_t verb;
		bool waiting;   /* has asked, and the answer is not due yet */
		uint64_t order; /* of admission */
	} peer[32];
	uint64_t admitted;
};

/**
 * control_listen() - Make ENTRY/control and serve it from the loop
 * @control:	@loop, @ctx and the callbacks are set
 * @entry:	directory of the entry
 * @err:	filled in on failure
 *
 * No peer makes the server wait. A peer that is admitted and says nothing loses its
 * place when all are taken, the one silent for longest first.
 *
 * Return: 0 or -errno; then @listener is -EBADF, and the functions below do nothing.
 */
int control_listen(struct control *control, int entry, struct err *err);

/* Answers those who wait for readiness, now and later. */
void control_ready(struct control *control);

/* Answers who asked for a port, unless he has gone; @err is zero where it was done. */
void control_port_done(struct control *control, uint64_t who, const struct err *err);

/* Answers everybody who waits for the end. */
void control_exited(struct control *control, int exit_code);

/* Lets in who came until now. Return: whether anybody is connected. */
bool control_is_asked(struct control *control);

/* Answers what was asked until now, and waits for nobody. */
void control_catch_up(struct control *control);

/* Unlinks the socket, answers what was asked until now, closes every connection. */
void control_close(struct control *control, int entry);

/**
 * control_ask() - The client's side: one request, one answer
 * @entry:	directory of the entry
 * @request:	what to ask; @version is filled in here
 * @reply:	filled in on success
 * @ret_fd:	for CONTROL_JOIN and CONTROL_PLAN, by enum control_fd (-EBADF where not sent), owned by
 *		the caller; may be NULL for other verbs
 * @err:	filled in on failure, also with a failure the server reports
 *
 * Waits for as long as the server takes.
 *
 * Return: 0; -ESRCH where nobody serves ("it is not running"); -ECONNRESET when the workspace's supervisor died meanwhile; the server's -errno.
 */
int control_ask(int entry, const struct control_request *request,
                struct control_reply *reply, int ret_fd[CONTROL_FDS], struct err *err);

/*
 * The two halves of control_ask(), for who waits for something else as well:
 * control_send() returns a connected socket, owned by the caller, which is readable
 * once control_receive() does not have to wait.
 */
int control_send(int entry, const struct control_request *request, struct err *err);
int control_receive(int sock, struct control_reply *reply, int ret_fd[CONTROL_FDS],
                    struct err *err);

#endif
