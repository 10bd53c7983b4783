#ifndef POLICY_H
#define POLICY_H

#include <stddef.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/err.h"

/* What stands behind a key in the file. */
enum policy_type {
	POLICY_TEXT,   /* "..." */
	POLICY_BOOL,   /* true */
	POLICY_NUMBER, /* 500 */
	POLICY_AMOUNT, /* 1.5, or "512m" with a unit */
	POLICY_LIST,   /* ["...", ...] */
	POLICY_MAP,    /* {"NAME": "..." or null, ...} */
	POLICY_TYPE_MAX,
};

/* What becomes possible where a value grows, or where an item is added. */
enum policy_sense {
	POLICY_NEUTRAL, /* something else, neither more nor less */
	POLICY_CEILING, /* more, and most without any */
	POLICY_EACH, /* likewise for each thing that an item names: "/dev/sda:wbps=1m" */
	POLICY_WITHIN, /* more where a set has what the other has not; all without one */
	POLICY_GRANT,  /* more */
	POLICY_ONLY,   /* more, and everything without any */
	POLICY_DENIAL, /* less */
	POLICY_LADDER, /* more, in the order of its choices */
	POLICY_WHO,    /* more as root, who it is where nothing is said */
	POLICY_IDS,    /* more with more IDs outside, and most without any */
	POLICY_RULES, /* more with "allow:...", less with "deny:..."; the first one counts */
};

/**
 * struct policy_choice - A value that a key may have
 * @value:	as it is written; NULL ends a list of them
 * @means:	what comes of it, for explain
 */
struct policy_choice {
	const char *value, *means;
};

/**
 * struct policy_key - One key of a policy: parser, schema, explain and diff read this row
 * @path:	"limits.memory"
 * @type:	what it holds
 * @option:	the option of run with the same meaning, without dashes: a flag is a
 *		policy of one line
 * @joined:	the items of POLICY_LIST make one value, with commas
 * @sense:	for diff
 * @choice:	the only values of POLICY_TEXT, and both of POLICY_BOOL; NULL for any
 * @about:	one sentence for the schema, and for explain where there is no choice; it
 *		goes on where the value stands
 *
 * A policy that extends another one replaces its values key by key; lists add to those
 * before them, and rules (POLICY_RULES) come before them; names of a map replace the same name or, with null, take it away.
 */
struct policy_key {
	const char *path;
	enum policy_type type;
	const char *option;
	bool joined;
	enum policy_sense sense;
	const struct policy_choice *choice;
	const char *about;
};

extern const struct policy_key policy_keys[];
extern const size_t policy_keys_n;

/**
 * struct policy_setting - A value of a policy, or one item of a list or a map
 * @key:	which
 * @value:	as the option takes it: "512m", "NAME=VALUE"
 * @file:	where it was written: a path, or the name of a profile
 * @line, @column: of its last character
 */
struct policy_setting {
	const struct policy_key *key;
	const char *value, *file;
	unsigned int line, column;
};

/**
 * struct policy - A policy with all that it extends
 * @name:	as it was asked for
 * @setting:	in the order of the key table, lists in the order written
 * @n:		length of @setting
 */
struct policy {
	const char *name;
	const struct policy_setting *setting;
	size_t n;
};

/* A profile that ships with berth. */
struct policy_profile {
	const char *name, *text;
};

extern const struct policy_profile policy_profiles[];
extern const size_t policy_profiles_n;

/* What a whole machine has where nobody names a policy, and how to name none at all. */
#define POLICY_DEFAULT "systemd-docker"
#define POLICY_NONE "none"

/**
 * policy_load() - Read a policy and all that it extends
 * @name:	a profile, or a file where it has a '/' in it or ends with ".json"
 * @arena:	owns the result
 * @ret:	set on success only
 * @err:	"FILE:LINE:COLUMN: PATH: what is wrong", with the nearest known name
 *
 * "extends" of a file names a profile, or a file beside it.
 *
 * Return: 0; -EINVAL for what is no policy; -ENOENT; -EFBIG above 256 KiB; -ELOOP where
 * more than 8 extend one another; -ENOMEM; else errno of reading, negative.
 */
int policy_load(const char *name, struct arena *arena, struct policy *ret,
                struct err *err);

/* "FILE:LINE:COLUMN", or the name of the profile, owned by @arena. */
const char *policy_origin(struct arena *arena, const struct policy_setting *setting);

/* What a setting's choice means; NULL where its key has no choices, and its @about says it. */
const char *policy_meaning(const struct policy_setting *setting);

/* The policy as one document without "extends". Return: 0 or -errno. */
int policy_print(const struct policy *policy, FILE *out, struct err *err);

/* The JSON Schema (draft 2020-12) of a policy. Return: 0 or -errno. */
int policy_schema(FILE *out, struct err *err);

#endif
