#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "bootstrap.h"
#include "claim.h"
#include "hold.h"
#include "launch.h"
#include "options.h"
#include "probe.h"
#include "scope.h"
#include "signals.h"
#include "supervisor.h"

/* Starts us again in a scope of the service manager; returns only on failure. */
static int enter_scope(const struct config *config, bool again, struct arena *arena,
                       struct err *err)
{
	const char *const start[] = { "start", config->name };
	size_t n = 0, words_n = 0;
	const char *const *words = config_words(config, arena, &words_n);
	const char **argv = arena_alloc(arena, (words_n + 2) * sizeof(*argv));

	if (again)
		return scope_enter(config->name, NULL, start, 2, err);
	if (!words || !argv)
		return err_set(err, ENOMEM, "enter a scope");
	for (size_t k = 0; k < words_n; k++) {
		argv[n++] = words[k];
		if (k == 0 && config->detach)
			argv[n++] = "--detach";
	}
	return scope_enter(config->name, config->policy, argv, n, err);
}

/* Two systemds, or two dockerds, on one directory would ruin it for both. */
static int lock_root(const struct config *config, const struct plan *plan, int *ret,
                     struct err *err)
{
	cleanup_close int dir = -EBADF;

	if ((plan->init != INIT_SYSTEMD && plan->service_n == 0) || config->overlay ||
	    config->image || !strcmp(config->rootfs, "host"))
		return 0;
	dir = open(config->rootfs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_set(err, errno, "open '%s'", config->rootfs);
	if (flock(dir, LOCK_EX | LOCK_NB) < 0) {
		(void)err_set(err, errno, "'%s' is the root of another workspace",
		              config->rootfs);
		(void)err_hint(err,
		               "stop that one, or give each an upper layer of its own: "
		               "--rootfs %.200s:O",
		               config->rootfs);
		return err_step(err, "root");
	}
	*ret = take_fd(&dir);
	return 0;
}

/* DIR/NAME for upper layers; what is in it is made by the warden, with its owners. */
static int make_store(const struct config *config, struct arena *arena, const char **ret,
                      bool *ret_made, struct err *err)
{
	if (!config->state)
		return 0;
	*ret = arena_printf(arena, "%s/%s", config->state, config->name);
	if (mkdir(config->state, 0700) == 0 || errno == EEXIST)
		*ret_made = mkdir(*ret, 0700) == 0;
	if (!*ret_made && errno != EEXIST) {
		(void)err_set(err, errno, "make '%s'", *ret);
		(void)err_hint(err,
		               "--state takes a directory on a disk with room for the "
		               "workspace's changes");
		return err_step(err, "state");
	}
	return 0;
}

static const char *joined(struct arena *arena, const char *const *words)
{
	const char *text = "";

	for (; *words; words++)
		text = arena_printf(arena, "%s%s%s", text, *text ? " " : "", *words);
	return text;
}

/* Where the workspace's group lies below the mount that the next command will see. */
static const char *group_path(const struct config *config, const struct plan *plan,
                              const struct facts *facts, struct arena *arena)
{
	if (!plan->cgroup || facts->cgroup.fresh)
		return "";
	return arena_printf(arena, "%s/berth-%s", plan->cgroup[1] ? plan->cgroup : "",
	                    config->name);
}

/* Likewise on cgroup v1: mount points and groups in turn. */
static void put_cgroup1(struct record *record, const struct config *config,
                        const struct plan *plan, const struct facts *facts,
                        struct arena *arena)
{
	const char **path = arena_alloc(arena, 2 * CGROUP1_MAX * sizeof(*path));
	size_t n = 0;

