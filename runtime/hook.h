#ifndef HOOK_H
#define HOOK_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

/* When, in the words of the OCI runtime specification. docs/hooks.md */
enum hook_kind {
	HOOK_PRESTART,  /* all is made, and nothing of the root was executed */
	HOOK_POSTSTART, /* the command was executed */
	HOOK_POSTSTOP,  /* nothing of the workspace is left but its entry */
	HOOK_KINDS,
};

/* "prestart", ... */
extern const char *const hook_kind_name[HOOK_KINDS];

/* Of all kinds together: the supervisor keeps each one open. */
#define HOOKS_MAX 16

/* How long one may take, where --hook-timeout does not say; and at most. */
#define HOOK_TIMEOUT_S 30
#define HOOK_TIMEOUT_MAX_S 3600

/**
 * struct hook - A program of the pod that runs outside, at a moment of the workspace's life
 * @kind:	when
 * @text:	its path and its words, as they were given
 * @argv:	the same, NULL-terminated; the first one is absolute, without "." or ".."
 */
struct hook {
	enum hook_kind kind;
	const char *text;
	const char *const *argv;
};

/**
 * hook_parse() - Read a hook
 * @kind:	when it runs
 * @text:	"PATH [WORD...]", with blanks between; borrowed
 * @arena:	owns the words
 * @ret:	set on success only
 * @err:	quotes what is wrong
 *
 * No shell reads it, so quotes and backslashes are refused: they would not mean what they do there.
 *
 * Return: 0; -EINVAL; -ENAMETOOLONG; -ENOMEM.
 */
int hook_parse(enum hook_kind kind, const char *text, struct arena *arena,
               struct hook *ret, struct err *err);

/**
 * hook_interpreter() - What executes a script
 * @head:	the beginning of a file
 * @n:		of @head, bytes
 * @arena:	owns the result
 *
 * Return: the path behind "#!", "" where that is not absolute; NULL for what is no script.
 */
const char *hook_interpreter(const char *head, size_t n, struct arena *arena);

#endif
