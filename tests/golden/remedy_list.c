#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "check.h"

/*
 * Prints each remedy that berth check takes from its tables, once, with the rows that may say it:
 * for tests/golden/remedies.sh. What the planner makes of numbers it knows is none of them.
 */

enum { ERRNO_MAX = 133, TEXTS_MAX = 512 };

static const char *texts[TEXTS_MAX];
static size_t texts_n;

static bool is_new(const char *text)
{
	for (size_t i = 0; i < texts_n; i++)
		if (!strcmp(texts[i], text))
			return false;
	return true;
}

int main(void)
{
	cleanup_arena struct arena arena = { 0 };

	for (int pod = 0; pod < 2; pod++)
		for (enum check_id id = 0; id < CHECK_MAX; id++)
			for (int code = 1; code <= ERRNO_MAX; code++) {
				const struct check_result result = { .outcome =
					                                     OUTCOME_NO,
					                             .code = code };
				const char *text = check_remedy(id, &result, pod, &arena);

				if (!text || !is_new(text))
					continue;
				if (texts_n == TEXTS_MAX)
					return 1;
				texts[texts_n++] = text;
				(void)printf("%s\t%s\n", checks[id].name, text);
			}
	return arena.failed || texts_n == 0;
}
