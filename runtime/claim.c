#include "claim.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/syscall.h"
#include "entries.h"
#include "launch.h"
#include "pidfd.h"
#include "run.h"

static int no_entry(struct err *err)
{
	(void)err_step(err, "state");
	return hint_for(err);
}

int claim_take(struct claim *claim, const struct config *config, bool again,
               struct err *err)
{
	claim->name = config->name;
	claim->again = again;
	claim->state = state_open(true, err);
	if (claim->state < 0)
		return no_entry(err);
	claim->entry =
		again ? state_reopen(claim->state, config->name, &claim->lock, err)
		      : state_create(claim->state, config->name, &claim->lock, err);
	if (claim->entry == -EEXIST && config->entrypoint) {
		/* A container that is started again may find its own past. */
		err_clear(err);
		claim->again = true;
		claim->entry =
			state_reopen(claim->state, config->name, &claim->lock, err);
	}
	return claim->entry < 0 ? no_entry(err) : 0;
}

int claim_pulling(struct claim *claim, const struct config *config, struct arena *arena,
                  struct err *err)
{
	struct record record = { .name = config->name, .exit_code = -1 };
	struct err ignored = { 0 };

	if (claim->again &&
	    state_read(claim->entry, config->name, arena, &claim->past, &ignored) == 0) {
		claim->has_past = true;
		record = claim->past;
		state_mark_dead(&record); /* as our lock hides from state_read() */
	} else {
		record.created_ms = clock_ms(CLOCK_REALTIME);
		record.remove = config->remove;
		record.args = config_words(config, arena, &record.args_n);
		record.hostname = config->hostname;
		record.policy = config->policy;
	}
	record.status = STATUS_PULLING;
	record.supervisor = getpid();
	record.image = config->image;
	if (arena->failed)
		(void)err_set(err, ENOMEM, "keep the workspace's record");
	else if (state_write(claim->entry, &record, err) == 0)
		return 0;
	return no_entry(err);
}

int claim_pulled(struct claim *claim, struct arena *arena, struct err *err)
{
	struct record record;
	int r = state_read(claim->entry, claim->name, arena, &record, err);

	record.status = STATUS_CREATED;
	if (r == 0)
		r = state_write(claim->entry, &record, err);
	return r < 0 ? no_entry(err) : 0;
}

void claim_restore(const struct claim *claim)
{
	struct err err = { 0 };

	if (claim->has_past && state_write(claim->entry, &claim->past, &err) < 0)
		log_warn("%s: %s", err.text, strerror(err.code));
}

void claim_drop(struct claim *claim)
{
	struct err err = { 0 };

	if (claim->again)
		claim_restore(claim);
	else if (claim->entry >= 0 && state_remove(claim->state, claim->name, &err) < 0)
		log_warn("%s: %s", err.text, strerror(err.code));
	claim_close(claim);
}

void claim_close(struct claim *claim)
{
	drop_fd(&claim->tree);
	drop_fd(&claim->entry);
	drop_fd(&claim->lock);
	drop_fd(&claim->state);
}

static void close_dirp(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

/* Whether a process has the entry's lock open: then it is what launches. */
static bool holds_lock(int64_t pid, int entry)
{
	__attribute__((cleanup(close_dirp))) DIR *dir = NULL;
	const struct dirent *at;
	struct stat lock, st;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%" PRId64 "/fd", pid);
	dir = opendir(path);
	if (!dir || fstatat(entry, "lock", &lock, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	while ((at = readdir(dir)))
		if (fstatat(dirfd(dir), at->d_name, &st, 0) == 0 &&
		    st.st_dev == lock.st_dev && st.st_ino == lock.st_ino)
			return true;
	return false;
}

int claim_end_pull(int entry, const char *name, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	cleanup_close int pidfd = -EBADF;
	struct err ignored = { 0 };
	struct record record;

	if (state_read(entry, name, &arena, &record, &ignored) < 0 ||
	    record.status != STATUS_PULLING)
		return 0;
	/* In this order: what holds the lock now is what the descriptor means. */
	pidfd = sys_pidfd_open((pid_t)record.supervisor, 0);
	if (pidfd < 0 || !holds_lock(record.supervisor, entry)) {
		if (!state_alive(entry))
			return 1;
		(void)err_set(err, ESRCH, "find the process that pulls for '%s'", name);
		return err_hint(err, "it has number %" PRId64 " where it was started",
		                record.supervisor);
	}
	if (pidfd_kill(pidfd, SIGTERM, err) < 0)
		return -err->code;
	if (entries_wait_dead(entry, ENTRIES_END_MS))
		return 1;
	/* The pull was over before the signal came: it is a launch like others. */
	if (state_read(entry, name, &arena, &record, &ignored) == 0 &&
	    record.status != STATUS_PULLING)
		return 0;
	return err_set(err, ETIMEDOUT, "the pull for '%s' does not end", name);
}
