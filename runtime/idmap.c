#include "idmap.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_INVALID UINT32_MAX

/* Digits that fit into 32 bits, with blanks before them where @blanks; then on to the
 * first character behind. sscanf() would take "-1", and 4294967296 as 0. */
static bool read_id(const char **text, bool blanks, uint32_t *ret)
{
	const char *p = *text + (blanks ? strspn(*text, " ") : 0);
	uint64_t value = 0;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		value = 10 * value + (uint64_t)(*p - '0');
		if (value > UINT32_MAX)
			return false;
	}
	*ret = (uint32_t)value;
	*text = p;
	return true;
}

static bool meet(uint32_t a, uint32_t a_count, uint32_t b, uint32_t b_count)
{
	return a < (uint64_t)b + b_count && b < (uint64_t)a + a_count;
}

/* Whether an extent of @map has an outside ID of @e: the kernel refuses such a map. */
static bool overlaps(const struct idmap *map, const struct id_extent *e)
{
	for (size_t i = 0; i < map->n; i++)
		if (meet(e->outside, e->count, map->extent[i].outside,
		         map->extent[i].count))
			return true;
	return false;
}

int idmap_lent(uint32_t own, const struct idmap *sub, struct idmap *ret, struct err *err)
{
	struct idmap map = { .n = 1, .extent[0] = { 0, own, 1 } };
	uint32_t inside = 1;

	if (own == ID_INVALID)
		return err_set(err, EINVAL, "own ID %" PRIu32 " is invalid", own);
	if (sub->n >= IDMAP_EXTENTS_MAX)
		return err_set(err, E2BIG, "%zu subordinate ranges", sub->n);

	for (size_t i = 0; i < sub->n; i++) {
		const struct id_extent *e = &sub->extent[i];
		uint64_t end = (uint64_t)e->outside + e->count;

		if (e->count == 0 || end > ID_INVALID ||
		    (uint64_t)inside + e->count > ID_INVALID)
			return err_set(err, EINVAL,
			               "subordinate range %" PRIu32 ":%" PRIu32
			               " is empty or too high",
			               e->outside, e->count);
		if (own >= e->outside && own < end)
			return err_set(err, EINVAL,
			               "subordinate range %" PRIu32 ":%" PRIu32
			               " holds our own ID %" PRIu32,
			               e->outside, e->count, own);
		if (overlaps(&map, e))
			return err_set(err, EINVAL,
			               "subordinate range %" PRIu32 ":%" PRIu32
			               " overlaps another one",
			               e->outside, e->count);
		map.extent[map.n++] = (struct id_extent){ inside, e->outside, e->count };
		inside += e->count;
	}
	*ret = map;
	return 0;
}

struct idmap idmap_same(const struct idmap *parent)
{
	struct idmap map = { .n = parent->n };

	for (size_t i = 0; i < parent->n; i++) {
		const struct id_extent *e = &parent->extent[i];

		map.extent[i] = (struct id_extent){ e->inside, e->inside, e->count };
	}
	return map;
}

struct idmap idmap_within(const struct idmap *sub, const struct idmap *own)
{
	struct idmap map = { 0 };

	for (size_t i = 0; i < sub->n; i++)
		for (size_t j = 0; j < own->n && map.n < IDMAP_EXTENTS_MAX - 1; j++) {
			const struct id_extent *s = &sub->extent[i], *o = &own->extent[j];
			uint64_t s_end = (uint64_t)s->outside + s->count;
			uint64_t o_end = (uint64_t)o->inside + o->count;
			uint32_t first = s->outside > o->inside ? s->outside : o->inside;
			uint64_t end = s_end < o_end ? s_end : o_end;

			if (first < end)
				map.extent[map.n++] =
					(struct id_extent){ 0, first,
					                    (uint32_t)(end - first) };
		}
	return map;
}

