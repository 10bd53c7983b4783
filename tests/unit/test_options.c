#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/number.h"
#include "options.h"
#include "tests/unit/unit.h"

struct got {
	bool detach, interactive, tty;
	const char *name, *env;
	uint64_t time;
};

static int set_time(void *field, const char *value, struct err *err)
{
	return number_parse(value, 0, 60, field, err);
}

static const struct option rows[] = {
	{ "detach", 'd', NULL, "help of detach", option_flag,
	  offsetof(struct got, detach) },
	{ "interactive", 'i', NULL, "help of i", option_flag,
	  offsetof(struct got, interactive) },
	{ "tty", 't', NULL, "help of tty", option_flag, offsetof(struct got, tty) },
	{ "name", 'n', "NAME", "help of name", option_text, offsetof(struct got, name) },
	{ "env", 'e', "K=V", "help of env", option_text, offsetof(struct got, env) },
	{ "an-option-with-a-very-long-name", '\0', "SECONDS", "help of long", set_time,
	  offsetof(struct got, time) },
	{ "time", '\0', "SECONDS", "help of time", set_time, offsetof(struct got, time) },
};

static const struct options_case {
	const char *name;
	const char *argv[10];
	bool stop_at_word;
	int r;
	const char *words; /* from the index returned on, or the error's text */
	struct got got;
} cases[] = {
	{ "nothing", { "x" }, false, 1, "", { 0 } },
	{ "long flag", { "x", "--detach" }, false, 2, "", { .detach = true } },
	{ "grouped", { "x", "-dit" }, false, 2, "", { true, true, true, NULL, NULL, 0 } },
	{ "value behind", { "x", "--name", "a" }, false, 3, "", { .name = "a" } },
	{ "value with =", { "x", "--name=a=b" }, false, 2, "", { .name = "a=b" } },
	{ "empty value", { "x", "--name=" }, false, 2, "", { .name = "" } },
	{ "value that looks like one",
	  { "x", "--name", "--tty" },
	  false,
	  3,
	  "",
	  { .name = "--tty" } },
	{ "short, behind", { "x", "-n", "a" }, false, 3, "", { .name = "a" } },
	{ "short, joined", { "x", "-na" }, false, 2, "", { .name = "a" } },
	{ "short, with =", { "x", "-e=K=V" }, false, 2, "", { .env = "K=V" } },
	{ "grouped with value",
	  { "x", "-dn", "a" },
	  false,
	  3,
	  "",
	  { .detach = true, .name = "a" } },
	{ "grouped, joined",
	  { "x", "-dna" },
	  false,
	  2,
	  "",
	  { .detach = true, .name = "a" } },
	{ "the last one counts",
	  { "x", "-na", "--name", "b" },
	  false,
	  4,
	  "",
	  { .name = "b" } },
	{ "mixed",
	  { "x", "one", "-d", "two", "--name", "a", "three" },
	  false,
	  4,
	  "one two three",
	  { .detach = true, .name = "a" } },
	{ "a lone dash is a word",
	  { "x", "-", "-d" },
	  false,
	  2,
	  "-",
	  { .detach = true } },
	{ "an empty word", { "x", "", "-d" }, false, 2, "", { .detach = true } },
	{ "two dashes",
	  { "x", "one", "-d", "--", "-i", "--", "two" },
	  false,
	  3,
	  "one -i -- two",
	  { .detach = true } },
	{ "two dashes only", { "x", "--" }, false, 2, "", { 0 } },
	{ "stop at a word",
	  { "x", "-d", "sh", "-i", "--name", "a" },
	  true,
	  2,
	  "sh -i --name a",
	  { .detach = true } },
	{ "stop at two dashes",
	  { "x", "-d", "--", "sh" },
	  true,
	  3,
	  "sh",
	  { .detach = true } },
	{ "number", { "x", "--time", "7" }, false, 3, "", { .time = 7 } },

	{ "unknown",
	  { "x", "--zebra" },
	  false,
	  -EINVAL,
	  "unknown option '--zebra'",
	  { 0 } },
	{ "swapped",
	  { "x", "--nmae", "a" },
	  false,
	  -EINVAL,
	  "unknown option '--nmae', did you mean '--name'?",
	  { 0 } },
	{ "swapped, with a value",
	  { "x", "--nmae=a" },
	  false,
	  -EINVAL,
	  "unknown option '--nmae=a', did you mean '--name'?",
	  { 0 } },
	{ "cut short",
	  { "x", "--inter" },
	  false,
	  -EINVAL,
	  "unknown option '--inter', did you mean '--interactive'?",
	  { 0 } },
	{ "one letter off",
	  { "x", "--tti" },
	  false,
	  -EINVAL,
	  "unknown option '--tti', did you mean '--tty'?",
	  { 0 } },
	{ "unknown letter", { "x", "-q" }, false, -EINVAL, "unknown option '-q'", { 0 } },
	{ "unknown in a group",
	  { "x", "-dq" },
	  false,
	  -EINVAL,
	  "unknown option '-q' in '-dq'",
	  { .detach = true } },
	{ "value missing",
	  { "x", "--name" },
	  false,
	  -EINVAL,
	  "option '--name' needs a value, NAME",
	  { 0 } },
	{ "value of a letter missing",
	  { "x", "-dn" },
	  false,
	  -EINVAL,
	  "option '-dn' needs a value, NAME",
	  { .detach = true } },
	{ "value of a flag",
	  { "x", "--tty=yes" },
	  false,
	  -EINVAL,
	  "option '--tty' takes no value, got 'yes'",
	  { 0 } },
	{ "setter says no",
	  { "x", "--time=61" },
	  false,
	  -ERANGE,
	  "option '--time': '61' is not in 0..60",
	  { 0 } },
	{ "three dashes", { "x", "---" }, false, -EINVAL, "unknown option '---'", { 0 } },
	{ "no name", { "x", "--=a" }, false, -EINVAL, "unknown option '--=a'", { 0 } },
};

