#ifndef OCI_WRAPPER_H
#define OCI_WRAPPER_H

#include <stdbool.h>

#include "base/err.h"

/*
 * berth as dockerd's OCI runtime inside a workspace. It stands before runc and crun in
 * dockerd's PATH, under their names, and executes them with what a pod wants otherwise:
 *
 * - a sysfs that a container could write is refused by the kernel where the one in
 *   sight is read-only, as in every pod: it becomes read-only in config.json;
 * - where no cgroup can be written runc gives up: crun takes its place, with
 *   --cgroup-manager=disabled.
 *
 * It runs as whoever called it, and has no more power than that.
 */

/* Whether we were called as one of the runtimes: berth has many names there. */
bool oci_wrapper_called(const char *argv0);

/**
 * struct oci_call - The words of an OCI runtime's command line that matter here
 * @log:	--log, NULL where not given
 * @log_json:	--log-format json
 * @command:	index of the subcommand, argc where there is none
 * @bundle:	--bundle of create, run and restore ("." where not given); NULL for the
 *		others
 */
struct oci_call {
	const char *log;
	bool log_json;
	int command;
	const char *bundle;
};

/* Reads them; unknown words are passed over. */
void oci_call_parse(int argc, char *const *argv, struct oci_call *ret);

/**
 * oci_call_words() - The words for the real runtime
 * @argc, @argv: as called
 * @call:	of them
 * @disabled:	no cgroup can be written
 *
 * Return: NULL-terminated, from malloc(3), the words are @argv's; NULL where memory
 * ran out.
 */
char **oci_call_words(int argc, char *const *argv, const struct oci_call *call,
                      bool disabled);

/**
 * oci_wrapper_main() - main() of berth where it was called as a runtime
 *
 * Failures are told as runtimes do: on standard error, and in the file of --log.
 *
 * Return: 1; on success the real runtime has taken our place.
 */
int oci_wrapper_main(int argc, char **argv);

#endif
