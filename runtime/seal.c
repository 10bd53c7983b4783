#include "seal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "launch.h"
#include "policies/caps.h"

#define SELF "/proc/self/exe"
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/*
 * A page of ours that the kernel itself looks at just then, as compaction does, counts as one that
 * somebody may still write to; it waits for that, but not when it is woken early, and says EBUSY
 * (mm/memfd.c, memfd_wait_for_pins()).
 */
#define TRIES 20
#define PAUSE_MS 5

/* glibc 2.36 does not know it; <linux/memfd.h>. */
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

static bool is_sealed(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS); /* EINVAL for a file that knows no seals */

	return seals >= 0 && (seals & SEALS) == SEALS;
}

/*
 * Who holds CAP_FOWNER is taken for the owner wherever the owner has an ID in his user namespace
 * (fs/inode.c, inode_owner_or_capable()); one that has none shows as 65534, which may be an ID.
 */
static bool is_foreign(int fd)
{
	return caps_effective(CAP_FOWNER) && fcntl(fd, F_SETFL, O_NOATIME) < 0 &&
	       errno == EPERM;
}

struct seal_fact seal_look(void)
{
	cleanup_close int fd = open(SELF, O_RDONLY | O_CLOEXEC);
	struct seal_fact fact = { 0 };
	struct statvfs fs;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || fstatvfs(fd, &fs) < 0) {
		fact.others = true;
		return fact;
	}
	fact.never = is_sealed(fd) || (fs.f_flag & ST_RDONLY);
	fact.others = (st.st_mode & 022) != 0;
	fact.foreign = is_foreign(fd);
	fact.owner = st.st_uid;
	return fact;
}

/* @owner: its owner may be somebody inside. */
static bool is_exposed(const struct seal_fact *fact, bool owner)
{
	return !fact->never && (fact->others || (owner && !fact->foreign));
}

bool seal_exposed(const struct seal_fact *fact, const struct idmap *uids)
{
	return is_exposed(fact, idmap_covers_outside(uids, fact->owner));
}

bool seal_needed(void)
{
	const struct seal_fact fact = seal_look();

	return is_exposed(&fact, geteuid() == 0 || fact.owner != 0);
}

int seal_new(struct err *err)
{
	int fd = memfd_create("berth", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

	/* goes when Linux 6.3 (MFD_EXEC) is the baseline */
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("berth", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd >= 0)
		return fd;
	(void)err_set(err, errno, "make a file in memory");
	if (err->code == EACCES)
		(void)err_hint(err, "vm.memfd_noexec=2 forbids it: berth needs 0 or 1");
	return -err->code;
}

int seal_close(int fd, struct err *err)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };

	for (int i = 0; fcntl(fd, F_ADD_SEALS, SEALS) < 0; i++) {
		if (errno != EBUSY || i == TRIES)
			return err_set(err, errno, "seal the file in memory");
		(void)nanosleep(&pause, NULL);
	}
	return 0;
}

static int make_copy(int from, struct err *err)
{
	cleanup_close int copy = seal_new(err);
	struct stat st;
	off_t at = 0;

	if (copy < 0)
		return copy;
	if (fstat(from, &st) < 0)
		return err_set(err, errno, "look at '%s'", SELF);
	while (at < st.st_size) {
		ssize_t n = sendfile(copy, from, &at, (size_t)(st.st_size - at));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(err, errno, "copy '%s' into memory", SELF);
		if (n == 0)
			return err_set(err, EIO, "copy '%s' into memory: it is cut short",
			               SELF);
	}
	if (seal_close(copy, err) < 0)
		return -err->code;
	return take_fd(&copy);
}

static int run_sealed(char **argv, struct err *err)
{
	cleanup_close int self = open(SELF, O_RDONLY | O_CLOEXEC);
	cleanup_close int copy = -EBADF;

	if (self < 0)
		return err_set(err, errno, "open '%s'", SELF);
	if (is_sealed(self)) {
		/* The kernel called us by the descriptor's number. */
		(void)prctl(PR_SET_NAME, "berth");
		return 0;
	}
	copy = make_copy(self, err);
	if (copy < 0)
		return copy;
	(void)execveat(copy, "", argv, environ, AT_EMPTY_PATH);
	return err_set(err, errno, "execute the sealed copy in memory");
}

int seal_self(char **argv, struct err *err)
{
	if (run_sealed(argv, err) == 0)
		return 0;
	(void)err_step(err, "seal");
	return hint_for(err);
}
