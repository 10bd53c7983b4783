#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "image_config.h"
#include "image_ref.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* 0, or a code with a text. */
static void told(int r, const struct err *err)
{
	if (r != -err->code || (r < 0) != (err->text[0] != '\0'))
		__builtin_trap();
}

static int config(const char *text, size_t size, struct arena *arena, struct err *err)
{
	struct image_config c = { 0 };
	int r = image_config_read(text, size, arena, &c, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < c.env_n; i++)
		if (!strchr(c.env[i], '=') || c.env[i][0] == '=')
			__builtin_trap();
	for (size_t i = 0; i < c.volume_n; i++)
		if (c.volume[i][0] != '/' || strstr(c.volume[i], "/../"))
			__builtin_trap();
	if (c.workdir && (c.workdir[0] != '/' || strchr(c.workdir, '\033')))
		__builtin_trap();
	if (c.env_n > IMAGE_ENV_MAX || c.cmd_n > IMAGE_WORDS_MAX ||
	    c.entrypoint_n > IMAGE_WORDS_MAX || c.volume_n > IMAGE_VOLUMES_MAX)
		__builtin_trap();
	return 0;
}

static int manifest(const char *text, size_t size, struct arena *arena, struct err *err)
{
	struct image_manifest m;
	int r = image_manifest_read(text, size, arena, &m, err);

	for (size_t i = 0; r == 0 && i < m.layer_n; i++)
		if (!image_digest_valid(m.layer[i].digest))
			__builtin_trap();
	return r;
}

/* What the store calls an image means the same image again. */
static int ref(const char *text, struct arena *arena, struct err *err)
{
	struct image_ref one, again;
	int r = image_ref_parse(text, arena, &one, err);

	if (r == 0 && (image_ref_parse(one.text, arena, &again, err) < 0 ||
	               strcmp(one.text, again.text) != 0))
		__builtin_trap();
	return r;
}

/* The first byte chooses who reads the rest. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = { 0 };
	struct err err = { 0 };
	char text[4097];
	int r;

	if (size == 0 || size >= sizeof(text))
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	switch (data[0]) {
	case 'c':
		r = config(text, size - 1, &arena, &err);
		break;
	case 'm':
		r = manifest(text, size - 1, &arena, &err);
		break;
	default:
		r = ref(text, &arena, &err);
		break;
	}
	if (r != -ENOENT) /* a member is missing */
		told(r, &err);
	arena_done(&arena);
	return 0;
}
