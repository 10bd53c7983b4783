#include "auditlog.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "policies/json.h"

/* One more each ms, while somebody has the file alone. */
#define SHARE_TRIES 3

/* clang-format off */
const char *const auditlog_event_name[EVENT_MAX] = {
	[EVENT_START] = "start",
	[EVENT_FAILED] = "failed",
	[EVENT_EXEC] = "exec",
	[EVENT_PORT] = "port",
	[EVENT_UPDATE] = "update",
	[EVENT_LIMIT] = "limit",
	[EVENT_OOM_KILL] = "oom-kill",
	[EVENT_EGRESS_DENIED] = "egress-denied",
	[EVENT_MORE] = "more",
	[EVENT_HOOK] = "hook",
	[EVENT_HOOK_FAILED] = "hook-failed",
	[EVENT_IDLE_WARN] = "idle-warn",
	[EVENT_IDLE_STOP] = "idle-stop",
	[EVENT_SYSCALL_REFUSED] = "syscall-refused",
	[EVENT_SYSCALLS_UNHEARD] = "syscalls-unheard",
	[EVENT_STOP] = "stop",
	[EVENT_KILL] = "kill",
	[EVENT_EXIT] = "exit",
	[EVENT_LOST] = "lost",
};
/* clang-format on */

bool auditlog_may(struct auditlog_rate *rate, uint64_t now)
{
	const uint64_t due = rate->due > now ? rate->due : now;
	const uint64_t each = AUDITLOG_EACH_MS * (1 + rate->told / AUDITLOG_MANY);

	if (due - now > (AUDITLOG_AT_ONCE - 1) * each)
		return false;
	rate->due = due + each;
	rate->told++;
	return true;
}

static uint64_t max_size(const struct auditlog *log)
{
	return log->config->audit_size != LIMIT_UNSET ? log->config->audit_size
	                                              : AUDITLOG_SIZE;
}

/* Once until a line can be written again. */
static void tell_trouble(struct auditlog *log, const struct err *why)
{
	char text[640];

	if (log->troubled)
		return;
	log->troubled = true;
	(void)snprintf(text, sizeof(text), "%s: %s; lines are lost", why->text,
	               strerror(why->code));
	log->trouble(log->ctx, text);
}

static int open_file(struct auditlog *log, struct err *err)
{
	struct stat st;

	drop_fd(&log->fd);
	log->fd = openat(log->dir, log->base,
	                 O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK |
	                         O_NOCTTY | O_CLOEXEC,
	                 0600);
	if (log->fd < 0 || fstat(log->fd, &st) < 0) {
		(void)err_set(err, errno, "open the audit log '%s'",
		              log->config->audit_log);
	} else if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode)) {
		(void)err_set(err, EPERM, "the audit log '%s' is no file",
		              log->config->audit_log);
	}
	if (err->code)
		drop_fd(&log->fd);
	log->piece = SIZE_MAX;
	log->torn = false;
	return -err->code;
}

/*
 * Our own description of it never waits, while O_NONBLOCK on the one that we were given would
 * surprise everybody who has it, too. What cannot be opened again, a socket or somebody else's
 * pipe, is written in pieces: one for which there is room (pipe(7)).
 */
static void open_stderr(struct auditlog *log)
{
	struct stat st = { 0 };

	log->piece = SIZE_MAX;
	if (fstat(STDERR_FILENO, &st) == 0 &&
	    (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)))
		log->fd = open("/proc/self/fd/2",
		               O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (log->fd >= 0)
		return;
	log->fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	if (!S_ISREG(st.st_mode))
		log->piece = PIPE_BUF;
}

/* What nobody meant, and no time will mend. */
static bool is_mistake(int r)
{
	return r == -EPERM || r == -ELOOP || r == -EISDIR;
}

