#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "mounts.h"
#include "probe.h"
#include "sight.h"
#include "state.h"

/* What shows the directory that was walked to, one that can be written if there is one. */
static const struct shown *shown_by(const struct sight *sight)
{
	const struct shown *best = NULL;

	for (size_t i = 0; i < sight->shown_n; i++)
		if (path_in(*sight->real ? sight->real : "/", sight->shown[i].real) &&
		    (!best || !best->writable))
			best = &sight->shown[i];
	return best;
}

/* The first reason counts. */
static void tell(struct hidden_fact *fact, const struct shown *shown, const char *problem)
{
	if (fact->problem)
		return;
	fact->problem = problem;
	fact->by = shown->source;
}

/*
 * What @shown shows by a mount of the same file system, of which @hidden is what is to be hidden:
 * that at another place than its own, where no cover would be, or a part of it.
 */
static void look_at_part(const struct sight *sight, const struct shown *shown, size_t at,
                         const char *hidden, struct hidden_fact *fact)
{
	const struct facts *facts = sight->facts;
	struct mounts_part part;
	const char *place;

	if (!mounts_part(facts->mount, facts->mount_n, at, shown->real, sight->arena,
	                 &part) ||
	    sight->arena->failed)
		return;
	if (shown->writable && path_in(part.begin, hidden) &&
	    strcmp(part.begin, hidden) != 0)
		tell(fact, shown, "lies, by another mount, in");
	if (!path_in(hidden, part.begin))
		return;
	place = arena_printf(sight->arena, "%s%s",
	                     strcmp(part.place, "/") ? part.place : "",
	                     hidden + strlen(part.begin));
	if (strcmp(place, sight->real) != 0)
		tell(fact, shown, "shows, by another mount,");
}

/* The same file system may be mounted at more than one place of the pod. */
static void look_elsewhere(const struct sight *sight, struct hidden_fact *fact)
{
	const struct facts *facts = sight->facts;
	const struct mount_fact *own =
		mounts_at(facts->mount, facts->mount_n, sight->real);
	const char *hidden = own ? mounts_inner(own, sight->real, sight->arena) : "";

	for (size_t i = 0; own && i < sight->shown_n; i++)
		for (size_t j = 0; j < facts->mount_n; j++)
			if (!strcmp(facts->mount[j].device, own->device))
				look_at_part(sight, &sight->shown[i], j, hidden, fact);
}

/*
 * What can be written in it is a part of it; of what another volume shows, what can only be read
 * cannot be attached either: it would be gone from sight without a word.
 */
static void look_inside(const struct sight *sight, struct hidden_fact *fact)
{
	for (size_t i = 0; i < sight->shown_n; i++) {
		const struct shown *shown = &sight->shown[i];

		if (!strcmp(shown->real, sight->real))
			tell(fact, shown, "is");
		else if (!path_in(shown->real, sight->real))
			continue;
		else if (fact->shown)
			tell(fact, shown, "lies in what another one holds,");
		else if (shown->writable)
			tell(fact, shown, "lies in");
	}
}

static int look(struct sight *sight, const char *path, enum sight_kind kind,
                struct hidden_fact *ret, struct err *err)
{
	struct stat st;
	int r = sight_walk(sight, path, kind, err);

	if (r < 0)
		return r;
	if (sight->there) {
		ret->path = arena_dup(sight->arena, sight->real);
		ret->shown = shown_by(sight) != NULL;
		if (lstat(sight->real, &st) == 0) {
			ret->dev = st.st_dev;
			ret->ino = st.st_ino;
		}
		look_inside(sight, ret);
		look_elsewhere(sight, ret);
	}
	if (sight->held)
		tell(ret, sight->held,
		     sight->linked     ? "has a link on the way to"
		     : sight->by_mount ? "shows, by another mount,"
		                       : "holds");
	return 0;
}

int probe_hidden(const struct config *config, struct arena *arena, struct facts *facts,
                 struct err *err)
{
	struct hidden_fact *hidden = arena_alloc(arena, HIDDEN_N * sizeof(*hidden));
	char records[PATH_MAX];
	struct sight sight;
	int r;

	if (!hidden)
		return err_set(err, ENOMEM, "look at berth's own directories");
	hidden[HIDDEN_RECORDS].what = "runtime directory";
	hidden[HIDDEN_IMAGES].what = "store of images";
	hidden[HIDDEN_LAYERS].what = "directory of upper layers";
	facts->hidden = hidden;
	if (sight_is_empty(config))
		return 0;
	r = sight_open(config, facts, arena, &sight, err);
	if (r == 0)
		r = state_path(records, sizeof(records), err);
	if (r == 0)
		r = look(&sight, records, SIGHT_DIRECTORY_LATER, &hidden[HIDDEN_RECORDS],
		         err);
	if (r == 0 && config->store)
		r = look(&sight, arena_printf(arena, "%s/images", config->store),
		         SIGHT_DIRECTORY, &hidden[HIDDEN_IMAGES], err);
	if (r == 0 && config->state)
		r = look(&sight, config->state, SIGHT_DIRECTORY_LATER,
		         &hidden[HIDDEN_LAYERS], err);
	return r;
}
