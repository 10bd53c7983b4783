#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "oci_bundle.h"
#include "oci_wrapper.h"
#include "tests/unit/unit.h"

#define PROC "{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"}"
#define SYS(options) "{\"type\":\"sysfs\",\"options\":[" options "],\"x\":1}"

/* A config.json before and after; NULL: stays as it is, byte by byte. */
static const struct edit_case {
	const char *name, *in, *out;
} edits[] = {
	{ "a container of docker's",
	  "{\"mounts\":[" PROC "," SYS("\"nosuid\",\"ro\"") "]}", NULL },
	{ "a privileged one", "{\"mounts\":[" PROC "," SYS("\"nosuid\",\"noexec\"") "]}",
	  "{\"mounts\":[" PROC "," SYS("\"nosuid\",\"noexec\",\"ro\"") "]}" },
	{ "said to be writable", "{\"mounts\":[" SYS("\"rw\",\"nosuid\"") "]}",
	  "{\"mounts\":[" SYS("\"nosuid\",\"ro\"") "]}" },
	{ "both, rw last", "{\"mounts\":[" SYS("\"ro\",\"rw\"") "]}",
	  "{\"mounts\":[" SYS("\"ro\"") "]}" },
	{ "both, ro last", "{\"mounts\":[" SYS("\"rw\",\"ro\"") "]}", NULL },
	{ "no options", "{\"mounts\":[{\"type\":\"sysfs\"}]}",
	  "{\"mounts\":[{\"type\":\"sysfs\",\"options\":[\"ro\"]}]}" },
	{ "two of them", "{\"mounts\":[" SYS("") "," PROC "," SYS("\"a\"") "]}",
	  "{\"mounts\":[" SYS("\"ro\"") "," PROC "," SYS("\"a\",\"ro\"") "]}" },
	{ "a bind of the host's",
	  "{\"mounts\":[{\"type\":\"bind\",\"source\":\"/sys\"}]}", NULL },
	{ "no mounts", "{\"ociVersion\":\"1.0.0\"}", NULL },
	{ "what we do not know stays, in order and to the letter",
	  "{\"z\":[1.50e2,18446744073709551615,-0,true,null,\"\\u00e9\\\"\\n\"],\"a\":{},"
	  "\"mounts\":[" SYS("") "],\"later\":{\"deep\":[[{}]]}}",
	  "{\"z\":[1.50e2,18446744073709551615,-0,true,null,\"\xc3\xa9\\\"\\n\"],\"a\":{}"
	  ","
	  "\"mounts\":[" SYS("\"ro\"") "],\"later\":{\"deep\":[[{}]]}}" },
};

static const struct bad_case {
	const char *in, *error;
	int code;
} bad[] = {
	{ "", "line 1: ", EINVAL },
	{ "{\"mounts\":[", "line 1: ", EINVAL },
	{ "[]", "it is an array, not an object", EINVAL },
	{ "{\n\"mounts\":{}}", "line 2: key 'mounts' is an object, not an array",
	  EINVAL },
	{ "{\"mounts\":[\n\n7]}", "line 3: a mount is a number, not an object", EINVAL },
	{ "{\"mounts\":[],\"mounts\":[]}", "key 'mounts' is given twice", EINVAL },
};

struct bundle {
	char path[64];
	int dir;
};

static int make_bundle(void **state)
{
	static struct bundle bundle;

	(void)snprintf(bundle.path, sizeof(bundle.path), "/tmp/test-oci-XXXXXX");
	if (!mkdtemp(bundle.path))
		return -1;
	bundle.dir = open(bundle.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = &bundle;
	return bundle.dir >= 0 ? 0 : -1;
}

static int remove_bundle(void **state)
{
	struct bundle *bundle = *state;

	(void)unlinkat(bundle->dir, "config.json", 0);
	drop_fd(&bundle->dir);
	return rmdir(bundle->path);
}

static void put(const struct bundle *bundle, const char *text)
{
	struct err err = { 0 };

	assert_int_equal(
		file_create(bundle->dir, "config.json", 0640, text, strlen(text), &err),
		0);
}

static void test_edit(void **state)
{
	const struct bundle *bundle = *state;

	for (size_t i = 0; i < N_ELEMENTS(edits); i++) {
		const struct edit_case *c = &edits[i];
		struct err err = { 0 };
		char text[1024];
		struct stat st;

		print_message("%s\n", c->name);
		put(bundle, c->in);
		assert_int_equal(oci_fix_bundle(bundle->path, &err), c->out ? 1 : 0);
		assert_true(file_read(bundle->dir, "config.json", text, sizeof(text),
		                      &err) >= 0);
		assert_string_equal(text, c->out ? c->out : c->in);
		assert_int_equal(fstatat(bundle->dir, "config.json", &st, 0), 0);
		assert_int_equal(st.st_mode & 07777, 0640);
		/* What came out is good as it is. */
		assert_int_equal(oci_fix_bundle(bundle->path, &err), 0);
	}
}

static void test_bad(void **state)
{
	const struct bundle *bundle = *state;

	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		struct err err = { 0 };
		char text[256];

		put(bundle, bad[i].in);
		assert_int_equal(oci_fix_bundle(bundle->path, &err), -bad[i].code);
		assert_non_null(strstr(err.text, bad[i].error));
		assert_non_null(strstr(err.text, bundle->path));
		err_clear(&err);
		assert_true(file_read(bundle->dir, "config.json", text, sizeof(text),
		                      &err) >= 0);
		assert_string_equal(text, bad[i].in);
	}
}

