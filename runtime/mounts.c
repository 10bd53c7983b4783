#include "mounts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Undoes \040 and the like (proc(5), mountinfo), in place. */
static void unescape(char *text)
{
	char *out = text;

	for (char *in = text; *in; out++) {
		if (in[0] == '\\' && in[1] >= '0' && in[1] <= '3' && in[2] && in[3]) {
			*out = (char)((in[1] - '0') * 64 + (in[2] - '0') * 8 + in[3] -
			              '0');
			in += 4;
		} else {
			*out = *in++;
		}
	}
	*out = '\0';
}

/* One line: "36 35 98:0 /root /point rw,noatime master:1 - ext3 /dev/sda1 rw". */
static bool parse_mount(char *line, struct mount_fact *ret)
{
	char *field[6], *separator, *more, *save = NULL;

	separator = strstr(line, " - ");
	if (!separator)
		return false;
	*separator = '\0';
	for (size_t i = 0; i < 6; i++) {
		field[i] = strtok_r(i == 0 ? line : NULL, " ", &save);
		if (!field[i])
			return false;
	}
	unescape(field[3]);
	unescape(field[4]);
	*ret = (struct mount_fact){
		.device = field[2],
		.root = field[3],
		.point = field[4],
		.flags = field[5],
		.read_only = !strncmp(field[5], "ro", 2),
	};
	while ((more = strtok_r(NULL, " ", &save))) {
		if (!strncmp(more, "master:", 7))
			ret->master = (unsigned int)strtoul(more + 7, NULL, 10);
		if (!strncmp(more, "shared:", 7))
			ret->shared = (unsigned int)strtoul(more + 7, NULL, 10);
	}
	ret->fstype = strtok_r(separator + 3, " ", &save);
	(void)strtok_r(NULL, " ", &save); /* the device */
	ret->options = strtok_r(NULL, " ", &save);
	return ret->fstype != NULL;
}

int mounts_parse(const char *text, struct arena *arena, const struct mount_fact **ret,
                 size_t *ret_n, struct err *err)
{
	char *copy = (char *)arena_dup(arena, text), *save = NULL;
	struct mount_fact *mount;
	size_t lines = 0, n = 0;

	for (const char *p = copy; *p; p++)
		lines += *p == '\n';
	mount = arena_alloc(arena, (lines + 1) * sizeof(*mount));
	if (!mount || arena->failed)
		return err_set(err, ENOMEM, "read the mount table");
	for (char *line = strtok_r(copy, "\n", &save); line && n < lines;
	     line = strtok_r(NULL, "\n", &save))
		n += parse_mount(line, &mount[n]);
	*ret = mount;
	*ret_n = n;
	return 0;
}

bool path_in(const char *path, const char *above)
{
	const size_t len = strcmp(above, "/") ? strlen(above) : 0;

	return !strncmp(path, above, len) && (path[len] == '/' || path[len] == '\0');
}

const struct mount_fact *mounts_at(const struct mount_fact *mount, size_t n,
                                   const char *path)
{
	const struct mount_fact *best = NULL;

	for (size_t i = 0; i < n; i++)
		if (path_in(path, mount[i].point) &&
		    (!best || strlen(mount[i].point) >= strlen(best->point)))
			best = &mount[i];
	return best;
}

const char *mounts_inner(const struct mount_fact *mount, const char *path,
                         struct arena *arena)
{
	const char *root = strcmp(mount->root, "/") ? mount->root : "";
	const char *below = path + (strcmp(mount->point, "/") ? strlen(mount->point) : 0);

	return arena_printf(arena, "%s%s", root, strcmp(below, "/") ? below : "");
}

bool mounts_part(const struct mount_fact *mount, size_t n, size_t at, const char *dir,
                 struct arena *arena, struct mounts_part *ret)
{
	const char *place = mount[at].point;

	if (mounts_at(mount, n, place) != &mount[at])
		return false; /* another one lies over it */
	if (!path_in(place, dir)) {
		if (mounts_at(mount, n, dir) != &mount[at])
			return false;
		place = dir;
	}
	*ret = (struct mounts_part){ place, mounts_inner(&mount[at], place, arena) };
	return true;
}

bool mounts_show(const struct mount_fact *mount, size_t n, const char *dir,
                 const char *path, struct arena *arena)
{
	const struct mount_fact *own = mounts_at(mount, n, path);
	const char *inner = own ? mounts_inner(own, path, arena) : "";
	struct mounts_part part;

	for (size_t i = 0; own && i < n; i++)
		if (!strcmp(mount[i].device, own->device) &&
		    mounts_part(mount, n, i, dir, arena, &part) &&
		    path_in(inner, part.begin))
			return true;
	return false;
}
