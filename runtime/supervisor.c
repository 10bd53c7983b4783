#include "supervisor_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
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
#include "traffic.h"
#include "unshare.h"
#include "watch.h"

int64_t supervisor_now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * (int64_t)1000 + ts.tv_nsec / 1000000;
}

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
	char text[640];
	int len = snprintf(text, sizeof(text), "berth: %s\n", line);

	log_warn("%s", line);
	logfile_write(&sup->log, text, (size_t)len);
}

static void on_limit(void *ctx, const char *line)
{
	struct supervisor *sup = ctx;

	supervisor_say(sup, line);
	supervisor_record_events(sup);
	if (!sup->exited)
		supervisor_write_record(sup);
}

static void on_output(void *ctx, const char *data, size_t size)
{
	logfile_write(ctx, data, size);
}

static int on_stop_timer(void *ctx, int fd, short revents, struct err *err)
{
	struct supervisor *sup = ctx;
	uint64_t ticks;

	(void)revents;
	if (read(fd, &ticks, sizeof(ticks)) != sizeof(ticks))
		return LOOP_GO;
	if (sup->resting)
		return LOOP_STOP;
	sup->killed = true;
	return pidfd_kill(sup->launch.init_pidfd, SIGKILL, err);
}

static int on_signal(void *ctx, int fd, short revents, struct err *err)
{
	struct supervisor *sup = ctx;
	struct signalfd_siginfo info;

	(void)revents;
	while (read(fd, &info, sizeof(info)) == sizeof(info)) {
		int signal = (int)info.ssi_signo, r = 0;

		if (signal == SIGWINCH || signal == SIGCONT)
			stdio_winch(&sup->stdio);
		else if (signal == SIGCHLD)
			continue; /* the warden's end comes by its socket */
		else if ((sup->resting || sup->ws->plan->init == INIT_SYSTEMD ||
		          sup->ws->plan->service_n > 0) &&
		         (signal == SIGTERM || signal == SIGINT || signal == SIGHUP))
			/* To systemd these mean other things than to a user; daemons get
			 * their time, and no more. */
			r = supervisor_stop(sup, CONTROL_DEFAULT_TIMEOUT, err);
		else
			r = pidfd_kill(sup->launch.init_pidfd, signal, err);
		sup->stopping |= signal == SIGTERM;
		if (r < 0)
			return r;
	}
	return LOOP_GO;
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

/* init's messages, sd_notify(3): only about itself, so anybody inside may lie. */
static int on_notify(void *ctx, int fd, short revents, struct err *err)
{
	struct supervisor *sup = ctx;
	char text[4096];
	ssize_t n;

	(void)revents;
	(void)err;
	n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
	if (n <= 0)
		return LOOP_GO;
	text[n] = '\0';
	for (char *save = NULL, *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (strcmp(line, "READY=1") != 0 || sup->ws->record.ready)
			continue;
		sup->ws->record.ready = true;
		supervisor_write_record(sup);
		control_ready(&sup->control);
	}
	return LOOP_GO;
}

/* Every signal is blocked before the first child is born, and read from here. */
static int open_signals(struct supervisor *sup, struct err *err)
{
	static const int faults[] = { SIGSEGV, SIGBUS,  SIGILL, SIGFPE,
		                      SIGABRT, SIGTRAP, SIGSYS, SIGPIPE,
		                      SIGTSTP, SIGTTIN, SIGTTOU };
	sigset_t all;

	(void)sigfillset(&all);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		(void)sigdelset(&all, faults[i]);
	if (sigprocmask(SIG_BLOCK, &all, &sup->old_mask) < 0)
		return err_set(err, errno, "block signals");
	sup->signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	sup->stop_timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (sup->signals < 0 || sup->stop_timer < 0)
		return err_set(err, errno, "receive signals");
	return 0;
}

/* Until the peer speaks, or the user has had enough: a launch may hang on a dead mount. */
static int patient(struct supervisor *sup, int sock, struct err *err)
{
	struct pollfd source[] = {
		{ .fd = sock, .events = POLLIN },
		{ .fd = sup->signals, .events = POLLIN },
	};

	for (;;) {
		struct signalfd_siginfo info;

		if (poll(source, 2, -1) < 0 && errno != EINTR)
			return err_set(err, errno, "wait for the launch");
		if (source[0].revents)
			return 0;
		if (read(sup->signals, &info, sizeof(info)) != sizeof(info))
			continue;
		if (info.ssi_signo == SIGINT || info.ssi_signo == SIGTERM ||
		    info.ssi_signo == SIGHUP || info.ssi_signo == SIGQUIT)
			return err_set(err, EINTR, "signal %u during the launch",
			               info.ssi_signo);
	}
}

/* Init dies with the warden: where that one failed, it said why before. */
static int ask_warden(struct supervisor *sup, struct err *err)
{
	struct err why = { 0 };

	if (sync_expect(sup->launch.sync.warden[0], SYNC_EXITED, NULL, NULL, 0, &why) <
	            0 &&
	    why.step[0] != '\0')
		*err = why;
	return -err->code;
}

/* Whom a step did not find any more has said why it ended. */
static int ask_init(struct supervisor *sup, struct err *err)
{
	struct err why = { 0 };

	if (sync_expect(sup->launch.sync.init[0], SYNC_READY, NULL, NULL, 0, &why) < 0 &&
	    why.code != ECONNRESET)
		*err = why;
	return -err->code;
}

static int launch(struct supervisor *sup, struct err *err)
{
	struct launch *l = &sup->launch;
	int fds[SYNC_FDS_MAX], *at = fds;
	int *const received[SYNC_READY_FDS] = { &sup->stdio.master, &sup->notify,
		                                &l->routes, &sup->ports.lookout };
	int32_t present = 0;
	int r;

	for (size_t i = 0; i < 3; i++)
		l->stdin_to_stderr[i] = sup->stdio.far[i];
	r = sync_open(&l->sync, err);
	if (r == 0 && l->plan->net == NET_RELAY &&
	    (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sup->ports.link) < 0 ||
	     socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, l->report) < 0))
		r = err_set(err, errno, "make a socket pair");
	if (r == 0)
		r = apply_until(l, ACTOR_SUPERVISOR, STEP_CGROUP_JOIN, err);
	if (r == 0)
		r = patient(sup, l->sync.warden[0], err);
	if (r == 0)
		r = sync_expect(l->sync.warden[0], SYNC_BORN, NULL, &l->init_pidfd, 1,
		                err);
	if (r == 0)
		r = apply_until(l, ACTOR_SUPERVISOR, STEP_MAX, err);
	drop_fd(&l->sync.init[1]);
	drop_fd(&sup->ports.link[1]);
	drop_fd(&l->report[1]);
	if (r == -ESRCH)
		r = ask_init(sup, err);
	if (r < 0)
		return r;
	r = patient(sup, l->sync.init[0], err);
	if (r == 0)
		r = sync_expect(l->sync.init[0], SYNC_READY, &present, fds, SYNC_FDS_MAX,
		                err);
	if (r == -ECONNRESET)
		r = ask_warden(sup, err);
	if (r < 0)
		return r;
	for (int i = 0; i < SYNC_READY_FDS; i++)
		*received[i] = present & 1 << i ? *at++ : -EBADF;

	/* Nothing of the image runs below a warden that still holds the pod's files. */
	r = patient(sup, l->sync.warden[0], err);
	if (r == 0)
		r = sync_expect(l->sync.warden[0], SYNC_CONFINED, NULL, &l->counters, 1,
		                err);
	return r < 0 ? r : join_namespaces(l->init_pidfd, sup->ns, err);
}

