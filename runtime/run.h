#ifndef RUN_H
#define RUN_H

#include "base/arena.h"
#include "base/err.h"
#include "config.h"
#include "facts.h"
#include "plan.h"
#include "policies/policy.h"
#include "state.h"

/**
 * config_parse() - Read the options of run, which plan has too
 * @argc, @argv: @argv[0] is the subcommand
 * @arena:	owns what had to be made
 * @ret:	checked, paths absolute, defaults filled in
 * @json:	set by --format json; NULL where that option is not known
 * @err:	quotes the offending word on failure
 *
 * Return: 0; OPTIONS_HELP; -EINVAL or -ERANGE.
 */
int config_parse(int argc, char **argv, struct arena *arena, struct config *ret,
                 bool *json, struct err *err);

/**
 * config_from_policy() - What a policy asks for, without any option
 * @policy:	borrowed
 * @arena:	owns what had to be made
 * @ret:	set on success only
 * @err:	"FILE:LINE:COLUMN: KEY: what is wrong" on failure
 *
 * Return: 0; -EINVAL or -ERANGE for a value that the option would refuse, too.
 */
int config_from_policy(const struct policy *policy, struct arena *arena,
                       struct config *ret, struct err *err);

/* The words that config_parse() makes the same config of, for state.json. */
const char *const *config_words(const struct config *config, struct arena *arena,
                                size_t *ret_n);

/**
 * run() - Launch a workspace and see it through
 * @config:	what is wanted
 * @again:	the entry is there already, kept and dead (berth start)
 * @err:	filled in on failure
 *
 * With config->detach the workspace goes on behind the caller's back: the return then
 * means that it runs.
 *
 * Return: exit status, 0 to 255; -errno where it was never started.
 */
int run(const struct config *config, bool again, struct err *err);

/* berth start: run what the record of a dead, kept workspace says, detached. */
int cmd_run_saved(const struct record *record, struct err *err);

#endif
