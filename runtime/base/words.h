#ifndef BASE_WORDS_H
#define BASE_WORDS_H

#include <stddef.h>

/* Where the words of our command line lie, which whoever sees us reads in /proc. */
struct words_area {
	char *begin;
	size_t size;
};

/**
 * words_of() - Where they lie, by main()'s words
 * @argc, @argv: all or the last of them; others are told apart
 *
 * Return: of size 0 where they are not where the kernel put them: ask words_find().
 */
struct words_area words_of(int argc, char *const *argv);

/**
 * words_find() - Where our command line is, which whoever sees us reads in /proc
 * @ret:	of size 0 where /proc does not tell (proc(5), /proc/PID/stat, fields 48, 49)
 *
 * Only while /proc is the kernel's for sure: in a workspace root inside may have mounted
 * what he likes there.
 */
void words_find(struct words_area *ret);

/* Nothing of the caller's words, which may be paths of the pod or secrets; @name instead. */
void words_forget(const struct words_area *area, const char *name);

#endif
