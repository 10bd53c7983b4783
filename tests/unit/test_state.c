#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/tree.h"
#include "state.h"
#include "tests/unit/unit.h"

/* Each test gets a runtime directory of its own. */
static int setup(void **state)
{
	char *dir = strdup("/tmp/berth-test-state-XXXXXX");

	if (!dir || !mkdtemp(dir) || setenv("XDG_RUNTIME_DIR", dir, 1) < 0)
		return -1;
	*state = dir;
	return 0;
}

static int teardown(void **state)
{
	cleanup_close int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char *dir = *state;
	struct err err = { 0 };
	int r = tree_remove(tmp, strrchr(dir, '/') + 1, &err);

	free(dir);
	return r;
}

static int open_state(void)
{
	struct err err = { 0 };
	int fd = state_open(true, &err);

	assert_true(fd >= 0);
	return fd;
}

static struct record a_record(const char *name)
{
	static const char *const args[] = { "--name", "ws", "",
		                            "\xff\xef\xbf\xbd\xc3\xa4\n" };

	return (struct record){
		.name = name,
		.status = STATUS_RUNNING,
		.supervisor = 10,
		.init = 12,
		.created_ms = 1700000000000,
		.started_ms = 1700000000123,
		.exit_code = -1,
		.init_mode = "systemd",
		.rootfs = "/srv/a b\xfe",
		.net = "none",
		.hostname = "ws",
		.policy = "./\xff.json",
		.upper_made = true,
		.args = args,
		.args_n = N_ELEMENTS(args),
		.origins = args,
		.origins_n = 3,
		.command = "/sbin/init",
		.ready = true,
	};
}

