#include <string.h>

#include "kernel_files.h"
#include "plan.h"

static struct step *mount(struct plan *plan, const char *fstype, const char *target,
                          const char *options, uint64_t flags, const char *why)
{
	struct step *s = plan_add(plan, ACTOR_INIT, STEP_MOUNT, why);

	s->via = fstype;
	s->target = target;
	s->value = options;
	s->flags = flags;
	return s;
}

static void plan_covers(struct plan *plan, const struct config *config,
                        const struct facts *facts)
{
	static const struct {
		const char *source; /* NULL: itself */
		uint64_t flags;
	} covers[] = {
		[COVER_FILE] = { "/dev/null", 0 },
		/* One empty directory for all of them, not a file system for each. */
		[COVER_DIRECTORY] = { PLAN_EMPTY_DIRECTORY, PLAN_READ_ONLY | PLAN_NOSUID |
		                                                    PLAN_NODEV |
		                                                    PLAN_NOEXEC },
		[COVER_READ_ONLY] = { NULL, PLAN_READ_ONLY },
	};

	for (size_t i = 0; i < KERNEL_FILES_N; i++) {
		const struct kernel_file *f = &kernel_files[i];
		struct step *s;

		if (!(facts->kernel_files & 1ULL << i))
			continue;
		if (facts->proc_masked && !strncmp(f->path, "/proc/", 6))
			continue; /* the workspace has none */
		if (config->unmask & UINT64_C(1) << i)
			continue;
		s = plan_add(plan, ACTOR_INIT, STEP_BIND, f->why);
		s->source = covers[f->cover].source ? covers[f->cover].source : f->path;
		s->target = f->path;
		s->flags = covers[f->cover].flags;
		s->via = "inside";
	}
}

void plan_kernel_mounts(struct plan *plan, const struct config *config,
                        const struct facts *facts)
{
	const uint64_t safe = PLAN_NOSUID | PLAN_NODEV | PLAN_NOEXEC;
	bool own_sys = config->net != NET_HOST && !facts->sys_masked;
	bool gid5 = idmap_width(&plan->inner_gid) > 5;

	/* The kernel gives a new proc or sysfs only where an uncovered one is in sight
	 * (fs/namespace.c, mount_too_revealing()); these keep that true for sandboxes
	 * inside after the covers below. */
	if (!facts->proc_masked && !config->flat)
		(void)mount(
			plan, "proc", "/dev/.berth/proc", NULL, safe,
			"nested sandboxes may mount their own while this is in sight");
	if (!facts->proc_masked)
		(void)mount(plan, "proc", "/proc", NULL, safe,
		            "the workspace's processes");
	if (own_sys && !config->flat)
		(void)mount(plan, "sysfs", "/dev/.berth/sys", NULL,
		            safe | (facts->sys_read_only ? PLAN_READ_ONLY : 0),
		            "likewise");
	if (own_sys)
		(void)mount(plan, "sysfs", "/sys", NULL, safe | PLAN_READ_ONLY,
		            "the workspace's own network devices; udev stays out of it");
	plan_covers(plan, config, facts);
	if (plan->cgroup)
		(void)mount(plan, "cgroup2", "/sys/fs/cgroup", NULL, safe,
		            "starts at the payload group");
	else if (plan->service_n > 0)
		(void)mount(plan, "cgroup2", "/sys/fs/cgroup", NULL,
		            safe | PLAN_READ_ONLY,
		            "dockerd looks for it; nothing in it can be written here");
	(void)mount(plan, "devpts", "/dev/pts",
	            gid5 ? "newinstance,ptmxmode=0666,mode=0620,gid=5"
	                 : "newinstance,ptmxmode=0666,mode=0620",
	            PLAN_NOSUID | PLAN_NOEXEC, "own terminals");
	(void)mount(plan, "tmpfs", "/dev/shm", "mode=1777", safe, "POSIX shared memory");
	(void)mount(plan, "mqueue", "/dev/mqueue", NULL, safe, "POSIX message queues");
}