static void check_got(const struct got *got, const struct got *want)
{
	assert_int_equal(got->detach, want->detach);
	assert_int_equal(got->interactive, want->interactive);
	assert_int_equal(got->tty, want->tty);
	assert_int_equal(got->time, want->time);
	assert_string_equal(got->name ? got->name : "-", want->name ? want->name : "-");
	assert_string_equal(got->env ? got->env : "-", want->env ? want->env : "-");
}

static void test_parse(void **state)
{
	(void)state;

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		const struct options_case *c = &cases[i];
		const struct options options = { .words = "WORD...",
			                         .about = "About.",
			                         .row = rows,
			                         .n = N_ELEMENTS(rows),
			                         .stop_at_word = c->stop_at_word };
		const char *argv[11] = { NULL };
		char words[128] = "";
		struct got got = { 0 };
		struct err err = { 0 };
		int argc = 0, r;

		print_message("  %s\n", c->name);
		for (; argc < 10 && c->argv[argc]; argc++)
			argv[argc] = c->argv[argc];
		r = options_parse(&options, &got, argc, (char **)argv, &err);
		assert_int_equal(r, c->r);
		assert_int_equal(err.code, r < 0 ? -r : 0);
		check_got(&got, &c->got);
		if (r < 0) {
			assert_string_equal(err.text, c->words);
			continue;
		}
		for (int at = r; at < argc; at++)
			(void)strcat(strcat(words, at > r ? " " : ""), argv[at]);
		assert_string_equal(words, c->words);
	}
}

/* Runs options_parse() with standard output caught. */
static int parse_caught(const struct options *options, const char *word, char *text,
                        size_t size)
{
	const char *argv[] = { "x", word, NULL };
	struct got got = { 0 };
	struct err err = { 0 };
	int pipefd[2], saved, r;
	ssize_t n;

	assert_int_equal(fflush(stdout), 0);
	assert_int_equal(pipe(pipefd), 0);
	saved = dup(STDOUT_FILENO);
	assert_true(dup2(pipefd[1], STDOUT_FILENO) >= 0);
	r = options_parse(options, &got, 2, (char **)argv, &err);
	(void)fflush(stdout);
	assert_true(dup2(saved, STDOUT_FILENO) >= 0);
	assert_int_equal(close(saved), 0);
	assert_int_equal(close(pipefd[1]), 0);
	n = read(pipefd[0], text, size - 1);
	assert_true(n >= 0);
	text[n] = '\0';
	assert_int_equal(close(pipefd[0]), 0);
	return r;
}

static void test_help(void **state)
{
	const struct options options = {
		.words = "WORD...", .about = "About.", .row = rows, .n = N_ELEMENTS(rows)
	};
	const struct options none = { .words = "", .about = "Nothing." };
	char text[4096];

	(void)state;

	assert_int_equal(parse_caught(&options, "--help", text, sizeof(text)),
	                 OPTIONS_HELP);
	assert_string_equal(text, "usage: berth x [OPTION...] WORD...\n"
	                          "\n"
	                          "About.\n"
	                          "\n"
	                          "  -d, --detach                help of detach\n"
	                          "  -i, --interactive           help of i\n"
	                          "  -t, --tty                   help of tty\n"
	                          "  -n, --name NAME             help of name\n"
	                          "  -e, --env K=V               help of env\n"
	                          "      --an-option-with-a-very-long-name SECONDS\n"
	                          "                              help of long\n"
	                          "      --time SECONDS          help of time\n"
	                          "      --help                  print this and exit\n");
	assert_int_equal(parse_caught(&options, "-h", text, sizeof(text)), OPTIONS_HELP);
	assert_int_equal(parse_caught(&options, "-dh", text, sizeof(text)), OPTIONS_HELP);
	assert_int_equal(parse_caught(&none, "--help", text, sizeof(text)), OPTIONS_HELP);
	assert_string_equal(text, "usage: berth x\n"
	                          "\n"
	                          "Nothing.\n"
	                          "\n"
	                          "      --help                  print this and exit\n");
}

static void test_letter_h_may_be_taken(void **state)
{
	static const struct option h[] = {
		{ "host", 'h', NULL, "help", option_flag, offsetof(struct got, tty) },
	};
	const struct options options = { .words = "", .about = "", .row = h, .n = 1 };
	const char *argv[] = { "x", "-h", NULL };
	struct got got = { 0 };
	struct err err = { 0 };

	(void)state;

	assert_int_equal(options_parse(&options, &got, 2, (char **)argv, &err), 2);
	assert_true(got.tty);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_letter_h_may_be_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
