#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"

#define NAME_MAX_LEN 40

/* The option that was probably meant, or NULL. */
static const char *nearest(const struct options *options, const char *name)
{
	struct nearest near;

	nearest_begin(&near, name);
	for (size_t i = 0; i < options->n; i++)
		nearest_try(&near, options->row[i].name);
	return near.ret;
}

static const struct option *by_name(const struct options *options, const char *name,
                                    size_t len)
{
	for (size_t i = 0; i < options->n; i++) {
		const char *known = options->row[i].name;

		if (!strncmp(known, name, len) && known[len] == '\0')
			return &options->row[i];
	}
	return NULL;
}

static const struct option *by_letter(const struct options *options, char letter)
{
	for (size_t i = 0; i < options->n; i++)
		if (options->row[i].letter == letter)
			return &options->row[i];
	return NULL;
}

static void print_help(const struct options *options, const char *command)
{
	const int column = 26;

	(void)printf("usage: berth %s%s%s%s\n\n%s\n\n", command,
	             options->n ? " [OPTION...]" : "", *options->words ? " " : "",
	             options->words, options->about);
	for (size_t i = 0; i < options->n; i++) {
		const struct option *row = &options->row[i];
		char left[64];
		int len;

		len = snprintf(left, sizeof(left), "%s%c%s--%s%s%s",
		               row->letter ? "-" : " ", row->letter ? row->letter : ' ',
		               row->letter ? ", " : "  ", row->name, row->arg ? " " : "",
		               row->arg ? row->arg : "");
		/* A long name gets a line of its own. */
		if (len > column)
			(void)printf("  %s\n  %*s  %s\n", left, column, "", row->help);
		else
			(void)printf("  %-*s  %s\n", column, left, row->help);
	}
	(void)printf("  %-*s  %s\n", column, "    --help", "print this and exit");
}

static int unknown(const struct options *options, const char *command, const char *word,
                   struct err *err)
{
	char name[NAME_MAX_LEN + 1] = "";
	const char *near;

	(void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 2, "="), word + 2);
	near = nearest(options, name);
	if (near)
		(void)err_set(err, EINVAL, "unknown option '%s', did you mean '--%s'?",
		              word, near);
	else
		(void)err_set(err, EINVAL, "unknown option '%s'", word);
	return err_hint(err, "'berth %s --help' lists the options", command);
}

static int unknown_letter(const char *command, char letter, const char *word,
                          struct err *err)
{
	if (word[2] == '\0')
		(void)err_set(err, EINVAL, "unknown option '%s'", word);
	else
		(void)err_set(err, EINVAL, "unknown option '-%c' in '%s'", letter, word);
	return err_hint(err, "'berth %s --help' lists the options", command);
}

static int set(const struct options *options, const struct option *row, void *into,
               const char *value, struct err *err)
{
	int r = row->set((char *)into + row->offset, value, err);

	if (r < 0)
		return err_wrap(err, "option '--%s'", row->name);
	if (options->given)
		options->given(into, row, value);
	return 0;
}

static int missing_value(const struct option *row, const char *word, struct err *err)
{
	return err_set(err, EINVAL, "option '%s' needs a value, %s", word, row->arg);
}

/* "--name", "--name=VALUE", "--name VALUE". Return: words used, OPTIONS_HELP, -errno. */
static int parse_long(const struct options *options, void *into, char **argv, int at,
                      int argc, struct err *err)
{
	const char *word = argv[at];
	size_t len = strcspn(word + 2, "=");
	const char *value = word[2 + len] == '=' ? word + 2 + len + 1 : NULL;
	const struct option *row = by_name(options, word + 2, len);
	int used = 1, r;

	if (!row && !strcmp(word, "--help")) {
		print_help(options, argv[0]);
		return OPTIONS_HELP;
	}
	if (!row)
		return unknown(options, argv[0], word, err);
	if (!row->arg && value)
		return err_set(err, EINVAL, "option '--%s' takes no value, got '%s'",
		               row->name, value);
	if (row->arg && !value) {
		if (at + 1 == argc)
			return missing_value(row, word, err);
		value = argv[at + 1];
		used = 2;
	}
	r = set(options, row, into, value, err);
	return r < 0 ? r : used;
}

/* "-d", "-dit", "-nVALUE", "-n=VALUE", "-n VALUE". Return: as parse_long(). */
static int parse_short(const struct options *options, void *into, char **argv, int at,
                       int argc, struct err *err)
{
	const char *word = argv[at];

	for (const char *p = word + 1; *p; p++) {
		const struct option *row = by_letter(options, *p);
		const char *value = p[1] == '=' ? p + 2 : p + 1;
		int used = 1, r;

		if (!row && *p == 'h') {
			print_help(options, argv[0]);
			return OPTIONS_HELP;
		}
		if (!row)
			return unknown_letter(argv[0], *p, word, err);
		if (!row->arg) {
			r = set(options, row, into, NULL, err);
			if (r < 0)
				return r;
			continue;
		}
		if (p[1] == '\0') {
			if (at + 1 == argc)
				return missing_value(row, word, err);
			value = argv[at + 1];
			used = 2;
		}
		r = set(options, row, into, value, err);
		return r < 0 ? r : used;
	}
	return 1;
}

/* Moves the @n words at @at in front of those from @first on. */
static void move_up(char **argv, int first, int at, int n)
{
	for (int i = 0; i < n; i++) {
		char *word = argv[at + i];

		memmove(&argv[first + i + 1], &argv[first + i],
		        (size_t)(at - first) * sizeof(argv[0]));
		argv[first + i] = word;
	}
}

int options_parse(const struct options *options, void *into, int argc, char **argv,
                  struct err *err)
{
	int first = 1; /* of the words seen so far, which end before @at */
	int at = 1;

	while (at < argc) {
		const char *word = argv[at];
		int used;

		if (word[0] != '-' || word[1] == '\0') {
			if (options->stop_at_word)
				break;
			at++;
			continue;
		}
		if (!strcmp(word, "--")) {
			move_up(argv, first, at, 1);
			return first + 1;
		}
		used = word[1] == '-' ? parse_long(options, into, argv, at, argc, err)
		                      : parse_short(options, into, argv, at, argc, err);
		if (used < 0 || used == OPTIONS_HELP)
			return used;
		move_up(argv, first, at, used);
		first += used;
		at += used;
	}
	return first;
}

int option_flag(void *field, const char *value, struct err *err)
{
	(void)value;
	(void)err;
	*(bool *)field = true;
	return 0;
}

int option_text(void *field, const char *value, struct err *err)
{
	(void)err;
	*(const char **)field = value;
	return 0;
}

int option_format(void *field, const char *value, struct err *err)
{
	bool *json = field;

	if (strcmp(value, "text") != 0 && strcmp(value, "json") != 0)
		return err_set(err, EINVAL, "'%s' is not text or json", value);
	*json = !strcmp(value, "json");
	return 0;
}
