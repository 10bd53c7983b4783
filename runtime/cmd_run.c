#include "commands.h"
#include "options.h"
#include "run.h"

int cmd_run(int argc, char **argv, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	struct config config;
	int r;

	r = config_parse(argc, argv, &arena, &config, NULL, err);
	if (r != 0)
		return r == OPTIONS_HELP ? 0 : r;
	return run(&config, false, &arena, err);
}
