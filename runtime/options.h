#ifndef OPTIONS_H
#define OPTIONS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/**
 * struct option - One option of a subcommand: the parser and --help read this row
 * @name:	long name without the dashes, never NULL
 * @letter:	short name, or '\0'
 * @arg:	what its value is called in --help; NULL for a flag
 * @help:	one line, no full stop
 * @set:	called for each occurrence, in order; @value is NULL for a flag and
 *		otherwise borrowed from argv
 * @offset:	of the field that @set gets, within the @into of options_parse()
 */
struct option {
	const char *name;
	char letter;
	const char *arg;
	const char *help;
	int (*set)(void *field, const char *value, struct err *err);
	size_t offset;
};

/**
 * struct options - The syntax of a subcommand
 * @words:	what follows the options in the usage line: "NAME...", or ""
 * @about:	what the subcommand does, for --help
 * @row:	its options, in the order --help shows them
 * @n:		length of @row
 * @stop_at_word: the first word ends the options, because it begins a command that
 *		has options of its own; otherwise words and options may be mixed
 */
struct options {
	const char *words, *about;
	const struct option *row;
	size_t n;
	bool stop_at_word;
	void (*given)(void *into, const struct option *row, const char *value);
};

/* Help was asked for and printed: nothing is left to do. */
#define OPTIONS_HELP INT_MAX

/**
 * options_parse() - Read the options of a subcommand
 * @options:	what it knows
 * @into:	base of the fields the setters get
 * @argc:	length of @argv
 * @argv:	@argv[0] is the name of the subcommand; words are moved behind the
 *		options, in their order
 * @err:	quotes the offending word on failure
 *
 * Understands --name VALUE, --name=VALUE, -n VALUE, -nVALUE, -n=VALUE, grouped flags
 * (-dit) and "--", which ends the options. --help prints the usage on standard
 * output; so does -h, unless a row has that letter.
 *
 * Return: index of the first word that is no option, @argc where there is none;
 * OPTIONS_HELP; -EINVAL for a word that is no option of this subcommand, a missing or
 * a superfluous value; else what a setter said.
 */
int options_parse(const struct options *options, void *into, int argc, char **argv,
                  struct err *err);

/* Setter for a flag: @field is a bool. */
int option_flag(void *field, const char *value, struct err *err);

/* Setter for a text taken as it is: @field is a const char *, borrowed from argv. */
int option_text(void *field, const char *value, struct err *err);

/* Setter for --format text|json: @field is a bool, true for json. */
int option_format(void *field, const char *value, struct err *err);

#endif
