#include "watchers.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "watchers_poll.h"

static void test_lines(void **state)
{
	static const char inotify[] =
		"pos:\t0\nflags:\t02004000\nmnt_id:\t15\nino:\t1057\n"
		"inotify wd:2 ino:2 sdev:800001 mask:800afff ignored_mask:0 "
		"fhandle-bytes:8\n"
		"inotify wd:1 ino:1 sdev:800001 mask:800afff ignored_mask:0 "
		"fhandle-bytes:8\n";
	static const char fanotify[] =
		"pos:\t0\nfanotify flags:10 event-flags:0\n"
		"fanotify mnt_id:12 mflags:40 mask:38 ignored_mask:40000000\n"
		"fanotify ino:4f969 sdev:800013 mflags:0 mask:3b ignored_mask:40000000\n";

	(void)state;
	assert_int_equal(watchers_lines(inotify, strlen(inotify), false), 2);
	assert_int_equal(watchers_lines(inotify, strlen(inotify), true), 0);
	assert_int_equal(watchers_lines(fanotify, strlen(fanotify), true), 2);
	assert_int_equal(watchers_lines(fanotify, strlen(fanotify), false), 0);
	assert_int_equal(watchers_lines("", 0, false), 0);
	assert_int_equal(watchers_lines("inotify wd", 10, false), 0);
}

#define DIGITS "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_container(void **state)
{
	static const char *const rows[][2] = {
		{ "0::/berth-x/payload/system.slice/docker-" DIGITS ".scope\n",
		  "0123456789ab" },
		{ "0::/berth-x/payload/docker/" DIGITS, "0123456789ab" },
		{ "0::/berth-x/payload/docker/" DIGITS "0\n", "" },
		{ "0::/berth-x/payload/init.scope\n", "" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char container[13];

		watchers_container(rows[i][0], container);
		assert_string_equal(container, rows[i][1]);
	}
}

static const struct watchers seen = {
	.use = { [WATCHER_WATCHES] = 500 },
	.n = 4,
	.top = { { .pid = 1, .name = "a", .use = { [WATCHER_WATCHES] = 60 } },
	         { .pid = 2,
	           .name = "node",
	           .container = "0123456789ab",
	           .use = { [WATCHER_WATCHES] = 430 } },
	         { .pid = 3, .name = "none" },
	         { .pid = 4, .name = "b", .use = { [WATCHER_WATCHES] = 10 } } },
};

static void test_text(void **state)
{
	char text[256], small[20];

	(void)state;
	watchers_text(&seen, WATCHER_WATCHES, text, sizeof(text));
	assert_string_equal(
		text, "430 in node[2] of container 0123456789ab, 60 in a[1], 10 in b[4]");
	watchers_text(&seen, WATCHER_MARKS, text, sizeof(text));
	assert_string_equal(text, "");
	watchers_text(&seen, WATCHER_WATCHES, small, sizeof(small));
	assert_true(strlen(small) < sizeof(small));
}

static void say(void *ctx, const char *line)
{
	char *said = ctx;

	(void)snprintf(said, 512, "%s", line);
}

/* At the top once, and again only after it was free in between. */
static void test_judge(void **state)
{
	static const struct {
		uint64_t use;
		bool often, said;
	} rows[] = {
		{ 0, false, false },  { 250, false, false }, { 251, true, false },
		{ 499, true, false }, { 500, true, true },   { 500, true, false },
		{ 470, true, false }, { 500, true, false },  { 440, true, false },
		{ 600, true, true },
	};
	struct config config = { 0 };
	char said[512] = "";
	struct watchers_poll poll = { .config = &config, .say = say, .ctx = said };

	(void)state;
	for (int i = 0; i < BUDGET_N; i++)
		config.budget[i] = LIMIT_UNSET;
	config.budget[BUDGET_WATCHES] = 500;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct watchers now = seen;

		now.use[WATCHER_WATCHES] = rows[i].use;
		said[0] = '\0';
		print_message("  %zu: %d\n", i, (int)rows[i].use);
		assert_int_equal(watchers_poll_judge(&poll, &now), rows[i].often);
		assert_int_equal(said[0] != '\0', rows[i].said);
	}
	assert_string_equal(
		said,
		"watchers: inotify watches at 100 % of 500, of them 430 in node[2] of "
		"container 0123456789ab, 60 in a[1], 10 in b[4]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_container),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_judge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