static const struct name_case {
	const char *name;
	int r;
} name_cases[] = {
	{ "ws", 0 },
	{ "0", 0 },
	{ "a.b_c-d", 0 },
	{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0 },
	{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", -EINVAL },
	{ "", -EINVAL },
	{ ".", -EINVAL },
	{ "..", -EINVAL },
	{ ".hidden", -EINVAL },
	{ "-x", -EINVAL },
	{ "_x", -EINVAL },
	{ "a/b", -EINVAL },
	{ "a b", -EINVAL },
	{ "a\n", -EINVAL },
	{ "\xc3\xa4", -EINVAL },
};

static void test_names(void **state)
{
	(void)state;

	for (size_t i = 0; i < N_ELEMENTS(name_cases); i++) {
		const struct name_case *c = &name_cases[i];
		struct err err = { 0 };

		print_message("  '%s'\n", c->name);
		assert_int_equal(state_name_check(c->name, &err), c->r);
		assert_int_equal(err.code, -c->r);
	}
}

static void test_status_names(void **state)
{
	(void)state;

	for (size_t i = 0; i < STATUS_MAX; i++)
		assert_non_null(status_name[i]);
}

static void test_open(void **state)
{
	struct err err = { 0 };
	char path[128];
	struct stat st;
	int fd;

	assert_int_equal(state_open(false, &err), -ENOENT);
	err_clear(&err);
	fd = open_state();
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(close(fd), 0);

	(void)snprintf(path, sizeof(path), "%s/berth", (const char *)*state);
	assert_int_equal(chmod(path, 0770), 0);
	assert_int_equal(state_open(true, &err), -EPERM);
	assert_non_null(strstr(err.text, "may be written by others"));
	err_clear(&err);
	assert_int_equal(chmod(path, 0700), 0);

	if (geteuid() == 0) {
		assert_int_equal(chown(path, 1, 1), 0);
		assert_int_equal(state_open(true, &err), -EPERM);
		assert_non_null(strstr(err.text, "belongs to user 1"));
		err_clear(&err);
	}

	assert_int_equal(rmdir(path), 0);
	assert_int_equal(symlink("/tmp", path), 0);
	assert_true(state_open(true, &err) < 0);
	err_clear(&err);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(state_open(true, &err), -ENOTDIR);
}

static void test_two_holders(void **state)
{
	cleanup_close int dir = open_state();
	cleanup_close int lock = -EBADF, entry = -EBADF;
	struct record record = a_record("ws");
	struct err err = { 0 };
	int other = -EBADF;

	(void)state;

	assert_int_equal(state_entry(dir, "ws", &err), -ENOENT);
	assert_non_null(strstr(err.text, "no workspace 'ws'"));
	err_clear(&err);
	entry = state_create(dir, "ws", &lock, &err);
	assert_true(entry >= 0);
	assert_true(state_alive(entry));
	assert_int_equal(state_write(entry, &record, &err), 0);

	assert_int_equal(state_create(dir, "ws", &other, &err), -EEXIST);
	assert_non_null(strstr(err.hint, "is running"));
	err_clear(&err);
	assert_int_equal(state_reopen(dir, "ws", &other, &err), -EBUSY);
	err_clear(&err);
	assert_int_equal(other, -EBADF);

	/* To look at it does not take it. */
	state_tidy(dir);
	assert_true(state_alive(entry));

	drop_fd(&lock);
	assert_false(state_alive(entry));
	assert_int_equal(state_create(dir, "ws", &other, &err), -EEXIST);
	assert_non_null(strstr(err.hint, "berth start ws"));
	err_clear(&err);
	drop_fd(&entry);
	entry = state_reopen(dir, "ws", &lock, &err);
	assert_true(entry >= 0);
	assert_true(state_alive(entry));
	assert_int_equal(state_reopen(dir, "ws", &other, &err), -EBUSY);
	err_clear(&err);
	assert_int_equal(state_remove(dir, "ws", &err), 0);
	assert_int_equal(state_entry(dir, "ws", &err), -ENOENT);
}

/* A child holds the lock, as the supervisor's children do, and is killed. */
static void test_killed_holder(void **state)
{
	cleanup_close int dir = open_state();
	cleanup_close int entry = -EBADF;
	cleanup_arena struct arena arena = { 0 };
	struct record record = a_record("ws");
	struct err err = { 0 };
	const char **names;
	int lock = -EBADF;
	pid_t child;

	(void)state;

	entry = state_create(dir, "ws", &lock, &err);
	assert_true(entry >= 0);
	assert_int_equal(state_write(entry, &record, &err), 0);
	child = fork();
	if (child == 0) {
		(void)pause();
		_exit(0);
	}
	assert_int_equal(close(lock), 0);
	assert_true(state_alive(entry));
	assert_int_equal(state_read(entry, "ws", &arena, &record, &err), 0);
	assert_int_equal(record.status, STATUS_RUNNING);

	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_false(state_alive(entry));
	assert_int_equal(state_read(entry, "ws", &arena, &record, &err), 0);
	assert_int_equal(record.status, STATUS_EXITED);
	assert_int_equal(record.exit_code, 137);
	assert_false(record.ready);
	assert_int_equal(record.finished_ms, 0);

	state_tidy(dir);
	assert_int_equal(state_read(entry, "ws", &arena, &record, &err), 0);
	assert_int_equal(record.exit_code, 137);
	assert_true(record.finished_ms > 1700000000000);
	assert_int_equal(state_each(dir, &arena, &names, &err), 1);
}

static void test_round_trip(void **state)
{
	cleanup_close int dir = open_state();
	cleanup_close int entry = -EBADF, lock = -EBADF;
	cleanup_arena struct arena arena = { 0 };
	struct record want = a_record("ws"), got;
	struct err err = { 0 };

	(void)state;

	entry = state_create(dir, "ws", &lock, &err);
	want.cgroup = "/a/berth-ws";
	want.cgroup_mount = "/sys/fs/cgroup";
	want.upper = "/srv/upper/ws..";
	assert_int_equal(state_write(entry, &want, &err), 0);
	assert_int_equal(state_read(entry, "ws", &arena, &got, &err), 0);
	assert_string_equal(got.name, "ws");
	assert_int_equal(got.status, STATUS_RUNNING);
	assert_int_equal(got.supervisor, 10);
	assert_int_equal(got.init, 12);
	assert_int_equal(got.created_ms, want.created_ms);
	assert_int_equal(got.started_ms, want.started_ms);
	assert_int_equal(got.exit_code, -1);
	assert_true(got.ready);
	assert_true(got.upper_made);
	assert_false(got.remove);
	assert_string_equal(got.reason, "");
	assert_string_equal(got.rootfs, want.rootfs);
	assert_string_equal(got.policy, want.policy);
	assert_string_equal(got.cgroup, want.cgroup);
	assert_string_equal(got.upper, want.upper);
	assert_int_equal(got.args_n, want.args_n);
	for (size_t i = 0; i < got.args_n; i++)
		assert_string_equal(got.args[i], want.args[i]);
	assert_int_equal(got.origins_n, want.origins_n);
	for (size_t i = 0; i < got.origins_n; i++)
		assert_string_equal(got.origins[i], want.origins[i]);

	assert_int_equal(state_read(entry, "other", &arena, &got, &err), -EINVAL);
	assert_non_null(strstr(err.text, "it is about 'ws'"));
}

static void test_too_long(void **state)
{
	cleanup_close int dir = open_state();
	cleanup_close int entry = -EBADF, lock = -EBADF;
	struct record record = a_record("ws");
	char *word = malloc((size_t)5 << 20);
	const char *args[1];
	struct err err = { 0 };

	(void)state;

	assert_non_null(word);
	memset(word, 'x', ((size_t)5 << 20) - 1);
	word[((size_t)5 << 20) - 1] = '\0';
	args[0] = word;
	record.args = args;
	record.args_n = 1;
	entry = state_create(dir, "ws", &lock, &err);
	assert_int_equal(state_write(entry, &record, &err), -EFBIG);
	free(word);
}

/* What a record may be changed to, and what the reader says about it. */
static const struct hostile_case {
	const char *name, *from, *to;
	const char *error;
} hostile_cases[] = {
	{ "unchanged", "", "", NULL },
	{ "garbage", NULL, "hello", "lexical error" },
	{ "empty", NULL, "", "premature EOF" },
	{ "an array", NULL, "[]", "an array, not an object" },
	{ "no version", "\"version\"", "\"vorsion\"", "key 'version' is missing" },
	{ "of the future", "\"version\": 1", "\"version\": 2", "another version" },
	{ "another name", "\"name\": \"ws\"", "\"name\": \"../x\"",
	  "it is about '../x'" },
	{ "status", "\"running\"", "\"flying\"", "key 'status': 'flying' is unknown" },
	{ "status of a wrong type", "\"running\"", "7", "key 'status' is a number" },
	{ "PID below zero", "\"init\": 12", "\"init\": -1",
	  "key 'init': '-1' is not in" },
	{ "PID too large", "\"init\": 12", "\"init\": 99999999999", "is not in" },
	{ "exit code", "\"exit_code\": -1", "\"exit_code\": 256", "is not in -1..255" },
	{ "path that climbs", "\"upper\": \"\"", "\"upper\": \"/srv/../etc\"",
	  "goes up" },
	{ "path that ends so", "\"upper\": \"\"", "\"upper\": \"/srv/..\"", "goes up" },
	{ "relative path", "\"cgroup\": \"\"", "\"cgroup\": \"x\"", "is not absolute" },
	{ "init mode", "\"systemd\"", "\"sys;temd\"", "is not one word" },
	{ "NUL", "\"hostname\": \"ws\"", "\"hostname\": \"w\\u0000\"", "NUL" },
	{ "escape", "\"hostname\": \"ws\"", "\"hostname\": \"\xef\xbf\xbdg0\"",
	  "escape" },
	{ "escaped NUL", "\"hostname\": \"ws\"",
	  "\"hostname\": \"\xef\xbf\xbd"
	  "00\"",
	  "escape" },
	{ "arguments", "\"args\": [", "\"args\": [ 5,", "key 'args' holds a number" },
	{ "deep", "\"args\": [", "\"args\": [ [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
	  "nested too deeply" },
	{ "a key twice", "\"ready\": true", "\"ready\": true, \"ready\": true",
	  "key 'ready' is given twice" },
};

/* The record's text with @c->from replaced. */
static char *changed(const char *text, const struct hostile_case *c)
{
	const char *at = c->from ? strstr(text, c->from) : text;
	char *ret = NULL;

	assert_non_null(at);
	if (!c->from)
		return strdup(c->to);
	assert_true(asprintf(&ret, "%.*s%s%s", (int)(at - text), text, c->to,
	                     at + strlen(c->from)) > 0);
	return ret;
}

static void test_hostile_records(void **state)
{
	cleanup_close int dir = open_state();
	cleanup_close int entry = -EBADF, lock = -EBADF;
	cleanup_arena struct arena arena = { 0 };
	struct record record = a_record("ws");
	struct err err = { 0 };
	const char *text = NULL;

	(void)state;

	entry = state_create(dir, "ws", &lock, &err);
	assert_int_equal(state_write(entry, &record, &err), 0);
	assert_true(file_slurp(entry, "state.json", 65536, &arena, &text, &err) > 0);
	for (size_t i = 0; i < N_ELEMENTS(hostile_cases); i++) {
		const struct hostile_case *c = &hostile_cases[i];
		char *hostile = changed(text, c);

		print_message("  %s\n", c->name);
		err_clear(&err);
		assert_int_equal(file_create(entry, "state.json", 0600, hostile,
		                             strlen(hostile), &err),
		                 0);
		if (c->error) {
			assert_true(state_read(entry, "ws", &arena, &record, &err) < 0);
			assert_non_null(strstr(err.text, "read the state of 'ws'"));
			assert_non_null(strstr(err.text, c->error));
		} else {
			assert_int_equal(state_read(entry, "ws", &arena, &record, &err),
			                 0);
		}
		free(hostile);
	}

	/* Nobody lives there any more, but only rm may throw it away. */
	drop_fd(&lock);
	err_clear(&err);
	state_tidy(dir);
	assert_int_equal(state_create(dir, "ws", &lock, &err), -EINVAL);
	assert_non_null(strstr(err.hint, "berth rm ws"));
	err_clear(&err);
	drop_fd(&entry);
	entry = state_reopen(dir, "ws", &lock, &err);
	assert_true(entry >= 0);
	assert_int_equal(state_remove(dir, "ws", &err), 0);
}

static void test_hostile_files(void **state)
{
	cleanup_close int dir = open_state();
	cleanup_close int entry = -EBADF, lock = -EBADF;
	cleanup_arena struct arena arena = { 0 };
	struct record record = a_record("ws");
	struct err err = { 0 };
	cleanup_close int big = -EBADF;

	(void)state;

	entry = state_create(dir, "ws", &lock, &err);
	assert_int_equal(state_read(entry, "ws", &arena, &record, &err), -ENOENT);
	err_clear(&err);

	assert_int_equal(symlinkat("/etc/passwd", entry, "state.json"), 0);
	assert_int_equal(state_read(entry, "ws", &arena, &record, &err), -ELOOP);
	err_clear(&err);
	/* Written by rename(2), which replaces a link and does not follow it. */
	assert_int_equal(state_write(entry, &record, &err), 0);
	assert_int_equal(state_read(entry, "ws", &arena, &record, &err), 0);

	assert_int_equal(fchmodat(entry, "state.json", 0622, 0), 0);
	assert_int_equal(state_read(entry, "ws", &arena, &record, &err), -EPERM);
	err_clear(&err);

	assert_int_equal(unlinkat(entry, "state.json", 0), 0);
	assert_int_equal(mkfifoat(entry, "state.json", 0600), 0);
	assert_int_equal(state_read(entry, "ws", &arena, &record, &err), -EPERM);
	err_clear(&err);

	assert_int_equal(unlinkat(entry, "state.json", 0), 0);
	big = openat(entry, "state.json", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(big, (off_t)1 << 40), 0);
	assert_int_equal(state_read(entry, "ws", &arena, &record, &err), -EFBIG);
}

static void test_hostile_directory(void **state)
{
	cleanup_close int dir = open_state();
	cleanup_arena struct arena arena = { 0 };
	const char **names = NULL;
	struct err err = { 0 };
	int lock = -EBADF;

	(void)state;

	assert_int_equal(symlinkat("/etc", dir, "link"), 0);
	assert_int_equal(mkdirat(dir, "open", 0700), 0);
	assert_int_equal(fchmodat(dir, "open", 0777, 0), 0);
	assert_int_equal(mkfifoat(dir, "fifo", 0600), 0);
	assert_int_equal(mkdirat(dir, "-dash", 0700), 0);
	assert_int_equal(mkdirat(dir, ".gone-0123", 0700), 0);
	assert_int_equal(mkdirat(dir, ".new-0123", 0700), 0);
	assert_int_equal(mkdirat(dir, ".other", 0700), 0);

	state_tidy(dir);
	assert_int_equal(faccessat(dir, ".gone-0123", F_OK, 0), -1);
	assert_int_equal(faccessat(dir, ".new-0123", F_OK, 0), -1);
	assert_int_equal(faccessat(dir, ".other", F_OK, 0), 0);
	assert_int_equal(access("/etc/passwd", F_OK), 0);

	assert_true(state_entry(dir, "link", &err) < 0);
	err_clear(&err);
	assert_true(state_create(dir, "link", &lock, &err) < 0);
	err_clear(&err);
	assert_int_equal(state_entry(dir, "fifo", &err), -ENOTDIR);
	err_clear(&err);
	assert_int_equal(state_each(dir, &arena, &names, &err), 0);
}

static const struct dead_case {
	const char *name;
	bool write;
	enum status status;
	int64_t started_ms;
	bool remove, kept;
	int exit_code;
} dead_cases[] = {
	{ "killed before its record", false, STATUS_CREATED, 0, false, false, 0 },
	{ "killed in the launch", true, STATUS_CREATED, 0, false, false, 0 },
	{ "killed when started again", true, STATUS_CREATED, 1, false, true, 125 },
	{ "killed", true, STATUS_RUNNING, 1, false, true, 137 },
	{ "killed, --rm", true, STATUS_RUNNING, 1, true, false, 0 },
	{ "killed in its first pull", true, STATUS_PULLING, 0, false, false, 0 },
	{ "killed in a later pull", true, STATUS_PULLING, 1, false, true, 7 },
	{ "ended", true, STATUS_EXITED, 1, false, true, 7 },
	{ "ended, --rm", true, STATUS_EXITED, 1, true, false, 0 },
};

#define PAST_MS 1700000005000

static void make_dead(int dir, const struct dead_case *c)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct record record = a_record("ws");
	cleanup_close int lock = -EBADF;
	cleanup_close int entry = -EBADF;
	cleanup_close int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct err err = { 0 };

	entry = state_create(dir, "ws", &lock, &err);
	assert_true(entry >= 0);
	record.status = c->status;
	record.started_ms = c->started_ms;
	record.remove = c->remove;
	if ((c->status == STATUS_EXITED || c->status == STATUS_PULLING) &&
	    c->started_ms > 0) {
		record.exit_code = c->exit_code;
		record.finished_ms = PAST_MS;
		record.reason = "as it ended";
	}
	if (c->write)
		assert_int_equal(state_write(entry, &record, &err), 0);
	(void)snprintf(address.sun_path, sizeof(address.sun_path),
	               "/proc/self/fd/%d/control", entry);
	assert_int_equal(bind(sock, (struct sockaddr *)&address, sizeof(address)), 0);
}

