#include "watchers.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kcmp.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "processes.h"

/* What one look may cost at most: a workspace can open as much as it likes. */
#define DESCRIPTORS_MAX 262144
#define DESCRIPTORS_EACH 4096
#define BYTES_MAX (64U << 20)
#define INSTANCES_MAX 65536

/* Of our own CPU time; the list of processes may take half of it. */
#define LOOK_NS INT64_C(250000000)

/* clang-format off */
const struct watcher_kind_info watcher_kind[WATCHER_KINDS] = {
	[WATCHER_WATCHES]   = { "watches", "inotify watches", BUDGET_WATCHES },
	[WATCHER_INSTANCES] = { "inotify_instances", "inotify instances", BUDGET_INOTIFY_INSTANCES },
	[WATCHER_MARKS]     = { "fanotify_marks", "fanotify marks", BUDGET_FANOTIFY_MARKS },
	[WATCHER_GROUPS]    = { "fanotify_groups", "fanotify groups", BUDGET_FANOTIFY_GROUPS },
};
/* clang-format on */

struct instance {
	pid_t pid;
	int fd;
	bool fanotify;
};

/* A look under way. */
struct look {
	struct arena arena;
	struct processes processes;
	int level; /* of the workspace's PID namespace, in NSpid */
	struct instance *instance;
	void *tree; /* of instances, by the kernel's file */
	size_t instances, descriptors;
	int64_t begun; /* CPU time */
	uint64_t bytes;
	struct watchers found;
};

/* Whether that much was used up; then not all is seen. */
static bool is_late(struct look *look, int64_t most)
{
	if (clock_ns(CLOCK_THREAD_CPUTIME_ID) - look->begun < most)
		return false;
	look->found.partial = true;
	return true;
}

uint64_t watchers_lines(const char *text, size_t n, bool fanotify)
{
	static const char inotify[] = "inotify wd:";
	const char *end = text + n;
	uint64_t lines = 0;

	while (text < end) {
		const char *eol = memchr(text, '\n', (size_t)(end - text));
		const size_t len = (size_t)((eol ? eol : end) - text);

		/* The line of a group's own flags is no mark. */
		if (fanotify)
			lines += len > 9 && !strncmp(text, "fanotify ", 9) &&
			         memmem(text, len, "mflags:", 7) != NULL;
		else
			lines += len > sizeof(inotify) &&
			         !memcmp(text, inotify, sizeof(inotify) - 1);
		text += len + 1;
	}
	return lines;
}

static bool count_lines(struct look *look, int dir, const char *fd, bool fanotify,
                        uint64_t *ret)
{
	char path[32], text[65536];
	uint64_t lines = 0;
	size_t kept = 0;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "fdinfo/%.12s", fd);
	cleanup_close int info = openat(dir, path, O_RDONLY | O_CLOEXEC);

	if (info < 0)
		return false;
	while ((n = read(info, text + kept, sizeof(text) - kept)) > 0) {
		const char *last = memrchr(text, '\n', kept + (size_t)n);
		const size_t whole = last ? (size_t)(last - text) + 1 : 0;

		look->bytes += (uint64_t)n;
		lines += watchers_lines(text, whole, fanotify);
		kept = kept + (size_t)n - whole;
		memmove(text, text + whole, kept);
		if (kept == sizeof(text) || look->bytes > BYTES_MAX ||
		    is_late(look, LOOK_NS)) {
			look->found.partial = true;
			break;
		}
	}
	*ret = lines;
	return true;
}

/* The kernel's order of its files, so that a look at many of one costs no look at each pair. */
static int by_file(const void *a, const void *b)
{
	const struct instance *x = a, *y = b;

	if (x->fanotify != y->fanotify)
		return x->fanotify ? 1 : -1;
	switch (syscall(SYS_kcmp, x->pid, y->pid, KCMP_FILE, x->fd, y->fd)) {
	case 0:
		return 0;
	case 1:
		return -1;
	case 2:
		return 1;
	default: /* no such call, or one of both is gone: not the same */
		return x < y ? -1 : 1;
	}
}

