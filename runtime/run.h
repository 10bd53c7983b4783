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
 * config_parse_entrypoint() - The same for the first process of a pod
 * @argc, @argv: @argv[0] is the subcommand
 * @envp:	whose BERTH_* variables count: above a policy, below options
 * @arena, @ret, @err: as config_parse()
 *
 * Without a policy in options and variables /etc/berth/policy.json is one, where it is
 * there. The name is "workspace" unless another is given, so that it is the same in the
 * next pod, and the host name is the pod's.
 *
 * Return: 0; OPTIONS_HELP, also where the list of variables was asked for; -EINVAL or
 * -ERANGE.
 */
int config_parse_entrypoint(int argc, char **argv, char *const *envp, struct arena *arena,
                            struct config *ret, struct err *err);

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

/**
 * image_prepare() - Make sure that the image of a config is in the store
 * @config:	nothing is done where it has none; the place of the tree becomes its root
 * @fetch:	pull what is missing, or what config->pull says; without that nothing is
 *		changed
 * @arena:	owns the strings
 * @ret:	what was found; NULL without an image
 * @err:	filled in on failure
 *
 * Return: 0; as image_find() and image_pull().
 */
int image_prepare(struct config *config, bool fetch, struct arena *arena,
                  const struct image_tree **ret, struct err *err);

/* Keep the tree of a config's image from being removed: a descriptor to keep; -errno. */
int image_hold(const struct config *config, struct err *err);

/* The words that config_parse() makes the same config of, for state.json. */
const char *const *config_words(const struct config *config, struct arena *arena,
                                size_t *ret_n);

/**
 * config_settings() - A whole config as a policy
 * @config:	from whatever it was read
 * @arena:	owns the result
 * @ret:	in the order of the key table, without places; set on success only
 * @err:	filled in on failure
 *
 * The values of variables are "***".
 *
 * Return: 0 or -ENOMEM.
 */
int config_settings(const struct config *config, struct arena *arena, struct policy *ret,
                    struct err *err);

/* The origins of a config for its record. @ret: three texts each; their number. */
size_t config_origins(const struct config *config, struct arena *arena,
                      const char *const **ret);

/**
 * run() - Launch a workspace and see it through
 * @config:	what is wanted
 * @again:	the entry is there already, kept and dead (berth start)
 * @arena:	what the launch needs until the workspace's end is allocated there
 * @err:	filled in on failure
 *
 * With config->detach the workspace goes on behind the caller's back: the return then
 * means that it runs.
 *
 * Return: exit status, 0 to 255; -errno where it was never started.
 */
int run(const struct config *config, bool again, struct arena *arena, struct err *err);

/* berth start: run what the record of a dead, kept workspace says, detached. */
int cmd_run_saved(const struct record *record, struct err *err);

#endif
