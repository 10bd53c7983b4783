#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/number.h"
#include "exec.h"
#include "plan.h"

static const char *words(struct arena *arena, const char *const *argv)
{
	const char *text = "";

	for (; *argv; argv++)
		text = arena_printf(arena, "%s%s%s", text, *text ? " " : "", *argv);
	return text;
}

/* What ps and inspect show in place of a command. */
static const char *const *service_names(struct plan *plan)
{
	const char **names =
		arena_alloc(&plan->arena, (plan->service_n + 1) * sizeof(*names));

	for (size_t i = 0; names && i < plan->service_n; i++)
		names[i] = plan->service[i].name;
	return names;
}

/* The PATH there is, with the wrapper's directory first. */
static const char *wrapped_path(struct arena *arena, const char *const *env)
{
	const char *path = EXEC_PATH;

	for (; *env; env++)
		if (!strncmp(*env, "PATH=", 5))
			path = *env + 5;
	return arena_printf(arena, "PATH=" PLAN_WRAPPER ":%s", path);
}

/* What runs, and with which environment. */
void plan_command(struct plan *plan, const struct config *config,
                  const struct facts *facts)
{
	struct arena *arena = &plan->arena;
	const char **env = arena_alloc(arena, (config->env_n + 8) * sizeof(*env));
	const char **command = arena_alloc(arena, 2 * sizeof(*command));
	struct step *s;
	size_t n = 0;

	if (!env || !command)
		return;
	env[n++] = "PATH=" EXEC_PATH;
	env[n++] = "container=berth";
	env[n++] = arena_printf(arena, "HOSTNAME=%s", config->hostname);
	if (plan->init == INIT_SYSTEMD)
		env[n++] = "NOTIFY_SOCKET=" PLAN_NOTIFY;
	if (plan->pty)
		env[n++] = "TERM=xterm";
	/* Last, so that the user's word counts: exec_environment() lets later ones win. */
	for (size_t i = 0; i < config->env_n; i++)
		env[n++] = config->env[i];
	plan->env = env;
	if (plan->service_n > 0) {
		env[n] = wrapped_path(arena, env);
		plan->command = service_names(plan);
		(void)plan_add(plan, ACTOR_INIT, STEP_SUPERVISE,
		               "as PID 1: started in order, and again when one ends; "
		               "stopped in the reverse order");
		return;
	}

	if (plan->init == INIT_SYSTEMD)
		command[0] = facts->root.init;
	else
		command[0] = "/bin/sh";
	plan->command =
		config->command && plan->init != INIT_SYSTEMD ? config->command : command;

	s = plan_add(plan, ACTOR_INIT, STEP_EXEC,
	             plan->init == INIT_SYSTEMD ? "the image's own init"
	             : plan->init == INIT_BERTH
	                     ? "under berth's own small init, which reaps "
	                       "orphans and forwards signals"
	                     : "as PID 1 itself");
	s->value = words(arena, plan->command);
}

const char *plan_user(const struct plan *plan, const struct config *config)
{
	return plan->init == INIT_SYSTEMD || plan->service_n > 0 ? NULL : config->user;
}

void plan_bootstrap(struct plan *plan, const struct config *config)
{
	struct step *s;

	if (!config->bootstrap)
		return;
	s = plan_add(plan, ACTOR_SUPERVISOR, STEP_BOOTSTRAP,
	             "read before anything of the workspace runs; it does inside, as the "
	             "workspace's user, once that is ready");
	s->source = arena_dup(&plan->arena, config->bootstrap);
	s->value = arena_dup(&plan->arena, config->bootstrap_restart);
}

int plan_metrics(struct plan *plan, const struct config *config,
                 const struct facts *facts, struct err *err)
{
	struct step *s;

	if (!config->metrics_listen)
		return 0;
	if (!facts->metrics_program) {
		(void)err_set(err, ENOENT,
		              "--metrics-listen '%s': berth-metrics is missing",
		              config->metrics_listen);
		(void)err_hint(err, "install the program berth-metrics beside berth, or "
		                    "leave the option out: 'berth stats --format "
		                    "prometheus' needs no server");
		return err_step(err, "metrics");
	}
	s = plan_add(plan, ACTOR_SUPERVISOR, STEP_METRICS,
	             "by HTTP, with probes; a process of its own talks with strangers, "
	             "and may nothing else");
	s->target = arena_dup(&plan->arena, config->metrics_listen);
	s->source = arena_dup(&plan->arena, facts->metrics_program);
	return 0;
}

/* What keeps it from its end, in words. */
static const char *uses(struct plan *plan, const struct config *config)
{
	struct arena *arena = &plan->arena;
	const char *ports =
		!plan_has_gateway(plan) ? ""
		: config->idle_ports
			? arena_printf(arena, "a connection to %s, ", config->idle_ports)
			: "a connection to a published port, ";

	return arena_printf(arena,
	                    "a terminal, berth exec, %sor %" PRIu64 " %% of a "
	                    "processor%s",
	                    ports, config->idle_cpu,
	                    plan->cgroup ? "" : " by its processes");
}

int plan_idle(struct plan *plan, const struct config *config, struct err *err)
{
	char text[DURATION_TEXT_MAX];
	struct step *s;

	if (!config_stops_idle(config))
		return 0;
	if (config->idle_ports && !plan_has_gateway(plan)) {
		(void)err_set(err, EINVAL, "--idle-ports '%s' with --net %s",
		              config->idle_ports, net_mode_name[plan->net]);
		(void)err_hint(err, "connections are counted where they come through "
		                    "the workspace's own gateway: use --net relay");
		return err_step(err, "idle");
	}
	s = plan_add(plan, ACTOR_SUPERVISOR, STEP_IDLE,
	             "what counts is measured from outside: root inside can use the "
	             "processor, and change nothing else of it");
	s->value = arena_dup(&plan->arena, duration_text(config->idle_stop_s, text));
	s->source = uses(plan, config);
	if (config->idle_warn)
		s->via = arena_dup(&plan->arena, config->idle_warn);
	if (config->tty && !config->detach && !config->entrypoint)
		plan_note(plan, "--idle-stop: the terminal of -t is use as long as this "
		                "command runs, so it will not be stopped");
	return 0;
}