int auditlog_open(struct auditlog *log, struct err *err)
{
	const char *path = log->config->audit_log;
	const char *slash = path ? strrchr(path, '/') : NULL;
	char dir[PATH_MAX];
	int r;

	log->dir = log->fd = -EBADF;
	log->is_stderr = path && !strcmp(path, "stderr");
	if (!path)
		return 0;
	if (log->is_stderr) {
		open_stderr(log);
		return log->fd >= 0 || !log->config->audit_required
		               ? 0
		               : err_set(err, errno, "write the audit log");
	}
	(void)snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path) + (slash == path),
	               path);
	log->base = slash + 1;
	log->dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (log->dir < 0)
		r = err_set(err, errno, "open the audit log's directory '%s'", dir);
	else
		r = open_file(log, err);
	if (r < 0 && !is_mistake(r) && !log->config->audit_required) {
		tell_trouble(log, err);
		err_clear(err);
		r = 0;
	}
	if (r < 0)
		log->config = NULL; /* not even that it failed goes there */
	return r;
}

/* Another program may have taken the file away, to keep it (logrotate). */
static bool is_gone(const struct auditlog *log)
{
	struct stat here, there;

	return fstat(log->fd, &here) < 0 ||
	       fstatat(log->dir, log->base, &there, AT_SYMLINK_NOFOLLOW) < 0 ||
	       here.st_dev != there.st_dev || here.st_ino != there.st_ino;
}

