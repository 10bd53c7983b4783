#include "processes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"

/* "123 (any name) S 1 ...": its name may hold anything, a ')' too. */
bool processes_read_stat(const char *text, struct process *ret)
{
	const char *end = strrchr(text, ')');
	uint64_t own[4];
	int parent;

	/* Fields 4 and 14 to 17 of proc_pid_stat(5). */
	if (!end || sscanf(end + 1,
	                   " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64
	                   " %" SCNu64 " %" SCNu64 " %" SCNu64,
	                   &parent, &own[0], &own[1], &own[2], &own[3]) != 5)
		return false;
	ret->parent = parent;
	ret->ticks = own[0] + own[1] + own[2] + own[3];
	return true;
}

static void read_one(int proc, const char *pid, struct process *ret)
{
	struct err gone = { 0 };
	char path[32], text[512];

	*ret = (struct process){ .pid = atoi(pid) };
	(void)snprintf(path, sizeof(path), "%.12s/stat", pid);
	if (file_read(proc, path, text, sizeof(text), &gone) >= 0)
		(void)processes_read_stat(text, ret);
}

static int by_pid(const void *a, const void *b)
{
	const struct process *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

int processes_list(struct processes *list, int64_t until_ns, struct arena *arena,
                   struct err *err)
{
	int again = openat(list->proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *proc = again < 0 ? NULL : fdopendir(again);
	const struct dirent *d;

	if (!proc) {
		(void)err_set(err, errno, "list '/proc'");
		close_fdp(&again);
		return -err->code;
	}
	list->process = arena_alloc(arena, PROCESSES_MAX * sizeof(*list->process));
	list->n = 0;
	while (list->process && (d = readdir(proc))) {
		if (d->d_name[0] < '0' || d->d_name[0] > '9')
			continue;
		if (list->n == PROCESSES_MAX ||
		    clock_ns(CLOCK_THREAD_CPUTIME_ID) > until_ns) {
			list->partial = true;
			break;
		}
		read_one(list->proc, d->d_name, &list->process[list->n++]);
	}
	(void)closedir(proc);
	if (!list->process)
		return err_set(err, ENOMEM, "list processes");
	qsort(list->process, list->n, sizeof(*list->process), by_pid);
	return 0;
}

static struct process *find(struct processes *list, pid_t pid)
{
	const struct process key = { .pid = pid };

	return bsearch(&key, list->process, list->n, sizeof(key), by_pid);
}

static bool has_namespace(const struct processes *list, const struct process *process)
{
	char path[40];
	struct stat st;

	if (!list->pidns)
		return false;
	(void)snprintf(path, sizeof(path), "%d/ns/pid", process->pid);
	return fstatat(list->proc, path, &st, 0) == 0 && st.st_ino == list->pidns;
}

bool processes_inside(struct processes *list, struct process *process)
{
	struct process *at = process, *passed = process;
	size_t steps = 0;
	bool inside;

	while (at && at->where == PROCESS_UNKNOWN && at->pid != list->init &&
	       !has_namespace(list, at) && steps++ < list->n)
		at = find(list, at->parent);
	/* Where the walk stopped short of the end, it stopped at one of the workspace's. */
	inside = at && at->where != PROCESS_OUTSIDE && steps <= list->n;
	/* All on the way: of a chain of thousands each link is looked at once. */
	while (passed && passed != at && passed->where == PROCESS_UNKNOWN) {
		passed->where = inside ? PROCESS_INSIDE : PROCESS_OUTSIDE;
		passed = find(list, passed->parent);
	}
	process->where = inside ? PROCESS_INSIDE : PROCESS_OUTSIDE;
	return inside;
}