static void test_dead(void **state)
{
	cleanup_close int dir = open_state();

	(void)state;

	for (size_t i = 0; i < N_ELEMENTS(dead_cases); i++) {
		const struct dead_case *c = &dead_cases[i];
		cleanup_arena struct arena arena = { 0 };
		cleanup_close int entry = -EBADF, lock = -EBADF;
		struct record record;
		struct err err = { 0 };

		print_message("  %s\n", c->name);
		make_dead(dir, c);
		state_tidy(dir);
		entry = state_entry(dir, "ws", &err);
		assert_int_equal(entry >= 0, c->kept);
		if (c->kept) {
			assert_int_equal(faccessat(entry, "control", F_OK, 0), -1);
			assert_int_equal(state_read(entry, "ws", &arena, &record, &err),
			                 0);
			assert_int_equal(record.status, STATUS_EXITED);
			assert_int_equal(record.exit_code, c->exit_code);
			/* Nothing is left of how it ended before, or all of it. */
			assert_int_equal(record.finished_ms == PAST_MS,
			                 c->exit_code == 7);
			assert_int_equal(!strcmp(record.reason, "as it ended"),
			                 c->exit_code == 7);
			drop_fd(&entry);
			entry = state_reopen(dir, "ws", &lock, &err);
			assert_int_equal(state_remove(dir, "ws", &err), 0);
			drop_fd(&lock);
		}

		/* state_create() alone makes room in the same cases. */
		err_clear(&err);
		make_dead(dir, c);
		drop_fd(&entry);
		entry = state_create(dir, "ws", &lock, &err);
		assert_int_equal(entry, c->kept ? -EEXIST : entry);
		if (!c->kept)
			assert_true(entry >= 0);
		drop_fd(&lock);
		drop_fd(&entry);
		err_clear(&err);
		entry = state_reopen(dir, "ws", &lock, &err);
		assert_true(entry >= 0);
		assert_int_equal(state_remove(dir, "ws", &err), 0);
	}
}

