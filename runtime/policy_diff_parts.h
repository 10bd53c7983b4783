#ifndef POLICY_DIFF_PARTS_H
#define POLICY_DIFF_PARTS_H

#include "base/arena.h"
#include "policies/policy.h"

/* Parts of policy_diff.c: pure. What runs out of memory says so in the arena. */

/* The settings of one key. */
struct values {
	const struct policy_setting *first;
	size_t n;
};

/**
 * struct ceiling - The most that there may be of one thing
 * @name:	"nofile", "/dev/sda wbps", "2MB"
 * @text:	as it was written, "1024:4096"
 * @most:	the same as a number; no limit is infinite
 */
struct ceiling {
	const char *name, *text;
	double most;
};

/**
 * struct ceilings - Those of one key
 * @one:	each name once, the last that was said
 */
struct ceilings {
	struct ceiling *one;
	size_t n;
};

/* What a key of POLICY_EACH says. */
struct ceilings policy_ceilings(const struct policy_key *key, const struct values *values,
                                struct arena *arena);

/* The one of that name, NULL where there is none. */
const struct ceiling *policy_ceiling(const struct ceilings *ceilings, const char *name);

/**
 * struct items - The items of a list, one by one
 * @text:	without the commas by which some keys take several at once
 */
struct items {
	const char **text;
	size_t n;
};

struct items policy_items(const struct policy_key *key, const struct values *values,
                          struct arena *arena);

/* Whether they have what @text says, however it is spelled. */
bool policy_items_have(const struct policy_key *key, const struct items *items,
                       const char *text);

/**
 * policy_items_order() - What another order of the same rules makes possible
 * @a, @b:	rules of egress; those that only one of them has are left out
 *
 * Return: '+' where an allowing rule came before a denying one that it meets; '-' where only the
 * reverse is true; '~' where no destination is decided by another rule.
 */
char policy_items_order(const struct items *a, const struct items *b);

#endif
