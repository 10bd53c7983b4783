#include "pack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "seal.h"

/* Far more than any plan of a real pod. */
#define PACK_MAX (16U << 20)
#define TEXTS 5
#define NO_TEXT UINT32_MAX

/* What the bytes begin with. Structures go as they are: only the same berth reads them. */
struct head {
	char version[48];
	uint64_t size; /* of this */
	uint32_t steps, net;
	struct gateway gateway;
	struct relay_config relay;
	struct pasta pasta;
};

/* A step, and the lengths of its texts, which follow without a NUL. */
struct line {
	char kind[24];
	uint32_t actor, optional, given_up, text[TEXTS];
	uint64_t flags, number;
};

static void texts_of(const struct step *step, const char *ret[TEXTS])
{
	const char *const text[TEXTS] = { step->why, step->target, step->source,
		                          step->value, step->via };

	memcpy(ret, text, sizeof(text));
}

static bool given_up(const struct plan *plan, size_t at, uint64_t unenforced)
{
	for (size_t i = 0; i < plan->limit_n; i++) {
		const struct plan_limit *limit = &plan->limit[i];

		if (limit->enforced && (unenforced & UINT64_C(1) << i) &&
		    at <= limit->step && at + limit->steps > limit->step)
			return true;
	}
	return false;
}

static void pack_step(const struct step *step, bool gone, FILE *out)
{
	struct line line = { .actor = step->actor,
		             .optional = step->optional,
		             .given_up = gone,
		             .flags = step->flags,
		             .number = step->number };
	const char *text[TEXTS];

	texts_of(step, text);
	(void)snprintf(line.kind, sizeof(line.kind), "%s", step_name[step->kind]);
	for (size_t i = 0; i < TEXTS; i++)
		line.text[i] = text[i] ? (uint32_t)strlen(text[i]) : NO_TEXT;
	(void)fwrite(&line, sizeof(line), 1, out);
	for (size_t i = 0; i < TEXTS; i++)
		if (text[i])
			(void)fwrite(text[i], 1, line.text[i], out);
}

int plan_pack(const struct plan *plan, const struct gateway *gateway, uint64_t unenforced,
              struct err *err)
{
	struct head head = { .version = PACKAGE_VERSION,
		             .size = sizeof(head),
		             .steps = (uint32_t)plan->n,
		             .net = plan->net,
		             .gateway = *gateway,
		             .relay = plan->relay,
		             .pasta = plan->pasta };
	cleanup_close int fd =
		memfd_create("berth-plan", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
	FILE *out = copy >= 0 ? fdopen(copy, "w") : NULL;

	if (!out) {
		(void)err_set(err, errno, "pack the plan");
		close_fdp(&copy);
		return -err->code;
	}
	(void)fwrite(&head, sizeof(head), 1, out);
	for (size_t i = 0; i < plan->n; i++)
		pack_step(&plan->step[i], given_up(plan, i, unenforced), out);
	if (fclose(out) != 0)
		return err_set(err, errno, "pack the plan");
	if (seal_close(fd, err) < 0)
		return err_wrap(err, "pack the plan");
	return take_fd(&fd);
}

/* What is left to be read. */
struct rest {
	const unsigned char *at;
	size_t n;
};

static bool take(struct rest *rest, void *ret, size_t n)
{
	if (n > rest->n)
		return false;
	memcpy(ret, rest->at, n);
	rest->at += n;
	rest->n -= n;
	return true;
}

static bool take_text(struct rest *rest, uint32_t n, struct arena *arena,
                      const char **ret)
{
	char *text = NULL;

	if (n != NO_TEXT) {
		if (n > rest->n)
			return false;
		text = arena_alloc(arena, (size_t)n + 1);
		if (!text || !take(rest, text, n))
			return false;
	}
	*ret = text;
	return true;
}

static enum step_kind kind_of(const char *name)
{
	int kind = 0;

	while (kind < STEP_MAX && strcmp(step_name[kind], name) != 0)
		kind++;
	return (enum step_kind)kind;
}

static bool unpack_step(struct rest *rest, struct arena *arena, struct packed_step *ret)
{
	struct step *step = &ret->step;
	const char **const text[TEXTS] = { &step->why, &step->target, &step->source,
		                           &step->value, &step->via };
	struct line line;

	if (!take(rest, &line, sizeof(line)) || line.actor >= ACTOR_MAX ||
	    !memchr(line.kind, '\0', sizeof(line.kind)))
		return false;
	*ret = (struct packed_step){ .step = { .kind = kind_of(line.kind),
		                               .actor = (enum actor)line.actor,
		                               .optional = line.optional,
		                               .flags = line.flags,
		                               .number = line.number },
		                     .given_up = line.given_up };
	for (size_t i = 0; i < TEXTS; i++)
		if (!take_text(rest, line.text[i], arena, text[i]))
			return false;
	return step->kind < STEP_MAX && step->why;
}

static int unpack(struct rest rest, struct arena *arena, struct packed_plan *ret,
                  struct err *err)
{
	struct packed_step *step;
	struct head head;

	if (!take(&rest, &head, sizeof(head)) || head.size != sizeof(head) ||
	    strncmp(head.version, PACKAGE_VERSION, sizeof(head.version)) != 0 ||
	    head.net >= NET_MODE_MAX || head.steps > rest.n / sizeof(struct line))
		return err_set(err, EPROTO, "the workspace was started by another berth");
	step = arena_alloc(arena, (head.steps + (size_t)1) * sizeof(*step));
	if (!step)
		return err_set(err, ENOMEM, "read the workspace's plan");
	for (uint32_t i = 0; i < head.steps; i++)
		if (!unpack_step(&rest, arena, &step[i]))
			return err_set(err, arena->failed ? ENOMEM : EPROTO,
			               "read step %u of the workspace's plan", i + 1);
	*ret = (struct packed_plan){ .step = step,
		                     .n = head.steps,
		                     .net = (enum net_mode)head.net,
		                     .gateway = head.gateway,
		                     .relay = head.relay,
		                     .pasta = head.pasta };
	ret->relay.report = -EBADF;
	return 0;
}

int plan_unpack(int fd, struct arena *arena, struct packed_plan *ret, struct err *err)
{
	struct rest rest = { 0 };
	struct stat st;
	void *bytes;
	int r;

	if (fstat(fd, &st) < 0)
		return err_set(err, errno, "read the workspace's plan");
	if (st.st_size <= 0 || (uint64_t)st.st_size > PACK_MAX)
		return err_set(err, EPROTO, "the workspace's plan has %lld bytes",
		               (long long)st.st_size);
	rest.n = (size_t)st.st_size;
	bytes = mmap(NULL, rest.n, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return err_set(err, errno, "read the workspace's plan");
	rest.at = bytes;
	r = unpack(rest, arena, ret, err);
	(void)munmap(bytes, (size_t)st.st_size);
	return r;
}
