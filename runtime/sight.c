#include "sight.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mounts.h"

/* As path_resolution(7) has it. */
#define LINKS_MAX 40

/* A way that ends before the path does. */
#define END 1

bool sight_is_empty(const struct config *config)
{
	return config->volume_n == 0 &&
	       (config->overlay || !strcmp(config->rootfs, "host"));
}

/* @real, without links, is the arena's. */
static int show(struct sight *sight, const char *source, const char *real, bool writable,
                struct err *err)
{
	sight->shown[sight->shown_n++] =
		(struct shown){ .source = source, .real = real, .writable = writable };
	return sight->arena->failed ? err_set(err, ENOMEM, "look at volumes") : 0;
}

int sight_open(const struct config *config, const struct facts *facts,
               struct arena *arena, struct sight *ret, struct err *err)
{
	int r = 0;

	ret->facts = facts;
	ret->arena = arena;
	ret->shown_n = 0;
	/* And the root, and what sight_add() brings. */
	ret->shown = arena_alloc(arena, (config->volume_n + 2) * sizeof(*ret->shown));
	if (!ret->shown)
		return err_set(err, ENOMEM, "look at volumes");
	for (size_t i = 0; r == 0 && i < config->volume_n; i++)
		r = show(ret, config->volume[i].source, facts->source_real[i],
		         !config->volume[i].read_only, err);
	if (r == 0 && facts->root_real)
		r = show(ret, config->rootfs, facts->root_real, true, err);
	return r;
}

/* The path that it will have, where the launch has yet to make it and the directory it lies in. */
static const char *later(struct sight *sight, const char *path)
{
	char real[PATH_MAX], above[PATH_MAX];
	const char *name = path + strlen(path);

	while (name > path) {
		while (name > path && *--name != '/')
			continue;
		(void)snprintf(above, sizeof(above), "%.*s", (int)(name - path), path);
		if (realpath(name > path ? above : "/", real))
			return arena_printf(sight->arena, "%s%s",
			                    strcmp(real, "/") ? real : "", name);
	}
	return NULL;
}

int sight_add(struct sight *sight, const char *source, struct err *err)
{
	char real[PATH_MAX];
	const char *there = realpath(source, real) ? arena_dup(sight->arena, real)
	                    : errno == ENOENT      ? later(sight, source)
	                                           : NULL;

	return there ? show(sight, source, there, true, err) : 0;
}

int sight_open_all(const struct config *config, const struct facts *facts,
                   struct arena *arena, struct sight *ret, struct err *err)
{
	int r = sight_open(config, facts, arena, ret, err);

	if (r == 0 && config->state)
		r = sight_add(ret,
		              arena_printf(arena, "%s/%s", config->state, config->name),
		              err);
	return r;
}

/* By what root inside can write at @path, or in it. */
static const struct shown *writer(const struct sight *sight, const char *path,
                                  bool *ret_by_mount)
{
	const struct facts *facts = sight->facts;

	for (int by_mount = 0; by_mount < 2; by_mount++)
		for (size_t i = 0; i < sight->shown_n; i++) {
			const struct shown *shown = &sight->shown[i];

			if (!shown->writable ||
			    (by_mount ? !mounts_show(facts->mount, facts->mount_n,
			                             shown->real, path, sight->arena)
			              : !path_in(path, shown->real)))
				continue;
			*ret_by_mount = by_mount > 0;
			return shown;
		}
	return NULL;
}

static void note_writer(struct sight *sight)
{
	bool by_mount;
	const struct shown *shown =
		writer(sight, *sight->real ? sight->real : "/", &by_mount);

	/* The first one that counts is one by its own path. */
	if (!shown || (sight->held && (by_mount || !sight->by_mount)))
		return;
	sight->held = shown;
	sight->by_mount = by_mount;
}

/* Owns what belongs to nobody in this user namespace: root's files, where he is not mapped. */
#define OVERFLOW_UID 65534

/* Who has a sticky directory's files replaces his own only. */
static void note_loose(struct sight *sight, const char *path, const struct stat *st)
{
	const struct facts *facts = sight->facts;
	const bool theirs =
		st->st_uid != 0 && st->st_uid != facts->uid && st->st_uid != OVERFLOW_UID;
	const struct mount_fact *mount;

	if (sight->loose ||
	    (!theirs && (!(st->st_mode & S_IWOTH) || (st->st_mode & S_ISVTX))))
		return;
	mount = mounts_at(facts->mount, facts->mount_n, path);
	if (!mount || !mount->read_only)
		sight->loose = arena_dup(sight->arena, path);
}

/* Its last component goes; the root stays. */
static void go_up(struct sight *sight)
{
	char *slash = strrchr(sight->real, '/');

	if (slash)
		*slash = '\0';
}

