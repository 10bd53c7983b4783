#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "image_ref.h"
#include "policies/json.h"
#include "state_internal.h"

#define RECORD_VERSION 1
#define RECORD_MAX ((size_t)4 << 20)

/* PIDs are below 2^22 (proc(5), pid_max). */
#define PID_LIMIT ((int64_t)1 << 22)

/* Exit code of a workspace that ended with its supervisor: 128 + SIGKILL. */
#define EXIT_KILLED 137

const char *const status_name[STATUS_MAX] = {
	[STATUS_PULLING] = "pulling",
	[STATUS_CREATED] = "created",
	[STATUS_RUNNING] = "running",
	[STATUS_EXITED] = "exited",
};

static int check_text(const char *key, const char *value, struct err *err);
static int check_word(const char *key, const char *value, struct err *err);
static int check_path(const char *key, const char *value, struct err *err);
static int check_rootfs(const char *key, const char *value, struct err *err);
static int check_digest(const char *key, const char *value, struct err *err);

/* clang-format off */

/* The fields, in the order of the file: written, read and checked by these rows. */
static const struct text_field {
	const char *key;
	size_t offset; /* const char * in struct record */
	int (*check)(const char *key, const char *value, struct err *err);
} text_fields[] = {
#define TEXT(key, check) { #key, offsetof(struct record, key), check }
	TEXT(reason,       check_text),
	TEXT(init_mode,    check_word),
	TEXT(rootfs,       check_rootfs),
	TEXT(net,          check_word),
	TEXT(hostname,     check_text),
	TEXT(cgroup,       check_path),
	TEXT(cgroup_mount, check_path),
	TEXT(upper,        check_path),
	TEXT(command,      check_text),
#undef TEXT
};

/* Of a berth that did not know them there are none. */
static const struct text_field later_fields[] = {
#define TEXT(key, check) { #key, offsetof(struct record, key), check }
	TEXT(tier,         check_text),
	TEXT(image,        check_text),
	TEXT(image_digest, check_digest),
	TEXT(policy,       check_text),
#undef TEXT
};

static const struct number_field {
	const char *key;
	size_t offset; /* int64_t in struct record */
	int64_t max;
} number_fields[] = {
#define NUMBER(key, max) { #key, offsetof(struct record, key), max }
	NUMBER(supervisor,  PID_LIMIT),
	NUMBER(init,        PID_LIMIT),
	NUMBER(created_ms,  INT64_MAX),
	NUMBER(started_ms,  INT64_MAX),
	NUMBER(finished_ms, INT64_MAX),
	NUMBER(oom_kills,   INT64_MAX),
	NUMBER(memory_max,  INT64_MAX),
	NUMBER(pids_max,    INT64_MAX),
	NUMBER(cpu_wait_us, INT64_MAX),
	NUMBER(memory_wait_us, INT64_MAX),
	NUMBER(io_wait_us,  INT64_MAX),
#undef NUMBER
};

/* clang-format on */

static const char **text_of(struct record *record, const struct text_field *field)
{
	return (const char **)((char *)record + field->offset);
}

static int64_t *number_of(struct record *record, const struct number_field *field)
{
	return (int64_t *)((char *)record + field->offset);
}

static void put_text(struct json *json, const char *value, bool *failed)
{
	char *escaped = record_escape(value ? value : "");

	if (!escaped)
		*failed = true;
	json_string(json, escaped ? escaped : "");
	free(escaped);
}

static void put_words(struct json *json, const char *key, const char *const *words,
                      size_t n, bool *failed)
{
	json_key(json, key);
	json_array(json);
	for (size_t i = 0; i < n; i++)
		put_text(json, words[i], failed);
	json_array_end(json);
}

