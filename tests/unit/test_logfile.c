#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/tree.h"
#include "logfile.h"
#include "tests/unit/unit.h"

/**
 * struct place - An entry, and where the reader writes to
 */
struct place {
	char path[64];
	int entry, out;
};

static int setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	if (!place)
		return -1;
	(void)snprintf(place->path, sizeof(place->path), "/tmp/berth-test-log-XXXXXX");
	if (!mkdtemp(place->path))
		return -1;
	place->entry = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	place->out = openat(place->entry, "out", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;
	cleanup_close int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct err err = { 0 };
	int r = tree_remove(tmp, place->path + strlen("/tmp/"), &err);

	(void)close(place->entry);
	(void)close(place->out);
	free(place);
	return r;
}

/* What the reader wrote since the last time. */
static const char *taken(struct place *place, struct arena *arena)
{
	const char *text = "";
	struct err err = { 0 };

	assert_true(file_slurp(place->entry, "out", 16 << 20, arena, &text, &err) >= 0);
	assert_int_equal(ftruncate(place->out, 0), 0);
	assert_int_equal(lseek(place->out, 0, SEEK_SET), 0);
	return text;
}

static off_t size_of(const struct place *place, const char *name)
{
	struct stat st;

	return fstatat(place->entry, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -1
	                                                                 : st.st_size;
}

static void put(struct logfile *log, const char *text)
{
	logfile_write(log, text, strlen(text));
}

static void test_made_with_the_first_byte(void **state)
{
	struct place *place = *state;
	struct logfile log;
	struct stat st;

	logfile_init(&log, place->entry, LOGFILE_NAME);
	assert_int_equal(size_of(place, "log"), -1);
	logfile_write(&log, "a\0b", 3);
	assert_int_equal(size_of(place, "log"), 3);
	logfile_close(&log);
	logfile_close(&log);

	/* Another run goes on with it. */
	logfile_init(&log, place->entry, LOGFILE_NAME);
	logfile_write(&log, "c", 1);
	assert_int_equal(size_of(place, "log"), 4);
	logfile_close(&log);
	assert_int_equal(fstatat(place->entry, "log", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_bounded(void **state)
{
	struct place *place = *state;
	static char chunk[300001];
	struct logfile log;

	logfile_init(&log, place->entry, LOGFILE_NAME);
	memset(chunk, 'x', sizeof(chunk));
	for (int i = 0; i < 20; i++) {
		logfile_write(&log, chunk, sizeof(chunk));
		assert_true(size_of(place, "log") <= (off_t)LOGFILE_MAX);
	}
	assert_int_equal(size_of(place, "log.1"), LOGFILE_MAX);
	logfile_close(&log);
}

static void test_say(void **state)
{
	struct place *place = *state;
	cleanup_arena struct arena arena = { 0 };
	char line[LOGFILE_LINE_MAX + 10];
	const char *text;
	struct logfile log;
	struct err err = { 0 };

	logfile_init(&log, place->entry, LOGFILE_NAME);
	logfile_say(&log, "a\x1b\xc2\x9bz\n");
	assert_true(file_slurp(place->entry, "log", 100, &arena, &text, &err) > 0);
	assert_string_equal(text, "berth: a???z?\n");

	/* Each length around the longest is one line, and nothing beside it. */
	for (size_t n = LOGFILE_LINE_MAX - 10; n < LOGFILE_LINE_MAX + 10; n++) {
		const long before = size_of(place, "log");
		const size_t whole = strlen("berth: ") + n;

		memset(line, 'x', n);
		line[n] = '\0';
		logfile_say(&log, line);
		assert_int_equal(
			size_of(place, "log") - before,
			1 + (whole < LOGFILE_LINE_MAX ? whole : LOGFILE_LINE_MAX));
	}
	logfile_close(&log);
}

static void test_what_cannot_be_written_is_lost(void **state)
{
	struct place *place = *state;
	struct logfile log;

	assert_int_equal(mkdirat(place->entry, "log", 0700), 0);
	logfile_init(&log, place->entry, LOGFILE_NAME);
	put(&log, "lost");
	assert_int_equal(unlinkat(place->entry, "log", AT_REMOVEDIR), 0);
	assert_int_equal(symlinkat("out", place->entry, "log"), 0);
	put(&log, "lost");
	assert_int_equal(size_of(place, "out"), 0);
	assert_int_equal(unlinkat(place->entry, "log", 0), 0);
	put(&log, "kept");
	assert_int_equal(size_of(place, "log"), 4);
	logfile_close(&log);
}

static const struct tail_case {
	const char *older, *log; /* NULL: no such file */
	uint64_t tail;
	const char *want;
} tail_cases[] = {
	{ NULL, NULL, LOGFILE_ALL, "" },
	{ NULL, "", LOGFILE_ALL, "" },
	{ NULL, "a\nb\n", LOGFILE_ALL, "a\nb\n" },
	{ "a\n", "b\n", LOGFILE_ALL, "a\nb\n" },
	{ "a\n", NULL, LOGFILE_ALL, "a\n" },
	{ NULL, "a\nb\n", 0, "" },
	{ NULL, "a\nb\n", 1, "b\n" },
	{ NULL, "a\nb\n", 2, "a\nb\n" },
	{ NULL, "a\nb\n", 3, "a\nb\n" },
	{ NULL, "a\nb", 1, "b" },
	{ NULL, "\n\n\n", 2, "\n\n" },
	{ "a\nb\n", "c\nd\n", 1, "d\n" },
	{ "a\nb\n", "c\nd\n", 2, "c\nd\n" },
	{ "a\nb\n", "c\nd\n", 3, "b\nc\nd\n" },
	{ "a\nb\n", "c\nd\n", 9, "a\nb\nc\nd\n" },
	{ "a\nb", "c\nd\n", 2, "bc\nd\n" },
	{ "a\nb", "c\nd\n", 3, "a\nbc\nd\n" },
	{ "a\nb\n", "", 1, "b\n" },
};

static void write_file(struct place *place, const char *name, const char *text)
{
	struct err err = { 0 };

	(void)unlinkat(place->entry, name, 0);
	if (text)
		assert_int_equal(
			file_create(place->entry, name, 0600, text, strlen(text), &err),
			0);
}

static void test_tail(void **state)
{
	struct place *place = *state;

	for (size_t i = 0; i < N_ELEMENTS(tail_cases); i++) {
		const struct tail_case *c = &tail_cases[i];
		struct logreader reader = { .name = LOGFILE_NAME,
			                    .entry = place->entry,
			                    .out = place->out };
		cleanup_arena struct arena arena = { 0 };
		struct err err = { 0 };

		write_file(place, "log.1", c->older);
		write_file(place, "log", c->log);
		assert_int_equal(logreader_begin(&reader, c->tail, &err), 0);
		assert_string_equal(taken(place, &arena), c->want);
		assert_int_equal(logreader_more(&reader, &err), 0);
		assert_string_equal(taken(place, &arena), "");
		logreader_end(&reader);
	}
}

static void test_long_tail(void **state)
{
	struct place *place = *state;
	struct logreader reader = { .name = LOGFILE_NAME,
		                    .entry = place->entry,
		                    .out = place->out };
	cleanup_arena struct arena arena = { 0 };
	struct err err = { 0 };
	struct logfile log;
	const char *text;

	logfile_init(&log, place->entry, LOGFILE_NAME);
	for (int i = 0; i < 200000; i++) {
		char line[32];

		(void)snprintf(line, sizeof(line), "line %d\n", i);
		put(&log, line);
	}
	logfile_close(&log);
	assert_int_equal(logreader_begin(&reader, 100000, &err), 0);
	text = taken(place, &arena);
	assert_memory_equal(text, "line 100000\n", 12);
	assert_string_equal(text + strlen(text) - 12, "line 199999\n");
	logreader_end(&reader);
}

static void test_follow(void **state)
{
	struct place *place = *state;
	struct logreader reader = { .name = LOGFILE_NAME,
		                    .entry = place->entry,
		                    .out = place->out };
	cleanup_arena struct arena arena = { 0 };
	static char chunk[LOGFILE_MAX * 2];
	struct err err = { 0 };
	struct logfile log;

	logfile_init(&log, place->entry, LOGFILE_NAME);
	assert_int_equal(logreader_begin(&reader, LOGFILE_ALL, &err), 0);
	assert_int_equal(logreader_more(&reader, &err), 0);
	put(&log, "first\n");
	assert_int_equal(logreader_more(&reader, &err), 0);
	assert_string_equal(taken(place, &arena), "first\n");
	put(&log, "second\n");
	assert_int_equal(logreader_more(&reader, &err), 0);
	assert_string_equal(taken(place, &arena), "second\n");

	/* One rotation, then two between two looks: nothing is missed. */
	for (size_t round = 1; round <= 2; round++) {
		size_t n = (size_t)LOGFILE_MAX * round - 13;

		memset(chunk, 'a' + (int)round, n);
		logfile_write(&log, chunk, n);
		put(&log, "next\n");
		put(&log, "end\n");
		assert_int_equal(logreader_more(&reader, &err), 0);
		chunk[n] = '\0';
		{
			const char *text = taken(place, &arena);

			assert_int_equal(strlen(text), n + 9);
			assert_memory_equal(text, chunk, n);
			assert_string_equal(text + n, "next\nend\n");
		}
	}

	/* Far behind: something is missed, the end is not. */
	memset(chunk, 'd', sizeof(chunk));
	for (int i = 0; i < 4; i++)
		logfile_write(&log, chunk, sizeof(chunk));
	put(&log, "END");
	assert_int_equal(logreader_more(&reader, &err), 0);
	{
		const char *text = taken(place, &arena);

		assert_string_equal(text + strlen(text) - 3, "END");
	}
	logfile_close(&log);
	logreader_end(&reader);
}

static void test_output_fails(void **state)
{
	struct place *place = *state;
	cleanup_close int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct logreader reader = { .name = LOGFILE_NAME,
		                    .entry = place->entry,
		                    .out = full };
	struct err err = { 0 };

	write_file(place, "log", "x\n");
	assert_int_equal(logreader_begin(&reader, LOGFILE_ALL, &err), -ENOSPC);
	assert_string_equal(err.text, "write the log out");
	logreader_end(&reader);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_made_with_the_first_byte),
		TEST(test_bounded),
		TEST(test_say),
		TEST(test_what_cannot_be_written_is_lost),
		TEST(test_tail),
		TEST(test_long_tail),
		TEST(test_follow),
		TEST(test_output_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
