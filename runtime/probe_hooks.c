#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "hook.h"
#include "mounts.h"
#include "probe.h"
#include "sight.h"

/* As much of a first line as the kernel reads (BINPRM_BUF_SIZE). */
#define HEAD_MAX 256

/* What executes it, where it is a script: one that may not be read is none. */
static const char *interpreter_of(const char *path, struct arena *arena)
{
	cleanup_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	char head[HEAD_MAX];
	ssize_t n = fd < 0 ? -1 : read(fd, head, sizeof(head));

	return n > 0 ? hook_interpreter(head, (size_t)n, arena) : NULL;
}

/* Return: errno for why it cannot be executed, or 0. */
static int look_at_file(const char *path, struct hook_fact *fact)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno;
	if (S_ISDIR(st.st_mode))
		return EISDIR;
	if (!S_ISREG(st.st_mode))
		return EINVAL;
	fact->mode = st.st_mode & 07777;
	fact->uid = st.st_uid;
	fact->gid = st.st_gid;
	return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 ? errno : 0;
}

/*
 * Whether a directory shows something of a file system: volumes come with all that is mounted in
 * them. By stat(2), too, where the table has another number (btrfs).
 */
static bool shows_device(const struct facts *facts, const char *dir, dev_t dev,
                         struct arena *arena)
{
	const char *number = arena_printf(arena, "%u:%u", major(dev), minor(dev));
	struct mounts_part part;
	struct stat st;

	if (stat(dir, &st) == 0 && st.st_dev == dev)
		return true;
	for (size_t i = 0; i < facts->mount_n; i++)
		if (mounts_part(facts->mount, facts->mount_n, i, dir, arena, &part) &&
		    (!strcmp(facts->mount[i].device, number) ||
		     (stat(part.place, &st) == 0 && st.st_dev == dev)))
			return true;
	return false;
}

/* Another name of it, in what the workspace can write, is as good as this one. */
static const struct shown *other_name(const struct sight *sight, const struct stat *file)
{
	for (size_t i = 0; file->st_nlink > 1 && i < sight->shown_n; i++)
		if (sight->shown[i].writable &&
		    shows_device(sight->facts, sight->shown[i].real, file->st_dev,
		                 sight->arena))
			return &sight->shown[i];
	return NULL;
}

/* By what root inside could have a hand in it. @ret: of it. Return: errno, or 0. */
static int look_at_way(struct sight *sight, const char *path, struct hidden_fact *fact,
                       struct stat *ret)
{
	const struct shown *other;
	struct err why = { 0 };
	struct stat st;

	if (sight_walk(sight, path, SIGHT_FILE, &why) < 0)
		return why.code;
	if (!sight->there || lstat(sight->real, &st) < 0 || !S_ISREG(st.st_mode))
		return ENOENT;
	fact->path = arena_dup(sight->arena, sight->real);
	*ret = st;
	fact->dev = st.st_dev;
	fact->ino = st.st_ino;
	other = other_name(sight, &st);
	if (sight->held) {
		fact->by = sight->held->source;
		fact->problem = sight->linked     ? "has a link on the way to"
		                : sight->by_mount ? "shows, by another mount,"
		                                  : "holds";
	} else if (other) {
		fact->by = other->source;
		fact->problem = "may have another name of";
	}
	return 0;
}

/* Return: likewise. */
static int look_at_interpreter(struct sight *sight, const char *path,
                               struct interpreter_fact *fact)
{
	struct stat st;
	int code;

	fact->way.what = "interpreter";
	code = look_at_way(sight, path, &fact->way, &st);
	if (code)
		return code;
	fact->loose = sight->loose;
	fact->mode = st.st_mode & 07777;
	fact->uid = st.st_uid;
	fact->gid = st.st_gid;
	return 0;
}

/* The kernel reads the first line of an interpreter, too. Return: likewise. */
static int look_at_all(struct sight *sight, const char *path, struct hook_fact *fact)
{
	struct stat st;
	int code = look_at_way(sight, path, &fact->program, &st);

	while (!code) {
		path = interpreter_of(path, sight->arena);
		if (!path)
			return 0;
		if (!*path)
			return ENOEXEC;
		if (fact->interpreter_n == HOOK_INTERPRETERS_MAX)
			return ELOOP;
		code = look_at_interpreter(sight, path,
		                           &fact->interpreter[fact->interpreter_n++]);
	}
	return code;
}

int probe_hooks(const struct config *config, struct arena *arena, struct facts *facts,
                struct err *err)
{
	struct hook_fact *fact = arena_alloc(arena, (config->hook_n + 1) * sizeof(*fact));
	struct sight sight;

	if (!fact)
		return err_set(err, ENOMEM, "look at hooks");
	if (config->hook_n > 0 && sight_open_all(config, facts, arena, &sight, err) < 0)
		return -err->code;
	for (size_t i = 0; i < config->hook_n; i++) {
		const char *path = config->hook[i].argv[0];

		fact[i].program.what = "hook";
		fact[i].error = look_at_file(path, &fact[i]);
		if (fact[i].error == 0)
			fact[i].error = look_at_all(&sight, path, &fact[i]);
	}
	facts->hook = fact;
	return 0;
}
