#ifndef COMMANDS_H
#define COMMANDS_H

#include <stdbool.h>

#include "base/err.h"

/*
 * One function a subcommand, one file each. @argv[0] is the subcommand's name.
 *
 * Return: the exit status, 0 to 255; -errno, which main() prints and makes 125 of, or
 * 126 and 127 where the step is "exec".
 */
typedef int command_fn(int argc, char **argv, struct err *err);

command_fn cmd_check, cmd_entrypoint, cmd_envbox, cmd_exec, cmd_health, cmd_image,
	cmd_inspect, cmd_kill, cmd_logs, cmd_plan, cmd_policy, cmd_port, cmd_ps, cmd_rm,
	cmd_run, cmd_start, cmd_stats, cmd_stop, cmd_unshare, cmd_update, cmd_version,
	cmd_wait;

/* Whether we are called as "envbox": a pod made for it says "envbox docker". */
bool envbox_called(const char *argv0);

/**
 * exec_called() - Whether a link to us has the name of a program that is meant inside
 * @argv0:	of main()
 *
 * /opt/berth/bin of an image has such links, first in the PATH of the pod: what
 * "kubectl exec POD -- bash" finds. A list and no rule, since we are executed by other names
 * ourselves.
 */
bool exec_called(const char *argv0);

/* exec in the only workspace, with our own words. Return: as a command_fn. */
int exec_as_called(int argc, char **argv, struct err *err);

#endif