static void test_absent(void **state)
{
	const struct bundle *bundle = *state;
	struct err err = { 0 };

	(void)unlinkat(bundle->dir, "config.json", 0);
	assert_int_equal(oci_fix_bundle(bundle->path, &err), -ENOENT);
	assert_non_null(strstr(err.text, bundle->path));
	err_clear(&err);
	assert_int_equal(oci_fix_bundle("/nonexistent/bundle", &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/bundle"));
}

static void test_names(void **state)
{
	static const struct {
		const char *argv0;
		bool called;
	} names[] = {
		{ "runc", true },         { "crun", true },
		{ "/x/oci/runc", true },  { "berth", false },
		{ "/runc/berth", false }, { "runc2", false },
		{ "/bin/crun", true },    { "", false },
		{ NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(names); i++)
		assert_int_equal(oci_wrapper_called(names[i].argv0), names[i].called);
}

/* Command lines as containerd's shim, buildkit and people write them. */
static const struct call_case {
	const char *argv[16];
	const char *log, *bundle, *command;
	bool json;
	const char *disabled; /* the words where no cgroup can be written */
} calls[] = {
	{ { "runc", "--root", "/run/r", "--log", "/b/log.json", "--log-format", "json",
	    "--systemd-cgroup", "create", "--bundle", "/b", "--pid-file", "/b/pid",
	    "id" },
	  "/b/log.json",
	  "/b",
	  "create",
	  true,
	  "runc --cgroup-manager=disabled --root /run/r --log /b/log.json --log-format "
	  "json create --bundle /b --pid-file /b/pid id" },
	{ { "runc", "--log=/l", "--log-format=text", "run", "-b", "/c", "id" },
	  "/l",
	  "/c",
	  "run",
	  false,
	  "runc --cgroup-manager=disabled --log=/l --log-format=text run -b /c id" },
	{ { "crun", "run", "--bundle=/d", "id" },
	  NULL,
	  "/d",
	  "run",
	  false,
	  "crun --cgroup-manager=disabled run --bundle=/d id" },
	{ { "crun", "--debug", "create", "id" },
	  NULL,
	  ".",
	  "create",
	  false,
	  "crun --cgroup-manager=disabled --debug create id" },
	/* A word of the container's is none of ours. */
	{ { "runc", "exec", "id", "x", "--bundle", "/e", "--systemd-cgroup" },
	  NULL,
	  NULL,
	  "exec",
	  false,
	  "runc --cgroup-manager=disabled exec id x --bundle /e --systemd-cgroup" },
	{ { "runc", "--version" },
	  NULL,
	  NULL,
	  NULL,
	  false,
	  "runc --cgroup-manager=disabled --version" },
	{ { "runc", "--log" },
	  NULL,
	  NULL,
	  NULL,
	  false,
	  "runc --cgroup-manager=disabled --log" },
	{ { "runc" }, NULL, NULL, NULL, false, "runc --cgroup-manager=disabled" },
};

static void same(const char *got, const char *want)
{
	assert_int_equal(got == NULL, want == NULL);
	if (want)
		assert_string_equal(got, want);
}

static void test_calls(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(calls); i++) {
		const struct call_case *c = &calls[i];
		char *const *argv = (char *const *)c->argv;
		struct oci_call call;
		char joined[512] = "";
		char **words;
		int argc = 0;

		while (argv[argc])
			argc++;
		oci_call_parse(argc, argv, &call);
		same(call.log, c->log);
		same(call.bundle, c->bundle);
		assert_int_equal(call.log_json, c->json);
		same(argv[call.command], c->command);

		words = oci_call_words(argc, argv, &call, true);
		assert_non_null(words);
		for (size_t k = 0; words[k]; k++) {
			(void)strcat(joined, k > 0 ? " " : "");
			(void)strcat(joined, words[k]);
		}
		assert_string_equal(joined, c->disabled);
		free(words);

		words = oci_call_words(argc, argv, &call, false);
		assert_non_null(words);
		for (int k = 0; k <= argc; k++)
			assert_ptr_equal(words[k], argv[k]);
		free(words);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_edit, make_bundle, remove_bundle),
		cmocka_unit_test_setup_teardown(test_bad, make_bundle, remove_bundle),
		cmocka_unit_test_setup_teardown(test_absent, make_bundle, remove_bundle),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
