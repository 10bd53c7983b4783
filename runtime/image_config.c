#include "image_config.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/terminal.h"
#include "image_ref.h"
#include "policies/json.h"
#include "signals.h"

#define TEXT_MAX ((size_t)128 << 10) /* MAX_ARG_STRLEN: no longer one can be executed */
#define USER_MAX 256

static int read_document(const char *text, size_t size, const char *what,
                         struct arena *arena, const struct json_value **ret,
                         struct err *err)
{
	int r = json_parse(text, size, arena, ret, err);

	if (r == 0 && (*ret)->type != JSON_OBJECT)
		r = err_set(err, EINVAL, "it is %s", json_type_name[(*ret)->type]);
	return r < 0 ? err_wrap(err, "read the image's %s", what) : 0;
}

static int read_blob(const struct json_value *value, struct image_blob *ret,
                     struct err *err)
{
	struct image_blob blob;
	int r = json_get_string(value, "digest", &blob.digest, err);

	if (r == 0 && !image_digest_valid(blob.digest))
		r = err_set(err, EINVAL, "'%.80s' is no digest of sha256", blob.digest);
	if (r == 0)
		r = json_get_number(value, "size", 0, INT64_MAX, &blob.size, err);
	if (r == 0)
		*ret = blob;
	return r;
}

int image_manifest_read(const char *text, size_t size, struct arena *arena,
                        struct image_manifest *ret, struct err *err)
{
	const struct json_value *document, *config, *layers, *at;
	struct image_manifest manifest = { 0 };
	struct image_blob *layer;
	int r = read_document(text, size, "manifest", arena, &document, err);

	if (r < 0)
		return r;
	r = json_get_object(document, "config", &config, err);
	if (r == 0)
		r = read_blob(config, &manifest.config, err);
	if (r == 0)
		r = json_get_array(document, "layers", &layers, err);
	if (r < 0)
		return err_wrap(err, "read the image's manifest");
	if (layers->n > IMAGE_LAYERS_MAX)
		return err_set(err, E2BIG, "the image has %zu layers, more than %d",
		               layers->n, IMAGE_LAYERS_MAX);
	layer = arena_alloc(arena, (layers->n + 1) * sizeof(*layer));
	if (!layer)
		return err_set(err, ENOMEM, "read the image's manifest");
	for (at = layers->first; at && r == 0; at = at->next)
		r = read_blob(at, &layer[manifest.layer_n++], err);
	if (r < 0)
		return err_wrap(err, "read the image's manifest");
	manifest.layer = layer;
	*ret = manifest;
	return 0;
}

int image_index_read(const char *text, size_t size, struct arena *arena,
                     struct image_blob *ret, struct err *err)
{
	const struct json_value *document, *manifests;
	int r = read_document(text, size, "index", arena, &document, err);

	if (r < 0)
		return r;
	r = json_get_array(document, "manifests", &manifests, err);
	if (r == 0 && manifests->n != 1)
		r = err_set(err, EINVAL, "it has %zu images", manifests->n);
	if (r == 0)
		r = read_blob(manifests->first, ret, err);
	return r < 0 ? err_wrap(err, "read the image's index") : 0;
}

static bool plain(const char *text)
{
	for (; *text; text++)
		if (terminal_control(text) > 0)
			return false;
	return true;
}

/* A member that is missing, or null, is none. */
static const struct json_value *member(const struct json_value *object, const char *key)
{
	const struct json_value *value = json_get(object, key);

	return value && value->type != JSON_NULL ? value : NULL;
}

static int read_text(const struct json_value *config, const char *key, const char **ret,
                     struct err *err)
{
	const char *text;
	int r;

	if (!member(config, key))
		return 0;
	r = json_get_string(config, key, &text, err);
	if (r < 0)
		return r;
	if (!plain(text))
		return err_set(err, EINVAL, "'%s' has control characters", key);
	if (*text)
		*ret = text;
	return 0;
}

