#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "metrics_address.h"
#include "probe.h"
#include "sight.h"

/* What is looked at, and what has been found until now. */
struct looking {
	struct sight sight;
	struct exposed_fact *fact;
	size_t n;
};

/* @instead: what else there is for who uses @option, or NULL. */
static int look(struct looking *looking, const char *option, const char *path,
                const char *instead, struct err *err)
{
	struct sight *sight = &looking->sight;
	int r = sight_walk(sight, path, SIGHT_FILE, err);

	if (r < 0)
		return err_wrap(err, "%s", option);
	if (!sight->held)
		return 0;
	looking->fact[looking->n++] = (struct exposed_fact){
		.option = option,
		.path = path,
		.how = sight->linked     ? "a link on the way to it is in"
		       : sight->by_mount ? "it is, by another mount, in"
		                         : "it is in",
		.by = sight->held->source,
		.instead = instead,
	};
	return 0;
}

static const char *socket_path(const struct config *config)
{
	return config->metrics_listen && !strncmp(config->metrics_listen, METRICS_UNIX,
	                                          strlen(METRICS_UNIX))
	               ? config->metrics_listen + strlen(METRICS_UNIX)
	               : NULL;
}

int probe_exposed(const struct config *config, struct arena *arena, struct facts *facts,
                  struct err *err)
{
	const struct {
		const char *option, *path, *instead;
	} files[] = {
		{ "--audit-log", config->audit_log,
		  "have it on standard error: --audit-log stderr" },
		{ "--metrics-listen", socket_path(config), "listen at an address" },
		{ "--bootstrap", config->bootstrap,
		  "give it on standard input: --bootstrap -" },
		{ "--idle-warn", config->idle_warn, NULL },
		{ "--gpus", config->gpu_libraries,
		  "name another directory of libraries" },
	};
	const size_t n = sizeof(files) / sizeof(files[0]);
	struct looking looking;
	int r;

	if (sight_is_empty(config) && !config->state)
		return 0;
	looking.n = 0;
	looking.fact = arena_alloc(arena, n * sizeof(*looking.fact));
	if (!looking.fact)
		return err_set(err, ENOMEM, "look at what the workspace can write to");
	r = sight_open_all(config, facts, arena, &looking.sight, err);
	for (size_t i = 0; r == 0 && i < n; i++)
		/* "stderr" and "-" are none. */
		if (files[i].path && files[i].path[0] == '/')
			r = look(&looking, files[i].option, files[i].path,
			         files[i].instead, err);
	facts->exposed = looking.fact;
	facts->exposed_n = looking.n;
	return r;
}
