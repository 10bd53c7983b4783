#include "supervisor_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/syscall.h"
#include "cgroups/remove.h"
#include "control.h"
#include "exec.h"
#include "join.h"
#include "launch.h"
#include "logfile.h"
#include "loop.h"
#include "netns/rate.h"
#include "pidfd.h"
#include "run.h"
#include "stdio.h"
#include "story.h"
#include "traffic.h"
#include "unshare.h"
#include "watch.h"

void supervisor_write_record(struct supervisor *sup)
{
	struct err err = { 0 };

	if (state_write(sup->ws->entry, &sup->ws->record, &err) < 0)
		log_warn("%s: %s, going on without it", err.text, strerror(err.code));
}

void supervisor_record_events(struct supervisor *sup)
{
	const struct cgroup_events *now = &sup->watch.now;
	struct record *record = &sup->ws->record;

	record->oom_kills = (int64_t)now->oom_kill;
	record->memory_max = (int64_t)now->memory_max;
	record->pids_max = (int64_t)now->pids_max;
	record->cpu_wait_us = (int64_t)now->cpu_us;
	record->memory_wait_us = (int64_t)now->memory_us;
	record->io_wait_us = (int64_t)now->io_us;
}

/* Nobody reads the standard error of a detached supervisor: its log has it, too. */
void supervisor_say(void *ctx, const char *line)
{
	struct supervisor *sup = ctx;

	log_warn("%s", line);
	logfile_say(&sup->log, line);
}

static void on_limit(void *ctx, const char *line)
{
	struct supervisor *sup = ctx;

	supervisor_say(sup, line);
	supervisor_audit_limit(sup, line);
	supervisor_record_events(sup);
	if (!sup->exited)
		supervisor_write_record(sup);
}

static void on_output(void *ctx, const char *data, size_t size)
{
	logfile_write(ctx, data, size);
}

static int on_warden(void *ctx, int fd, short revents, struct err *err)
{
	struct supervisor *sup = ctx;
	int32_t status = 0;

	(void)revents;
	if (sync_expect(fd, SYNC_EXITED, &status, NULL, 0, err) < 0) {
		/* It said why it leaves. */
		if (!strcmp(err->step, "relay")) {
			(void)snprintf(sup->reason, sizeof(sup->reason), "%.100s",
			               err->text);
			log_warn("%s: the workspace ends, since its connections are lost",
			         err->text);
		}
		err_clear(err);
		sup->lost = true;
	}
	sup->status = status;
	sup->exited = true;
	return LOOP_STOP;
}

/*
 * Whether anybody can see, before we end ourselves, that the workspace has ended: then it has to have, to
 * the last process.
 */
static bool end_is_seen(struct supervisor *sup)
{
	const struct config *config = sup->ws->config;
	const struct record *record = &sup->ws->record;

	return !config->remove || config->detach || config->audit_log || *record->upper ||
	       record->cgroup1_n > 0 || sup->launch.limits >= 0 ||
	       plan_has_gateway(sup->launch.plan) || sup->hooks.busy ||
	       hooks_any(&sup->hooks, HOOK_POSTSTOP) || control_is_asked(&sup->control);
}

/* It may have ended already: the warden says so next. */
static pid_t find_init(const struct supervisor *sup)
{
	struct err ignored = { 0 };
	pid_t pid = pidfd_pid(AT_FDCWD, sup->launch.init_pidfd, &ignored);

	return pid > 0 ? pid : 0;
}

/* Our own init has told how; on_command_end() reads it. */
static bool command_ended(const struct supervisor *sup)
{
	struct pollfd told = { .fd = sup->launch.ended[0], .events = POLLIN };

	return told.fd >= 0 && poll(&told, 1, 0) > 0;
}

/*
 * Our own init says so before it ends. Where our own end is all that anybody sees of it, what takes
 * the kernel long, init's end and the warden's, comes beside one another and beside what we tidy up: the
 * warden is waited for at the last. Else it tells as soon as init is gone, and whoever asks us
 * something meanwhile is answered.
 */
