#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "exec.h"
#include "pidfd.h"
#include "policies/json.h"
#include "supervisor_internal.h"

/* Programs of the pod at moments of the workspace's life: docs/hooks.md. */

/* Of whose runtime.md the state is. */
#define OCI_VERSION "1.0.2"

static void put_annotations(const struct supervisor *sup, enum hook_kind kind,
                            struct json *json)
{
	const struct record *record = &sup->ws->record;
	char cgroup[2 * PATH_MAX], code[16];

	(void)snprintf(cgroup, sizeof(cgroup), "%s%s", record->cgroup_mount, sup->group);
	(void)snprintf(code, sizeof(code), "%d", record->exit_code);
	json_key(json, "annotations");
	json_object(json);
	json_put_string(json, "berth.hook", hook_kind_name[kind]);
	json_put_string(json, "berth.rootfs", record->rootfs);
	if (record->image && *record->image)
		json_put_string(json, "berth.image", record->image);
	json_put_string(json, "berth.hostname", record->hostname);
	json_put_string(json, "berth.init", record->init_mode);
	json_put_string(json, "berth.net", record->net);
	if (*sup->group)
		json_put_string(json, "berth.cgroup", cgroup);
	if (kind == HOOK_POSTSTOP)
		json_put_string(json, "berth.exit_code", code);
	json_object_end(json);
}

static int put_state(const struct supervisor *sup, enum hook_kind kind, FILE *out)
{
	static const char *const status[HOOK_KINDS] = { "created", "running", "stopped" };
	const struct workspace *ws = sup->ws;
	struct json *json = json_open(out, false);
	struct err ignored = { 0 };
	char bundle[PATH_MAX + STATE_NAME_MAX + 2];
	pid_t pid = kind == HOOK_POSTSTOP
	                    ? 0
	                    : pidfd_pid(AT_FDCWD, sup->launch.init_pidfd, &ignored);

	(void)snprintf(bundle, sizeof(bundle), "%s/%s", ws->state_path, ws->config->name);
	json_object(json);
	json_put_string(json, "ociVersion", OCI_VERSION);
	json_put_string(json, "id", ws->config->name);
	/* It may have ended while the hook was on its way. */
	json_put_string(json, "status",
	                kind == HOOK_POSTSTART && pid <= 0 ? "stopped" : status[kind]);
	if (pid > 0)
		json_put_number(json, "pid", pid);
	json_put_string(json, "bundle", bundle);
	put_annotations(sup, kind, json);
	json_object_end(json);
	return json_close(json);
}

