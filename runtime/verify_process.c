#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/file.h"
#include "ns.h"
#include "policies/caps.h"
#include "verify.h"

const char *verify_status(struct verify *verify, const char *status, const char *field)
{
	const size_t len = strlen(field);

	for (const char *line = status; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, field, len) != 0 || line[len] != ':')
			continue;
		line += len + 1;
		line += strspn(line, " \t");
		return arena_printf(verify->arena, "%.*s", (int)strcspn(line, "\n"),
		                    line);
	}
	return "";
}

static uint64_t inode_of(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 ? st.st_ino : 0;
}

/* Whether the kernel answers @question about @fd with a namespace of that number. */
static bool relates(int fd, unsigned long question, uint64_t to)
{
	cleanup_close int other = fd >= 0 ? ioctl(fd, question) : -1;

	return other >= 0 && to != 0 && inode_of(other) == to;
}

static void nest(struct verify *verify, const struct packed_step *step)
{
	const int user = verify->fd[CONTROL_NS + NS_USER];
	const int pid = verify->fd[CONTROL_NS + NS_PID];
	cleanup_close int outer_pid = pid >= 0 ? ioctl(pid, NS_GET_PARENT) : -1;
	cleanup_close int pod = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);

	verify_same(verify, step, "user", "one level below the pod's",
	            relates(verify->outer, NS_GET_PARENT, inode_of(pod)) && user >= 0
	                    ? "one level below the pod's"
	                    : "elsewhere");
	verify_same(verify, step, "pid", "owned by that level",
	            relates(outer_pid, NS_GET_USERNS, inode_of(verify->outer))
	                    ? "owned by that level"
	                    : "owned by another one");
	verify_add(verify, step, VERIFY_UNSEEN, "mnt", "its own",
	           "the warden hides its memory, and so what is mounted for it");
}

/* What our own processes may do when they serve. */
static void confined(struct verify *verify, const struct packed_step *step,
                     const char *status, const char *caps)
{
	static const char *const zero = "0000000000000000";
	const char *const wanted[][2] = { { "NoNewPrivs", "1" },
		                          { "Seccomp", "2" },
		                          { "CapEff", caps ? caps : zero },
		                          { "CapPrm", caps ? caps : zero },
		                          { "CapInh", zero },
		                          { "CapAmb", zero } };

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		verify_same(verify, step, wanted[i][0], wanted[i][1],
		            verify_status(verify, status, wanted[i][0]));
}

/* Of those in @set: whether init has its own, which is the workspace's. */
static void own_namespaces(struct verify *verify, const struct packed_step *step,
                           unsigned int set)
{
	const uint64_t user = inode_of(verify->fd[CONTROL_NS + NS_USER]);
	const uint64_t outer = inode_of(verify->outer);

	for (unsigned int i = 0; i < NS_MAX; i++) {
		const int fd = verify->fd[CONTROL_NS + i];
		const unsigned long question =
			i == NS_USER ? NS_GET_PARENT : NS_GET_USERNS;
		const char *real = "shared with the pod";

		if (!(set & NS_BIT(i)))
			continue;
		if (fd >= 0)
			real = relates(fd, question, i == NS_USER ? outer : user)
			               ? "its own"
			               : "of another user namespace";
		verify_same(verify, step, ns_info[i].name, "its own", real);
	}
}

static unsigned int planned_namespaces(const struct verify *verify)
{
	unsigned int set = 0;

	for (size_t i = 0; i < verify->plan.n; i++) {
		const struct step *s = &verify->plan.step[i].step;

		if (s->kind == STEP_UNSHARE ||
		    (s->kind == STEP_SPAWN && !strcmp(s->target, actor_name[ACTOR_INIT])))
			set |= (unsigned int)s->flags;
	}
	return set;
}