static const struct upper_case {
	const char *name;
	int64_t started_ms;
	bool made, remove, kept;
} upper_cases[] = {
	{ "ended, --rm", 1, true, true, false },
	{ "ended, --rm, older than it", 1, false, true, false },
	{ "ended", 1, true, false, true },
	{ "never ran", 0, true, false, false },
	{ "never ran, older than it", 0, false, false, true },
	{ "never ran, older than it, --rm", 0, false, true, true },
};

static void test_upper_layers(void **state)
{
	cleanup_close int dir = open_state();
	char upper[128], file[160];

	(void)snprintf(upper, sizeof(upper), "%s/upper", (const char *)*state);
	(void)snprintf(file, sizeof(file), "%s/file", upper);
	for (size_t i = 0; i < N_ELEMENTS(upper_cases); i++) {
		const struct upper_case *c = &upper_cases[i];
		struct record record = a_record("ws");
		struct err err = { 0 };
		int entry, lock = -EBADF;

		print_message("  %s\n", c->name);
		(void)mkdir(upper, 0700);
		assert_int_equal(mknod(file, S_IFREG | 0600, 0), 0);
		entry = state_create(dir, "ws", &lock, &err);
		assert_true(entry >= 0);
		record.upper = upper;
		record.upper_made = c->made;
		record.remove = c->remove;
		record.started_ms = c->started_ms;
		record.status = c->started_ms ? STATUS_RUNNING : STATUS_CREATED;
		assert_int_equal(state_write(entry, &record, &err), 0);
		assert_int_equal(close(entry), 0);
		assert_int_equal(close(lock), 0);
		state_tidy(dir);
		assert_int_equal(access(file, F_OK), c->kept ? 0 : -1);

		/* As rm does. */
		record.started_ms = 1;
		assert_int_equal(state_remove_outside(&record, true, &err), 0);
		assert_int_equal(access(upper, F_OK), -1);
		assert_int_equal(state_remove_outside(&record, true, &err), 0);
		if (c->started_ms && !c->remove)
			assert_int_equal(state_remove(dir, "ws", &err), 0);
	}
}