/* Goes on with what the link at @path says, and then with the rest. Not inlined: most ways have no link,
 * and need no pages of the stack for one. */
__attribute__((noinline)) static int follow(struct sight *sight, const char *path,
                                            struct err *err)
{
	char text[PATH_MAX], rest[PATH_MAX];
	ssize_t n = readlink(path, text, sizeof(text) - 1);

	if (n < 0)
		return err_set(err, errno, "read the link '%s'", path);
	text[n] = '\0';
	if (++sight->links > LINKS_MAX)
		return err_set(err, ELOOP, "follow '%s'", path);
	if ((size_t)snprintf(rest, sizeof(rest), "%s/%s", text, sight->rest) >=
	    sizeof(rest))
		return err_set(err, ENAMETOOLONG, "follow '%s'", path);
	if (*text == '/')
		*sight->real = '\0';
	memcpy(sight->rest, rest, strlen(rest) + 1);
	return 0;
}

/* Of what is made only later @real becomes the path that it will have. */
static int go_to_end(struct sight *sight, const char *path, struct err *err)
{
	if ((size_t)snprintf(sight->real, sizeof(sight->real), "%s%s%s", path,
	                     *sight->rest ? "/" : "", sight->rest) >= sizeof(sight->real))
		return err_set(err, ENAMETOOLONG, "look at '%s'", path);
	sight->there = true;
	return END;
}

/*
 * One component, @path with what was walked before. What is not there is nothing to cover, but a
 * workspace could make it, and a later launch take it for berth's. What this user may not look at,
 * no launch of his will use.
 */
static int walk_one(struct sight *sight, const char *path, enum sight_kind kind,
                    struct err *err)
{
	struct stat st;

	note_writer(sight);
	if (lstat(path, &st) < 0) {
		if (errno == ENOENT)
			return kind == SIGHT_DIRECTORY ? END
			                               : go_to_end(sight, path, err);
		return errno == EACCES || kind == SIGHT_FILE
		               ? END
		               : err_set(err, errno, "look at '%s'", path);
	}
	if (S_ISLNK(st.st_mode)) {
		sight->linked |= sight->held != NULL;
		return follow(sight, path, err);
	}
	if (!S_ISDIR(st.st_mode)) {
		if (kind != SIGHT_FILE)
			return err_set(err, ENOTDIR, "open '%s'", path);
		return *sight->rest ? END : go_to_end(sight, path, err);
	}
	note_loose(sight, path, &st);
	memcpy(sight->real, path, strlen(path) + 1);
	return 0;
}

/* Takes the next component off what is left. Return: 0; END; -ENAMETOOLONG. */
static int next_name(struct sight *sight, char ret[NAME_MAX + 1], struct err *err)
{
	char *rest = sight->rest + strspn(sight->rest, "/");
	const size_t n = strcspn(rest, "/");

	if (n == 0)
		return END;
	if (n > NAME_MAX)
		return err_set(err, ENAMETOOLONG, "open '%s'", rest);
	memcpy(ret, rest, n);
	ret[n] = '\0';
	rest += n + strspn(rest + n, "/");
	memmove(sight->rest, rest, strlen(rest) + 1);
	return 0;
}

static int step(struct sight *sight, enum sight_kind kind, struct err *err)
{
	char name[NAME_MAX + 1], path[PATH_MAX];
	int r = next_name(sight, name, err);

	if (r == END)
		sight->there = *sight->real != '\0';
	if (r != 0 || !strcmp(name, "."))
		return r;
	if (!strcmp(name, "..")) {
		go_up(sight);
		return 0;
	}
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", sight->real, name) >=
	    sizeof(path))
		return err_set(err, ENAMETOOLONG, "open '%s'", name);
	return walk_one(sight, path, kind, err);
}

int sight_walk(struct sight *sight, const char *path, enum sight_kind kind,
               struct err *err)
{
	int r;

	sight->there = sight->linked = sight->by_mount = false;
	sight->held = NULL;
	sight->loose = NULL;
	sight->links = 0;
	*sight->real = '\0';
	if ((size_t)snprintf(sight->rest, sizeof(sight->rest), "%s", path) >=
	    sizeof(sight->rest))
		return err_set(err, ENAMETOOLONG, "look at '%s'", path);
	do
		r = step(sight, kind, err);
	while (r == 0);
	if (r == -ELOOP && kind == SIGHT_FILE) {
		err_clear(err);
		return 0;
	}
	if (sight->there)
		note_writer(sight);
	if (sight->arena->failed)
		return err_set(err, ENOMEM, "look at '%s'", path);
	return r < 0 ? r : 0;
}
