#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "image_gc.h"
#include "image_internal.h"
#include "image_use.h"
#include "policies/json.h"

#define DIGEST_SHOWN 19 /* "sha256:" and twelve digits */

/* An image, with a name or (NULL) without. */
struct line {
	const char *ref, *digest;
	int64_t size, pulled_ms, used_ms;
	bool in_use;
};

/* What its blobs take; those that are gone take nothing. */
static int64_t blobs_size(struct image_store *store, const char *digest,
                          struct arena *arena)
{
	struct image_manifest manifest;
	struct err ignored = { 0 };
	const char *text;
	ssize_t n = image_blob_read(store, digest, arena, &text, &ignored);
	int64_t sum = n;

	if (n < 0 || image_manifest_read(text, (size_t)n, arena, &manifest, &ignored) < 0)
		return 0;
	sum += manifest.config.size;
	for (size_t i = 0; i < manifest.layer_n; i++)
		if (manifest.layer[i].size < INT64_MAX / IMAGE_LAYERS_MAX / 2)
			sum += manifest.layer[i].size;
	return sum;
}

static void put_size(char *out, size_t size, int64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1024;
		unit++;
	}
	(void)snprintf(out, size, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

static void put_time(char *out, size_t size, int64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;

	if (ms == 0 || !localtime_r(&seconds, &tm) ||
	    strftime(out, size, "%Y-%m-%d %H:%M", &tm) == 0)
		(void)snprintf(out, size, "-");
}

static void print_table(const struct line *line, size_t n)
{
	int width = (int)strlen("IMAGE");

	for (size_t i = 0; i < n; i++)
		if (line[i].ref && (int)strlen(line[i].ref) > width)
			width = (int)strlen(line[i].ref);
	(void)printf("%-*s  %-19s  %10s  %-16s  %-16s  %s\n", width, "IMAGE", "DIGEST",
	             "SIZE", "PULLED", "LAST USED", "IN USE");
	for (size_t i = 0; i < n; i++) {
		char size[32], pulled[32], used[32];

		put_size(size, sizeof(size), line[i].size);
		put_time(pulled, sizeof(pulled), line[i].pulled_ms);
		put_time(used, sizeof(used), line[i].used_ms);
		(void)printf("%-*s  %.*s  %10s  %-16s  %-16s  %s\n", width,
		             line[i].ref ? line[i].ref : "<none>", DIGEST_SHOWN,
		             line[i].digest, size, pulled, used,
		             line[i].in_use ? "yes" : "no");
	}
}

static int print_json(const struct line *line, size_t n, struct err *err)
{
	struct json *json = json_open(stdout, true);
	int r;

	json_array(json);
	for (size_t i = 0; i < n; i++) {
		json_object(json);
		json_put_string(json, "ref", line[i].ref);
		json_put_string(json, "digest", line[i].digest);
		json_put_number(json, "size", line[i].size);
		json_put_number(json, "pulled_ms", line[i].pulled_ms);
		json_put_number(json, "used_ms", line[i].used_ms);
		json_put_bool(json, "in_use", line[i].in_use);
		json_object_end(json);
	}
	json_array_end(json);
	r = json_close(json);
	return r < 0 ? err_set(err, -r, "print the images") : 0;
}

static int print_lines(const struct line *line, size_t n, bool json, bool quiet,
                       struct err *err)
{
	if (json)
		return print_json(line, n, err);
	if (!quiet)
		print_table(line, n);
	for (size_t i = 0; quiet && i < n; i++)
		(void)printf("%s\n", line[i].ref ? line[i].ref : line[i].digest);
	return 0;
}

/* One line a name, then what has none any more. */
static size_t make_lines(struct image_store *store, const struct image_list *list,
                         const struct image_found *found, size_t found_n,
                         struct arena *arena, struct line *line)
{
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++) {
		const struct image_entry *entry = &list->entry[i];

		line[n++] =
			(struct line){ .ref = entry->ref,
			               .digest = entry->digest,
			               .size = blobs_size(store, entry->digest, arena),
			               .pulled_ms = entry->pulled_ms };
	}
	for (size_t i = 0; i < found_n; i++) {
		bool has_name = false;

		for (size_t j = 0; j < list->n; j++) {
			if (strcmp(line[j].digest, found[i].digest) != 0)
				continue;
			line[j].size += found[i].tree_size;
			line[j].used_ms = found[i].used_ms;
			line[j].in_use = found[i].in_use;
			has_name = true;
		}
		if (!has_name)
			line[n++] = (struct line){ .digest = found[i].digest,
				                   .size = found[i].tree_size,
				                   .used_ms = found[i].used_ms,
				                   .in_use = found[i].in_use };
	}
	return n;
}

int image_ls(const char *store_path, bool json, bool quiet, struct err *err)
{
	cleanup_image_store struct image_store store = IMAGE_STORE_NONE;
	cleanup_arena struct arena arena = { 0 };
	struct image_list list = { 0 };
	struct image_found *found = NULL;
	struct line *line;
	size_t n = 0;
	int r = image_store_open(store_path, false, 0, &arena, &store, err);

	if (r == -ENOENT) {
		err_clear(err);
		return print_lines(NULL, 0, json, quiet, err);
	}
	if (r == 0)
		r = image_store_list(&store, &arena, &list, err);
	if (r == 0)
		r = image_look(&store, false, &arena, &found, &n, err);
	if (r < 0)
		return r;
	line = arena_alloc(&arena, (list.n + n + 1) * sizeof(*line));
	if (!line)
		return err_set(err, ENOMEM, "list the images");
	n = make_lines(&store, &list, found, n, &arena, line);
	return print_lines(line, n, json, quiet, err);
}
