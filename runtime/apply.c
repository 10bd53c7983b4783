#include "apply.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"

/* clang-format off */
static apply_fn *const apply_fns[STEP_MAX] = {
	/* STEP_SCOPE is the one step run.c does itself: it never comes back. */
	[STEP_CGROUP_VIEW]   = apply_cgroup_view,
	[STEP_CGROUP_LEAF]   = apply_cgroup_leaf,
	[STEP_CGROUP_ENABLE] = apply_cgroup_enable,
	[STEP_CGROUP_MAKE]   = apply_cgroup_make,
	[STEP_CGROUP_LIMIT]  = apply_cgroup_limit,
	[STEP_CGROUP_OWN]    = apply_cgroup_own,
	[STEP_CGROUP1_MAKE]  = apply_cgroup1_make,
	[STEP_CGROUP1_LIMIT] = apply_cgroup1_limit,
	[STEP_CGROUP_JOIN]   = apply_cgroup_join,
	[STEP_PUBLISH]       = apply_publish,
	[STEP_METRICS]       = apply_metrics,
	[STEP_UPPER]         = apply_upper,
	[STEP_BOOTSTRAP]     = apply_bootstrap,
	[STEP_IDLE]          = apply_idle,
	[STEP_HOOK]          = apply_hook,
	[STEP_SPAWN]         = apply_spawn,
	[STEP_MAP]           = apply_map,
	[STEP_UCOUNT]        = apply_ucount,
	[STEP_RELAY]         = apply_relay,
	[STEP_PASTA]         = apply_pasta,
	[STEP_GATEWAY]       = apply_gateway,
	[STEP_VETH]          = apply_veth,
	[STEP_SHAPE]         = apply_shape,
	[STEP_UPLINK]        = apply_uplink,
	[STEP_PRIVATE]       = apply_private,
	[STEP_HIDE]          = apply_hide,
	[STEP_ROOT]          = apply_root,
	[STEP_RLIMIT]        = apply_rlimit,
	[STEP_ULIMIT]        = apply_ulimit,
	[STEP_MOUNT]         = apply_mount,
	[STEP_BIND]          = apply_bind,
	[STEP_DEVICE]        = apply_device,
	[STEP_VOLUME]        = apply_volume,
	[STEP_OVERLAY]       = apply_overlay,
	[STEP_DIRECTORY]     = apply_directory,
	[STEP_FILE]          = apply_file,
	[STEP_LINK]          = apply_link,
	[STEP_COPY]          = apply_copy,
	[STEP_WRAPPER]       = apply_wrapper,
	[STEP_HANDOVER]      = apply_handover,
	[STEP_UNSHARE]       = apply_unshare,
	[STEP_HOSTNAME]      = apply_hostname,
	[STEP_LOOPBACK]      = apply_loopback,
	[STEP_ADDRESS]       = apply_address,
	[STEP_LOOKOUT]       = apply_lookout,
	[STEP_OOM]           = apply_oom,
	[STEP_REROOT]        = apply_reroot,
	[STEP_PIVOT]         = apply_pivot,
	[STEP_CONSOLE]       = apply_console,
	[STEP_OWN]           = apply_own,
	[STEP_SEED]          = apply_seed,
	[STEP_NOTIFY]        = apply_notify,
	[STEP_AIRLOCK]       = apply_airlock,
	[STEP_CAPABILITIES]  = apply_capabilities,
	[STEP_DETACH]        = apply_detach,
	[STEP_SECCOMP]       = apply_seccomp,
	[STEP_USER]          = apply_user,
	[STEP_GROUP]         = apply_group,
	[STEP_SERVICE]       = apply_service,
	[STEP_SUPERVISE]     = apply_supervise,
	[STEP_EXEC]          = apply_exec,
};
/* clang-format on */

void launch_init(struct launch *launch)
{
	*launch = (struct launch){
		.sync = { { -EBADF, -EBADF }, { -EBADF, -EBADF }, { -EBADF, -EBADF } },
		.state = -EBADF,
		.lock = -EBADF,
		.cgroup = -EBADF,
		.limits = -EBADF,
		.payload = -EBADF,
		.relay_group = -EBADF,
#define NONE { NULL, -EBADF, -EBADF, -EBADF }
		.cgroup1 = { NONE, NONE, NONE, NONE, NONE, NONE },
#undef NONE
		.relay = -EBADF,
		.pasta = -EBADF,
		.report = { -EBADF, -EBADF },
		.counters = -EBADF,
		.denials = -EBADF,
		.rules = -EBADF,
		.warden_pidfd = -EBADF,
		.init_pidfd = -EBADF,
		.ended = { -EBADF, -EBADF },
		.proc = -EBADF,
		.root = -EBADF,
		.above = { NULL, 0, -EBADF },
		.source = { NULL, 0, -EBADF },
		.store = -EBADF,
		.stdin_to_stderr = { -EBADF, -EBADF, -EBADF },
		.pty_master = -EBADF,
		.pty_slave = -EBADF,
		.notify = -EBADF,
		.routes = -EBADF,
		.links = -EBADF,
		.lookout = -EBADF,
		.airlock = -EBADF,
		.service = { -EBADF, -EBADF, -EBADF, -EBADF },
	};
}

/* Into a directory, on which it mounts nothing. */
static bool makes_entry(enum step_kind kind)
{
	return kind == STEP_DEVICE || kind == STEP_DIRECTORY || kind == STEP_FILE ||
	       kind == STEP_LINK;
}

static bool mounts_on_target(enum step_kind kind)
{
	return kind == STEP_MOUNT || kind == STEP_BIND;
}

int apply_until(struct launch *launch, enum actor actor, enum step_kind stop,
                struct err *err)
{
	size_t *cursor = &launch->cursor[actor];

	for (; *cursor < launch->plan->n; ++*cursor) {
		const struct step *step = &launch->plan->step[*cursor];
		int r;

		if (step->actor != actor)
			continue;
		if (step->kind == stop)
			return 0;
		if (!makes_entry(step->kind) && !mounts_on_target(step->kind))
			target_leave(launch, NULL);
		r = apply_fns[step->kind](launch, step, err);
		if (mounts_on_target(step->kind))
			target_leave(launch, step->target);
		if (r >= 0)
			continue;
		if (!step->optional) {
			(void)err_step(err, step_name[step->kind]);
			return hint_for(err);
		}
		for (size_t i = 0; step->source && i < launch->plan->limit_n; i++)
			if (launch->plan->limit[i].step >= *cursor &&
			    launch->plan->limit[i].step <
			            *cursor + launch->plan->limit[i].steps &&
			    !strcmp(launch->plan->limit[i].name, step->source))
				launch->unenforced |= UINT64_C(1) << i;
		log_warn("%s: %s: %s, going on without it", step_name[step->kind],
		         err->text, strerror(err->code));
		err_clear(err);
	}
	return 0;
}
