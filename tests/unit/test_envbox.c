#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "envbox.h"
#include "options.h"
#include "tests/unit/unit.h"

#define IMAGE "CODER_INNER_IMAGE=debian:12"
#define USER "CODER_INNER_USERNAME=coder"
#define BASE "entrypoint --image debian:12 --user coder"

/* One case for each variable, and for what is odd about it. */
static const struct words_case {
	const char *name;
	char *envp[6], *argv[6];
	bool docker;
	const char *words; /* or the error's text */
	int code;
} words_cases[] = {
	/* clang-format off */
	{ "image and user", { IMAGE, USER }, { NULL }, false, BASE, 0 },
	{ "no image", { USER }, { NULL }, false, "no CODER_INNER_IMAGE", EINVAL },
	{ "no user", { IMAGE }, { NULL }, false, "no CODER_INNER_USERNAME", EINVAL },
	{ "an empty variable is none", { IMAGE, USER, "CODER_INNER_HOSTNAME=" }, { NULL }, false, BASE, 0 },
	{ "token, by its name", { IMAGE, USER, "CODER_AGENT_TOKEN=secret" }, { NULL }, false, BASE " --env CODER_AGENT_TOKEN", 0 },
	{ "URL", { IMAGE, USER, "CODER_AGENT_URL=https://coder.example" }, { NULL }, false, BASE " --env CODER_AGENT_URL", 0 },
	{ "environment", { IMAGE, USER, "CODER_INNER_ENVS=KUBERNETES_*,MY_ENV,,MY_OTHER_ENV," }, { NULL }, false, BASE " --env KUBERNETES_* --env MY_ENV --env MY_OTHER_ENV", 0 },
	{ "working directory", { IMAGE, USER, "CODER_INNER_WORK_DIR=/home/coder" }, { NULL }, false, "entrypoint --image debian:12 --user coder --workdir /home/coder", 0 },
	{ "host name", { IMAGE, USER, "CODER_INNER_HOSTNAME=box" }, { NULL }, false, BASE " --hostname box", 0 },
	{ "CPUs", { IMAGE, USER, "CODER_CPUS=3" }, { NULL }, false, BASE " --cpus 3 --best-effort cpus", 0 },
	{ "no limit of CPUs", { IMAGE, USER, "CODER_CPUS=0" }, { NULL }, false, BASE, 0 },
	{ "memory", { IMAGE, USER, "CODER_MEMORY=1073741824" }, { NULL }, false, BASE " --memory 1073741824 --best-effort memory", 0 },
	{ "limits and a device", { IMAGE, USER, "CODER_CPUS=2", "CODER_MEMORY=4", "CODER_ADD_TUN=1" }, { NULL }, false, BASE " --cpus 2 --memory 4 --device /dev/net/tun --best-effort cpus,memory,device", 0 },
	{ "and what the pod goes without", { IMAGE, USER, "CODER_MEMORY=4", "BERTH_BEST_EFFORT=storage" }, { NULL }, false, BASE " --memory 4 --best-effort memory,storage", 0 },
	{ "the pod alone", { IMAGE, USER, "BERTH_BEST_EFFORT=storage" }, { NULL }, false, BASE, 0 },
	{ "no limit of memory", { IMAGE, USER, "CODER_MEMORY=0" }, { NULL }, false, BASE, 0 },
	{ "mounts", { IMAGE, USER, "CODER_MOUNTS=/home/coder:/home/coder,/run/s:/run/s:ro" }, { NULL }, false, BASE " --volume /home/coder:/home/coder:own --volume /run/s:/run/s:ro", 0 },
	{ "mounts: whose they are", { IMAGE, USER, "CODER_MOUNTS=/root:/r,/home/a/b:/b,/home/:/h,/srv:/home/x:rw,/home/c:/home/c:rw" }, { NULL }, false, BASE " --volume /root:/r:own --volume /home/a/b:/b:own=0 --volume /home/:/h:own=0 --volume /srv:/home/x:rw,own=0 --volume /home/c:/home/c:rw,own", 0 },
	{ "mounts: Docker's, and others' words", { IMAGE, USER, "CODER_MOUNTS=/d:/var/lib/docker,/s:/usr/src,/a:/a:U,/b" }, { NULL }, false, BASE " --volume /d:/var/lib/docker --volume /s:/usr/src --volume /a:/a:U --volume /b", 0 },
	{ "envbox's directories", { IMAGE, USER }, { NULL }, true, BASE " --volume /var/lib/coder/docker:/var/lib/docker --volume /var/lib/coder/containers:/var/lib/containers", 0 },
	{ "tun", { IMAGE, USER, "CODER_ADD_TUN=true" }, { NULL }, false, BASE " --device /dev/net/tun --best-effort device", 0 },
	{ "fuse", { IMAGE, USER, "CODER_ADD_FUSE=1" }, { NULL }, false, BASE " --device /dev/fuse --best-effort device", 0 },
	{ "no tun", { IMAGE, USER, "CODER_ADD_TUN=false" }, { NULL }, false, BASE, 0 },
	{ "GPU", { IMAGE, USER, "CODER_ADD_GPU=true", "CODER_USR_LIB_DIR=/lib", "CODER_INNER_USR_LIB_DIR=/l" }, { NULL }, false, BASE " --gpus /lib:/l --best-effort device", 0 },
	{ "GPU, without libraries", { IMAGE, USER, "CODER_ADD_GPU=true" }, { NULL }, false, BASE " --gpus all --best-effort device", 0 },
	{ "GPU, libraries at their place", { IMAGE, USER, "CODER_ADD_GPU=true", "CODER_USR_LIB_DIR=/lib" }, { NULL }, false, BASE " --gpus /lib --best-effort device", 0 },
	{ "no GPU", { IMAGE, USER, "CODER_USR_LIB_DIR=/lib" }, { NULL }, false, BASE, 0 },
	{ "a switch", { IMAGE, USER, "CODER_ADD_FUSE=perhaps" }, { NULL }, false, "CODER_ADD_FUSE: 'perhaps' is neither true nor false", EINVAL },
	{ "no effect: ID-mapped mounts", { IMAGE, USER, "CODER_DISABLE_IDMAPPED_MOUNT=true" }, { NULL }, false, BASE, 0 },
	{ "no effect: bridge", { IMAGE, USER, "CODER_DOCKER_BRIDGE_CIDR=172.19.0.1/30" }, { NULL }, false, BASE, 0 },
	{ "script", { IMAGE, USER, "CODER_BOOTSTRAP_SCRIPT=echo a" }, { NULL }, false, BASE " --bootstrap SCRIPT", 0 },
	{ "for others: pull secret, Docker's configuration, certificates", { IMAGE, USER, "CODER_IMAGE_PULL_SECRET={}", "CODER_DOCKER_CONFIG=/c", "CODER_EXTRA_CERTS_PATH=/d" }, { NULL }, false, BASE, 0 },
	{ "flags", { NULL }, { "docker", "--image", "debian:12", "--username=coder", "--cpus=2" }, false, BASE " --cpus 2 --best-effort cpus", 0 },
	{ "a flag above its variable", { IMAGE, USER, "CODER_INNER_HOSTNAME=a" }, { "--hostname", "b" }, false, BASE " --hostname b", 0 },
	{ "a switch as a flag", { IMAGE, USER }, { "docker", "--add-fuse" }, false, BASE " --device /dev/fuse --best-effort device", 0 },
	{ "a switch turned off again", { IMAGE, USER, "CODER_ADD_FUSE=true" }, { "docker", "--add-fuse=false" }, false, BASE, 0 },
	{ "no flag", { IMAGE, USER }, { "docker", "--add-things" }, false, "unknown option '--add-things'", EINVAL },
	{ "a word", { IMAGE, USER }, { "docker", "more" }, false, "'more' is one word too many", EINVAL },
	/* clang-format on */
};

