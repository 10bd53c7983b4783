#include "supervisor_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>

#include "base/log.h"
#include "netns/rate.h"
#include "pidfd.h"
#include "run.h"

/* init's own idea of a polite end (docker's STOPSIGNAL, systemd(1)). */
static int polite_signal(const struct supervisor *sup)
{
	return sup->ws->plan->init == INIT_SYSTEMD ? SIGRTMIN + 3 : SIGTERM;
}

int supervisor_stop(void *ctx, uint64_t timeout_s, struct err *err)
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
		return supervisor_stop(sup, 0, err);
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

	supervisor_list_ports(sup);
	if (!sup->exited)
		supervisor_write_record(sup);
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

void supervisor_requests(struct supervisor *sup)
{
	sup->control = (struct control){ .loop = &sup->loop,
		                         .ctx = sup,
		                         .kill = on_kill,
		                         .stop = supervisor_stop,
		                         .traffic = on_traffic,
		                         .update = on_update,
		                         .join = on_join,
		                         .port = on_port,
		                         .listener = -EBADF };
}