static int print_record(FILE *out, const struct record *record)
{
	struct json *json = json_open(out, true);
	struct record r = *record; /* for text_of(), which also serves the reader */
	bool failed = false;
	int ret;

	json_object(json);
	json_put_number(json, "version", RECORD_VERSION);
	json_put_string(json, "name", record->name);
	json_put_string(json, "status", status_name[record->status]);
	for (size_t i = 0; i < sizeof(number_fields) / sizeof(number_fields[0]); i++)
		json_put_number(json, number_fields[i].key,
		                *number_of(&r, &number_fields[i]));
	json_put_number(json, "exit_code", record->exit_code);
	json_put_bool(json, "ready", record->ready);
	json_put_bool(json, "remove", record->remove);
	json_put_bool(json, "upper_made", record->upper_made);
	for (size_t i = 0; i < sizeof(text_fields) / sizeof(text_fields[0]); i++) {
		json_key(json, text_fields[i].key);
		put_text(json, *text_of(&r, &text_fields[i]), &failed);
	}
	put_words(json, "args", record->args, record->args_n, &failed);
	put_words(json, "limits", record->limits, record->limits_n, &failed);
	for (size_t i = 0; i < sizeof(later_fields) / sizeof(later_fields[0]); i++) {
		json_key(json, later_fields[i].key);
		put_text(json, *text_of(&r, &later_fields[i]), &failed);
	}
	put_words(json, "ports", record->ports, record->ports_n, &failed);
	put_words(json, "cgroup1", record->cgroup1, record->cgroup1_n, &failed);
	put_words(json, "origins", record->origins, record->origins_n, &failed);
	json_object_end(json);
	ret = json_close(json);
	return ret == 0 && failed ? -ENOMEM : ret;
}

static void free_text(char **text)
{
	free(*text);
}

int state_write(int entry, const struct record *record, struct err *err)
{
	__attribute__((cleanup(free_text))) char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	int r;

	if (!out)
		return err_set(err, errno, "write the state of '%s'", record->name);
	r = print_record(out, record);
	if (fclose(out) != 0 && r == 0)
		r = -errno;
	if (r == 0 && size > RECORD_MAX)
		r = -EFBIG;
	if (r < 0)
		return err_set(err, -r, "write the state of '%s'", record->name);
	r = file_create(entry, "state.json", 0600, text, size, err);
	return r < 0 ? err_wrap(err, "write the state of '%s'", record->name) : 0;
}

static int check_text(const char *key, const char *value, struct err *err)
{
	(void)key;
	(void)value;
	(void)err;
	return 0;
}

static int check_word(const char *key, const char *value, struct err *err)
{
	size_t len = strspn(value, "abcdefghijklmnopqrstuvwxyz");

	if (value[len] != '\0' || len > 16)
		return err_set(err, EINVAL, "key '%s': '%s' is not one word", key, value);
	return 0;
}

/* "" or an absolute path that does not climb. */
static int check_path(const char *key, const char *value, struct err *err)
{
	if (*value == '\0')
		return 0;
	if (*value != '/')
		return err_set(err, EINVAL, "key '%s': '%s' is not absolute", key, value);
	for (const char *p = value; p; p = strchr(p, '/')) {
		p++;
		if (!strncmp(p, "..", 2) && (p[2] == '/' || p[2] == '\0'))
			return err_set(err, EINVAL, "key '%s': '%s' goes up", key, value);
	}
	return 0;
}

static int check_rootfs(const char *key, const char *value, struct err *err)
{
	return strcmp(value, "host") != 0 ? check_path(key, value, err) : 0;
}

static int check_digest(const char *key, const char *value, struct err *err)
{
	if (*value && !image_digest_valid(value))
		return err_set(err, EINVAL, "key '%s': '%s' is no digest", key, value);
	return 0;
}

static int read_status(const struct json_value *root, enum status *ret, struct err *err)
{
	const char *text = NULL;
	int r = json_get_string(root, "status", &text, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < STATUS_MAX; i++) {
		if (strcmp(text, status_name[i]) != 0)
			continue;
		*ret = (enum status)i;
		return 0;
	}
	return err_set(err, EINVAL, "key 'status': '%s' is unknown", text);
}

