#include <errno.h>
#include <string.h>

#include "plan.h"

void plan_dev(struct plan *plan)
{
	static const struct {
		const char *name, *target;
	} links[] = {
		{ "/dev/fd", "/proc/self/fd" },
		{ "/dev/stdin", "/proc/self/fd/0" },
		{ "/dev/stdout", "/proc/self/fd/1" },
		{ "/dev/stderr", "/proc/self/fd/2" },
		{ "/dev/ptmx", "pts/ptmx" },
	};
	static const char *const nodes[] = { "/dev/null",   "/dev/zero",    "/dev/full",
		                             "/dev/random", "/dev/urandom", "/dev/tty" };
	static const struct {
		const char *name;
		uint64_t mode;
		const char *why;
	} directories[] = {
		{ "/dev/pts", 0755, "mount point" },
		{ "/dev/shm", 0755, "mount point" },
		{ "/dev/mqueue", 0755, "mount point" },
		{ "/dev/.berth", 0700, "what only the kernel has to find" },
		{ "/dev/.berth/proc", 0700, "mount point" },
		{ "/dev/.berth/sys", 0700, "mount point" },
		{ PLAN_EMPTY_DIRECTORY, 0755, "covers directories of /proc and /sys" },
	};
	struct step *s;

	/* 0755, not tmpfs' own 1777: fs.protected_regular refuses root's "> /dev/null"
	 * in a sticky directory (proc_sys_fs(5)). */
	s = plan_add(plan, ACTOR_WARDEN, STEP_MOUNT, "a /dev with just the safe nodes");
	s->target = "/dev";
	s->via = "tmpfs";
	s->value = "mode=0755,size=4m";
	s->flags = PLAN_NOSUID | PLAN_NOEXEC;
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		s = plan_add(plan, ACTOR_WARDEN, STEP_DEVICE,
		             "every program expects it, and it gives no power");
		s->source = nodes[i];
		s->target = nodes[i];
	}
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		s = plan_add(plan, ACTOR_WARDEN, STEP_LINK, "every program expects it");
		s->target = links[i].name;
		s->value = links[i].target;
	}
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		s = plan_add(plan, ACTOR_WARDEN, STEP_DIRECTORY, directories[i].why);
		s->target = directories[i].name;
		s->number = directories[i].mode;
	}
	if (plan->pty) {
		s = plan_add(plan, ACTOR_WARDEN, STEP_FILE, "mount point");
		s->target = "/dev/console";
		s->number = 0600;
	}
}

/* What the launch makes itself below /dev. */
static bool is_taken(const struct plan *plan, const char *target)
{
	for (size_t i = 0; i < plan->n; i++) {
		const char *made = plan->step[i].target;

		if (made && strcmp(made, "/dev") != 0 && !strcmp(made, target))
			return true;
	}
	return !strcmp(target, "/dev/console") || !strncmp(target, "/dev/pts/", 9) ||
	       !strncmp(target, "/dev/shm/", 9) || !strncmp(target, "/dev/mqueue/", 12) ||
	       !strncmp(target, "/dev/.berth/", 12);
}

int plan_devices(struct plan *plan, const struct config *config,
                 const struct facts *facts, struct err *err)
{
	for (size_t i = 0; i < config->device_n; i++) {
		const struct device *d = &config->device[i];
		struct step *s;

		if (is_taken(plan, d->target)) {
			(void)err_set(err, EEXIST, "--device '%s': '%s' is there already",
			              d->source, d->target);
			return err_step(err, "device");
		}
		if (!facts->node[i].character && !config_best_effort(config, "device")) {
			if (!facts->node[i].found) {
				(void)err_set(err, ENOENT, "--device '%s'", d->source);
				(void)err_hint(err, "the pod has no such node: a device "
				                    "plugin of the cluster "
				                    "gives it, or on a machine "
				                    "'modprobe'; or --best-effort "
				                    "device");
			} else {
				(void)err_set(err, ENODEV,
				              "--device '%s' is no character device",
				              d->source);
				(void)err_hint(err, "disks belong to the node; a "
				                    "directory is a volume: -v");
			}
			return err_step(err, "device");
		}
		if (!facts->node[i].character) {
			plan_note(plan, arena_printf(&plan->arena,
			                             "the pod has no device '%s', so the "
			                             "workspace has none",
			                             d->source));
			continue;
		}
		s = plan_add(plan, ACTOR_WARDEN, STEP_DEVICE,
		             d->gpu ? "of the GPUs asked for with --gpus"
		                    : "asked for with --device");
		s->source = d->source;
		s->target = d->target;
	}
	return 0;
}
