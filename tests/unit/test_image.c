#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "image_config.h"
#include "image_ref.h"
#include "image_store.h"
#include "tests/unit/unit.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "sha256:" HEX

static const struct ref_case {
	const char *text, *name, *source; /* source NULL: "docker://" and name */
} refs[] = {
	{ "debian", "docker.io/library/debian:latest", NULL },
	{ "debian:12", "docker.io/library/debian:12", NULL },
	{ "docker://debian:12", "docker.io/library/debian:12", NULL },
	{ "docker.io/debian", "docker.io/library/debian:latest", NULL },
	{ "index.docker.io/debian", "docker.io/library/debian:latest", NULL },
	{ "team/os", "docker.io/team/os:latest", NULL },
	{ "team/a/b/c:V1.0_x-y", "docker.io/team/a/b/c:V1.0_x-y", NULL },
	{ "quay.io/team/os", "quay.io/team/os:latest", NULL },
	{ "localhost/os", "localhost/os:latest", NULL },
	{ "localhost:5000/os:1", "localhost:5000/os:1", NULL },
	{ "127.0.0.1:5000/os", "127.0.0.1:5000/os:latest", NULL },
	{ "[::1]:5000/os", "[::1]:5000/os:latest", NULL },
	{ "a__b/c-d/e--f/g.h/i_j", "docker.io/a__b/c-d/e--f/g.h/i_j:latest", NULL },
	{ "debian@" DIGEST, "docker.io/library/debian@" DIGEST, NULL },
	{ "debian:12@" DIGEST, "docker.io/library/debian@" DIGEST, NULL },
	{ "oci:/srv/os", "oci:/srv/os", "oci:/srv/os" },
	{ "oci:/srv/os:12", "oci:/srv/os:12", "oci:/srv/os:12" },
	{ "docker-archive:/srv/os.tar", "docker-archive:/srv/os.tar",
	  "docker-archive:/srv/os.tar" },
	{ "docker-archive:/srv/os.tar:debian:12", "docker-archive:/srv/os.tar:debian:12",
	  "docker-archive:/srv/os.tar:debian:12" },
	{ "oci-archive:/srv/os.tar", "oci-archive:/srv/os.tar",
	  "oci-archive:/srv/os.tar" },
	{ "oci:/srv/../os", "oci:/srv/../os", "oci:/srv/../os" },
};

static void test_refs(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(refs); i++) {
		const struct ref_case *c = &refs[i];
		cleanup_arena struct arena arena = { 0 };
		struct image_ref ref, again;
		struct err err = { 0 };

		print_message("  %s\n", c->text);
		assert_int_equal(image_ref_parse(c->text, &arena, &ref, &err), 0);
		assert_string_equal(ref.text, c->name);
		assert_string_equal(
			ref.source,
			c->source ? c->source
				  : arena_printf(&arena, "docker://%s", c->name));
		assert_int_equal(ref.path == NULL, c->source == NULL);
		assert_int_equal(ref.digest != NULL, strchr(c->text, '@') != NULL);
		/* What the store calls it means the same again. */
		assert_int_equal(image_ref_parse(ref.text, &arena, &again, &err), 0);
		assert_string_equal(again.text, ref.text);
		assert_string_equal(again.source, ref.source);
	}
}

static void test_relative_ref(void **state)
{
	cleanup_arena struct arena arena = { 0 };
	struct image_ref ref;
	struct err err = { 0 };
	char cwd[PATH_MAX];

	(void)state;
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_int_equal(image_ref_parse("oci:os:12", &arena, &ref, &err), 0);
	assert_string_equal(ref.text, arena_printf(&arena, "oci:%s/os:12", cwd));
	assert_string_equal(ref.path, arena_printf(&arena, "%s/os", cwd));
}

static const char *const bad_refs[] = {
	"",
	"/srv/os",
	"./os",
	"../os",
	"Debian",
	"team/OS",
	"debian:",
	"debian:.12",
	"debian:-12",
	"debian:a b",
	"debian:1:2",
	"debian@sha256:12",
	"debian@sha512:" HEX HEX,
	"debian@sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef",
	"debian@",
	"debian//x",
	"debian/",
	"a..b",
	"a___b",
	"-a",
	"a-",
	"_a",
	"quay.io/",
	"quay.io:port/a",
	"quay.io:/a",
	"quay.io:1234567/a",
	"-quay.io/a",
	"[::1/a",
	"docker://",
	"docker:///a",
	"oci:",
	"oci::12",
	"oci:/srv/os:",
	"dir:/srv",
	"docker-daemon:debian:12",
	"containers-storage:debian",
	"debian\n",
	"oci:/srv/\x1b[2J",
	"oci:/srv/\xff",
	"oci:/srv/\xc2\x9b"
	"2J",
	"--help",
	"debian:12 --x",
};