int verify_spawn(struct verify *verify, const struct packed_step *step, struct err *err)
{
	const unsigned int set = planned_namespaces(verify);

	if (!strcmp(step->step.target, actor_name[ACTOR_WARDEN])) {
		nest(verify, step);
		/* CAP_DAC_OVERRIDE: groups that systemd gave to its users. */
		confined(verify, step, verify->warden_status, "0000000000000002");
		return 0;
	}
	own_namespaces(verify, step, (unsigned int)step->step.flags);
	for (unsigned int i = 0; i < NS_MAX; i++)
		if (!(set & NS_BIT(i)))
			verify_same(verify, step, ns_info[i].name, "shared with the pod",
			            verify->fd[CONTROL_NS + i] >= 0
			                    ? "its own"
			                    : "shared with the pod");
	return step->step.number ? verify_in_group(verify, step, true, err) : 0;
}

int verify_unshare(struct verify *verify, const struct packed_step *step, struct err *err)
{
	(void)err;
	own_namespaces(verify, step, (unsigned int)step->step.flags);
	return 0;
}

/* In @outer's terms what @inner maps, since we read from where that one is written. */
static const char *through(struct arena *arena, const struct idmap *inner,
                           const struct idmap *outer)
{
	struct idmap seen = *inner;

	for (size_t i = 0; i < seen.n; i++)
		for (size_t j = 0; j < outer->n; j++) {
			const struct id_extent *at = &outer->extent[j];
			const uint32_t id = inner->extent[i].outside;

			if (id >= at->inside && id - at->inside < at->count)
				seen.extent[i].outside = at->outside + (id - at->inside);
		}
	return idmap_text(arena, &seen);
}

static const char *one_line(struct arena *arena, const char *text)
{
	char *copy = (char *)arena_dup(arena, text);
	size_t len = strlen(copy);

	while (len > 0 && copy[len - 1] == '\n')
		copy[--len] = '\0';
	for (char *p = copy; *p; p++)
		if (*p == '\n')
			*p = ',';
	return copy;
}

static const struct step *warden_map(const struct verify *verify)
{
	for (size_t i = 0; i < verify->plan.n; i++)
		if (verify->plan.step[i].step.kind == STEP_MAP)
			return &verify->plan.step[i].step;
	return NULL;
}

int verify_map(struct verify *verify, const struct packed_step *step, struct err *err)
{
	const bool warden = !strcmp(step->step.target, actor_name[ACTOR_WARDEN]);
	const struct step *outer = warden_map(verify);
	const struct {
		const char *file, *text, *outer;
	} maps[] = {
		{ "uid_map", step->step.value, outer->value },
		{ "gid_map", step->step.source, outer->source },
	};

	for (size_t i = 0; i < 2; i++) {
		struct idmap wanted, above, real;
		char path[64], text[16384];
		int r;

		(void)snprintf(path, sizeof(path), "/proc/%d/%s",
		               warden ? verify->warden : verify->init, maps[i].file);
		r = file_read(AT_FDCWD, path, text, sizeof(text), err) < 0 ? -err->code
		                                                           : 0;
		if (r == 0)
			r = idmap_parse(text, &real, err);
		if (r == 0)
			r = idmap_parse(maps[i].text, &wanted, err);
		if (r == 0)
			r = idmap_parse(maps[i].outer, &above, err);
		if (r < 0)
			return r;
		verify_same(verify, step,
		            arena_printf(verify->arena, "%s of the %s", maps[i].file,
		                         step->step.target),
		            one_line(verify->arena,
		                     warden ? idmap_text(verify->arena, &wanted)
		                            : through(verify->arena, &wanted, &above)),
		            one_line(verify->arena, idmap_text(verify->arena, &real)));
	}
	return 0;
}

int verify_ucount(struct verify *verify, const struct packed_step *step, struct err *err)
{
	const char *real = NULL;

	(void)err;
	for (size_t i = 0; i < BUDGET_N; i++)
		if (budget_info[i].file &&
		    !strcmp(budget_info[i].file, step->step.target))
			real = verify->budget[i];
	if (real)
		verify_same(verify, step, step->step.target, step->step.value, real);
	else
		verify_absent(verify, step, step->step.target, step->step.value,
		              "not there");
	return 0;
}

