#ifndef BOOTSTRAP_H
#define BOOTSTRAP_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "config.h"
#include "loop.h"
#include "runner.h"

#define BOOTSTRAP_LOG "bootstrap.log"
/* In place of a path: what standard input had when the workspace was made. */
#define BOOTSTRAP_STDIN "-"
#define IDLE_WARN_LOG "idle-warn.log"

/**
 * struct bootstrap - A script of ours that runs inside: that of --bootstrap, once the
 *	workspace is ready, or that of --idle-warn
 * @loop, @config: borrowed
 * @title:	"bootstrap": what lines about it begin with, and by which it was kept
 * @script:	its path, or BOOTSTRAP_STDIN, as it was given; NULL for none. What runs is what
 *		bootstrap_take() or bootstrap_keep() put into the entry
 * @restart:	when it runs again, as bootstrap_restarts() has it
 * @env:	"NAME=VALUE" that it gets beside the workspace's, NULL for none
 * @old_mask:	signals that the child is to have blocked
 * @say, @ctx:	told in a line what becomes of it
 * @left:	called with @ctx where it ended after bootstrap_stop(); NULL for nobody
 *
 * The rest is its own; bootstrap_init() it.
 */
struct bootstrap {
	struct loop *loop;
	const struct config *config;
	const char *title, *script, *restart, *env;
	const sigset_t *old_mask;
	void (*say)(void *ctx, const char *line);
	void (*left)(void *ctx);
	void *ctx;

	struct runner runner; /* of berth exec */
	bool over;
	int entry, timer;
	int64_t begun_ms;
	int pause_ms;
	uint64_t restarts;
};

/**
 * bootstrap_restarts() - Whether a script that ended is to run again
 * @policy:	"no", "always", "on-failure" or "on-failure:N"
 * @status:	its exit status
 * @restarts:	how often it was started again
 */
bool bootstrap_restarts(const char *policy, int status, uint64_t restarts);

/* Return: 0; -EINVAL for what is no such policy. */
int bootstrap_policy_check(const char *policy, struct err *err);

/* @entry: borrowed, where its log is written, under the name @log. */
void bootstrap_init(struct bootstrap *b, int entry, const char *log);

/**
 * bootstrap_read() - Read a script from standard input, to its end
 * @arena:	owns it
 * @ret, @ret_n: set on success only
 * @err:	filled in on failure, with the step "bootstrap"
 *
 * Return: 0; -E2BIG above a megabyte; -ENOMEM; -errno.
 */
int bootstrap_read(struct arena *arena, const char **ret, size_t *ret_n, struct err *err);

/* Keeps it in the workspace's entry, for this start and those to come. Return: 0 or -errno. */
int bootstrap_keep(int entry, const char *text, size_t n, struct err *err);

/**
 * bootstrap_take() - Read a script of the pod into the workspace's entry, before anything is made
 * @entry:	of the workspace
 * @script:	its path, or NULL for none
 * @title:	the option that says it, without dashes
 * @err:	filled in on failure
 *
 * All that runs of it is what was read here: once the image runs, a path of the pod may be one
 * that root inside has changed, and lead to whatever its reader may read.
 *
 * Return: 0, also where there is none, or it is standard input; -E2BIG above a megabyte;
 * -errno, with the step @title.
 */
int bootstrap_take(int entry, const char *script, const char *title, struct err *err);

/**
 * bootstrap_start() - Run the script
 * @b:		all but what is its own is set
 *
 * As "berth exec --unattended -i NAME -- /bin/sh -s" with the script as its input: as the
 * workspace's user, in its directory and environment. Nothing happens where there is none,
 * while it runs, or after bootstrap_stop(). What fails is told, and is one more end of the script.
 */
void bootstrap_start(struct bootstrap *b);

/**
 * bootstrap_stop() - Ask it to end, for good, by SIGTERM
 * @b:		after bootstrap_init()
 *
 * Return: whether it runs, so that its end is still to come.
 */
bool bootstrap_stop(struct bootstrap *b);

/* Ends what runs of it and closes everything; safe to call twice. */
void bootstrap_close(struct bootstrap *b);

#endif
