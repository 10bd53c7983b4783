#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "check.h"
#include "plan.h"

/*
 * Prints each remedy of berth check once, after a row that may say it: for tests/golden/remedies.sh.
 * First those of its tables, then what the planner says about ID maps.
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

static int tell(const char *row, const char *text)
{
	if (!text || !*text || !is_new(text))
		return 0;
	if (texts_n == TEXTS_MAX)
		return 1;
	texts[texts_n++] = text;
	return printf("%s\t%s\n", row, text) < 0;
}

static int tell_tables(struct arena *arena)
{
	for (int pod = 0; pod < 2; pod++)
		for (enum check_id id = 0; id < CHECK_MAX; id++)
			for (int code = 1; code <= ERRNO_MAX; code++) {
				const struct check_result result = { .outcome =
					                                     OUTCOME_NO,
					                             .code = code };

				if (tell(checks[id].name,
				         check_remedy(id, &result, pod, arena)) != 0)
					return 1;
			}
	return 0;
}

/* What keeps one from having IDs, in the planner's order. */
#define WIDE                                 \
	{                                    \
		1,                           \
		{                            \
			{                    \
				0, 0, 200000 \
			}                    \
		}                            \
	}
#define LENT                                     \
	{                                        \
		1,                               \
		{                                \
			{                        \
				0, 100000, 65536 \
			}                        \
		}                                \
	}
#define USER .uid = 1000, .gid = 1000, .own_uid = WIDE, .own_gid = WIDE
#define HELPED USER, .subuid = LENT, .subgid = LENT
static const struct facts without_ids[] = {
	{ .node_root = true },
	{ USER },
	{ HELPED },
	{ HELPED, .newuidmap = true, .no_new_privs = true },
	{ USER, .newuidmap = true, .subuid = { 1, { { 0, 300000, 65536 } } },
	  .subgid = LENT },
	{ HELPED, .newuidmap = true, .helper_weak = true },
	{ USER, .newuidmap = true, .subuid = { 1, { { 0, 1000, 65536 } } },
	  .subgid = LENT },
};

static int tell_ids(struct arena *arena)
{
	const struct config config = { .rootfs = "/" };

	for (size_t i = 0; i < sizeof(without_ids) / sizeof(without_ids[0]); i++) {
		cleanup_plan struct plan plan = { 0 };
		struct err err = { 0 };
		const char *text;

		text = plan_ids(&plan, &config, &without_ids[i], &err) < 0 ? err.hint
		       : plan.notes_n > 0                                  ? plan.notes[0]
		                                                           : "";
		/* A case that plans full maps is none. */
		if (!*text || tell("ids", arena_dup(arena, text)) != 0)
			return 1;
	}
	return 0;
}

int main(void)
{
	cleanup_arena struct arena arena = { 0 };

	if (tell_tables(&arena) != 0 || tell_ids(&arena) != 0)
		return 1;
	return arena.failed;
}
