#ifndef CGROUPS_LIMIT_H
#define CGROUPS_LIMIT_H

#include "base/err.h"
#include "cgroups/knobs.h"

/**
 * cgroup_limit() - Write a limit and see that it holds
 * @dir:	a group, or one above it
 * @path:	of the file, below @dir: "berth-x/memory.max"
 * @knob:	which limit
 * @value:	what is written
 * @err:	filled in on failure
 *
 * What the kernel shows afterwards counts: a CPU that is not there, say, is taken
 * without a word, and another one used.
 *
 * Return: 0; -ENOENT where the controller is not enabled; -ENODEV for a device that
 * is none; -EOPNOTSUPP where another value holds; else what write(2) said.
 */
int cgroup_limit(int dir, const char *path, enum knob knob, const char *value,
                 struct err *err);

#endif