int verify_rlimit(struct verify *verify, const struct packed_step *step, struct err *err)
{
	(void)err;
	if (strcmp(step->step.value, "restore") != 0)
		verify_add(verify, step, VERIFY_UNSEEN, step->step.target,
		           step->step.value,
		           "no file of the kernel tells what a user namespace was born "
		           "with");
	return 0;
}

/* "Max open files   1024   4096   files": the second number behind @label. */
static const char *hard_of(struct arena *arena, const char *text, const char *label)
{
	const char *line = strstr(text, label);
	char soft[24], hard[24];

	return line && sscanf(line + strlen(label), " %23s %23s", soft, hard) == 2
	               ? arena_dup(arena, hard)
	               : NULL;
}

/* Whoever is held may lower both, and has the soft one where he likes below the hard one. */
int verify_ulimit(struct verify *verify, const struct packed_step *step, struct err *err)
{
	const char *name = step->step.target, *most = strchr(step->step.value, ':');
	const enum ulimit_kind kind = ulimit_find(name, strlen(name));
	char path[64], text[4096];
	const char *real;
	bool holds;

	(void)snprintf(path, sizeof(path), "/proc/%d/limits", verify->init);
	if (kind == ULIMIT_N || !most)
		return err_set(err, EPROTO, "the limit '%s' of the plan", name);
	most++;
	if (file_read(AT_FDCWD, path, text, sizeof(text), err) < 0)
		return -err->code;
	real = hard_of(verify->arena, text, ulimit_info[kind].label);
	if (!real) {
		verify_absent(verify, step, name, most, "not shown");
		return 0;
	}
	holds = !strcmp(most, "unlimited") ||
	        (strcmp(real, "unlimited") != 0 &&
	         strtoull(real, NULL, 10) <= strtoull(most, NULL, 10));
	verify_add(verify, step, holds ? VERIFY_HOLDS : VERIFY_DIFFERS, name,
	           arena_printf(verify->arena, "%s or less", most), real);
	return 0;
}

/* It may go up, to be killed sooner, and not below what it was born with. */
int verify_oom(struct verify *verify, const struct packed_step *step, struct err *err)
{
	char path[64], text[32];
	const char *real;

	(void)snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", verify->init);
	if (file_read(AT_FDCWD, path, text, sizeof(text), err) < 0)
		return -err->code;
	real = one_line(verify->arena, text);
	verify_add(verify, step,
	           atoi(real) >= atoi(step->step.value) ? VERIFY_HOLDS : VERIFY_DIFFERS,
	           "oom_score_adj",
	           arena_printf(verify->arena, "%s or more", step->step.value), real);
	return 0;
}

int verify_capabilities(struct verify *verify, const struct packed_step *step,
                        struct err *err)
{
	static const char *const sets[] = { "CapBnd", "CapInh", "CapAmb", "CapPrm",
		                            "CapEff" };
	/* berth's own init keeps what it has: nobody inside can use it, and what it executes
	 * gets what the first three leave. */
	const size_t n = strcmp(verify->record->init_mode, "berth") ? 5 : 3;
	uint64_t drop = 0, keep = 0;
	int r = caps_parse(step->step.value, &drop, err);

	if (r == 0 && step->step.source)
		r = caps_parse(step->step.source, &keep, err);
	for (size_t i = 0; r == 0 && i < n; i++) {
		const char *text = verify_status(verify, verify->init_status, sets[i]);
		const uint64_t real = strtoull(text, NULL, 16) & drop & ~keep;

		verify_add(verify, step, *text && !real ? VERIFY_HOLDS : VERIFY_DIFFERS,
		           sets[i],
		           arena_printf(verify->arena, "without %s",
		                        caps_text(drop & ~keep, verify->arena)),
		           !*text ? "not shown"
		           : real ? arena_printf(verify->arena, "with %s",
		                                 caps_text(real, verify->arena))
		                  : arena_printf(verify->arena, "%s", text));
	}
	return r;
}