static int on_command_end(void *ctx, int fd, short revents, struct err *err)
{
	struct supervisor *sup = ctx;
	int32_t status;
	int r = sync_expect(fd, SYNC_EXITED, &status, NULL, 0, err);

	(void)revents;
	loop_remove(&sup->loop, fd);
	err_clear(err); /* init was killed: the warden tells how */
	if (r < 0 || end_is_seen(sup) || !stdio_ended(&sup->stdio)) {
		if (sup->unrecorded)
			supervisor_write_record(sup);
		sup->unrecorded = false;
		return LOOP_GO;
	}
	supervisor_kill_warden(sup);
	/* Before init has gone its own way: whoever is the last to let go of a mount namespace waits for
	 * a grace period, and the warden's is behind that. */
	supervisor_close_ns(sup);
	sup->status = status;
	sup->exited = sup->over = true;
	return LOOP_STOP;
}

static int serve(struct supervisor *sup, struct err *err)
{
	const struct {
		const int *fd;
		loop_fn fn;
	} sources[] = {
		{ &sup->signals, supervisor_on_signal },
		{ &sup->stop_timer, supervisor_on_stop_timer },
		{ &sup->launch.ended[0], on_command_end },
		{ &sup->launch.sync.warden[0], on_warden },
	};

	if (supervisor_listen_notify(sup, err) < 0)
		return -err->code;
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		if (*sources[i].fd >= 0 && loop_add(&sup->loop, *sources[i].fd, POLLIN,
		                                    sources[i].fn, sup, err) < 0)
			return -err->code;
	}
	supervisor_requests(sup);
	sup->traffic = (struct traffic){ .plan = sup->launch.plan,
		                         .rules = sup->ws->config->egress,
		                         .log = &sup->log,
		                         .denied_one = sup->ws->config->audit_log
		                                               ? supervisor_audit_egress
		                                               : NULL,
		                         .ctx = sup,
		                         .gateway = sup->launch.plan->gateway,
		                         .sock = take_fd(&sup->launch.counters),
		                         .inside = take_fd(&sup->launch.links),
		                         .report = take_fd(&sup->launch.report[0]),
		                         .denials = take_fd(&sup->launch.denials),
		                         .counts = take_fd(&sup->launch.rules) };
	if (traffic_start(&sup->traffic, &sup->loop, err) < 0)
		return -err->code;
	sup->watch = (struct watch){ .limits = sup->launch.limits,
		                     .cgroup1 = sup->launch.cgroup1,
		                     .config = sup->ws->config,
		                     .changed = on_limit,
		                     .ctx = sup };
	if (watch_start(&sup->watch, &sup->loop, err) < 0)
		return -err->code;
	return control_listen(&sup->control, sup->ws->entry, err);
}

/* What became of the limits, for inspect; a step that failed counts as what it is. */
static int record_limits(struct workspace *ws, uint64_t unenforced, struct err *err)
{
	const struct plan *plan = ws->plan;
	const char **line = arena_alloc(ws->arena, (plan->limit_n + 1) * sizeof(*line));

	for (size_t i = 0; line && i < plan->limit_n; i++) {
		const struct plan_limit *l = &plan->limit[i];
		bool failed = unenforced & UINT64_C(1) << i;

		line[i] = arena_printf(ws->arena, "%s %s: %s%s", l->name, l->text,
		                       l->enforced && !failed ? "" : "not enforced: ",
		                       failed ? "it could not be written" : l->how);
	}
	if (ws->arena->failed)
		return err_set(err, ENOMEM, "keep the workspace's record");
	ws->record.limits = line;
	ws->record.limits_n = plan->limit_n;
	return 0;
}

/* Before the command runs, so that who waits for it finds them open. */
static int start_ports(struct supervisor *sup, struct err *err)
{
	struct ports *ports = &sup->ports;
	int r;

	ports->loop = &sup->loop;
	ports->ctx = sup;
	ports->say = supervisor_say;
	ports->changed = supervisor_ports_changed;
	ports->answer = supervisor_port_done;
	ports->used = supervisor_connections;
	ports->counted = sup->ws->config->idle_ports;
	ports->workspace = sup->ws->plan->gateway.workspace;
	ports->allow = sup->ws->config->publish_allow;
	ports->deny = sup->ws->config->publish_deny;
	r = ports_start(ports, sup->launch.routes, err);
	drop_fd(&sup->launch.routes);
	if (r < 0) {
		(void)err_step(err, "publish");
		return hint_for(err);
	}
	supervisor_list_ports(sup);
	return 0;
}

