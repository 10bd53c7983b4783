#include "verify.h"

#include <errno.h>
#include <string.h>

#include "base/syscall.h"

/* clang-format off */
const char *const verify_state_name[VERIFY_STATES] = {
	[VERIFY_HOLDS]   = "holds",
	[VERIFY_DIFFERS] = "differs",
	[VERIFY_CHANGED] = "changed-inside",
	[VERIFY_ABSENT]  = "absent",
	[VERIFY_UNSEEN]  = "unseen",
};
/* clang-format on */

void verify_add(struct verify *verify, const struct packed_step *step,
                enum verify_state state, const char *what, const char *wanted,
                const char *real)
{
	if (verify->n == verify->room) {
		size_t room = verify->room ? verify->room * 2 : 128;
		struct verify_row *more =
			arena_alloc(verify->arena, room * sizeof(*more));

		if (!more)
			return; /* the arena remembers */
		if (verify->n > 0)
			memcpy(more, verify->row, verify->n * sizeof(*more));
		verify->row = more;
		verify->room = room;
	}
	verify->row[verify->n++] = (struct verify_row){
		.step = step, .what = what, .wanted = wanted, .real = real, .state = state
	};
}

void verify_same(struct verify *verify, const struct packed_step *step, const char *what,
                 const char *wanted, const char *real)
{
	verify_add(verify, step, !strcmp(wanted, real) ? VERIFY_HOLDS : VERIFY_DIFFERS,
	           what, wanted, real);
}

void verify_absent(struct verify *verify, const struct packed_step *step,
                   const char *what, const char *wanted, const char *real)
{
	verify_add(verify, step, step->step.optional ? VERIFY_ABSENT : VERIFY_DIFFERS,
	           what, wanted, real);
}

verify_fn *verify_of(enum step_kind kind)
{
	switch (kind) {
	case STEP_CGROUP_LEAF:
		return verify_cgroup_leaf;
	case STEP_CGROUP_ENABLE:
		return verify_cgroup_enable;
	case STEP_CGROUP_MAKE:
		return verify_cgroup_make;
	case STEP_CGROUP_LIMIT:
		return verify_cgroup_limit;
	case STEP_CGROUP_OWN:
		return verify_cgroup_own;
	case STEP_CGROUP1_MAKE:
		return verify_cgroup1_make;
	case STEP_CGROUP1_LIMIT:
		return verify_cgroup1_limit;
	case STEP_CGROUP_JOIN:
		return verify_cgroup_join;
	case STEP_METRICS:
		return verify_metrics;
	case STEP_PUBLISH:
		return verify_publish;
	case STEP_SPAWN:
		return verify_spawn;
	case STEP_MAP:
		return verify_map;
	case STEP_UCOUNT:
		return verify_ucount;
	case STEP_RELAY:
		return verify_relay;
	case STEP_PASTA:
		return verify_pasta;
	case STEP_GATEWAY:
		return verify_gateway;
	case STEP_VETH:
		return verify_veth;
	case STEP_SHAPE:
		return verify_shape;
	case STEP_UPLINK:
		return verify_uplink;
	case STEP_PRIVATE:
		return verify_private;
	case STEP_HIDE:
		return verify_hide;
	case STEP_ROOT:
		return verify_root;
	case STEP_RLIMIT:
		return verify_rlimit;
	case STEP_MOUNT:
		return verify_mount;
	case STEP_BIND:
	case STEP_VOLUME:
		return verify_bind;
	case STEP_DEVICE:
		return verify_device;
	case STEP_OVERLAY:
		return verify_overlay;
	case STEP_UNSHARE:
		return verify_unshare;
	case STEP_ULIMIT:
		return verify_ulimit;
	case STEP_OOM:
		return verify_oom;
	case STEP_DETACH:
		return verify_detach;
	case STEP_CAPABILITIES:
		return verify_capabilities;
	case STEP_SECCOMP:
		return verify_seccomp;
	/* Over when the launch is. */
	case STEP_SCOPE:
	case STEP_CGROUP_VIEW:
	case STEP_UPPER:
	case STEP_HANDOVER:
	case STEP_LOOKOUT:
	case STEP_REROOT:
	case STEP_PIVOT:
	case STEP_AIRLOCK:
	case STEP_BOOTSTRAP:
	case STEP_IDLE:
	/* What was opened is what runs, whatever its name leads to by now. */
	case STEP_HOOK:
	/* Root inside does with them what it likes. */
	case STEP_DIRECTORY:
	case STEP_FILE:
	case STEP_LINK:
	case STEP_COPY:
	case STEP_WRAPPER:
	case STEP_HOSTNAME:
	case STEP_LOOPBACK:
	case STEP_ADDRESS:
	case STEP_CONSOLE:
	case STEP_OWN:
	case STEP_SEED:
	case STEP_NOTIFY:
	case STEP_USER:
	case STEP_GROUP:
	case STEP_SERVICE:
	case STEP_SUPERVISE:
	case STEP_EXEC:
	case STEP_MAX:
		break;
	}
	return NULL;
}

int verify_run(struct verify *verify, struct err *err)
{
	int differ = 0;

	for (size_t i = 0; i < verify->plan.n; i++) {
		const struct packed_step *step = &verify->plan.step[i];
		verify_fn *look = verify_of(step->step.kind);
		int r = 0;

		if (step->given_up)
			verify_add(verify, step, VERIFY_ABSENT,
			           step->step.target ? step->step.target : "",
			           step->step.value ? step->step.value : "",
			           "it could not be had at the launch");
		else if (look)
			r = look(verify, step, err);
		if (r < 0)
			return err_wrap(err, "step %zu", i + 1);
	}
	/* While it lives the numbers that were asked by were its own, and its warden's. */
	if (sys_pidfd_send_signal(verify->fd[CONTROL_INIT], 0) < 0)
		return err_set(err, ESRCH, "it ended meanwhile");
	if (verify->arena->failed)
		return err_set(err, ENOMEM, "verify the workspace");
	for (size_t i = 0; i < verify->n; i++)
		differ += verify->row[i].state == VERIFY_DIFFERS;
	return differ;
}
