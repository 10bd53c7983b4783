#include "user.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/number.h"

#define FILE_MAX_BYTES (1024 * 1024)
#define FIELDS_MAX 7

/* A regular file only: the workspace could have put a FIFO there, to hold us up. */
static int read_database(const char *path, struct arena *arena, char **ret,
                         struct err *err)
{
	cleanup_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	size_t len = 0;
	struct stat st;
	char *text;

	if (fd < 0)
		return err_set(err, errno, "open '%s'", path);
	if (fstat(fd, &st) < 0)
		return err_set(err, errno, "look at '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "'%s' is no regular file", path);
	if (st.st_size > FILE_MAX_BYTES)
		return err_set(err, EFBIG, "'%s' has more than %d bytes", path,
		               FILE_MAX_BYTES);
	text = arena_alloc(arena, (size_t)st.st_size + 1);
	if (!text)
		return err_set(err, ENOMEM, "read '%s'", path);
	while (len < (size_t)st.st_size) {
		ssize_t n = read(fd, text + len, (size_t)st.st_size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(err, errno, "read '%s'", path);
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*ret = text;
	return 0;
}

/* Splits a line at its colons; fields that are not there are "". */
static void split(char *line, const char *field[FIELDS_MAX])
{
	for (size_t i = 0; i < FIELDS_MAX; i++) {
		const char *word = line ? strsep(&line, ":") : NULL;

		field[i] = word ? word : "";
	}
}

/* Docker's range: negative ones and (uid_t)-1 never become an ID. */
static bool id_parse(const char *text, uint32_t *ret)
{
	struct err ignored = { 0 };
	uint64_t id;

	if (number_parse(text, 0, INT_MAX, &id, &ignored) < 0)
		return false;
	*ret = (uint32_t)id;
	return true;
}

static bool is_number(const char *text)
{
	return *text && text[strspn(text, "0123456789")] == '\0';
}

/*
 * The first line whose name, or number, is @key; @id and @gid are its numbers.
 * passwd(5): name:x:uid:gid:gecos:home:shell. group(5): name:x:gid:members.
 */
static bool find_line(char *text, const char *key, const char *field[FIELDS_MAX],
                      uint32_t *id)
{
	char *line;

	while ((line = strsep(&text, "\n"))) {
		uint32_t wanted;

		split(line, field);
		if (!field[0][0] || !id_parse(field[2], id))
			continue;
		if (strcmp(field[0], key) == 0 ||
		    (is_number(key) && id_parse(key, &wanted) && wanted == *id))
			return true;
	}
	return false;
}

static int no_entry(const char *what, const char *key, const char *path, struct err *err)
{
	if (is_number(key))
		return err_set(err, ERANGE, "%s %s is above %d", what, key, INT_MAX);
	(void)err_set(err, ENOENT, "no %s '%s' in the workspace's %s", what, key, path);
	return err_hint(err, "name one that %s has, or give a number", path);
}

static int find_user(const char *key, char *passwd, struct user *user, char *name,
                     size_t name_size, struct err *err)
{
	const char *field[FIELDS_MAX];
	uint32_t gid;

	if (passwd && find_line(passwd, key, field, &user->uid)) {
		if (!id_parse(field[3], &gid))
			return err_set(err, EINVAL, "group '%s' of user '%s'", field[3],
			               key);
		user->gid = gid;
		(void)snprintf(name, name_size, "%s", field[0]);
		/* A home that does not fit is none. */
		if (strlen(field[5]) < sizeof(user->home))
			(void)snprintf(user->home, sizeof(user->home), "%s", field[5]);
		if (strlen(field[6]) < sizeof(user->shell))
			(void)snprintf(user->shell, sizeof(user->shell), "%s", field[6]);
		return 0;
	}
	if (!id_parse(key, &user->uid))
		return no_entry("user", key, "/etc/passwd", err);
	user->gid = 0;
	return 0;
}

static int find_group(const char *key, char *group, struct user *user, struct err *err)
{
	const char *field[FIELDS_MAX];

	if (group && find_line(group, key, field, &user->gid))
		return 0;
	return id_parse(key, &user->gid) ? 0 : no_entry("group", key, "/etc/group", err);
}

static bool is_member(const char *members, const char *name)
{
	size_t len = strlen(name);

	while (*members) {
		size_t n = strcspn(members, ",");

		if (n == len && strncmp(members, name, n) == 0)
			return true;
		members += n + (members[n] == ',');
	}
	return false;
}

/* Those groups that list @name as a member; the primary one needs no second place. */
static int find_supplementary(const char *name, char *group, struct user *user,
                              struct err *err)
{
	char *line;

	while (name[0] && (line = strsep(&group, "\n"))) {
		const char *field[FIELDS_MAX];
		uint32_t gid;

		split(line, field);
		if (!field[0][0] || !id_parse(field[2], &gid) || gid == user->gid ||
		    !is_member(field[3], name))
			continue;
		if (user->groups_n == USER_GROUPS_MAX)
			return err_set(err, E2BIG, "user '%s' is in more than %d groups",
			               name, USER_GROUPS_MAX);
		user->groups[user->groups_n++] = gid;
	}
	return 0;
}

/* An image may have no such file; a number needs none. */
static int read_if_there(const char *path, struct arena *arena, char **ret,
                         struct err *err)
{
	int r = read_database(path, arena, ret, err);

	if (r == -ENOENT) {
		err_clear(err);
		return 0;
	}
	return r;
}

static int lookup(const char *spec, struct user *user, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	char key[256], name[256] = "";
	char *passwd = NULL, *group = NULL;
	const char *colon = strchr(spec, ':');
	size_t len = colon ? (size_t)(colon - spec) : strlen(spec);
	int r;

	if (len >= sizeof(key))
		return err_set(err, ENAMETOOLONG, "user '%.40s...'", spec);
	(void)snprintf(key, sizeof(key), "%.*s", (int)len, spec);

	r = read_if_there("/etc/passwd", &arena, &passwd, err);
	if (r == 0)
		r = read_if_there("/etc/group", &arena, &group, err);
	if (r == 0)
		r = find_user(len > 0 ? key : "0", passwd, user, name, sizeof(name), err);
	if (r < 0)
		return r;
	if (colon && colon[1])
		r = find_group(colon + 1, group, user, err);
	else
		r = find_supplementary(name, group, user, err);
	if (r < 0)
		return r;
	if (!user->home[0])
		(void)snprintf(user->home, sizeof(user->home), "%s",
		               user->uid == 0 ? "/root" : "/");
	if (!user->shell[0])
		(void)snprintf(user->shell, sizeof(user->shell), "/bin/sh");
	return 0;
}

int user_lookup(const char *spec, struct user *ret, struct err *err)
{
	struct user user = { 0 };

	if (lookup(spec, &user, err) < 0)
		return err_step(err, "user");
	*ret = user;
	return 0;
}

static int become(const struct user *user, struct err *err)
{
	if (setgroups(user->groups_n, user->groups) < 0 &&
	    (errno != EPERM || user->groups_n > 0)) {
		(void)err_set(err, errno, "set %zu supplementary groups", user->groups_n);
		return err_hint(err,
		                "an ID map of one ID denies groups: get a subordinate "
		                "range in /etc/subuid and /etc/subgid, or give -u "
		                "USER:GROUP");
	}
	if (setresgid(user->gid, user->gid, user->gid) < 0) {
		(void)err_set(err, errno, "become group %u", user->gid);
		return err_hint(err, "the workspace's ID map does not have it");
	}
	if (setresuid(user->uid, user->uid, user->uid) < 0) {
		(void)err_set(err, errno, "become user %u", user->uid);
		return err_hint(err, "the workspace's ID map does not have it");
	}
	return 0;
}

int user_become(const struct user *user, struct err *err)
{
	int r = become(user, err);

	/* commit_creds() made us what fs.suid_dumpable says, and with 1 root inside could
	 * look into us, or into berth's init, whose memory we share: to our own file. */
	(void)prctl(PR_SET_DUMPABLE, 0);
	return r < 0 ? err_step(err, "user") : 0;
}

void user_take_stdio(const struct user *user)
{
	for (int fd = 0; fd <= 2; fd++) {
		struct stat st;

		if (fstat(fd, &st) == 0 && st.st_uid != user->uid &&
		    (S_ISFIFO(st.st_mode) || isatty(fd)))
			(void)!fchown(fd, user->uid, (gid_t)-1);
	}
}