static int read_texts(const struct json_value *root, struct arena *arena,
                      struct record *ret, struct err *err)
{
	for (size_t i = 0; i < sizeof(text_fields) / sizeof(text_fields[0]); i++) {
		const struct text_field *field = &text_fields[i];
		const char *text = NULL;
		int r = json_get_string(root, field->key, &text, err);

		if (r < 0)
			return r;
		text = record_unescape(text, arena, err);
		if (!text)
			return err_wrap(err, "key '%s'", field->key);
		r = field->check(field->key, text, err);
		if (r < 0)
			return r;
		*text_of(ret, field) = text;
	}
	return 0;
}

static int read_later_texts(const struct json_value *root, struct arena *arena,
                            struct record *ret, struct err *err)
{
	for (size_t i = 0; i < sizeof(later_fields) / sizeof(later_fields[0]); i++) {
		const struct text_field *field = &later_fields[i];
		const char *text = "";
		int r = json_get(root, field->key)
		                ? json_get_string(root, field->key, &text, err)
		                : 0;

		if (r < 0)
			return r;
		text = record_unescape(text, arena, err);
		if (!text)
			return err_wrap(err, "key '%s'", field->key);
		r = field->check(field->key, text, err);
		if (r < 0)
			return r;
		*text_of(ret, field) = text;
	}
	return 0;
}

static int read_words(const struct json_value *root, const char *key, struct arena *arena,
                      const char *const **ret, size_t *ret_n, struct err *err)
{
	const struct json_value *array = NULL;
	int r = json_get_array(root, key, &array, err);
	const char **words;
	size_t n = 0;

	if (r < 0)
		return r;
	words = arena_alloc(arena, (array->n + 1) * sizeof(*words));
	if (!words)
		return err_set(err, ENOMEM, "read %zu words", array->n);
	for (const struct json_value *at = array->first; at; at = at->next) {
		if (at->type != JSON_STRING)
			return err_set(err, EINVAL, "line %u: key '%s' holds %s",
			               at->line, key, json_type_name[at->type]);
		words[n] = record_unescape(at->text, arena, err);
		if (!words[n++])
			return err_wrap(err, "key '%s'", key);
	}
	*ret = words;
	*ret_n = n;
	return 0;
}

static int read_rest(const struct json_value *root, struct record *ret, struct err *err)
{
	int64_t number = 0;
	int r;

	for (size_t i = 0; i < sizeof(number_fields) / sizeof(number_fields[0]); i++) {
		r = json_get_number(root, number_fields[i].key, 0, number_fields[i].max,
		                    number_of(ret, &number_fields[i]), err);
		if (r < 0)
			return r;
	}
	r = json_get_number(root, "exit_code", -1, 255, &number, err);
	if (r < 0)
		return r;
	ret->exit_code = (int)number;
	r = json_get_bool(root, "ready", &ret->ready, err);
	if (r < 0)
		return r;
	r = json_get_bool(root, "remove", &ret->remove, err);
	if (r < 0)
		return r;
	return json_get_bool(root, "upper_made", &ret->upper_made, err);
}

static int read_record(const char *text, size_t size, const char *name,
                       struct arena *arena, struct record *ret, struct err *err)
{
	const struct json_value *root = NULL;
	int64_t version = 0;
	int r;