/* In memory: a pipe's room depends on the user's other pipes, and its reader on us. */
static int input(void *ctx, enum hook_kind kind, struct err *err)
{
	cleanup_close int fd = memfd_create("state", MFD_CLOEXEC);
	cleanup_close int copy = fd < 0 ? -EBADF : fcntl(fd, F_DUPFD_CLOEXEC, 3);
	FILE *out = copy < 0 ? NULL : fdopen(copy, "w");
	int r;

	if (!out)
		return err_set(err, errno, "make a file in memory");
	(void)take_fd(&copy);
	r = put_state(ctx, kind, out);
	if (fclose(out) != 0 || r < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return err_set(err, r < 0 ? -r : errno, "write the state");
	return take_fd(&fd);
}

static int begin(void *ctx, const struct hook *hook, struct err *err)
{
	struct err ignored = { 0 };

	/* What clears up is run, told or not: as a stop is obeyed. */
	if (hook->kind != HOOK_POSTSTOP)
		return supervisor_audit_hook(ctx, hook, err);
	(void)supervisor_audit_hook(ctx, hook, &ignored);
	return 0;
}

static void failed(void *ctx, const struct hook *hook, int status, const struct err *why)
{
	supervisor_audit_hook_failed(ctx, hook, status, why);
	/* Whoever has to end because of the others says why. */
	if (hook->kind == HOOK_POSTSTOP)
		supervisor_say(ctx, why->text);
}

static int done(void *ctx, struct err *err)
{
	struct supervisor *sup = ctx;
	struct workspace *ws = sup->ws;

	if (err->code)
		return -err->code;
	if (sup->hooks.kind != HOOK_POSTSTART)
		return LOOP_STOP;
	if (ws->started)
		ws->started(ws->ctx);
	return sup->exited ? LOOP_STOP : LOOP_GO;
}

void supervisor_hooks_init(struct supervisor *sup)
{
	hooks_init(&sup->hooks, sup->ws->config, sup->ws->entry);
	sup->hooks.old_mask = &sup->old_mask;
	sup->hooks.input = input;
	sup->hooks.begin = begin;
	sup->hooks.failed = failed;
	sup->hooks.done = done;
	sup->hooks.ctx = sup;
	sup->launch.hooks = &sup->hooks;
	sup->group = sup->ws->record.cgroup;
}

/* As at any time of the launch. */
static int on_signal(void *ctx, int fd, short revents, struct err *err)
{
	struct signalfd_siginfo info;

	(void)ctx;
	(void)revents;
	if (read(fd, &info, sizeof(info)) != sizeof(info))
		return LOOP_GO;
	if (info.ssi_signo == SIGINT || info.ssi_signo == SIGTERM ||
	    info.ssi_signo == SIGHUP || info.ssi_signo == SIGQUIT)
		return err_set(err, EINTR, "signal %u during the launch", info.ssi_signo);
	return LOOP_GO;
}

int supervisor_hooks_prestart(struct supervisor *sup, struct err *err)
{
	struct loop loop = { .n = 0 };
	int r;

	sup->hooked = true;
	if (!hooks_any(&sup->hooks, HOOK_PRESTART))
		return 0;
	r = loop_add(&loop, sup->signals, POLLIN, on_signal, sup, err);
	if (r == 0)
		r = hooks_start(&sup->hooks, HOOK_PRESTART, &loop, err);
	if (r == LOOP_GO)
		r = loop_run(&loop, err);
	hooks_stop(&sup->hooks);
	return r < 0 ? r : 0;
}

int supervisor_hooks_poststart(struct supervisor *sup, struct err *err)
{
	int r = hooks_start(&sup->hooks, HOOK_POSTSTART, &sup->loop, err);

	return r < 0 ? r : 0;
}

/* What there was to look after is gone, and what would tell of it, but not those who ask. */
static void leave_workspace(struct supervisor *sup)
{
	supervisor_heard_end(sup);
	if (sup->lost)
		supervisor_end_warden(sup);
	bootstrap_close(&sup->bootstrap);
	supervisor_idle_close(sup);
	stdio_drain(&sup->stdio);
	stdio_close(&sup->stdio);
}

int supervisor_hooks_finish(struct supervisor *sup, struct err *err)
{
	struct record *record = &sup->ws->record;

	if (!sup->hooks.busy)
		return 0;
	leave_workspace(sup);
	record->ready = false;
	record->init = 0;
	supervisor_write_record(sup);
	return sup->overdue ? supervisor_end_due(sup, err) : loop_run(&sup->loop, err);
}

void supervisor_hooks_poststop(struct supervisor *sup, int code)
{
	struct err err = { 0 };
	int r;

	if (!sup->hooked || !hooks_any(&sup->hooks, HOOK_POSTSTOP))
		return;
	supervisor_end_warden(sup);
	supervisor_heard_end(sup);
	sup->exited = true;
	sup->resting = code == SUPERVISE_RESTART && !sup->ws->config->remove;
	/* Of what never ran there is no record of an end. */
	sup->ws->record.exit_code = code < 0                    ? EXEC_FAILED
	                            : code == SUPERVISE_RESTART ? 0
	                                                        : code;
	r = hooks_start(&sup->hooks, HOOK_POSTSTOP, &sup->loop, &err);
	if (r == LOOP_GO)
		(void)loop_run(&sup->loop, &err);
	hooks_stop(&sup->hooks);
}