/* A file that is full becomes FILE.1. */
static int make_room(struct auditlog *log, size_t n, struct err *err)
{
	char old[NAME_MAX + 1];
	struct stat st;

	if (log->is_stderr)
		return 0;
	if (log->fd < 0 || is_gone(log))
		return open_file(log, err);
	if (fstat(log->fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    (uint64_t)st.st_size + n <= max_size(log) || st.st_size == 0)
		return 0;
	(void)snprintf(old, sizeof(old), "%.250s.1", log->base);
	if (renameat(log->dir, log->base, log->dir, old) < 0)
		return err_set(err, errno, "rename the audit log to '%s'", old);
	return open_file(log, err);
}

/* Return: how much was written before it failed, which is all where it did not. */
static size_t write_some(struct auditlog *log, const char *text, size_t n,
                         struct err *err)
{
	size_t done = 0;

	while (done < n) {
		struct pollfd pfd = { .fd = log->fd, .events = POLLOUT };
		const size_t left = n - done;
		ssize_t m;

		/* A reader who does not read is no reason to wait. */
		if (poll(&pfd, 1, 0) < 1 || !(pfd.revents & POLLOUT)) {
			(void)err_set(err, pfd.revents & POLLERR ? EPIPE : EAGAIN,
			              "write the audit log");
			return done;
		}
		m = write(log->fd, text + done, left < log->piece ? left : log->piece);
		if (m < 0 && errno == EINTR)
			continue;
		if (m < 0) {
			(void)err_set(err, errno, "write the audit log");
			return done;
		}
		done += (size_t)m;
	}
	return done;
}

/*
 * Supervisors that write to the same file share it while they do, and who takes something back has
 * it alone. That is a moment; a lock of anybody else is no reason to lose lines, or to wait.
 */
static void share_file(const struct auditlog *log)
{
	const struct timespec moment = { .tv_nsec = 1000000 };

	for (int i = 0; i < SHARE_TRIES; i++) {
		if (flock(log->fd, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK)
			return;
		(void)nanosleep(&moment, NULL);
	}
}

/*
 * Takes half a line back: what is left of it would spoil the next one. A pipe gives nothing
 * back, and in a file another one may have written behind us, or be about to: there it gets an
 * end later.
 */
static void mend(struct auditlog *log, const struct stat *before, size_t done)
{
	struct stat now;

	if (done == 0)
		return;
	log->torn = log->is_stderr || !S_ISREG(before->st_mode) ||
	            flock(log->fd, LOCK_EX | LOCK_NB) < 0 || fstat(log->fd, &now) < 0 ||
	            (uint64_t)now.st_size != (uint64_t)before->st_size + done ||
	            ftruncate(log->fd, before->st_size) < 0;
}

static int write_line(struct auditlog *log, const char *text, size_t n, struct err *err)
{
	struct stat before = { 0 };
	size_t done;

	if (log->torn && write_some(log, "\n", 1, err) < 1)
		return -err->code;
	log->torn = false;
	(void)fstat(log->fd, &before);
	done = write_some(log, text, n, err);
	if (done == n)
		return 0;
	mend(log, &before, done);
	return -err->code;
}

static int write_whole(struct auditlog *log, const char *text, size_t n, struct err *err)
{
	int r;

	/* Others may have standard error's description, and a lock on it, too. */
	if (log->is_stderr)
		return write_line(log, text, n, err);
	share_file(log);
	r = write_line(log, text, n, err);
	(void)flock(log->fd, LOCK_UN);
	return r;
}

static void put_words(struct json *json, const char *text, size_t n)
{
	json_array(json);
	for (size_t at = 0; at < n;) {
		const size_t len = strnlen(text + at, n - at);
		char *word = strndup(text + at, len);

		json_string(json, word);
		free(word);
		at += len + 1;
	}
	json_array_end(json);
}

static void put_field(struct json *json, const struct auditlog_field *field)
{
	json_key(json, field->key);
	switch (field->kind) {
	case AUDITLOG_TEXT:
		json_string(json, field->text);
		return;
	case AUDITLOG_NUMBER:
		json_number(json, field->number);
		return;
	case AUDITLOG_BOOL:
		json_bool(json, field->number != 0);
		return;
	case AUDITLOG_WORDS:
		put_words(json, field->text, (size_t)field->number);
	}
}

/* One line with its end; owned by the caller. */
static int make_line(struct auditlog *log, enum auditlog_event event,
                     const struct auditlog_field *field, size_t n, char **ret,
                     size_t *ret_n, struct err *err)
{
	FILE *out = open_memstream(ret, ret_n);
	struct json *json = out ? json_open(out, false) : NULL;
	struct timespec now = { 0 };
	char when[32], text[48];
	struct tm tm;
	int r;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &tm);
	(void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(text, sizeof(text), "%s.%03ldZ", when, now.tv_nsec / 1000000);
	json_object(json);
	json_put_number(json, "version", 1);
	json_put_unsigned(json, "seq", log->seq + 1);
	json_put_string(json, "time", text);
	json_put_string(json, "workspace", log->config->name);
	json_put_string(json, "event", auditlog_event_name[event]);
	for (size_t i = 0; i < n; i++)
		put_field(json, &field[i]);
	json_object_end(json);
	r = json ? json_close(json) : -ENOMEM;
	if (out)
		(void)fputc('\n', out);
	if (!out || fclose(out) != 0 || r < 0)
		return err_set(err, ENOMEM, "make a line of the audit log");
	return 0;
}

static int put(struct auditlog *log, enum auditlog_event event,
               const struct auditlog_field *field, size_t n, struct err *err)
{
	char *line = NULL;
	size_t size = 0;
	int r = make_line(log, event, field, n, &line, &size, err);

	if (r == 0)
		r = make_room(log, size, err);
	if (r == 0)
		r = write_whole(log, line, size, err);
	free(line);
	log->seq += r == 0;
	return r;
}

int auditlog_put(struct auditlog *log, enum auditlog_event event,
                 const struct auditlog_field *field, size_t n, struct err *err)
{
	struct err why = { 0 };
	int r;

	if (!log->config || !log->config->audit_log)
		return 0;
	if (log->lost > 0) {
		const struct auditlog_field count = { "lines", AUDITLOG_NUMBER, NULL,
			                              (int64_t)log->lost };

		r = put(log, EVENT_LOST, &count, 1, &why);
		if (r == 0)
			log->lost = 0;
	}
	r = log->lost > 0 ? -why.code : put(log, event, field, n, &why);
	if (r == 0) {
		log->troubled = false;
		return 0;
	}
	if (log->config->audit_required) {
		*err = why;
		return err_hint(err, "audit.required: nothing is done that cannot be "
		                     "told");
	}
	log->lost++;
	tell_trouble(log, &why);
	return 0;
}

void auditlog_close(struct auditlog *log)
{
	drop_fd(&log->fd);
	drop_fd(&log->dir);
}
