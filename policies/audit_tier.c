#include <string.h>

#include "audit_internal.h"

/* What a manifest can tell of the table in docs/kubernetes.md; berth check tells the rest
 * in the pod itself. */

static void because(struct audit_tier *tier, char best, char worst, const char *reason)
{
	if (best > tier->best)
		tier->best = best;
	if (worst > tier->worst)
		tier->worst = worst;
	if (tier->reasons_n < AUDIT_REASONS_MAX)
		tier->reason[tier->reasons_n++] = reason;
}

static void by_users(const struct audit_subject *s, struct audit_tier *tier)
{
	static const char *const needed[] = { "SETUID", "SETGID", "SETFCAP" };
	const struct yaml_value *user = audit_security(s, "runAsUser", NULL);
	const struct yaml_value *non_root = audit_security(s, "runAsNonRoot", NULL);
	bool is_other = user && user->text && strcmp(user->text, "0") != 0;

	if (!s->mapped)
		because(tier, 'D', 'D',
		        "hostUsers: false is missing: the pod's root is the node's own "
		        "(C "
		        "with a line root:100000:65536 in the image's /etc/subuid and "
		        "/etc/subgid)");
	if (is_other || (non_root && non_root->type == YAML_BOOL && non_root->boolean))
		because(tier, 'C', 'C', "another user than root of the pod has one ID");
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (!audit_holds(s, needed[i])) {
			because(tier, 'C', 'C',
			        "without the capabilities SETUID, SETGID and SETFCAP "
			        "berth "
			        "maps one ID");
			break;
		}
}

static void by_seccomp(const struct audit_subject *s, struct audit_tier *tier)
{
	const struct yaml_value *profile = audit_security(s, "seccompProfile", NULL);
	const char *type = audit_scalar(profile, "type");
	const char *file = audit_scalar(profile, "localhostProfile");

	if (!type)
		because(tier, 'A', 'D',
		        "seccompProfile is not set: D where the kubelet has "
		        "seccompDefault");
	else if (!strcmp(type, "RuntimeDefault"))
		because(tier, 'D', 'D',
		        "the runtime's seccomp profile refuses what berth makes "
		        "namespaces "
		        "with");
	else if (!strcmp(type, "Localhost") && (!file || strcmp(file, "berth.json") != 0))
		because(tier, 'A', 'D',
		        "the seccomp profile is another one than berth.json, which has "
		        "to "
		        "allow user namespaces and mounts");
}

static void by_apparmor(const struct audit_subject *s, struct audit_tier *tier)
{
	const struct yaml_value *profile = audit_security(s, "appArmorProfile", NULL);
	const char *type = audit_scalar(profile, "type");
	const char *name = audit_scalar(profile, "localhostProfile");

	if (!type)
		because(tier, 'A', 'D',
		        "appArmorProfile is not set: D where the node has AppArmor");
	else if (!strcmp(type, "RuntimeDefault"))
		because(tier, 'D', 'D', "the runtime's AppArmor profile refuses mounts");
	else if (!strcmp(type, "Localhost") && (!name || strcmp(name, "berth") != 0))
		because(tier, 'A', 'D',
		        "the AppArmor profile is another one than berth, which has to "
		        "allow "
		        "user namespaces and mounts");
}

void audit_add_tier(const struct audit_subject *s)
{
	const struct yaml_value *security = yaml_get(s->container, "securityContext");
	const char *proc = audit_scalar(security, "procMount");
	const char *mode = audit_scalar(yaml_get(security, "cgroupOptions"), "mountMode");
	bool privileged = audit_is(security, "privileged", true);
	struct audit_tier *tier = arena_alloc(s->audit->arena, sizeof(*tier));

	if (!tier)
		return;
	*tier = (struct audit_tier){
		.file = s->file,
		.subject = s->name,
		.path = s->path,
		.line = s->container->line,
		.column = s->container->column,
		.best = 'A',
		.worst = 'A',
	};
	by_users(s, tier);
	if (privileged) {
		because(tier, 'A', 'A', "privileged: true, which berth does not need");
	} else {
		by_seccomp(s, tier);
		by_apparmor(s, tier);
		if (!proc || strcmp(proc, "Unmasked") != 0)
			because(tier, 'C', 'C',
			        "procMount: Unmasked is missing: /proc is masked");
		if (tier->best < 'C' && (!mode || strcmp(mode, "Writable") != 0))
			because(tier, 'A', 'B',
			        "B where the node's runtime gives the pod no cgroup to "
			        "write: runc as shipped");
	}
	if (s->audit->tier_last)
		s->audit->tier_last->next = tier;
	else
		s->audit->tier = tier;
	s->audit->tier_last = tier;
}