static bool parse_extent(const char *text, struct id_extent *ret)
{
	struct id_extent e = { .count = 1 };

	if (!read_id(&text, false, &e.inside) || *text++ != ':' ||
	    !read_id(&text, false, &e.outside))
		return false;
	if (*text == ':') {
		text++;
		if (!read_id(&text, false, &e.count))
			return false;
	}
	*ret = e;
	return *text == '\0';
}

int idmap_add(struct idmap *map, const char *text, struct err *err)
{
	struct id_extent e;

	if (!parse_extent(text, &e)) {
		(void)err_set(err, EINVAL, "'%.60s' is no range of IDs", text);
		return err_hint(err, "INSIDE:OUTSIDE:COUNT, as 0:100000:65536");
	}
	if (e.count == 0)
		return err_set(err, EINVAL, "'%s' has no ID", text);
	if ((uint64_t)e.inside + e.count > ID_INVALID ||
	    (uint64_t)e.outside + e.count > ID_INVALID)
		return err_set(err, EINVAL, "'%s' reaches beyond the last ID, %" PRIu32,
		               text, ID_INVALID - 1);
	if (map->n == IDMAP_EXTENTS_MAX)
		return err_set(err, E2BIG, "more than %d ranges of IDs",
		               IDMAP_EXTENTS_MAX);
	for (size_t i = 0; i < map->n; i++) {
		const struct id_extent *m = &map->extent[i];
		const bool within = meet(e.inside, e.count, m->inside, m->count);

		if (!within && !meet(e.outside, e.count, m->outside, m->count))
			continue;
		(void)err_set(err, EINVAL,
		              "'%s' and '%" PRIu32 ":%" PRIu32 ":%" PRIu32
		              "' have IDs %s in common",
		              text, m->inside, m->outside, m->count,
		              within ? "inside" : "outside");
		return err_hint(err, "each ID stands for one other: shorten one of them, "
		                     "or leave it out");
	}
	map->extent[map->n++] = e;
	return 0;
}

/* "1000, 100000-165535", the first ranges of them. */
static void ranges(const struct idmap *map, char *ret, size_t size)
{
	size_t at = 0;

	for (size_t i = 0; i < map->n && at < size; i++) {
		const struct id_extent *e = &map->extent[i];
		int n;

		if (i == 4)
			n = snprintf(ret + at, size - at, ", ...");
		else if (e->count == 1)
			n = snprintf(ret + at, size - at, "%s%" PRIu32, i ? ", " : "",
			             e->outside);
		else
			n = snprintf(ret + at, size - at, "%s%" PRIu32 "-%" PRIu32,
			             i ? ", " : "", e->outside,
			             e->outside + (e->count - 1));
		at += n > 0 ? (size_t)n : 0;
		if (i == 4)
			break;
	}
}

static const struct id_extent *extent_of(const struct idmap *map, uint32_t outside)
{
	for (size_t i = 0; i < map->n; i++)
		if (outside >= map->extent[i].outside &&
		    outside - map->extent[i].outside < map->extent[i].count)
			return &map->extent[i];
	return NULL;
}

static int refuse(const char *option, const struct id_extent *e, uint32_t id,
                  const struct idmap *may, struct err *err)
{
	char text[160] = "none";

	(void)err_set(err, EPERM,
	              "%s '%" PRIu32 ":%" PRIu32 ":%" PRIu32 "': %" PRIu32
	              " is not ours to map",
	              option, e->inside, e->outside, e->count, id);
	ranges(may, text, sizeof(text));
	return err_hint(err,
	                "IDs that may stand behind the first ':' here: %s; more have to "
	                "be lent in /etc/subuid and /etc/subgid, or mapped to the pod",
	                text);
}

static int by_inside(const void *a, const void *b)
{
	const struct id_extent *x = a, *y = b;

	return x->inside < y->inside ? -1 : x->inside > y->inside;
}

int idmap_choose(const char *option, const struct idmap *wish, const struct idmap *may,
                 struct idmap *ret, struct err *err)
{
	struct idmap map = { 0 };