static int start(struct supervisor *sup, struct err *err)
{
	struct workspace *ws = sup->ws;
	struct launch *l = &sup->launch;
	int32_t why = 0;
	int r;

	stdio_close_far(&sup->stdio);
	r = stdio_start(&sup->stdio, err);
	if (r == 0)
		r = serve(sup, err);
	if (r == 0)
		r = start_ports(sup, err);
	if (r == 0 && config_listens(ws->config))
		r = supervisor_patient(sup, l->sync.init[0], err);
	if (r == 0)
		r = supervisor_listen(sup, err);
	if (r == 0)
		r = supervisor_metrics_start(sup, err);
	if (r == 0)
		r = supervisor_hooks_prestart(sup, err);
	if (r == 0)
		r = sync_send(l->sync.init[0], SYNC_GO, 0, NULL, 0, err);
	if (r == 0)
		r = supervisor_patient(sup, l->sync.init[0], err);
	if (r == 0)
		r = sync_expect_end(l->sync.init[0], &why, err);
	if (r > 0)
		r = exec_failed(ws->plan->command[0], why & ~SYNC_THERE,
		                (why & SYNC_THERE) != 0, err);
	if (r < 0)
		return r;

	r = record_limits(ws, l->unenforced, err);
	if (r < 0)
		return r;
	ws->record.status = STATUS_RUNNING;
	ws->record.started_ms = clock_ms(CLOCK_REALTIME);
	ws->record.ready = ws->plan->init != INIT_SYSTEMD && ws->plan->service_n == 0;
	/* Of a command that has ended already it would say so for no time, and who waits for the
	 * end would wait for that. */
	sup->unrecorded = command_ended(sup) && !end_is_seen(sup);
	if (!sup->unrecorded) {
		ws->record.init = find_init(sup);
		r = state_write(ws->entry, &ws->record, err);
	}
	if (r < 0)
		return r;
	sup->watchers = (struct watchers_poll){
		.config = ws->config, .init = ws->record.init, .say = on_limit, .ctx = sup
	};
	r = watchers_poll_start(&sup->watchers, &sup->loop, err);
	if (r == 0)
		r = supervisor_idle_start(sup, err);
	if (r < 0)
		return r;
	story_start(ws->config, ws->plan, &ws->record);
	if (ws->record.ready)
		supervisor_ready(sup);
	return supervisor_hooks_poststart(sup, err);
}

static void close_all(struct supervisor *sup)
{
	struct launch *l = &sup->launch;
	int *const fds[] = { &sup->signals,      &sup->stop_timer,   &sup->notify,
		             &l->sync.warden[0], &l->sync.warden[1], &l->sync.init[0],
		             &l->sync.init[1],   &l->sync.birth[0],  &l->sync.birth[1],
		             &l->warden_pidfd,   &l->init_pidfd,     &l->cgroup,
		             &l->limits,         &l->payload,        &l->routes,
		             &l->relay_group,    &l->report[0],      &l->report[1],
		             &l->counters,       &l->links,          &l->denials,
		             &l->rules,          &l->ended[0],       &l->ended[1] };

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		drop_fd(fds[i]);
	ports_close(&sup->ports);
	sup->ws->record.ports = NULL;
	sup->ws->record.ports_n = 0;
	arena_done(&sup->listed);
}

/*
 * Of a workspace that ended, or with @r as -errno was never started: takes everything down, and
 * tells who asks, in this order. Return: as supervise().
 */
