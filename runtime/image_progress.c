#include "image_progress.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "image_ref.h"
#include "policies/json.h"

const char *const progress_mode_name[PROGRESS_MODE_MAX] = {
	[PROGRESS_AUTO] = "auto",
	[PROGRESS_BAR] = "bar",
	[PROGRESS_JSON] = "json",
	[PROGRESS_NONE] = "none",
};

void progress_begin(struct progress *progress, enum progress_mode mode, const char *image)
{
	if (mode == PROGRESS_AUTO)
		mode = isatty(STDERR_FILENO) ? PROGRESS_BAR : PROGRESS_JSON;
	*progress = (struct progress){ .mode = mode, .image = image };
}

static void as_json(const struct progress *progress, const char *step, const char *digest)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct json *json = out ? json_open(out, false) : NULL;

	if (json) {
		json_object(json);
		json_put_string(json, "image", progress->image);
		json_put_string(json, "step", step);
		if (digest)
			json_put_string(json, "digest", digest);
		json_object_end(json);
	}
	if (json_close(json) == 0 && fputc('\n', out) != EOF && fflush(out) == 0)
		(void)write_all(STDERR_FILENO, text, size);
	if (out)
		(void)fclose(out);
	free(text);
}

void progress_step(const struct progress *progress, const char *step, const char *digest)
{
	static const struct {
		const char *step, *text, *end;
	} words[] = {
		{ "pull", "Pulling", "" },
		{ "wait", "Another process pulls", ": waiting for it" },
		{ "again", "Pulling", " again: nothing came any more" },
		{ "unpack", "Unpacking", "" },
	};

	if (progress->mode == PROGRESS_JSON)
		as_json(progress, step, digest);
	/* What lies between is skopeo's to draw. */
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (progress->mode == PROGRESS_BAR && !strcmp(step, words[i].step))
			(void)fprintf(stderr, "%s %s%s\n", words[i].text, progress->image,
			              words[i].end);
}

void progress_line(void *ctx, char *line)
{
	static const struct {
		const char *begin, *step;
	} known[] = {
		{ "Copying blob ", "blob" },
		{ "Copying config ", "config" },
		{ "Writing manifest ", "manifest" },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		char *digest = line + strlen(known[i].begin);

		if (strncmp(line, known[i].begin, strlen(known[i].begin)) != 0)
			continue;
		digest[strcspn(digest, " ")] = '\0';
		progress_step(ctx, known[i].step,
		              image_digest_valid(digest) ? digest : NULL);
	}
}

int progress_option(void *field, const char *value, struct err *err)
{
	enum progress_mode *mode = field;

	for (int i = 0; i < PROGRESS_MODE_MAX; i++)
		if (!strcmp(value, progress_mode_name[i])) {
			*mode = (enum progress_mode)i;
			return 0;
		}
	return err_set(err, EINVAL, "'%s' is not auto, bar, json or none", value);
}
