#include "base/fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/syscall.h"

/* What is to happen to each descriptor from @first to @last. */
static int each_listed(unsigned int first, unsigned int last, bool cloexec,
                       struct err *err)
{
	/* goes when Linux 5.11 (CLOSE_RANGE_CLOEXEC) is the baseline, or no
	 * seccomp profile hides the call any more */
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	if (!dir)
		return err_set(err, errno, "list '/proc/self/fd'");
	while ((entry = readdir(dir))) {
		char *end;
		unsigned long fd = strtoul(entry->d_name, &end, 10);

		if (*end != '\0' || end == entry->d_name || fd < first || fd > last ||
		    fd == (unsigned long)dirfd(dir))
			continue;
		if (cloexec)
			(void)fcntl((int)fd, F_SETFD, FD_CLOEXEC);
		else
			(void)close((int)fd);
	}
	(void)closedir(dir);
	return 0;
}

static int each_in(unsigned int first, unsigned int last, bool cloexec, struct err *err)
{
	if (first > last)
		return 0;
	if (sys_close_range(first, last, cloexec ? SYS_CLOSE_RANGE_CLOEXEC : 0) == 0)
		return 0;
	if (errno != ENOSYS && errno != EINVAL && errno != EPERM)
		return err_set(err, errno, "close descriptors %u to %u", first, last);
	return each_listed(first, last, cloexec, err);
}

static int by_value(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int fd_keep_only(const int *keep, size_t n, struct err *err)
{
	int sorted[FD_KEEP_MAX];
	unsigned int first = 3;

	if (n > FD_KEEP_MAX)
		return err_set(err, E2BIG, "keep %zu descriptors", n);
	if (n > 0)
		memcpy(sorted, keep, n * sizeof(*keep));
	qsort(sorted, n, sizeof(*sorted), by_value);

	for (size_t i = 0; i < n; i++) {
		int r;

		if (sorted[i] < (int)first)
			continue;
		r = each_in(first, (unsigned int)sorted[i] - 1, false, err);
		if (r < 0)
			return r;
		first = (unsigned int)sorted[i] + 1;
	}
	return each_in(first, ~0U, false, err);
}

int fd_cloexec_all(struct err *err)
{
	return each_in(3, ~0U, true, err);
}

int fd_hand_down(int fd, int number, struct err *err)
{
	/* Onto itself dup2() changes nothing. */
	if (fd == number ? fcntl(fd, F_SETFD, 0) < 0 : dup2(fd, number) < 0)
		return err_set(err, errno, "hand descriptor %d down", number);
	return 0;
}

int fd_replace_stdio(int in, int out, int errfd, struct err *err)
{
	const int want[3] = { in, out, errfd };
	int safe[3] = { -EBADF, -EBADF, -EBADF };
	int r = 0;

	/* Above 2 first: one of them may sit where another is to go. */
	for (int i = 0; i < 3 && r == 0; i++) {
		if (want[i] > 2)
			continue;
		safe[i] = fcntl(want[i], F_DUPFD_CLOEXEC, 3);
		if (safe[i] < 0)
			r = err_set(err, errno, "duplicate descriptor %d", want[i]);
	}
	for (int i = 0; i < 3 && r == 0; i++)
		if (dup2(want[i] > 2 ? want[i] : safe[i], i) < 0)
			r = err_set(err, errno, "replace descriptor %d", i);
	for (int i = 0; i < 3; i++)
		close_fdp(&safe[i]);
	return r;
}
