#include "commands.h"
#include "options.h"
#include "run.h"
#include "scope.h"

int cmd_run(int argc, char **argv, struct err *err)
{
	/* Given back by the process's end, which comes next and does it at once. */
	struct arena arena = { 0 };
	struct config config;
	int r;

	r = config_parse(argc, argv, &arena, &config, NULL, err);
	if (r != 0)
		return r == OPTIONS_HELP ? 0 : r;
	if (!config.policy)
		config.policy = scope_policy();
	return run(&config, false, &arena, err);
}