static const struct group_case {
	const char *name, *mount, *group;
	int r;
} group_cases[] = {
	{ "no mount of cgroup2", "/tmp", "/berth-x", -EINVAL },
	{ "no such mount", "/nowhere", "/berth-x", -ENOENT },
	{ "a group that is not ours", "/sys/fs/cgroup", "/init.scope", -EINVAL },
	{ "gone by now", "/sys/fs/cgroup", "/berth-gone", 0 },
	{ "gone with its parent", "/sys/fs/cgroup", "/gone/berth-gone", 0 },
	{ "none", "", "", 0 },
};

static void test_recorded_groups_are_not_trusted(void **state)
{
	(void)state;

	for (size_t i = 0; i < N_ELEMENTS(group_cases); i++) {
		const struct group_case *c = &group_cases[i];
		struct record record = a_record("ws");
		struct err err = { 0 };
		int r;

		/* Not every machine has cgroup2 there. */
		if (!strcmp(c->mount, "/sys/fs/cgroup") &&
		    access("/sys/fs/cgroup/cgroup.controllers", F_OK) < 0)
			continue;
		print_message("  %s\n", c->name);
		record.cgroup = c->group;
		record.cgroup_mount = c->mount;
		r = state_remove_outside(&record, false, &err);
		if (c->r == -ENOENT)
			assert_true(r == -ENOENT || r == 0);
		else
			assert_int_equal(r, c->r);
	}
}