	for (size_t i = 0; path && plan->cgroup1 && i < facts->cgroup1_n; i++) {
		const struct cgroup1_fact *fact = &facts->cgroup1[i];

		if (!plan_cgroup1_uses(plan, fact))
			continue;
		path[n++] = fact->mount;
		path[n++] = arena_printf(arena, "%s/berth-%s",
		                         fact->own[1] ? fact->own : "", config->name);
	}
	record->cgroup1 = path;
	record->cgroup1_n = n;
}

static struct record first_record(const struct config *config, const struct plan *plan,
                                  const struct facts *facts, const char *upper,
                                  struct arena *arena)
{
	struct record record = {
		.name = config->name,
		.status = STATUS_CREATED,
		.supervisor = getpid(),
		.exit_code = -1,
		.reason = "",
		.init_mode = init_mode_name[plan->init],
		.rootfs = config->rootfs,
		.image = config->image,
		.image_digest = config->image_digest,
		.net = net_mode_name[plan->net],
		.hostname = config->hostname,
		.policy = config->policy,
		.upper = upper,
		.remove = config->remove,
		.command = joined(arena, plan->command),
		.cgroup_mount =
			plan->cgroup && !facts->cgroup.fresh ? facts->cgroup.mount : "",
	};

	record.created_ms = clock_ms(CLOCK_REALTIME);
	record.cgroup = group_path(config, plan, facts, arena);
	put_cgroup1(&record, config, plan, facts, arena);
	record.tier = plan->tier;
	record.args = config_words(config, arena, &record.args_n);
	record.origins_n = config_origins(config, arena, &record.origins);
	return record;
}

/* A workspace that has run once is nobody's remains, even if this start is killed. */
static void keep_past(int entry, struct record *record, struct arena *arena)
{
	struct err ignored = { 0 };
	struct record past;

	if (state_read(entry, record->name, arena, &past, &ignored) < 0)
		return;
	record->created_ms = past.created_ms;
	record->started_ms = past.started_ms;
	record->upper_made = past.upper_made;
	/* "berth start" has the words, and no longer what said them. */
	if (record->origins_n == 0) {
		record->origins = past.origins;
		record->origins_n = past.origins_n;
	}
}

/* Whether something is there, or will be, that only its record leads to once we are killed. */
static bool outlives(const struct record *record)
{
	return *record->cgroup || record->cgroup1_n > 0 || *record->upper ||
	       record->started_ms > 0;
}

/* What --rm leaves: nothing. A kept workspace leaves its entry and upper layers. */
static void leave(struct workspace *ws, bool ran)
{
	struct err err = { 0 };

	if (ran && !ws->config->remove)
		return;
	if (ws->left) {
		/* For the next command: to say how it ended, and to remove the rest. */
		if (ws->record.status == STATUS_EXITED &&
		    state_write(ws->entry, &ws->record, &err) < 0)
			log_warn("%s: %s", err.text, strerror(err.code));
		return;
	}
	if (state_remove_outside(&ws->record, true, &err) < 0) {
		log_warn("%s: %s", err.text, strerror(err.code));
		return; /* the record says what is left: for rm */
	}
	if (state_remove(ws->state, ws->config->name, &err) < 0)
		log_warn("%s: %s", err.text, strerror(err.code));
}

/*
 * As a machine's reset button: after reboot(2) the workspace starts again, in the pod as
 * it is by then.
 */
static int restart(struct workspace *ws, struct err *err)
{
	/* The first one's; the others are gone with their turn. */
	const struct image_tree *image = ws->facts->image;
	int r = SUPERVISE_RESTART;

	ws->started = NULL;
	/* A signal that came when nobody read any more is a stop. */
	while (r == SUPERVISE_RESTART && !ws->config->remove && !signals_end_pending()) {
		cleanup_arena struct arena arena = { 0 };
		cleanup_plan struct plan plan = { 0 };
		struct facts facts = { 0 };

		r = probe(ws->config, image, &arena, &facts, err);
		if (r == 0)
			r = plan_build(ws->config, &facts, &plan, err);
		if (r < 0)
			break;
		ws->facts = &facts;
		ws->plan = &plan;
		ws->record.cgroup = group_path(ws->config, &plan, &facts, &arena);
		put_cgroup1(&ws->record, ws->config, &plan, &facts, &arena);
		ws->record.tier = plan.tier;
		r = arena.failed ? err_set(err, ENOMEM, "start again")
		                 : supervise(ws, err);
	}
	return r == SUPERVISE_RESTART ? 0 : r;
}

static int no_record(struct err *err)
{
	(void)err_step(err, "state");
	return hint_for(err);
}

static int see_through(const struct config *config, const struct facts *facts,
                       const struct plan *plan, struct claim *claim,
                       void (*started)(void *), void *ctx, struct arena *arena,
                       struct err *err)
{
	cleanup_close int root = -EBADF;
	cleanup_holds struct holds holds = { 0 };
	struct workspace ws = { .config = config,
		                .facts = facts,
		                .plan = plan,
		                .started = started,
		                .ctx = ctx };
	char path[4096], link[64];
	const char *upper = "";
	bool made = false;
	ssize_t n;
	int r;