/* Whether it was seen before, by whatever process and number: fork(2), dup(2). */
static bool known(struct look *look, const struct instance *instance)
{
	struct instance *kept = &look->instance[look->instances];
	struct instance *const *at;

	if (look->instances == INSTANCES_MAX) {
		look->found.partial = true;
		return true;
	}
	*kept = *instance;
	at = tsearch(kept, &look->tree, by_file);
	if (!at)
		look->found.partial = true;
	look->instances += at && *at == kept;
	return !at || *at != kept;
}

static void look_at_descriptor(struct look *look, int dir, pid_t pid, const char *fd,
                               struct watcher *watcher)
{
	struct instance instance = { .pid = pid, .fd = atoi(fd) };
	char path[32], link[32];
	uint64_t lines;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "fd/%.12s", fd);
	n = readlinkat(dir, path, link, sizeof(link) - 1);
	link[n > 0 ? n : 0] = '\0';
	instance.fanotify = !strcmp(link, "anon_inode:[fanotify]");
	if (!instance.fanotify && strcmp(link, "anon_inode:inotify") != 0)
		return;
	if (known(look, &instance) ||
	    !count_lines(look, dir, fd, instance.fanotify, &lines))
		return;
	watcher->use[instance.fanotify ? WATCHER_GROUPS : WATCHER_INSTANCES]++;
	watcher->use[instance.fanotify ? WATCHER_MARKS : WATCHER_WATCHES] += lines;
}

/* Its name is its own choice: only what is plain ASCII stays as it is. */
static void read_name(int dir, char ret[WATCHER_NAME_MAX])
{
	struct err gone = { 0 };
	char text[WATCHER_NAME_MAX] = "";
	size_t at = 0;

	ret[0] = '\0';
	if (file_read(dir, "comm", text, sizeof(text), &gone) < 0)
		return;
	for (const char *p = text; *p && *p != '\n' && at + 5 < WATCHER_NAME_MAX; p++)
		at += (size_t)snprintf(ret + at, WATCHER_NAME_MAX - at,
		                       *p < ' ' || *p > '~' || *p == '\\' ? "\\x%02x"
		                                                          : "%c",
		                       (unsigned char)*p);
}

void watchers_container(const char *text, char ret[13])
{
	size_t digits = 0;

	ret[0] = '\0';
	for (const char *p = text;; p++) {
		if (isdigit((unsigned char)*p) || (*p >= 'a' && *p <= 'f')) {
			digits++;
			continue;
		}
		if (digits == 64)
			(void)snprintf(ret, 13, "%.12s", p - 64);
		digits = 0;
		if (!*p)
			return;
	}
}

/* The number at the workspace's level of "NSpid:	900	12	7	1"; 0 where none. */
static int number_inside(int dir, int level)
{
	struct err gone = { 0 };
	char text[8192];
	const char *at;

	if (file_status(dir, "status", text, sizeof(text), &gone) < 0)
		return 0;
	at = strstr(text, "\nNSpid:");
	if (!at)
		return 0;
	at += 7;
	for (int i = 0; i < level; i++) {
		at += strspn(at, "\t ");
		at += strspn(at, "0123456789");
	}
	return atoi(at);
}

static int level_of(int dir)
{
	struct err gone = { 0 };
	char text[8192], *at;
	int level = 0;

	if (file_status(dir, "status", text, sizeof(text), &gone) < 0)
		return -1;
	at = strstr(text, "\nNSpid:");
	for (at = at ? at + 7 : NULL; at && *at && *at != '\n';) {
		at += strspn(at, "\t ");
		level += *at >= '0' && *at <= '9';
		at += strspn(at, "0123456789");
		if (*at != '\t' && *at != ' ')
			break;
	}
	return level - 1;
}

/* Its place among those that have most; WATCHERS_TOP where it is none of them. */
static size_t place_of(const struct watchers *found, const struct watcher *watcher)
{
	size_t at = found->n;

	while (at > 0 &&
	       found->top[at - 1].use[WATCHER_WATCHES] +
	                       found->top[at - 1].use[WATCHER_MARKS] <
	               watcher->use[WATCHER_WATCHES] + watcher->use[WATCHER_MARKS])
		at--;
	return at;
}

static void keep(struct watchers *found, const struct watcher *watcher, size_t at)
{
	if (found->n < WATCHERS_TOP)
		found->n++;
	memmove(&found->top[at + 1], &found->top[at],
	        (found->n - at - 1) * sizeof(found->top[0]));
	found->top[at] = *watcher;
}

