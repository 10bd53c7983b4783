#include <stdlib.h>

#include "commands.h"
#include "options.h"
#include "unshare.h"

int cmd_unshare(int argc, char **argv, struct err *err)
{
	static const struct options options = {
		.words = "[--] [COMMAND [ARG...]]",
		.about = "Run a command as root of the IDs that a workspace would have: "
			 "to unpack,\n"
			 "chown and delete what belongs to subordinate IDs.",
		.stop_at_word = true,
	};
	const char *shell[] = { getenv("SHELL"), NULL };
	int none;
	int first = options_parse(&options, &none, argc, argv, err);

	if (first == OPTIONS_HELP)
		return 0;
	if (first < 0)
		return err_step(err, "options");
	if (!shell[0])
		shell[0] = "/bin/sh";
	return unshare_run(first < argc ? (const char *const *)argv + first : shell, err);
}
