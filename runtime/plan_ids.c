#include <errno.h>

#include "plan.h"

const char plan_helper_weak[] =
	"newuidmap is setuid root, and the pod's root lacks CAP_SYS_ADMIN to write maps: "
	"in the image give it file capabilities instead (chmod u-s, setcap cap_setuid=ep "
	"/usr/bin/newuidmap, cap_setgid=ep /usr/bin/newgidmap), or run as root "
	"(runAsUser: 0)";

/* Why an ordinary user has to do with one ID; NULL where more can be had. @uid and @gid
 * are what of the ranges lent to him lies in our own map. */
static const char *one_id_reason(const struct facts *facts, const struct idmap *uid,
                                 const struct idmap *gid)
{
	if (facts->subuid.n == 0 || facts->subgid.n == 0)
		return "no subordinate IDs are lent to this user: in a pod run as its "
		       "root (hostUsers: false, runAsUser: 0), elsewhere lend some: "
		       "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 "
		       "USER";
	if (!facts->newuidmap)
		return "newuidmap and newgidmap are missing: install the package uidmap";
	if (facts->no_new_privs)
		return "no_new_privs is set, so newuidmap cannot help: in a pod run as "
		       "root of a user namespace (hostUsers: false)";
	if (uid->n == 0 || gid->n == 0)
		return "the IDs lent to this user in /etc/subuid and /etc/subgid are "
		       "none of this pod's (/proc/self/uid_map): lend some that are, or "
		       "run as its root (runAsUser: 0)";
	if (facts->helper_weak)
		return plan_helper_weak;
	return NULL;
}

/* Laid out in the pod's IDs: what L1 gets when it is not our own ID that becomes 0. */
static struct idmap shifted(const struct idmap *sub)
{
	struct idmap map = { .n = sub->n };
	uint32_t inside = 0;

	for (size_t i = 0; i < sub->n; i++) {
		map.extent[i] = sub->extent[i];
		map.extent[i].inside = inside;
		inside += sub->extent[i].count;
	}
	return map;
}

/* What may be mapped, laid out as it is where nobody asks for more or less. */
static int plan_all_ids(struct plan *plan, const struct facts *facts, struct err *err)
{
	const struct idmap sub_uid = idmap_within(&facts->subuid, &facts->own_uid);
	const struct idmap sub_gid = idmap_within(&facts->subgid, &facts->own_gid);
	const char *reason;
	int r;

	if (facts->uid == 0 && facts->node_root) {
		/* Root inside would own what the node's root owns: /proc/sys above all. */
		if (facts->subuid.n == 0 || facts->subgid.n == 0 || !facts->can_map) {
			(void)err_set(err, EPERM, "started as this machine's own root");
			return err_hint(
				err, "in a pod set hostUsers: false; elsewhere run as an "
				     "ordinary user with subordinate IDs; or lend root "
				     "some: add 'root:100000:65536' to /etc/subuid and "
				     "/etc/subgid");
		}
		plan->outer_uid = shifted(&facts->subuid);
		plan->outer_gid = shifted(&facts->subgid);
		plan->become_root = true;
	} else if (facts->uid == 0 && facts->can_map) {
		plan->outer_uid = idmap_same(&facts->own_uid);
		plan->outer_gid = idmap_same(&facts->own_gid);
		plan->deny_setgroups = facts->setgroups_denied;
	} else if (!(reason = one_id_reason(facts, &sub_uid, &sub_gid))) {
		plan->by_helper = true;
		r = idmap_lent(facts->uid, &sub_uid, &plan->outer_uid, err);
		if (r == 0)
			r = idmap_lent(facts->gid, &sub_gid, &plan->outer_gid, err);
		return r < 0 ? err_hint(err, "mend the user's lines in /etc/subuid and "
		                             "/etc/subgid")
		             : 0;
	} else {
		plan->outer_uid = (struct idmap){ 1, { { 0, facts->uid, 1 } } };
		plan->outer_gid = (struct idmap){ 1, { { 0, facts->gid, 1 } } };
		plan->deny_setgroups = true;
		plan_note(plan, reason);
	}
	return 0;
}

/* Of all that may be mapped, what was asked for. */
static int choose(const char *option, const struct idmap *wish, struct idmap *map,
                  bool *become_root, struct err *err)
{
	const struct idmap all = *map;
	uint32_t before = 0, after = 0;
	int r = wish ? idmap_choose(option, wish, &all, map, err) : 0;

	(void)idmap_find(&all, 0, &before);
	(void)idmap_find(map, 0, &after);
	*become_root |= before != after;
	return r;
}

int plan_ids(struct plan *plan, const struct config *config, const struct facts *facts,
             struct err *err)
{
	int r = plan_all_ids(plan, facts, err);

	if (r == 0)
		r = choose("--uidmap", config->uid_map, &plan->outer_uid,
		           &plan->become_root, err);
	if (r == 0)
		r = choose("--gidmap", config->gid_map, &plan->outer_gid,
		           &plan->become_root, err);
	if (r < 0)
		return err_step(err, "ids");
	/* Of a caller's own group alone newgidmap(1) says so to the kernel. */
	if (plan->by_helper && plan->outer_gid.n == 1 &&
	    plan->outer_gid.extent[0].count == 1 &&
	    plan->outer_gid.extent[0].outside == facts->gid)
		plan->deny_setgroups = true;
	plan->inner_uid = idmap_same(&plan->outer_uid);
	plan->inner_gid = idmap_same(&plan->outer_gid);
	return 0;
}