	if (claim->entry < 0 && claim_take(claim, config, claim->again, err) < 0)
		return -err->code;
	ws.state = claim->state;
	ws.entry = claim->entry;
	ws.lock = claim->lock;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", claim->state);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	ws.state_path = path;
	ws.arena = arena;

	r = lock_root(config, plan, &root, err);
	if (r == 0)
		r = hold_volumes(config, facts, claim->state, &holds, err);
	if (r == 0)
		r = make_store(config, arena, &upper, &made, err);
	if (r == 0 && *upper)
		r = hold_directory(upper, "the upper layers", claim->state, &holds, err);
	if (r < 0)
		claim_restore(claim);
	if (r == 0) {
		ws.record = first_record(config, plan, facts, upper, arena);
		ws.record.upper_made = made;
		if (claim->again)
			keep_past(claim->entry, &ws.record, arena);
		ws.unwritten = !outlives(&ws.record);
		if (arena->failed)
			r = err_set(err, ENOMEM, "keep the workspace's record");
		else if (!ws.unwritten)
			r = state_write(claim->entry, &ws.record, err);
		if (r < 0)
			(void)no_record(err);
	}
	if (r == 0 && config->script)
		r = bootstrap_keep(claim->entry, config->script, config->script_n, err);
	if (r == 0)
		r = supervise(&ws, err);
	if (r == SUPERVISE_RESTART)
		r = restart(&ws, err);
	leave(&ws, claim->again || ws.record.started_ms > 0);
	supervise_end(&ws);
	if (r < 0) {
		(void)err_step(err, "launch");
		return hint_for(err);
	}
	return r;
}

/* Tells the waiting parent; from then on nobody listens. */
static void tell_started(void *ctx)
{
	const struct err nothing = { 0 };
	int *sock = ctx;

	(void)write_all(*sock, &nothing, sizeof(nothing));
	drop_fd(sock);
}

/* Keeps these of what the caller had open: nobody is to wait for our end of a pipe. */
static void become_daemon(const int *keep, size_t n)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct err ignored = { 0 };

	(void)setsid();
	(void)!chdir("/");
	if (null >= 0)
		(void)fd_replace_stdio(null, null, null, &ignored);
	close_fdp(&null);
	(void)fd_keep_only(keep, n, &ignored);
}

static int run_detached(const struct config *config, const struct facts *facts,
                        const struct plan *plan, struct claim *claim, struct arena *arena,
                        struct err *err)
{
	cleanup_close int reader = -EBADF;
	int pair[2], status;
	struct err told = { 0 };
	ssize_t n;
	pid_t pid;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_set(err, errno, "make a pipe");
	reader = pair[0];
	pid = fork();
	if (pid < 0) {
		(void)close(pair[1]);
		return err_set(err, errno, "start the supervisor");
	}
	if (pid == 0) {
		const int keep[] = { pair[1], claim->state, claim->entry, claim->lock,
			             claim->tree };
		int r;

		drop_fd(&reader);
		become_daemon(keep, sizeof(keep) / sizeof(keep[0]));
		r = see_through(config, facts, plan, claim, tell_started, &pair[1], arena,
		                err);
		if (r < 0 && pair[1] >= 0)
			(void)write_all(pair[1], err, sizeof(*err));
		_exit(r < 0 ? 125 : 0);
	}
	(void)close(pair[1]);
	do
		n = read(reader, &told, sizeof(told));
	while (n < 0 && errno == EINTR);
	if (n != sizeof(told)) {
		(void)waitpid(pid, &status, 0);
		return err_set(err, ECONNRESET, "the supervisor died");
	}
	if (told.code > 0) {
		(void)waitpid(pid, &status, 0);
		*err = told;
		return -err->code;
	}
	(void)printf("%s\n", config->name);
	return 0;
}

/*
 * Makes sure that there is an image. One that may have to be fetched takes minutes: the
 * workspace is known, and alive, from before that on.
 */