static void test_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(words_cases) / sizeof(words_cases[0]); i++) {
		const struct words_case *c = &words_cases[i];
		struct envbox_place place = { c->docker, c->docker, NULL };
		cleanup_arena struct arena arena = { 0 };
		char *argv[8] = { "envbox" };
		struct err err = { 0 };
		struct envbox envbox;
		const char *const *word;
		char text[1024] = "";
		int argc = 1, r;
		size_t n;

		for (size_t j = 0; j < 6 && c->envp[j]; j++)
			if (!strncmp(c->envp[j], "BERTH_BEST_EFFORT=", 18))
				place.best_effort = c->envp[j] + 18;
		for (size_t j = 0; j < 5 && c->argv[j]; j++)
			argv[argc++] = c->argv[j];
		print_message("  %s\n", c->name);
		r = envbox_read(argc, argv, c->envp, &arena, &envbox, &err);
		assert_int_equal(-r, c->code);
		if (r < 0) {
			assert_string_equal(err.text, c->words);
			continue;
		}
		word = envbox_words(&envbox, &place, envbox.script ? "SCRIPT" : NULL,
		                    &arena, &n);
		assert_false(arena.failed);
		for (size_t j = 0; j < n; j++) {
			(void)strcat(text, j > 0 ? " " : "");
			(void)strcat(text, word[j]);
		}
		assert_string_equal(text, c->words);
		assert_null(word[n]);
	}
}