static void test_each(void **state)
{
	static const char *const want[] = { "a", "b", "c10", "c9" };
	cleanup_close int dir = open_state();
	cleanup_arena struct arena arena = { 0 };
	const char **names = NULL;
	struct err err = { 0 };

	(void)state;

	for (size_t i = N_ELEMENTS(want); i-- > 0;)
		assert_int_equal(mkdirat(dir, want[i], 0700), 0);
	assert_int_equal(state_each(dir, &arena, &names, &err), N_ELEMENTS(want));
	for (size_t i = 0; i < N_ELEMENTS(want); i++)
		assert_string_equal(names[i], want[i]);
}

/* Eight processes make, tidy and remove the same name: one holder at a time. */
static void contend(int dir, unsigned int rounds)
{
	for (unsigned int i = 0; i < rounds; i++) {
		cleanup_close int lock = -EBADF, entry = -EBADF;
		struct err err = { 0 };

		state_tidy(dir);
		entry = state_create(dir, "ws", &lock, &err);
		if (entry == -EEXIST || entry == -EBUSY)
			continue;
		if (entry < 0)
			_exit(2);
		/* Only the holder makes this file. */
		if (mknodat(entry, "mine", S_IFREG | 0600, 0) < 0)
			_exit(3);
		if (!state_alive(entry))
			_exit(4);
		if (i % 3 == 0)
			continue; /* as if killed: somebody else cleans up */
		if (state_remove(dir, "ws", &err) < 0)
			_exit(5);
	}
	_exit(0);
}

static void test_contention(void **state)
{
	cleanup_close int dir = open_state();
	cleanup_arena struct arena arena = { 0 };
	const char **names = NULL;
	struct err err = { 0 };
	pid_t child[8];

	(void)state;

	for (size_t i = 0; i < N_ELEMENTS(child); i++) {
		child[i] = fork();
		assert_true(child[i] >= 0);
		if (child[i] == 0)
			contend(dir, 100);
	}
	for (size_t i = 0; i < N_ELEMENTS(child); i++) {
		int status = -1;

		assert_int_equal(waitpid(child[i], &status, 0), child[i]);
		assert_int_equal(status, 0);
	}
	state_tidy(dir);
	assert_int_equal(state_each(dir, &arena, &names, &err), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_status_names),
		TEST(test_open),
		TEST(test_two_holders),
		TEST(test_killed_holder),
		TEST(test_round_trip),
		TEST(test_too_long),
		TEST(test_hostile_records),
		TEST(test_hostile_files),
		TEST(test_hostile_directory),
		TEST(test_dead),
		TEST(test_upper_layers),
		TEST(test_recorded_groups_are_not_trusted),
		TEST(test_each),
		TEST(test_contention),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