static int wind_up(struct supervisor *sup, int r, struct err *err)
{
	struct workspace *ws = sup->ws;
	int code;
	bool ran;

	hooks_stop(&sup->hooks);
	watch_finish(&sup->watch);
	supervisor_record_events(sup);
	code = r < 0 ? r : supervisor_judge(sup);

	/* After the warden's SYNC_EXITED init is gone with all below it, and it takes its
	 * namespaces down while we clear up. */
	if (r < 0 || sup->lost)
		supervisor_end_warden(sup);
	bootstrap_close(&sup->bootstrap);
	supervisor_idle_close(sup);
	refusals_finish(&sup->refusals);
	refusals_close(&sup->refusals);
	if (r == 0)
		stdio_drain(&sup->stdio);
	stdio_close(&sup->stdio);
	supervisor_remove_group(sup);
	ran = supervisor_finish(sup, code, err);
	supervisor_hooks_poststop(sup, code);
	if (code == SUPERVISE_RESTART)
		code = supervisor_rest(sup);
	if (ran)
		story_end(ws->config, &ws->record, code == SUPERVISE_RESTART);
	traffic_finish(&sup->traffic);
	supervisor_audit_end(sup, code, err);
	/* Who came meanwhile is told when it is true. */
	if (sup->over && control_is_asked(&sup->control))
		supervisor_end_warden(sup);
	control_exited(&sup->control, code == SUPERVISE_RESTART ? 0 : code);
	control_close(&sup->control, ws->entry);
	/* Who asked for its end just now was told of it. */
	if (code == SUPERVISE_RESTART && sup->stopping)
		code = 0;
	metrics_server_close(&sup->metrics);
	traffic_close(&sup->traffic);
	hooks_close(&sup->hooks);
	ear_close(&sup->ear);
	drop_fd(&sup->notify_rest);
	logfile_close(&sup->log);
	supervisor_dismiss_warden(sup);
	if (code == SUPERVISE_RESTART)
		supervisor_end_warden(sup);
	close_all(sup);
	return code;
}

int supervise(struct workspace *ws, struct err *err)
{
	struct arena arena = { 0 };
	struct supervisor *sup;
	int r;

	sup = arena_alloc(&arena, sizeof(*sup));
	if (!sup)
		return err_set(err, ENOMEM, "supervise '%s'", ws->config->name);
	sup->ws = ws;
	sup->signals = sup->stop_timer = sup->notify = sup->notify_rest = -EBADF;
	for (size_t i = 0; i < NS_MAX; i++)
		sup->ns[i] = -EBADF;
	launch_init(&sup->launch);
	ports_init(&sup->ports);
	sup->launch.ports = &sup->ports;
	metrics_server_init(&sup->metrics);
	sup->launch.metrics = &sup->metrics;
	sup->traffic.sock = sup->traffic.inside = sup->traffic.report = -EBADF;
	sup->traffic.denials = sup->traffic.counts = -EBADF;
	sup->launch.config = ws->config;
	sup->launch.facts = ws->facts;
	sup->launch.plan = ws->plan;
	sup->launch.stage = ws->state_path;
	sup->launch.state = ws->state;
	sup->launch.lock = ws->lock;
	sup->control.listener = -EBADF;
	sup->stdio = (struct stdio){ .loop = &sup->loop,
		                     .foreground = !ws->config->detach,
		                     .interactive = ws->config->interactive &&
		                                    (ws->config->tty || !ws->plan->pty),
		                     .tty = ws->plan->pty,
		                     .lasting = ws->plan->init == INIT_SYSTEMD ||
		                                ws->plan->service_n > 0,
		                     .tee = on_output,
		                     .tee_ctx = &sup->log,
		                     .master = -EBADF };
	logfile_init(&sup->log, ws->entry, LOGFILE_NAME);
	bootstrap_init(&sup->bootstrap, ws->entry, BOOTSTRAP_LOG);
	bootstrap_init(&sup->idle_warn, ws->entry, IDLE_WARN_LOG);
	supervisor_hooks_init(sup);
	idle_init(&sup->idle);
	refusals_init(&sup->refusals);

	sup->audit.fd = sup->audit.dir = -EBADF;
	r = supervisor_block_signals(sup, err);
	if (r == 0)
		r = supervisor_audit_start(sup, err);
	if (r == 0)
		r = stdio_open(&sup->stdio, err);
	if (r == 0)
		r = supervisor_launch(sup, err);
	if (r == 0)
		r = start(sup, err);
	if (r == 0 && ws->config->detach)
		memory_settle();
	/* From now on others wait for us: who is asked to stop has to. */
	log_patient(r < 0);
	if (r == 0)
		r = loop_run(&sup->loop, err);
	if (r == 0)
		r = supervisor_hooks_finish(sup, err);
	r = wind_up(sup, r, err);
	log_patient(true);
	/* Else the process ends next, which takes it back at once. */
	if (r == SUPERVISE_RESTART)
		arena_done(&arena);
	return r;
}
