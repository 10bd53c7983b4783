#include "supervisor_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "netns/rate.h"
#include "pack.h"
#include "pidfd.h"
#include "run.h"

static int on_stop(void *ctx, uint64_t timeout_s, struct err *err)
{
	struct supervisor *sup = ctx;

	supervisor_audit_stop(sup, sup->control.who.pid, sup->control.who.uid, 0);
	return supervisor_stop(sup, timeout_s, err);
}

/* Namespaces, groups and interfaces are gone, for now or for good. */
static int check_there(const struct supervisor *sup, struct err *err)
{
	if (sup->resting)
		return err_set(err, EAGAIN, "it is between two starts");
	return sup->exited ? err_set(err, ESRCH, "it has ended") : 0;
}

static int on_kill(void *ctx, int signal, struct err *err)
{
	struct supervisor *sup = ctx;

	supervisor_audit_stop(sup, sup->control.who.pid, sup->control.who.uid, signal);

	/* It is to be no more: neither hooks of its begin nor another life. */
	if (signal == SIGKILL && sup->exited &&
	    (sup->resting || sup->hooks.kind != HOOK_POSTSTOP))
		return supervisor_stop(sup, 0, err);
	if (check_there(sup, err) < 0)
		return -err->code;
	sup->killed |= signal == SIGKILL;
	return pidfd_kill(sup->launch.init_pidfd, signal, err);
}

static int hand_out(struct supervisor *sup, int fd[CONTROL_FDS])
{
	fd[CONTROL_INIT] = sup->launch.init_pidfd;
	fd[CONTROL_CGROUP] = sup->launch.payload;
	memcpy(fd + CONTROL_NS, sup->ns, sizeof(sup->ns));
	for (size_t i = 0; i < CGROUP1_MAX; i++)
		fd[CONTROL_CGROUP1 + i] = sup->launch.cgroup1[i].payload;
	return 0;
}

static int on_join(void *ctx, const char *words, size_t n, int fd[CONTROL_FDS],
                   struct err *err)
{
	struct supervisor *sup = ctx;
	int r = check_there(sup, err);

	if (r == 0)
		r = supervisor_audit_exec(sup, words, n, err);
	if (r == 0 && n > 0 && sup->ws->config->audit_required &&
	    config_listens(sup->ws->config) && sup->refusals.intake < 0) {
		r = err_set(err, ESRCH, "who hears of refused system calls is gone");
		(void)err_hint(err, "audit.required: nothing is done that cannot be "
		                    "told; start the workspace anew");
	}
	/* Who only looks has no words. */
	if (r == 0 && n > 0 && !sup->control.who.unattended)
		fd[CONTROL_SESSION] = idle_session(&sup->idle);
	fd[CONTROL_LISTENER] = sup->refusals.intake;
	return r < 0 ? r : hand_out(sup, fd);
}

static int on_plan(void *ctx, int fd[CONTROL_FDS], struct err *err)
{
	struct supervisor *sup = ctx;

	if (check_there(sup, err) < 0)
		return -err->code;
	(void)hand_out(sup, fd);
	fd[CONTROL_ROUTES] = sup->traffic.sock;
	fd[CONTROL_STEPS] = plan_pack(sup->ws->plan, &sup->traffic.gateway,
	                              sup->launch.unenforced, err);
	return fd[CONTROL_STEPS] < 0 ? -err->code : 0;
}

void supervisor_list_ports(struct supervisor *sup)
{
	struct record *record = &sup->ws->record;

	record->ports = NULL;
	record->ports_n = 0;
	arena_done(&sup->listed);
	if (ports_list(&sup->ports, &sup->listed, &record->ports, &record->ports_n) < 0)
		log_warn("the record of ports: %s", strerror(ENOMEM));
}

void supervisor_ports_changed(void *ctx)
{
	struct supervisor *sup = ctx;
	const char *const *before = sup->ws->record.ports;
	const size_t n = sup->ws->record.ports_n;
	/* supervisor_list_ports() gives its own back. */
	struct arena kept = sup->listed;

	sup->listed = (struct arena){ 0 };
	supervisor_list_ports(sup);
	supervisor_audit_ports(sup, before, n);
	arena_done(&kept);
	if (!sup->exited)
		supervisor_write_record(sup);
}

void supervisor_port_done(void *ctx, uint64_t who, const struct err *err)
{
	struct supervisor *sup = ctx;

	control_port_done(&sup->control, who, err);
}

static int on_port(void *ctx, bool add, const char *text, uint64_t who, struct err *err)
{
	struct supervisor *sup = ctx;

	if (check_there(sup, err) < 0)
		return -err->code;
	if (supervisor_audit_port(sup, add, text, err) < 0)
		return -err->code;
	return ports_change(&sup->ports, add, text, who, err);
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
	int r = check_there(sup, err);

	for (int i = 0; r == 0 && i < DIRECTIONS; i++)
		if (*rate[i])
			r = rate_parse(rate[i], &bytes[i], err);
	if (r == 0)
		r = supervisor_audit_update(sup, rate, err);
	if (r == 0)
		r = traffic_update(&sup->traffic, bytes, err);
	if (r == 0)
		ports_gateway(&sup->ports, &sup->traffic.gateway);
	return r < 0 ? r : remember_rates(sup->ws, rate, err);
}

void supervisor_news(void *ctx, const char *line)
{
	struct supervisor *sup = ctx;

	log_info("%s", line);
	logfile_say(&sup->log, line);
}

void supervisor_ready(struct supervisor *sup)
{
	control_ready(&sup->control);
	sup->bootstrap.loop = &sup->loop;
	sup->bootstrap.config = sup->ws->config;
	sup->bootstrap.old_mask = &sup->old_mask;
	sup->bootstrap.title = "bootstrap";
	sup->bootstrap.script = sup->ws->config->bootstrap;
	sup->bootstrap.restart = sup->ws->config->bootstrap_restart;
	sup->bootstrap.say = supervisor_news;
	sup->bootstrap.left = supervisor_bootstrap_left;
	sup->bootstrap.ctx = sup;
	bootstrap_start(&sup->bootstrap);
}

void supervisor_requests(struct supervisor *sup)
{
	sup->control = (struct control){ .loop = &sup->loop,
		                         .ctx = sup,
		                         .kill = on_kill,
		                         .stop = on_stop,
		                         .traffic = on_traffic,
		                         .update = on_update,
		                         .join = on_join,
		                         .plan = on_plan,
		                         .port = on_port,
		                         .listener = -EBADF };
}
