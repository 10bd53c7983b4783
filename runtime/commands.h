#ifndef COMMANDS_H
#define COMMANDS_H

#include "base/err.h"

/*
 * One function a subcommand, one file each. @argv[0] is the subcommand's name.
 *
 * Return: the exit status, 0 to 255; -errno, which main() prints and makes 125 of, or
 * 126 and 127 where the step is "exec".
 */
typedef int command_fn(int argc, char **argv, struct err *err);

command_fn cmd_check, cmd_exec, cmd_inspect, cmd_kill, cmd_logs, cmd_plan, cmd_policy,
	cmd_port, cmd_ps, cmd_rm, cmd_run, cmd_start, cmd_stats, cmd_stop, cmd_unshare,
	cmd_update, cmd_version, cmd_wait;

#endif