int verify_seccomp(struct verify *verify, const struct packed_step *step, struct err *err)
{
	/* Filters are inherited, and none can be taken off: seccomp(2). */
	const char *real = verify_status(verify, verify->init_status, "Seccomp_filters");
	const char *outside =
		verify_status(verify, verify->supervisor_status, "Seccomp_filters");
	const char *nnp = verify_status(verify, verify->supervisor_status, "NoNewPrivs");

	(void)err;
	verify_same(verify, step, "Seccomp", "2",
	            verify_status(verify, verify->init_status, "Seccomp"));
	if (*real)
		verify_add(verify, step,
		           atoi(real) > atoi(outside) ? VERIFY_HOLDS : VERIFY_DIFFERS,
		           "Seccomp_filters",
		           arena_printf(verify->arena, "%d or more", atoi(outside) + 1),
		           real);
	else
		verify_add(verify, step, VERIFY_UNSEEN, "Seccomp_filters", "", "");
	if (step->step.source || step->step.via)
		verify_add(verify, step, VERIFY_UNSEEN, "rules of the policy", "", "");
	if (!strcmp(nnp, "1"))
		verify_same(verify, step, "NoNewPrivs", nnp,
		            verify_status(verify, verify->init_status, "NoNewPrivs"));
	return 0;
}

static bool is_relay(const char *name)
{
	return !strcmp(name, "berth-relay");
}

/* It goes by the names of its builds. */
static bool is_pasta(const char *name)
{
	return !is_relay(name);
}

static bool is_metrics(const char *name)
{
	return !strcmp(name, "berth-metrics");
}

/* Another child of @of than init; @ret is its status, NULL where there is none. @is: by name. */
static int find_child(struct verify *verify, pid_t of, bool (*is)(const char *name),
                      const char **ret, struct err *err)
{
	char text[16384];
	const char *parent = arena_printf(verify->arena, "%d", of);
	DIR *proc = opendir("/proc");
	const struct dirent *d;

	*ret = NULL;
	if (!proc)
		return err_set(err, errno, "list '/proc'");
	while (!*ret && (d = readdir(proc))) {
		const int pid = atoi(d->d_name);
		struct err gone = { 0 };
		char path[64];

		if (pid <= 0 || pid == verify->init)
			continue;
		(void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
		if (file_status(AT_FDCWD, path, text, sizeof(text), &gone) < 0)
			continue;
		if (!strcmp(verify_status(verify, text, "PPid"), parent) &&
		    is(verify_status(verify, text, "Name")))
			*ret = arena_dup(verify->arena, text);
	}
	(void)closedir(proc);
	return 0;
}

/* Who carries the network, relay or pasta: @ret is NULL where he is not there, which is told. */
static int find_carrier(struct verify *verify, const struct packed_step *step,
                        bool (*is)(const char *name), const char **ret, struct err *err)
{
	int r = find_child(verify, verify->warden, is, ret, err);

	if (r == 0 && !*ret)
		verify_absent(verify, step, "process", "a child of the warden",
		              "not there");
	return r;
}

int verify_relay(struct verify *verify, const struct packed_step *step, struct err *err)
{
	const char *status;
	int r = find_carrier(verify, step, is_relay, &status, err);

	/* CAP_NET_ADMIN over the gateway, for its verdicts. */
	if (r == 0 && status)
		confined(verify, step, status, "0000000000001000");
	return r;
}

int verify_metrics(struct verify *verify, const struct packed_step *step, struct err *err)
{
	const char *status;
	int r = find_child(verify, verify->supervisor, is_metrics, &status, err);

	if (r < 0)
		return r;
	/* One that ended is started again. */
	if (status)
		confined(verify, step, status, NULL);
	else
		verify_add(verify, step, VERIFY_CHANGED, "process",
		           "a child of the supervisor", "not there");
	return 0;
}

/* It confines itself; how, is its version's affair. */
int verify_pasta(struct verify *verify, const struct packed_step *step, struct err *err)
{
	const char *status;
	int r = find_carrier(verify, step, is_pasta, &status, err);

	if (r < 0 || !status)
		return r;
	verify_same(verify, step, "Seccomp", "2",
	            verify_status(verify, status, "Seccomp"));
	verify_same(verify, step, "NoNewPrivs", "1",
	            verify_status(verify, status, "NoNewPrivs"));
	return 0;
}