static int serve(struct supervisor *sup, struct err *err)
{
	const struct {
		int fd;
		loop_fn fn;
	} sources[] = {
		{ sup->signals, on_signal },
		{ sup->stop_timer, on_stop_timer },
		{ sup->notify, on_notify },
		{ sup->launch.sync.warden[0], on_warden },
	};

	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		if (sources[i].fd >= 0 && loop_add(&sup->loop, sources[i].fd, POLLIN,
		                                   sources[i].fn, sup, err) < 0)
			return -err->code;
	}
	supervisor_requests(sup);
	sup->traffic = (struct traffic){ .plan = sup->launch.plan,
		                         .rules = sup->ws->config->egress,
		                         .log = &sup->log,
		                         .gateway = sup->launch.plan->gateway,
		                         .sock = take_fd(&sup->launch.counters),
		                         .report = take_fd(&sup->launch.report[0]) };
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
	pid_t pid;
	int r;

	stdio_close_far(&sup->stdio);
	r = stdio_start(&sup->stdio, err);
	if (r == 0)
		r = serve(sup, err);
	if (r == 0)
		r = start_ports(sup, err);
	if (r == 0)
		r = sync_send(l->sync.init[0], SYNC_GO, 0, NULL, 0, err);
	if (r == 0)
		r = patient(sup, l->sync.init[0], err);
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
	pid = pidfd_pid(AT_FDCWD, l->init_pidfd, err);
	err_clear(err); /* it may have ended already: the warden says so next */
	ws->record.init = pid > 0 ? pid : 0;
	ws->record.status = STATUS_RUNNING;
	ws->record.started_ms = supervisor_now_ms();
	ws->record.ready = ws->plan->init != INIT_SYSTEMD && ws->plan->service_n == 0;
	r = state_write(ws->entry, &ws->record, err);
	if (r < 0)
		return r;
	if (ws->record.ready)
		control_ready(&sup->control);
	if (ws->started)
		ws->started(ws->ctx);
	return 0;
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
		             &l->counters };

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		drop_fd(fds[i]);
	ports_close(&sup->ports);
	sup->ws->record.ports = NULL;
	sup->ws->record.ports_n = 0;
	arena_done(&sup->listed);
	(void)sigprocmask(SIG_SETMASK, &sup->old_mask, NULL);
}