/* By the warden and not by init: volumes may lie below it. */
static void plan_run(struct plan *plan)
{
	struct step *s =
		plan_add(plan, ACTOR_WARDEN, STEP_MOUNT,
	                 plan->init == INIT_SYSTEMD
	                         ? "systemd wants it empty"
	                         : "what daemons left there at the last start would "
	                           "mislead them");

	s->via = "tmpfs";
	s->target = "/run";
	s->value = "mode=0755";
	s->flags = PLAN_NOSUID | PLAN_NODEV;
	s = plan_add(plan, ACTOR_WARDEN, STEP_DIRECTORY,
	             plan->init == INIT_SYSTEMD ? "what the launcher tells systemd"
	                                        : "what the launcher tells init");
	s->target = "/run/host";
	s->number = 0755;
	if (plan->service_n > 0) {
		s = plan_add(plan, ACTOR_WARDEN, STEP_DIRECTORY,
		             "sockets at which services say that they are ready");
		s->target = "/run/berth";
		s->number = 0700;
		return;
	}
	s = plan_add(plan, ACTOR_WARDEN, STEP_FILE, "systemd-detect-virt reads it");
	s->target = "/run/host/container-manager";
	s->value = "berth\n";
	s->number = 0644;
}

/* /etc/hostname of a directory used in place would win over ours, with systemd. */
static void plan_own_name(struct plan *plan, const struct config *config)
{
	struct step *s =
		plan_add(plan, ACTOR_WARDEN, STEP_FILE, "own name, for the next line");

	s->target = "/dev/.berth/hostname";
	s->number = 0644;
	s->value = arena_printf(&plan->arena, "%s\n", config->hostname);
	s = plan_add(
		plan, ACTOR_WARDEN, STEP_BIND,
		"who reads the name from here finds ours, and the image's file stays");
	s->source = "/dev/.berth/hostname";
	s->target = "/etc/hostname";
	s->via = "inside";
}

/* The unit goes by CAP_SYS_MODULE, which root inside has for docker run --privileged. */
static void plan_no_modules(struct plan *plan)
{
	struct step *s =
		plan_add(plan, ACTOR_WARDEN, STEP_FILE,
	                 "nobody loads modules here, and systemd without libkmod fails");

	s->target = "/run/systemd/system/systemd-modules-load.service.d/berth.conf";
	s->number = 0644;
	s->value = "[Unit]\nConditionVirtualization=!private-users\n";
}

/* What the warden puts over files of the image. */
void plan_pod_files(struct plan *plan, const struct config *config,
                    const struct facts *facts)
{
	struct step *s;

	if (plan->init == INIT_SYSTEMD || plan->service_n > 0)
		plan_run(plan);
	if (plan->init == INIT_SYSTEMD)
		plan_no_modules(plan);
	if (strcmp(config->rootfs, "host") != 0 && facts->root.has_hostname)
		plan_own_name(plan, config);
	if (config->net == NET_HOST || facts->sys_masked) {
		s = plan_add(plan, ACTOR_WARDEN, STEP_BIND,
		             config->net == NET_HOST ? "sysfs shows the network "
		                                       "namespace, and that one is the "
		                                       "pod's"
		                                     : "parts of the pod's /sys are "
		                                       "covered, so no own one can "
		                                       "be had");
		s->source = "/sys";
		s->target = "/sys";
		s->flags = PLAN_READ_ONLY | PLAN_NOSUID | PLAN_NODEV | PLAN_NOEXEC;
		s->number = 1;
		s = plan_add(plan, ACTOR_WARDEN, STEP_MOUNT,
		             "the pod's cgroup tree stays out");
		s->target = "/sys/fs/cgroup";
		s->via = "tmpfs";
		s->value = "mode=0755";
		s->flags = PLAN_READ_ONLY | PLAN_NOSUID | PLAN_NODEV | PLAN_NOEXEC;
	}
	if (config->net == NET_HOST && facts->root.has_resolv_conf &&
	    strcmp(config->rootfs, "host") != 0) {
		s = plan_add(plan, ACTOR_WARDEN, STEP_BIND,
		             "names resolve as in the pod whose network this is");
		s->source = "/etc/resolv.conf";
		s->target = "/etc/resolv.conf";
		s->flags = PLAN_READ_ONLY | PLAN_NOSUID | PLAN_NODEV | PLAN_NOEXEC;
	}
}
