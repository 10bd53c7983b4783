#include "supervisor.h"

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

/**
 * struct supervisor - A workspace from the supervisor's side
 * @ws:		as given
 * @status:	init's wait status, once @exited
 * @lost:	the warden died without telling it
 * @stopping:	the end was asked for: no restart
 * @killed:	by us, with SIGKILL
 * @reason:	why it ended, where that takes more than a word
 * @resting:	between two starts; nothing of the workspace is left
 * @signals:	signalfd
 * @stop_timer:	armed while a stop waits for its end
 * @notify:	systemd's READY=1 comes here
 * @ns:		the workspace's namespaces, for exec; opened before init hides its memory,
 *		and closed at its end, since a descriptor keeps a namespace alive
 */
struct supervisor {
	struct workspace *ws;
	struct launch launch;
	struct loop loop;
	struct stdio stdio;
	struct control control;
	struct logfile log;
	struct watch watch;
	struct ports ports;
	struct arena listed; /* what the record says of ports */
	struct traffic traffic;
	sigset_t old_mask;
	int signals, stop_timer, notify;
	int ns[NS_MAX];
	bool exited, lost, stopping, resting, killed;
	int status;
	char reason[128];
};

/* An image that reboots at once would else keep a processor busy outside its limits. */
#define RESTART_PAUSE_MS 1000
#define SHORT_LIFE_MS 10000

static int64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * (int64_t)1000 + ts.tv_nsec / 1000000;
}

static void write_record(struct supervisor *sup)
{
	struct err err = { 0 };

	if (state_write(sup->ws->entry, &sup->ws->record, &err) < 0)
		log_warn("%s: %s, going on without it", err.text, strerror(err.code));
}

static void record_events(struct supervisor *sup)
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
static void say(void *ctx, const char *line)
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

	say(sup, line);
	record_events(sup);
	if (!sup->exited)
		write_record(sup);
}

static void on_output(void *ctx, const char *data, size_t size)
{
	logfile_write(ctx, data, size);
}

/* init's own idea of a polite end (docker's STOPSIGNAL, systemd(1)). */
static int polite_signal(const struct supervisor *sup)
{
	return sup->ws->plan->init == INIT_SYSTEMD ? SIGRTMIN + 3 : SIGTERM;
}

static int on_stop(void *ctx, uint64_t timeout_s, struct err *err)
{
	struct supervisor *sup = ctx;
	struct itimerspec when = { 0 };

	sup->stopping = true;
	if (sup->resting)
		timeout_s = 0;
	else if (timeout_s == CONTROL_DEFAULT_TIMEOUT)
		timeout_s = sup->ws->config->stop_timeout_s;
	when.it_value.tv_sec = (time_t)timeout_s;
	when.it_value.tv_nsec = 1; /* zero would disarm it */
	if (timerfd_settime(sup->stop_timer, 0, &when, NULL) < 0)
		return err_set(err, errno, "set a timer");
	return pidfd_kill(sup->launch.init_pidfd, polite_signal(sup), err);
}

static int on_kill(void *ctx, int signal, struct err *err)
{
	struct supervisor *sup = ctx;

	if (sup->resting && signal == SIGKILL)
		return on_stop(sup, 0, err);
	sup->killed |= signal == SIGKILL;
	return pidfd_kill(sup->launch.init_pidfd, signal, err);
}

static int on_join(void *ctx, int fd[CONTROL_FDS], struct err *err)
{
	struct supervisor *sup = ctx;

	(void)err;
	fd[CONTROL_INIT] = sup->launch.init_pidfd;
	fd[CONTROL_CGROUP] = sup->launch.payload;
	memcpy(fd + CONTROL_NS, sup->ns, sizeof(sup->ns));
	for (size_t i = 0; i < CGROUP1_MAX; i++)
		fd[CONTROL_CGROUP1 + i] = sup->launch.cgroup1[i].payload;
	return 0;
}

static void list_ports(struct supervisor *sup)
{
	struct record *record = &sup->ws->record;

	record->ports = NULL;
	record->ports_n = 0;
	arena_done(&sup->listed);
	if (ports_list(&sup->ports, &sup->listed, &record->ports, &record->ports_n) < 0)
		log_warn("the record of ports: %s", strerror(ENOMEM));
}

