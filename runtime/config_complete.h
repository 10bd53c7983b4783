#ifndef CONFIG_COMPLETE_H
#define CONFIG_COMPLETE_H

#include "base/arena.h"
#include "base/err.h"
#include "config.h"

struct words;

/**
 * config_complete() - Fill in what was not said, and check what belongs together
 * @config:	as the options or a policy say
 * @words:	with the texts of volumes and devices
 * @arena:	owns what had to be made
 * @err:	quotes what is wrong
 *
 * Return: 0; -EINVAL; -ENAMETOOLONG; -ENOMEM.
 */
int config_complete(struct config *config, const struct words *words, struct arena *arena,
                    struct err *err);

#endif