	r = json_parse(text, size, arena, &root, err);
	if (r < 0)
		return r;
	r = json_get_number(root, "version", 1, INT64_MAX, &version, err);
	if (r < 0)
		return r;
	if (version != RECORD_VERSION)
		return err_set(err, EINVAL, "written by another version of berth");
	r = json_get_string(root, "name", &ret->name, err);
	if (r < 0)
		return r;
	if (strcmp(ret->name, name) != 0)
		return err_set(err, EINVAL, "it is about '%s'", ret->name);
	r = read_status(root, &ret->status, err);
	if (r < 0)
		return r;
	r = read_texts(root, arena, ret, err);
	if (r < 0)
		return r;
	r = read_words(root, "args", arena, &ret->args, &ret->args_n, err);
	if (r < 0)
		return r;
	r = read_words(root, "limits", arena, &ret->limits, &ret->limits_n, err);
	if (r == 0)
		r = read_later_texts(root, arena, ret, err);
	/* Of a berth that did not know them: there are none. */
	if (r == 0 && json_get(root, "ports"))
		r = read_words(root, "ports", arena, &ret->ports, &ret->ports_n, err);
	if (r == 0 && json_get(root, "cgroup1"))
		r = read_words(root, "cgroup1", arena, &ret->cgroup1, &ret->cgroup1_n,
		               err);
	if (r == 0 && json_get(root, "origins"))
		r = read_words(root, "origins", arena, &ret->origins, &ret->origins_n,
		               err);
	for (size_t i = 0; r == 0 && i < ret->cgroup1_n; i++)
		r = check_path("cgroup1", ret->cgroup1[i], err);
	return r < 0 ? r : read_rest(root, ret, err);
}

/* Reads a regular file of ours, of RECORD_MAX bytes at most. */
static int slurp(int entry, struct arena *arena, const char **ret, size_t *ret_size,
                 struct err *err)
{
	/* O_NONBLOCK: a FIFO in its place does not stop us. */
	cleanup_close int fd = openat(entry, "state.json",
	                              O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	size_t len = 0;
	char *text;

	if (fd < 0)
		return err_set(err, errno, "open 'state.json'");
	if (fstat(fd, &st) < 0)
		return err_set(err, errno, "look at 'state.json'");
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022) != 0)
		return err_set(err, EPERM, "'state.json' is not a file of ours alone");
	if ((uint64_t)st.st_size > RECORD_MAX)
		return err_set(err, EFBIG, "'state.json' has %" PRIu64 " bytes",
		               (uint64_t)st.st_size);
	text = arena_alloc(arena, (size_t)st.st_size + 1);
	if (!text)
		return err_set(err, ENOMEM, "read 'state.json'");
	while (len < (size_t)st.st_size) {
		ssize_t n = read(fd, text + len, (size_t)st.st_size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(err, errno, "read 'state.json'");
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*ret = text;
	*ret_size = len;
	return 0;
}

int state_read_dead(int entry, const char *name, struct arena *arena, struct record *ret,
                    struct err *err)
{
	struct record record = { 0 };
	const char *text = NULL;
	size_t size = 0;
	int r;

	r = slurp(entry, arena, &text, &size, err);
	if (r == 0 && read_record(text, size, name, arena, &record, err) == -ENOENT)
		err->code = EINVAL; /* a key is missing, not the file */
	if (err->code > 0)
		return err_wrap(err, "read the state of '%s'", name);
	*ret = record;
	return 0;
}

bool state_is_past(const struct record *record)
{
	return record->status == STATUS_EXITED ||
	       (record->status == STATUS_PULLING && record->started_ms > 0 &&
	        record->exit_code >= 0);
}

void state_mark_dead(struct record *record)
{
	if (record->status == STATUS_EXITED)
		return;
	if (state_is_past(record)) {
		/* A pull for its next life: how the last one ended is still true. */
	} else if (record->status == STATUS_RUNNING) {
		record->exit_code = EXIT_KILLED;
		record->reason = "its supervisor was killed";
	} else {
		record->exit_code = 125;
		record->reason = "its supervisor was killed during the launch";
	}
	record->status = STATUS_EXITED;
	record->ready = false;
}

int state_read(int entry, const char *name, struct arena *arena, struct record *ret,
               struct err *err)
{
	/* Asked before the file is read: an entry that is alive now may have written
	 * its end by then, but never the other way round. */
	bool alive = state_alive(entry);
	int r = state_read_dead(entry, name, arena, ret, err);

	if (r == 0 && !alive)
		state_mark_dead(ret);
	return r;
}
