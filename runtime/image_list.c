#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/file.h"
#include "image_ref.h"
#include "image_store.h"
#include "policies/json.h"

#define INDEX_VERSION 1
#define INDEX_MAX ((size_t)4 << 20)

static int by_ref(const void *a, const void *b)
{
	const struct image_entry *one = a, *two = b;

	return strcmp(one->ref, two->ref);
}

static int read_entry(const struct json_value *value, struct image_entry *ret,
                      struct err *err)
{
	int r = json_get_string(value, "ref", &ret->ref, err);

	if (r == 0)
		r = json_get_string(value, "digest", &ret->digest, err);
	if (r == 0 && !image_digest_valid(ret->digest))
		r = err_set(err, EINVAL, "'%.80s' is no digest", ret->digest);
	if (r == 0)
		r = json_get_string(value, "stamp", &ret->stamp, err);
	if (r == 0)
		r = json_get_number(value, "pulled_ms", 0, INT64_MAX, &ret->pulled_ms,
		                    err);
	return r;
}

static int read_list(const char *text, size_t size, struct arena *arena,
                     struct image_list *ret, struct err *err)
{
	const struct json_value *root, *images, *at;
	struct image_list list = { 0 };
	int64_t version;
	int r = json_parse(text, size, arena, &root, err);

	if (r == 0)
		r = json_get_number(root, "version", 1, INT64_MAX, &version, err);
	if (r == 0 && version != INDEX_VERSION)
		r = err_set(err, EINVAL, "written by another version of berth");
	if (r == 0)
		r = json_get_array(root, "images", &images, err);
	if (r < 0)
		return r;
	list.entry = arena_alloc(arena, (images->n + 1) * sizeof(*list.entry));
	if (!list.entry)
		return err_set(err, ENOMEM, "no memory");
	for (at = images->first; at && r == 0; at = at->next)
		r = read_entry(at, &list.entry[list.n++], err);
	if (r < 0)
		return r;
	qsort(list.entry, list.n, sizeof(*list.entry), by_ref);
	*ret = list;
	return 0;
}

int image_store_list(struct image_store *store, struct arena *arena,
                     struct image_list *ret, struct err *err)
{
	const char *text;
	ssize_t n = file_slurp(store->dir, "index.json", INDEX_MAX, arena, &text, err);
	int r;

	if (n == -ENOENT) {
		err_clear(err);
		*ret = (struct image_list){ 0 };
		return 0;
	}
	r = n < 0 ? (int)n : read_list(text, (size_t)n, arena, ret, err);
	if (r == -ENOENT)
		err->code = EINVAL; /* a key is missing, not the file */
	if (r == 0)
		return 0;
	(void)err_hint(err, "move the file away: images are pulled again, and what is in "
	                    "the store already is not fetched anew");
	return err_wrap(err, "read '%s/index.json'", store->path);
}

const struct image_entry *image_list_find(const struct image_list *list, const char *ref)
{
	const struct image_entry key = { .ref = ref };

	return list->n == 0 ? NULL
	                    : bsearch(&key, list->entry, list->n, sizeof(*list->entry),
	                              by_ref);
}

static int write_list(struct image_store *store, const struct image_list *list,
                      struct err *err)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct json *json = out ? json_open(out, true) : NULL;
	int r;

	if (json) {
		json_object(json);
		json_put_number(json, "version", INDEX_VERSION);
		json_key(json, "images");
		json_array(json);
		for (size_t i = 0; i < list->n; i++) {
			json_object(json);
			json_put_string(json, "ref", list->entry[i].ref);
			json_put_string(json, "digest", list->entry[i].digest);
			json_put_string(json, "stamp", list->entry[i].stamp);
			json_put_number(json, "pulled_ms", list->entry[i].pulled_ms);
			json_object_end(json);
		}
		json_array_end(json);
		json_object_end(json);
	}
	r = json_close(json);
	if (out && fclose(out) != 0 && r == 0)
		r = -errno;
	r = r < 0 ? err_set(err, -r, "write the list of images")
	          : image_file_put(store->dir, "index.json", text, size, err);
	free(text);
	return r;
}

/* Reads, changes and writes the list while nobody else does. */
static int change(struct image_store *store, const char *ref,
                  const struct image_entry *entry, struct err *err)
{
	cleanup_close int turn = image_store_turn(store, "index", "", true, err);
	cleanup_arena struct arena arena = { 0 };
	struct image_list list, next = { 0 };
	int r;

	if (turn < 0)
		return turn;
	r = image_store_list(store, &arena, &list, err);
	if (r < 0)
		return r;
	next.entry = arena_alloc(&arena, (list.n + 1) * sizeof(*next.entry));
	if (!next.entry)
		return err_set(err, ENOMEM, "write the list of images");
	for (size_t i = 0; i < list.n; i++)
		if (strcmp(list.entry[i].ref, ref) != 0)
			next.entry[next.n++] = list.entry[i];
	if (entry)
		next.entry[next.n++] = *entry;
	return write_list(store, &next, err);
}

int image_store_put(struct image_store *store, const struct image_entry *entry,
                    struct err *err)
{
	return change(store, entry->ref, entry, err);
}

int image_store_drop(struct image_store *store, const char *ref, struct err *err)
{
	return change(store, ref, NULL, err);
}
