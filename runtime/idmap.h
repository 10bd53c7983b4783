#ifndef IDMAP_H
#define IDMAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

/* As many as fit, each with three numbers of ten digits, into the 4095 bytes that a map may
 * have in one write; the kernel's other limit, 340 extents, is further out. */
#define IDMAP_EXTENTS_MAX 124

/* systemd, and every Debian image, expects these many IDs (0 to 65535). */
#define IDMAP_FULL 65536

struct id_extent {
	uint32_t inside, outside, count;
};

/**
 * struct idmap - What uid_map or gid_map of a user namespace holds
 * @n:		extents in use
 * @extent:	ascending by @inside, without gap or overlap for the maps made here
 */
struct idmap {
	size_t n;
	struct id_extent extent[IDMAP_EXTENTS_MAX];
};

/**
 * idmap_lent() - L1's map for an ordinary user: own ID first, then what was lent
 * @own:	our own ID in the pod; it becomes 0 inside
 * @sub:	subordinate ranges; @inside is ignored
 * @ret:	set on success only
 * @err:	filled in on failure
 *
 * Return: 0; -EINVAL if a range is empty, reaches (uid_t)-1, or overlaps another one or
 * @own, which newuidmap(1) would accept and the kernel refuse; -E2BIG for more ranges
 * than fit.
 */
int idmap_lent(uint32_t own, const struct idmap *sub, struct idmap *ret, struct err *err);

/**
 * idmap_same() - The map that leaves each ID of the parent namespace as it is
 * @parent:	the parent's own map; each of its extents becomes one, since an
 *		extent may not straddle the parent's (kernel/user_namespace.c,
 *		map_id_range_down() is asked for each extent as a whole)
 *
 * Return: the map, for L1 of a pod's root and for every L2.
 */
struct idmap idmap_same(const struct idmap *parent);

/**
 * idmap_within() - What a namespace may hand on of ranges lent to its user
 * @sub:	the ranges; @inside is ignored
 * @own:	the namespace's own map: the kernel knows no other IDs in it, and refuses an
 *		extent that straddles two of its (map_id_range_down())
 *
 * Return: the parts of @sub that lie in @own, each in one of its extents; @inside is 0.
 * Parts beyond IDMAP_EXTENTS_MAX - 1, so that our own ID has room beside them, are left out.
 */
struct idmap idmap_within(const struct idmap *sub, const struct idmap *own);

/**
 * idmap_add() - One more range of a map, as an option says it
 * @map:	the ranges said before
 * @text:	"INSIDE:OUTSIDE[:COUNT]", COUNT being 1 without it
 * @err:	quotes @text on failure
 *
 * Return: 0; -EINVAL for another form, no IDs, one that reaches (uid_t)-1, or a range that has
 * an ID in common with an earlier one, inside or outside; -E2BIG.
 */
int idmap_add(struct idmap *map, const char *text, struct err *err);

/**
 * idmap_choose() - L1's map as it was asked for
 * @option:	"--uidmap", for messages
 * @wish:	the ranges, in any order
 * @may:	what may be mapped, by @outside: all that a map without @wish would have
 * @ret:	set on success only; one that straddles two ranges of @may is cut, as the kernel
 *		(map_id_range_down()) and newuidmap(1) want it
 * @err:	quotes the range on failure, with what may be mapped as its hint
 *
 * Return: 0; -EPERM for an ID that may not be mapped; -E2BIG.
 */
int idmap_choose(const char *option, const struct idmap *wish, const struct idmap *may,
                 struct idmap *ret, struct err *err);

/* Whether @map maps @inside, and to which one: @ret, which may be NULL. */
bool idmap_find(const struct idmap *map, uint32_t inside, uint32_t *ret);

/* IDs from 0 upwards that @map covers without a gap. */
uint64_t idmap_width(const struct idmap *map);

/* Whether @map maps @outside, that is: gives files of that owner a name inside. */
bool idmap_covers_outside(const struct idmap *map, uint32_t outside);

/**
 * idmap_parse() - Read the text of /proc/PID/uid_map
 * @text:	lines of "inside outside count"
 * @ret:	set on success only
 * @err:	filled in on failure
 *
 * Return: 0; -EINVAL for malformed text; -E2BIG for too many extents.
 */
int idmap_parse(const char *text, struct idmap *ret, struct err *err);

/**
 * idmap_subids() - Find a user's ranges in /etc/subuid or /etc/subgid
 * @text:	the file's text: lines of "user:first:count", see subuid(5)
 * @user:	login name, or NULL
 * @uid:	the same user's number, which the file may hold instead of the name
 * @ret:	ranges in the order of the file; @inside is 0
 *
 * Lines of others and malformed ones are passed over, as newuidmap(1) does; so is a
 * range that overlaps an earlier one (the file may hold it by name and by number).
 */
void idmap_subids(const char *text, const char *user, uint32_t uid, struct idmap *ret);

/* "0 1000 1\n1 100000 65536\n": what the kernel reads, owned by @arena. */
const char *idmap_text(struct arena *arena, const struct idmap *map);

#endif
