#include "html.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

static const struct {
	const char *name, *text, *want;
} cases[] = {
	{ "plain", "a b/c", "a b/c" },
	{ "nothing", "", "" },
	{ "NULL", NULL, "" },
	{ "markup", "<b>&\"'</b>", "&lt;b&gt;&amp;&quot;&#39;&lt;/b&gt;" },
	{ "an entity stays what it was", "&lt;", "&amp;lt;" },
	{ "UTF-8", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
	  "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" },
	{ "not UTF-8",
	  "a\xff\xc3"
	  "b",
	  "a\\xff\\xc3b" },
	{ "cut off", "\xe2\x82", "\\xe2\\x82" },
	{ "overlong <", "\xc0\xbc", "\\xc0\\xbc" },
	{ "a line's end", "a\nb\tc", "a\\x0ab\\x09c" },
	{ "ESC, DEL", "\x1b[2J\x7f", "\\x1b[2J\\x7f" },
	{ "C1",
	  "\xc2\x9b"
	  "2J",
	  "\\xc2\\x9b2J" },
	{ "U+00A0 is none", "\xc2\xa0", "\xc2\xa0" },
	{ "right to left",
	  "a\xe2\x80\xae"
	  "b",
	  "a\\xe2\\x80\\xaeb" },
	{ "isolates", "\xe2\x81\xa6\xe2\x81\xa9", "\\xe2\\x81\\xa6\\xe2\\x81\\xa9" },
	{ "zero width", "\xe2\x80\x8b\xef\xbb\xbf", "\\xe2\\x80\\x8b\\xef\\xbb\\xbf" },
	{ "line separator", "\xe2\x80\xa8", "\\xe2\\x80\\xa8" },
	{ "a dash is none", "\xe2\x80\x93", "\xe2\x80\x93" },
};

static void test_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		char *text = NULL;
		size_t size;
		FILE *out = open_memstream(&text, &size);

		print_message("  %s\n", cases[i].name);
		html_text(out, cases[i].text);
		assert_int_equal(fclose(out), 0);
		assert_string_equal(text, cases[i].want);
		free(text);
	}
}

static void test_template(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	html(out, "<a href=\"#%s\">%s</a> %d %u %zu %" PRIu64 " 100%%\n", "\"><script>",
	     "<", -1, 7U, (size_t)8, UINT64_MAX);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(text, "<a href=\"#&quot;&gt;&lt;script&gt;\">&lt;</a> -1 7 8 "
	                          "18446744073709551615 100%\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_template),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