static int find_image(struct config *config, struct claim *claim, struct arena *arena,
                      const struct image_tree **ret, struct err *err)
{
	int r = 0;

	if (config->image && !config->image_digest && config->pull != IMAGE_NEVER) {
		r = claim_take(claim, config, claim->again, err);
		if (r == 0)
			r = claim_pulling(claim, config, arena, err);
	}
	if (r == 0)
		r = image_prepare(config, true, arena, ret, err);
	/* From now on it is in use: others may be looking for room. */
	if (r == 0 && config->image) {
		claim->tree = image_hold(config, err);
		r = claim->tree < 0 ? claim->tree : 0;
	}
	if (r == 0 && claim->entry >= 0)
		r = claim_pulled(claim, arena, err);
	return r;
}

/* @facts and @plan are all zero. */
static int run_with(struct config *config, struct claim *claim, struct facts *facts,
                    struct plan *plan, struct arena *arena, struct err *err)
{
	const bool again = claim->again;
	const struct image_tree *image = NULL;
	int r;

	r = find_image(config, claim, arena, &image, err);
	if (r == 0)
		r = config_place_gpus(config, arena, err);
	if (r == 0)
		r = probe(config, image, arena, facts, err);
	if (r == 0)
		r = plan_image(config, facts, arena, err);
	if (r == 0)
		r = plan_build(config, facts, plan, err);
	if (r == 0 && plan->n > 0 && plan->step[0].kind == STEP_SCOPE) {
		claim_drop(claim); /* for berth in the scope */
		return enter_scope(config, again, arena, err);
	}
	if (r == 0 && config->stop_timeout_s == LIMIT_UNSET)
		config->stop_timeout_s = plan->init == INIT_SYSTEMD ? 90
		                         : plan->service_n > 0      ? 30
		                                                    : 10;
	for (size_t i = 0; r == 0 && i < plan->notes_n; i++)
		log_warn("%s", plan->notes[i]);
	/* Not before: whoever starts us in a scope has it still to read. */
	if (r == 0 && config->bootstrap && !strcmp(config->bootstrap, BOOTSTRAP_STDIN) &&
	    !again)
		r = bootstrap_read(arena, &config->script, &config->script_n, err);
	if (r < 0) {
		(void)hint_for(err);
		claim_drop(claim);
		return r;
	}
	return config->detach
	               ? run_detached(config, facts, plan, claim, arena, err)
	               : see_through(config, facts, plan, claim, NULL, NULL, arena, err);
}

/* In the arena, since of their 14 KiB few are touched: on the stack they would all be cleared. */
static int run_claim(struct config *config, struct claim *claim, struct arena *arena,
                     struct err *err)
{
	struct facts *facts = arena_alloc(arena, sizeof(*facts));
	struct plan *plan = arena_alloc(arena, sizeof(*plan));
	int r;

	if (!facts || !plan) {
		claim_drop(claim);
		return err_set(err, ENOMEM, "plan the launch");
	}
	r = run_with(config, claim, facts, plan, arena, err);
	plan_done(plan);
	return r;
}

int run(const struct config *wanted, bool again, struct arena *arena, struct err *err)
{
	cleanup_claim struct claim claim = CLAIM_NONE;
	struct config config = *wanted;

	claim.again = again;
	return run_claim(&config, &claim, arena, err);
}

int cmd_run_saved(const struct record *record, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	char **argv = arena_alloc(&arena, (record->args_n + 1) * sizeof(*argv));
	struct config config;
	int r;

	if (!argv)
		return err_set(err, ENOMEM, "read the record of '%s'", record->name);
	for (size_t i = 0; i < record->args_n; i++)
		argv[i] = (char *)record->args[i];
	r = config_parse((int)record->args_n, argv, &arena, &config, NULL, err);
	if (r != 0)
		return r < 0 ? r
		             : err_set(err, EINVAL, "the record of '%s'", record->name);
	config.detach = true;
	config.policy = *record->policy ? record->policy : NULL; /* a name, to be told */
	/* It goes on with the image that it ran, whatever the name stands for by now. */
	if (config.image && *record->image_digest)
		config.image_digest = record->image_digest;
	return run(&config, true, &arena, err);
}