	for (size_t i = 0; i < wish->n; i++) {
		struct id_extent rest = wish->extent[i];

		while (rest.count > 0) {
			const struct id_extent *lent = extent_of(may, rest.outside);
			struct id_extent part = rest;

			if (!lent)
				return refuse(option, &wish->extent[i], rest.outside, may,
				              err);
			if (map.n == IDMAP_EXTENTS_MAX)
				return err_set(err, E2BIG,
				               "%s: more than %d ranges, each within one "
				               "of those that may be mapped",
				               option, IDMAP_EXTENTS_MAX);
			if (part.count > lent->count - (part.outside - lent->outside))
				part.count = lent->count - (part.outside - lent->outside);
			map.extent[map.n++] = part;
			rest.inside += part.count;
			rest.outside += part.count;
			rest.count -= part.count;
		}
	}
	qsort(map.extent, map.n, sizeof(map.extent[0]), by_inside);
	*ret = map;
	return 0;
}

bool idmap_find(const struct idmap *map, uint32_t inside, uint32_t *ret)
{
	for (size_t i = 0; i < map->n; i++) {
		const struct id_extent *e = &map->extent[i];

		if (inside < e->inside || inside - e->inside >= e->count)
			continue;
		if (ret)
			*ret = e->outside + (inside - e->inside);
		return true;
	}
	return false;
}

uint64_t idmap_width(const struct idmap *map)
{
	uint64_t width = 0;

	for (size_t i = 0; i < map->n && map->extent[i].inside == width; i++)
		width += map->extent[i].count;
	return width;
}

bool idmap_covers_outside(const struct idmap *map, uint32_t outside)
{
	return extent_of(map, outside) != NULL;
}

int idmap_parse(const char *text, struct idmap *ret, struct err *err)
{
	struct idmap map = { 0 };
	const char *line = text;

	while (*line) {
		const char *p = line;
		struct id_extent e;

		if (!read_id(&p, true, &e.inside) || !read_id(&p, true, &e.outside) ||
		    !read_id(&p, true, &e.count) || (*p && *p != '\n'))
			return err_set(err, EINVAL, "'%.40s' is no ID map", line);
		if (map.n == IDMAP_EXTENTS_MAX)
			return err_set(err, E2BIG, "more than %d extents in an ID map",
			               IDMAP_EXTENTS_MAX);
		map.extent[map.n++] = e;
		line = *p ? p + 1 : p;
	}
	*ret = map;
	return 0;
}

/* ":first:count" at the end of a line of subuid(5). */
static bool parse_range(const char *text, struct id_extent *ret)
{
	struct id_extent e = { 0 };

	if (*text++ != ':' || !read_id(&text, false, &e.outside) || *text++ != ':' ||
	    !read_id(&text, false, &e.count) || (*text && *text != '\n'))
		return false;
	*ret = e;
	return e.count > 0;
}

void idmap_subids(const char *text, const char *user, uint32_t uid, struct idmap *ret)
{
	char number[16];

	*ret = (struct idmap){ 0 };
	(void)snprintf(number, sizeof(number), "%" PRIu32, uid);
	for (const char *line = text; line && *line;) {
		const char *end = strchr(line, '\n');
		size_t len = strcspn(line, ":\n");
		struct id_extent e;

		if (((user && strlen(user) == len && !strncmp(line, user, len)) ||
		     (strlen(number) == len && !strncmp(line, number, len))) &&
		    parse_range(line + len, &e) && !overlaps(ret, &e) &&
		    ret->n < IDMAP_EXTENTS_MAX - 1)
			ret->extent[ret->n++] = e;
		line = end ? end + 1 : NULL;
	}
}

const char *idmap_text(struct arena *arena, const struct idmap *map)
{
	const char *text = "";

	for (size_t i = 0; i < map->n; i++)
		text = arena_printf(arena, "%s%" PRIu32 " %" PRIu32 " %" PRIu32 "\n",
		                    text, map->extent[i].inside, map->extent[i].outside,
		                    map->extent[i].count);
	return text;
}
