#include "watchers_print.h"

#include <stdlib.h>
#include <string.h>

#include "config.h"

/* "watches 500: max_inotify_watches = 500" */
void watchers_most(const struct record *record, uint64_t ret[WATCHER_KINDS])
{
	for (int i = 0; i < WATCHER_KINDS; i++) {
		const char *name = budget_info[watcher_kind[i].budget].name;
		const size_t len = strlen(name);

		ret[i] = LIMIT_UNSET;
		for (size_t j = 0; j < record->limits_n; j++) {
			const char *line = record->limits[j];

			if (!strncmp(line, name, len) && line[len] == ' ' &&
			    !strstr(line, ": not enforced: "))
				ret[i] = strtoull(line + len + 1, NULL, 10);
		}
	}
}

static void put_process(struct json *json, const struct watcher *watcher)
{
	json_object(json);
	json_put_number(json, "pid", watcher->pid);
	json_put_string(json, "name", watcher->name);
	json_put_string(json, "container", watcher->container);
	for (int i = 0; i < WATCHER_KINDS; i++)
		json_put_unsigned(json, watcher_kind[i].key, watcher->use[i]);
	json_object_end(json);
}

void watchers_put(struct json *json, const struct watchers *watchers,
                  const uint64_t most[WATCHER_KINDS])
{
	json_key(json, "watchers");
	if (!watchers) {
		json_null(json);
		return;
	}
	json_object(json);
	for (int i = 0; i < WATCHER_KINDS; i++) {
		json_key(json, watcher_kind[i].key);
		json_object(json);
		json_put_unsigned(json, "now", watchers->use[i]);
		json_key(json, "max");
		if (most[i] == LIMIT_UNSET)
			json_null(json);
		else
			json_unsigned(json, most[i]);
		json_object_end(json);
	}
	json_put_bool(json, "partial", watchers->partial);
	json_key(json, "by_process");
	json_array(json);
	for (size_t i = 0; i < watchers->n; i++)
		put_process(json, &watchers->top[i]);
	json_array_end(json);
	json_object_end(json);
}