static void test_bad_refs(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(bad_refs); i++) {
		cleanup_arena struct arena arena = { 0 };
		struct image_ref ref = { .text = "untouched" };
		struct err err = { 0 };

		print_message("  %s\n", bad_refs[i]);
		assert_int_equal(image_ref_parse(bad_refs[i], &arena, &ref, &err),
		                 -EINVAL);
		assert_string_equal(ref.text, "untouched");
	}
}

static void test_long_refs(void **state)
{
	cleanup_arena struct arena arena = { 0 };
	struct image_ref ref;
	struct err err = { 0 };
	char text[PATH_MAX + 16];

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(image_ref_parse(text, &arena, &ref, &err), -ENAMETOOLONG);
	err_clear(&err);
	(void)memcpy(text, "oci:/", 5);
	assert_int_equal(image_ref_parse(text, &arena, &ref, &err), -ENAMETOOLONG);
	err_clear(&err);
	(void)memcpy(text, "a:aaa", 5);
	text[2 + 129] = '\0';
	assert_int_equal(image_ref_parse(text, &arena, &ref, &err), -EINVAL);
	err_clear(&err);
	text[2 + 128] = '\0';
	assert_int_equal(image_ref_parse(text, &arena, &ref, &err), 0);
}

static int read_config(const char *text, struct arena *arena, struct image_config *ret,
                       struct err *err)
{
	return image_config_read(text, strlen(text), arena, ret, err);
}

static void test_config(void **state)
{
	cleanup_arena struct arena arena = { 0 };
	struct image_config c;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(
		read_config(
			"{\"architecture\":\"amd64\",\"config\":{\"User\":\"app:app\","
			"\"Env\":[\"PATH=/bin\",\"EMPTY=\",\"L=a\\nb\"],"
			"\"Entrypoint\":[\"/e\"],\"Cmd\":[\"sh\",\"-c\",\"x\\ny\"],"
			"\"Volumes\":{\"/var/x/\":{},\"/data\":{}},"
			"\"WorkingDir\":\"/w\",\"StopSignal\":\"SIGRTMIN+3\","
			"\"Labels\":{\"a\":\"b\"}},\"rootfs\":{}}",
			&arena, &c, &err),
		0);
	assert_int_equal(c.env_n, 3);
	assert_string_equal(c.env[1], "EMPTY=");
	assert_int_equal(c.entrypoint_n, 1);
	assert_string_equal(c.entrypoint[0], "/e");
	assert_int_equal(c.cmd_n, 3);
	assert_string_equal(c.cmd[2], "x\ny");
	assert_int_equal(c.volume_n, 2);
	assert_string_equal(c.volume[0], "/data");
	assert_string_equal(c.user, "app:app");
	assert_string_equal(c.workdir, "/w");
	assert_string_equal(c.stop_signal, "SIGRTMIN+3");
}

/* As builders write what was not said. */
static void test_empty_config(void **state)
{
	static const char *const texts[] = {
		"{}",
		"{\"config\":null}",
		"{\"config\":{}}",
		"{\"config\":{\"Env\":null,\"Cmd\":null,\"Entrypoint\":null,"
		"\"Volumes\":null,\"User\":\"\",\"WorkingDir\":\"\",\"StopSignal\":null}"
		"}",
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		cleanup_arena struct arena arena = { 0 };
		struct image_config c;
		struct err err = { 0 };

		assert_int_equal(read_config(texts[i], &arena, &c, &err), 0);
		assert_int_equal(c.env_n + c.entrypoint_n + c.cmd_n + c.volume_n, 0);
		assert_null(c.user);
		assert_null(c.workdir);
		assert_null(c.stop_signal);
	}
}

static const struct bad_config {
	const char *text, *said;
} bad_configs[] = {
	{ "", "configuration" },
	{ "[]", "an array" },
	{ "{\"config\":[]}", "'config'" },
	{ "{\"config\":{\"Env\":\"A=b\"}}", "'Env'" },
	{ "{\"config\":{\"Env\":[\"A\"]}}", "'Env'" },
	{ "{\"config\":{\"Env\":[\"=x\"]}}", "'Env'" },
	{ "{\"config\":{\"Env\":[\"A B=x\"]}}", "'Env'" },
	{ "{\"config\":{\"Env\":[\"A\\u001b=x\"]}}", "'Env'" },
	{ "{\"config\":{\"Env\":[1]}}", "'Env'" },
	{ "{\"config\":{\"Cmd\":\"sh\"}}", "'Cmd'" },
	{ "{\"config\":{\"Entrypoint\":[null]}}", "'Entrypoint'" },
	{ "{\"config\":{\"User\":7}}", "'User'" },
	{ "{\"config\":{\"User\":\"a\\nb\"}}", "'User'" },
	{ "{\"config\":{\"WorkingDir\":\"w\"}}", "'w'" },
	{ "{\"config\":{\"WorkingDir\":\"/../w\"}}", "'/../w'" },
	{ "{\"config\":{\"WorkingDir\":\"/w/..\"}}", "'/w/..'" },
	{ "{\"config\":{\"WorkingDir\":\"/\\u001b[2J\"}}", "'WorkingDir'" },
	{ "{\"config\":{\"WorkingDir\":\"/\\u009b2J\"}}", "'WorkingDir'" },
	{ "{\"config\":{\"Env\":[\"A\\u0080=x\"]}}", "'Env'" },
	{ "{\"config\":{\"User\":\"\\u009f\"}}", "'User'" },
	{ "{\"config\":{\"Volumes\":{\"/\\u0085\":{}}}}", "'Volumes'" },
	{ "{\"config\":{\"Volumes\":[\"/x\"]}}", "'Volumes'" },
	{ "{\"config\":{\"Volumes\":{\"x\":{}}}}", "'Volumes'" },
	{ "{\"config\":{\"Volumes\":{\"/x/../../etc\":{}}}}", "'Volumes'" },
	{ "{\"config\":{\"StopSignal\":\"SIGNOTHING\"}}", "'StopSignal'" },
	{ "{\"config\":{\"StopSignal\":\"0\"}}", "'StopSignal'" },
};