static const struct logins_case {
	const char *name, *image, *secret;
	const char *want; /* or the error's text */
	int code;
} logins_cases[] = {
	{ "as kubectl makes it", "a.example/b",
	  "{\"auths\":{\"a.example\":{\"auth\":\"dTpw\"}}}",
	  "{\"auths\":{\"a.example\":{\"auth\":\"dTpw\"}}}", 0 },
	{ "the older form", "a.example/b", "{\"a.example\":{\"auth\":\"dTpw\"}}",
	  "{\"auths\":{\"a.example\":{\"auth\":\"dTpw\"}}}\n", 0 },
	{ "one login", "a.example:5000/b:1", "{\"auth\":\"dTpw\"}",
	  "{\"auths\":{\"a.example:5000\":{\"auth\":\"dTpw\"}}}\n", 0 },
	{ "one login, Docker's own registry", "debian:12",
	  "{\"username\":\"u\",\"password\":\"p\"}",
	  "{\"auths\":{\"docker.io\":{\"auth\":\"dTpw\"}}}\n", 0 },
	{ "base64 of 4 bytes", "a.example/b", "{\"username\":\"us\",\"password\":\"p\"}",
	  "{\"auths\":{\"a.example\":{\"auth\":\"dXM6cA==\"}}}\n", 0 },
	{ "base64 of 5 bytes", "a.example/b", "{\"username\":\"us\",\"password\":\"pw\"}",
	  "{\"auths\":{\"a.example\":{\"auth\":\"dXM6cHc=\"}}}\n", 0 },
	{ "no login", "a.example/b", "{\"username\":\"u\"}",
	  "CODER_IMAGE_PULL_SECRET holds no login", EINVAL },
	{ "empty", "a.example/b", "{}", "CODER_IMAGE_PULL_SECRET holds no login",
	  EINVAL },
	{ "no JSON, and nothing of it is told", "a.example/b", "hunter2",
	  "CODER_IMAGE_PULL_SECRET is no JSON object", EINVAL },
	{ "a list", "a.example/b", "[\"hunter2\"]",
	  "CODER_IMAGE_PULL_SECRET is no JSON object", EINVAL },
	{ "no text", "a.example/b", "{\"auth\":1}",
	  "'auth' in CODER_IMAGE_PULL_SECRET is a number", EINVAL },
	{ "no base64", "a.example/b", "{\"auth\":\"\\\"}, \\\"b\"}",
	  "'auth' in CODER_IMAGE_PULL_SECRET is no base64", EINVAL },
};

static void test_logins(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(logins_cases) / sizeof(logins_cases[0]); i++) {
		const struct logins_case *c = &logins_cases[i];
		const struct envbox envbox = { .image = c->image, .secret = c->secret };
		cleanup_arena struct arena arena = { 0 };
		struct err err = { 0 };
		const char *text = NULL;
		int r = envbox_logins(&envbox, &arena, &text, &err);

		print_message("  %s\n", c->name);
		assert_int_equal(-r, c->code);
		assert_string_equal(r < 0 ? err.text : text, c->want);
	}
}

static void test_notes(void **state)
{
	const struct envbox none = { .image = "a" };
	const struct envbox all = { .no_idmap = true,
		                    .bridge = "10.0.0.1/24",
		                    .gpu = true };
	const char *said[8];

	(void)state;
	assert_null(envbox_notes(&none, said)[0]);
	assert_non_null(
		strstr(envbox_notes(&all, said)[0], "CODER_DISABLE_IDMAPPED_MOUNT"));
	assert_non_null(strstr(said[1], "CODER_DOCKER_BRIDGE_CIDR"));
	assert_non_null(strstr(said[2], "CODER_USR_LIB_DIR"));
	assert_null(said[3]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_logins),
		cmocka_unit_test(test_notes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
