#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/number.h"
#include "supervisor_internal.h"

/* --idle-stop: what is done when nobody uses the workspace any more. */

static bool ask(void *ctx)
{
	const struct supervisor *sup = ctx;

	return ports_ask_use(&sup->ports);
}

void supervisor_connections(void *ctx, uint64_t count)
{
	struct supervisor *sup = ctx;

	idle_connections(&sup->idle, count);
}

static void warn(void *ctx, uint64_t left_s)
{
	struct supervisor *sup = ctx;
	const uint64_t idle_s = sup->ws->config->idle_stop_s - left_s;
	char since[DURATION_TEXT_MAX], left[DURATION_TEXT_MAX], line[160];

	(void)snprintf(line, sizeof(line),
	               "idle: nobody has used the workspace for %s: it stops in %s",
	               duration_text(idle_s, since), duration_text(left_s, left));
	supervisor_say(sup, line);
	supervisor_audit_idle(sup, idle_s, left_s);
	(void)snprintf(sup->idle_left, sizeof(sup->idle_left), "BERTH_IDLE_LEFT=%" PRIu64,
	               left_s);
	bootstrap_start(&sup->idle_warn);
}

static void again(void *ctx)
{
	supervisor_news(ctx, "idle: the workspace is used again, and goes on");
}

static void stop(void *ctx)
{
	struct supervisor *sup = ctx;
	const struct config *config = sup->ws->config;
	char since[DURATION_TEXT_MAX];
	struct err ignored = { 0 };

	sup->idled = true;
	(void)snprintf(sup->reason, sizeof(sup->reason),
	               IDLE_REASON "%s: no terminal, session or connection, and less "
	                           "than %" PRIu64 " %% of a processor",
	               duration_text(config->idle_stop_s, since), config->idle_cpu);
	supervisor_news(sup, sup->reason);
	supervisor_audit_idle(sup, config->idle_stop_s, 0);
	/* It fails where init has ended meanwhile, which comes to the same. */
	(void)supervisor_stop(sup, CONTROL_DEFAULT_TIMEOUT, &ignored);
}

int supervisor_idle_start(struct supervisor *sup, struct err *err)
{
	const struct workspace *ws = sup->ws;
	const struct config *config = ws->config;
	struct stat pidns;

	if (!config_stops_idle(config))
		return 0;
	sup->idle.config = config;
	sup->idle.limits = sup->launch.limits;
	sup->idle.init = (pid_t)ws->record.init;
	sup->idle.pidns = fstat(sup->ns[NS_PID], &pidns) == 0 ? pidns.st_ino : 0;
	/* That of a pod's first process is there whether anybody is at it or not. */
	sup->idle.terminal = config->tty && !config->detach && !config->entrypoint;
	sup->idle.ask = ask;
	sup->idle.warn = warn;
	sup->idle.again = again;
	sup->idle.stop = stop;
	sup->idle.say = supervisor_say;
	sup->idle.ctx = sup;
	sup->idle_warn.loop = &sup->loop;
	sup->idle_warn.config = config;
	sup->idle_warn.title = "idle-warn";
	sup->idle_warn.script = config->idle_warn;
	sup->idle_warn.restart = "no";
	sup->idle_warn.env = sup->idle_left;
	sup->idle_warn.old_mask = &sup->old_mask;
	sup->idle_warn.say = supervisor_news;
	sup->idle_warn.ctx = sup;
	return idle_start(&sup->idle, &sup->loop, err);
}

void supervisor_idle_close(struct supervisor *sup)
{
	idle_close(&sup->idle);
	bootstrap_close(&sup->idle_warn);
}