static void on_ports_changed(void *ctx)
{
	struct supervisor *sup = ctx;

	list_ports(sup);
	if (!sup->exited)
		write_record(sup);
}

static int on_port(void *ctx, bool add, const char *text, struct err *err)
{
	struct supervisor *sup = ctx;

	if (sup->resting)
		return err_set(err, EAGAIN, "it is between two starts");
	return ports_change(&sup->ports, add, text, err);
}

static int on_traffic(void *ctx, struct traffic_numbers *ret, struct err *err)
{
	struct supervisor *sup = ctx;

	return traffic_numbers(&sup->traffic, ret, err);
}

/* Of what was given to run, so that the next start and a restart say it again. */
static int remember_rates(struct workspace *ws, const char *const rate[DIRECTIONS],
                          struct err *err)
{
	struct config *config = arena_alloc(ws->arena, sizeof(*config));

	if (!config)
		return err_set(err, ENOMEM, "keep the new rates");
	*config = *ws->config;
	if (*rate[DOWNLOAD])
		config->rate_down = arena_dup(ws->arena, rate[DOWNLOAD]);
	if (*rate[UPLOAD])
		config->rate_up = arena_dup(ws->arena, rate[UPLOAD]);
	ws->record.args = config_words(config, ws->arena, &ws->record.args_n);
	if (ws->arena->failed)
		return err_set(err, ENOMEM, "keep the new rates");
	ws->config = config;
	return state_write(ws->entry, &ws->record, err);
}