static void test_bad_configs(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(bad_configs); i++) {
		cleanup_arena struct arena arena = { 0 };
		struct image_config c = { .user = "untouched" };
		struct err err = { 0 };

		print_message("  %s\n", bad_configs[i].text);
		assert_int_equal(read_config(bad_configs[i].text, &arena, &c, &err),
		                 -EINVAL);
		if (!strstr(err.text, bad_configs[i].said))
			fail_msg("\"%s\" does not say %s", err.text, bad_configs[i].said);
		assert_string_equal(c.user, "untouched");
	}
}

static void test_config_bounds(void **state)
{
	cleanup_arena struct arena arena = { 0 };
	const char *list = "";
	struct image_config c;
	struct err err = { 0 };

	(void)state;
	for (int i = 0; i < IMAGE_ENV_MAX; i++)
		list = arena_printf(&arena, "%s%s\"V%d=\"", list, i ? "," : "", i);
	assert_int_equal(
		read_config(arena_printf(&arena, "{\"config\":{\"Env\":[%s]}}", list),
	                    &arena, &c, &err),
		0);
	assert_int_equal(
		read_config(
			arena_printf(&arena, "{\"config\":{\"Env\":[%s,\"X=\"]}}", list),
			&arena, &c, &err),
		-E2BIG);
}

static void test_manifest(void **state)
{
	cleanup_arena struct arena arena = { 0 };
	static const char text[] =
		"{\"schemaVersion\":2,\"config\":{\"digest\":\"" DIGEST "\",\"size\":7},"
		"\"layers\":[{\"digest\":\"" DIGEST "\",\"size\":9}]}";
	static const char *const bad[] = {
		"{}",
		"{\"config\":{\"digest\":\"" DIGEST "\",\"size\":7}}",
		"{\"config\":{\"digest\":\"sha256:../../x\",\"size\":7},\"layers\":[]}",
		"{\"config\":{\"digest\":\"" DIGEST "\",\"size\":-1},\"layers\":[]}",
		"{\"config\":{\"digest\":\"" DIGEST "\",\"size\":7},\"layers\":[1]}",
		"{\"manifests\":[]}",
	};
	struct image_manifest m;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(image_manifest_read(text, strlen(text), &arena, &m, &err), 0);
	assert_string_equal(m.config.digest, DIGEST);
	assert_int_equal(m.config.size, 7);
	assert_int_equal(m.layer_n, 1);
	assert_int_equal(m.layer[0].size, 9);
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		print_message("  %s\n", bad[i]);
		assert_true(image_manifest_read(bad[i], strlen(bad[i]), &arena, &m,
		                                &err) < 0);
		err_clear(&err);
	}
}

static void test_tree_path(void **state)
{
	cleanup_arena struct arena arena = { 0 };
	const struct idmap one = { 1, { { 0, 0, 65536 } } };
	const struct idmap two = { 2, { { 0, 1000, 1 }, { 1, 100000, 65536 } } };
	struct idmap many = { .n = IDMAP_EXTENTS_MAX };

	(void)state;
	for (uint32_t i = 0; i < IDMAP_EXTENTS_MAX; i++)
		many.extent[i] = (struct id_extent){ 100000 + i * 1000,
			                             4000000000 + i * 2000, 1000 };
	assert_string_equal(image_tree_path(DIGEST, &one, &one, &arena),
	                    "trees/0-0x65536/" HEX);
	assert_string_equal(image_tree_path(DIGEST, &two, &one, &arena),
	                    "trees/0-1000x1+1-100000x65536,0-0x65536/" HEX);
	assert_true(strlen(image_tree_path(DIGEST, &many, &one, &arena)) < 255);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refs),        cmocka_unit_test(test_relative_ref),
		cmocka_unit_test(test_bad_refs),    cmocka_unit_test(test_long_refs),
		cmocka_unit_test(test_config),      cmocka_unit_test(test_empty_config),
		cmocka_unit_test(test_bad_configs), cmocka_unit_test(test_config_bounds),
		cmocka_unit_test(test_manifest),    cmocka_unit_test(test_tree_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
