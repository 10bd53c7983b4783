#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "version") == 0) {
		(void)printf("berth %s\n", PACKAGE_VERSION);
		return 0;
	}
	(void)fprintf(stderr, "usage: berth version\n");
	return 125;
}