static int on_update(void *ctx, const char *const rate[DIRECTIONS], struct err *err)
{
	struct supervisor *sup = ctx;
	uint64_t bytes[DIRECTIONS] = { 0 };
	int r = sup->resting ? err_set(err, EAGAIN, "it is between two starts") : 0;

	for (int i = 0; r == 0 && i < DIRECTIONS; i++)
		if (*rate[i])
			r = rate_parse(rate[i], &bytes[i], err);
	if (r == 0)
		r = traffic_update(&sup->traffic, bytes, err);
	return r < 0 ? r : remember_rates(sup->ws, rate, err);
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
			r = on_stop(sup, CONTROL_DEFAULT_TIMEOUT, err);
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
		write_record(sup);
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
	sup->control = (struct control){ .loop = &sup->loop,
		                         .ctx = sup,
		                         .kill = on_kill,
		                         .stop = on_stop,
		                         .traffic = on_traffic,
		                         .update = on_update,
		                         .join = on_join,
		                         .port = on_port };
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
	ports->say = say;
	ports->changed = on_ports_changed;
	ports->workspace = sup->ws->plan->gateway.workspace;
	ports->allow = sup->ws->config->publish_allow;
	ports->deny = sup->ws->config->publish_deny;
	r = ports_start(ports, sup->launch.routes, err);
	drop_fd(&sup->launch.routes);
	if (r < 0) {
		(void)err_step(err, "publish");
		return hint_for(err);
	}
	list_ports(sup);
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
	ws->record.started_ms = now_ms();
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

/* Everything below the warden ends with it, by the kernel's hand. */
static void end_warden(struct supervisor *sup)
{
	struct launch *l = &sup->launch;
	int status;

	for (size_t i = 0; i < NS_MAX; i++)
		drop_fd(&sup->ns[i]);
	ports_close(&sup->ports);
	if (l->warden <= 0)
		return;
	/* After SYNC_EXITED it leaves by itself; killing it meanwhile changes nothing. By
	 * number: nobody else has it before our waitpid(), and it takes no call that may
	 * be hidden, where we would wait for ever. */
	(void)kill(l->warden, SIGKILL);
	while (waitpid(l->warden, &status, 0) < 0 && errno == EINTR)
		continue;
	l->warden = 0;
}

static int remove_group_in(void *arg, struct err *err)
{
	const struct supervisor *sup = arg;
	char name[sizeof(CGROUP_PREFIX) + STATE_NAME_MAX];

	(void)snprintf(name, sizeof(name), CGROUP_PREFIX "%s", sup->ws->config->name);
	return cgroup_remove(sup->launch.cgroup, name, err);
}

/* Root inside cannot give any of these away. */
static void remove_cgroup1(struct supervisor *sup)
{
	char name[sizeof(CGROUP_PREFIX) + STATE_NAME_MAX];

	(void)snprintf(name, sizeof(name), CGROUP_PREFIX "%s", sup->ws->config->name);
	for (size_t i = 0; i < CGROUP1_MAX; i++) {
		struct cgroup1_group *group = &sup->launch.cgroup1[i];
		struct err err = { 0 };

		drop_fd(&group->payload);
		drop_fd(&group->limits);
		if (group->own >= 0 && cgroup_remove(group->own, name, &err) < 0)
			log_warn("%s: %s", err.text, strerror(err.code));
		drop_fd(&group->own);
	}
}

static void remove_group(struct supervisor *sup)
{
	struct err err = { 0 };

	watch_close(&sup->watch);
	remove_cgroup1(sup);
	if (sup->launch.limits < 0)
		return;
	drop_fd(&sup->launch.payload);
	drop_fd(&sup->launch.relay_group);
	drop_fd(&sup->launch.limits);
	/* systemd inside gives groups to its users, whom only their namespace maps. */
	if (unshare_retry(remove_group_in, sup, &err) < 0)
		log_warn("%s: %s", err.text, strerror(err.code));
}

/* The exit status for the caller, and why, for inspect. */
static int judge(struct supervisor *sup)
{
	struct record *record = &sup->ws->record;
	int status = sup->status, signal;

	if (sup->lost) {
		record->reason = *sup->reason ? sup->reason : "the warden was killed";
		return 128 + SIGKILL;
	}
	/* berth's own init ends with 137 when its command was killed. */
	if (!sup->killed &&
	    (WIFEXITED(status) ? WEXITSTATUS(status) == 128 + SIGKILL
	                       : WTERMSIG(status) == SIGKILL) &&
	    watch_oom(&sup->watch, sup->ws->plan, sup->reason, sizeof(sup->reason))) {
		record->reason = sup->reason;
		return 128 + SIGKILL;
	}
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	signal = WTERMSIG(status);
	/* reboot(2) in a PID namespace: PID 1 never dies of these otherwise, since the
	 * kernel drops signals it has no handler for (kernel/pid_namespace.c). */
	if (signal == SIGINT) {
		record->reason = "powered off";
		return 0;
	}
	if (signal == SIGHUP) {
		record->reason = "rebooted";
		return sup->stopping ? 0 : SUPERVISE_RESTART;
	}
	record->reason = signal == SIGKILL ? "killed by signal 9" : "killed by a signal";
	return 128 + signal;
}

/* Signals and requests still have their answer meanwhile. */
static int rest(struct supervisor *sup)
{
	const struct itimerspec when = { .it_value.tv_sec = RESTART_PAUSE_MS / 1000 };
	struct err ignored = { 0 };

	if (sup->ws->config->remove ||
	    now_ms() - sup->ws->record.started_ms > SHORT_LIFE_MS)
		return SUPERVISE_RESTART;
	end_warden(sup);
	sup->resting = true;
	loop_remove(&sup->loop, sup->launch.sync.warden[0]);
	if (timerfd_settime(sup->stop_timer, 0, &when, NULL) == 0)
		(void)loop_run(&sup->loop, &ignored);
	return sup->stopping ? 0 : SUPERVISE_RESTART;
}

static void finish(struct supervisor *sup, int code)
{
	struct record *record = &sup->ws->record;

	record->status = STATUS_EXITED;
	record->ready = false;
	record->init = 0;
	record->finished_ms = now_ms();
	record->exit_code = code == SUPERVISE_RESTART ? 0 : code;
	record->cgroup = "";
	record->cgroup1_n = 0;
	record->ports_n = 0;
	if (!record->remove)
		write_record(sup);
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
	record_events(&sup);
	code = r < 0 ? r : judge(&sup);

	/* After SYNC_EXITED init is gone with all below it, and the warden takes its
	 * namespaces down while we clear up. */
	if (r < 0 || sup.lost)
		end_warden(&sup);
	if (r == 0)
		stdio_drain(&sup.stdio);
	stdio_close(&sup.stdio);
	remove_group(&sup);
	if (code == SUPERVISE_RESTART)
		code = rest(&sup);
	if (r == 0)
		finish(&sup, code);
	control_exited(&sup.control, code == SUPERVISE_RESTART ? 0 : code);
	control_close(&sup.control, ws->entry);
	traffic_close(&sup.traffic);
	logfile_close(&sup.log);
	end_warden(&sup);
	close_all(&sup);
	return code;
}
