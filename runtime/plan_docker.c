#include <string.h>

#include "exec.h"
#include "plan.h"

/* Of the services' own: their sockets for READY=1. */
#define SERVICES_DIR "/run/berth"

/*
 * No flag says what dockerd finds out by itself, containerd's socket too: a flag that
 * the image's daemon.json has as well would stop it.
 */
static const char *const containerd[] = { "containerd", NULL };
static const char *const dockerd[] = { "dockerd", NULL };

static const struct service services[] = {
	{ "containerd", containerd, NULL, SERVICES_DIR "/containerd.notify" },
	{ "dockerd", dockerd, "containerd", SERVICES_DIR "/dockerd.notify" },
};

bool plan_docker_possible(const struct plan *plan, const struct facts *facts)
{
	return facts->root.has_dockerd && facts->root.has_containerd &&
	       idmap_width(&plan->outer_uid) >= IDMAP_FULL && !facts->proc_masked &&
	       idmap_covers_outside(&plan->outer_uid, facts->root.owner);
}

void plan_choose_services(struct plan *plan, const struct config *config,
                          const struct facts *facts, bool instead)
{
	bool shell = config->interactive || config->tty;

	if (plan->init != INIT_BERTH || config->command || (shell && !instead) ||
	    !plan_docker_possible(plan, facts))
		return;
	plan->service = services;
	plan->service_n = sizeof(services) / sizeof(services[0]);
	if (instead)
		plan_note(plan, "systemd needs a cgroup it can write, and there is none: "
		                "berth's own init runs containerd and dockerd instead, "
		                "and containers have no limits");
	if (!facts->cgroup.ours && !facts->user_manager && !facts->root.has_crun)
		plan_note(plan, "no cgroup can be written here, and containers need crun "
		                "for that: install it in the image");
}

/* What overlay2 inside cannot lie on: overlay on overlay is EINVAL. */
void plan_docker_dirs(struct plan *plan, const struct config *config)
{
	static const char *const dirs[] = { "/var/lib/docker", "/var/lib/containerd",
		                            "/var/lib/containers" };

	if (plan->init != INIT_SYSTEMD && plan->service_n == 0)
		return;
	if (!config->overlay && strcmp(config->rootfs, "host") != 0)
		return;
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		struct step *s = plan_add(plan, ACTOR_WARDEN, STEP_BIND,
		                          "image layers need a file system of their own: "
		                          "overlay on overlay is refused by the kernel");

		s->source = arena_printf(&plan->arena, "volume%s", dirs[i]);
		s->target = dirs[i];
		s->via = "store";
	}
}

/* dockerd's PATH under systemd: a drop-in in /run, since the image is not ours. */
static void plan_drop_ins(struct plan *plan)
{
	static const char *const units[] = { "containerd", "docker" };

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		struct step *s = plan_add(
			plan, ACTOR_WARDEN, STEP_FILE,
			"so that dockerd finds the wrapper before the runtime itself");

		s->target = arena_printf(&plan->arena,
		                         "/run/systemd/system/%s.service.d/berth.conf",
		                         units[i]);
		s->number = 0644;
		s->value = "[Service]\nEnvironment=PATH=" PLAN_WRAPPER ":" EXEC_PATH "\n";
	}
}

void plan_wrapper(struct plan *plan, const struct config *config,
                  const struct facts *facts)
{
	bool systemd =
		plan->init == INIT_SYSTEMD && facts->root.has_dockerd &&
		(facts->sys_read_only || facts->sys_masked || config->net == NET_HOST);
	struct step *s;

	if (!systemd && plan->service_n == 0)
		return;
	s = plan_add(plan, ACTOR_WARDEN, STEP_WRAPPER,
	             systemd ? "containers get a read-only sysfs: the kernel refuses "
	                       "another one here, and docker run --privileged asks for "
	                       "it"
	                     : "containers get a read-only sysfs where the kernel "
	                       "refuses another one, and crun without cgroups where "
	                       "none can be written");
	s->target = PLAN_WRAPPER;
	if (facts->root.has_daemon_json)
		plan_note(plan, "the image has its own /etc/docker/daemon.json, which is "
		                "left as it is: a default-runtime in it other than runc "
		                "and crun has to cope with a pod by itself");
	if (systemd)
		plan_drop_ins(plan);
}

void plan_services(struct plan *plan)
{
	struct step *s;

	if (plan->service_n == 0)
		return;
	if (plan->cgroup) {
		s = plan_add(plan, ACTOR_INIT, STEP_GROUP,
		             "a group that hands controllers down may hold no process "
		             "itself, and dockerd makes groups beside ours");
		s->target = "/sys/fs/cgroup/init.scope";
		s->optional = true;
	}
	for (size_t i = 0; i < plan->service_n; i++) {
		const struct service *service = &plan->service[i];

		s = plan_add(plan, ACTOR_INIT, STEP_SERVICE,
		             service->needs ? "when the one before it is ready"
		                            : "says READY=1 at a socket of its own");
		s->target = service->name;
		s->value = service->argv[0];
		s->source = service->notify;
		s->via = service->needs;
	}
}
