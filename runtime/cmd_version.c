#include <stdio.h>

#include "commands.h"

int cmd_version(int argc, char **argv, struct err *err)
{
	(void)argc;
	(void)argv;
	(void)err;
	(void)printf("berth %s\n", PACKAGE_VERSION);
	return 0;
}