/* A list of strings, or where @keys is set the names of an object's members. */
static int read_list(const struct json_value *config, const char *key, size_t max,
                     bool keys, struct arena *arena, const char *const **ret,
                     size_t *ret_n, struct err *err)
{
	const struct json_value *list, *at;
	const char **text;
	size_t n = 0;
	int r;

	if (!member(config, key))
		return 0;
	r = keys ? json_get_object(config, key, &list, err)
	         : json_get_array(config, key, &list, err);
	if (r < 0)
		return r;
	if (list->n > max)
		return err_set(err, E2BIG, "'%s' has %zu items, more than %zu", key,
		               list->n, max);
	text = arena_alloc(arena, (list->n + 1) * sizeof(*text));
	if (!text)
		return err_set(err, ENOMEM, "read '%s'", key);
	for (at = list->first; at; at = at->next) {
		if (!keys && at->type != JSON_STRING)
			return err_set(err, EINVAL, "an item of '%s' is %s", key,
			               json_type_name[at->type]);
		text[n] = keys ? at->key : at->text;
		if (strlen(text[n++]) >= TEXT_MAX)
			return err_set(err, E2BIG, "an item of '%s' is too long", key);
	}
	*ret = text;
	*ret_n = n;
	return 0;
}

/* "TERM" alone and "=x" say nothing; a control character in a name is somebody's trick. */
static int check_env(const struct image_config *config, struct err *err)
{
	for (size_t i = 0; i < config->env_n; i++) {
		const char *equals = strchr(config->env[i], '=');

		for (const char *p = config->env[i]; p < equals; p++)
			if (*p == ' ' || terminal_control(p) > 0)
				equals = NULL;
		if (!equals || equals == config->env[i])
			return err_set(err, EINVAL, "'Env' has an item without a name");
	}
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool path_valid(const char *path)
{
	if (path[0] != '/' || strlen(path) >= PATH_MAX || !plain(path))
		return false;
	while (*path) {
		size_t len;

		path += strspn(path, "/");
		len = strcspn(path, "/");
		if ((len == 1 && path[0] == '.') || (len == 2 && !strncmp(path, "..", 2)))
			return false;
		path += len;
	}
	return true;
}

static int check(const struct image_config *config, struct err *err)
{
	int r = check_env(config, err), number;

	for (size_t i = 0; r == 0 && i < config->volume_n; i++)
		if (!path_valid(config->volume[i]))
			r = err_set(err, EINVAL, "'Volumes' has an item that is no path");
	if (r == 0 && config->workdir && !path_valid(config->workdir))
		r = err_set(err, EINVAL, "'WorkingDir' is '%.100s'", config->workdir);
	if (r == 0 && config->user && strlen(config->user) > USER_MAX)
		r = err_set(err, EINVAL, "'User' is '%.100s...'", config->user);
	if (r == 0 && config->stop_signal &&
	    signal_parse(config->stop_signal, &number, err) < 0)
		r = err_wrap(err, "'StopSignal'");
	return r;
}

int image_config_read(const char *text, size_t size, struct arena *arena,
                      struct image_config *ret, struct err *err)
{
	const struct json_value *document, *object;
	struct image_config config = { 0 };
	int r = read_document(text, size, "configuration", arena, &document, err);

	if (r < 0)
		return r;
	if (member(document, "config")) {
		const struct {
			const char *key;
			size_t max;
			bool keys;
			const char *const **list;
			size_t *n;
		} lists[] = {
			{ "Env", IMAGE_ENV_MAX, false, &config.env, &config.env_n },
			{ "Entrypoint", IMAGE_WORDS_MAX, false, &config.entrypoint,
			  &config.entrypoint_n },
			{ "Cmd", IMAGE_WORDS_MAX, false, &config.cmd, &config.cmd_n },
			{ "Volumes", IMAGE_VOLUMES_MAX, true, &config.volume,
			  &config.volume_n },
		};

		r = json_get_object(document, "config", &object, err);
		for (size_t i = 0; r == 0 && i < sizeof(lists) / sizeof(lists[0]); i++)
			r = read_list(object, lists[i].key, lists[i].max, lists[i].keys,
			              arena, lists[i].list, lists[i].n, err);
		if (r == 0)
			r = read_text(object, "User", &config.user, err);
		if (r == 0)
			r = read_text(object, "WorkingDir", &config.workdir, err);
		if (r == 0)
			r = read_text(object, "StopSignal", &config.stop_signal, err);
		/* What lies in another one comes after it. */
		if (config.volume_n > 0)
			qsort((void *)config.volume, config.volume_n,
			      sizeof(*config.volume), by_text);
		if (r == 0)
			r = check(&config, err);
	}
	if (r < 0)
		return err_wrap(err, "read the image's configuration");
	*ret = config;
	return 0;
}
