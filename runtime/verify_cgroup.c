#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "cgroups/knobs.h"
#include "verify.h"

static const char *first_line(struct arena *arena, const char *text)
{
	return arena_printf(arena, "%.*s", (int)strcspn(text, "\n"), text);
}

/* Lines as one, as io.max has one for each device. */
static const char *lines(struct arena *arena, const char *text)
{
	char *copy = (char *)arena_dup(arena, text);
	size_t len = strlen(copy);

	while (len > 0 && copy[len - 1] == '\n')
		copy[--len] = '\0';
	for (char *p = copy; *p; p++)
		if (*p == '\n')
			*p = ';';
	return copy;
}

int verify_cgroup_leaf(struct verify *verify, const struct packed_step *step,
                       struct err *err)
{
	char text[4096];

	if (verify->own < 0 ||
	    file_read(verify->own, "cgroup.procs", text, sizeof(text), err) < 0) {
		err_clear(err);
		verify_absent(verify, step, "cgroup.procs", "no process", "out of sight");
		return 0;
	}
	verify_same(verify, step, "cgroup.procs", "no process",
	            *text ? "processes" : "no process");
	return 0;
}

/* Whether each word of "+cpu +memory" is in "cpu io memory". */
static bool enabled(const char *wanted, const char *real)
{
	for (const char *p = wanted; *p;) {
		size_t len = strcspn(p, " ");
		bool found = false;

		for (const char *at = real; *at; at += strspn(at, " \n")) {
			size_t n = strcspn(at, " \n");

			found |= n == len - 1 && !strncmp(at, p + 1, n);
			at += n;
		}
		if (!found)
			return false;
		p += len + strspn(p + len, " ");
	}
	return true;
}

int verify_cgroup_enable(struct verify *verify, const struct packed_step *step,
                         struct err *err)
{
	const int dir = strcmp(step->step.target, ".") ? verify->limits : verify->own;
	char text[1024];

	if (file_read(dir, "cgroup.subtree_control", text, sizeof(text), err) < 0)
		return -err->code;
	verify_add(verify, step,
	           enabled(step->step.value, text) ? VERIFY_HOLDS : VERIFY_DIFFERS,
	           arena_printf(verify->arena, "%s/cgroup.subtree_control",
	                        step->step.target),
	           step->step.value, first_line(verify->arena, text));
	return 0;
}

int verify_cgroup_make(struct verify *verify, const struct packed_step *step,
                       struct err *err)
{
	struct stat st;

	(void)err;
	if (verify->own >= 0 && fstatat(verify->own, step->step.target, &st, 0) == 0)
		verify_same(verify, step, step->step.target, "there", "there");
	else
		verify_absent(verify, step, step->step.target, "there", "not there");
	return 0;
}

int verify_cgroup_limit(struct verify *verify, const struct packed_step *step,
                        struct err *err)
{
	const enum knob knob = knob_find(step->step.source, strlen(step->step.source));
	/* What is shown to the workspace is its own: root inside owns the file. */
	const bool shown = strstr(step->step.target, "/payload/") != NULL;
	enum verify_state state = VERIFY_HOLDS;
	char text[8192];
	int r = file_read(verify->own, step->step.target, text, sizeof(text), err);

	if (r == -ENOENT) {
		err_clear(err);
		verify_absent(verify, step, step->step.target, step->step.value,
		              "not there");
		return 0;
	}
	if (r < 0)
		return r;
	if (knob == KNOB_N || !knob_holds(knob, step->step.value, text))
		state = shown ? VERIFY_CHANGED : VERIFY_DIFFERS;
	verify_add(verify, step, state, step->step.target, step->step.value,
	           lines(verify->arena, text));
	return 0;
}

int verify_cgroup_own(struct verify *verify, const struct packed_step *step,
                      struct err *err)
{
	struct stat st;

	if (fstat(verify->fd[CONTROL_CGROUP], &st) < 0)
		return err_set(err, errno, "look at '%s'", step->step.target);
	verify_same(verify, step,
	            arena_printf(verify->arena, "owner of %s", step->step.target),
	            arena_printf(verify->arena, "%u", (unsigned int)step->step.number),
	            arena_printf(verify->arena, "%u", st.st_uid));
	return 0;
}

/* By the directory the plan names: its tree is the node's, where nobody inside writes. */
static int open_group(const char *dir, const char *path, struct err *err)
{
	cleanup_close int own = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd;

	if (own < 0)
		return err_set(err, errno, "open '%s'", dir);
	fd = openat(own, path, O_PATH | O_CLOEXEC);
	return fd < 0 ? err_set(err, errno, "open '%s' below '%s'", path, dir) : fd;
}

int verify_cgroup1_make(struct verify *verify, const struct packed_step *step,
                        struct err *err)
{
	cleanup_close int fd = open_group(step->step.source, step->step.target, err);

	err_clear(err);
	if (fd >= 0)
		verify_same(verify, step, step->step.target, "there", "there");
	else
		verify_absent(verify, step, step->step.target, "there", "not there");
	return 0;
}

int verify_cgroup1_limit(struct verify *verify, const struct packed_step *step,
                         struct err *err)
{
	const enum knob knob = knob_find(step->step.source, strlen(step->step.source));
	cleanup_close int own = open(step->step.via, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char text[8192];

	if (own < 0 || file_read(own, step->step.target, text, sizeof(text), err) < 0) {
		err_clear(err);
		verify_absent(verify, step, step->step.target, step->step.value,
		              "not there");
		return 0;
	}
	verify_add(verify, step,
	           knob != KNOB_N && knob_holds(knob, step->step.value, text)
	                   ? VERIFY_HOLDS
	                   : VERIFY_DIFFERS,
	           step->step.target, step->step.value, lines(verify->arena, text));
	return 0;
}

void verify_groups(struct verify *verify, const struct packed_step *step, bool two,
                   char *text)
{
	const char *wanted =
		arena_printf(verify->arena, "/berth-%s/payload", verify->record->name);
	const size_t len = strlen(wanted);
	char *line;

	while ((line = strsep(&text, "\n"))) {
		const bool is_two = !strncmp(line, "0::", 3);
		const char *group = is_two ? line + 2 : strrchr(line, ':');
		const char *at = group ? strstr(group, wanted) : NULL;

		/* Hierarchies of v1 in which there is no limit have no group of ours. */
		if (!group || (is_two ? !two : !at))
			continue;
		verify_add(verify, step,
		           at && (at[len] == '/' || at[len] == '\0') ? VERIFY_HOLDS
		                                                     : VERIFY_DIFFERS,
		           "init's group", arena_printf(verify->arena, "in %s", wanted),
		           arena_dup(verify->arena, group + 1));
	}
}

int verify_in_group(struct verify *verify, const struct packed_step *step, bool two,
                    struct err *err)
{
	char path[64], text[8192];

	(void)snprintf(path, sizeof(path), "/proc/%d/cgroup", verify->init);
	if (file_read(AT_FDCWD, path, text, sizeof(text), err) < 0)
		return -err->code;
	verify_groups(verify, step, two, text);
	return 0;
}

int verify_cgroup_join(struct verify *verify, const struct packed_step *step,
                       struct err *err)
{
	return verify_in_group(verify, step, step->step.target != NULL, err);
}