static void look_at_process(struct look *look, int proc, pid_t pid)
{
	struct watcher watcher = { .pid = 0 };
	struct err gone = { 0 };
	char path[16], cgroup[8192];
	const struct dirent *d;
	size_t here = 0, at;
	DIR *fds;

	(void)snprintf(path, sizeof(path), "%d", pid);
	/* What is read below is this process's, or nobody's. */
	cleanup_close int dir = openat(proc, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int list = dir < 0 ? -1 : openat(dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	fds = list < 0 ? NULL : fdopendir(list);
	if (!fds) {
		close_fdp(&list);
		return;
	}
	while ((d = readdir(fds))) {
		if (d->d_name[0] == '.')
			continue;
		if (look->descriptors++ >= DESCRIPTORS_MAX ||
		    here++ >= DESCRIPTORS_EACH || look->bytes > BYTES_MAX ||
		    (here % 16 == 0 && is_late(look, LOOK_NS))) {
			look->found.partial = true;
			break;
		}
		look_at_descriptor(look, dir, pid, d->d_name, &watcher);
	}
	(void)closedir(fds);
	if (!watcher.use[WATCHER_INSTANCES] && !watcher.use[WATCHER_GROUPS])
		return;
	for (int i = 0; i < WATCHER_KINDS; i++)
		look->found.use[i] += watcher.use[i];
	at = place_of(&look->found, &watcher);
	if (at == WATCHERS_TOP)
		return; /* its name is not asked for: that costs as much as the count */
	read_name(dir, watcher.name);
	watcher.pid = number_inside(dir, look->level);
	if (file_read(dir, "cgroup", cgroup, sizeof(cgroup), &gone) >= 0)
		watchers_container(cgroup, watcher.container);
	keep(&look->found, &watcher, at);
}

static int look_at_all(struct look *look, struct err *err)
{
	struct processes *list = &look->processes;
	char path[16];
	int r = processes_list(list, look->begun + LOOK_NS / 2, &look->arena, err);

	if (r < 0)
		return r;
	look->found.partial |= list->partial;
	look->instance =
		arena_alloc(&look->arena, INSTANCES_MAX * sizeof(*look->instance));
	if (!look->instance)
		return err_set(err, ENOMEM, "list who watches files");
	(void)snprintf(path, sizeof(path), "%d", list->init);
	cleanup_close int init =
		openat(list->proc, path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	look->level = init < 0 ? -1 : level_of(init);
	if (look->level < 0)
		return err_set(err, ESRCH, "find the workspace's init");
	for (size_t i = 0; i < list->n && !is_late(look, LOOK_NS); i++)
		if (processes_inside(list, &list->process[i]))
			look_at_process(look, list->proc, list->process[i].pid);
	return 0;
}

/* The arena has what is in the tree. */
static void leave(void *node)
{
	(void)node;
}

int watchers_count(pid_t init, struct watchers *ret, struct err *err)
{
	cleanup_close int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct look look = { .processes = { .proc = proc, .init = init },
		             .begun = clock_ns(CLOCK_THREAD_CPUTIME_ID) };
	int r;

	if (proc < 0)
		return err_set(err, errno, "list '/proc'");
	r = look_at_all(&look, err);
	tdestroy(look.tree, leave);
	arena_done(&look.arena);
	if (r == 0)
		*ret = look.found;
	return r;
}

/* At most three, in the order of this kind. */
void watchers_text(const struct watchers *watchers, enum watcher_kind kind, char *ret,
                   size_t size)
{
	bool said[WATCHERS_TOP] = { false };
	size_t at = 0;

	ret[0] = '\0';
	for (int line = 0; line < 3; line++) {
		const struct watcher *most = NULL;
		int n;

		for (size_t i = 0; i < watchers->n; i++)
			if (!said[i] && watchers->top[i].use[kind] > 0 &&
			    (!most || watchers->top[i].use[kind] > most->use[kind]))
				most = &watchers->top[i];
		if (!most)
			return;
		said[most - watchers->top] = true;
		n = snprintf(ret + at, size - at, "%s%" PRIu64 " in %s[%d]%s%s",
		             line ? ", " : "", most->use[kind], most->name, most->pid,
		             *most->container ? " of container " : "", most->container);
		if (n < 0 || (size_t)n >= size - at)
			return;
		at += (size_t)n;
	}
}
