#ifndef POLICIES_SECCOMP_CHOICE_H
#define POLICIES_SECCOMP_CHOICE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"
#include "policies/seccomp.h"
#include "policies/seccomp_assemble.h"
#include "policies/seccomp_rules.h"

/*
 * What a policy says of system calls: a filter of ours, calls to allow and calls to deny beside
 * it. A denied one is denied, whatever else is said. Names are the kernel's; of socket(2) a family
 * can be meant alone: "socket:AF_ALG"; and a kind of namespace can be denied by the flag that makes it:
 * "namespace:CLONE_NEWUSER".
 */

#define SECCOMP_DEFAULT "workspace"
#define SECCOMP_FLAT "namespace:CLONE_NEWUSER" /* what "nested": false denies */
#define SECCOMP_RULES_MAX 256
#define SECCOMP_TEXT_MAX 8192

/**
 * struct seccomp_choice - What a policy says
 * @profile:	name of a set of rules; NULL: SECCOMP_DEFAULT
 * @allow, @deny: "bpf,socket:AF_ALG"; NULL: nothing
 */
struct seccomp_choice {
	const char *profile, *allow, *deny;
};

/* Whether refusals are the filter's own, or asked of whoever listens: see seccomp_judge(). */
enum seccomp_mode { SECCOMP_REFUSE, SECCOMP_ASK };

/**
 * struct seccomp_chosen - The rules that come of it
 * @set:	all of them, those of the policy first
 * @rule:	room for them
 * @text:	room for the names of calls
 */
struct seccomp_chosen {
	struct seccomp_set set;
	struct seccomp_rule rule[SECCOMP_RULES_MAX];
	char text[SECCOMP_TEXT_MAX];
	size_t used;
};

/**
 * struct seccomp_made - A filter that was made while berth runs
 * @filter:	to be loaded; points into @program
 */
struct seccomp_made {
	struct seccomp_filter filter;
	struct seccomp_program program;
	struct seccomp_chosen chosen;
};

/* A grade of what can come of a call that a policy allows. */
enum seccomp_risk {
	SECCOMP_HARMLESS, /* the filter allows it anyway */
	SECCOMP_MORE,     /* the filter refuses it */
	SECCOMP_ESCAPE,   /* such calls turned bugs of the kernel into escapes */
};

/* Whether a list of items, NULL for none, has this one. */
bool seccomp_items_have(const char *items, const char *item);

/* Whether policies and options may name this set. */
bool seccomp_is_profile(const char *name);

/**
 * seccomp_items_check() - Whether a list of calls may be allowed, or denied
 * @items:	"bpf,socket:AF_ALG"
 * @allow:	to be allowed
 * @err:	quotes the item that may not, and says why; hints at the nearest name
 *
 * Return: 0; -EINVAL for a name that no call has; -EPERM for one that is never allowed, or
 * never denied.
 */
int seccomp_items_check(const char *items, bool allow, struct err *err);

/* Whether a call is one whose refusal can come of a kind of namespace that is denied. */
bool seccomp_makes_namespaces(const char *call);

/* What can come of allowing one item. */
enum seccomp_risk seccomp_item_risk(const char *item);

/**
 * seccomp_choose() - The rules of a choice
 * @choice:	its items were checked
 * @mode:	of the set that comes of it
 * @ret:	takes the rules; not to be moved
 * @err:	filled in on failure
 *
 * Return: 0; -EINVAL for an unknown profile, or a family that is denied under a profile for
 * which that would not hold; -E2BIG.
 */
int seccomp_choose(const struct seccomp_choice *choice, enum seccomp_mode mode,
                   struct seccomp_chosen *ret, struct err *err);

/* The filter of a choice that was made while berth was built; NULL where there is none. */
const struct seccomp_filter *seccomp_built(const struct seccomp_choice *choice,
                                           enum seccomp_mode mode);

/**
 * seccomp_make() - The filter of a choice
 * @choice:	its items were checked
 * @mode:	who refuses
 * @ret:	takes the filter, 60 KiB; not to be moved
 * @err:	filled in on failure
 *
 * Allocates nothing and makes no system call, so it is fit for a cloned child. Without anything
 * beside a profile it is the filter that was compiled while berth was built.
 *
 * Return: 0; what seccomp_choose() or seccomp_assemble() returned.
 */
int seccomp_make(const struct seccomp_choice *choice, enum seccomp_mode mode,
                 struct seccomp_made *ret, struct err *err);

/**
 * struct seccomp_verdict - What becomes of a call that was made
 * @rule:	the one that decides, of the set
 * @has_value, @value: the argument that decides, where one does
 * @never:	no policy can allow it
 */
struct seccomp_verdict {
	const struct seccomp_rule *rule;
	bool has_value, never;
	uint32_t value;
};

/**
 * seccomp_judge() - Ask the rules as the kernel asks the filter
 * @set:	the rules
 * @data:	a call
 * @ret_call:	its name; of this file, not to be freed
 * @ret:	set where a rule names the call
 *
 * Return: whether one does.
 */
struct seccomp_data;
bool seccomp_judge(const struct seccomp_set *set, const struct seccomp_data *data,
                   const char **ret_call, struct seccomp_verdict *ret);

/* The item of a policy that means a call: "socket:AF_ALG" for the 38th family, else @call. */
const char *seccomp_item(const char *call, uint32_t value);

/* Whether no policy can allow @call. */
bool seccomp_never_allowed(const char *call);

/**
 * seccomp_print() - The rules as pseudo filter code, as libseccomp prints it
 * @set:	its rules
 * @out:	where to
 */
void seccomp_print(const struct seccomp_set *set, FILE *out);

/**
 * seccomp_explain() - What becomes of one call, and why
 * @set:	the rules
 * @call:	its name
 * @out:	a line for each rule that counts
 *
 * Return: whether any rule names the call.
 */
bool seccomp_explain(const struct seccomp_set *set, const char *call, FILE *out);

#endif
