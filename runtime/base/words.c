#include "base/words.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/file.h"

struct words_area words_of(int argc, char *const *argv)
{
	char *const begin = program_invocation_name; /* argv[0] of main() */
	char *const last = argc > 0 ? argv[argc - 1] : NULL;

	/* One string behind another, and those of the environment behind the last (fs/exec.c): else these
	 * are not all of them, or not those. */
	if (!begin || !last || last < begin || !*environ ||
	    *environ != last + strlen(last) + 1)
		return (struct words_area){ 0 };
	return (struct words_area){ begin, (size_t)(*environ - begin) };
}

void words_find(struct words_area *ret)
{
	struct err ignored = { 0 };
	unsigned long begin = 0, end = 0;
	char text[2048], *field, *save = NULL;

	*ret = (struct words_area){ 0 };
	if (file_read(AT_FDCWD, "/proc/self/stat", text, sizeof(text), &ignored) < 0)
		return;
	field = strrchr(text, ')'); /* field 2 may hold blanks */
	field = field ? strtok_r(field + 1, " ", &save) : NULL;
	for (int i = 3; field; i++, field = strtok_r(NULL, " ", &save)) {
		if (i == 48)
			begin = strtoul(field, NULL, 10);
		if (i == 49)
			end = strtoul(field, NULL, 10);
	}
	if (begin > 0 && end > begin)
		*ret = (struct words_area){ (char *)begin, end - begin };
}

void words_forget(const struct words_area *area, const char *name)
{
	if (area->size > 0) {
		memset(area->begin, 0, area->size);
		(void)snprintf(area->begin, area->size, "%s", name);
	}
	(void)prctl(PR_SET_NAME, name);
}
