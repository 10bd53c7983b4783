#ifndef HOOKS_H
#define HOOKS_H

#include <signal.h>
#include <stdbool.h>

#include "config.h"
#include "facts.h"
#include "hook.h"
#include "runner.h"

#define HOOKS_LOG "hooks.log"

/**
 * struct hooks - The hooks of a workspace, from the supervisor's side
 * @config:	borrowed; without config->hook nothing ever happens
 * @old_mask:	signals that a hook is to have blocked
 * @input:	makes what it reads: the state as JSON; owned by the caller, or -errno
 * @begin:	called before each; with -errno it is not run, as if it had failed
 * @failed:	what became of one that failed, for who keeps records: not for those that @begin
 *		refused
 * @done:	called where those of one moment are over, or one failed, as @err says; what it
 *		returns is the loop's
 * @ctx:	for those
 *
 * The rest is its own; hooks_init() it.
 */
struct hooks {
	const struct config *config;
	const sigset_t *old_mask;
	int (*input)(void *ctx, enum hook_kind kind, struct err *err);
	int (*begin)(void *ctx, const struct hook *hook, struct err *err);
	void (*failed)(void *ctx, const struct hook *hook, int status,
	               const struct err *why);
	int (*done)(void *ctx, struct err *err);
	void *ctx;

	struct runner runner;
	enum hook_kind kind;
	size_t at;
	bool busy, late;
	int timer;
	int program[HOOKS_MAX];
	bool script[HOOKS_MAX];
};

/* @entry: borrowed, where what they write goes. */
void hooks_init(struct hooks *hooks, const struct config *config, int entry);

/**
 * hooks_open() - Take hold of a program, by which it is executed whenever it is
 * @hooks:	@config is set
 * @i:		which of config->hook
 * @fact:	what probe() found
 * @err:	filled in on failure
 *
 * Return: 0; -ESTALE where it is another file by now; else -errno.
 */
int hooks_open(struct hooks *hooks, size_t i, const struct hook_fact *fact,
               struct err *err);

/* Whether there are any of a kind. */
bool hooks_any(const struct hooks *hooks, enum hook_kind kind);

/**
 * hooks_start() - Begin to run those of a kind, one after another
 * @hooks:	all but its own is set; none run
 * @kind:	which
 * @loop:	borrowed; runs them
 * @err:	filled in on failure
 *
 * The first that fails is the last, but for HOOK_POSTSTOP. Where there are none, or the first
 * cannot be run, @done is called at once.
 *
 * Return: what @done returned, else LOOP_GO.
 */
int hooks_start(struct hooks *hooks, enum hook_kind kind, struct loop *loop,
                struct err *err);

/* Ends what runs, without a word. */
void hooks_stop(struct hooks *hooks);

/* The same, and lets go of the programs; safe to call twice. */
void hooks_close(struct hooks *hooks);

#endif
