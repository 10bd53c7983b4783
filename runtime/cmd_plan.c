#include <stdio.h>

#include "commands.h"
#include "launch.h"
#include "options.h"
#include "probe.h"
#include "run.h"

int cmd_plan(int argc, char **argv, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	cleanup_plan struct plan plan = { 0 };
	const struct image_tree *image = NULL;
	struct config config;
	struct facts facts = { 0 };
	bool json = false;
	int r;

	r = config_parse(argc, argv, &arena, &config, &json, err);
	if (r != 0)
		return r == OPTIONS_HELP ? 0 : r;
	config.foresees = true;
	r = image_prepare(&config, false, &arena, &image, err);
	if (r == 0)
		r = config_place_gpus(&config, &arena, err);
	if (r == 0)
		r = probe(&config, image, &arena, &facts, err);
	if (r == 0)
		r = plan_image(&config, &facts, &arena, err);
	if (r == 0)
		r = plan_build(&config, &facts, &plan, err);
	if (r < 0)
		return hint_for(err);
	if (json)
		return plan_print_json(&plan, &config, stdout, err);
	plan_print(&plan, &config, stdout);
	return 0;
}
