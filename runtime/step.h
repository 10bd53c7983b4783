#ifndef STEP_H
#define STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who does a step; DESIGN calls the levels L0, L1 and L2. */
enum actor {
	ACTOR_SUPERVISOR, /* L0, in the pod */
	ACTOR_WARDEN,     /* L1, PID 1 of the outer PID namespace */
	ACTOR_INIT,       /* L2, PID 1 of the workspace */
	ACTOR_MAX,
};

/*
 * What a step does. The comment names the fields of struct step it uses.
 */
enum step_kind {
	/* supervisor */
	STEP_SCOPE,       /* -                     run us again in a delegated scope */
	STEP_CGROUP_VIEW, /* -                     a writable cgroup2 mount of our own */
	STEP_CGROUP_LEAF, /* target value=from     processes of our group move there */
	STEP_CGROUP_ENABLE, /* target value          cgroup.subtree_control */
	STEP_CGROUP_MAKE,   /* target                mkdir */
	STEP_CGROUP_LIMIT,  /* target=file value source=knob    written, and read back */
	STEP_CGROUP_OWN,    /* target number=uid     chown */
	STEP_CGROUP1_MAKE,  /* target source=our own group, value=controllers; mkdir */
	STEP_CGROUP1_LIMIT, /* target=file value source=knob via=our own group; libcgroup */
	STEP_CGROUP_JOIN,   /* target value=v1's    init is moved there after its birth */
	STEP_PUBLISH, /* target=ports number=of the config's -p    listen in the pod */
	STEP_METRICS, /* target=address source=program    serves them, once init runs */
	STEP_UPPER, /* target=directory value=digest source=what it lies over, set aside */
	STEP_BOOTSTRAP, /* source=script value=restart    runs it, once all is ready */
	STEP_IDLE, /* value=time source=what is use via=script    stops it when it is idle */
	STEP_HOOK, /* target=kind source=command value=timeout number=of the config's hooks */
	/* supervisor and warden */
	STEP_SPAWN, /* target=actor flags=namespaces number=into the cgroup */
	STEP_MAP,   /* target=actor value=uids source=gids, via=who writes */
	/* warden */
	STEP_UCOUNT,  /* target=file value */
	STEP_RELAY,   /* -                     carries bytes to the pod's network */
	STEP_PASTA,   /* target=program value=addresses  the same, somebody else's */
	STEP_GATEWAY, /* -                     a network namespace of the warden's own */
	STEP_VETH,    /* target=its name inside source=in the gateway value=addresses
	               * number=MTU */
	STEP_SHAPE,   /* target=direction value=rate number=enum direction */
	STEP_UPLINK,  /* value=families source=policy   rules, and the relay serves */
	STEP_PRIVATE, /* -                     no mount event comes or goes */
	STEP_HIDE, /* flags value=what it is  an empty mount over target, or berth's records */
	STEP_ROOT, /* source flags value=directory of the store, via: source lies in it */
	STEP_RLIMIT, /* target=name value */
	/* mounts, by the warden (locked in L2) or by init */
	STEP_MOUNT,  /* target via=fstype value=options flags=MOUNT_ATTR_* */
	STEP_BIND,   /* target source flags number=recursive, via: where source is
	              * value=whose it is inside, of -v */
	STEP_DEVICE, /* target source         a device node of the pod */
	STEP_VOLUME, /* target source=of the store   with what the image has there, once */
	STEP_OVERLAY, /* target source=lower value=upper via=work */
	/* files the workspace needs before its init runs */
	STEP_DIRECTORY, /* target number=mode */
	STEP_FILE,      /* target number=mode value=content */
	STEP_LINK,      /* target value=content number=in place of what is there */
	STEP_COPY,      /* target source */
	STEP_WRAPPER,   /* target                berth as OCI runtime, under its names */
	STEP_HANDOVER,  /* target                the root is whole: init gets it */
	/* init */
	STEP_UNSHARE,  /* flags=namespaces */
	STEP_HOSTNAME, /* value */
	STEP_LOOPBACK, /* - */
	STEP_ADDRESS,  /* target=interface value=addresses */
	STEP_LOOKOUT, /* -                     sockets to ask about routes and listeners */
	STEP_OOM,     /* value */
	STEP_REROOT,  /* -                     the root bound onto itself */
	STEP_PIVOT,   /* - */
	STEP_CONSOLE, /* target                a pty of the workspace's devpts */
	STEP_OWN, /* target=volume value=user number=alone    made his, with all that is in it */
	STEP_SEED, /* target=Docker's directory source=seed    its images, if there are none */
	STEP_NOTIFY,  /* target                socket for READY=1 */
	STEP_AIRLOCK, /* -                     what stands between us and the command */
	STEP_CAPABILITIES, /* value=names source=names to keep    the bounding set */
	STEP_DETACH, /* -                the pod's tree, which the pivot left above ours */
	STEP_SECCOMP, /* value=filter source=calls to allow via=calls to deny number=asks */
	STEP_USER,    /* value */
	STEP_ULIMIT, /* target=name value=SOFT:HARD    of init, and of all that it starts */
	STEP_GROUP,   /* target                a group of its own below the workspace's */
	STEP_SERVICE, /* target=name value=command source=notify socket via=needs */
	STEP_SUPERVISE, /* -                    runs the services, for good */
	STEP_EXEC,      /* value=command */
	STEP_MAX,
};

/*
 * @flags of mounts. Bits of our own: the planner includes no <sys/mount.h>, and a
 * golden file should not change with a kernel header.
 */
#define PLAN_READ_ONLY (1U << 0)
#define PLAN_NOSUID (1U << 1)
#define PLAN_NODEV (1U << 2)
#define PLAN_NOEXEC (1U << 3)

/**
 * struct step - One thing the launch will do
 * @kind:	selects the row of the apply table
 * @actor:	who does it
 * @optional:	a failure is logged and the launch goes on
 * @why:	one line for people; never NULL
 *
 * The other fields mean what the comment at each kind says; unused ones are NULL or
 * 0. All strings belong to the plan's arena.
 */
struct step {
	enum step_kind kind;
	enum actor actor;
	bool optional;
	const char *why;
	const char *target, *source, *value, *via;
	uint64_t flags, number;
};

extern const char *const actor_name[ACTOR_MAX];
extern const char *const step_name[STEP_MAX];

#endif
