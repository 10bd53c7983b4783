#include "oci_bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/file.h"

#define CONFIG "config.json"

static bool is_text(const struct json_value *value, const char *text)
{
	return value && value->type == JSON_STRING && !strcmp(value->text, text);
}

static bool has_option(const struct json_value *options, const char *option)
{
	if (!options || options->type != JSON_ARRAY)
		return false;
	for (const struct json_value *v = options->first; v; v = v->next)
		if (is_text(v, option))
			return true;
	return false;
}

/* As mount(8) reads options, the last word of "ro" and "rw" counts. */
static bool is_writable_sysfs(const struct json_value *mount)
{
	const struct json_value *options = json_get(mount, "options");
	bool writable = true;

	if (!is_text(json_get(mount, "type"), "sysfs"))
		return false;
	if (!has_option(options, "ro"))
		return true;
	for (const struct json_value *v = options->first; v; v = v->next)
		if (is_text(v, "ro") || is_text(v, "rw"))
			writable = is_text(v, "rw");
	return writable;
}

int oci_wants_sysfs(const struct json_value *config, struct err *err)
{
	const struct json_value *mounts = json_get(config, "mounts");
	int wants = 0;

	if (config->type != JSON_OBJECT)
		return err_set(err, EINVAL, "it is %s, not an object",
		               json_type_name[config->type]);
	if (!mounts)
		return 0;
	if (mounts->type != JSON_ARRAY)
		return err_set(err, EINVAL, "line %u: key 'mounts' is %s, not an array",
		               mounts->line, json_type_name[mounts->type]);
	for (const struct json_value *m = mounts->first; m; m = m->next) {
		if (m->type != JSON_OBJECT)
			return err_set(err, EINVAL,
			               "line %u: a mount is %s, not an object", m->line,
			               json_type_name[m->type]);
		wants |= is_writable_sysfs(m);
	}
	return wants;
}

static void put_options(struct json *out, const struct json_value *options)
{
	json_array(out);
	for (const struct json_value *v = options ? options->first : NULL; v; v = v->next)
		if (!is_text(v, "rw") && !is_text(v, "ro"))
			json_copy(out, v);
	json_string(out, "ro");
	json_array_end(out);
}

static void put_mount(struct json *out, const struct json_value *mount)
{
	const struct json_value *options = json_get(mount, "options");

	if (!is_writable_sysfs(mount)) {
		json_copy(out, mount);
		return;
	}
	json_object(out);
	for (const struct json_value *v = mount->first; v; v = v->next) {
		json_key(out, v->key);
		if (v == options)
			put_options(out, options);
		else
			json_copy(out, v);
	}
	if (!options) {
		json_key(out, "options");
		put_options(out, NULL);
	}
	json_object_end(out);
}

void oci_put_config(struct json *out, const struct json_value *config)
{
	const struct json_value *mounts = json_get(config, "mounts");

	json_object(out);
	for (const struct json_value *v = config->first; v; v = v->next) {
		json_key(out, v->key);
		if (v != mounts) {
			json_copy(out, v);
			continue;
		}
		json_array(out);
		for (const struct json_value *m = mounts->first; m; m = m->next)
			put_mount(out, m);
		json_array_end(out);
	}
	json_object_end(out);
}

static int rewrite(int dir, const struct json_value *config, struct err *err)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct stat st;
	struct json *json;
	int r;

	if (!out)
		return err_set(err, errno, "write '" CONFIG "'");
	json = json_open(out, false);
	oci_put_config(json, config);
	r = json_close(json);
	if (fclose(out) != 0 && r == 0)
		r = -errno;
	if (r < 0)
		(void)err_set(err, -r, "write '" CONFIG "'");
	else if (fstatat(dir, CONFIG, &st, 0) < 0)
		r = err_set(err, errno, "look at '" CONFIG "'");
	else
		r = file_create(dir, CONFIG, st.st_mode & 07777, text, size, err);
	free(text);
	return r;
}

int oci_fix_bundle(const char *path, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	cleanup_close int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct json_value *config;
	const char *text;
	ssize_t n;
	int r;

	if (dir < 0)
		return err_set(err, errno, "open the bundle '%s'", path);
	n = file_slurp(dir, CONFIG, OCI_CONFIG_MAX, &arena, &text, err);
	r = n < 0 ? (int)n : json_parse(text, (size_t)n, &arena, &config, err);
	if (r == 0)
		r = oci_wants_sysfs(config, err);
	if (r > 0 && rewrite(dir, config, err) < 0)
		r = -err->code;
	return r < 0 ? err_wrap(err, "'%s/" CONFIG "'", path) : r;
}