int supervise(struct workspace *ws, struct err *err)
{
	struct supervisor sup = {
		.ws = ws, .signals = -EBADF, .stop_timer = -EBADF, .notify = -EBADF
	};
	int r, code;

	for (size_t i = 0; i < NS_MAX; i++)
		sup.ns[i] = -EBADF;
	launch_init(&sup.launch);
	ports_init(&sup.ports);
	sup.launch.ports = &sup.ports;
	sup.traffic.sock = sup.traffic.report = -EBADF;
	sup.launch.config = ws->config;
	sup.launch.facts = ws->facts;
	sup.launch.plan = ws->plan;
	sup.launch.stage = ws->state_path;
	sup.launch.state = ws->state;
	sup.launch.lock = ws->lock;
	sup.control.listener = -EBADF;
	sup.stdio = (struct stdio){ .loop = &sup.loop,
		                    .foreground = !ws->config->detach,
		                    .interactive = ws->config->interactive &&
		                                   (ws->config->tty || !ws->plan->pty),
		                    .tty = ws->plan->pty,
		                    .lasting = ws->plan->init == INIT_SYSTEMD ||
		                               ws->plan->service_n > 0,
		                    .tee = on_output,
		                    .tee_ctx = &sup.log,
		                    .master = -EBADF };
	logfile_init(&sup.log, ws->entry);

	r = open_signals(&sup, err);
	if (r == 0)
		r = stdio_open(&sup.stdio, err);
	if (r == 0)
		r = launch(&sup, err);
	if (r == 0)
		r = start(&sup, err);
	if (r == 0)
		r = loop_run(&sup.loop, err);
	watch_finish(&sup.watch);
	supervisor_record_events(&sup);
	code = r < 0 ? r : supervisor_judge(&sup);

	/* After SYNC_EXITED init is gone with all below it, and the warden takes its
	 * namespaces down while we clear up. */
	if (r < 0 || sup.lost)
		supervisor_end_warden(&sup);
	if (r == 0)
		stdio_drain(&sup.stdio);
	stdio_close(&sup.stdio);
	supervisor_remove_group(&sup);
	if (code == SUPERVISE_RESTART)
		code = supervisor_rest(&sup);
	if (r == 0)
		supervisor_finish(&sup, code);
	control_exited(&sup.control, code == SUPERVISE_RESTART ? 0 : code);
	control_close(&sup.control, ws->entry);
	traffic_close(&sup.traffic);
	logfile_close(&sup.log);
	supervisor_end_warden(&sup);
	close_all(&sup);
	return code;
}
